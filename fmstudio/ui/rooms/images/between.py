"""Between two noises: the images of the noises on the way from one seed to another."""

from __future__ import annotations

from collections.abc import Generator

import gradio as gr

from fmstudio.folders import ASSETS
from fmstudio.image.progress import Progress
from fmstudio.image.questions.inversion import BETWEEN_TOLERANCE, interpolate
from fmstudio.image.settings import whole
from fmstudio.ui import words
from fmstudio.ui.report import said
from fmstudio.ui.rooms.images.parts import LOADING, Values, go_and_stop, outcome
from fmstudio.ui.rooms.images.results import interpolation_html
from fmstudio.ui.rooms.images.sampler import Sampler, one_label
from fmstudio.ui.wiring import Updates

OPENING = ASSETS / "pictures" / "images-between.html"
"""An interpolation with the default settings, made by ``scripts/pictures.py``."""

SHOWN_STEPS, SHOWN_POINTS, SHOWN_OTHER = 16, 9, 1


def build(visitor: gr.State, sampler: Sampler) -> None:
    """Lay the card out."""
    with gr.Column(elem_classes=["fm-card"], min_width=0):
        gr.Markdown("#### Between two noises")
        with gr.Row(elem_classes=["fm-controls"]):
            other = gr.Number(SHOWN_OTHER, label="second seed", precision=0, interactive=True, min_width=90)
            points = gr.Slider(
                3, 13, value=SHOWN_POINTS, step=1, label="images", interactive=True, min_width=120
            )
            steps = sampler.steps(1, 64, SHOWN_STEPS, 120, BETWEEN_TOLERANCE)
            buttons = go_and_stop("Interpolate", "between")
        status = gr.HTML(said("Shown: seeds 0 and 1 of the default settings, sampled beforehand."))
        rows = gr.HTML(OPENING.read_text("utf-8"), elem_id="between-rows")
        gr.Markdown(words.text("images-between"))

    def draw(values: Values) -> Generator[Progress | Updates]:
        settings = sampler.read(values)
        label, seed = one_label(settings), whole("seed", values[other] or 0)
        yield LOADING
        made = yield from outcome(interpolate(settings, seed, label, int(values[points]), int(values[steps])))
        yield {status: said("Done."), rows: interpolation_html(made)}

    inputs, stopped = [other, points, steps], "Stopped. The images before stay."
    sampler.wire(buttons, visitor, draw, inputs, status, [rows], stopped)
