"""Which room is painted when: the one on screen after every edit, another when it is entered."""

from __future__ import annotations

import contextvars
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, cast

import gradio as gr
import torch

from fmstudio.device import CORES
from fmstudio.studio.session import Painted, Picture, Visitor
from fmstudio.studio.train import adopt_shipped
from fmstudio.ui.report import warn
from fmstudio.ui.room import Room
from fmstudio.ui.wiring import NOW, QUIET, SEEN, Part, Updates

PATIENCE = 0.4
"""Seconds that an edit waits for its picture. A slower one comes after the controls are up to date."""

# A thread of torch's that is new while another is held to one core would take that for the rule.
_PAINTERS = ThreadPoolExecutor(8, "painter", initializer=torch.set_num_threads, initargs=(CORES,))


@dataclass(frozen=True)
class Painting:
    """Paints the room on screen; one that shows the visitor's experiment, view and net is left alone.

    Args:
        rooms: by name.
        calls: a hidden part for each room, by name; a new value makes the browser ask for the room's picture.
    """

    rooms: Mapping[str, Room]
    calls: Mapping[str, gr.Number]

    @property
    def outputs(self) -> list[Part]:
        """What an edit may paint at once: the prompt rooms."""
        return [part for room in self.rooms.values() if room.prompt for part in room.outputs]

    def at_once(self, state: Visitor) -> Updates:
        """The picture of the room on screen if it is there within :data:`PATIENCE`, else nothing yet."""
        name = state.rooms.on_screen
        if not self.rooms[name].prompt:
            self.begin(state)
            return {}
        try:
            return self.paint(state, name, PATIENCE)
        except ValueError:
            return {}  # The reason is told when the picture is called for.

    def to_come(self, state: Visitor) -> Updates:
        """Call for the room on screen if it does not show what the visitor has."""
        adopt_shipped(state)
        if not self._behind(state):
            return {}
        state.browser.called += 1
        return {self.calls[state.rooms.on_screen]: state.browser.called}

    def begin(self, state: Visitor) -> None:
        """Start on the picture of the room on screen, unless it is there or on the way."""
        adopt_shipped(state)
        repaint, browser = self.rooms[state.rooms.on_screen].repaint, state.browser
        if repaint is None or not self._behind(state):
            return
        shows = self._shows(state)
        if browser.pending is None or browser.pending.shows.look != shows.look:
            # In the event's own context: a picture may have a word for the visitor.
            context = contextvars.copy_context()

            def work() -> object:
                return context.run(repaint, state)

            browser.pending = Picture(shows, _PAINTERS.submit(work))

    def paint(self, state: Visitor, name: str, patience: float | None = None) -> Updates:
        """The picture of a room if it is on screen and does not show what the visitor has.

        A picture that was given up, because the experiment, the view or the net became another while it was
        made, is asked for again. One of a net that has only learned on meanwhile is a picture all the same:
        a training would never stop giving up pictures.

        Args:
            state: the visitor's; the room is marked as painted.
            name: of the room.
            patience: seconds to wait; None waits to the end. What is not there by then is found later.

        Raises:
            ValueError: the room cannot be drawn.
        """
        until = None if patience is None else time.monotonic() + patience
        while state.rooms.on_screen == name:
            self.begin(state)
            picture = state.browser.pending
            if picture is None or not self._behind(state):
                return {}
            try:
                painted = picture.coming.result(None if until is None else until - time.monotonic())
            except TimeoutError:
                return {}
            except ValueError:
                if self._awaits(state, picture):
                    raise
                continue
            if self._awaits(state, picture):
                state.browser.painted[name], state.browser.pending = picture.shows, None
                return cast(Updates, painted)
        return {}

    def waits(self, state: Visitor, name: str) -> bool:
        """Whether this room is on screen and does not show what the visitor has."""
        return state.rooms.on_screen == name and self._behind(state)

    def _awaits(self, state: Visitor, picture: Picture) -> bool:
        """Whether this picture is still the one that the visitor waits for; of a net that learned on, too."""
        return picture is state.browser.pending and picture.shows.look == self._shows(state).look

    def _behind(self, state: Visitor) -> bool:
        name = state.rooms.on_screen
        return self.rooms[name].repaint is not None and state.browser.painted.get(name) != self._shows(state)

    def _shows(self, state: Visitor) -> Painted:
        """What a picture of the room on screen shows that is begun now."""
        name = state.rooms.on_screen
        room, net = self.rooms[name], state.net
        kind = None
        if room.of_net(state) and net.checkpoint is not None:
            kind = net.origin, net.checkpoint.experiment, net.checkpoint.of_pairs
        look = name, state.experiment, room.view(state), kind
        return Painted(look, None if kind is None else net.mark())


def wire_painting(visitor: gr.State, tabs: Mapping[str, gr.Tab], rooms: Mapping[str, Room]) -> Painting:
    """Paint rooms as they are entered and as they are called for; returns what an edit needs for the same."""
    painting = Painting(rooms, {name: gr.Number(0, visible="hidden") for name in rooms})
    moment = gr.Number(visible="hidden")
    for name in rooms:
        _wire_room(name, painting, visitor, tabs[name], moment)
    return painting


def _wire_room(name: str, painting: Painting, visitor: gr.State, tab: gr.Tab, moment: gr.Number) -> None:
    room, call = painting.rooms[name], painting.calls[name]

    def called(state: Visitor) -> Iterator[Updates]:
        """The browser asks for the room's picture; a slow one is announced first."""
        try:
            painted = painting.paint(state, name, PATIENCE)
            if not painted and painting.waits(state, name):
                yield {visitor: state, **room.under_way}
                painted = painting.paint(state, name)
            yield {visitor: state, **painted}
        except ValueError as error:
            state.browser.pending = None
            warn(error)
            yield {visitor: state}

    def looked(choose: Callable[[Visitor, Any], Updates]) -> Callable[..., Iterator[Updates]]:
        """The handler of a control of the room's view."""

        def look(state: Visitor, chosen: Any) -> Iterator[Updates]:
            updates = choose(state, chosen)
            for painted in called(state):
                yield updates | painted

        return look

    def ended(state: Visitor) -> Updates:
        """The room has another net and has painted itself; the visitor may have gone to another meanwhile."""
        elsewhere = state.rooms.on_screen != name
        return {visitor: state, **(painting.to_come(state) if elsewhere else {})}

    def entered(state: Visitor, now: float) -> Iterator[Updates]:
        """The room's tab was pressed."""
        if state.browser.turn("room", now):
            state.rooms.on_screen = name
        # While the page opens its link is not read yet: the picture would be of another experiment.
        if state.browser.shown:
            yield from called(state)
        else:
            yield {visitor: state}

    outputs = [visitor, *room.outputs]
    last: dict[str, Any] = {"trigger_mode": "always_last", **SEEN}
    tab.select(entered, [visitor, moment], outputs, js=NOW, trigger_mode="multiple", **SEEN)
    call.change(called, visitor, outputs, **last)
    for part, choose in room.looks:
        part.input(looked(choose), [visitor, part], outputs, **last)
    for done in room.nets:
        done.then(ended, visitor, [visitor, *painting.calls.values()], **QUIET)
