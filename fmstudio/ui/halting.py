"""Long actions that end when their visitor asks for it: whoever does the work also has the last word.

Gradio can cancel a running handler from the page. Then what was under way may be shown after the sentence
that says it was stopped, and a click that follows quickly is lost. So an action here is asked to end, and
ends by itself at its next report.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from typing import TypeVar

from fmstudio.ui.visitor import Action, Visitor

T = TypeVar("T")


def until_halted(state: Visitor, name: str, work: Generator[T], last_word: Callable[[], T]) -> Generator[T]:
    """What an action shows, and once it has been asked to end, its last word instead.

    Args:
        state: whose action it is.
        name: of the action: see :func:`halt`.
        work: what it shows; closed before the last word.
        last_word: what is shown at the end of one that was halted.
    """
    action = Action(name)
    state.running.append(action)
    try:
        with closing(work):
            for shown in work:
                if action.halted:
                    break
                yield shown
        if action.halted:
            yield last_word()
    finally:
        state.running.remove(action)


def runs(state: Visitor, name: str) -> bool:
    """Whether the visitor has an action of this name under way."""
    return any(action.name == name for action in state.running)


def halt(state: Visitor, name: str) -> None:
    """Ask the visitor's actions of this name to end."""
    for action in state.running:
        action.halted |= action.name == name


def halted(state: Visitor, name: str) -> bool:
    """Whether one of this name is still under way that has been asked to end."""
    return any(action.name == name and action.halted for action in state.running)
