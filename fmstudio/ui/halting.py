"""Long actions of the images' rooms, until they are told as events: see :mod:`fmstudio.studio.running`."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from typing import TypeVar

from fmstudio.ui.visitor import Visitor

T = TypeVar("T")


def until_halted(state: Visitor, name: str, work: Generator[T], last_word: Callable[[], T]) -> Generator[T]:
    """What an action shows, and once it has been asked to end, its last word instead."""
    with state.running.beside(name) as action:
        with closing(work):
            for shown in work:
                if action.halted:
                    break
                yield shown
        if action.halted:
            yield last_word()


def halt(state: Visitor, name: str) -> None:
    """Ask the visitor's actions of this name to end."""
    state.running.halt(name)
