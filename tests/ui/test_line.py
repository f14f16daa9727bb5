"""A line serves one at a time, in the order of coming, and tells the others their place."""

import pytest

from fmstudio.studio import line as module
from fmstudio.studio.line import Line


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> None:
    """Whoever waits looks again soon."""
    monkeypatch.setattr(module, "_LOOK_AGAIN", 0.01)


def test_the_first_is_served_at_once_and_the_next_hears_its_place() -> None:
    line = Line("the machine is small")
    first = line.serve(lambda: iter(["a", "b"]), str)
    second = line.serve(lambda: iter(["c"]), str)
    third = line.serve(lambda: iter(["d"]), str)
    assert next(first) == "a"
    assert next(second).startswith("One action is before")
    assert next(third).startswith("2 actions are before")
    assert list(first) == ["b"]
    assert next(third).startswith("One action is before")
    assert list(second) == ["c"]
    assert list(third) == ["d"]


def test_who_gives_up_frees_the_place() -> None:
    line = Line("the machine is small")
    first = line.serve(lambda: iter("ab"), str)
    second = line.serve(lambda: iter("c"), str)
    third = line.serve(lambda: iter("d"), str)
    assert [next(first), next(second)[:3], next(third)[:3]] == ["a", "One", "2 a"]
    second.close()
    first.close()
    assert list(third) == ["d"]


def test_work_that_fails_frees_the_place() -> None:
    line = Line("the machine is small")

    def failing():
        yield "a"
        raise ValueError("no")

    first = line.serve(failing, str)
    assert next(first) == "a"
    with pytest.raises(ValueError, match="no"):
        next(first)
    assert list(line.serve(lambda: iter("b"), str)) == ["b"]


def test_a_guest_waits_for_every_visitor_and_no_visitor_for_a_guest() -> None:
    line = Line("the machine is small")
    with line.join(guest=True) as first, line.join(guest=True) as second:
        assert [first.ahead(), second.ahead()] == [0, 1]
        visitor = line.serve(lambda: iter("ab"), str)
        assert next(visitor) == "a"  # Although a guest is being served.
        assert [first.ahead(), second.ahead()] == [1, 2]
        with line.join() as other:
            assert other.ahead() == 1
            assert first.ahead() == 2
        assert list(visitor) == ["b"]
        assert [first.ahead(), second.ahead()] == [0, 1]


def test_several_can_be_served_at_once() -> None:
    line = Line("the machine is small", served=2)
    first, second, third, fourth = (line.serve(lambda: iter("ab"), str) for _ in range(4))
    assert [next(first), next(second)] == ["a", "a"]
    assert next(third) == "One action is before this one: the machine is small. It starts by itself."
    assert next(fourth) == "2 actions are before this one: the machine is small. It starts by itself."
    assert list(second) == ["b"]
    assert list(third) == ["a", "b"]
    first.close()
    assert list(fourth) == ["a", "b"]
