"""At the ends of the sliders a claim holds, or declines with a figure; its broken twin never holds."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from fmstudio.__main__ import main
from fmstudio.learn.experiment import Experiment
from fmstudio.note import CLAIMS
from fmstudio.note.report import Report, from_json, measured, run_claim

#: Where a measurement's own resolution was once taken for the claim's fault.
ENDS: list[tuple[str, dict[str, Any]]] = [
    ("C2", {"path": "spiral", "turn": 6.28}),
    ("C3", {"path": "polynomial", "power": 8}),
    ("C5", {"path": "spiral", "turn": 6.28}),
    ("C6", {"path": "polynomial", "power": 8}),
    ("C6", {"path": "spiral", "turn": 6.28}),
    ("C7", {"path": "zig-zag", "around": "spherical"}),
    ("C8", {"path": "variance preserving", "beta1": 1}),
    ("C8", {"path": "custom"}),
    ("C9", {"path": "variance preserving", "beta1": 1}),
    ("C9", {"path": "polynomial", "power": 8}),
]


@pytest.mark.usefixtures("cheaper")
@pytest.mark.slow
@pytest.mark.parametrize(("number", "changes"), ENDS, ids=lambda value: str(value))
def test_a_claim_holds_or_declines_with_a_figure_and_its_twin_does_not_hold(
    number: str, changes: dict[str, Any]
) -> None:
    experiment = Experiment(**changes)
    result, twin = measured(number, experiment), measured(number, experiment, broken=True)
    if result.verdict is None:
        assert any(letter.isdigit() for letter in result.refusal or ""), result.refusal
    else:
        assert result.verdict.holds, result.verdict.sentence
    assert twin.verdict is None or not twin.verdict.holds
    assert (twin.verdict is None) == (result.verdict is None)


@pytest.mark.slow
def test_where_steps_are_too_long_for_any_formula_the_claim_declines_and_the_report_is_written(
    tmp_path: Path,
) -> None:
    """The paths swing 300 times: what 640 steps see of that has nothing to do with their velocity."""
    swinging = "t*(1 + sin(600*pi*t)/2)"
    swings, plain, page = (tmp_path / name for name in ("swings.json", "note.json", "note.html"))
    swings.write_text(json.dumps({"path": "custom", "formula_a": f"1 - {swinging}", "formula_b": swinging}))
    assert main(["note", str(swings), "--claim", "C6", "--out", str(tmp_path)]) == 0
    results = from_json(Report, plain.read_text("utf-8")).results
    assert [(r.broken, r.verdict) for r in results] == [(False, None), (True, None)]
    assert all("the slope is" in (r.refusal or "") for r in results)
    assert "the slope is" in page.read_text("utf-8")


def test_a_claim_that_cannot_be_measured_leaves_the_others_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def stuck(experiment: Experiment, broken: bool):
        yield 0.5
        raise ValueError("no conversion from the velocity at t = 1")

    work = run_claim(dataclasses.replace(CLAIMS["C4"], steps=stuck), Experiment())
    assert next(work) == 0.5
    with pytest.raises(StopIteration) as end:
        next(work)
    assert end.value.value.verdict is None
    assert "Not measured: no conversion from the velocity at t = 1" in end.value.value.refusal
