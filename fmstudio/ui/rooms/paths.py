"""Paths: what are the trajectories Q, and what is their mean velocity?"""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from fmstudio.learn.nets.net_card import NO_CLOSED_FORM, has_closed_form
from fmstudio.plots.probe_panel import probe_html
from fmstudio.studio import paths
from fmstudio.studio.session import Visitor
from fmstudio.ui import words
from fmstudio.ui.player import Player, read_probe
from fmstudio.ui.room import Room
from fmstudio.ui.rooms.probed import answer_of
from fmstudio.ui.told import warn
from fmstudio.ui.wiring import LAST, Updates


@dataclass(frozen=True)
class _Parts:
    """The choice of what is side by side, the player, the panel of a probed point, and the text."""

    view: gr.Radio
    player: Player
    panel: gr.HTML
    what: gr.Markdown


def build(visitor: gr.State) -> Room:
    """Lay the room out in the current tab."""
    parts = _lay_out()
    seen = words.sections("paths")

    def repaint(state: Visitor) -> Updates:
        return {
            parts.player: paths.paths_room(state, state.rooms.view),
            parts.panel: _nowhere(state),
            parts.what: seen[paths.paths_seen(state)],
            parts.view: state.rooms.view,
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
            return {parts.panel: _nowhere(state)}
        overlay = answer_of(point, found).to_json()
        return {parts.player: Player(overlay=overlay), parts.panel: probe_html(found)}

    parts.player.probe(probe, visitor, [parts.player, parts.panel], **LAST)
    return Room(
        repaint=repaint,
        outputs=[parts.player, parts.panel, parts.what, parts.view],
        view=lambda state: state.rooms.view,
        of_net=lambda state: not has_closed_form(state.experiment),
        looks=[(parts.view, look)],
        prompt=True,
    )


def _lay_out() -> _Parts:
    with gr.Row(elem_classes=["fm-columns"]):
        with gr.Column():
            view = gr.Radio(
                list(paths.VIEWS),
                value=paths.VIEWS[0],
                show_label=False,
                container=False,
                elem_classes=["fm-pills", "fm-view"],
                elem_id="paths-view",
                interactive=True,
            )
            player = Player(elem_id="paths-player", curves=True, colour="start")
        with gr.Column(elem_classes=["fm-aside"]):
            with gr.Column(elem_classes=["fm-card"], min_width=0):
                gr.Markdown("#### At this point")
                panel = gr.HTML(probe_html(None))
            with gr.Column(elem_classes=["fm-card"], min_width=0):
                what = gr.Markdown(words.sections("paths")[paths.VIEWS[0]])
    return _Parts(view, player, panel, what)


def _nowhere(state: Visitor) -> str:
    """The panel before any click: what a click shows, or why it cannot."""
    if has_closed_form(state.experiment):
        return probe_html(None)
    return f'<p class="fm-note">{NO_CLOSED_FORM.format(coupling=state.experiment.coupling)}</p>'
