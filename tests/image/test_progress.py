import pytest

from fmstudio.image.progress import FEWEST, Pace


def add(pace: Pace, kind: str, steps: int, units: float, seconds: float) -> None:
    for _ in range(steps):
        pace.add(kind, units, seconds)


def test_nothing_is_promised_before_there_are_steps_enough_to_tell() -> None:
    pace = Pace({"float32": 10})
    now = pace.now("sampling")
    assert (now.what, now.share, now.left) == ("sampling", 0.0, None)
    add(pace, "float32", FEWEST - 1, 1, 2.0)
    assert pace.now("").left is None


def test_what_is_left_comes_from_the_steps_measured() -> None:
    pace = Pace({"float32": 10})
    add(pace, "float32", 4, 1, 0.5)
    now = pace.now("sampling")
    assert now.left == pytest.approx(3.0)
    assert now.share == pytest.approx(0.4)


def test_a_first_step_that_warms_up_is_not_what_all_others_are_taken_to_be() -> None:
    pace = Pace({"float32": 103})
    pace.add("float32", 1, 9.0)
    add(pace, "float32", 2, 1, 0.1)
    assert pace.now("").left == pytest.approx(100 * 0.1)


def test_the_latest_steps_tell_the_speed() -> None:
    pace = Pace({"float32": 400})
    add(pace, "float32", 100, 1, 1.0)
    add(pace, "float32", 100, 1, 0.1)
    assert pace.now("").left == pytest.approx(200 * 0.1)


def test_each_kind_of_work_has_its_own_speed() -> None:
    pace = Pace({"fast": 10, "slow": 10})
    add(pace, "fast", 5, 1, 0.2)
    assert pace.now("").left == pytest.approx(3.0)  # the slow kind is taken to be as fast
    add(pace, "slow", 3, 1, 2.0)
    assert pace.now("").left == pytest.approx(1.0 + 14.0)


def test_what_is_done_never_falls_back() -> None:
    pace = Pace({"fast": 10, "slow": 100})
    add(pace, "fast", 10, 1, 0.1)
    before = pace.now("").share
    add(pace, "slow", 3, 1, 5.0)
    assert pace.now("").share >= before
