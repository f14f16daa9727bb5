"""Paths: what are the trajectories Q, and what is their mean velocity?"""

from __future__ import annotations

from typing import Any

import gradio as gr

from fmstudio.learn.nets.net_card import NO_CLOSED_FORM
from fmstudio.plots.probe_panel import probe_html
from fmstudio.plots.scene.rooms import in_plane
from fmstudio.ui import actions, words
from fmstudio.ui.player import Answer, Player, read_probe
from fmstudio.ui.room import Room
from fmstudio.ui.told import warn
from fmstudio.ui.visitor import Visitor


def build(visitor: gr.State) -> Room:
    """Lay the room out in the current tab."""
    seen = words.sections("paths")
    with gr.Row(elem_classes=["fm-columns"]):
        with gr.Column():
            view = gr.Radio(
                list(actions.VIEWS),
                value=actions.VIEWS[0],
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
                what = gr.Markdown(seen[actions.VIEWS[0]])

    def repaint(state: Visitor) -> list[Any]:
        scene, told = actions.paths_room(state, state.view), seen[actions.paths_seen(state)]
        return [scene, nowhere(state), told, state.view]

    def nowhere(state: Visitor) -> str:
        """The panel before any click: what a click shows, or why it cannot."""
        if actions.has_closed_form(state.experiment):
            return probe_html(None)
        return f'<p class="fm-note">{NO_CLOSED_FORM.format(coupling=state.experiment.coupling)}</p>'

    def look(state: Visitor, chosen: str) -> dict[Any, Any]:
        if chosen in actions.VIEWS:
            state.view = chosen
        return {}

    def probe(state: Visitor, event: gr.EventData) -> tuple[Any, str]:
        try:
            point = read_probe(event)
            found = actions.probe(state, point.x, point.y, point.t)
        except ValueError as error:
            warn(error)
            return gr.skip(), nowhere(state)
        net = None if found.net is None else in_plane(found.net)
        answer = Answer(
            point,
            in_plane(found.paths),
            found.times,
            in_plane(found.velocities),
            in_plane(found.u),
            net,
            found.var,
        )
        return Player(overlay=answer.to_json()), probe_html(found)

    player.probe(
        probe, visitor, [player, panel], show_progress="hidden", trigger_mode="always_last",
        api_visibility="private",
    )  # fmt: skip
    return Room(
        repaint=repaint,
        outputs=[player, panel, what, view],
        view=lambda state: state.view,
        of_net=lambda state: not actions.has_closed_form(state.experiment),
        looks=[(view, look)],
        prompt=True,
    )
