"""X/Y grid: one image for every pair of values of two settings."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from html import escape

import gradio as gr

from fmstudio.folders import ASSETS
from fmstudio.image.progress import Progress
from fmstudio.image.questions.gallery import data_uri
from fmstudio.image.questions.xy import AXES, DEFAULT_VALUES, XYGrid, read_axis, xy_grid
from fmstudio.ui import words
from fmstudio.ui.report import said
from fmstudio.ui.rooms.images.files import files_card
from fmstudio.ui.rooms.images.parts import LOADING, Values, go_and_stop
from fmstudio.ui.rooms.images.sampler import Sampler, chosen_class
from fmstudio.ui.wiring import LAST, Updates

OPENING = ASSETS / "pictures" / "images-xy.html"
"""Guidance over classes with the default settings, drawn by ``scripts/pictures.py``."""

SHOWN_STEPS = 8


def build(visitor: gr.State, sampler: Sampler) -> None:
    """Lay the sub-tab out."""
    result = gr.State(None)
    with gr.Column(elem_classes=["fm-card"], min_width=0):
        with gr.Row(elem_classes=["fm-controls"]):
            x_name = gr.Dropdown(list(AXES), value="class", label="across", interactive=True, min_width=100)
            x_values = gr.Textbox("all", label="its values", max_lines=1, min_width=150)
            y_name = gr.Dropdown(list(AXES), value="guidance", label="down", interactive=True, min_width=100)
            y_values = gr.Textbox(DEFAULT_VALUES["guidance"], label="its values", max_lines=1, min_width=150)
            steps = sampler.steps(1, 64, SHOWN_STEPS, 130)
            buttons = go_and_stop("Sample", "xy")
        status = gr.HTML(
            said("Shown: guidance over classes, sampled beforehand. Choose two settings and sample."),
            elem_id="xy-status",
        )
        grid = gr.HTML(OPENING.read_text("utf-8"), elem_id="xy-grid")
        gr.Markdown(words.text("images-xy"))
    files_card(visitor, result)

    def draw(values: Values) -> Generator[Progress | Updates]:
        settings = sampler.read(values, steps=(int(values[steps]),))
        settings = replace(settings, label=chosen_class(settings))
        x = read_axis(values[x_name], values[x_values], settings.model)
        y = read_axis(values[y_name], values[y_values], settings.model)
        yield LOADING
        done = XYGrid(settings, x, y)
        for event in xy_grid(settings, x, y):
            if isinstance(event, XYGrid):
                done = event
                yield {grid: xy_html(done), result: done}
            else:
                yield event
        yield {status: said(f"Done: {len(done.cells)} images."), grid: xy_html(done), result: done}

    inputs = [x_name, x_values, y_name, y_values, steps]
    stopped = "Stopped. The finished images stay."
    sampler.wire(buttons, visitor, draw, inputs, status, [grid, result], stopped)
    for name, values in ((x_name, x_values), (y_name, y_values)):
        name.input(lambda chosen: DEFAULT_VALUES[chosen], name, values, **LAST)


def xy_html(grid: XYGrid) -> str:
    """The grid as a table; cells that are not made yet are empty."""
    head = "".join(f"<th>{escape(label)}</th>" for label in grid.x.labels)
    rows = []
    for row, label in enumerate(grid.y.labels):
        cells = "".join(_cell(grid, row, column) for column in range(len(grid.x.labels)))
        rows.append(f"<tr><th>{escape(label)}</th>{cells}</tr>")
    # Narrower pages scroll the table, so that its images stay large enough to see.
    width = 74 + 64 * len(grid.x.labels)
    corner = f"<th>{escape(grid.y.name)} ↓<br>{escape(grid.x.name)} →</th>"
    return (
        f'<div class="fm-scroll"><table class="fm-xy" style="min-width:{width}px">'
        f"<thead><tr>{corner}{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _cell(grid: XYGrid, row: int, column: int) -> str:
    image = grid.cells.get((row, column))
    if image is None:
        return "<td></td>"
    alt = f"{grid.y.name} {grid.y.labels[row]}, {grid.x.name} {grid.x.labels[column]}"
    return f'<td><img alt="{escape(alt)}" src="{data_uri(image)}"></td>'
