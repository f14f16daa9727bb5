"""What moves on the pages of C3, C5 and C6: the player, a switch, and words for where it does not apply."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr
from gradio.components import Component

from fmstudio.plots.probe_panel import probe_html
from fmstudio.plots.scene.scene import Scene
from fmstudio.studio import exhibits, paths
from fmstudio.studio.session import Visitor
from fmstudio.ui import words
from fmstudio.ui.player import Player, Probe, read_probe
from fmstudio.ui.report import warn
from fmstudio.ui.rooms.note.html import probe_panel_html
from fmstudio.ui.rooms.probed import answer_of
from fmstudio.ui.wiring import LAST, LATEX, SEEN, Updates


@dataclass(frozen=True)
class Exhibit:
    """How an exhibit is filled for a visitor, and the components that it fills."""

    paint: Callable[[Visitor], Updates]
    outputs: list[Component]


def _shown(value: object) -> dict[str, Any]:
    return gr.update(value=value, visible=True)


def _switched(
    visitor: gr.State,
    number: str,
    label: str,
    choices: Iterable[str],
    first: str,
    room: Callable[[Visitor, str], Scene],
    **look: Any,
) -> Exhibit:
    """A player and a row of choices, each of which is another scene; ``look`` are arguments of the player."""
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
        player = Player(elem_id=f"player-{number}", colour="start", curves=True, height=380, **look)

    def chosen(state: Visitor, choice: str) -> Any:
        if exhibits.refusal(state, number):
            return gr.skip()
        try:
            return room(state, choice)
        except (ValueError, KeyError) as problem:
            warn(problem)
            return gr.skip()

    def paint(state: Visitor) -> Updates:
        reason = exhibits.refusal(state, number)
        if reason:
            hidden = gr.update(visible=False)
            return {player: hidden, choice: hidden, refused: _shown(reason)}
        nothing = gr.update(value="", visible=False)
        return {player: _shown(room(state, first)), choice: _shown(first), refused: nothing}

    event: dict[str, Any] = {"trigger_mode": "always_last", **SEEN}
    choice.input(chosen, [visitor, choice], player, **event)
    return Exhibit(paint, [player, choice, refused])


def _probe(visitor: gr.State) -> Exhibit:
    with gr.Column(elem_classes=["fm-card", "note-exhibit"], elem_id="exhibit-C5"):
        gr.Markdown(words.text("note/c5-watch"), latex_delimiters=LATEX)
        refused = gr.Markdown("", visible=False, elem_classes=["fm-note"])
        player = Player(elem_id="player-C5", colour="start", layers=("particles", "field"), height=380)
        panel = gr.HTML(probe_html(None), elem_id="probe-C5")

    def probe(state: Visitor, event: gr.EventData) -> Updates:
        try:
            point = read_probe(event)
            found = exhibits.fitted(state, point.x, point.y, point.t)
        except ValueError as problem:
            warn(problem)
            return {panel: probe_html(None)}
        overlay = answer_of(point, found.probe).to_json()
        return {player: Player(overlay=overlay), panel: probe_panel_html(found)}

    def paint(state: Visitor) -> Updates:
        reason = exhibits.refusal(state, "C5")
        if reason:
            return {player: gr.update(visible=False), panel: "", refused: _shown(reason)}
        x, y, t = exhibits.first_point(state)
        found = exhibits.fitted(state, x, y, t)
        first = answer_of(Probe(0, x, y, t), found.probe, opens=True).to_json()
        scene = Player(value=paths.paths_room(state), overlay=first, visible=True)
        return {player: scene, panel: probe_panel_html(found), refused: gr.update(value="", visible=False)}

    player.probe(probe, visitor, [player, panel], **LAST)
    return Exhibit(paint, [player, panel, refused])


EXHIBITS: dict[str, Callable[[gr.State], Exhibit]] = {
    "C3": partial(
        _switched,
        number="C3",
        label="Particles swap with others in one cell of side",
        choices=exhibits.CELLS,
        first="0.1",
        room=exhibits.swap_room,
        layers=("particles",),
        follow=(0, 1),
    ),
    "C5": _probe,
    "C6": partial(
        _switched,
        number="C6",
        label="Picks on the way from noise to data",
        choices=exhibits.PICKS,
        first="40",
        room=exhibits.drift_room,
        layers=("particles", "trails", "lines"),
        names={"lines": "the flow's lines"},
    ),
}
"""What moves on a claim's page, by its number."""
