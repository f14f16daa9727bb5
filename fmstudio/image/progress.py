"""How far a long action is and what is left, from the steps that were measured."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median

FEWEST = 3
"""Steps to measure before anything is promised: the first one of a net may take a hundred times as long."""

REMEMBERED = 64
"""Latest steps of each kind that tell the speed."""

OUTLIER = 3
"""A step that took so many times the median is not counted in it."""

ROUNDING = 1e-9
"""Units that are left by it alone."""


def count_of_steps(count: int) -> str:
    """So many steps, in words: "1 step" or "4 steps"."""
    return f"{count} {'step' if count == 1 else 'steps'}"


@dataclass(frozen=True)
class Progress:
    """A moment of a long action.

    Args:
        what: what is being done, in a few words.
        share: done so far, in [0, 1].
        left: seconds left by the steps measured so far; None before there are `FEWEST`.
    """

    what: str
    share: float
    left: float | None


@dataclass
class Pace:
    """Units of work of several kinds, and how long each kind takes here.

    Args:
        remaining: units to do, by kind (such as "bfloat16" and "float32").
    """

    remaining: dict[str, float]
    _steps: dict[str, deque[tuple[float, float]]] = field(default_factory=dict)
    _spent: float = 0.0
    _share: float = 0.0

    def add(self, kind: str, units: float, seconds: float) -> None:
        """One step: so many units were done in so many seconds."""
        left = self.remaining.get(kind, 0.0) - units
        self.remaining[kind] = left if left > ROUNDING else 0.0
        self._spent += seconds
        if units > 0:
            self._steps.setdefault(kind, deque(maxlen=REMEMBERED)).append((units, seconds))

    def now(self, what: str) -> Progress:
        """Where the action stands. A kind hardly measured yet is taken to be as slow as the rest."""
        if self._steps and not any(self.remaining.values()):
            return Progress(what, 1.0, 0.0)
        every = [step for steps in self._steps.values() for step in steps]
        if len(every) < FEWEST:
            return Progress(what, self._share, None)
        usual = seconds_a_unit(every)
        rate = {kind: seconds_a_unit(steps) for kind, steps in self._steps.items() if len(steps) >= FEWEST}
        left = sum(units * rate.get(kind, usual) for kind, units in self.remaining.items())
        share = self._spent / (self._spent + left) if self._spent + left else 1.0
        self._share = max(self._share, share)  # what turns out to be longer than it seemed stands still
        return Progress(what, self._share, left)


def seconds_a_unit(steps: Iterable[tuple[float, float]]) -> float:
    """What a unit takes by (units, seconds) of some steps, without those that took far longer than most."""
    known = list(steps)
    usual = median(seconds / units for units, seconds in known)
    counted = [step for step in known if step[1] <= OUTLIER * usual * step[0]]
    return sum(seconds for _, seconds in counted) / sum(units for units, _ in counted)
