"""Visitors in line for what can serve one at a time: first come, first served, everybody told their place."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

MOST_WAITING = 16
"""Actions of one line that are under way or told their place; further ones wait in Gradio's own queue."""

_LOOK_AGAIN = 1.0


class Line:
    """A line of waiting visitors; the first is being served."""

    def __init__(self) -> None:
        self._places: list[Place] = []
        self._moved = threading.Condition()

    @contextmanager
    def join(self) -> Generator[Place]:
        """Stand at the end of the line for as long as the context lasts."""
        place = Place(self._places, self._moved)
        with self._moved:
            self._places.append(place)
        try:
            yield place
        finally:
            with self._moved:
                self._places.remove(place)
                self._moved.notify_all()

    @contextmanager
    def turn(self) -> Generator[None]:
        """Wait for one's turn, and have it for as long as the context lasts."""
        with self.join() as place:
            while place.ahead():
                place.wait(_LOOK_AGAIN)
            yield

    def serve(self, work: Callable[[], Iterator[T]], waiting: Callable[[int], T]) -> Iterator[T]:
        """What the work yields, and before that, while others are being served, what there is to say.

        Args:
            work: called when its turn has come.
            waiting: from how many are before this one, at least 1. It is said again and again, because a
                generator can only be closed where it yields.
        """
        with self.join() as place:
            while ahead := place.ahead():
                yield waiting(ahead)
                place.wait(_LOOK_AGAIN)
            yield from work()


@dataclass(eq=False)
class Place:
    """A place in a line.

    Args:
        places: all places, the first to be served first.
        moved: told when one of them leaves.
    """

    places: list[Place]
    moved: threading.Condition

    def ahead(self) -> int:
        """How many are before this one; 0: its turn."""
        with self.moved:
            return self.places.index(self)

    def wait(self, seconds: float) -> None:
        """Until somebody leaves the line, or the time is over."""
        with self.moved:
            if self.places.index(self):
                self.moved.wait(seconds)


def waiting_words(ahead: int) -> str:
    """What somebody in line is told."""
    others = "One action is" if ahead == 1 else f"{ahead} actions are"
    return f"{others} before this one: the machine samples for one at a time. It starts by itself."


IMAGES = Line()
"""Those who sample the repository's image models: two at once would each take twice as long."""

HUB = Line()
"""Those who sample a large model."""
