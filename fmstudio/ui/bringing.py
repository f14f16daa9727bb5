"""What a visitor brings: drawings, files, choices of what in a file becomes points; what is taken of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from fmstudio.learn import clouds
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.nets.fitting import Note, check, edited, without_leftovers
from fmstudio.studio.session import Visitor
from fmstudio.ui import desk, words
from fmstudio.ui.wiring import sent

_TOLD = ("regression", "target")
"""What an edit may put back that is not in sight: the visitor is told."""

Change = Callable[[], tuple[Experiment, list[Note]]]
"""What makes an experiment of another."""


def accept(state: Visitor, change: Change) -> bool:
    """Make a change of the experiment if it can be; else keep it as it was, and why."""
    try:
        experiment, notes = change()
        check(experiment)
    except ValueError as error:
        state.browser.refused = str(error)
        return False
    state.browser.told += words.notes(note for note in notes if note.name in _TOLD)
    if experiment.path != state.experiment.path:
        state.browser.drafts.clear()
    state.experiment = experiment
    return True


def draw(state: Visitor, event: gr.EventData) -> None:
    """A stroke ended, a drawing was cleared or undone, or a component of the mixture was moved."""
    data = sent(event)
    count, before = data.get("count"), state.experiment.points
    # What is sent quickly may arrive in any order.
    if isinstance(count, int) and count < state.drawn:
        return
    state.drawn = count if isinstance(count, int) else state.drawn + 1
    if "components" in data:
        accept(state, lambda: edited(state.experiment, "mixture", words.mixture_json(data["components"])))
        return
    back = "back" in data
    taken = accept(state, lambda: _with(state, state.put_aside if back else _drawn(data)))
    if taken and not back and before and not clouds.unpack(before).strokes:
        state.put_aside = before


def upload(state: Visitor, file: str | None) -> None:
    """A file was brought: what it suggests becomes the points."""
    if file is not None:
        _make(state, lambda: clouds.made(clouds.read_file(Path(file)), {}))


def choose(name: str) -> Callable[[Visitor, Any], None]:
    """The handler of one choice on the desk."""

    def chosen(state: Visitor, value: Any) -> None:
        state.browser.shown.setdefault(f"desk {name}", {})["value"] = value
        old = state.desk
        if old is not None and old.points == state.experiment.points:
            _make(state, lambda: desk.changed(old, name, value))

    return chosen


def _make(state: Visitor, make: Callable[[], clouds.Made]) -> None:
    done: list[clouds.Made] = []

    def change() -> tuple[Experiment, list[Note]]:
        done.append(make())
        return _with(state, done[0].points)

    if accept(state, change):
        state.desk = done[0]


def _with(state: Visitor, points: str) -> tuple[Experiment, list[Note]]:
    return without_leftovers(state.experiment.but(data="points", points=points), "points")


def _drawn(data: dict[str, Any]) -> str:
    """The points of a drawing; an empty one is the example's."""
    strokes = words.strokes(data)
    return clouds.packed(clouds.from_strokes(strokes)) if strokes else ""
