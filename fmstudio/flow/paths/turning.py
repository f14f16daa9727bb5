"""Paths that turn the plane: complex coefficients."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from fmstudio.flow.paths.path import Coefficients, Path, Written, affine_coefficients


@dataclass(frozen=True)
class Bow(Path):
    """A bent chord: x_t = (1−t) x₀ + t x₁ + κ sin(πt) J (x₁ − x₀), J the rotation by 90° (plane only).

    Args:
        bend: κ in [−2, 2]; 0 is the straight path.
    """

    bend: float = 0.5

    def __post_init__(self) -> None:
        if not -2 <= self.bend <= 2:
            raise ValueError(f"Expected a bend in [−2, 2]; got {self.bend}.")

    def at(self, t: Tensor) -> Coefficients:
        """b = t + iκ sin(πt), a = 1 − b."""
        b = torch.complex(t, self.bend * torch.sin(math.pi * t))
        db = torch.complex(torch.ones_like(t), self.bend * math.pi * torch.cos(math.pi * t))
        return affine_coefficients(1 - b, b, -db, db)

    @property
    def written(self) -> Written:
        """The coefficients as text."""
        return Written("1-t-i*bend*sin(pi*t)", "t+i*bend*sin(pi*t)", "0", {"bend": self.bend})


@dataclass(frozen=True)
class Spiral(Path):
    """A turning chord: x_t = R(κ sin(πt)) [(1−t) x₀ + t x₁], R the rotation of the plane (plane only).

    Args:
        turn: κ in radians, in [−2π, 2π]; 0 is the straight path.
    """

    turn: float = 1.5

    def __post_init__(self) -> None:
        if not -2 * math.pi <= self.turn <= 2 * math.pi:
            raise ValueError(f"Expected a turn in [−2π, 2π] radians; got {self.turn}.")

    def at(self, t: Tensor) -> Coefficients:
        """a = e^{iθ}(1−t), b = e^{iθ} t, θ = κ sin(πt)."""
        angle = self.turn * torch.sin(math.pi * t)
        speed = self.turn * math.pi * torch.cos(math.pi * t)
        turn = torch.polar(torch.ones_like(t), angle)
        spin = torch.complex(torch.zeros_like(t), speed)
        a, b = turn * (1 - t), turn * t
        return affine_coefficients(a, b, spin * a - turn, spin * b + turn)

    @property
    def written(self) -> Written:
        """The coefficients as text."""
        return Written("exp(i*turn*sin(pi*t))*(1-t)", "exp(i*turn*sin(pi*t))*t", "0", {"turn": self.turn})
