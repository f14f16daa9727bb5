"""A line serves one at a time, in the order of coming, and tells the others their place."""

import threading

import pytest

from fmstudio.ui.line import Line


def test_the_first_is_served_at_once_and_the_next_hears_its_place():
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


def test_who_gives_up_frees_the_place():
    line = Line("the machine is small")
    first = line.serve(lambda: iter("ab"), str)
    second = line.serve(lambda: iter("c"), str)
    third = line.serve(lambda: iter("d"), str)
    assert [next(first), next(second)[:3], next(third)[:3]] == ["a", "One", "2 a"]
    second.close()
    first.close()
    assert list(third) == ["d"]


def test_work_that_fails_frees_the_place():
    line = Line("the machine is small")

    def failing():
        yield "a"
        raise ValueError("no")

    first = line.serve(failing, str)
    assert next(first) == "a"
    with pytest.raises(ValueError, match="no"):
        next(first)
    assert list(line.serve(lambda: iter("b"), str)) == ["b"]


def test_a_call_without_a_page_waits_for_its_turn():
    line, order = Line("the machine is small"), []

    def call():
        with line.turn():
            order.append("call")

    with line.turn():
        waiting = threading.Thread(target=call)
        waiting.start()
        order.append("page")
    waiting.join(timeout=30)
    assert order == ["page", "call"]


def test_several_can_be_served_at_once():
    line = Line("the machine is small", served=2)
    first, second, third, fourth = (line.serve(lambda: iter("ab"), str) for _ in range(4))
    assert [next(first), next(second)] == ["a", "a"]
    assert next(third) == "One action is before this one: the machine is small. It starts by itself."
    assert next(fourth) == "2 actions are before this one: the machine is small. It starts by itself."
    assert list(second) == ["b"]
    assert list(third) == ["a", "b"]
    first.close()
    assert list(fourth) == ["a", "b"]
