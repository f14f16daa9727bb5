"""Train: how does a net learn u?"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from fmstudio.learn.training.train import Progress
from fmstudio.studio import train
from fmstudio.studio.line import TRAININGS
from fmstudio.studio.running import Begins, Done, Failed, Halted, Pulse, Reports, Waits
from fmstudio.studio.session import Visitor
from fmstudio.ui.report import facts, failed, said, warn
from fmstudio.ui.room import Room
from fmstudio.ui.rooms.train import figures
from fmstudio.ui.rooms.train.controls import Controls
from fmstudio.ui.wiring import LAST, QUIET, TRAINS, Updates

DRAWN_EVERY = 0.5
"""Seconds between two pictures of the plots, all four of one step; the numbers follow each report."""

_DOWNLOAD = """(file) => {
  if (file) Object.assign(document.createElement("a"), { href: file.url, download: file.orig_name }).click();
}"""


def build(visitor: gr.State) -> Room:
    """Lay the room out in the current tab."""
    room = Controls()
    acts = _Acts(visitor, room)
    outputs = [room.loss, room.excess, room.cloud, room.error, room.status, room.straightness]
    shown = [*outputs, *room.buttons.parts]
    works = {room.start: train.start, room.resume: train.resume, room.straighten: train.straighten}
    nets = [
        button.click(acts.does(work), visitor, [visitor, *shown], **TRAINS) for button, work in works.items()
    ]
    room.stop.click(lambda state: state.running.halt(train.TRAINING), visitor, None, **QUIET)
    room.reset.click(train.stop, visitor, None, **QUIET).then(acts.cleared, visitor, shown, **QUIET)
    room.draw_error.click(acts.drawn_error, [visitor, room.when], room.error, **QUIET)
    room.when.release(acts.drawn_error, [visitor, room.when], room.error, **LAST)
    written = room.save.click(acts.written, visitor, room.saved, **QUIET)
    written.then(None, room.saved, None, js=_DOWNLOAD, **QUIET)
    return Room(
        controls=room.of_experiment,
        repaint=lambda state: figures.at_rest(room, state),
        outputs=outputs,
        view=lambda state: state.rooms.error_time,
        of_net=lambda state: True,
        nets=nets,
        opener=(room.load, train.open_file),
    )


@dataclass(frozen=True, eq=False)
class _Acts:
    """What the room's buttons do."""

    visitor: gr.State
    room: Controls

    def does(self, work: Callable[[Visitor], Generator[Progress]]) -> Callable[[Visitor], Iterator[Updates]]:
        """The handler of a button that begins this training; the buttons are left right, whatever ends it."""
        room = self.room
        status, table, buttons = room.status, room.straightness, room.buttons

        def begin(state: Visitor) -> Iterator[Updates]:
            train.stop(state)  # One at a time: two clicks may be quicker than the buttons.
            drawing = Pulse(DRAWN_EVERY)
            events = state.running.run(train.TRAINING, lambda: work(state), TRAININGS, expected=(ValueError,))
            for event in events:
                match event:
                    case Waits(words):
                        updates: Updates = {status: said(words), **buttons.set(busy=True)}
                    case Begins():
                        updates = {table: figures.straightness_html(state), **buttons.set(busy=True)}
                    case Reports(report):
                        updates = self._reported(state, report, drawing) | buttons.set(busy=True)
                    case Done():
                        updates = {table: figures.straightness_html(state), **buttons.set(busy=False)}
                    case Halted():
                        updates = figures.at_rest(room, state) | buttons.set(busy=False)
                    case Failed(problem):
                        warn(problem)  # The button may be far below the card that says it, too.
                        updates = {status: failed(problem), **buttons.set(busy=False)}
                yield {self.visitor: state, **updates}

        return begin

    def _reported(self, state: Visitor, report: Progress, drawing: Pulse) -> Updates:
        """The numbers of a report, and now and then the plots of its net."""
        due = drawing.due() or report.done
        straighter = report if state.net.pairs is not None else None
        return {
            **(figures.painted(self.room, state, report.checkpoint) if due else {}),
            self.room.status: facts([*figures.stray(state), *figures.status(report)]),
            self.room.straightness: figures.straightness_html(state, straighter),
        }

    def cleared(self, state: Visitor) -> Updates:
        """Reset."""
        train.reset(state)
        return figures.at_rest(self.room, state) | self.room.buttons.set(busy=False)

    def drawn_error(self, state: Visitor, t: float) -> str:
        """The map of the error at another time."""
        state.rooms.error_time = t
        return figures.error_map(state, state.checkpoint)

    def written(self, state: Visitor) -> str | None:
        """Save a checkpoint."""
        try:
            return train.save(state, Path(self.room.saved.GRADIO_CACHE))
        except ValueError as problem:
            warn(problem)
            return None
