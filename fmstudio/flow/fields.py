"""Velocity fields: the oracle, a net and any function share one protocol, field(x, t) -> velocity.

Points are (n, d), t is () or (n,), and the answer is (n, d). A field that also knows its divergence has
``velocity_and_divergence`` (:class:`DivergenceField`); likelihoods use it where it is there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor


class VelocityField(Protocol):
    """A function (x, t) -> u(x, t)."""

    def __call__(self, x: Tensor, t: Tensor, /) -> Tensor:
        """The velocity at points (n, d) and times () or (n,): shape (n, d)."""
        ...


@runtime_checkable
class DivergenceField(Protocol):
    """A velocity field that knows its divergence exactly."""

    def __call__(self, x: Tensor, t: Tensor, /) -> Tensor:
        """The velocity, shape (n, d)."""
        ...

    def velocity_and_divergence(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """u and div u, shapes (n, d) and (n,)."""
        ...


@dataclass
class Counted:
    """A field that counts how often it is asked.

    Args:
        field: any velocity field.

    Attributes:
        nfe: number of calls so far, each for a whole batch of points.
    """

    field: VelocityField
    nfe: int = dataclasses.field(default=0, init=False)

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        """The field's answer, counted."""
        self.nfe += 1
        return self.field(x, t)


@dataclass(frozen=True, eq=False)
class Guided:
    """Classifier-free guidance, u∅ + w (u_c − u∅).

    w = 0 is the field without a class, w = 1 that of the class. With w > 1 the flow no longer ends in the
    density of the class, even where both fields are exact: guide an oracle's to see where it ends.

    Args:
        null: u∅, the field without a class.
        conditional: u_c, the field of the class.
        weight: w, finite.

    Raises:
        ValueError: a weight that is not finite.

    Source: Ho & Salimans 2022, arXiv:2207.12598, equation 6, where their w is this w − 1.
    """

    null: VelocityField
    conditional: VelocityField
    weight: float

    def __post_init__(self) -> None:
        if not float("-inf") < self.weight < float("inf"):
            raise ValueError(f"Expected a finite guidance weight; got {self.weight}.")

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        """u∅ + w (u_c − u∅), shape (n, d); one field only where w is 0 or 1."""
        if self.weight == 0:
            return self.null(x, t)
        if self.weight == 1:
            return self.conditional(x, t)
        return torch.lerp(self.null(x, t), self.conditional(x, t), self.weight)


@dataclass(frozen=True, eq=False)
class ByLabel:
    """Each row has its own field: row i is answered by ``fields[labels[i]]``.

    Args:
        fields: one field for each class.
        labels: class of each row, shape (n,); a call must bring these n rows.

    Raises:
        ValueError: a label without a field, or a call with another number of rows.
    """

    fields: Sequence[VelocityField]
    labels: Tensor

    def __post_init__(self) -> None:
        known = len(self.fields)
        if self.labels.ndim != 1 or not len(self.labels):
            raise ValueError(f"Expected labels of shape (n,) with n ≥ 1; got {tuple(self.labels.shape)}.")
        low, high = int(self.labels.min()), int(self.labels.max())
        if low < 0 or high >= known:
            raise ValueError(
                f"Expected labels in [0, {known - 1}], one field each; got {low if low < 0 else high}."
            )

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        """The velocity of each row in its own field, shape (n, d)."""
        if len(x) != len(self.labels):
            raise ValueError(f"Expected the {len(self.labels)} rows that have labels; got {len(x)}.")
        u = torch.empty_like(x)
        for label in self.labels.unique().tolist():
            rows = self.labels == label
            u[rows] = self.fields[label](x[rows], t[rows] if t.ndim else t)
        return u
