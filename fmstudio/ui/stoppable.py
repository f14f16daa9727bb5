"""Work in the Sample room that a visitor can stop: a field that refuses once it is no longer asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field as made

from torch import Tensor

from fmstudio.flow.solve.fields import VelocityField, velocity_and_divergence
from fmstudio.ui.visitor import Visitor


class Stopped(Exception):
    """The visitor has stopped this work, or has asked for something newer."""


@dataclass
class StoppableField:
    """A field that counts its calls, and raises :class:`Stopped` once the visitor's work has moved on.

    Args:
        field: the velocity.
        visitor: whose work it is.
        calls: how many are expected, for the progress.
        tell: ``f(done, calls)``, told at every call.
    """

    field: VelocityField
    visitor: Visitor
    calls: int = 0
    tell: Callable[[int, int], object] = lambda done, calls: None
    work: int = made(init=False)
    done: int = made(init=False, default=0)

    def __post_init__(self) -> None:
        self.work = self.visitor.work

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        """The field's velocity.

        Raises:
            Stopped: the visitor no longer waits for it.
        """
        self._count()
        return self.field(x, t)

    def velocity_and_divergence(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """The field's velocity and divergence.

        Raises:
            Stopped: the visitor no longer waits for it.
        """
        self._count()
        return velocity_and_divergence(self.field, x, t)

    def check(self) -> None:
        """Whether the visitor still waits.

        Raises:
            Stopped: they do not.
        """
        if self.visitor.work != self.work:
            raise Stopped

    def _count(self) -> None:
        self.check()
        self.tell(self.done, self.calls)
        self.done += 1


def begin(visitor: Visitor) -> None:
    """Start something new in the visitor's Sample room; what runs there ends at its next step."""
    visitor.work += 1
