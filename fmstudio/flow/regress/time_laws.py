"""Time laws: which times t in [0, 1] a training looks at, and how often."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class TimeLaw(Protocol):
    """The distribution of training times on [0, 1]."""

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw n times, shape (n,), float32, on the generator's device."""
        ...

    def quantile(self, share: Tensor) -> Tensor:
        """The time below which the given share in (0, 1) of the times lies, shape of ``share``."""
        ...


@dataclass(frozen=True)
class Uniform:
    """t ~ U[0, 1): every time counts the same."""

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw n times, shape (n,), in [0, 1)."""
        return torch.rand(n, generator=generator, device=generator.device)

    def quantile(self, share: Tensor) -> Tensor:
        """The share itself."""
        return share


@dataclass(frozen=True)
class LogitNormal:
    """log(t/(1−t)) ~ N(mean, std²): more of the middle, where the paths cross.

    Args:
        mean: of the logit; 0 is symmetric.
        std: of the logit, > 0.

    Source: Esser et al. 2024, arXiv:2403.03206, section 3.1.
    """

    mean: float = 0.0
    std: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mean) and math.isfinite(self.std) and self.std > 0):
            raise ValueError(f"Expected a finite mean and std > 0; got mean = {self.mean}, std = {self.std}.")

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw n times, shape (n,), in (0, 1)."""
        logit = torch.randn(n, generator=generator, device=generator.device)
        return torch.sigmoid(logit.mul_(self.std).add_(self.mean))

    def quantile(self, share: Tensor) -> Tensor:
        """sigmoid(mean + std Φ⁻¹(share))."""
        return torch.sigmoid(self.mean + self.std * torch.special.ndtri(share))


TIME_LAWS: dict[str, TimeLaw] = {"uniform": Uniform(), "logit-normal": LogitNormal()}
"""The laws to choose from, by the names that they have in JSON and in links."""
