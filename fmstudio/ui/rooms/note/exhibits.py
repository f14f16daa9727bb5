"""What moves on the pages of C3, C5 and C6: the player, a switch, and words for where it does not apply."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from fmstudio.plots.probe_panel import probe_html
from fmstudio.plots.scene.rooms import in_plane
from fmstudio.plots.scene.scene import Scene
from fmstudio.ui import actions, exhibits, words
from fmstudio.ui.exhibits import Fitted
from fmstudio.ui.player import Answer, Player, Probe, read_probe
from fmstudio.ui.rooms.note.running import LATEX, QUIET
from fmstudio.ui.told import warn
from fmstudio.ui.visitor import Visitor


@dataclass(frozen=True)
class Exhibit:
    """How an exhibit is filled for a visitor, and the components that it fills."""

    paint: Callable[[Visitor], list[Any]]
    outputs: list[Component]


def _switched(
    visitor: gr.State,
    number: str,
    label: str,
    choices: dict[str, Any],
    first: str,
    room: Callable[[Visitor, str], Scene],
    player: Callable[[], Player],
) -> Exhibit:
    """A player and a row of choices; each choice is another scene."""
    with gr.Column(elem_classes=["fm-card", "note-exhibit"], elem_id=f"exhibit-{number}"):
        gr.Markdown(words.text(f"note/{number.lower()}-watch"), latex_delimiters=LATEX)
        choice = gr.Radio(
            list(choices),
            value=first,
            label=label,
            container=False,
            interactive=True,
            elem_classes=["fm-pills", "note-choice"],
            elem_id=f"choice-{number}",
        )
        refused = gr.Markdown("", visible=False, elem_classes=["fm-note"])
        shown = player()

    def look(state: Visitor, chosen: str) -> Any:
        if exhibits.refusal(state, number):
            return gr.skip()
        try:
            return room(state, chosen)
        except (ValueError, KeyError) as problem:
            warn(problem)
            return gr.skip()

    def paint(state: Visitor) -> list[Any]:
        reason = exhibits.refusal(state, number)
        if reason:
            return [gr.update(visible=False), gr.update(visible=False), gr.update(value=reason, visible=True)]
        return [
            gr.update(value=room(state, first), visible=True),
            gr.update(value=first, visible=True),
            gr.update(value="", visible=False),
        ]

    choice.input(
        look,
        [visitor, choice],
        shown,
        trigger_mode="always_last",
        show_progress="minimal",
        api_visibility="private",
    )
    return Exhibit(paint, [shown, choice, refused])


def _swaps(visitor: gr.State) -> Exhibit:
    return _switched(
        visitor,
        "C3",
        "Particles swap with others in one cell of side",
        exhibits.CELLS,
        "0.1",
        exhibits.swap_room,
        lambda: Player(
            elem_id="player-C3", colour="start", layers=("particles",), curves=True, height=380, follow=(0, 1)
        ),
    )


def _drifts(visitor: gr.State) -> Exhibit:
    return _switched(
        visitor,
        "C6",
        "Picks on the way from noise to data",
        exhibits.PICKS,
        "40",
        exhibits.drift_room,
        lambda: Player(
            elem_id="player-C6",
            colour="start",
            layers=("particles", "trails", "lines"),
            curves=True,
            height=380,
            names={"lines": "the flow's lines"},
        ),
    )


def _probe(visitor: gr.State) -> Exhibit:
    with gr.Column(elem_classes=["fm-card", "note-exhibit"], elem_id="exhibit-C5"):
        gr.Markdown(words.text("note/c5-watch"), latex_delimiters=LATEX)
        refused = gr.Markdown("", visible=False, elem_classes=["fm-note"])
        player = Player(elem_id="player-C5", colour="start", layers=("particles", "field"), height=380)
        panel = gr.HTML(probe_html(None), elem_id="probe-C5")

    def probe(state: Visitor, event: gr.EventData) -> tuple[Any, str]:
        try:
            point = read_probe(event)
            found = exhibits.fitted(state, point.x, point.y, point.t)
        except ValueError as problem:
            warn(problem)
            return gr.skip(), probe_html(None)
        return Player(overlay=_answer(point, found)), found.html

    def paint(state: Visitor) -> list[Any]:
        reason = exhibits.refusal(state, "C5")
        if reason:
            return [gr.update(visible=False), "", gr.update(value=reason, visible=True)]
        x, y, t = exhibits.first_point(state)
        found = exhibits.fitted(state, x, y, t)
        first = _answer(Probe(0, x, y, t), found, opens=True)
        scene = Player(value=actions.paths_room(state), overlay=first, visible=True)
        return [scene, found.html, gr.update(value="", visible=False)]

    player.probe(probe, visitor, [player, panel], trigger_mode="always_last", **QUIET)
    return Exhibit(paint, [player, panel, refused])


def _answer(point: Probe, found: Fitted, opens: bool = False) -> dict[str, Any]:
    known = found.probe
    net = None if known.net is None else in_plane(known.net)
    return Answer(
        point,
        in_plane(known.paths),
        known.times,
        in_plane(known.velocities),
        in_plane(known.u),
        net,
        known.var,
        opens=opens,
    ).to_json()


EXHIBITS: dict[str, Callable[[gr.State], Exhibit]] = {"C3": _swaps, "C5": _probe, "C6": _drifts}
"""What moves on a claim's page, by its number."""
