"""Particles that follow the paths through where they are: the note's P, step by step."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from fmstudio.flow.densities import Density
from fmstudio.flow.oracle import Oracle


def drawn_velocity(oracle: Oracle, x: Tensor, t: Tensor, generator: torch.Generator) -> Tensor:
    """The velocity of one original path through each point, drawn from w(x, t): shape (n, d)."""
    ends = oracle.draw(x, t, 1, generator)
    z = None if ends.z is None else ends.z[:, 0]
    return oracle.path.velocity(ends.x0[:, 0], ends.x1[:, 0], t.to(x.dtype), z)


def random_path(oracle: Oracle, x: Tensor, times: Tensor, generator: torch.Generator) -> Tensor:
    """At every step pick one path through x and follow its velocity: x_{t−dt} = x_t − v dt.

    Args:
        oracle: draws the paths.
        x: positions at times[0], shape (n, d).
        times: shape (T,), falling.
        generator: of the draws.

    Returns:
        Positions, shape (T, n, d).

    Source: Wu & Lizarraga, About Flow Matching, 2024, section 2.
    """
    rows = [x]
    for t, then in pairwise(times):
        rows.append(rows[-1] + (then - t) * drawn_velocity(oracle, rows[-1], t, generator))
    return torch.stack(rows)


def stranger_velocity(
    oracle: Oracle, density: Density, x: Tensor, t: Tensor, generator: torch.Generator
) -> Tensor:
    """The velocity at x of a path to a data point drawn from q, not from w(x, t): what breaks the induction.

    The path's noise and latent are what the oracle's drawn path has; only x₀ is a stranger's.
    """
    ends = oracle.draw(x, t, 1, generator)
    z = None if ends.z is None else ends.z[:, 0]
    stranger = density.sample(len(x), generator).points
    return oracle.path.velocity(stranger, ends.x1[:, 0], t.to(x.dtype), z)


def swapped(trajectories: Tensor, cell: float, generator: torch.Generator, anywhere: bool = False) -> Tensor:
    """Particles that meet in a cell permute identities at random, at every time after the first.

    Args:
        trajectories: original positions, shape (T, n, d), in the order of travel.
        cell: side of the cells, > 0.
        generator: of the permutations and of the grid's offset, new at every time.
        anywhere: permute all particles, wherever they are: what the note does not say.

    Returns:
        Whose trajectory each particle is on, shape (T, n): particle i is at trajectories[k, partners[k, i]].
    """
    n, dim = trajectories.shape[1:]
    partners = [torch.arange(n)]
    for row in trajectories[1:]:
        if anywhere:
            order = torch.randperm(n, generator=generator)
            successor = torch.empty_like(order)
            successor[order] = torch.randperm(n, generator=generator)
        else:
            offset = torch.rand(dim, generator=generator) * cell
            place = ((row - row.amin(0) + offset) / cell).long()
            key = place[:, 0]
            for k in range(1, dim):
                key = key * (int(place[:, k].max()) + 1) + place[:, k]
            # Two orders of the members of every cell, one random; the first goes to where the second is.
            first, second = torch.argsort(key, stable=True), _shuffled_by(key, generator)
            successor = torch.empty_like(first)
            successor[first] = second
        partners.append(successor[partners[-1]])
    return torch.stack(partners)


def _shuffled_by(key: Tensor, generator: torch.Generator) -> Tensor:
    """Indices sorted by key, in random order among equal keys."""
    order = torch.randperm(len(key), generator=generator)
    return order[torch.argsort(key[order], stable=True)]
