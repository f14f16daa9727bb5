"""Velocities of single paths through a point, and what goes wrong if they are a stranger's."""

from __future__ import annotations

import torch
from torch import Tensor

from fmstudio.flow.densities import Density
from fmstudio.flow.oracle import Oracle


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
