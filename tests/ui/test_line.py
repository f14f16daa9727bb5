"""A line serves one at a time, in the order of coming, and tells the others their place."""

import threading

import pytest

from fmstudio.ui.line import Line, waiting_words


def test_the_first_is_served_at_once_and_the_next_hears_its_place():
    line = Line()
    first = line.serve(lambda: iter(["a", "b"]), lambda ahead: f"{ahead} before you")
    second = line.serve(lambda: iter(["c"]), lambda ahead: f"{ahead} before you")
    third = line.serve(lambda: iter(["d"]), lambda ahead: f"{ahead} before you")
    assert next(first) == "a"
    assert next(second) == "1 before you"
    assert next(third) == "2 before you"
    assert list(first) == ["b"]
    assert next(third) == "1 before you"
    assert list(second) == ["c"]
    assert list(third) == ["d"]


def test_who_gives_up_frees_the_place():
    line = Line()
    first = line.serve(lambda: iter("ab"), str)
    second = line.serve(lambda: iter("c"), str)
    third = line.serve(lambda: iter("d"), str)
    assert [next(first), next(second), next(third)] == ["a", "1", "2"]
    second.close()
    first.close()
    assert list(third) == ["d"]


def test_work_that_fails_frees_the_place():
    line = Line()

    def failing():
        yield "a"
        raise ValueError("no")

    first = line.serve(failing, str)
    assert next(first) == "a"
    with pytest.raises(ValueError, match="no"):
        next(first)
    assert list(line.serve(lambda: iter("b"), str)) == ["b"]


def test_a_call_without_a_page_waits_for_its_turn():
    line, order = Line(), []

    def call():
        with line.turn():
            order.append("call")

    with line.turn():
        waiting = threading.Thread(target=call)
        waiting.start()
        order.append("page")
    waiting.join(timeout=30)
    assert order == ["page", "call"]


def test_words_for_one_and_for_many():
    assert waiting_words(1).startswith("One action is before this one")
    assert waiting_words(3).startswith("3 actions are before this one")
