"""Velocities of single paths through a point, and what goes wrong if they are a stranger's."""

from __future__ import annotations

import torch
from torch import Tensor

from fmstudio.flow.densities import Density
from fmstudio.flow.oracle import Oracle
from fmstudio.flow.transitions import identity_switching


def drawn_velocity(oracle: Oracle, x: Tensor, t: Tensor, generator: torch.Generator) -> Tensor:
    """The velocity of one original path through each point, drawn from w(x, t): shape (n, d)."""
    ends = oracle.draw(x, t, 1, generator)
    z = None if ends.z is None else ends.z[:, 0]
    return oracle.path.velocity(ends.x0[:, 0], ends.x1[:, 0], t.to(x.dtype), z)


def stranger_velocity(
    oracle: Oracle, density: Density, x: Tensor, t: Tensor, generator: torch.Generator
) -> Tensor:
    """The velocity at x of a path to a data point drawn from q, not from w(x, t): it breaks the induction.

    The path's noise and latent are what the oracle's drawn path has; only x₀ is a stranger's.
    """
    ends = oracle.draw(x, t, 1, generator)
    z = None if ends.z is None else ends.z[:, 0]
    stranger = density.sample(len(x), generator).points
    return oracle.path.velocity(stranger, ends.x1[:, 0], t.to(x.dtype), z)


def swapped(trajectories: Tensor, cell: float, generator: torch.Generator, anywhere: bool = False) -> Tensor:
    """Whose trajectory each particle is on, shape (T, n), after swaps at every time but the first.

    Args:
        trajectories: original positions, shape (T, n, d), in the order of travel.
        cell: side of the cells in which particles meet, > 0.
        generator: of the permutations.
        anywhere: permute all particles, wherever they are: what the note does not say.
    """
    if not anywhere:
        return identity_switching(trajectories, cell, generator)
    n = trajectories.shape[1]
    partners = [torch.arange(n)]
    for _ in range(len(trajectories) - 1):
        partners.append(torch.randperm(n, generator=generator)[partners[-1]])
    return torch.stack(partners)
