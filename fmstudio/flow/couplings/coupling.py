"""Couplings: which data point x₀ travels to which noise point x₁.

A coupling is a joint distribution of (x₀, x₁) whose marginals are the data and the source. Each choice gives
other trajectories; none changes the end marginals. Only the independent one has a closed-form marginal
velocity, and a score that follows from it.

    independent            x₀ and x₁ as they were drawn
    optimal transport      argmin over permutations of Σ |x₁ − x₀|² within a mini-batch
    Sinkhorn               argmin over plans of Σ π_ij |x₀⁽ⁱ⁾ − x₁⁽ʲ⁾|² − ε H(π), then a partner from the plan
    fixed pairs            given once and for all: the ends of a flow's own trajectories (reflow)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from fmstudio.flow.couplings.plans import check_finite, entropic_plan, optimal_plan, squared_distances
from fmstudio.flow.densities.density import check_count


class Paired(NamedTuple):
    """Partners, row by row.

    Args:
        x0: data points, shape (n, d).
        x1: noise points, shape (n, d), in the order they were given.
        index: shape (n,), int64; row i of x0 is row index[i] of the data points given. Labels follow it.
    """

    x0: Tensor
    x1: Tensor
    index: Tensor  # pyright: ignore[reportIncompatibleMethodOverride]


class Coupling(Protocol):
    """A rule that pairs a batch of data points with a batch of noise points."""

    @property
    def independent(self) -> bool:
        """Whether partners are independent, so that the oracle and the score are exact."""
        ...

    def pair(self, x0: Tensor, x1: Tensor, generator: torch.Generator) -> Paired:
        """Pair two batches of shape (n, d)."""
        ...


@dataclass(frozen=True)
class Independent:
    """Partners as drawn: x₀ and x₁ know nothing of each other."""

    independent = True

    def pair(self, x0: Tensor, x1: Tensor, generator: torch.Generator) -> Paired:
        """Leave everything in place. Draws nothing.

        Raises:
            ValueError: the shapes differ.
        """
        del generator
        _check_batches(x0, x1)
        return Paired(x0, x1, torch.arange(len(x0), device=x0.device))


@dataclass(frozen=True)
class OptimalTransport:
    """The permutation of the mini-batch with the least Σ |x₁ − x₀|², exactly.

    In one coordinate it is found by sorting; else by the network simplex of POT on the CPU, whose time grows
    like n³: 6 ms for 256 pairs, 0.2 s for 1,024.

    Source: Tong et al. 2023, arXiv:2302.00482, section 3.2.3; Pooladian et al. 2023, arXiv:2304.14772.
    """

    independent = False

    def pair(self, x0: Tensor, x1: Tensor, generator: torch.Generator) -> Paired:
        """Reorder x₀ to its best partners. Draws nothing, and keeps both batches whole.

        Raises:
            ValueError: the shapes differ, or a point is not finite.
            RuntimeError: the solver did not reach the optimum.
        """
        del generator
        _check_batches(x0, x1)
        if x0.shape[1] == 1:
            check_finite(x0, x1)
            order0, order1 = torch.argsort(x0[:, 0]), torch.argsort(x1[:, 0])
            index = torch.empty_like(order0)
            index[order1] = order0
        else:
            plan = optimal_plan(squared_distances(x0, x1))
            index = plan.argmax(dim=0).to(x0.device)
        return Paired(x0[index], x1, index)


@dataclass(frozen=True)
class Sinkhorn:
    """Entropic optimal transport: a plan between the optimal one (ε → 0) and the independent one (ε → ∞).

        π = argmin Σ π_ij |x₀⁽ⁱ⁾ − x₁⁽ʲ⁾|² − ε H(π),     H(π) = −Σ π_ij log π_ij

    Every x₁ draws its partner from its column of π. So the x₁ are all kept; an x₀ may serve twice or not at
    all in one batch, and the data marginal holds in the mean over draws.

    Args:
        reg: ε > 0, in units of squared distance; at least 1e-12 of a batch's largest one. The smaller, the
            more iterations.
        tolerance: Σ_i |Σ_j π_ij − 1/n| at most, for the data points; the noise points' marginal is exact.
        max_iterations: of the scaling, at most.

    Source: Cuturi 2013, arXiv:1306.0895.
    """

    reg: float = 0.1
    tolerance: float = 1e-2
    max_iterations: int = 10_000
    independent = False

    def __post_init__(self) -> None:
        if not 0 < self.reg < float("inf"):
            raise ValueError(f"Expected a finite reg > 0; got {self.reg}.")

    def plan(self, x0: Tensor, x1: Tensor) -> Tensor:
        """π, shape (n, n), float64: rows are data points, columns noise points, entries sum to 1.

        Raises:
            ValueError: the shapes differ, a point is not finite, or ε is too small for the distances.
            RuntimeError: the scaling did not converge.
        """
        _check_batches(x0, x1)
        return entropic_plan(squared_distances(x0, x1), self.reg, self.tolerance, self.max_iterations)

    def pair(self, x0: Tensor, x1: Tensor, generator: torch.Generator) -> Paired:
        """Draw a partner x₀ for every x₁ from the plan.

        Raises:
            ValueError: the shapes differ, a point is not finite, or ε is too small for the distances.
            RuntimeError: the scaling did not converge.
        """
        columns = self.plan(x0, x1).T.contiguous().to(generator.device)
        index = torch.multinomial(columns, 1, generator=generator)[:, 0].to(x0.device)
        return Paired(x0[index], x1, index)


@dataclass(frozen=True, eq=False)
class FixedPairs:
    """Given pairs, to be drawn from: the coupling that a flow makes of its own trajectories' ends.

    Args:
        x0, x1: ends of the same trajectories, shape (n, d).

    Source: reflow, Liu et al. 2022, arXiv:2209.03003, section 2.
    """

    x0: Tensor
    x1: Tensor
    independent = False

    def __post_init__(self) -> None:
        _check_batches(self.x0, self.x1)

    def __len__(self) -> int:
        return len(self.x0)

    def draw(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw n pairs with replacement: (x0, x1), each of shape (n, d).

        Raises:
            ValueError: n < 1.
        """
        check_count(n, 1)
        rows = torch.randint(len(self), (n,), generator=generator, device=generator.device).to(self.x0.device)
        return self.x0[rows], self.x1[rows]


def _check_batches(x0: Tensor, x1: Tensor) -> None:
    if x0.ndim != 2 or x0.shape != x1.shape or len(x0) == 0:
        raise ValueError(
            f"Expected x0 and x1 of one shape (n, d), n ≥ 1; got {tuple(x0.shape)} and {tuple(x1.shape)}."
        )


def pair_batches(
    coupling: Coupling,
    x0: Tensor,
    x1: Tensor,
    labels: Tensor | None,
    size: int,
    within_classes: bool,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Pair points within consecutive mini-batches.

    Args:
        coupling: who is paired with whom.
        x0, x1: end points, shape (n, d), n ≥ 1.
        labels: classes of x0, shape (n,), or None.
        size: of a mini-batch, ≥ 1.
        within_classes: whether each class is paired by itself.
        generator: of the coupling's draws.

    Returns:
        Paired x0 and x1, shape (n, d), and their classes.

    Raises:
        ValueError: no points, or mini-batches of none.
    """
    check_count(len(x0), 1)
    check_count(size, 1)
    order = torch.arange(len(x0), device=x0.device)
    if within_classes and labels is not None:
        # Sorted by class inside each mini-batch, so that a group is a slice.
        order = torch.argsort(order // size * (int(labels.max()) + 1) + labels, stable=True)
        x0, x1, labels = x0[order], x1[order], labels[order]
    left, right, index = [], [], []
    for start in range(0, len(x0), size):
        counts = [min(size, len(x0) - start)]
        if within_classes and labels is not None:
            counts = labels[start : start + size].unique_consecutive(return_counts=True)[1].tolist()
        for count in counts:
            pairing = coupling.pair(x0[start : start + count], x1[start : start + count], generator)
            left.append(pairing.x0)
            right.append(pairing.x1)
            index.append(pairing.index + start)
            start += count
    back = torch.argsort(order)
    if labels is not None:
        labels = labels[torch.cat(index)][back]
    return torch.cat(left)[back], torch.cat(right)[back], labels
