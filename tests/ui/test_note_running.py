"""A run of the note's room as the page shows it: its place in line, its bar, its end, its error."""

from __future__ import annotations

from collections.abc import Generator

import gradio as gr
import pytest

from fmstudio.studio.line import TRAININGS
from fmstudio.studio.running import Done, Event, Halted
from fmstudio.studio.session import Visitor
from fmstudio.ui.rooms.note.running import Run, Share, run_and_stop
from fmstudio.ui.wiring import Updates


@pytest.fixture
def run() -> Run:
    with gr.Blocks():
        return Run("C1", *run_and_stop("C1", "Run"), gr.HTML())


def shares(end: Exception | None = None) -> Generator[float | Share, None, str]:
    yield 0.25
    yield Share(0.5, "C1 <b>")  # Too soon after the last to be shown.
    if end is not None:
        raise end
    return "measured"


def last(event: Event[float | Share, str]) -> Updates:
    return {"shown": event} if isinstance(event, Done | Halted) else {}  # pyright: ignore[reportReturnType]


def buttons(run: Run, updates: Updates) -> tuple[bool, bool]:
    return updates[run.start]["interactive"], updates[run.stop]["interactive"]


def test_a_run_shows_a_bar_now_and_then_and_its_result(run: Run) -> None:
    begun, share, done = run.told(Visitor(), shares, last)
    assert buttons(run, begun) == (False, True)
    assert share == {run.status: '<progress value="0.250" max="1"></progress>'}
    assert buttons(run, done) == (True, False)
    assert done[run.status] == ""
    assert done["shown"] == Done("measured")  # pyright: ignore[reportArgumentType]


def test_a_run_that_fails_says_why_and_leaves_the_buttons_right(run: Run) -> None:
    *_, failed = run.told(Visitor(), lambda: shares(ValueError("no <such> path")), last)
    assert buttons(run, failed) == (True, False)
    assert "no &lt;such&gt; path" in failed[run.status]


def test_a_run_tells_its_place_in_line_and_can_be_stopped_there(run: Run) -> None:
    state = Visitor()
    with TRAININGS.join(), TRAININGS.join():
        told = run.told(state, shares, last)
        waits = next(told)
        assert "before this one" in waits[run.status]
        assert buttons(run, waits) == (False, True)
        state.running.halt("C1")
        (halted,) = told
    assert halted["shown"] == Halted()  # pyright: ignore[reportArgumentType]
    assert buttons(run, halted) == (True, False)


def test_what_is_at_work_is_text() -> None:
    assert Share(0.5, "C1 <b>").html().endswith("<small>C1 &lt;b&gt;</small>")
