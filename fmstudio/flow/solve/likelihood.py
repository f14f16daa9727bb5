"""The likelihood of data under a flow, from the divergence of its velocity along the way.

A density carried by dx/dt = u(x, t) changes along a trajectory by d log p_t(x_t)/dt = −div u(x_t, t), so from
data (t = 0) to noise (t = 1), where p₁ is known,

    log p₀(x₀) = log p₁(x₁) + ∫₀¹ div u(x_t, t) dt.

The note drops the ELBO of a Markovian Q and says that the log-likelihood can be had in other ways
(Wu & Lizarraga, About Flow Matching, 2024, section 2); this is one: Chen et al. 2018, arXiv:1806.07366,
theorem 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fmstudio.flow.densities.mixture import GaussianMixture
from fmstudio.flow.solve.fields import VelocityField, velocity_and_divergence, velocity_and_probed_divergence
from fmstudio.flow.solve.solvers import integrate, path_times
from fmstudio.flow.solve.tableaux import Tableau


@dataclass(frozen=True)
class Probes:
    """Hutchinson's estimate of the divergence with random signs, drawn once for a whole trajectory.

    Args:
        count: how many for each point, ≥ 1; the variance falls like 1/count.
    """

    count: int = 1

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"Expected at least 1 probe; got {self.count}.")

    def draw(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Signs ±1 of shape (count, n, d) for points x of shape (n, d)."""
        shape = (self.count, *x.shape)
        signs = torch.randint(0, 2, shape, generator=generator, device=generator.device)
        return (2 * signs - 1).to(x)


def log_likelihood(
    field: VelocityField,
    x: Tensor,
    steps: int,
    tableau: Tableau,
    source: GaussianMixture,
    probes: Probes | None = None,
    generator: torch.Generator | None = None,
    *,
    start: float = 0.0,
) -> Tensor:
    """log p₀(x₀) = log p₁(x₁) + ∫₀¹ div u dt along the flow from x₀.

    Args:
        field: u; knows its divergence or is differentiable in x, row by row.
        x: data points x₀, shape (n, d).
        steps: steps of the solver, ≥ 1.
        tableau: the solver.
        source: p₁, taken as the density at t = 1.
        probes: estimate the divergence with random signs; None for the exact one (d backward passes).
        generator: draws the signs; needed with probes only.
        start: the time of x, in [0, 1); the answer is then log p_start(x). Needed where u is singular at
            t = 0, as for a cloud of points, which has no density there.

    Returns:
        Shape (n,), in the dtype of x.

    Raises:
        ValueError: probes without a generator, or a field without a derivative.

    Limits: exact up to the solver's error. Where a path ends short of the source (variance preserving:
    a₁ ≈ 0.0066), so does the density at t = 1.
    """
    if probes is not None and generator is None:
        raise ValueError("Random probes need a generator; got none.")
    dim = x.shape[1]
    signs = None if probes is None or generator is None else probes.draw(x, generator)

    def carried(state: Tensor, t: Tensor) -> Tensor:
        at = state[:, :dim]
        if signs is None:
            u, divergence = velocity_and_divergence(field, at, t)
        else:
            u, divergence = velocity_and_probed_divergence(field, at, t, signs)
        return torch.cat([u, divergence[:, None]], 1)

    state = torch.cat([x, x.new_zeros(len(x), 1)], 1)
    end = integrate(carried, state, path_times(steps, start, 1.0), tableau, record=False).end
    return source.log_density(end[:, :dim]).to(x.dtype) + end[:, dim]
