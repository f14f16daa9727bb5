"""The Sample room's controls and places, and how they are laid out."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr
from gradio.components import Component

from fmstudio.learn.experiment import SOLVERS
from fmstudio.ui import words
from fmstudio.ui.live_plot import LivePlot
from fmstudio.ui.player import Player
from fmstudio.ui.report import facts
from fmstudio.ui.sidebar import numbers, pills, slider

_FIELDS = (("exact u", False), ("trained net", True))


@dataclass(frozen=True)
class OnDemand:
    """Figures that are measured when they are asked for, each with its button."""

    measure: gr.Button
    curves: LivePlot
    likelihood: gr.Button
    flow_map: LivePlot
    exact_map: LivePlot
    note: gr.Markdown

    @property
    def figures(self) -> list[Component]:
        """All of them, without the buttons."""
        return [self.curves, self.flow_map, self.exact_map, self.note]


@dataclass(frozen=True)
class Sampler:
    """The card of the sampler.

    Args:
        use_net: the net's field, or the exact one.
        controls: by the field of the experiment that they edit.
        hint: what must be known.
        go, stop: the buttons.
    """

    use_net: gr.Radio
    controls: dict[str, Component]
    hint: gr.Markdown
    go: gr.Button
    stop: gr.Button


@dataclass(frozen=True)
class Parts:
    """All of the room: the player, figures on demand, the sampler, and what was measured."""

    player: Player
    on_demand: OnDemand
    sampler: Sampler
    measured: gr.HTML


def lay_out() -> Parts:
    """Lay the room out in the current tab."""
    with gr.Row(elem_classes=["fm-columns"]):
        with gr.Column():
            player = Player(elem_id="sample-player", curves=True, colour="start")
            on_demand = _on_demand()
        with gr.Column(elem_classes=["fm-aside"]):
            with gr.Column(elem_classes=["fm-card", "fm-first"], min_width=0):
                sampler = _sampler()
            with gr.Column(elem_classes=["fm-card"], min_width=0):
                gr.Markdown("#### Measured")
                measured = gr.HTML(facts([]), elem_id="sample-facts")
            with gr.Column(elem_classes=["fm-card"], min_width=0):
                gr.Markdown(words.text("sample"))
    return Parts(player, on_demand, sampler, measured)


def _on_demand() -> OnDemand:
    with gr.Column(elem_classes=["fm-card"], min_width=0):
        measure = _invitation("error against work", "Measure all solvers", "measure-solvers")
        curves = LivePlot(height=0, elem_id="nfe-plot")
    with gr.Column(elem_classes=["fm-card"], min_width=0):
        likelihood = _invitation("likelihood", "Draw the likelihood", "draw-likelihood")
        with gr.Row(elem_classes=["fm-pair"]):
            flow_map = LivePlot(height=0, elem_id="likelihood-flow")
            exact_map = LivePlot(height=0, elem_id="likelihood-exact")
        note = gr.Markdown("", elem_classes=["fm-note"])
    return OnDemand(measure, curves, likelihood, flow_map, exact_map, note)


def _invitation(section: str, action: str, name: str) -> gr.Button:
    with gr.Row(elem_classes=["fm-invite"]):
        gr.Markdown(words.sections("sample-figures")[section])
        return gr.Button(action, size="sm", elem_id=name)


def _sampler() -> Sampler:
    controls: dict[str, Component] = {}
    gr.Markdown("#### Sampler")
    use_net = gr.Radio(
        list(_FIELDS), value=True, show_label=False, container=False, elem_classes=["fm-pills"],
        elem_id="sample-field", interactive=True,
    )  # fmt: skip
    controls["solver"] = pills("solver", SOLVERS, "solver")
    controls["solver"].elem_id = "sample-solver"
    controls["sample_steps"] = numbers("sample_steps", "steps, 1 … 200", (1, 2, 4, 8, 16, 32, 100, 200))
    controls["sde_noise"] = slider("sde_noise", "SDE noise η, g = ησₜ", 0.05)
    controls["label"] = gr.Dropdown(
        [("every class", -1)], value=-1, label="class", interactive=True, visible=False
    )
    controls["guidance"] = slider("guidance", "guidance w", 0.1)
    hint = gr.Markdown("", elem_classes=["fm-note"])
    with gr.Row():
        go = gr.Button("Sample", variant="primary", elem_id="sample-go")
        stop = gr.Button("Stop", elem_id="sample-stop", interactive=False)
    return Sampler(use_net, controls, hint, go, stop)
