"""Step grid: one noise, several step counts, one or two models side by side, and how far each row is off."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import gradio as gr

from fmstudio.folders import ASSETS
from fmstudio.image.progress import Progress
from fmstudio.image.questions.compare import Comparison, Preview, Row, compare
from fmstudio.image.scores.grid import CopyShare, Distance, Quality, has_training
from fmstudio.image.settings import ImageSettings, number, parse_steps, split
from fmstudio.plots.image_figures import published_figure
from fmstudio.ui.live_plot import LivePlot, figure_json
from fmstudio.ui.report import said
from fmstudio.ui.rooms.images.files import files_card
from fmstudio.ui.rooms.images.grid_html import figure_kind, figures_of, grid_html, summary
from fmstudio.ui.rooms.images.parts import (
    POOLED,
    QUIET,
    SHOWN_COUNT,
    Pulse,
    go_and_stop,
    guarded,
    progress_html,
)
from fmstudio.ui.rooms.images.sampler import Sampler, beside_dropdown, remind, side_by_side
from fmstudio.ui.rooms.images.words import figures_text, grid_text
from fmstudio.ui.stop import stoppable

PICTURES = ASSETS / "pictures"
OPENING = PICTURES / "images-opening.html"
"""The default grid, drawn by ``scripts/pictures.py`` with the shipped models."""

OPENING_FIGURES = PICTURES / "images-opening.json"
"""Its two figures, measured by the same script."""

SHOWN_MEASURED = 100
MEASURED_CHOICES = [("off", 0), ("the row's own images", 1), ("100 images", 100), ("1,000 images", 1000)]


HEADINGS = {"FD": "#### FD (own features)", "copies": "#### Share of copies", "": ""}
"""Of the middle figure, by `figure_kind`."""


def build(visitor: gr.State, sampler: Sampler) -> None:
    """Lay the sub-tab out."""
    default = ImageSettings()
    result = gr.State(None)
    with gr.Column(elem_classes=["fm-card"], min_width=0):
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
            go, stop = go_and_stop("Sample", "images")
        status = gr.HTML(
            said(
                "Shown: the default settings, sampled and measured beforehand, elsewhere: what a row takes "
                "here stands under it once you sample."
            ),
            elem_id="images-status",
        )
        grid = gr.HTML(OPENING.read_text("utf-8") if OPENING.exists() else "", elem_id="images-grid")
        below = gr.Markdown(grid_text(default.model), elem_id="images-below")
    opening = json.loads(OPENING_FIGURES.read_text("utf-8")) if OPENING_FIGURES.exists() else {}
    with gr.Row(elem_classes=["fm-thirds"]):
        with gr.Column(elem_classes=["fm-card"], min_width=0):
            gr.Markdown("#### Distance to 128 Heun steps")
            error_plot = LivePlot(opening.get("error"), height=270, elem_id="images-error")
        with gr.Column(elem_classes=["fm-card"], min_width=0) as middle:
            heading = gr.Markdown(HEADINGS["FD"], elem_id="images-middle")
            quality_plot = LivePlot(opening.get("quality"), height=270, elem_id="images-quality")
        with gr.Column(elem_classes=["fm-card"], min_width=0):
            gr.Markdown("#### Published: FID on CIFAR-10")
            LivePlot(published_figure(), height=270, elem_id="images-published")
    with gr.Column(elem_classes=["fm-card"], min_width=0):
        reading = gr.Markdown(figures_text("FD"))
    files_card(visitor, result)

    def draw(*values: Any) -> Iterator[Any]:
        steps_, tolerances_, count_, beside_, measured_, nearest_, *rest = values
        settings = sampler.read(
            rest, steps=parse_steps(steps_), count=count_,
            tolerances=tuple(number("tolerance", part) for part in split(tolerances_)),
        )  # fmt: skip
        models = side_by_side(settings.model, beside_)
        done = Comparison(settings, models)
        kind = figure_kind(settings.model)
        same = [gr.skip()] * 5
        cleared = [*_figures(done), gr.update(visible=bool(kind)), HEADINGS[kind], figures_text(kind)]
        # Nothing else is drawn before the first row: it is what the visitor waits for.
        yield [progress_html(Progress("Loading the model", 0.0, None)), gr.skip(), done, *same]
        pulse, progress = Pulse(), Progress("", 0.0, None)
        wanted = 0 if measured_ == 0 else max(measured_, settings.count)
        for event in compare(settings, models, nearest=bool(nearest_), figures=wanted):
            done.take(event)
            if isinstance(event, Progress):
                progress = event
            over = isinstance(event, Preview) and event.step.index == event.step.steps
            if over or (isinstance(event, Preview | Progress) and not pulse.due()):
                continue
            shown = gr.skip() if isinstance(event, Progress) else grid_html(done)
            measure = isinstance(event, Distance | Quality | CopyShare)
            drawn = [*_figures(done), *cleared[2:]] if measure else same
            if isinstance(event, Row) and len(done.rows) == 2:
                drawn = cleared
            yield [progress_html(progress), shown, gr.skip(), *drawn]
        yield [said(summary(done)), grid_html(done), done, *_figures(done), *cleared[2:]]

    outputs = [status, grid, result, error_plot, quality_plot, middle, heading, reading]
    go.click(
        guarded(
            draw,
            len(outputs),
            "grid",
            "Stopped. Finished rows stay; a pale row shows the images expected so far.",
        ),
        [visitor, steps, tolerances, count, beside, measured, nearest, *sampler.inputs],
        outputs,
        **POOLED,
    )
    stoppable(stop, visitor, status, "grid")
    sampler.solver.change(
        lambda solver: [gr.update(visible=solver != "dopri5"), gr.update(visible=solver == "dopri5")],
        sampler.solver,
        [steps, tolerances],
        **QUIET,
    )

    def other_model(model: str) -> list[Any]:
        kind = figure_kind(model)
        return [
            gr.update(label=f"{kind} on", visible=bool(kind)),
            gr.update(visible=has_training(model)),
            grid_text(model),
        ]

    sampler.model.change(other_model, sampler.model, [measured, nearest, below], **QUIET)
    remind(sampler, status, "Sample")


def _figures(done: Comparison) -> list[str]:
    return [figure_json(figure) for figure in figures_of(done)]
