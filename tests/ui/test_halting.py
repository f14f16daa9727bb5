"""Long actions: asked to end, they do so by themselves and have the last word."""

from __future__ import annotations

from collections.abc import Generator

import gradio as gr
import pytest

from fmstudio.studio import line as line_module
from fmstudio.studio.line import Line
from fmstudio.studio.running import Begins, Done, Failed, Halted, Pulse, Reports, Running, Stopped, Waits


def letters(left: list[str]) -> Generator[str, None, int]:
    try:
        yield from "abc"
    finally:
        left.append("closed")
    return 3


def test_a_halted_action_is_closed_before_its_last_word() -> None:
    running, left = Running(), []
    action = running.run("grid", lambda: letters(left))
    assert [next(action), next(action)] == [Begins(), Reports("a")]
    assert running.has("grid")
    running.halt("grid")
    assert running.halted("grid")
    assert (next(action), left) == (Halted(), ["closed"])
    assert list(action) == []
    assert running.actions == []


def test_an_action_that_nobody_halts_says_all_of_its_own() -> None:
    running, left = Running(), []
    said = list(running.run("grid", lambda: letters(left)))
    assert said == [Begins(), Reports("a"), Reports("b"), Reports("c"), Done(3)]
    assert left == ["closed"]
    assert running.actions == []


def test_halting_one_leaves_the_others_and_those_that_come_later_alone() -> None:
    running = Running()
    grid, film = (running.run(name, lambda: letters([])) for name in ("grid", "film"))
    for action in (grid, film):
        assert [next(action), next(action)] == [Begins(), Reports("a")]
    running.halt("grid")
    running.halt("map")
    assert not running.halted("film")
    assert list(film) == [Reports("b"), Reports("c"), Done(3)]
    later = running.run("grid", lambda: letters([]))
    assert list(later) == [Begins(), Reports("a"), Reports("b"), Reports("c"), Done(3)]
    assert list(grid) == [Halted()]


def test_an_action_that_fails_or_is_left_is_no_longer_under_way() -> None:
    def fails(error: Exception) -> Generator[str]:
        yield "a"
        raise error

    running, left, no = Running(), list[str](), ValueError("no")
    # A sentence for the visitor is the last word; a defect goes on.
    assert list(running.run("grid", lambda: fails(no))) == [Begins(), Reports("a"), Failed(no)]
    with pytest.raises(KeyError, match="defect"):
        list(running.run("grid", lambda: fails(KeyError("defect"))))
    leaving = running.run("grid", lambda: letters(left))
    assert [next(leaving), next(leaving)] == [Begins(), Reports("a")]
    leaving.close()
    assert left == ["closed"]
    assert running.actions == []


def test_an_action_can_be_halted_in_line_and_never_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_module, "_LOOK_AGAIN", 0.01)
    running, line, left = Running(), Line("the machine is small"), []
    with line.join():
        action = running.run("grid", lambda: letters(left), line)
        assert isinstance(next(action), Waits)
        running.halt("grid")
        assert list(action) == [Halted()]
    assert left == []
    assert line.places == ()


def test_what_is_newer_ends_what_is_under_way() -> None:
    running = Running()
    with (
        running.instead("sampling") as first,
        running.beside("other") as other,
        running.instead("sampling") as second,
    ):
        assert (first.halted, second.halted, other.halted) == (True, False, False)
        with pytest.raises(Stopped):
            first.go_on()
        second.go_on(1, 2)
    assert running.actions == []


def test_ending_an_action_waits_for_it_only_so_long() -> None:
    running, now = Running(), iter(range(100))
    with running.beside("training") as action:
        running.end("training", patience=3.0, clock=lambda: float(next(now)))
        assert action.halted
    assert next(now) == 4


def test_a_pulse_comes_at_once_and_then_now_and_then() -> None:
    times = iter([0.0, 0.1, 0.49, 0.5, 0.6, 1.0])
    pulse = Pulse(0.5, lambda: next(times))
    assert [pulse.due() for _ in range(6)] == [True, False, False, True, False, True]


def test_nothing_on_the_page_is_cancelled(built: gr.Blocks) -> None:
    assert [event.name for event in built.fns.values() if event.cancels] == []
