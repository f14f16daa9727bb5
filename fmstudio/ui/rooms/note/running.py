"""A run of the note's room on the page: its buttons, a bar now and then, errors as sentences."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, TypeVar

import gradio as gr
from gradio.components import Component

from fmstudio.studio.line import TRAININGS
from fmstudio.studio.running import Begins, Done, Event, Failed, Halted, Pulse, Reports, Waits
from fmstudio.studio.session import Visitor
from fmstudio.ui.report import failed, said
from fmstudio.ui.wiring import TRAINS, Buttons, Part, Updates, stoppable

YIELD_EVERY = 0.25
"""Seconds between two reports of the finished share."""

R = TypeVar("R")
T = TypeVar("T")


@dataclass(frozen=True)
class Share:
    """How much of a run is done, from 0 to 1, and what is at work."""

    done: float
    what: str = ""

    def html(self) -> str:
        """A bar, and the words."""
        words = f"<small>{escape(self.what)}</small>" if self.what else ""
        return f'<progress value="{self.done:.3f}" max="1"></progress>{words}'


@dataclass(frozen=True, eq=False)
class Run:
    """Run, Stop, and the place of the bar.

    Args:
        name: what Stop calls it.
        start, stop, status: on the page.
    """

    name: str
    start: gr.Button
    stop: gr.Button
    status: gr.HTML

    @property
    def buttons(self) -> Buttons:
        """Run and Stop."""
        return Buttons([self.start], self.stop)

    def wire(
        self,
        visitor: gr.State,
        act: Callable[..., Iterator[Updates]],
        inputs: Sequence[Component],
        outputs: Sequence[Part],
    ) -> None:
        """Let Run begin it and Stop end it.

        Args:
            visitor: the session's state.
            act: ``f(visitor, *values)``: updates of ``outputs``, of the bar and of the buttons.
            inputs: where the values come from.
            outputs: what it fills beside the bar.
        """

        def run(state: Visitor, *values: Any) -> Iterator[Updates]:
            for updates in act(state, *values):
                yield {visitor: state, **updates}

        filled = [visitor, *outputs, self.status, *self.buttons.parts]
        self.start.click(run, [visitor, *inputs], filled, **TRAINS)
        stoppable(self.stop, visitor, self.status, self.name)

    def told(
        self,
        state: Visitor,
        work: Callable[[], Generator[R, None, T]],
        shown: Callable[[Event[R, T]], Updates],
    ) -> Iterator[Updates]:
        """Do the work in the line :data:`TRAININGS`, and tell how it goes.

        Args:
            state: whose it is.
            work: its reports are finished shares, as numbers or :class:`Share`, and others.
            shown: what else the page shows of an event; finished shares are left to the bar.
        """
        pulse = Pulse(YIELD_EVERY)
        for event in state.running.run(self.name, work, TRAININGS):
            if isinstance(event, Reports) and isinstance(event.report, float | int | Share):
                share = event.report if isinstance(event.report, Share) else Share(event.report)
                if pulse.due():
                    yield {self.status: share.html()}
            else:
                yield self._at(event) | shown(event)

    def _at(self, event: Event[R, T]) -> Updates:
        """The buttons and the bar."""
        match event:
            case Waits(words):
                return self.buttons.set(busy=True) | {self.status: said(words)}
            case Begins():
                return self.buttons.set(busy=True) | {self.status: Share(0.0).html()}
            case Reports():
                return {}
            case Done() | Halted():
                return self.buttons.set(busy=False) | {self.status: ""}
            case Failed(problem):
                return self.buttons.set(busy=False) | {self.status: failed(problem)}


def run_and_stop(name: str, action: str) -> tuple[gr.Button, gr.Button]:
    """The two buttons of a run.

    Args:
        name: their ids are run-NAME and stop-NAME.
        action: on the first.
    """
    start = gr.Button(action, variant="primary", size="sm", elem_id=f"run-{name}", elem_classes=["note-run"])
    return start, gr.Button(
        "Stop", size="sm", interactive=False, elem_id=f"stop-{name}", elem_classes=["note-run"]
    )
