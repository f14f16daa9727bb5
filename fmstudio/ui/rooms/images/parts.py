"""What the sub-tabs of the Images room share: progress, stopping, a warm start."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from functools import cache
from html import escape
from typing import Any

import gradio as gr

from fmstudio.image.models import backbone_names
from fmstudio.image.progress import Progress
from fmstudio.image.questions.compare import compare
from fmstudio.image.settings import ImageSettings
from fmstudio.ui.halting import until_halted
from fmstudio.ui.line import IMAGES, MOST_WAITING
from fmstudio.ui.report import failed, said
from fmstudio.ui.visitor import Visitor

YIELD_EVERY = 0.15
"""Seconds between two updates of a running action."""

SHOWN_COUNT = 8
"""Images a row of the step grid that is shown first."""

SHOWN_BESIDE = "fashion-rf2"
"""The model beside the default one in what is shown first."""

QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
POOLED: dict[str, Any] = QUIET | {
    "concurrency_id": "images",
    "concurrency_limit": MOST_WAITING,
    "trigger_mode": "once",
}
"""Sampling handlers stand in the line `IMAGES`."""


def go_and_stop(action: str, name: str) -> tuple[gr.Button, gr.Button]:
    """The two buttons of a long action, with the ids NAME-go and NAME-stop."""
    go = gr.Button(action, variant="primary", elem_id=f"{name}-go", min_width=110 if " " in action else 90)
    return go, gr.Button("Stop", elem_id=f"{name}-stop", min_width=70)


def progress_html(progress: Progress) -> str:
    """What is being done, how far it is and what the measured steps say is left."""
    left = f" · about {_duration(progress.left)} left" if progress.left is not None else ""
    return (
        f'<p class="fm-note">{escape(progress.what)}{left}</p>'
        f'<progress max="1" value="{progress.share:.3f}"></progress>'
    )


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


class Pulse:
    """Whether it is time to show something again: at most every `YIELD_EVERY` seconds."""

    def __init__(self) -> None:
        self._last = 0.0

    def due(self) -> bool:
        """True now and then."""
        now = time.monotonic()
        if now - self._last < YIELD_EVERY:
            return False
        self._last = now
        return True


def guarded(
    work: Callable[..., Iterator[Any]], outputs: int, name: str, stopped: str = ""
) -> Callable[..., Iterator[Any]]:
    """A handler whose errors become a sentence in its first output; the others stay as they are.

    It takes the visitor before the other inputs. Before its turn in the line `IMAGES` has come it tells its
    place.

    Args:
        work: a generator of the other inputs; its first output is the status.
        outputs: how many outputs it fills.
        name: of the action, as its Stop button calls it (see `stoppable`).
        stopped: the last word of one that was stopped.
    """

    def run(state: Visitor, *values: Any) -> Iterator[Any]:
        def only(status: str) -> Any:
            return status if outputs == 1 else [status, *[gr.skip()] * (outputs - 1)]

        served = IMAGES.serve(lambda: work(*values), lambda words: only(said(words)))
        try:
            yield from until_halted(state, name, served, lambda: only(said(stopped)))
        except (ValueError, KeyError, RuntimeError, OSError) as error:
            yield only(failed(error))

    return run


def warm_up() -> None:
    """Let `warm_models` run in the background, so that the first click need not wait for it."""
    threading.Thread(target=warm_models, name="load image models", daemon=True).start()


@cache
def warm_models() -> None:
    """Load the two models that are shown first and let each take a step: imports and kernels stay."""
    names = backbone_names()
    first = [name for name in (ImageSettings().model, SHOWN_BESIDE) if name in names]
    if first:
        settings = ImageSettings(model=first[0], steps=(1,), count=SHOWN_COUNT)
        for _ in compare(settings, first, distances=False):
            pass
