"""What the note's room shows of each claim: stored results of the default experiment, or the visitor's.

No gradio here.
"""

from __future__ import annotations

from collections.abc import Generator
from functools import lru_cache
from html import escape
from typing import Any

from fmstudio.folders import ASSETS
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.fields import fields_of
from fmstudio.note import CLAIMS
from fmstudio.note.claim import quantity
from fmstudio.note.lineage import METHODS, Lineage, lineage
from fmstudio.note.lineage import applies as lineage_applies
from fmstudio.note.report import Report, Result, from_json, predicted, run_claim
from fmstudio.plots.svg.figures import thumbnail_svg, words_html
from fmstudio.plots.svg.page import (
    checks_html,
    lineage_html,
    notice_html,
    panels_html,
    predicted_words,
    verdict_html,
)
from fmstudio.ui.visitor import Visitor

STORED = ASSETS / "note"
"""Reports of the default experiment, made by ``python -m fmstudio note``."""

#: Choices that claims depend on: not how other rooms train and sample, nor how many pairs a coupling matches.
_SEEN = frozenset({*fields_of("data", "source", "path"), "coupling", "target"})


def subject(experiment: Experiment) -> dict[str, Any]:
    """The choices that the claims depend on, where they differ from the default."""
    return {name: value for name, value in experiment.changes().items() if name in _SEEN}


@lru_cache(maxsize=2)
def stored(name: str) -> Report:
    """The checked-in report of the default experiment on the linear or the spherical path."""
    return from_json(Report, (STORED / name / "note.json").read_text("utf-8"))


def shown(visitor: Visitor, number: str, broken: bool) -> tuple[Result, bool]:
    """The result to show for a claim, and whether it is of the visitor's experiment.

    The visitor's own last result comes first; then a stored one, which is of the visitor's experiment if that
    is the default one on the linear or the spherical path.
    """
    asked = subject(visitor.experiment)
    own = visitor.claims.get((number, broken))
    if own is not None and own.experiment == asked:
        return own, True
    name = "spherical" if visitor.experiment.path == "spherical" else "linear"
    of_stored = {"path": "spherical"} if name == "spherical" else {}
    results = [r for r in stored(name).results if r.number == number and r.broken == broken]
    return results[0], asked == of_stored


def run(visitor: Visitor, number: str, broken: bool) -> Generator[float, None, Result]:
    """Run a claim on the visitor's experiment, and keep the result for this visitor."""
    result = yield from run_claim(CLAIMS[number], plain(visitor.experiment), broken)
    visitor.claims[number, broken] = result
    return result


def predict(visitor: Visitor, number: str) -> Result:
    """What the claim predicts for the visitor's experiment."""
    return predicted(CLAIMS[number], plain(visitor.experiment))


def run_lineage(visitor: Visitor) -> Generator[float, None, Lineage]:
    """Train and sample the lineage on the visitor's data.

    Raises:
        ValueError: the chain does not apply to the experiment.
    """
    experiment = plain(visitor.experiment)
    reason = lineage_applies(experiment)
    if reason is not None:
        raise ValueError(reason)
    table = yield from lineage(experiment)
    visitor.lineage = subject(experiment), table
    return table


def plain(experiment: Experiment) -> Experiment:
    """The experiment with the defaults wherever no claim depends on the choice."""
    return experiment.only(_SEEN)


def figures_html(result: Result) -> str:
    """The panels; nothing where the claim does not apply."""
    return "" if result.refusal else panels_html(result)


def outcome_html(visitor: Visitor, result: Result, own: bool) -> str:
    """The verdict on the visitor's experiment; else why there is none, or whose verdict it is."""
    reason = None if own else CLAIMS[result.number].applies(visitor.experiment)
    if reason is not None:
        return notice_html(reason)
    if own or result.verdict is None:
        return verdict_html(result)
    return notice_html(f"On the default experiment: {result.verdict.sentence} Press Run to measure yours.")


def numbers_html(result: Result, own: bool) -> str:
    """The numbers of the verdict, the notes, and whose experiment they are of."""
    whose = "" if own else "Figures of the default experiment. Press Run to measure yours. "
    notes = [] if result.prediction is None else [*result.prediction.notes]
    notes += [] if result.measurement is None else [*result.measurement.notes]
    table = checks_html(result.verdict) if result.verdict else ""
    return f'{table}<p class="fm-note">{escape(whose + " ".join(notes))}</p>'


def mark(result: Result, own: bool) -> str:
    """✓ or ✗ for a claim that was run on the visitor's experiment, else nothing."""
    if not own or result.verdict is None:
        return ""
    return "✓" if result.verdict.holds else "✗"


def tab_label(visitor: Visitor, number: str) -> str:
    """The claim's number with its mark, for the strip of pages."""
    return f"{number} {mark(*shown(visitor, number, False))}".strip()


def overview_html(visitor: Visitor) -> str:
    """All claims as rows that open their pages: sentence, prediction, measured figure, verdict."""
    results = {number: shown(visitor, number, False) for number in CLAIMS}
    rows = "".join(_row(visitor, *pair) for pair in results.values())
    others = sum(not own for _, own in results.values())
    note = ""
    if others:
        which = "All figures are" if others == len(results) else f"{others} of the figures are"
        note = f"{which} of the default experiment; run the claims to measure yours."
    return f'<div class="note-overview">{rows}</div><p class="fm-note">{note}</p>'


def _row(visitor: Visitor, result: Result, own: bool) -> str:
    claim = CLAIMS[result.number]
    reason = claim.applies(visitor.experiment)
    if reason or result.verdict is None:
        said = reason or result.refusal or "Not yet measured."
        figures, sign, role = escape(said), "–", "original"
    else:
        checks = {c.name: c for c in result.verdict.checks}
        failing = [c for c in result.verdict.checks if not c.holds]
        # On a line a point has no second coordinate, so a name may be missing.
        headline = [checks[name] for name in claim.headline if name in checks]
        best = failing[:2] or headline or [result.verdict.checks[0]]
        figures = "".join(
            f"<span>{words_html(c.name)}</span><b>{quantity(c.measured, c.error)}</b>"
            f"<i>predicted {predicted_words(c)}</i>"
            for c in best
        )
        sign = "✓" if result.verdict.holds else "✗"
        role = ("exact" if result.verdict.holds else "error") if own else "original"
    return (
        f'<button type="button" class="note-row" data-claim="{claim.number}">'
        f'<span class="sign" style="--v:var(--fm-{role})">{sign}</span>'
        f'<span class="what"><b>{claim.number} · {escape(claim.title)}</b>'
        f"<small>{words_html(claim.sentence)}</small></span>"
        f'<span class="figures">{figures}</span></button>'
    )


def pager_html(number: str | None) -> str:
    """Buttons to the page before and the page after a claim's; None for the lineage's."""
    pages = [("overview", "All ten claims"), *((c.number, f"{c.number} {c.title}") for c in CLAIMS.values())]
    pages.append(("lineage", "From 2015 to rectified flow"))
    place = [key for key, _ in pages].index(number or "lineage")
    before, after = pages[place - 1], pages[place + 1] if place + 1 < len(pages) else None
    return (
        f'<nav class="note-pager"><button type="button" data-claim="{before[0]}">← {before[1]}</button>'
        + (f'<button type="button" data-claim="{after[0]}">{after[1]} →</button>' if after else "")
        + "</nav>"
    )


def lineage_of(visitor: Visitor) -> tuple[Lineage, bool]:
    """The visitor's lineage or the stored one, and whether it is of the visitor's experiment."""
    asked = subject(visitor.experiment)
    if visitor.lineage is not None and visitor.lineage[0] == asked:
        return visitor.lineage[1], True
    table = stored("linear").lineage
    assert table is not None
    return table, not set(asked) - {"path"}


def lineage_formula(index: int) -> str:
    """The loss of one method, and what it changes, as Markdown."""
    name, year, trajectories, target, loss = METHODS[index]
    what = f"Trajectories: {trajectories}. Regression on: {words_html(target)}."
    return f"**{name}, {year}.** {what}\n\n$${loss}$$"


def lineage_samples(table: Lineage, index: int) -> str:
    """The samples of one method at every number of steps."""
    row = table.rows[index]
    figures = "".join(
        f"<figure><figcaption><b>{count} step{'s' if count > 1 else ''}</b> {quantity(d, e)}</figcaption>"
        f"{thumbnail_svg(cloud, 200)}</figure>"
        for count, d, e, cloud in zip(table.steps, row.distances, row.errors, row.samples, strict=True)
    )
    return f'<div class="note-samples">{figures}</div>'


def lineage_table(table: Lineage, own: bool, index: int) -> str:
    """The figures of all methods and their curves, one of them marked; and whose experiment they are of."""
    whose = "" if own else '<p class="fm-note">Of the default experiment. Press Run to measure yours.</p>'
    return f"{whose}{lineage_html(table, index)}"


def years_html() -> str:
    """What stands under the slider's places."""
    words = "".join(f"<span>{escape(name)}<small>{year}</small></span>" for name, year, *_ in METHODS)
    return f'<div class="note-ticks">{words}</div>'
