"""Visitors in line for what can serve few at a time: first come, first served, everybody told their place.

A program that uses the API is a guest: it stands behind all visitors, and one that is being served steps
aside for a visitor who comes, at the next step of its work.
"""

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
    """A line of waiting visitors; the first ones are being served.

    Args:
        why: why one has to wait, as a visitor is told it.
        served: how many are served at once.
    """

    def __init__(self, why: str, served: int = 1) -> None:
        self._why, self.served = why, served
        self.places: tuple[Place, ...] = ()
        self.moved = threading.Condition()

    @contextmanager
    def join(self, guest: bool = False) -> Generator[Place]:
        """Stand at the end of the line for as long as the context lasts.

        Args:
            guest: whether all visitors come first, those too who come later.
        """
        place = Place(self, guest)
        with self.moved:
            self.places = tuple(sorted((*self.places, place), key=lambda each: each.guest))
        try:
            yield place
        finally:
            with self.moved:
                self.places = tuple(other for other in self.places if other is not place)
                self.moved.notify_all()

    def serve(self, work: Callable[[], Iterator[T]], waiting: Callable[[str], T]) -> Generator[T]:
        """What the work yields, and before that, while others are being served, what there is to say.

        Args:
            work: called when its turn has come.
            waiting: what is shown of the sentence that says how many are before this one. It is said again
                and again, because a generator can only be closed where it yields.
        """
        with self.join() as place:
            while ahead := place.ahead():
                others = "One action is" if ahead == 1 else f"{ahead} actions are"
                yield waiting(f"{others} before this one: {self._why}. It starts by itself.")
                place.wait(_LOOK_AGAIN)
            yield from work()


@dataclass(frozen=True, eq=False)
class Place:
    """A place in a line.

    Args:
        line: where it is.
        guest: whether visitors come first.
    """

    line: Line
    guest: bool = False

    def ahead(self) -> int:
        """How many have to leave before this one's turn; 0: its turn."""
        return max(0, self.line.places.index(self) + 1 - self.line.served)

    def wait(self, seconds: float) -> None:
        """Until somebody leaves the line, or the time is over."""
        with self.line.moved:
            if self.ahead():
                self.line.moved.wait(seconds)


IMAGES = Line("the machine samples for one at a time")
"""Those who sample the repository's image models: two at once would each take twice as long."""

HUB = Line("the machine samples for one at a time")
"""Those who sample a large model."""

TRAININGS = Line("the machine trains and measures for two at a time", served=2)
"""Those who train a net, or run a claim of the note."""
