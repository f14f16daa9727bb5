"""How far a long action is and what is left, from the steps that were measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


def count_of_steps(count: int) -> str:
    """So many steps, in words: "1 step" or "4 steps"."""
    return f"{count} {'step' if count == 1 else 'steps'}"


@dataclass(frozen=True)
class Progress:
    """A moment of a long action.

    Args:
        what: what is being done, in a few words.
        share: done so far, in [0, 1].
        left: seconds left by the steps measured so far; None before the first.
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
    _done: dict[str, float] = field(default_factory=dict)
    _seconds: dict[str, float] = field(default_factory=dict)

    def add(self, kind: str, units: float, seconds: float) -> None:
        """So many units were done in so many seconds."""
        self.remaining[kind] = max(self.remaining.get(kind, 0.0) - units, 0.0)
        self._done[kind] = self._done.get(kind, 0.0) + units
        self._seconds[kind] = self._seconds.get(kind, 0.0) + seconds

    def expect(self, kind: str, units: float) -> None:
        """Set what is left of one kind, where it was only guessed before."""
        self.remaining[kind] = units

    def drop(self, kinds: Mapping[str, float]) -> None:
        """Take units off the list without having done them, such as what was found in a cache."""
        for kind, units in kinds.items():
            self.remaining[kind] = max(self.remaining.get(kind, 0.0) - units, 0.0)

    def now(self, what: str) -> Progress:
        """Where the action stands. A kind that was not measured yet is taken to be as slow as the others."""
        done, spent = sum(self._done.values()), sum(self._seconds.values())
        if not done:
            return Progress(what, 0.0, None)
        rate = {kind: self._seconds[kind] / units for kind, units in self._done.items() if units}
        left = sum(units * rate.get(kind, spent / done) for kind, units in self.remaining.items())
        return Progress(what, spent / (spent + left) if spent + left else 1.0, left)
