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
        self._places: list[Place] = []
        self._moved = threading.Condition()

    @property
    def places(self) -> tuple[Place, ...]:
        """All places, the first to be served first."""
        with self._moved:
            return tuple(self._places)

    @contextmanager
    def join(self, guest: bool = False) -> Generator[Place]:
        """Stand at the end of the line for as long as the context lasts.

        Args:
            guest: whether all visitors come first, those too who come later.
        """
        place = Place(self._places, self._moved, self.served, guest)
        with self._moved:
            end = len(self._places)
            self._places.insert(end if guest else end - sum(other.guest for other in self._places), place)
        try:
            yield place
        finally:
            with self._moved:
                self._places.remove(place)
                self._moved.notify_all()

    def serve(self, work: Callable[[], Iterator[T]], waiting: Callable[[str], T]) -> Generator[T]:
        """What the work yields, and before that, while others are being served, what there is to say.

        Args:
            work: called when its turn has come.
            waiting: what is shown of the sentence that says how many are before this one. It is said again
                and again, because a generator can only be closed where it yields.
        """
        with self.join() as place:
            while ahead := place.ahead():
                yield waiting(self.words(ahead))
                place.wait(_LOOK_AGAIN)
            yield from work()

    def words(self, ahead: int) -> str:
        """What somebody is told who has so many before them."""
        others = "One action is" if ahead == 1 else f"{ahead} actions are"
        return f"{others} before this one: {self._why}. It starts by itself."


@dataclass(eq=False)
class Place:
    """A place in a line.

    Args:
        places: all places, the first to be served first.
        moved: told when one of them leaves.
        served: how many are served at once.
        guest: whether visitors come first.
    """

    places: list[Place]
    moved: threading.Condition
    served: int
    guest: bool = False

    def ahead(self) -> int:
        """How many have to leave before this one's turn; 0: its turn."""
        with self.moved:
            return self._ahead()

    def wait(self, seconds: float) -> None:
        """Until somebody leaves the line, or the time is over."""
        with self.moved:
            if self._ahead():
                self.moved.wait(seconds)

    def _ahead(self) -> int:
        return max(0, self.places.index(self) + 1 - self.served)


IMAGES = Line("the machine samples for one at a time")
"""Those who sample the repository's image models: two at once would each take twice as long."""

HUB = Line("the machine samples for one at a time")
"""Those who sample a large model."""

TRAININGS = Line("the machine trains and measures for two at a time", served=2)
"""Those who train a net, or run a claim of the note."""
