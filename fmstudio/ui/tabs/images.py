"""Images: does it hold at scale? Rows of images from one noise at several step counts."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from fmstudio.image.jobs import (
    IMAGE_SOLVERS,
    ImageSettings,
    backbone_names,
    class_names,
    parse_steps,
    sample_rows,
    strip_of,
)
from fmstudio.image.sampling import GridRow, SampleStep
from fmstudio.ui import words
from fmstudio.ui.room import Room
from fmstudio.ui.tabs.report import failed

OPENING = Path(__file__).resolve().parents[3] / "assets" / "pictures" / "images-opening.html"
"""The default grid, drawn by ``scripts/pictures.py`` with the shipped model."""


def build(visitor: gr.State) -> Room:
    """Lay the room out in the current tab."""
    default = ImageSettings()
    names = [("all in turn", -1), *((name, k) for k, name in enumerate(class_names(default.model)))]
    with gr.Row(elem_classes=["fm-columns"]):
        with gr.Column(), gr.Column(elem_classes=["fm-card"], min_width=0):
            gr.Markdown("#### One noise, several step counts")
            status = gr.HTML(
                '<p class="fm-note">Shown: the default settings, sampled beforehand.</p>',
                elem_id="images-status",
            )
            grid = gr.HTML(OPENING.read_text("utf-8") if OPENING.exists() else "", elem_id="images-grid")
        with gr.Column(elem_classes=["fm-aside"]):
            with gr.Column(elem_classes=["fm-card", "fm-first"], min_width=0):
                gr.Markdown("#### Sampler")
                model = gr.Dropdown(
                    list(backbone_names()), value=default.model, label="model", interactive=True
                )
                steps = gr.Textbox(
                    " ".join(map(str, default.steps)), label="step counts, each 1…64", max_lines=1
                )
                label = gr.Dropdown(names, value=-1, label="class", interactive=True)
                guidance = gr.Slider(
                    0, 5, value=1.0, step=0.1, label="guidance w (1: none)", interactive=True
                )
                solver = gr.Dropdown(list(IMAGE_SOLVERS), value="euler", label="solver", interactive=True)
                count = gr.Slider(1, 20, value=default.count, step=1, label="images a row", interactive=True)
                seed = gr.Number(0, label="seed", precision=0, minimum=0, interactive=True)
                with gr.Row():
                    go = gr.Button("Sample", variant="primary", elem_id="images-go")
                    stop = gr.Button("Stop", elem_id="images-stop")
            with gr.Column(elem_classes=["fm-card"], min_width=0):
                gr.Markdown(words.text("images"))

    def draw_rows(
        model_: str, steps_: str, label_: int, guidance_: float, solver_: str, count_: float, seed_: float
    ) -> Iterator[Any]:
        rows: list[GridRow] = []
        try:
            settings = ImageSettings(
                model_, parse_steps(steps_), label_, guidance_, solver_, int(seed_ or 0), int(count_)
            )
            total = sum(settings.steps)
            yield _progress(0, total, rows), ""
            done = 0
            for event in sample_rows(settings):
                if isinstance(event, SampleStep):
                    done += 1
                    if event.index % 4 == 0:
                        yield _progress(done, total, rows), gr.skip()
                    continue
                rows.append(event)
                yield _progress(done, total, rows), grid_html(rows)
        except ValueError as error:
            yield failed(error), gr.skip()

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    inputs = [model, steps, label, guidance, solver, count, seed]
    running = go.click(
        draw_rows,
        inputs,
        [status, grid],
        concurrency_id="images",
        concurrency_limit=1,
        trigger_mode="once",
        **quiet,
    )
    stop.click(
        lambda: '<p class="fm-note">Stopped. The finished rows stay.</p>',
        None,
        status,
        cancels=running,
        **quiet,
    )

    def classes_of(model_: str) -> Any:
        return gr.update(
            choices=[("all in turn", -1), *((n, k) for k, n in enumerate(class_names(model_)))], value=-1
        )

    model.change(classes_of, model, label, **quiet)
    return Room()


def grid_html(rows: list[GridRow]) -> str:
    """Rows of images with steps, NFE and time before each."""
    cells = []
    for row in rows:
        buffer = io.BytesIO()
        strip_of(row.images).save(buffer, "PNG")
        source = base64.b64encode(buffer.getvalue()).decode("ascii")
        word = "step" if row.step_count == 1 else "steps"
        cells.append(
            f'<div class="fm-image-row"><div><b>{row.step_count}</b> {word}<br>'
            f"<small>NFE {row.nfe} · {row.seconds:.2f} s</small></div>"
            f'<img alt="{len(row.images)} images after {row.step_count} {word}" '
            f'src="data:image/png;base64,{source}"></div>'
        )
    return "".join(cells)


def _progress(done: int, total: int, rows: list[GridRow]) -> str:
    """How far it is, and what the measured steps say is left."""
    if done == total and rows:
        spent = sum(row.seconds for row in rows)
        return f'<p class="fm-note">Done: {total} steps in {spent:.1f} s.</p>'
    measured = sum(row.step_count for row in rows)
    left = (
        f", about {sum(r.seconds for r in rows) / measured * (total - done):.0f} s left" if measured else ""
    )
    said = escape(f"Step {done} of {total}{left}")
    return f'<p class="fm-note">{said}</p><progress max="{total}" value="{done}"></progress>'
