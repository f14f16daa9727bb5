"""How a step grid looks: rows of images with their figures, the nearest training images, the two plots."""

from __future__ import annotations

from html import escape
from typing import Any

from torch import Tensor

from fmstudio.image.models import repository_models, title_of
from fmstudio.image.progress import count_of_steps
from fmstudio.image.questions.compare import Comparison
from fmstudio.image.questions.gallery import GAP, data_uri, strip_of
from fmstudio.image.sampling.sampling import AdaptivePlan, StepPlan
from fmstudio.image.scores.grid import Closest, has_metric, has_training, measures
from fmstudio.image.training.data import to_bytes
from fmstudio.plots.image_figures import NfeCurve, copies_figure, distance_figure


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


def _how(done: Comparison, place: int, plan: StepPlan) -> str:
    if isinstance(plan, AdaptivePlan):
        made = [row for key, row in sorted(done.rows.items()) if key[0] == place]
        steps, nfe = (" / ".join(map(str, n)) for n in ([r.step_count for r in made], [r.nfe for r in made]))
        first, lines = f"<b>{plan.tolerance:g}</b> tol.", (f"{steps} steps", f"NFE {nfe}")
    else:
        count, word = plan.words.split(" ")
        first, lines = f"<b>{count}</b> {word}", (f"NFE {plan.evaluations}",)
    return f"<div>{first}{''.join(f'<small>{line}</small>' for line in lines)}</div>"


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
        if key in done.copies:
            share = done.copies[key]
            figures.append(
                f"copies <b>{share.value:.0%}</b> (real images {share.real:.1%}, N = {share.count})"
            )
        images, said_, pale = row.images, " · ".join(figures), ""
        alt = f"{len(images)} images of {title_of(done.models[side])} after {row.plan.words}"
    elif key in done.previews:
        step = done.previews[key]
        of = f" of {step.steps}" if step.steps else ""
        images, pale = to_bytes(step.x0_hat).cpu(), " class=pale"
        said_ = alt = f"step {step.index}{of}: images expected so far"
    else:
        return ""
    near = _nearest(done.closest[key], done.rows[key].images) if key in done.closest else ""
    return (
        f'<figure{pale}><img alt="{escape(alt)}" src="{data_uri(strip_of(images))}">{near}'
        f"<figcaption><i>{escape(title_of(done.models[side]))} </i>{said_}</figcaption></figure>"
    )


def _nearest(found: Closest, images: Tensor) -> str:
    """The nearest training image under each sample, and a frame around both where the sample is a copy."""
    count, width = len(images), images.shape[-1]
    pitch = 100 / (count * (width + GAP) - GAP)
    marks = "".join(
        f'<i style="left:{pitch * place * (width + GAP):.3f}%;width:{pitch * width:.3f}%"></i>'
        for place, copy in enumerate(found.copies.tolist())
        if copy
    )
    copies = int(found.copies.sum())
    alt = f"the nearest training image of each; {copies} of {count} are copies"
    return f'<div class="fm-near"><img alt="{alt}" src="{data_uri(strip_of(found.images))}">{marks}</div>'


def figures_of(done: Comparison) -> tuple[dict[str, Any], dict[str, Any]]:
    """The error against NFE, and what is measured of the set of images.

    That is the FD, and dotted beside it what the models' cards say (N = 1,000 or more); for models without a
    metric that bring their training images it is the share of copies.
    """
    titles = [title_of(model) for model in done.models]
    errors = distance_figure(
        [NfeCurve(t, done.curve(side, "distance"), side) for side, t in enumerate(titles)]
    )
    if figure_kind(done.settings.model) == "copies":
        shares = [NfeCurve(t, done.curve(side, "copies"), side) for side, t in enumerate(titles)]
        return errors, copies_figure(shares, next((s.real for s in done.copies.values()), None))
    measured = [NfeCurve(t, done.curve(side, "quality"), side) for side, t in enumerate(titles)]
    cards = [
        NfeCurve(f"{title}, its card", _card(model), side, faint=True)
        for side, (title, model) in enumerate(zip(titles, done.models, strict=True))
    ]
    real = next((quality.real for quality in done.qualities.values()), None)
    return errors, distance_figure([*measured, *(c for c in cards if c.points)], real)


def figure_kind(model: str) -> str:
    """What is measured of a model's images beside the distance: "FD", "copies", or "" for nothing."""
    if has_metric(model):
        return "FD"
    return "copies" if has_training(model) else ""


def _card(model: str) -> list[tuple[int, float]]:
    figures = repository_models().entry(model).card.distances(model)
    return [(steps, fd) for guidance, steps, fd in figures if guidance == 1]


def summary(done: Comparison) -> str:
    """What the whole grid comes to."""
    rows = done.rows.values()
    seconds = sum(row.seconds for row in rows)
    steps = sum(row.step_count for row in rows)
    text = f"Done: {count_of_steps(steps)} in {seconds:.1f} s."
    if has_metric(done.settings.model) and not measures(done.settings):
        text += " No FD: it compares with images of all classes, and these are of one."
    if done.copies:
        last = max(done.copies)
        share = done.copies[last]
        text += (
            f" After {done.rows[last].plan.words} {share.value:.0%} of {share.count} samples are copies; of "
            f"the training images, each left out in turn, {share.real:.1%}."
        )
    return text
