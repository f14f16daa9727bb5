"""Step grid: one noise, several step counts, one or two models side by side, and how far each row is off."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import dataclass

import gradio as gr
from gradio.blocks import Block

from fmstudio.flow.solve.tableaux import SOLVERS
from fmstudio.folders import ASSETS
from fmstudio.image.progress import Progress
from fmstudio.image.questions.compare import Comparison, Preview, Row, compare
from fmstudio.image.scores.grid import CopyShare, Distance, Quality, has_training
from fmstudio.image.settings import ImageSettings, number, parse_steps, split
from fmstudio.plots.image_figures import published_figure
from fmstudio.studio.running import Pulse
from fmstudio.ui.live_plot import LivePlot, figure_json
from fmstudio.ui.report import said
from fmstudio.ui.rooms.images.files import files_card
from fmstudio.ui.rooms.images.grid_html import figure_kind, figures_of, grid_html, summary
from fmstudio.ui.rooms.images.parts import LOADING, SHOWN_COUNT, YIELD_EVERY, GoAndStop, Values, go_and_stop
from fmstudio.ui.rooms.images.sampler import Sampler, beside_dropdown, side_by_side
from fmstudio.ui.rooms.images.words import figures_text, grid_text
from fmstudio.ui.wiring import QUIET, Updates

PICTURES = ASSETS / "pictures"
OPENING = PICTURES / "images-opening.html"
"""The default grid, drawn by ``scripts/pictures.py`` with the shipped models."""

OPENING_FIGURES = PICTURES / "images-opening.json"
"""Its two figures, measured by the same script."""

SHOWN_MEASURED = 100
MEASURED_CHOICES = [("off", 0), ("the row's own images", 1), ("100 images", 100), ("1,000 images", 1000)]

HEADINGS = {"FD": "#### FD (own features)", "copies": "#### Share of copies", "": ""}
"""Of the middle figure, by `figure_kind`."""


@dataclass(frozen=True)
class Controls:
    """What is compared, and what is measured of it."""

    steps: gr.Textbox
    tolerances: gr.Textbox
    count: gr.Slider
    beside: gr.Dropdown
    measured: gr.Dropdown
    nearest: gr.Checkbox
    buttons: GoAndStop


@dataclass(frozen=True)
class Figures:
    """The plots under the grid, with the headings and words that follow the model."""

    error: LivePlot
    middle: gr.Column
    heading: gr.Markdown
    quality: LivePlot
    reading: gr.Markdown

    @property
    def outputs(self) -> list[Block]:
        """All of them."""
        return [self.error, self.middle, self.heading, self.quality, self.reading]

    def drawn(self, done: Comparison) -> Updates:
        """Both plots of what there is so far, with their words."""
        error, quality = (figure_json(figure) for figure in figures_of(done))
        kind = figure_kind(done.settings.model)
        return {
            self.error: error,
            self.quality: quality,
            self.middle: gr.update(visible=bool(kind)),
            self.heading: HEADINGS[kind],
            self.reading: figures_text(kind),
        }


def build(visitor: gr.State, sampler: Sampler) -> None:
    """Lay the sub-tab out."""
    model = ImageSettings().model
    result = gr.State(None)
    with gr.Column(elem_classes=["fm-card"], min_width=0):
        controls = _controls(sampler)
        status = gr.HTML(
            said(
                "Shown: the default settings, sampled and measured beforehand, elsewhere: what a row takes "
                "here stands under it once you sample."
            ),
            elem_id="images-status",
        )
        grid = gr.HTML(OPENING.read_text("utf-8") if OPENING.exists() else "", elem_id="images-grid")
        below = gr.Markdown(grid_text(model), elem_id="images-below")
    figures = _figures()
    files_card(visitor, result)
    work = Sampling(controls, sampler, figures, status, grid, result)
    given: list[Block] = [controls.steps, controls.tolerances, controls.count, controls.beside]
    given += [controls.measured, controls.nearest]
    stopped = "Stopped. Finished rows stay; a pale row shows the images expected so far."
    outputs = [grid, result, *figures.outputs]
    sampler.wire(controls.buttons, visitor, work.draw, given, status, outputs, stopped)
    _follow(controls, sampler, below)


def _controls(sampler: Sampler) -> Controls:
    default = ImageSettings()
    with gr.Row(elem_classes=["fm-controls"]):
        steps = gr.Textbox(
            " ".join(map(str, default.steps)), label="step counts, each 1…128", max_lines=1, min_width=150
        )
        tolerances = gr.Textbox(
            " ".join(f"{t:g}" for t in default.tolerances), label="tolerances of dopri5", max_lines=1,
            visible=False, min_width=150,
        )  # fmt: skip
        count = gr.Slider(
            1, 20, value=SHOWN_COUNT, step=1, label="images a row", interactive=True, min_width=140
        )
        beside = beside_dropdown(sampler)
        measured = gr.Dropdown(
            MEASURED_CHOICES, value=SHOWN_MEASURED, label="FD on", interactive=True, min_width=140,
            elem_id="images-fd",
        )  # fmt: skip
        nearest = gr.Checkbox(
            True, label="nearest training images", visible=False, interactive=True, min_width=130,
            elem_id="images-nearest", elem_classes=["fm-low"],
        )  # fmt: skip
        buttons = go_and_stop("Sample", "images")
    return Controls(steps, tolerances, count, beside, measured, nearest, buttons)


def _figures() -> Figures:
    opening = json.loads(OPENING_FIGURES.read_text("utf-8")) if OPENING_FIGURES.exists() else {}
    with gr.Row(elem_classes=["fm-thirds"]):
        with gr.Column(elem_classes=["fm-card"], min_width=0):
            gr.Markdown("#### Distance to 128 Heun steps")
            error = LivePlot(opening.get("error"), height=270, elem_id="images-error")
        with gr.Column(elem_classes=["fm-card"], min_width=0) as middle:
            heading = gr.Markdown(HEADINGS["FD"], elem_id="images-middle")
            quality = LivePlot(opening.get("quality"), height=270, elem_id="images-quality")
        with gr.Column(elem_classes=["fm-card"], min_width=0):
            gr.Markdown("#### Published: FID on CIFAR-10")
            LivePlot(published_figure(), height=270, elem_id="images-published")
    with gr.Column(elem_classes=["fm-card"], min_width=0):
        reading = gr.Markdown(figures_text("FD"))
    return Figures(error, middle, heading, quality, reading)


@dataclass(frozen=True)
class Sampling:
    """The comparison, row by row."""

    controls: Controls
    sampler: Sampler
    figures: Figures
    status: gr.HTML
    grid: gr.HTML
    result: gr.State

    def draw(self, values: Values) -> Generator[Progress | Updates]:
        """What changes on the page as rows and figures come."""
        given, figures = self.controls, self.figures
        settings = self.sampler.read(
            values, steps=parse_steps(values[given.steps]), count=values[given.count],
            tolerances=tuple(number("tolerance", part) for part in split(values[given.tolerances])),
        )  # fmt: skip
        done = Comparison(settings, side_by_side(settings.model, values[given.beside]))
        measured = values[given.measured]
        # Nothing else is drawn before the first row: it is what the visitor waits for.
        yield LOADING
        yield {self.result: done}
        pulse = Pulse(YIELD_EVERY)
        wanted = 0 if measured == 0 else max(measured, settings.count)
        for event in compare(settings, done.models, nearest=bool(values[given.nearest]), figures=wanted):
            done.take(event)
            if isinstance(event, Progress):
                yield event
                continue
            if isinstance(event, Preview) and (event.step.index == event.step.steps or not pulse.due()):
                continue
            changed: Updates = {self.grid: grid_html(done)}
            if isinstance(event, Distance | Quality | CopyShare) or (
                isinstance(event, Row) and len(done.rows) == 2
            ):
                changed |= figures.drawn(done)
            yield changed
        last = {self.status: said(summary(done)), self.grid: grid_html(done), self.result: done}
        yield last | figures.drawn(done)


def _follow(controls: Controls, sampler: Sampler, below: gr.Markdown) -> None:
    """Let the controls follow the solver and the model."""

    def other_solver(solver: str) -> Updates:
        adaptive = SOLVERS[solver].adaptive
        return {
            controls.steps: gr.update(visible=not adaptive),
            controls.tolerances: gr.update(visible=adaptive),
        }

    def other_model(model: str) -> Updates:
        kind = figure_kind(model)
        return {
            controls.measured: gr.update(label=f"{kind} on", visible=bool(kind)),
            controls.nearest: gr.update(visible=has_training(model)),
            below: grid_text(model),
        }

    sampler.solver.change(other_solver, sampler.solver, [controls.steps, controls.tolerances], **QUIET)
    followers = [controls.measured, controls.nearest, below]
    sampler.model.change(other_model, sampler.model, followers, **QUIET)
