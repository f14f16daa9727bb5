"""Which room is painted when: the one on screen after every edit, another when it is entered."""

from __future__ import annotations

import contextvars
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import gradio as gr
import torch
from gradio.components import Component

from fmstudio.device import CORES
from fmstudio.learn.training.checkpoints import Checkpoint
from fmstudio.ui.events import NOW
from fmstudio.ui.room import Room
from fmstudio.ui.told import warn
from fmstudio.ui.training import adopt_shipped
from fmstudio.ui.visitor import Picture, Visitor

Updates = dict[Component, Any]

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
        """Call for the room on screen if it does not show what the visitor has."""
        adopt_shipped(state)
        if not self._behind(state):
            return {}
        state.called += 1
        return {self.calls[state.room]: state.called}

    def begin(self, state: Visitor) -> None:
        """Start on the picture of the room on screen, unless it is there or on the way."""
        adopt_shipped(state)
        repaint, wanted = self.rooms[state.room].repaint, self._wanted(state)
        if repaint is None or not self._behind(state):
            return
        if state.pending is None or state.pending.wanted != wanted:
            # In the event's own context: a picture may have a word for the visitor.
            context, shows = contextvars.copy_context(), self._shows(state)
            state.pending = Picture(wanted, shows, _PAINTERS.submit(lambda: context.run(repaint, state)))

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
        while state.room == name:
            self.begin(state)
            picture = state.pending
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
                state.painted[name], state.pending = picture.shows, None
                return dict(zip(self.rooms[name].outputs, painted, strict=True))
        return {}

    def waits(self, state: Visitor, name: str) -> bool:
        """Whether this room is on screen and does not show what the visitor has."""
        return state.room == name and self._behind(state)

    def _awaits(self, state: Visitor, picture: Picture) -> bool:
        """Whether this picture is still the one that the visitor waits for."""
        return picture is state.pending and picture.wanted == self._wanted(state)

    def _behind(self, state: Visitor) -> bool:
        return self.rooms[state.room].repaint is not None and (
            state.painted.get(state.room) != self._shows(state)
        )

    def _wanted(self, state: Visitor) -> tuple[Any, ...]:
        """What the room on screen has to show; a net that learns on stays what it is."""
        net = self._net(state)
        kind = None if net is None else (state.net_from, net.experiment, net.of_pairs)
        return state.room, state.experiment, self.rooms[state.room].view(state), kind

    def _shows(self, state: Visitor) -> tuple[Any, ...]:
        """What a picture that is begun now will show: that, of the net as it is."""
        net = self._net(state)
        return *self._wanted(state), None if net is None else (id(net), net.step)

    def _net(self, state: Visitor) -> Checkpoint | None:
        return state.checkpoint if self.rooms[state.room].of_net(state) else None


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
                if not painted and painting.waits(state, name):
                    yield {visitor: state, **rooms[name].under_way}
                    painted = painting.paint(state, name)
                yield {visitor: state, **painted}
            except ValueError as error:
                state.pending = None
                warn(error)
                yield {visitor: state}

        return call

    def looking(name: str, choose: Callable[[Visitor, Any], Updates]) -> Callable[..., Iterator[Updates]]:
        def look(state: Visitor, chosen: Any) -> Iterator[Updates]:
            updates = choose(state, chosen)
            for painted in calling(name)(state):
                yield updates | painted

        return look

    def elsewhere(name: str) -> Callable[[Visitor], Updates]:
        def ask(state: Visitor) -> Updates:
            """The room of the event has painted itself; the visitor may have gone to another meanwhile."""
            return {visitor: state, **(painting.to_come(state) if state.room != name else {})}

        return ask

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
        for part, choose in rooms[name].looks:
            part.input(looking(name, choose), [visitor, part], trigger_mode="always_last", **event)
        for done in rooms[name].nets:
            done.then(
                elsewhere(name), visitor, [visitor, *calls.values()], show_progress="hidden",
                api_visibility="private",
            )  # fmt: skip
    return painting
