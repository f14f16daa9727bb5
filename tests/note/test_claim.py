"""The rules by which a prediction and a measurement are compared, and the form they are kept in."""

import math

import pytest
import torch

from fmstudio.note import CLAIMS
from fmstudio.note.claim import Claim, Expected, Measured, Measurement, Prediction, check, merge
from fmstudio.note.panel import Panel, plain, series
from fmstudio.note.report import Result, from_json, to_json


@pytest.mark.parametrize(
    ("relation", "measured", "error", "holds"),
    [
        ("equals", 1.35, 0.1, True),
        ("equals", 1.45, 0.1, False),
        ("equals", 0.55, 0.1, False),
        ("at most", 0.0, 0.0, True),
        ("at most", 1.35, 0.1, True),
        ("at most", 1.45, 0.1, False),
        ("above", 1.45, 0.1, True),
        ("above", 1.35, 0.1, False),
        ("above", 1.0, 0.0, False),
        ("below", 0.55, 0.1, True),
        ("below", 0.65, 0.1, False),
        ("equals", math.nan, 0.1, False),
    ],
)
def test_a_check_uses_the_tolerance_on_the_right_side(relation, measured, error, holds):
    assert check(Expected("n", 1.0, relation), Measured("n", measured, error), 4).holds is holds


def test_slack_widens_an_equality():
    assert check(Expected("n", 1.0, slack=0.2), Measured("n", 1.2), 4).holds
    assert not check(Expected("n", 1.0, slack=0.2), Measured("n", 1.21), 4).holds


def test_a_distance_is_counted_in_standard_errors_beyond_the_slack():
    found = check(Expected("n", 1.0, slack=0.1), Measured("n", 1.6, 0.1), 4)
    assert found.distance == pytest.approx(5)
    assert not found.holds


def test_numbers_that_were_not_predicted_are_refused():
    claim = CLAIMS["C4"]
    with pytest.raises(ValueError, match="differ"):
        claim.verdict(Prediction((Expected("a", 0.0),)), Measurement((Measured("b", 0.0),)))


def test_one_failure_is_enough_to_fail():
    claim = CLAIMS["C4"]
    expected = (Expected("a", 0.0), Expected("b", 0.0))
    good = claim.verdict(Prediction(expected), Measurement((Measured("a", 0.0), Measured("b", 0.0))))
    bad = claim.verdict(Prediction(expected), Measurement((Measured("a", 0.0), Measured("b", 1.0))))
    assert good.holds
    assert not bad.holds
    assert "b" in bad.sentence


def test_the_prediction_is_drawn_first_and_the_measurement_over_it():
    first = Panel("p", "c", "x", "y", (series("formula", "exact", [0.0], [1.0]),))
    over = Panel("p", "", "", "", (series("measured", "original", [0.0], [1.1]),))
    alone = Panel("q", "", "", "", ())
    drawn = merge(Prediction((), (first,)), Measurement((), (alone, over)))
    assert [s.name for s in drawn[0].series] == ["formula", "measured"]
    assert drawn[0].caption == "c"
    assert [p.title for p in drawn] == ["p", "q"]


def test_what_is_not_finite_interrupts_a_line():
    assert plain(torch.tensor([1.0, math.nan, math.inf])) == (1.0, None, None)


def test_a_result_survives_json():
    panel = Panel("p", "c", "x", "y", (series("s", "exact", [1.0], [2.0], [0.1], "points"),), log_x=True)
    prediction = Prediction((Expected("n", 1.0, "at most", 0.5),), (panel,), ("note",))
    measurement = Measurement((Measured("n", 1.0, 0.1),), (panel,), repeats=3)
    verdict = CLAIMS["C1"].verdict(prediction, measurement)
    result = Result("C1", {"path": "linear"}, False, None, prediction, measurement, verdict, 1.0)
    assert from_json(Result, to_json(result)) == result


def test_an_unknown_field_in_json_is_refused():
    with pytest.raises(ValueError, match="expected"):
        from_json(Measured, '{"name": "n", "value": 1.0}')


def test_a_closed_measurement_stops_the_work():
    ended = []

    def steps(experiment, broken):
        try:
            yield 0.1
            yield 0.2
            ended.append("finished")
        finally:
            ended.append("closed")
        return Measurement(())

    values = {name: getattr(CLAIMS["C4"], name) for name in Claim.__dataclass_fields__}
    claim = Claim(**{**values, "steps": steps})

    def stop(share):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        claim.measure(None, progress=stop)  # pyright: ignore[reportArgumentType]
    assert ended == ["closed"]
