"""What a visitor brings: drawings, files, and choices of what in a file becomes points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from fmstudio.learn import clouds
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.nets.fitting import Note, edited, without_leftovers
from fmstudio.studio.session import Visitor
from fmstudio.ui import desk, words
from fmstudio.ui.events import sent


@dataclass(frozen=True)
class Bringing:
    """Handlers of the board, the upload and the desk.

    Args:
        accept: makes a change of a visitor's experiment if it can be built, and says whether it did.
    """

    accept: Callable[[Visitor, Callable[[], tuple[Experiment, list[Note]]]], bool]

    def draw(self, state: Visitor, event: gr.EventData) -> None:
        """A stroke ended, a drawing was cleared or undone, or a component of the mixture was moved."""
        data = sent(event)
        count, before = data.get("count"), state.experiment.points
        # What is sent quickly may arrive in any order.
        if isinstance(count, int) and count < state.drawn:
            return
        state.drawn = count if isinstance(count, int) else state.drawn + 1
        if "components" in data:
            mixture = data["components"]
            self.accept(state, lambda: edited(state.experiment, "mixture", words.mixture_json(mixture)))
            return
        back = "back" in data
        taken = self.accept(state, lambda: _with(state, state.put_aside if back else _drawn(data)))
        if taken and not back and before and not clouds.unpack(before).strokes:
            state.put_aside = before

    def upload(self, state: Visitor, file: str | None) -> None:
        """A file was brought: what it suggests becomes the points."""
        if file is not None:
            self._make(state, lambda: clouds.made(clouds.read_file(Path(file)), {}))

    def choose(self, name: str) -> Callable[[Visitor, Any], None]:
        """The handler of one choice on the desk."""

        def chosen(state: Visitor, value: Any) -> None:
            state.browser.shown.setdefault(f"desk {name}", {})["value"] = value
            old = state.desk
            if old is not None and old.points == state.experiment.points:
                self._make(state, lambda: desk.changed(old, name, value))

        return chosen

    def _make(self, state: Visitor, make: Callable[[], clouds.Made]) -> None:
        done: list[clouds.Made] = []

        def change() -> tuple[Experiment, list[Note]]:
            done.append(make())
            return _with(state, done[0].points)

        if self.accept(state, change):
            state.desk = done[0]


def _with(state: Visitor, points: str) -> tuple[Experiment, list[Note]]:
    return without_leftovers(state.experiment.but(data="points", points=points), "points")


def _drawn(data: dict[str, Any]) -> str:
    """The points of a drawing; an empty one is the example's."""
    strokes = words.strokes(data)
    return clouds.packed(clouds.from_strokes(strokes)) if strokes else ""
