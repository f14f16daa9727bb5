"""The note as one HTML file that needs nothing else: every claim with its numbers, panels and verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from html import escape
from pathlib import Path

from fmstudio.learn.experiment import Experiment
from fmstudio.note import CLAIMS
from fmstudio.note.claim import Verdict
from fmstudio.note.lineage import Lineage
from fmstudio.note.report import Report, Result, make_report, to_json
from fmstudio.plots.note_figures import figures_html, words_html
from fmstudio.plots.palette import css_variables

STYLE = Path(__file__).resolve().parents[2] / "assets" / "note.css"
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


def checks_html(verdict: Verdict) -> str:
    """The numbers of a verdict as a table."""
    words = {"equals": "=", "at most": "≤", "above": ">", "below": "<"}
    rows = []
    for c in verdict.checks:
        slack = f" ± {c.slack:.2g}" if c.slack else ""
        error = f" ± {c.error:.2g}" if c.error else ""
        mark = "✓" if c.holds else "✗"
        predicted = f"{words[c.relation]} {c.predicted:.4g}{slack}"
        rows.append(
            f"<tr><td>{words_html(c.name)}</td><td>{predicted}</td>"
            f"<td>{c.measured:.4g}{error}</td><td>{mark}</td></tr>"
        )
    return (
        '<div class="note-scroll"><table class="note-checks"><tr><th>number</th><th>predicted</th>'
        f"<th>measured ± std. error</th><th></th></tr>{''.join(rows)}</table></div>"
    )


def verdict_html(result: Result) -> str:
    """The outcome in words; green where it holds, red where it does not."""
    if result.refusal:
        return f'<div class="note-verdict" style="--v:var(--fm-original)">{escape(result.refusal)}</div>'
    if result.verdict is None:
        return '<div class="note-verdict" style="--v:var(--fm-original)">Predicted, not yet measured.</div>'
    role = "exact" if result.verdict.holds else "error"
    return (
        f'<div class="note-verdict" style="--v:var(--fm-{role})">{words_html(result.verdict.sentence)} '
        f"<small>{result.seconds:.1f} s of computing</small></div>"
    )


def panels_html(result: Result) -> str:
    """All panels of a result."""
    return figures_html(result.panels, f"{result.number}{'-broken' if result.broken else ''}")


def lineage_html(table: Lineage) -> str:
    """The lineage as one table of energy distances, its curves, and the samples at every number of steps."""
    head = "".join(f"<th>{n}</th>" for n in table.steps)
    rows = "".join(
        f"<tr><td>{escape(r.name)}, {r.year}</td><td>{escape(r.trajectories)}</td>"
        f"<td>{words_html(r.target)}</td>"
        + "".join(f"<td>{d:.4f} ± {e:.4f}</td>" for d, e in zip(r.distances, r.errors, strict=True))
        + "</tr>"
        for r in table.rows
    )
    return (
        f'<div class="note-scroll"><table class="note-checks"><tr><th>method</th><th>trajectories Q</th>'
        f"<th>regression on</th>{head}</tr>{rows}</table></div><p class='soft'>Energy distance to fresh data "
        f"after so many steps; {table.budget:,} training steps each; two fresh samples differ by "
        f"± {table.floor:.4f}.</p>{figures_html([table.panel])}"
    )


def page_html(report: Report) -> str:
    """The whole report as a page; light and dark follow the reader's system."""
    parts = []
    for result in report.results:
        claim = CLAIMS[result.number]
        if result.broken:
            body = f"<h3>Broken: {words_html(claim.breaks)}</h3>{verdict_html(result)}"
            body += checks_html(result.verdict) if result.verdict else ""
            parts.append(f"<details><summary>What would break it</summary>{body}</details>")
            continue
        notes = (
            (*result.prediction.notes, *(result.measurement.notes if result.measurement else ()))
            if result.prediction
            else ()
        )
        parts.append(
            f"<h2>{claim.number} · {escape(claim.title)} <small>section {claim.section}</small></h2>"
            f"<p>{words_html(claim.sentence)}</p><p><code>{escape(claim.formula)}</code></p>"
            f"{panels_html(result)}{verdict_html(result)}"
            f"{checks_html(result.verdict) if result.verdict else ''}"
            f"<p class='soft'>{escape(' '.join(notes))}</p>"
        )
    if report.lineage is not None:
        parts.append(f"<h2>From 2015 to rectified flow</h2>{lineage_html(report.lineage)}")
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


def run_note(
    experiment: Experiment,
    claims: Iterable[str] | None = None,
    folder: Path | str = ".",
    progress: Callable[[float, str], None] | None = None,
) -> tuple[Path, Path]:
    """Run claims, each as it should be and broken, and write ``note.json`` and ``note.html``.

    Args:
        experiment: of every claim.
        claims: their numbers; None for all ten, and with all ten the lineage is run as well.
        folder: where to write; made if it is not there.
        progress: told the finished share in (0, 1) and what is at work.

    Returns:
        The paths of the two files.
    """
    wanted = tuple(CLAIMS if claims is None else claims)
    report = make_report(experiment, wanted, with_lineage=set(wanted) == set(CLAIMS), progress=progress)
    where = Path(folder)
    where.mkdir(parents=True, exist_ok=True)
    paths = where / "note.json", where / "note.html"
    paths[0].write_text(to_json(report), encoding="utf-8")
    paths[1].write_text(page_html(report), encoding="utf-8")
    return paths
