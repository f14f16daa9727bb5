"""Which room is painted when: the one on screen after every edit, another when it is entered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr
from gradio.components import Component

from fmstudio.ui.room import Room
from fmstudio.ui.training import adopt_shipped
from fmstudio.ui.visitor import Visitor

Painter = Callable[[Visitor], dict[Component, Any]]


def wire_painting(visitor: gr.State, tabs: Mapping[str, gr.Tab], rooms: Mapping[str, Room]) -> Painter:
    """Paint rooms as they are entered, and return what paints the room on screen after an edit.

    A room that already shows the visitor's experiment and net is left alone, so going back and forth is free.

    Args:
        visitor: the session's state.
        tabs, rooms: by the room's name.
    """

    def paint(state: Visitor) -> dict[Component, Any]:
        room, name = rooms[state.room], state.room
        adopt_shipped(state)
        shows = (state.experiment, id(state.checkpoint))
        if room.repaint is None or state.painted.get(name) == shows:
            return {visitor: state}
        try:
            updates = dict(zip(room.outputs, room.repaint(state), strict=True))
        except ValueError as error:
            gr.Warning(str(error), title="Cannot be drawn")
            return {visitor: state}
        if shows != (state.experiment, id(state.checkpoint)):
            # Another event changed the experiment meanwhile; its own picture is on the way.
            return {visitor: state}
        state.painted[name] = shows
        return updates

    def entering(name: str) -> Painter:
        def enter(state: Visitor) -> dict[Component, Any]:
            state.room = name
            return paint(state)

        return enter

    for name, tab in tabs.items():
        tab.select(
            entering(name),
            visitor,
            [visitor, *rooms[name].outputs],
            show_progress="minimal",
            trigger_mode="always_last",
            api_visibility="private",
        )
    return paint
