"""The Hub's sub-tab in HTML: the list of models, one model's card, rows of pictures, film strips."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from torch import Tensor

from fmstudio.image.hub import consent
from fmstudio.image.hub.cards import ModelCard
from fmstudio.image.hub.fetch import DownloadProgress
from fmstudio.image.hub.find import Outlook
from fmstudio.image.hub.machine import GIB, gib
from fmstudio.image.hub.plan import Plan
from fmstudio.image.hub.rows import StepShown
from fmstudio.image.hub.sample import Finished
from fmstudio.image.hub.steps import SOLVERS, StepMeasures
from fmstudio.image.progress import count_of_steps
from fmstudio.image.questions.gallery import picture_of, png_of
from fmstudio.plots.palette import CLASSES
from fmstudio.ui.report import facts
from fmstudio.ui.rooms.images.parts import duration, progress_bar

_LOOK_SIDE = 128
_FIELDS = {"parts": "sizes", "gated": "gate", "tiny_vae": "the small decoder's name"}


def models_html(models: Sequence[Outlook], selected: str) -> str:
    """Every model in one line that can be pressed."""
    return f'<div class="hub-list">{"".join(_line(one, one.name == selected) for one in models)}</div>'


def card_html(model: Outlook) -> str:
    """What is known of a model, how it would run here, and what to do next."""
    card = model.card
    pieces = [f"<h3>{escape(model.title)}</h3>"]
    if card:
        link = f'<a href="{escape(card.url)}" target="_blank" rel="noopener">{escape(card.id)}</a>'
        pieces.append(f"<p>{escape(card.note)} {link}</p>")
    pieces.append(f'<p class="next">{escape(next_step(model))}</p>')
    pieces.append(_facts(model))
    if model.choice:
        pieces.append(f"<p><b>On this machine.</b> {escape(model.choice.verdict)}</p>")
        pieces.append(_ways(model.choice.ways, model.choice.plan))
    if card and card.unchecked:
        names = ", ".join(_FIELDS.get(name, name) for name in card.unchecked)
        pieces.append(f'<p class="fm-note">† Not compared with the model’s own page: {escape(names)}.</p>')
    return f'<div class="hub-detail">{"".join(pieces)}</div>'


def next_step(model: Outlook) -> str:
    """One sentence: what to do now."""
    if model.ready:
        return "It is on this machine and fits. Say what to draw, and sample."
    if model.choice is not None and model.choice.plan is None:
        return "It does not fit on this machine: choose a smaller one, or run the studio on a larger machine."
    refused = consent.may_fetch(model.name)
    if refused:
        return refused
    if model.card and model.card.gated:
        return "Accept its terms and log in (below), then fetch it."
    if model.bytes_started:
        return f"{gib(model.bytes_started)} are here from an earlier attempt. Fetch it to go on."
    return "Fetch it first; a download can be stopped and taken up again."


def fetching_html(progress: DownloadProgress, title: str) -> str:
    """How far a download is, and what its speed says is left."""
    left = progress.seconds_left
    words = [f"{title}: {progress.done / GIB:.2f} of {progress.total / GIB:.2f} GiB"]
    if progress.fetched and progress.seconds:
        words.append(f"{progress.fetched / progress.seconds / 2**20:.1f} MiB/s")
    if left is not None and progress.done < progress.total:
        words.append(f"about {duration(left)} left")
    if progress.file:
        words.append(progress.file)
    return progress_bar(" · ".join(words), f"{progress.done / max(progress.total, 1):.4f}")


def live_html(step: StepShown) -> str:
    """The step that was just taken: x_t and x̂₀."""
    return _looks(step, f"{step.record.sigma:.3f}")


def row_html(finished: Finished, steps: Sequence[StepShown], made: Sequence[Mapping[str, Any]]) -> str:
    """One step count: its pictures with their seeds, its numbers, its film strip.

    Args:
        finished: the row.
        steps: its steps.
        made: how each picture is made again, written into its PNG.
    """
    steps_ = count_of_steps(finished.request.step_count)
    straight = finished.trajectory.straightness
    pictures = "".join(
        f'<figure><img alt="a picture after {steps_}" src="{_source(png_of(picture, how), "png")}">'
        f"<figcaption>seed {how['seed']}</figcaption></figure>"
        for picture, how in zip(finished.pictures, made, strict=True)
    )
    frames = "".join(
        _frame(shown, numbers) for shown, numbers in zip(steps, finished.trajectory.steps, strict=True)
    )
    return (
        f'<div class="hub-row"><div class="head"><b>{steps_}</b>'
        f"<span>{finished.seconds:.1f} s in steps</span><span>NFE {finished.nfe}</span>"
        f"<span>straightness {straight:.4f} (0: a straight line)</span></div>"
        f'<div class="pictures">{pictures}</div>'
        f"<details><summary>Film strip: x<sub>t</sub> above, x̂₀ below</summary>"
        f'{_scrubber(steps)}<div class="hub-strip">{frames}</div></details></div>'
    )


def rows_html(rows: Sequence[str]) -> str:
    """Rows of `row_html` together; those of one picture stand side by side where there is room."""
    return f'<div class="hub-rows">{"".join(rows)}</div>'


def schedule_html(rows: Sequence[Finished]) -> str:
    """σ after each step of each row, over the share of steps taken."""
    lines = []
    for number, row in enumerate(rows):
        steps = row.trajectory.steps
        sigmas = [*(step.sigma for step in steps), steps[-1].sigma_next]
        places = [(34 + 370 * k / len(steps), 12 + 120 * (1 - sigma)) for k, sigma in enumerate(sigmas)]
        colour = f"var(--fm-class-{number % len(CLASSES)})"
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" fill="{colour}"/>' for x, y in places)
        lines.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.6"/>{dots}')
        lines.append(
            f'<text x="404" y="{24 + 14 * number}" text-anchor="end" style="fill:{colour}">'
            f"{count_of_steps(row.request.step_count)}</text>"
        )
    return (
        '<svg class="hub-curve" viewBox="0 0 420 160" role="img" aria-label="time after each step">'
        '<path d="M34 12V132H404" fill="none" stroke="var(--fm-border)"/>'
        '<text x="28" y="16" text-anchor="end">1</text><text x="28" y="135" text-anchor="end">0</text>'
        '<text x="12" y="76">t</text>'
        '<text x="220" y="152" text-anchor="middle">share of the steps taken</text>'
        f"{''.join(lines)}</svg>"
    )


def _line(model: Outlook, selected: bool) -> str:
    card, chips, advice, size = model.card, list[str](), "no card", ""
    if card:
        forbids = {"not commercial": not card.commercial, "gated": card.gated}
        chips = [_short_licence(card), *(word for word, true in forbids.items() if true)]
        advice, size = _advice(card), f"{card.bytes_16bit / 1e9:.0f} GB"
    tags = "".join(f'<span class="hub-chip">{escape(chip)}</span>' for chip in chips)
    colour, state = _state(model)
    return (
        f'<button type="button" class="hub-model" data-model="{escape(model.name)}" '
        f'aria-pressed="{"true" if selected else "false"}">'
        f"<span><b>{escape(model.title)}</b><br><small>{advice}</small></span>"
        f'<span>{tags}</span><span class="size">{size}</span>'
        f'<span class="state" style="--c:var(--fm-{colour})">{escape(state)}</span></button>'
    )


def _advice(card: ModelCard) -> str:
    return f"{count_of_steps(card.steps)} · guidance {card.guidance:g} · {card.side} px"


def _state(model: Outlook) -> tuple[str, str]:
    plan = model.choice.plan if model.choice else None
    if model.choice is not None and plan is None:
        here = "here, but " if model.found else ""
        return "error", f"{here}too large for this machine"
    how = f"{plan.placement}, {plan.quantised or plan.dtype}" if plan else "not known yet"
    if plan and plan.dropped:
        how += f", without {plan.dropped[0].replace('text_encoder_3', 'T5')}"
    if model.found:
        return "exact", f"ready: {how}"
    if model.bytes_started:
        return "data", f"partly fetched ({gib(model.bytes_started)}): {how}"
    return "noise", f"to fetch; would run: {how}"


def _short_licence(card: ModelCard) -> str:
    return card.licence.split(" (")[0].split(";")[0].replace(" non-commercial licence", "")


def _facts(model: Outlook) -> str:
    card, rows = model.card, []
    if card:
        marks = dict.fromkeys(card.unchecked, " †")
        rows = [
            ("licence", card.licence + marks.get("licence", "")),
            ("gate", "accept terms and log in" if card.gated else "none" + marks.get("gated", "")),
            ("weights", f"{card.bytes_16bit / 1e9:.1f} GB in 16 bits{marks.get('parts', '')}"),
            ("recommended", _advice(card) + marks.get("guidance", "")),
            ("solvers", ", ".join(SOLVERS[name] for name in card.solvers)),
        ]
    if model.found:
        counted = sum(count for _, count in model.found.parts)
        rows.append(
            ("counted", f"{counted / 1e9:.2f} billion parameters, {model.found.file_bytes / GIB:.2f} GiB")
        )
        if model.found.variant:
            rows.append(("precision", "only half precision here (float16 files)"))
        rows.append(("pipeline", f"{model.found.pipeline}, {model.found.scheduler}"))
    if model.revision:
        commit = f" = {model.found.commit[:12]}" if model.found else ""
        rows.append(("revision", model.revision + commit))
    return facts(rows)


def _ways(ways: Sequence[Plan], chosen: Plan | None) -> str:
    rows = "".join(
        f"<tr><td>{'→ ' if way == chosen else ''}{escape(way.title)}</td>"
        f"<td>{gib(way.accelerator_bytes) if way.accelerator_bytes else '–'}</td>"
        f"<td>{gib(way.ram_bytes)}</td>"
        f"<td>{'fits' if way.fits else f'lacks {gib(way.shortfall)}'}</td></tr>"
        for way in ways
    )
    return (
        "<details><summary>All ways that were considered, the fastest first</summary>"
        '<div class="scroll"><table><tr><th>way</th><th>accelerator</th><th>memory</th><th></th></tr>'
        f'{rows}</table></div><p class="fm-note">Weights are counted; what a step needs beside them is an '
        "allowance that grows with the picture.</p></details>"
    )


def _scrubber(steps: Sequence[StepShown]) -> str:
    """A slider over the steps with both pictures large; `room` moves it in the browser."""
    if len(steps) < 2:
        return ""
    slider = f'<input type="range" min="1" max="{len(steps)}" value="1" aria-label="step of the film strip">'
    return slider + _looks(steps[0], f"<output>{steps[0].record.sigma:.3f}</output>")


def _looks(step: StepShown, t: str) -> str:
    return (
        f'<div class="hub-look"><figure>{_x_img(step)}x<sub>t</sub> at t = {t}</figure>'
        f"<figure>{_x0_img(step)}x̂₀ expected from there</figure></div>"
    )


def _frame(step: StepShown, numbers: StepMeasures) -> str:
    return (
        f'<figure data-t="{numbers.sigma:.3f}">{_x_img(step)}{_x0_img(step)}'
        f"t = {numbers.sigma:.3f}<br>|u| = {numbers.speed:.2f}<br>bend {numbers.bend:.3f}<br>"
        f"{numbers.seconds:.2f} s</figure>"
    )


def _x_img(step: StepShown) -> str:
    return f'<img alt="x at t = {step.record.sigma:.3f}" src="{_small(step.x_look[0])}">'


def _x0_img(step: StepShown) -> str:
    return f'<img alt="expected data" src="{_small(step.x0_look[0])}">'


def _small(picture: Tensor) -> str:
    """A small look at a picture (3, height, width) of bytes."""
    image, buffer = picture_of(picture), io.BytesIO()
    image.thumbnail((_LOOK_SIDE, _LOOK_SIDE))
    image.save(buffer, "JPEG", quality=82)
    return _source(buffer.getvalue(), "jpeg")


def _source(file: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(file).decode('ascii')}"
