"""The benchmarks: every race runs at tiny sizes, and their way of counting is right."""

from __future__ import annotations

import importlib

import pytest

from benchmarks.__main__ import NAMES, ORDER, report
from benchmarks.quality import Entrant, Mark, curve, reached
from benchmarks.race import Goal, Result, in_turns

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

_MARKS = {
    "images": pytest.mark.slow,
    "motion": pytest.mark.browser,
    "firstrow": [pytest.mark.browser, pytest.mark.slow],
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=_MARKS.get(n, ())) for n in NAMES],
)
def test_race_runs(name: str) -> None:
    module = importlib.import_module(f"benchmarks.{name}")
    result = module.race(**module.QUICK)
    assert result.rows
    assert all(len(row) == len(result.columns) for row in result.rows)
    assert result.goals
    lines = result.markdown().splitlines()
    assert lines[0] == f"## {result.title}"
    assert sum(line.startswith("| ") for line in lines) == len(result.rows) + len(result.goals) + 4


def test_every_race_has_a_place_in_the_report() -> None:
    assert sorted(NAMES) == sorted(ORDER)
    result = Result("A race", "About it.", ("who", "s"), (("ours", "1"),), (Goal("≥ 2 ×", "1 ×", False),))
    text = report({"steps": result})
    assert "| A race | ≥ 2 × | 1 × | **no** |" in text
    assert "Not run: quality, oracle" in text


def test_turns_alternate_and_the_first_round_does_not_count() -> None:
    order: list[str] = []
    now = iter(range(100))

    def run(name: str) -> None:
        order.append(name)
        for _ in range(3 if name == "b" and len(order) > 2 else 0):
            next(now)

    times = in_turns({"a": lambda: run("a"), "b": lambda: run("b")}, 2, lambda: float(next(now)))
    assert order == ["a", "b"] * 3
    assert (times["a"].median, times["b"].median) == (1, 4)


def test_one_low_is_not_enough_to_arrive() -> None:
    marks = [Mark(1, 10, 0.001), Mark(2, 20, 0.004), Mark(3, 30, 0.001), Mark(4, 40, 0.0015)]
    assert reached(marks, 0.002) == 3
    assert reached(marks, 0.005) == 1
    assert reached(marks[:3], 0.002) is None


def test_ratio_is_a_lower_bound_where_a_peer_did_not_arrive() -> None:
    def run(seconds: float, low: float) -> list[Mark]:
        return [Mark(seconds, 1, low), Mark(2 * seconds, 2, low)]

    mine = Entrant("ours", (run(1, 0.001), run(2, 0.001), run(5, 0.001)))
    late = Entrant("late", (run(10, 0.001), run(20, 0.001), run(30, 1.0)))
    never = Entrant("never", (run(10, 1.0), run(20, 0.001), run(30, 1.0)))
    assert (mine.time(0.002), late.time(0.002), never.time(0.002)) == (2, 20, None)
    assert late.ratio(mine, 0.002) == 10
    assert never.ratio(mine, 0.002) == 30
    assert never.row(mine)[3:6] == ("> 60.0", "> 30.0", "> 30.0")
    assert mine.ratio(never, 0.002) == 0


def test_a_run_ends_at_its_limit() -> None:
    import torch

    asked: list[float] = []

    def advance(seconds: float) -> tuple[int, bool]:
        asked.append(seconds)
        return len(asked), len(asked) == 3

    cloud = torch.randn(20, 2, generator=torch.Generator().manual_seed(0))
    assert len(curve(advance, lambda n: cloud[:n], cloud, float("inf"), None)) == 3
    assert all(seconds > 0 for seconds in asked)
