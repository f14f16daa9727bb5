"""Step grid: one noise, several step counts, one or two models side by side, and how far each row is off."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from fmstudio.image.backbones import repository_models
from fmstudio.image.compare import (
    Comparison,
    Distance,
    Preview,
    Quality,
    compare,
    measures,
    plan_words,
    title_of,
)
from fmstudio.image.data import to_bytes
from fmstudio.image.gallery import data_uri, strip_of
from fmstudio.image.jobs import ImageSettings, number, parse_steps, split
from fmstudio.image.progress import Progress
from fmstudio.image.sampling import AdaptivePlan, FixedPlan
from fmstudio.plots.image_figures import NfeCurve, error_figure, published_figure, quality_figure
from fmstudio.ui import words
from fmstudio.ui.live_plot import LivePlot, figure_json
from fmstudio.ui.tabs.images_files import files_card
from fmstudio.ui.tabs.images_parts import (
    POOLED,
    QUIET,
    Pulse,
    Sampler,
    beside_choices,
    guarded,
    progress_html,
    said,
    stoppable,
)

PICTURES = Path(__file__).resolve().parents[3] / "assets" / "pictures"
OPENING = PICTURES / "images-opening.html"
"""The default grid, drawn by ``scripts/pictures.py`` with the shipped models."""

OPENING_FIGURES = PICTURES / "images-opening.json"
"""Its two figures, measured by the same script."""

SHOWN_COUNT = 8
SHOWN_QUALITY = 100
QUALITY_CHOICES = [("off", 0), ("the row's own images", 1), ("100 images", 100), ("1,000 images", 1000)]


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
            beside = gr.Dropdown(
                beside_choices(default.model), value="fashion-rf2", label="beside it", interactive=True,
                min_width=110,
            )  # fmt: skip
            quality = gr.Dropdown(
                QUALITY_CHOICES, value=SHOWN_QUALITY, label="FD on", interactive=True, min_width=140,
                elem_id="images-fd",
            )  # fmt: skip
            go = gr.Button("Sample", variant="primary", elem_id="images-go", min_width=90)
            stop = gr.Button("Stop", elem_id="images-stop", min_width=70)
        status = gr.HTML(
            said("Shown: the default settings, sampled and measured beforehand."), elem_id="images-status"
        )
        grid = gr.HTML(OPENING.read_text("utf-8") if OPENING.exists() else "", elem_id="images-grid")
        gr.Markdown(words.text("images-grid"))
    opening = json.loads(OPENING_FIGURES.read_text("utf-8")) if OPENING_FIGURES.exists() else {}
    with gr.Row(elem_classes=["fm-thirds"]):
        with gr.Column(elem_classes=["fm-card"], min_width=0):
            gr.Markdown("#### Distance to 128 Heun steps")
            error_plot = LivePlot(opening.get("error"), height=270, elem_id="images-error")
        with gr.Column(elem_classes=["fm-card"], min_width=0):
            gr.Markdown("#### FD (own features)")
            quality_plot = LivePlot(opening.get("quality"), height=270, elem_id="images-quality")
        with gr.Column(elem_classes=["fm-card"], min_width=0):
            gr.Markdown("#### Published: FID on CIFAR-10")
            LivePlot(published_figure(), height=270, elem_id="images-published")
    with gr.Column(elem_classes=["fm-card"], min_width=0):
        gr.Markdown(words.text("images-figures"))
    files_card(visitor, result)

    def draw(*values: Any) -> Iterator[Any]:
        steps_, tolerances_, count_, beside_, quality_, *rest = values
        settings = sampler.read(
            rest, steps=parse_steps(steps_), count=count_,
            tolerances=tuple(number("tolerance", part) for part in split(tolerances_)),
        )  # fmt: skip
        models = (settings.model, *([beside_] if beside_ else []))
        done = Comparison(settings, models)
        figures = [gr.skip(), gr.skip()]
        yield [progress_html(Progress("Loading the model", 0.0, None)), gr.skip(), *figures, done]
        pulse, progress = Pulse(), Progress("", 0.0, None)
        for event in compare(settings, models, quality=0 if quality_ == 0 else max(quality_, settings.count)):
            done.take(event)
            if isinstance(event, Progress):
                progress = event
            elif isinstance(event, Preview) and not pulse.due():
                continue
            else:
                figures = [gr.skip(), gr.skip()]
                if isinstance(event, Distance | Quality):
                    figures = _figures(done)
                shown = gr.skip() if isinstance(event, Progress) else grid_html(done)
                yield [progress_html(progress), shown, *figures, gr.skip()]
        yield [said(_summary(done)), grid_html(done), *_figures(done), done]

    outputs = [status, grid, error_plot, quality_plot, result]
    running = go.click(
        guarded(draw, len(outputs)),
        [visitor, steps, tolerances, count, beside, quality, *sampler.inputs],
        outputs,
        **POOLED,
    )
    stoppable(
        stop,
        running,
        visitor,
        status,
        "Stopped. Finished rows stay; a pale row shows the images expected so far.",
    )
    sampler.solver.change(
        lambda solver: [gr.update(visible=solver != "dopri5"), gr.update(visible=solver == "dopri5")],
        sampler.solver,
        [steps, tolerances],
        **QUIET,
    )
    sampler.model.change(
        lambda model: gr.update(choices=beside_choices(model), value=""), sampler.model, beside, **QUIET
    )


def grid_html(done: Comparison, timed: bool = True) -> str:
    """Rows of images with steps and NFE before each, and each row's figures under it.

    Args:
        done: what there is so far.
        timed: show the seconds; not for a grid that another machine made.
    """
    sides = range(len(done.models))
    head = "".join(f"<span>{escape(title_of(model))}</span>" for model in done.models)
    rows = []
    for place, plan in enumerate(done.settings.plans()):
        cells = "".join(_cell(done, place, side, timed) for side in sides)
        if cells:
            rows.append(f'<div class="fm-grid-row">{_how(done, place, plan)}{cells}</div>')
    top = f'<div class="fm-grid-row fm-grid-head"><span></span>{head}</div>'
    return f'<div class="fm-grid sides-{len(sides)}">{top}{"".join(rows)}</div>'


def _how(done: Comparison, place: int, plan: FixedPlan | AdaptivePlan) -> str:
    made = [row for key, row in sorted(done.rows.items()) if key[0] == place]
    if isinstance(plan, AdaptivePlan):
        steps = " / ".join(str(row.step_count) for row in made)
        nfe = " / ".join(str(row.nfe) for row in made)
        return (
            f"<div><b>{plan.tolerance:g}</b> tol.<small>{steps} steps</small><small>NFE {nfe}</small></div>"
        )
    word = "step" if plan.step_count == 1 else "steps"
    return f"<div><b>{plan.step_count}</b> {word}<small>NFE {plan.evaluations}</small></div>"


def _cell(done: Comparison, place: int, side: int, timed: bool) -> str:
    key = (place, side)
    if key in done.rows:
        row = done.rows[key]
        figures = [f"{row.seconds:.2f} s"] if timed else []
        if key in done.distances:
            figures.append(f"off by <b>{done.distances[key]:.3f}</b>")
        if key in done.qualities:
            quality = done.qualities[key]
            figures.append(f"FD <b>{quality.value:.2f}</b> (real {quality.real:.2f}, N = {quality.count})")
        images, said_, pale = row.images, " · ".join(figures), ""
        alt = f"{len(images)} images of {title_of(done.models[side])} after {plan_words(row.plan)}"
    elif key in done.previews:
        step = done.previews[key]
        of = f" of {step.steps}" if step.steps else ""
        images, pale = to_bytes(step.x0_hat).cpu(), " class=pale"
        said_ = alt = f"step {step.index}{of}: images expected so far"
    else:
        return ""
    return (
        f'<figure{pale}><img alt="{escape(alt)}" src="{data_uri(strip_of(images))}">'
        f"<figcaption><i>{escape(title_of(done.models[side]))} </i>{said_}</figcaption></figure>"
    )


def _figures(done: Comparison) -> list[str]:
    return [figure_json(figure) for figure in figures_of(done)]


def figures_of(done: Comparison) -> tuple[dict[str, Any], dict[str, Any]]:
    """Error and FD against NFE; dotted beside the FD what the models' cards say (N = 1,000 or more)."""
    titles = [title_of(model) for model in done.models]
    errors = [NfeCurve(t, done.curve(side, "distance"), side) for side, t in enumerate(titles)]
    measured = [NfeCurve(t, done.curve(side, "quality"), side) for side, t in enumerate(titles)]
    cards = [
        NfeCurve(f"{title}, its card", _card(model), side, faint=True)
        for side, (title, model) in enumerate(zip(titles, done.models, strict=True))
    ]
    real = next((quality.real for quality in done.qualities.values()), None)
    return error_figure(errors), quality_figure([*measured, *(c for c in cards if c.points)], real)


def _card(model: str) -> list[tuple[int, float]]:
    figures = repository_models().entry(model).figures()
    return [(steps, fd) for guidance, steps, fd in figures if guidance == 1]


def _summary(done: Comparison) -> str:
    rows = done.rows.values()
    seconds = sum(row.seconds for row in rows)
    steps = sum(row.step_count for row in rows)
    text = f"Done: {steps} steps in {seconds:.1f} s."
    if not measures(done.settings):
        text += " No FD: it compares with images of all classes" + (
            ", and these are of one." if done.settings.label >= 0 else "; no classifier here knows them."
        )
    return text
