"""Work of the note's room on the page: a bar now and then, the result at the end, errors as sentences."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from html import escape
from typing import Any, Literal

import gradio as gr

from fmstudio.ui.line import MOST_WAITING
from fmstudio.ui.report import failed

LATEX = [
    {"left": "$$", "right": "$$", "display": True},
    {"left": "$", "right": "$", "display": False},
]
YIELD_EVERY = 0.25
"""Seconds between two reports of the finished share."""

QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
POOLED: dict[str, Any] = {
    "concurrency_id": "training",
    "concurrency_limit": MOST_WAITING,
    "show_progress": "hidden",
    "api_visibility": "private",
}
"""Runs stand in the line `TRAININGS`."""

READY = [gr.update(interactive=True), gr.update(interactive=False)]
"""Run and Stop while nothing runs."""

BUSY = [gr.update(interactive=False), gr.update(interactive=True)]
"""Run and Stop while something runs."""


def progress(share: float, what: str = "") -> str:
    """A bar, and what is at work."""
    words = f"<small>{escape(what)}</small>" if what else ""
    return f'<progress value="{share:.3f}" max="1"></progress>{words}'


def steps(work: Generator[float, None, Any]) -> Iterator[tuple[Literal["share", "done", "failed"], Any]]:
    """Drain a generator of shares: ("share", finished) now and then, and at the end ("done", its result) or
    ("failed", the sentence as HTML). Closing this closes the work."""
    drawn = time.monotonic()
    try:
        while True:
            share = next(work)
            if time.monotonic() - drawn > YIELD_EVERY:
                drawn = time.monotonic()
                yield "share", share
    except StopIteration as end:
        yield "done", end.value
    except (ValueError, RuntimeError, ArithmeticError) as problem:
        yield "failed", failed(problem)
    finally:
        work.close()
