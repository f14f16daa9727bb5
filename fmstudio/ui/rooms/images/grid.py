"""Step grid: one noise, several step counts, one or two models side by side, and how far each row is off."""

from __future__ import annotations

import json
from collections.abc import Generator

import gradio as gr

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


class StepGrid:
    """The sub-tab: its controls, the rows as they come, and what is measured of them."""

    def __init__(self, visitor: gr.State, sampler: Sampler):
        self.sampler, self.result = sampler, gr.State(None)
        with gr.Column(elem_classes=["fm-card"], min_width=0):
            buttons = self._controls()
            self.status = gr.HTML(
                said(
                    "Shown: the default settings, sampled and measured beforehand, elsewhere: what a row "
                    "takes here stands under it once you sample."
                ),
                elem_id="images-status",
            )
            self.grid = gr.HTML(OPENING.read_text("utf-8"), elem_id="images-grid")
            self.below = gr.Markdown(grid_text(ImageSettings().model), elem_id="images-below")
        self._figures()
        files_card(visitor, self.result)
        given = [self.steps, self.tolerances, self.count, self.beside, self.measured, self.nearest]
        stopped = "Stopped. Finished rows stay; a pale row shows the images expected so far."
        outputs = [self.grid, self.result, self.error, self.middle, self.heading, self.quality, self.reading]
        sampler.wire(buttons, visitor, self._draw, given, self.status, outputs, stopped)
        rows, followers = [self.steps, self.tolerances], [self.measured, self.nearest, self.below]
        sampler.solver.change(self._other_solver, sampler.solver, rows, **QUIET)
        sampler.model.change(self._other_model, sampler.model, followers, **QUIET)

    def _controls(self) -> GoAndStop:
        default = ImageSettings()
        with gr.Row(elem_classes=["fm-controls"]):
            self.steps = gr.Textbox(
                " ".join(map(str, default.steps)), label="step counts, each 1…128", max_lines=1, min_width=150
            )
            self.tolerances = gr.Textbox(
                " ".join(f"{t:g}" for t in default.tolerances), label="tolerances of dopri5", max_lines=1,
                visible=False, min_width=150,
            )  # fmt: skip
            self.count = gr.Slider(
                1, 20, value=SHOWN_COUNT, step=1, label="images a row", interactive=True, min_width=140
            )
            self.beside = beside_dropdown(self.sampler)
            self.measured = gr.Dropdown(
                MEASURED_CHOICES, value=SHOWN_MEASURED, label="FD on", interactive=True, min_width=140,
                elem_id="images-fd",
            )  # fmt: skip
            self.nearest = gr.Checkbox(
                True, label="nearest training images", visible=False, interactive=True, min_width=130,
                elem_id="images-nearest", elem_classes=["fm-low"],
            )  # fmt: skip
            return go_and_stop("Sample", "images")

    def _figures(self) -> None:
        opening = json.loads(OPENING_FIGURES.read_text("utf-8"))
        with gr.Row(elem_classes=["fm-thirds"]):
            with gr.Column(elem_classes=["fm-card"], min_width=0):
                gr.Markdown("#### Distance to 128 Heun steps")
                self.error = LivePlot(opening["error"], height=270, elem_id="images-error")
            with gr.Column(elem_classes=["fm-card"], min_width=0) as self.middle:
                self.heading = gr.Markdown(HEADINGS["FD"], elem_id="images-middle")
                self.quality = LivePlot(opening["quality"], height=270, elem_id="images-quality")
            with gr.Column(elem_classes=["fm-card"], min_width=0):
                gr.Markdown("#### Published: FID on CIFAR-10")
                LivePlot(published_figure(), height=270, elem_id="images-published")
        with gr.Column(elem_classes=["fm-card"], min_width=0):
            self.reading = gr.Markdown(figures_text("FD"))

    def _draw(self, values: Values) -> Generator[Progress | Updates]:
        settings = self.sampler.read(
            values, steps=parse_steps(values[self.steps]), count=values[self.count],
            tolerances=tuple(number("tolerance", part) for part in split(values[self.tolerances])),
        )  # fmt: skip
        done = Comparison(settings, side_by_side(settings.model, values[self.beside]))
        measured = values[self.measured]
        # Nothing else is drawn before the first row: it is what the visitor waits for.
        yield LOADING
        yield {self.result: done}
        pulse = Pulse(YIELD_EVERY)
        wanted = 0 if measured == 0 else max(measured, settings.count)
        for event in compare(settings, done.models, nearest=bool(values[self.nearest]), figures=wanted):
            done.take(event)
            if isinstance(event, Progress):
                yield event
                continue
            if isinstance(event, Preview) and (event.step.index == event.step.steps or not pulse.due()):
                continue
            changed: Updates = {self.grid: grid_html(done)}
            second = isinstance(event, Row) and len(done.rows) == 2
            if second or isinstance(event, Distance | Quality | CopyShare):
                changed |= self._drawn(done)
            yield changed
        last = {self.status: said(summary(done)), self.grid: grid_html(done), self.result: done}
        yield last | self._drawn(done)

    def _drawn(self, done: Comparison) -> Updates:
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

    def _other_solver(self, solver: str) -> Updates:
        adaptive = SOLVERS[solver].adaptive
        return {self.steps: gr.update(visible=not adaptive), self.tolerances: gr.update(visible=adaptive)}

    def _other_model(self, model: str) -> Updates:
        kind = figure_kind(model)
        return {
            self.measured: gr.update(label=f"{kind} on", visible=bool(kind)),
            self.nearest: gr.update(visible=has_training(model)),
            self.below: grid_text(model),
        }
