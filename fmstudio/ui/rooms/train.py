"""Train: how does a net learn u?"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from fmstudio.learn.training.checkpoints import Checkpoint
from fmstudio.learn.training.train import Progress
from fmstudio.plots.figures import (
    cloud_figure,
    empty_figure,
    excess_figure,
    heat_figure,
    histogram_figure,
    loss_figure,
    none_is_nan,
    profile_figure,
)
from fmstudio.ui import sampling, training, words
from fmstudio.ui.halting import halt, until_halted
from fmstudio.ui.line import MOST_WAITING, TRAININGS
from fmstudio.ui.live_plot import LivePlot, figure_json
from fmstudio.ui.report import facts, failed, said
from fmstudio.ui.room import Room
from fmstudio.ui.sidebar import numbers, pills, slider
from fmstudio.ui.told import warn
from fmstudio.ui.visitor import Visitor

DRAWN_EVERY = 0.5
"""Seconds between two pictures of the plots, all four of one step; the numbers follow each report."""

READY = [*[gr.update(interactive=True)] * 3, gr.update(interactive=False)]
"""Start, Resume, Straighten and Stop while nothing runs."""

BUSY = [*[gr.update(interactive=False)] * 3, gr.update(interactive=True)]
"""The same while a training runs."""

_SENTENCES = words.sections("train-figures")

_DOWNLOAD = """(file) => {
  if (file) Object.assign(document.createElement("a"), { href: file.url, download: file.orig_name }).click();
}"""


def build(visitor: gr.State) -> Room:
    """Lay the room out in the current tab."""
    controls: dict[str, Any] = {}
    with gr.Row(elem_classes=["fm-columns"]):
        with gr.Column():
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
        with gr.Column(elem_classes=["fm-aside"]):
            with gr.Column(elem_classes=["fm-card", "fm-first"], min_width=0):
                gr.Markdown("#### Training")
                with gr.Row():
                    start = gr.Button("Start", variant="primary", elem_id="train-start")
                    stop = gr.Button("Stop", elem_id="train-stop", interactive=False)
                with gr.Row():
                    resume = gr.Button("Resume", size="sm", elem_id="train-resume")
                    reset = gr.Button("Reset", size="sm", elem_id="train-reset")
                status = gr.HTML(facts([]), elem_id="train-facts")
            with gr.Column(elem_classes=["fm-card"], min_width=0):
                gr.Markdown("#### Net and objective")
                controls["target"] = pills("target", "target")
                controls["regression"] = pills("regression", "regression")
                controls["conditional"] = gr.Checkbox(False, label="tell the net the class", interactive=True)
                with gr.Row():
                    controls["train_steps"] = numbers(
                        "train_steps", "steps", (500, 1_000, 2_000, 8_000, 20_000, 50_000, 200_000)
                    )
                    controls["batch"] = numbers("batch", "batch", (64, 128, 256, 1_024, 2_048, 8_192))
                controls["learning_rate"] = numbers(
                    "learning_rate", "learning rate", (1e-4, 5e-4, 1e-3, 2e-3, 1e-2)
                )
                with gr.Accordion("More", open=False):
                    controls["schedule"] = pills("schedule", "schedule")
                    controls["time_law"] = pills("time_law", "time law")
                    controls["width"] = numbers("width", "width", (16, 32, 64, 128, 256, 512))
                    controls["depth"] = slider("depth", "hidden layers", 1)
                    controls["fourier"] = numbers("fourier", "Fourier features", (0, 8, 16, 32, 64, 128))
                    controls["ema"] = numbers(
                        "ema", "running mean of the weights (EMA)", (0, 0.9, 0.99, 0.999, 0.9999)
                    )
                    controls["label_drop"] = slider("label_drop", "label drop", 0.01)
            with gr.Column(elem_classes=["fm-card"], min_width=0):
                gr.Markdown(
                    "#### Straighten (reflow)\nPair every noise point with where the net takes it, "
                    "and train again on these pairs. **S** says how far the flow is from straight: 0 where "
                    "every particle keeps its velocity."
                )
                straighten = gr.Button("Straighten", size="sm", elem_id="train-straighten")
                straightness = gr.HTML("", elem_id="straightness")
            with gr.Column(elem_classes=["fm-card"], min_width=0):
                gr.Markdown("#### Keep the net")
                save = gr.Button("Save a checkpoint", size="sm", elem_id="train-save")
                # A download button hands over what it held before its click; this one is written first.
                saved = gr.File(visible="hidden")
                load = gr.UploadButton("Open a checkpoint", size="sm", file_types=[".safetensors"])
            with gr.Column(elem_classes=["fm-card"], min_width=0):
                gr.Markdown(words.text("train"))

    plots = [loss, excess, cloud, error]

    def painted(state: Visitor, net: Checkpoint | None) -> list[Any]:
        """The four plots of one net, whatever a training makes of it meanwhile."""
        still = replace(state, checkpoint=net)
        return [*curves(net), data_beside(still), error_map(still)]

    def curves(net: Checkpoint | None) -> list[str]:
        if net is None:
            return [figure_json(empty_figure(_SENTENCES[name])) for name in ("no loss", "no excess")]
        points = net.curve.points
        steps = [point.step for point in points]
        measured = [(p.step, p.energy_distance) for p in points if p.energy_distance is not None]
        return [
            figure_json(loss_figure(steps, [point.loss for point in points], net.curve.floor)),
            figure_json(excess_figure(steps, [none_is_nan(p.excess) for p in points], measured)),
        ]

    def data_beside(state: Visitor) -> str:
        draw = histogram_figure if state.experiment.dim == 1 else cloud_figure
        return figure_json(draw(training.clouds(state), sampling.plane_span(state.experiment)))

    def error_map(state: Visitor) -> str:
        try:
            values, span, mean = sampling.field_error(state, state.error_time)
        except ValueError as problem:
            return figure_json(empty_figure(words.lines(str(problem)), 326))
        title = f"t = {state.error_time:.2f}: E|u<sub>θ</sub> − u|² = {mean:.4f} under q<sub>t</sub>"
        if values.ndim == 1:
            return figure_json(profile_figure({"error": (values, "error")}, span, title, "", 326))
        return figure_json(heat_figure(values, span, title, "error", 326))

    rest = [gr.skip()] * 4

    def work(state: Visitor, reports: Iterator[Progress]) -> Iterator[list[Any]]:
        """A training's reports as they come; the buttons are left right, whatever ends it."""
        drawn = -math.inf
        try:
            yield [state, *rest, gr.skip(), training.straightness_html(state), *BUSY]
            for report in reports:
                figures = rest
                if report.done or time.monotonic() - drawn > DRAWN_EVERY:
                    figures = painted(state, report.checkpoint)
                    drawn = time.monotonic()
                told = facts([*training.stray(state), *training.status(report)])
                straighter = training.straightness_html(state, report if state.pairs is not None else None)
                yield [state, *figures, told, straighter, *BUSY]
            yield [state, *rest, gr.skip(), training.straightness_html(state), *READY]
        except ValueError as problem:
            warn(problem)  # The button may be far below the card that says it, too.
            yield [state, *rest, failed(problem), gr.skip(), *READY]

    def run(state: Visitor, reports: Iterator[Progress]) -> Iterator[list[Any]]:
        training.stop(state)  # One at a time: two clicks may be quicker than the buttons.
        yield from until_halted(
            state,
            training.TRAINING,
            TRAININGS.serve(
                lambda: work(state, reports), lambda words_: [state, *rest, said(words_), gr.skip(), *BUSY]
            ),
            lambda: [state, *at_rest(state), *READY],
        )

    def begin(state: Visitor) -> Iterator[list[Any]]:
        yield from run(state, training.start(state))

    def go_on(state: Visitor) -> Iterator[list[Any]]:
        yield from run(state, training.resume(state))

    def reflow(state: Visitor) -> Iterator[list[Any]]:
        yield from run(state, training.straighten(state))

    def at_rest(state: Visitor) -> list[Any]:
        return [
            *painted(state, state.checkpoint),
            facts(training.summary(state)),
            training.straightness_html(state),
        ]

    def cleared(state: Visitor) -> list[Any]:
        training.reset(state)
        return [*at_rest(state), *READY]

    def drawn_error(state: Visitor, t: float) -> Any:
        state.error_time = t
        return error_map(state)

    def written(state: Visitor) -> str | None:
        try:
            return training.save(state, Path(saved.GRADIO_CACHE))
        except ValueError as problem:
            warn(problem)
            return None

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    pool: dict[str, Any] = quiet | {"concurrency_id": "training", "concurrency_limit": MOST_WAITING}
    outputs: list[Component] = [*plots, status, straightness]
    shown = [*outputs, start, resume, straighten, stop]
    nets = [
        button.click(kind, visitor, [visitor, *shown], **pool)
        for button, kind in ((start, begin), (resume, go_on), (straighten, reflow))
    ]
    stop.click(lambda state: halt(state, training.TRAINING), visitor, None, **quiet)
    reset.click(training.stop, visitor, None, **quiet).then(cleared, visitor, shown, **quiet)
    draw_error.click(drawn_error, [visitor, when], error, **quiet)
    when.release(drawn_error, [visitor, when], error, trigger_mode="always_last", **quiet)
    save.click(written, visitor, saved, **quiet).then(None, saved, None, js=_DOWNLOAD, **quiet)

    return Room(
        controls=controls,
        repaint=at_rest,
        outputs=outputs,
        view=lambda state: state.error_time,
        of_net=lambda state: True,
        nets=nets,
        opener=(load, training.open_file),
    )
