"""The Train room's controls and places, and how they are laid out."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr
from gradio.components import Component

from fmstudio.learn.experiment import REGRESSIONS, SCHEDULES, TARGETS, TIME_LAWS
from fmstudio.ui import words
from fmstudio.ui.live_plot import LivePlot
from fmstudio.ui.report import facts
from fmstudio.ui.sidebar import numbers, pills, slider
from fmstudio.ui.wiring import Buttons


@dataclass(frozen=True)
class Plots:
    """The four plots, and what asks for the map of the error: a time, and a button that draws it."""

    loss: LivePlot
    excess: LivePlot
    cloud: LivePlot
    error: LivePlot
    when: gr.Slider
    draw_error: gr.Button


@dataclass(frozen=True)
class Training:
    """The card that runs a training: its buttons and its figures."""

    start: gr.Button
    stop: gr.Button
    resume: gr.Button
    reset: gr.Button
    status: gr.HTML


@dataclass(frozen=True)
class Straightening:
    """The card of reflow: its button and the table of S."""

    start: gr.Button
    table: gr.HTML


@dataclass(frozen=True)
class Keeping:
    """The card that saves and opens a net. A download button hands over what it held before its click; the
    hidden file is written first."""

    save: gr.Button
    saved: gr.File
    load: gr.UploadButton


@dataclass(frozen=True)
class Parts:
    """All of the room.

    Args:
        plots, training, straightening, keeping: by card.
        controls: by the field of the experiment that they edit.
    """

    plots: Plots
    training: Training
    straightening: Straightening
    keeping: Keeping
    controls: dict[str, Component]

    @property
    def buttons(self) -> Buttons:
        """Start, Resume, Straighten and Stop."""
        training = self.training
        return Buttons([training.start, training.resume, self.straightening.start], training.stop)


def lay_out() -> Parts:
    """Lay the room out in the current tab."""
    with gr.Row(elem_classes=["fm-columns"]):
        with gr.Column():
            plots = _plots()
        with gr.Column(elem_classes=["fm-aside"]):
            with gr.Column(elem_classes=["fm-card", "fm-first"], min_width=0):
                training = _training()
            with gr.Column(elem_classes=["fm-card"], min_width=0):
                controls = _objective()
            with gr.Column(elem_classes=["fm-card"], min_width=0):
                straightening = _straightening()
            with gr.Column(elem_classes=["fm-card"], min_width=0):
                keeping = _keeping()
            with gr.Column(elem_classes=["fm-card"], min_width=0):
                gr.Markdown(words.text("train"))
    return Parts(plots, training, straightening, keeping, controls)


def _plots() -> Plots:
    with gr.Row():
        with gr.Column(elem_classes=["fm-card"], min_width=0):
            gr.Markdown("#### Loss over its exact floor")
            loss = LivePlot(height=280, elem_id="loss-plot")
        with gr.Column(elem_classes=["fm-card"], min_width=0):
            gr.Markdown("#### What is left to learn")
            excess = LivePlot(height=280, elem_id="excess-plot")
    with gr.Row():
        with gr.Column(elem_classes=["fm-card"], min_width=0):
            gr.Markdown("#### Samples of the net beside data")
            cloud = LivePlot(height=380, elem_id="cloud-plot")
        with gr.Column(elem_classes=["fm-card"], min_width=0):
            gr.Markdown("#### Error of the field, *|u<sub>θ</sub> − u|*")
            error = LivePlot(height=326, elem_id="error-plot")
            with gr.Row(elem_classes=["fm-invite"]):
                when = gr.Slider(0.01, 0.99, value=0.5, step=0.01, label="time t", interactive=True)
                draw_error = gr.Button("Draw it now", size="sm", elem_id="draw-error")
    return Plots(loss, excess, cloud, error, when, draw_error)


def _training() -> Training:
    gr.Markdown("#### Training")
    with gr.Row():
        start = gr.Button("Start", variant="primary", elem_id="train-start")
        stop = gr.Button("Stop", elem_id="train-stop", interactive=False)
    with gr.Row():
        resume = gr.Button("Resume", size="sm", elem_id="train-resume")
        reset = gr.Button("Reset", size="sm", elem_id="train-reset")
    status = gr.HTML(facts([]), elem_id="train-facts")
    return Training(start, stop, resume, reset, status)


def _objective() -> dict[str, Component]:
    controls: dict[str, Component] = {}
    gr.Markdown("#### Net and objective")
    controls["target"] = pills("target", TARGETS, "target", {"x0": "x₀", "eps": "ε"})
    controls["regression"] = pills("regression", REGRESSIONS, "regression")
    controls["conditional"] = gr.Checkbox(False, label="tell the net the class", interactive=True)
    with gr.Row():
        controls["train_steps"] = numbers(
            "train_steps", "steps", (500, 1_000, 2_000, 8_000, 20_000, 50_000, 200_000)
        )
        controls["batch"] = numbers("batch", "batch", (64, 128, 256, 1_024, 2_048, 8_192))
    controls["learning_rate"] = numbers("learning_rate", "learning rate", (1e-4, 5e-4, 1e-3, 2e-3, 1e-2))
    with gr.Accordion("More", open=False):
        controls["schedule"] = pills("schedule", SCHEDULES, "schedule")
        controls["time_law"] = pills("time_law", TIME_LAWS, "time law")
        controls["width"] = numbers("width", "width", (16, 32, 64, 128, 256, 512))
        controls["depth"] = slider("depth", "hidden layers", 1)
        controls["fourier"] = numbers("fourier", "Fourier features", (0, 8, 16, 32, 64, 128))
        controls["ema"] = numbers("ema", "running mean of the weights (EMA)", (0, 0.9, 0.99, 0.999, 0.9999))
        controls["label_drop"] = slider("label_drop", "label drop", 0.01)
    return controls


def _straightening() -> Straightening:
    gr.Markdown(
        "#### Straighten (reflow)\nPair every noise point with where the net takes it, "
        "and train again on these pairs. **S** says how far the flow is from straight: 0 where "
        "every particle keeps its velocity."
    )
    start = gr.Button("Straighten", size="sm", elem_id="train-straighten")
    return Straightening(start, gr.HTML("", elem_id="straightness"))


def _keeping() -> Keeping:
    gr.Markdown("#### Keep the net")
    save = gr.Button("Save a checkpoint", size="sm", elem_id="train-save")
    saved = gr.File(visible="hidden")
    return Keeping(save, saved, gr.UploadButton("Open a checkpoint", size="sm", file_types=[".safetensors"]))
