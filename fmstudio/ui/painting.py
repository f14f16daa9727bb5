"""Which room is painted when: the one on screen after every edit, another when it is entered."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import gradio as gr
import torch
from gradio.components import Component

from fmstudio.device import CORES
from fmstudio.ui.events import NOW
from fmstudio.ui.room import Room
from fmstudio.ui.told import warn
from fmstudio.ui.training import adopt_shipped
from fmstudio.ui.visitor import Visitor

Updates = dict[Component, Any]

PATIENCE = 0.4
"""Seconds that an edit waits for its picture. A slower one comes after the controls are up to date."""

# A thread of torch's that is new while another is held to one core would take that for the rule.
_PAINTERS = ThreadPoolExecutor(8, "painter", initializer=torch.set_num_threads, initargs=(CORES,))


@dataclass(frozen=True)
class Painting:
    """Paints the room on screen; one that shows the visitor's experiment and net already is left alone.

    Args:
        rooms: by name.
        calls: a hidden part for each room, by name; a new value makes the browser ask for the room's picture.
    """

    rooms: Mapping[str, Room]
    calls: Mapping[str, gr.Number]

    @property
    def outputs(self) -> list[Component]:
        """What an edit may paint at once: the prompt rooms."""
        return [part for room in self.rooms.values() if room.prompt for part in room.outputs]

    def at_once(self, state: Visitor) -> Updates:
        """The picture of the room on screen if it is there within :data:`PATIENCE`, else nothing yet."""
        name = state.room
        if not self.rooms[name].prompt:
            self.begin(state)
            return {}
        try:
            return self.paint(state, name, PATIENCE)
        except ValueError:
            return {}  # The reason is told when the picture is called for.

    def to_come(self, state: Visitor) -> Updates:
        """Call for the room on screen if it does not show the experiment yet."""
        if self.rooms[state.room].repaint is None or state.painted.get(state.room) == _shows(state):
            return {}
        state.called += 1
        return {self.calls[state.room]: state.called}

    def begin(self, state: Visitor) -> None:
        """Start on the picture of the room on screen, unless it is there or on the way."""
        adopt_shipped(state)
        repaint, wanted = self.rooms[state.room].repaint, (state.room, _shows(state))
        if repaint is None or state.painted.get(state.room) == wanted[1]:
            return
        if state.pending is None or state.pending[0] != wanted:
            # In the event's own context: a picture may have a word for the visitor.
            context = contextvars.copy_context()
            state.pending = (wanted, _PAINTERS.submit(lambda: context.run(repaint, state)))

    def paint(self, state: Visitor, name: str, patience: float | None = None) -> Updates:
        """The picture of a room if it is on screen and does not show the experiment yet.

        Args:
            state: the visitor's; the room is marked as painted.
            name: of the room.
            patience: seconds to wait; None waits to the end. What is given up goes on and is found later.

        Raises:
            ValueError: the room cannot be drawn.
        """
        if state.room != name:
            return {}
        self.begin(state)
        shows, pending = _shows(state), state.pending
        if state.painted.get(name) == shows or pending is None or pending[0] != (name, shows):
            return {}
        try:
            painted = pending[1].result(patience)
        except TimeoutError:
            return {}
        if shows != _shows(state):
            # Another event changed the experiment meanwhile; its own picture is on the way.
            return {}
        state.painted[name], state.pending = shows, None
        return dict(zip(self.rooms[name].outputs, painted, strict=True))

    def under_way(self, state: Visitor, name: str) -> bool:
        """Whether the picture of this room, as the visitor now wants it, is being made."""
        return state.pending is not None and state.pending[0] == (name, _shows(state))


def _shows(state: Visitor) -> tuple[Any, int]:
    return state.experiment, id(state.checkpoint)


def wire_painting(visitor: gr.State, tabs: Mapping[str, gr.Tab], rooms: Mapping[str, Room]) -> Painting:
    """Paint rooms as they are entered and as they are called for; returns what an edit needs for the same.

    Args:
        visitor: the session's state.
        tabs, rooms: by the room's name.
    """
    calls = {name: gr.Number(0, visible="hidden") for name in rooms}
    painting = Painting(rooms, calls)

    def calling(name: str) -> Callable[[Visitor], Iterator[Updates]]:
        def call(state: Visitor) -> Iterator[Updates]:
            try:
                painted = painting.paint(state, name, PATIENCE)
                if not painted and painting.under_way(state, name):
                    yield {visitor: state, **rooms[name].under_way}
                    painted = painting.paint(state, name)
                yield {visitor: state, **painted}
            except ValueError as error:
                warn(error)
                yield {visitor: state}

        return call

    def entering(name: str) -> Callable[[Visitor, float], Iterator[Updates]]:
        def enter(state: Visitor, moment: float) -> Iterator[Updates]:
            if state.turn("room", moment):
                state.room = name
            # While the page opens its link is not read yet: the picture would be of another experiment.
            if state.shown:
                yield from calling(name)(state)
            else:
                yield {visitor: state}

        return enter

    moment = gr.Number(visible="hidden")
    for name, tab in tabs.items():
        event: dict[str, Any] = {"api_visibility": "private", "show_progress": "minimal"}
        event["outputs"] = [visitor, *rooms[name].outputs]
        tab.select(entering(name), [visitor, moment], js=NOW, trigger_mode="multiple", **event)
        calls[name].change(calling(name), visitor, trigger_mode="always_last", **event)
    return painting
