"""Paths: how a particle travels between a data point x₀ (t = 0) and a noise point x₁ (t = 1).

Every path of the studio is linear in its end points and an optional latent z ~ N(0, I):

    x_t = a_t x₀ + b_t x₁ + γ_t z,        v_t = dx_t/dt = a′_t x₀ + b′_t x₁ + γ′_t z.

The coefficients are numbers. In the plane they may be *complex* numbers, which turn as well as stretch:
a complex number acts on (x, y) as it acts on x + iy. So a bow and a spiral are affine paths too, |b|² is
the conditional variance of every path, and each formula downstream is written once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor


def act(coefficient: Tensor, x: Tensor) -> Tensor:
    """Apply a path coefficient to points: multiply, and turn if the coefficient is complex.

    Args:
        coefficient: real or complex, shape () or (n,).
        x: points, shape (n, d); d must be 2 where the coefficient is complex.

    Returns:
        The points c·x, shape (n, d), real.

    Raises:
        ValueError: a complex coefficient meets points that are not in the plane.
    """
    if coefficient.is_complex():
        if x.shape[-1] != 2:
            raise ValueError(
                f"This path turns the plane, so it needs points with 2 coordinates; got {x.shape[-1]}. "
                "Use a path with real coefficients."
            )
        return torch.view_as_real(coefficient * torch.view_as_complex(x.contiguous()))
    return coefficient.unsqueeze(-1) * x if coefficient.ndim else coefficient * x


@dataclass(frozen=True)
class Coefficients:
    """A path's coefficients and their time derivatives at some times: one record, all of one shape.

    Args:
        a, b: weights of x₀ and x₁, real or complex, shape of t.
        gamma: weight of the latent z, real, shape of t; zero for a path without a latent.
        da, db, dgamma: derivatives with respect to t. ``dgamma`` is ±inf at t = 0 and 1 for √(t(1−t)).
        gamma_dgamma: γ γ′ as its own limit, finite everywhere.
    """

    a: Tensor
    b: Tensor
    gamma: Tensor
    da: Tensor
    db: Tensor
    dgamma: Tensor
    gamma_dgamma: Tensor

    @property
    def variance(self) -> Tensor:
        """σ² = |b|² + γ², the variance of x_t given x₀ under N(0, I) noise (real, shape of t)."""
        return (self.b.real**2 + self.b.imag**2 if self.b.is_complex() else self.b**2) + self.gamma**2

    @property
    def determinant(self) -> Tensor:
        """D = a b′ − a′ b; the pair (x_t, v) determines (x₀, x₁) where D ≠ 0 (no latent)."""
        return self.a * self.db - self.da * self.b


@dataclass(frozen=True)
class Written:
    """A path's coefficients as text, for whoever computes them elsewhere: a browser does.

    Args:
        a, b, gamma_squared: expressions of t in the normal form of :mod:`fmstudio.flow.formulas`, in which
            the names of ``numbers``, ``expm1`` and ``i``, the turn by 90°, stand as well.
        numbers: the path's parameters by name.
    """

    a: str
    b: str
    gamma_squared: str
    numbers: dict[str, float]


class Path(ABC):
    """A choice of trajectories: coefficients a_t, b_t, γ_t for t in [0, 1].

    Attributes:
        smooth: whether one trajectory has a velocity. The zig-zag chain has none.
        exact_ends: whether a₁ = 0, so that x₁ is pure noise (not so for variance preserving).
    """

    smooth: bool = True
    exact_ends: bool = True

    @abstractmethod
    def at(self, t: Tensor) -> Coefficients:
        """Coefficients and derivatives at times t in [0, 1], shape () or (batch,)."""

    @property
    def written(self) -> Written | None:
        """The same coefficients as text; None where nobody has written them: it is not live then."""
        return None

    def position(self, x0: Tensor, x1: Tensor, t: Tensor, z: Tensor | None = None) -> Tensor:
        """x_t = a x₀ + b x₁ + γ z for points of shape (n, d) and t of shape () or (n,)."""
        c = self.at(t)
        xt = act(c.a, x0) + act(c.b, x1)
        return xt if z is None else xt + act(c.gamma, z)

    def velocity(self, x0: Tensor, x1: Tensor, t: Tensor, z: Tensor | None = None) -> Tensor:
        """v = a′ x₀ + b′ x₁ + γ′ z, the velocity of the original path, shape (n, d)."""
        c = self.at(t)
        v = act(c.da, x0) + act(c.db, x1)
        return v if z is None else v + act(c.dgamma, z)

    @property
    def turns(self) -> bool:
        """Whether its coefficients are complex, so that it needs points in the plane."""
        return self.at(torch.tensor(0.5)).a.is_complex()

    @property
    def has_latent(self) -> bool:
        """Whether trajectories carry a latent z beside their end points."""
        return False

    def latent(self, x: Tensor, generator: torch.Generator) -> Tensor | None:
        """Draw a latent for each of the points, shape (n, d), or None where the path has none."""
        return draw_like(x, generator) if self.has_latent else None

    def trajectories(self, x0: Tensor, x1: Tensor, times: Tensor, generator: torch.Generator) -> Tensor:
        """Positions of the particles at all times: the rows of Q.

        Args:
            x0, x1: end points, shape (n, d).
            times: shape (T,), in any order, in [0, 1].
            generator: draws the latent, where the path has one.

        Returns:
            Shape (T, n, d).
        """
        z = self.latent(x0, generator)
        return torch.stack([self.position(x0, x1, t, z) for t in times])


def draw_like(x: Tensor, generator: torch.Generator) -> Tensor:
    """Standard normal numbers of x's shape, dtype and device from the generator (which may be elsewhere)."""
    noise = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=generator.device)
    return noise.to(x.device)


def affine_coefficients(a: Tensor, b: Tensor, da: Tensor, db: Tensor) -> Coefficients:
    """The coefficients of a path without a latent."""
    zero = torch.zeros_like(a.real if a.is_complex() else a)
    return Coefficients(a, b, zero, da, db, zero, zero)
