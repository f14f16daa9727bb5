"""What the sub-tabs of the Images room share: progress, stopping, a warm start."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import gradio as gr
from gradio.blocks import Block
from gradio.components import Component

from fmstudio.image.models import backbone_names
from fmstudio.image.progress import Progress
from fmstudio.image.questions.compare import compare
from fmstudio.image.settings import ImageSettings
from fmstudio.studio.line import IMAGES, Line
from fmstudio.studio.running import Failed, Halted, Pulse, Reports, Waits
from fmstudio.ui.report import failed, said
from fmstudio.ui.wiring import Updates, pooled

T = TypeVar("T")

Values = dict[Block, Any]
"""What a handler of a set of inputs is given: the value of each."""

Work = Callable[[Values], Generator[Progress | Updates]]
"""A long action: of the values of its inputs, what it reports meanwhile."""

YIELD_EVERY = 0.15
"""Seconds between two updates of a running action."""

SHOWN_COUNT = 8
"""Images a row of the step grid that is shown first."""

SHOWN_BESIDE = "fashion-rf2"
"""The model beside the default one in what is shown first."""

POOLED: dict[str, Any] = pooled("images") | {"trigger_mode": "once"}
"""Sampling handlers stand in the line `IMAGES`."""


@dataclass(frozen=True)
class GoAndStop:
    """The two buttons of a long action, with the ids NAME-go and NAME-stop.

    Args:
        name: of the action.
        go, stop: begin it, and ask it to end.
    """

    name: str
    go: gr.Button
    stop: gr.Button


def go_and_stop(action: str, name: str) -> GoAndStop:
    """Lay the two buttons out, the first labelled with the action."""
    go = gr.Button(action, variant="primary", elem_id=f"{name}-go", min_width=110 if " " in action else 90)
    return GoAndStop(name, go, gr.Button("Stop", elem_id=f"{name}-stop", min_width=70))


def progress_html(progress: Progress) -> str:
    """What is being done, how far it is and what the measured steps say is left."""
    left = f" · about {duration(progress.left)} left" if progress.left is not None else ""
    return progress_bar(f"{progress.what}{left}", f"{progress.share:.3f}")


def progress_bar(text: str, share: str) -> str:
    """A sentence over a bar that is filled to a share in [0, 1]."""
    return f'{said(text)}<progress max="1" value="{share}"></progress>'


def duration(seconds: float) -> str:
    """Seconds in words."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


LOADING = Progress("Loading the model", 0.0, None)
"""The first word of an action that needs a model of the repository."""


def outcome(events: Iterable[Progress | T]) -> Generator[Progress, None, T]:
    """Pass progress on; returns what comes last."""
    last: Progress | T | None = None
    for last in events:
        if isinstance(last, Progress):
            yield last
    if last is None or isinstance(last, Progress):
        raise RuntimeError("The action ended without a result.")
    return last


def long_action(
    work: Work,
    visitor: gr.State,
    name: str,
    status: Component,
    stopped: str,
    line: Line | None = IMAGES,
    expected: tuple[type[Exception], ...] = (ValueError, KeyError, RuntimeError, OSError),
    failing: Callable[[Exception, Values], Updates] | None = None,
) -> Callable[[Values], Iterator[Updates]]:
    """A handler that tells a long action's place in line, its progress, its error or its last word.

    Its inputs are a set, so that Gradio gives it their values by component; the visitor is among them.

    Args:
        work: called at once, so that what a plain function reads is checked before it waits. It yields what
            changes, and progress, which is shown now and then.
        visitor: the visitor's state.
        name: of the action, as its Stop button calls it (see `stoppable`).
        status: where all of that is told.
        stopped: the last word of one that was stopped.
        line: where it waits for its turn; None for an action that begins at once.
        expected: errors that are told; others go on to Gradio.
        failing: what an error changes; without it the status says its sentence.
    """

    def told(error: Exception, values: Values) -> Updates:
        return failing(error, values) if failing else {status: failed(error)}

    def run(values: Values) -> Iterator[Updates]:
        try:
            made = work(values)
        except expected as error:
            yield told(error, values)
            return
        pulse = Pulse(YIELD_EVERY)
        for event in values[visitor].running.run(name, lambda: made, line, expected):
            match event:
                case Waits(words):
                    yield {status: said(words)}
                case Reports(Progress() as progress):
                    if pulse.due() or progress.share == 1:
                        yield {status: progress_html(progress)}
                case Reports(changed):
                    yield changed
                case Halted():
                    yield {status: said(stopped)}
                case Failed(problem):
                    yield told(problem, values)
                case _:
                    pass  # that it begins, and ends, its own reports say

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
