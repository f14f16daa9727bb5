"""Long actions: asked to end, they do so by themselves and have the last word."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from fmstudio.ui.halting import halt, halted, runs, until_halted
from fmstudio.ui.page import build
from fmstudio.ui.visitor import Visitor


def letters(left: list[str]) -> Generator[str]:
    try:
        yield from "abc"
    finally:
        left.append("closed")


def test_a_halted_action_is_closed_before_its_last_word() -> None:
    state, left = Visitor(), []
    action = until_halted(state, "grid", letters(left), lambda: f"stopped, {left[0]}")
    assert next(action) == "a"
    assert runs(state, "grid")
    halt(state, "grid")
    assert halted(state, "grid")
    assert list(action) == ["stopped, closed"]
    assert state.running == []


def test_an_action_that_nobody_halts_says_all_of_its_own() -> None:
    state, left = Visitor(), []
    assert list(until_halted(state, "grid", letters(left), lambda: "stopped")) == ["a", "b", "c"]
    assert left == ["closed"]
    assert state.running == []


def test_halting_one_leaves_the_others_and_those_that_come_later_alone() -> None:
    state = Visitor()
    grid, film = (until_halted(state, name, letters([]), lambda: "stopped") for name in ("grid", "film"))
    next(grid), next(film)
    halt(state, "grid")
    halt(state, "map")
    assert not halted(state, "film")
    assert list(film) == ["b", "c"]
    later = until_halted(state, "grid", letters([]), lambda: "stopped")
    assert list(later) == ["a", "b", "c"]
    assert list(grid) == ["stopped"]


def test_an_action_that_fails_or_is_left_is_no_longer_under_way() -> None:
    def fails() -> Generator[str]:
        yield "a"
        raise ValueError("no")

    state, left = Visitor(), []
    failing = until_halted(state, "grid", fails(), lambda: "stopped")
    next(failing)
    with pytest.raises(ValueError, match="no"):
        next(failing)
    leaving = until_halted(state, "grid", letters(left), lambda: "stopped")
    next(leaving)
    leaving.close()
    assert left == ["closed"]
    assert state.running == []


def test_nothing_on_the_page_is_cancelled() -> None:
    assert [event.name for event in build().fns.values() if event.cancels] == []
