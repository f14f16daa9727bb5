"""Lessons: a strip over the rooms whose steps each set an experiment and open a room."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from fmstudio.learn.experiment import Experiment
from fmstudio.ui import words
from fmstudio.ui.element import Element
from fmstudio.ui.wiring import sent

_STEP = re.compile(r"^- \[([^|\]]+)\|([^|\]]*)(\| *own *)?\] (.+)$", re.MULTILINE)
_HTML = """
<section class="fm-lesson" aria-label="Lessons" hidden>
  <div data-lesson="list" class="lesson-list"></div>
  <div data-lesson="body">
    <b data-lesson="title"></b><p data-lesson="text" aria-live="polite"></p>
    <button type="button" data-lesson="back">Back</button>
    <button type="button" data-lesson="next">Next</button>
  </div>
  <button type="button" data-lesson="close" aria-label="Close the lessons">×</button>
</section>
"""


@dataclass(frozen=True)
class Step:
    """What a step says, the room it opens, and its experiment as a query string.

    Args:
        room: to open.
        query: of the experiment.
        own: whether it speaks of the net that the visitor trains; else it shows one of the studio's.
        html: what it says.
    """

    room: str
    query: str
    own: bool
    html: str


@dataclass(frozen=True)
class Opened:
    """What the browser opened.

    Args:
        count: how many steps it has opened so far, and closings.
        experiment: of the step; None where the lessons were closed.
        own: as :class:`Step`.
    """

    count: int
    experiment: Experiment | None
    own: bool


@dataclass(frozen=True)
class Lesson:
    """A title and the steps under it."""

    title: str
    steps: tuple[Step, ...]


def lessons() -> tuple[Lesson, ...]:
    """The lessons of ``assets/text/lessons.md``: sections of lines ``- [room | query | own] text``."""
    return tuple(
        Lesson(
            title,
            tuple(
                Step(room.strip(), query.strip(), bool(own), _html(text))
                for room, query, own, text in _STEP.findall(body)
            ),
        )
        for title, body in words.sections("lessons").items()
    )


def _html(text: str) -> str:
    bold = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", text)
    return re.sub(r"\*(.+?)\*", r"<em>\1</em>", bold)


class Lessons(Element):
    """The strip; the window event ``fm-lessons`` opens it, and ``input`` carries a step's query string."""

    if TYPE_CHECKING:
        input: Callable[..., Any]
        """``lessons.input(fn, inputs, outputs)``: a step was opened; read it with :func:`read_step`."""

    module = "lessons"
    triggers = ("input",)

    def __init__(self, **_: Any):
        super().__init__(html=_HTML, given=[asdict(lesson) for lesson in lessons()], elem_id="lessons")


def read_step(event: gr.EventData) -> Opened:
    """The step that the browser has opened, or that it has closed the lessons; checked.

    Raises:
        ValueError: no count, no query string, or one that is no experiment.
    """
    data = sent(event)
    count, query, own = data.get("count"), data.get("query"), data.get("own", False)
    if not isinstance(count, int) or not isinstance(query, str | None) or "query" not in data:
        raise ValueError(f"A lesson's step needs a count and a query string; got {count!r} and {query!r}.")
    return Opened(count, None if query is None else Experiment.from_query(query), own is True)
