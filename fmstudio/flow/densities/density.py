"""Densities: what data points x₀ and noise points x₁ are drawn from.

Two kinds are enough for everything exact in the studio:

    mixture of Gaussians     q(x) = Σ_k π_k N(x; μ_k, Σ_k)         knows its density
    empirical distribution   q(x) = (1/N) Σ_i δ(x − x⁽ⁱ⁾)          a cloud of points

A source is always a mixture; N(0, I) is the mixture with one component. Points have shape (n, d), and may
carry a class, a whole number from 0.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor


def check_count(n: int, least: int = 0) -> None:
    """Refuse a count below ``least``.

    Raises:
        ValueError: naming both.
    """
    if n < least:
        raise ValueError(f"Expected a count of at least {least}; got {n}.")


@dataclass(frozen=True, eq=False)
class Samples:
    """Points and, where there are classes, the class of each.

    Args:
        points: shape (n, d).
        labels: shape (n,), int64, or None where there are no classes.
    """

    points: Tensor
    labels: Tensor | None = None


class Density(ABC):
    """A distribution of points that can be sampled, as a whole or class by class."""

    @property
    @abstractmethod
    def dim(self) -> int:
        """d, the number of coordinates of a point."""

    @property
    @abstractmethod
    def classes(self) -> int:
        """How many classes there are: one more than the largest label; 0 for none."""

    @property
    @abstractmethod
    def mean(self) -> Tensor:
        """E[x], shape (d,)."""

    @property
    @abstractmethod
    def covariance(self) -> Tensor:
        """Cov[x], shape (d, d)."""

    @abstractmethod
    def sample(self, n: int, generator: torch.Generator) -> Samples:
        """Draw n points independently.

        Args:
            n: how many, n ≥ 0.
            generator: draws on its own device; the points are moved to the density's.

        Returns:
            Points of shape (n, d) in the density's dtype, with labels where there are classes.

        Raises:
            ValueError: n < 0.
        """

    @abstractmethod
    def given(self, label: int) -> Density:
        """The density of one class.

        Raises:
            ValueError: no point or component has this label.
        """

    @abstractmethod
    def to(self, where: torch.device | torch.dtype | str) -> Density:
        """The same density on another device or in another dtype."""


def checked_labels(labels: Tensor, count: int, what: str) -> Tensor:
    """The labels as int64, shape (count,); ``what`` names their owners where they do not fit."""
    labels = torch.as_tensor(labels)
    if labels.is_floating_point() or labels.is_complex() or labels.shape != (count,):
        raise ValueError(
            f"Expected one whole-number label for each {what}, shape {(count,)}; "
            f"got {labels.dtype} of shape {tuple(labels.shape)}."
        )
    if labels.min() < 0:
        raise ValueError(f"Labels count from 0; got {int(labels.min())}.")
    return labels.to(torch.int64)


def rows_of_class(labels: Tensor | None, label: int) -> Tensor:
    """Which rows belong to a class, a mask of shape (n,); an error where there are none."""
    if labels is None:
        raise ValueError(f"This density has no classes; got label {label}.")
    keep = labels == label
    if not keep.any():
        known = ", ".join(str(k) for k in labels.unique().tolist()[:20])
        raise ValueError(f"No class {label} here; the classes are {known}.")
    return keep
