"""Velocity fields: the oracle, a net and any function share one protocol, field(x, t) -> velocity.

Points are (n, d), t is () or (n,), and the answer is (n, d). A field may also know its divergence
(:class:`DivergenceField`); for all others :func:`velocity_and_divergence` differentiates.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
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


def velocity_and_divergence(field: VelocityField, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """u and div u = Σ_i ∂u_i/∂x_i, exactly, of any field.

    A field that knows its divergence is asked; any other is differentiated, one backward pass for each
    coordinate. Its row i may only depend on row i of x.

    Args:
        field: u; differentiable in x by autograd unless it is a :class:`DivergenceField`.
        x: points, shape (n, d).
        t: times, shape () or (n,).

    Returns:
        Shapes (n, d) and (n,), without gradients.

    Raises:
        ValueError: autograd finds no way from u back to x.
    """
    if isinstance(field, DivergenceField):
        return field.velocity_and_divergence(x, t)
    with torch.enable_grad():
        y, u = _recorded(field, x, t)
        slopes = [
            torch.autograd.grad(u[:, i].sum(), y, retain_graph=i + 1 < x.shape[1])[0][:, i]
            for i in range(x.shape[1])
        ]
    return u.detach(), torch.stack(slopes).sum(0)


def velocity_and_probed_divergence(
    field: VelocityField, x: Tensor, t: Tensor, probes: Tensor
) -> tuple[Tensor, Tensor]:
    """u and an unbiased estimate of div u, the mean of eᵀ(∂u/∂x)e over probes e with E[e eᵀ] = I.

    Args:
        field: u, differentiable in x by autograd.
        x: points, shape (n, d).
        t: times, shape () or (n,).
        probes: e, shape (count, n, d).

    Returns:
        Shapes (n, d) and (n,), without gradients.

    Raises:
        ValueError: autograd finds no way from u back to x.

    Source: Hutchinson 1989; Grathwohl et al. 2018, arXiv:1810.01367, section 3.1.
    """
    with torch.enable_grad():
        y, u = _recorded(field, x, t)
        slopes = [
            (torch.autograd.grad(u, y, e, retain_graph=i + 1 < len(probes))[0] * e).sum(1)
            for i, e in enumerate(probes)
        ]
    return u.detach(), torch.stack(slopes).mean(0)


def _recorded(field: VelocityField, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """A fresh x and the u computed from it, with the graph between them."""
    y = x.detach().requires_grad_()
    u = field(y, t)
    if not u.requires_grad:
        raise ValueError(
            "The divergence needs a field that autograd can follow back to x; this one records nothing. "
            "Give it a method velocity_and_divergence(x, t)."
        )
    return y, u


@dataclass
class Counted:
    """A field that counts how often it is asked.

    Args:
        field: any velocity field.
        before: told before every call how many there were; what it raises ends the work.

    Attributes:
        nfe: number of calls so far, each for a whole batch of points.
    """

    field: VelocityField
    before: Callable[[int], object] = lambda nfe: None
    nfe: int = dataclasses.field(default=0, init=False)

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        """The field's answer, counted."""
        self._count()
        return self.field(x, t)

    def velocity_and_divergence(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """The field's velocity and divergence, counted as one call."""
        self._count()
        return velocity_and_divergence(self.field, x, t)

    def _count(self) -> None:
        self.before(self.nfe)
        self.nfe += 1


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

    def velocity_and_divergence(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Velocity and divergence, guided alike: both are linear in the field."""
        null, null_div = velocity_and_divergence(self.null, x, t)
        u, div = velocity_and_divergence(self.conditional, x, t)
        return torch.lerp(null, u, self.weight), torch.lerp(null_div, div, self.weight)
