"""The note as one HTML file that needs nothing else: every claim with its numbers, panels and verdict."""

from __future__ import annotations

from html import escape

from fmstudio.folders import ASSETS, sections
from fmstudio.learn.experiment import Experiment
from fmstudio.note import CLAIMS
from fmstudio.note.claim import Check, Verdict, quantity
from fmstudio.note.lineage import Lineage, Row
from fmstudio.note.report import Report, Result
from fmstudio.plots.palette import css_variables
from fmstudio.plots.svg.figures import figures_html, thumbnail_svg, words_html

STYLE = ASSETS / "note.css"
"""The style sheet of panels and tables, for the report and the room."""

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport"
content="width=device-width,initial-scale=1"><title>The note, claim by claim</title><style>
{palette}@media(prefers-color-scheme:dark){{:root{{{dark}}}}}
body{{background:var(--fm-page);color:var(--fm-ink);max-width:1080px;margin:2em auto;padding:0 16px;
font:15px/1.55 ui-sans-serif,system-ui,sans-serif}}h2{{margin-top:2.2em;font-size:19px}}
small,.soft{{color:var(--fm-ink-soft)}}code{{font-size:13px;word-break:break-word}}{style}</style>
<h1>The note, claim by claim</h1>
<p class="soft">Wu &amp; Lizarraga, <i>About Flow Matching</i>, 2024. Each claim is predicted from formulas
and the oracle (dashed), then measured. Experiment: <code>{experiment}</code></p>{body}</html>"""


_SIGNS = {"equals": "=", "at most": "≤", "above": ">", "below": "<"}


def predicted_words(c: Check) -> str:
    """What a number should be: "= 1 ± 0.05", "> 0"."""
    return f"{_SIGNS[c.relation]} {quantity(c.predicted, c.slack)}"


def checks_html(verdict: Verdict) -> str:
    """The numbers of a verdict as a table."""
    rows = [
        f"<tr><td>{words_html(c.name)}</td><td>{predicted_words(c)}</td>"
        f"<td>{quantity(c.measured, c.error)}</td><td>{'✓' if c.holds else '✗'}</td></tr>"
        for c in verdict.checks
    ]
    return (
        '<div class="note-scroll"><table class="note-checks"><tr><th>number</th><th>predicted ± leeway</th>'
        f"<th>measured ± std. error</th><th></th></tr>{''.join(rows)}</table></div>"
    )


def notice_html(text: str) -> str:
    """Words where a verdict would stand, in no colour of its own."""
    return f'<div class="note-verdict" style="--v:var(--fm-original)">{words_html(text)}</div>'


def verdict_html(result: Result) -> str:
    """The outcome in words; green where it holds, red where it does not."""
    if result.refusal or result.verdict is None:
        return notice_html(result.refusal or "Predicted, not yet measured.")
    role = "exact" if result.verdict.holds else "error"
    return (
        f'<div class="note-verdict" style="--v:var(--fm-{role})">{words_html(result.verdict.sentence)} '
        f"<small>{result.seconds:.1f} s of computing</small></div>"
    )


def panels_html(result: Result) -> str:
    """All panels of a result."""
    return figures_html(result.panels, f"{result.number}{'-broken' if result.broken else ''}")


def lineage_html(table: Lineage, marked: int | None = None) -> str:
    """The lineage as one table: loss, samples and energy distance at every number of steps; then its curves.

    Args:
        table: the measured lineage.
        marked: the row that stands out, or None.
    """
    head = "".join(f"<th>{_steps(n)}</th>" for n in table.steps)
    rows = "".join(_lineage_row(row, table.steps, k == marked) for k, row in enumerate(table.rows))
    return (
        f'<div class="note-scroll"><table class="note-checks note-lineage"><tr><th>method and loss</th>{head}'
        f"</tr>{rows}</table></div><p class='fm-note soft'>Energy distance to fresh data after so many "
        f"steps; {table.budget:,} training steps each; two fresh samples differ by ± {table.floor:.4f}.</p>"
        f"{figures_html([table.panel])}"
    )


def _steps(count: int) -> str:
    return f"{count} step{'s' if count > 1 else ''}"


def _lineage_row(row: Row, steps: tuple[int, ...], marked: bool) -> str:
    cells = "".join(
        f'<td data-steps="{_steps(n)}">{thumbnail_svg(cloud)}<br>{quantity(d, e)}</td>'
        for n, d, e, cloud in zip(steps, row.distances, row.errors, row.samples, strict=True)
    )
    return (
        f"<tr{' class=marked' if marked else ''}><td><b>{escape(row.name)}</b>, {row.year}<br>"
        f"<span class='loss'>{words_html(plain_loss(row.formula))}</span><br>"
        f"<small>{escape(row.trajectories)}; regression on {words_html(row.target)}</small></td>{cells}</tr>"
    )


_LATEX = (
    (r"\tfrac{\pi}{2}", "(π/2) "), (r"\mid ", "| "), (r"\,", " "), (r"\theta", "θ"), ("^2", "²"),
    ("_1", "₁"), ("_0", "₀"), ("-", " − "),
)  # fmt: skip


def plain_loss(formula: str) -> str:
    """A loss of the lineage without LaTeX, for a table."""
    for latex, plain in _LATEX:
        formula = formula.replace(latex, plain)
    return formula.replace("_{t − 1}", "_{t−1}")


def page_html(report: Report) -> str:
    """The whole report as a page; light and dark follow the reader's system."""
    parts = []
    for result in report.results:
        claim = CLAIMS[result.number]
        if result.broken:
            body = f"<h3>Broken: {words_html(claim.said('breaks'))}</h3>{verdict_html(result)}"
            body += checks_html(result.verdict) if result.verdict else ""
            parts.append(f"<details><summary>What would break it</summary>{body}</details>")
            continue
        parts.append(
            f"<h2>{claim.number} · {escape(claim.title)} <small>section {claim.section}</small></h2>"
            f"<p>{words_html(claim.said('sentence'))}</p><p><code>{escape(claim.said('formula'))}</code></p>"
            f"{panels_html(result)}{verdict_html(result)}"
            f"{checks_html(result.verdict) if result.verdict else ''}"
            f"<p class='soft'>{escape(' '.join(result.notes))}</p>"
            f"<p><b>A question.</b> {words_html(claim.said('question'))}</p>"
        )
    if report.lineage is not None:
        parts.append(
            f"<h2>From 2015 to rectified flow</h2>{lineage_html(report.lineage)}"
            f"<p><b>A question.</b> {words_html(sections('note/claims')['lineage question'])}</p>"
        )
    palette = css_variables()
    dark = palette.split(".dark{", 1)[1].split("}", 1)[0]
    experiment = Experiment(**report.experiment).to_query() or "the default"
    return _PAGE.format(
        palette=palette,
        dark=dark,
        style=STYLE.read_text("utf-8"),
        experiment=escape(experiment),
        body="".join(parts),
    )
