"""Where the paths through a point come from and lead to, singly and on average, and a stranger's velocity."""

from __future__ import annotations

import torch
from torch import Tensor

from fmstudio.flow.densities.density import Density
from fmstudio.flow.oracle.oracle_for import Oracle
from fmstudio.flow.paths.path import act


def drawn_step(
    oracle: Oracle, x: Tensor, t: Tensor, then: Tensor, generator: torch.Generator, count: int = 1
) -> Tensor:
    """Where original paths through each point, drawn from w(x, t), are at time ``then``: (n, count, d)."""
    ends = oracle.draw(x, t, count, generator)
    x0, x1 = ends.x0.flatten(0, 1), ends.x1.flatten(0, 1)
    z = None if ends.z is None else ends.z.flatten(0, 1)
    return oracle.path.position(x0, x1, then.to(x.dtype), z).view(len(x), count, -1)


def mean_step(oracle: Oracle, x: Tensor, t: Tensor, then: Tensor) -> Tensor:
    """E[x_then | x_t = x], shape (n, d): x + u (then − t) to first order, and for straight paths exactly."""
    m, here, there = oracle.moments(x, t), oracle.path.at(t.to(x.dtype)), oracle.path.at(then.to(x.dtype))
    mean = act(there.a, m.x0_hat) + act(there.b, m.eps_hat)
    if not oracle.path.has_latent:
        return mean
    z_hat = (x - act(here.a, m.x0_hat) - act(here.b, m.eps_hat)) / here.gamma
    return mean + there.gamma * z_hat


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
