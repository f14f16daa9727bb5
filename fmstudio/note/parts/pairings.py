"""Pairings of noise with data: what they cost at least, the best of each batch, how often chords cross."""

from __future__ import annotations

import torch
from torch import Tensor

from fmstudio.flow.couplings.coupling import FixedPairs, OptimalTransport
from fmstudio.note.parts.setting import Setting


def end_moments(s: Setting) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Mean and covariance of x₀, and of x_t at t = 1, where the flow starts: x₁, unless a₁ > 0."""
    last = s.path.at(torch.ones((), dtype=torch.float64))
    a, b = last.a.real, last.b.real
    m0, c0 = s.density.mean.double(), s.density.covariance.double()
    return (m0, c0), (a * m0 + b * s.source.mean.double(), a**2 * c0 + b**2 * s.source.covariance.double())


def least_cost(s: Setting) -> float:
    """What every pairing of the noise with the data costs at least: E|x₁ − x₀|² between Gaussians of the same
    means and covariances, paired optimally (Gelbrich 1990)."""
    (m0, c0), (m1, c1) = end_moments(s)
    values, axes = torch.linalg.eigh(c1)
    root = axes * values.clamp_min(0).sqrt() @ axes.T
    shared = torch.linalg.eigvalsh(root @ c0 @ root).clamp_min(0).sqrt().sum()
    return float((m0 - m1) @ (m0 - m1) + c0.trace() + c1.trace() - 2 * shared)


def batches_of_ot(x0: Tensor, x1: Tensor, generator: torch.Generator, size: int = 256) -> FixedPairs:
    """Pairs that are optimal within each batch, as a training with mini-batch OT sees them."""
    parts = [
        OptimalTransport().pair(a, b, generator) for a, b in zip(x0.split(size), x1.split(size), strict=True)
    ]
    return FixedPairs(torch.cat([p.x0 for p in parts]), torch.cat([p.x1 for p in parts]))


def shuffled(pairs: FixedPairs, generator: torch.Generator) -> FixedPairs:
    """The same ends, independent again."""
    return FixedPairs(pairs.x0[torch.randperm(len(pairs), generator=generator)], pairs.x1)


def crossing_count(x0: Tensor, x1: Tensor) -> int:
    """How many pairs of straight chords from x₁ to x₀ cross, for ends of shape (n, d).

    On a line two chords cross if their ends change order; in the plane, if the segments meet. In more
    dimensions chords almost never meet, and the first two coordinates are counted.
    """
    if x0.shape[1] == 1:
        a, b = x0[:, 0], x1[:, 0]
        return int(((a[:, None] - a) * (b[:, None] - b) < 0).sum()) // 2
    p, r = x1[:, :2].double(), (x0 - x1)[:, :2].double()
    gap = p[None] - p[:, None]
    across = _cross(r[:, None], r[None])
    along = _cross(gap, r[None].expand_as(gap)) / across
    other = _cross(gap, r[:, None].expand_as(gap)) / across
    meet = (along > 0) & (along < 1) & (other > 0) & (other < 1)
    return int(meet.sum()) // 2


def _cross(p: Tensor, q: Tensor) -> Tensor:
    return p[..., 0] * q[..., 1] - p[..., 1] * q[..., 0]
