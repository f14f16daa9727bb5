"""The note's room in HTML: a claim's figures, verdict and numbers; the table of all; lineage and pager."""

from __future__ import annotations

from html import escape

from fmstudio.note import CLAIMS
from fmstudio.note.claim import quantity
from fmstudio.note.claims.c05_mean import RADIUS
from fmstudio.note.lineage import METHODS, Lineage
from fmstudio.note.report import Result
from fmstudio.plots.probe_panel import probe_html
from fmstudio.plots.svg.figures import thumbnail_svg, words_html
from fmstudio.plots.svg.page import (
    checks_html,
    lineage_html,
    notice_html,
    predicted_words,
    verdict_html,
)
from fmstudio.studio.exhibits import REPEATS, Fitted
from fmstudio.studio.note import shown
from fmstudio.studio.session import Visitor


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
    table = checks_html(result.verdict) if result.verdict else ""
    return f'{table}<p class="fm-note">{escape(whose + " ".join(result.notes))}</p>'


def tab_label(visitor: Visitor, number: str) -> str:
    """The claim's number, and ✓ or ✗ where it was run on the visitor's experiment."""
    result, own = shown(visitor, number, False)
    if not own or result.verdict is None:
        return number
    return f"{number} {'✓' if result.verdict.holds else '✗'}"


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
        f"<small>{words_html(claim.said('sentence'))}</small></span>"
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
    return whose + lineage_html(table, index)


def years_html() -> str:
    """What stands under the slider's places."""
    words = "".join(f"<span>{escape(name)}<small>{year}</small></span>" for name, year, *_ in METHODS)
    return f'<div class="note-ticks">{words}</div>'


def probe_panel_html(found: Fitted) -> str:
    """What is known at a point, beside what a fit to sampled paths finds there, or why it finds nothing."""
    if found.fit is None:
        table = f'<p class="fm-note fm-warn">{escape(found.why_not)}</p>'
    else:
        known, fit = found.probe, found.fit
        axes = ("x", "y")[: len(fit.drift)]
        rows = [
            _fit_row(f"drift, {axis}", float(u), value, error)
            for axis, u, value, error in zip(axes, known.u, fit.drift, fit.drift_error, strict=True)
        ]
        rows.append(_fit_row("variance", known.var, fit.var, fit.var_error))
        table = (
            '<table class="note-checks"><tr><th></th><th>exact</th><th>fitted</th></tr>'
            f"{''.join(rows)}</table>"
            f'<p class="fm-note">Fitted by maximum likelihood to the steps of {fit.caught:,} sampled paths '
            f"that passed within {RADIUS} of the point, in {REPEATS} repeats; the oracle was not asked.</p>"
        )
    probed = probe_html(found.probe, "fitted drift")
    return f'<div class="note-probe"><div>{probed}</div><div>{table}</div></div>'


def _fit_row(name: str, exact: float, value: float, error: float) -> str:
    return f"<tr><td>{name}</td><td>{quantity(exact)}</td><td>{quantity(value, error)}</td></tr>"
