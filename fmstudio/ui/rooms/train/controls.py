"""The Train room's controls and places, as they are laid out."""

from __future__ import annotations

import gradio as gr
from gradio.components import Component

from fmstudio.ui import words
from fmstudio.ui.live_plot import LivePlot
from fmstudio.ui.report import facts
from fmstudio.ui.sidebar import card, numbers, pills, slider
from fmstudio.ui.wiring import Buttons


class Controls:
    """The room in the current tab.

    Attributes:
        of_experiment: controls by the field of the experiment that they edit.
        buttons: Start, Resume, Straighten and Stop.
    """

    def __init__(self) -> None:
        with gr.Row(elem_classes=["fm-columns"]):
            with gr.Column():
                self._lay_plots()
            with gr.Column(elem_classes=["fm-aside"]):
                self._lay_training()
                self._lay_objective()
                self._lay_net()
                with card():
                    gr.Markdown(words.text("train"))
        self.buttons = Buttons([self.start, self.resume, self.straighten], self.stop)

    def _lay_plots(self) -> None:
        with gr.Row():
            with card("Loss over its exact floor"):
                self.loss = LivePlot(height=280, elem_id="loss-plot")
            with card("What is left to learn"):
                self.excess = LivePlot(height=280, elem_id="excess-plot")
        with gr.Row():
            with card("Samples of the net beside data"):
                self.cloud = LivePlot(height=380, elem_id="cloud-plot")
            with card("Error of the field, *|u<sub>θ</sub> − u|*"):
                self.error = LivePlot(height=326, elem_id="error-plot")
                with gr.Row(elem_classes=["fm-invite"]):
                    self.when = gr.Slider(0.01, 0.99, value=0.5, step=0.01, label="time t", interactive=True)
                    self.draw_error = gr.Button("Draw it now", size="sm", elem_id="draw-error")

    def _lay_training(self) -> None:
        with card("Training", "fm-first"):
            with gr.Row():
                self.start = gr.Button("Start", variant="primary", elem_id="train-start")
                self.stop = gr.Button("Stop", elem_id="train-stop", interactive=False)
            with gr.Row():
                self.resume = gr.Button("Resume", size="sm", elem_id="train-resume")
                self.reset = gr.Button("Reset", size="sm", elem_id="train-reset")
            self.status = gr.HTML(facts([]), elem_id="train-facts")

    def _lay_objective(self) -> None:
        self.of_experiment: dict[str, Component] = {}
        put = self.of_experiment
        with card("Net and objective"):
            put["target"] = pills("target", "target")
            put["regression"] = pills("regression", "regression")
            put["conditional"] = gr.Checkbox(False, label="tell the net the class", interactive=True)
            with gr.Row():
                put["train_steps"] = numbers(
                    "train_steps", "steps", (500, 1_000, 2_000, 8_000, 20_000, 50_000, 200_000)
                )
                put["batch"] = numbers("batch", "batch", (64, 128, 256, 1_024, 2_048, 8_192))
            put["learning_rate"] = numbers("learning_rate", "learning rate", (1e-4, 5e-4, 1e-3, 2e-3, 1e-2))
            with gr.Accordion("More", open=False):
                put["schedule"] = pills("schedule", "schedule")
                put["time_law"] = pills("time_law", "time law")
                put["width"] = numbers("width", "width", (16, 32, 64, 128, 256, 512))
                put["depth"] = slider("depth", "hidden layers", 1)
                put["fourier"] = numbers("fourier", "Fourier features", (0, 8, 16, 32, 64, 128))
                put["ema"] = numbers(
                    "ema", "running mean of the weights (EMA)", (0, 0.9, 0.99, 0.999, 0.9999)
                )
                put["label_drop"] = slider("label_drop", "label drop", 0.01)

    def _lay_net(self) -> None:
        with card():
            gr.Markdown(
                "#### Straighten (reflow)\nPair every noise point with where the net takes it, "
                "and train again on these pairs. **S** says how far the flow is from straight: 0 where "
                "every particle keeps its velocity."
            )
            self.straighten = gr.Button("Straighten", size="sm", elem_id="train-straighten")
            self.straightness = gr.HTML("", elem_id="straightness")
        with card("Keep the net"):
            self.save = gr.Button("Save a checkpoint", size="sm", elem_id="train-save")
            # A download button hands over what it held before its click; this one is written first.
            self.saved = gr.File(visible="hidden")
            self.load = gr.UploadButton("Open a checkpoint", size="sm", file_types=[".safetensors"])
