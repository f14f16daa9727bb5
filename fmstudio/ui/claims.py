"""What the note's room shows of each claim: stored results of the default experiment, or the visitor's.

No gradio here.
"""

from __future__ import annotations

from collections.abc import Generator
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any

from fmstudio.learn.experiment import Experiment
from fmstudio.note import CLAIMS
from fmstudio.note.lineage import Lineage, lineage
from fmstudio.note.panel import Panel, Series, series
from fmstudio.note.report import Report, Result, from_json, predicted, run_claim
from fmstudio.plots.note_figures import panel_html
from fmstudio.plots.note_page import checks_html, lineage_html, panels_html, verdict_html
from fmstudio.ui.visitor import Visitor

STORED = Path(__file__).resolve().parents[2] / "assets" / "note"
"""Reports of the default experiment, made by ``python -m fmstudio note``."""

#: Choices that no claim depends on: what the player shows, and how the other rooms train and sample.
_ELSEWHERE = frozenset(
    {
        *(
            "width",
            "depth",
            "fourier",
            "train_steps",
            "batch",
            "learning_rate",
            "schedule",
            "ema",
            "time_law",
        ),
        *("regression", "conditional", "label_drop", "solver", "sample_steps", "sde_noise", "guidance"),
        *("label", "particles", "frames", "coupling_batch", "sinkhorn_reg"),
    }
)


def subject(experiment: Experiment) -> dict[str, Any]:
    """The choices that the claims depend on, where they differ from the default."""
    return {name: value for name, value in experiment.changes().items() if name not in _ELSEWHERE}


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
    result = yield from run_claim(CLAIMS[number], _plain(visitor.experiment), broken)
    visitor.claims[number, broken] = result
    return result


def predict(visitor: Visitor, number: str) -> Result:
    """What the claim predicts for the visitor's experiment."""
    return predicted(CLAIMS[number], _plain(visitor.experiment))


def run_lineage(visitor: Visitor) -> Generator[float, None, Lineage]:
    """Train and sample the lineage on the visitor's data."""
    visitor.lineage = yield from lineage(_plain(visitor.experiment))
    return visitor.lineage


def _plain(experiment: Experiment) -> Experiment:
    """The experiment with the defaults wherever no claim depends on the choice."""
    return Experiment(**subject(experiment))


def figures_html(result: Result) -> str:
    """The panels; nothing where the claim does not apply."""
    return "" if result.refusal else panels_html(result)


def outcome_html(result: Result, own: bool) -> str:
    """The verdict, its numbers, the notes, and whose experiment they are of."""
    whose = "" if own else "Figures of the default experiment. Press Run to measure yours. "
    notes = [] if result.prediction is None else [*result.prediction.notes]
    notes += [] if result.measurement is None else [*result.measurement.notes]
    table = checks_html(result.verdict) if result.verdict else ""
    return f'{verdict_html(result)}{table}<p class="fm-note">{escape(whose + " ".join(notes))}</p>'


def lineage_of(visitor: Visitor) -> Lineage:
    """The visitor's lineage, or the stored one."""
    table = visitor.lineage or stored("linear").lineage
    assert table is not None
    return table


def lineage_table(table: Lineage) -> str:
    """The figures of all rows and their curves."""
    return lineage_html(table)


def lineage_samples(table: Lineage, index: int) -> str:
    """The samples of every row after ``table.steps[index]`` steps."""
    count = table.steps[index]
    panels = [
        Panel(f"{row.name}, {row.year}", f"{count} step{'s' if count > 1 else ''}: {distance:.4f}", "", "",
              (_inside(row.samples[index]),), plane=True)
        for row in table.rows
        for distance in (row.distances[index],)
    ]  # fmt: skip
    return f'<div class="note-panels note-small">{"".join(panel_html(p) for p in panels)}</div>'


def _inside(points: Series, reach: float = 3.2) -> Series:
    """The points within reach of the middle, so that one stray sample does not shrink a small picture."""
    kept = [
        (x, y)
        for x, y in zip(points.x, points.y, strict=True)
        if x is not None and y is not None and max(abs(x), abs(y)) <= reach
    ]
    return series(points.name, points.role, [x for x, _ in kept], [y for _, y in kept], mark=points.mark)
