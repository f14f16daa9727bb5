"""Long actions: one kind for all of them, from a place in line to the last word.

Whoever does the work also ends it. Gradio can cancel a running handler from the page; then what was under way
may be shown after the sentence that says it was stopped, and a click that follows quickly is lost. So an
action here is *asked* to end, and ends by itself at its next report.

What happens to it comes as events, in this order: :class:`Waits` while others are before it, :class:`Begins`,
:class:`Reports` of the work, and one of :class:`Done`, :class:`Halted` and :class:`Failed`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from fmstudio.studio.line import Line

R = TypeVar("R")
T = TypeVar("T")

EXPECTED = (ValueError, RuntimeError, ArithmeticError)
"""Errors whose sentence is for the visitor; any other is a defect and goes on."""


@dataclass(frozen=True)
class Waits:
    """Others are before it; ``words`` says how many. It comes again and again until the turn has come."""

    words: str


@dataclass(frozen=True)
class Begins:
    """Its turn has come."""


@dataclass(frozen=True)
class Reports(Generic[R]):
    """What the work says of itself meanwhile."""

    report: R


@dataclass(frozen=True)
class Done(Generic[T]):
    """The work has ended by itself, with its result."""

    result: T


@dataclass(frozen=True)
class Halted:
    """It was asked to end and has ended; its work is closed."""


@dataclass(frozen=True)
class Failed:
    """It has ended with an error that is to be told."""

    error: Exception


Event = Waits | Begins | Reports[R] | Done[T] | Halted | Failed


class Stopped(Exception):
    """Nobody waits for this work any more; raised inside it."""


GoOn = Callable[[int, int], object]
"""Hears how many steps of how many are done, before each; raises :class:`Stopped` to end the work. 0 of 0:
nobody knows how many there are."""


def regardless(done: int, calls: int) -> None:
    """Go on in any case, and tell nobody."""


@dataclass(eq=False)
class Action:
    """A long action under way.

    Args:
        name: what its Stop button calls it.
        halted: whether it has been asked to end.
    """

    name: str
    halted: bool = False

    def go_on(self, *_: object) -> None:
        """Come back while somebody waits for it; whatever progress it is given is left aside.

        Raises:
            Stopped: it has been asked to end.
        """
        if self.halted:
            raise Stopped


@dataclass
class Running:
    """The long actions that a visitor has under way.

    Args:
        actions: in the order in which they began.
    """

    actions: list[Action] = field(default_factory=list)

    def run(
        self,
        name: str,
        work: Callable[[], Generator[R, None, T]],
        line: Line | None = None,
        expected: tuple[type[Exception], ...] = EXPECTED,
    ) -> Generator[Event[R, T]]:
        """Do a long action and tell what happens to it.

        Args:
            name: of the action: see :meth:`halt`.
            work: called when its turn has come; yields reports and returns the result. It is closed where the
                action is halted, or left.
            line: where it waits for its turn, or None where it begins at once.
            expected: errors that become the last event; others are raised.
        """

        with self.beside(name) as action:
            events = _reported(work) if line is None else line.serve(lambda: _reported(work), Waits)
            try:
                with closing(events):
                    for event in events:
                        if action.halted:
                            break
                        yield event
                if action.halted:
                    yield Halted()
            except expected as error:
                yield Failed(error)

    @contextmanager
    def beside(self, name: str) -> Generator[Action]:
        """An action of this name for as long as the context lasts, beside others of that name."""
        action = Action(name)
        self.actions.append(action)
        try:
            yield action
        finally:
            self.actions.remove(action)

    @contextmanager
    def instead(self, name: str) -> Generator[Action]:
        """An action of this name for as long as the context lasts; others of that name are asked to end."""
        self.halt(name)
        with self.beside(name) as action:
            yield action

    def halt(self, name: str) -> None:
        """Ask the actions of this name to end."""
        for action in tuple(self.actions):
            action.halted |= action.name == name

    def has(self, name: str) -> bool:
        """Whether an action of this name is under way."""
        return any(action.name == name for action in tuple(self.actions))

    def halted(self, name: str) -> bool:
        """Whether one of this name is still under way that has been asked to end."""
        return any(action.name == name and action.halted for action in tuple(self.actions))

    def end(self, name: str, patience: float = 3.0, clock: Callable[[], float] = time.monotonic) -> None:
        """Ask the actions of this name to end, and wait until they have.

        Args:
            name: of the actions.
            patience: seconds to wait at most; an action ends at its next report.
            clock: that they are counted by.
        """
        self.halt(name)
        until = clock() + patience
        while self.has(name) and clock() < until:
            time.sleep(0.02)


@dataclass
class Pulse:
    """Whether it is time to show something again.

    Args:
        seconds: between two pulses at least.
        clock: that they are counted by.
    """

    seconds: float
    clock: Callable[[], float] = time.monotonic
    last: float = field(init=False, default=-math.inf)

    def due(self) -> bool:
        """True now and then, and the first time."""
        now = self.clock()
        if now - self.last < self.seconds:
            return False
        self.last = now
        return True


def _reported(begin: Callable[[], Generator[R, None, T]]) -> Generator[Event[R, T]]:
    with closing(begin()) as work:
        yield Begins()
        while True:
            try:
                report = next(work)
            except StopIteration as end:
                yield Done(end.value)
                return
            yield Reports(report)
