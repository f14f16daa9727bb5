"""Paths around another with noise of their own: a stochastic interpolant."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from fmstudio.flow.paths.affine import Linear
from fmstudio.flow.paths.path import Coefficients, Path, Written


@dataclass(frozen=True)
class Latent(Path):
    """A stochastic interpolant: x_t = a x₀ + b x₁ + γ z with γ = κ √(t(1−t)) around another smooth path.

    Args:
        around: the path that gives a and b.
        strength: κ in [0, 2].

    Source: Albergo, Boffi & Vanden-Eijnden 2023, arXiv:2303.08797, definition 2.1.
    """

    around: Path = field(default_factory=Linear)
    strength: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 2:
            raise ValueError(f"Expected a strength in [0, 2]; got {self.strength}.")
        if self.around.has_latent or not self.around.smooth:
            raise ValueError("A latent goes around a smooth path that has none yet.")

    @property
    def has_latent(self) -> bool:
        """True, unless the strength is 0."""
        return self.strength > 0

    def at(self, t: Tensor) -> Coefficients:
        """γ = κ√(t(1−t)), γ′ = κ(1−2t)/(2√(t(1−t))), γγ′ = κ²(1−2t)/2."""
        c = self.around.at(t)
        root = torch.sqrt(t * (1 - t))
        tilt = (1 - 2 * t) / 2
        if self.strength == 0:
            return c
        return Coefficients(
            c.a,
            c.b,
            self.strength * root,
            c.da,
            c.db,
            self.strength * tilt / root,
            self.strength**2 * tilt,
        )

    @property
    def written(self) -> Written | None:
        """The coefficients as text."""
        around = self.around.written
        if around is None:
            return None
        return replace(
            around, gamma_squared="strength^2*t*(1-t)", numbers={**around.numbers, "strength": self.strength}
        )
