"""Paths: what are the trajectories Q, and what is their mean velocity?"""

from __future__ import annotations

import gradio as gr

from fmstudio.learn.nets.net_card import NO_CLOSED_FORM, has_closed_form
from fmstudio.plots.probe_panel import probe_html
from fmstudio.studio import paths
from fmstudio.studio.session import Visitor
from fmstudio.ui import words
from fmstudio.ui.player import Player, later, read_probe, read_rest
from fmstudio.ui.report import warn
from fmstudio.ui.room import Room
from fmstudio.ui.rooms.probed import answer_of
from fmstudio.ui.wiring import LAST, Updates


class Controls:
    """The room in the current tab: the choice of what is side by side, the player, a probed point, a text."""

    def __init__(self) -> None:
        with gr.Row(elem_classes=["fm-columns"]):
            with gr.Column():
                self.view = gr.Radio(
                    list(paths.VIEWS),
                    value=paths.VIEWS[0],
                    show_label=False,
                    container=False,
                    elem_classes=["fm-pills", "fm-view"],
                    elem_id="paths-view",
                    interactive=True,
                )
                self.player = Player(elem_id="paths-player", curves=True, colour="start")
            with gr.Column(elem_classes=["fm-aside"]):
                with gr.Column(elem_classes=["fm-card"], min_width=0):
                    gr.Markdown("#### At this point")
                    self.panel = gr.HTML(probe_html(None))
                with gr.Column(elem_classes=["fm-card"], min_width=0):
                    self.what = gr.Markdown(words.sections("paths")[paths.VIEWS[0]])


def build(visitor: gr.State) -> Room:
    """Lay the room out in the current tab."""
    room = Controls()
    seen = words.sections("paths")

    def repaint(state: Visitor) -> Updates:
        return {
            room.player: paths.paths_room(state, state.rooms.view),
            room.panel: _nowhere(state),
            room.what: seen[paths.paths_seen(state)],
            room.view: state.rooms.view,
        }

    def look(state: Visitor, chosen: str) -> Updates:
        if chosen in paths.VIEWS:
            state.rooms.view = chosen
        return {}

    def probe(state: Visitor, event: gr.EventData) -> Updates:
        try:
            point = read_probe(event)
            found = paths.probe(state, point.x, point.y, point.t)
        except ValueError as error:
            warn(error)
            return {room.panel: _nowhere(state)}
        overlay = answer_of(point, found).to_json()
        return {room.player: Player(overlay=overlay), room.panel: probe_html(found)}

    def measure(state: Visitor, event: gr.EventData) -> Updates:
        name = read_rest(event)
        curves = paths.later_curves(state, name)
        return {} if curves is None else {room.player: Player(measured=later(name, curves))}

    room.player.probe(probe, visitor, [room.player, room.panel], **LAST)
    room.player.rest(measure, visitor, room.player, **LAST)
    return Room(
        repaint=repaint,
        outputs=[room.player, room.panel, room.what, room.view],
        view=lambda state: state.rooms.view,
        of_net=lambda state: not has_closed_form(state.experiment),
        looks=[(room.view, look)],
        prompt=True,
    )


def _nowhere(state: Visitor) -> str:
    """The panel before any click: what a click shows, or why it cannot."""
    if has_closed_form(state.experiment):
        return probe_html(None)
    return f'<p class="fm-note">{NO_CLOSED_FORM.format(coupling=state.experiment.coupling)}</p>'
