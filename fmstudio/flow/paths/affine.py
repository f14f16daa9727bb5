"""Straight through the plane: x_t = a_t x₀ + b_t x₁ with real coefficients."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from fmstudio.flow.paths.path import Coefficients, Path, Written, affine_coefficients


@dataclass(frozen=True)
class Linear(Path):
    """The straight path: a = 1 − t, b = t.

    Source: rectified flow, Liu et al. 2022, arXiv:2209.03003.
    """

    def at(self, t: Tensor) -> Coefficients:
        """a = 1 − t, b = t, a′ = −1, b′ = 1."""
        one = torch.ones_like(t)
        return affine_coefficients(1 - t, t, -one, one)

    @property
    def written(self) -> Written:
        """The coefficients as text."""
        return Written("1-t", "t", "0", {})


@dataclass(frozen=True)
class Spherical(Path):
    """The arc: a = cos(πt/2), b = sin(πt/2); a circle's arc when |x₀| = |x₁| and x₀ ⊥ x₁.

    Source: v-prediction, Salimans & Ho 2022, arXiv:2202.00512; their v is dx/dφ with φ = πt/2.
    """

    def at(self, t: Tensor) -> Coefficients:
        """a = cos(πt/2), b = sin(πt/2), a′ = −(π/2) b, b′ = (π/2) a."""
        half = math.pi / 2
        cos, sin = torch.cos(half * t), torch.sin(half * t)
        # cos(π/2) rounds to ±1e-8; the end value is 0 exactly.
        cos = torch.where(t == 1, torch.zeros_like(cos), cos)
        return affine_coefficients(cos, sin, -half * sin, half * cos)

    @property
    def written(self) -> Written:
        """The coefficients as text."""
        return Written("cos(pi*t/2)", "sin(pi*t/2)", "0", {})


@dataclass(frozen=True)
class VariancePreserving(Path):
    """The diffusion schedule: a = exp(−t²(β₁−β₀)/4 − tβ₀/2), b = √(1 − a²).

    At t = 1 a ≈ 0.0066, not 0: the last marginal is N(0, I) only approximately.

    Args:
        beta0, beta1: noise rates at t = 0 and t = 1, 0 < β₀ ≤ β₁.

    Source: Song et al. 2021, arXiv:2011.13456, equation 33.
    """

    beta0: float = 0.1
    beta1: float = 20.0
    exact_ends = False

    def __post_init__(self) -> None:
        if not 0 < self.beta0 <= self.beta1:
            raise ValueError(f"Expected 0 < beta0 ≤ beta1; got beta0 = {self.beta0}, beta1 = {self.beta1}.")

    def at(self, t: Tensor) -> Coefficients:
        """a′ = −a β(t)/2 and b′ = a² β(t)/(2b) with β(t) = β₀ + t(β₁−β₀); b′ is inf at t = 0."""
        log_a = -(t**2) * (self.beta1 - self.beta0) / 4 - t * self.beta0 / 2
        rate = self.beta0 + t * (self.beta1 - self.beta0)
        a = torch.exp(log_a)
        b = torch.sqrt(-torch.expm1(2 * log_a))
        return affine_coefficients(a, b, -a * rate / 2, a**2 * rate / (2 * b))

    @property
    def written(self) -> Written:
        """The coefficients as text."""
        log_a = "-t^2*(beta1-beta0)/4-t*beta0/2"
        return Written(
            f"exp({log_a})", f"sqrt(-expm1(2*({log_a})))", "0", {"beta0": self.beta0, "beta1": self.beta1}
        )


@dataclass(frozen=True)
class Polynomial(Path):
    """A straight chord at uneven speed: a = 1 − tⁿ, b = tⁿ.

    Args:
        power: n ≥ 1; n = 1 is the straight path at constant speed.

    Source: Lipman et al. 2024, arXiv:2412.06264, section 4.
    """

    power: float = 2.0

    def __post_init__(self) -> None:
        if not 1 <= self.power <= 8:
            raise ValueError(f"Expected a power in [1, 8]; got {self.power}.")

    def at(self, t: Tensor) -> Coefficients:
        """a = 1 − tⁿ, b = tⁿ, a′ = −n tⁿ⁻¹ = −b′."""
        b = t**self.power
        db = self.power * t ** (self.power - 1)
        return affine_coefficients(1 - b, b, -db, db)

    @property
    def written(self) -> Written:
        """The coefficients as text."""
        return Written("1-t^power", "t^power", "0", {"power": self.power})
