"""log p along a flow, in as many steps as resolve it, between the times at which densities exist."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from fmstudio.flow.densities.cloud import PointCloud
from fmstudio.flow.densities.mixture import GaussianMixture
from fmstudio.flow.oracle.oracle_for import Oracle
from fmstudio.flow.solve.fields import VelocityField
from fmstudio.flow.solve.likelihood import Probes, log_likelihood
from fmstudio.flow.solve.solvers import integrate, path_times
from fmstudio.flow.solve.tableaux import RK4
from fmstudio.note.claim import Declined, quantity
from fmstudio.note.parts.setting import Setting, window

#: Steps of the solver, at least and at most: doubled until log p changes by less than RESOLVED on average.
FLOW_STEPS, MOST_STEPS, RESOLVED = 30, 480, 0.005


def density_time(s: Setting) -> float:
    """The time at which densities are compared: 0 where the data have one."""
    return max(0.1, window(s.path)[0]) if isinstance(s.density, PointCloud) else 0.0


def flow_steps(s: Setting) -> int:
    """Steps that resolve log p along the exact flow.

    Raises:
        Declined: ``MOST_STEPS`` do not.
    """
    at = density_time(s)
    x = s.snapshot(40, at, s.generator(301)).double()
    count, now, change = FLOW_STEPS, log_p(s, s.oracle, x, FLOW_STEPS), math.inf
    while count <= MOST_STEPS:
        then = log_p(s, s.oracle, x, 2 * count)
        change = float((then - now).abs().mean())
        if change < RESOLVED:
            return count
        count, now = 2 * count, then
    raise Declined(
        f"log p along the exact flow is not resolved: {quantity(change)} nats lie between {count // 2} and "
        f"{count} steps, more than {RESOLVED}."
    )


def log_p(
    s: Setting,
    field: VelocityField,
    x: Tensor,
    steps: int,
    *,
    without_divergence: bool = False,
    probes: Probes | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """log p along the flow from x, shape (n,); without the divergence it is log p₁ at the flow's end."""
    start = density_time(s)
    # Where a₁ > 0 the flow ends in q₁, which is not the source's law; all that is asked of it is log q₁.
    last = s.source if s.path.exact_ends else cast(GaussianMixture, _Last(s.oracle))
    if without_divergence:
        times = path_times(steps, start, 1.0)
        return last.log_density(integrate(field, x, times, RK4, record=False).end)
    return log_likelihood(field, x, steps, RK4, last, probes, generator, start=start)


@dataclass(frozen=True)
class _Last:
    """q₁ of a path whose a₁ is not 0."""

    oracle: Oracle

    def log_density(self, x: Tensor) -> Tensor:
        return self.oracle.log_density(x, torch.ones((), dtype=torch.float64))
