"""The rules by which a prediction and a measurement are compared, and the form they are kept in."""

import math

import pytest
import torch
from scipy import stats

from fmstudio.note import CLAIMS
from fmstudio.note.claim import (
    NUMBERS,
    RATE,
    Expected,
    Measured,
    Measurement,
    Prediction,
    check,
    merge,
    quantile,
)
from fmstudio.note.parts.panel import Panel, plain, series
from fmstudio.note.parts.setting import jackknife, repeated
from fmstudio.note.report import Result, finished, from_json, to_json

ROOM = 0.1 * quantile(0)


@pytest.mark.parametrize(
    ("relation", "measured", "error", "holds"),
    [
        ("equals", 1 + 0.99 * ROOM, 0.1, True),
        ("equals", 1 + 1.1 * ROOM, 0.1, False),
        ("equals", 1 - 1.1 * ROOM, 0.1, False),
        ("at most", 0.0, 0.0, True),
        ("at most", -100.0, 0.1, True),
        ("at most", 1 + 0.99 * ROOM, 0.1, True),
        ("at most", 1 + 1.1 * ROOM, 0.1, False),
        ("above", 1 + 1.1 * ROOM, 0.1, True),
        ("above", 1 + 0.9 * ROOM, 0.1, False),
        ("above", 1.0, 0.0, False),
        ("below", 1 - 1.1 * ROOM, 0.1, True),
        ("below", 1 - 0.9 * ROOM, 0.1, False),
        ("equals", math.nan, 0.1, False),
        ("equals", 1.0, math.inf, False),
    ],
)
def test_a_check_has_its_room_on_the_right_side(relation, measured, error, holds) -> None:
    assert check(Expected("n", 1.0, relation), Measured("n", measured, error)).holds is holds


def test_slack_widens_an_equality() -> None:
    assert check(Expected("n", 1.0, slack=0.2), Measured("n", 1.2)).holds
    assert not check(Expected("n", 1.0, slack=0.2), Measured("n", 1.21)).holds


def test_a_distance_is_counted_in_rooms_beyond_the_slack() -> None:
    found = check(Expected("n", 1.0, slack=0.1), Measured("n", 1.1 + 3 * found_room(0.1, 7), 0.1, 7))
    assert found.distance == pytest.approx(3)
    assert not found.holds


def found_room(error, freedom):
    return check(Expected("n", 0.0), Measured("n", 0.0, error, freedom)).room


@pytest.mark.parametrize("freedom", [3, 15, 23])
def test_the_room_is_the_quantile_of_students_law(freedom) -> None:
    level = RATE / NUMBERS
    assert found_room(0.1, freedom) == pytest.approx(0.1 * stats.t.isf(level / 2, freedom))
    one_sided = check(Expected("n", 0.0, "at most"), Measured("n", 0.0, 0.1, freedom))
    assert one_sided.room == pytest.approx(0.1 * stats.t.isf(level, freedom))


def test_the_error_of_a_prediction_counts_as_that_of_a_measurement() -> None:
    """Welch's test, as scipy has it, at the level at which it just rejects."""
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(9, generator=generator), 2 * torch.randn(21, generator=generator)
    found = check(Expected("n", *_as_expected(repeated(a))), Measured("n", *repeated(b)))
    test = stats.ttest_ind(b.numpy(), a.numpy(), equal_var=False)
    assert (found.measured - found.predicted) / found.error == pytest.approx(test.statistic, rel=1e-5)
    freedom = test.df
    assert found.room == pytest.approx(found.error * stats.t.isf(RATE / NUMBERS / 2, freedom), rel=1e-5)


def _as_expected(found):
    value, error, freedom = found
    return value, "equals", 0.0, error, freedom


def test_a_jackknife_of_a_mean_is_its_standard_error() -> None:
    blocks = torch.randn(12, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert jackknife(lambda mean: mean[1], blocks) == pytest.approx(repeated(blocks[:, 1]))


def test_numbers_that_were_not_predicted_are_refused() -> None:
    claim = CLAIMS["C4"]
    with pytest.raises(ValueError, match="differ"):
        claim.verdict(Prediction((Expected("a", 0.0),)), Measurement((Measured("b", 0.0),)))


def test_one_failure_is_enough_to_fail() -> None:
    claim = CLAIMS["C4"]
    expected = (Expected("a", 0.0), Expected("b", 0.0))
    good = claim.verdict(Prediction(expected), Measurement((Measured("a", 0.0), Measured("b", 0.0))))
    bad = claim.verdict(Prediction(expected), Measurement((Measured("a", 0.0), Measured("b", 1.0))))
    assert good.holds
    assert not bad.holds
    assert "b" in bad.sentence


def test_the_prediction_is_drawn_first_and_the_measurement_over_it() -> None:
    first = Panel("p", "c", "x", "y", (series("formula", "exact", [0.0], [1.0]),))
    over = Panel("p", "", "", "", (series("measured", "original", [0.0], [1.1]),))
    alone = Panel("q", "", "", "", ())
    drawn = merge(Prediction((), (first,)), Measurement((), (alone, over)))
    assert [s.name for s in drawn[0].series] == ["formula", "measured"]
    assert drawn[0].caption == "c"
    assert [p.title for p in drawn] == ["p", "q"]


def test_what_is_not_finite_interrupts_a_line() -> None:
    assert plain(torch.tensor([1.0, math.nan, math.inf])) == (1.0, None, None)


def test_a_result_survives_json() -> None:
    panel = Panel("p", "c", "x", "y", (series("s", "exact", [1.0], [2.0], [0.1], "points"),), log_x=True)
    prediction = Prediction((Expected("n", 1.0, "at most", 0.5),), (panel,), ("note",))
    measurement = Measurement((Measured("n", 1.0, 0.1),), (panel,), repeats=3)
    verdict = CLAIMS["C1"].verdict(prediction, measurement)
    result = Result("C1", {"path": "linear"}, False, None, prediction, measurement, verdict, 1.0)
    assert from_json(Result, to_json(result)) == result


def test_an_unknown_field_in_json_is_refused() -> None:
    with pytest.raises(ValueError, match="expected"):
        from_json(Measured, '{"name": "n", "value": 1.0}')


def test_a_closed_measurement_stops_the_work() -> None:
    ended = []

    def steps(experiment, broken):
        try:
            yield 0.1
            yield 0.2
            ended.append("finished")
        finally:
            ended.append("closed")
        return Measurement(())

    def stop(share):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        finished(steps(None, False), stop)
    assert ended == ["closed"]
