import pytest

from fmstudio.image.progress import Pace


def test_nothing_is_promised_before_the_first_step():
    now = Pace({"float32": 10}).now("sampling")
    assert (now.what, now.share, now.left) == ("sampling", 0.0, None)


def test_what_is_left_comes_from_the_steps_measured():
    pace = Pace({"float32": 10})
    pace.add("float32", 4, 2.0)
    now = pace.now("sampling")
    assert now.left == pytest.approx(3.0)
    assert now.share == pytest.approx(0.4)


def test_each_kind_of_work_has_its_own_speed():
    pace = Pace({"fast": 10, "slow": 10})
    pace.add("fast", 5, 1.0)
    assert pace.now("").left == pytest.approx(3.0)  # the slow kind is taken to be as fast
    pace.add("slow", 1, 2.0)
    assert pace.now("").left == pytest.approx(1.0 + 18.0)


def test_work_found_done_is_dropped():
    pace = Pace({"float32": 10})
    pace.add("float32", 2, 1.0)
    pace.drop({"float32": 8})
    assert pace.now("").left == pytest.approx(0.0)
    assert pace.now("").share == pytest.approx(1.0)
