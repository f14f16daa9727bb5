"""The Sample room's controls and places, as they are laid out."""

from __future__ import annotations

import gradio as gr
from gradio.components import Component

from fmstudio.ui import words
from fmstudio.ui.live_plot import LivePlot
from fmstudio.ui.player import Player
from fmstudio.ui.report import facts
from fmstudio.ui.sidebar import pills, slider

_FIELDS = (("exact u", False), ("trained net", True))


class Controls:
    """The room in the current tab.

    Attributes:
        of_experiment: controls by the field of the experiment that they edit.
        on_demand: what is measured when it is asked for.
    """

    def __init__(self) -> None:
        with gr.Row(elem_classes=["fm-columns"]):
            with gr.Column():
                self.player = Player(elem_id="sample-player", curves=True, colour="start")
                self._lay_on_demand()
            with gr.Column(elem_classes=["fm-aside"]):
                with gr.Column(elem_classes=["fm-card", "fm-first"], min_width=0):
                    self._lay_sampler()
                with gr.Column(elem_classes=["fm-card"], min_width=0):
                    gr.Markdown("#### Measured")
                    self.measured = gr.HTML(
                        facts([]), elem_id="sample-facts", elem_classes=["fm-of-sample-player"]
                    )
                with gr.Column(elem_classes=["fm-card"], min_width=0):
                    gr.Markdown(words.text("sample"))

    def _lay_on_demand(self) -> None:
        with gr.Column(elem_classes=["fm-card"], min_width=0):
            self.measure = _invitation("error against work", "Measure all solvers", "measure-solvers")
            self.curves = LivePlot(height=0, elem_id="nfe-plot")
        with gr.Column(elem_classes=["fm-card"], min_width=0):
            self.likelihood = _invitation("likelihood", "Draw the likelihood", "draw-likelihood")
            with gr.Row(elem_classes=["fm-pair"]):
                self.flow_map = LivePlot(height=0, elem_id="likelihood-flow")
                self.exact_map = LivePlot(height=0, elem_id="likelihood-exact")
            self.likelihood_note = gr.Markdown("", elem_classes=["fm-note"])
        self.on_demand: list[Component] = [self.curves, self.flow_map, self.exact_map, self.likelihood_note]

    def _lay_sampler(self) -> None:
        self.of_experiment: dict[str, Component] = {}
        put = self.of_experiment
        gr.Markdown("#### Sampler")
        self.use_net = gr.Radio(
            list(_FIELDS), value=True, show_label=False, container=False, elem_classes=["fm-pills"],
            elem_id="sample-field", interactive=True,
        )  # fmt: skip
        put["solver"] = pills("solver", "solver")
        put["solver"].elem_id = "sample-solver"
        put["sample_steps"] = slider("sample_steps", "steps", 1)
        put["sde_noise"] = slider("sde_noise", "SDE noise η, g = ησₜ", 0.05)
        put["label"] = gr.Dropdown(
            [("every class", -1)], value=-1, label="class", interactive=True, visible=False
        )
        put["guidance"] = slider("guidance", "guidance w", 0.1)
        self.hint = gr.Markdown("", elem_classes=["fm-note"])
        with gr.Row():
            self.go = gr.Button("Sample", variant="primary", elem_id="sample-go")
            self.stop = gr.Button("Stop", elem_id="sample-stop", interactive=False)


def _invitation(section: str, action: str, name: str) -> gr.Button:
    with gr.Row(elem_classes=["fm-invite"]):
        gr.Markdown(words.sections("sample-figures")[section])
        return gr.Button(action, size="sm", elem_id=name)
