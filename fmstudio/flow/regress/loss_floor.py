"""The floor of the loss: what is left of it when the answer is exact.

    E |f(x_t, t) − y|²  =  E |f − E[y | x_t]|²  +  E tr Var[y | x_t]
         loss                   excess                 floor

The paths through a point disagree, and no function of (x, t) follows them all. The oracle knows both terms,
so a loss curve has a line to fall to, and the error that is really left.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from fmstudio.flow.couplings.coupling import Coupling, FixedPairs
from fmstudio.flow.densities.density import Density, check_count
from fmstudio.flow.densities.mixture import GaussianMixture
from fmstudio.flow.oracle.oracle_for import Oracle
from fmstudio.flow.paths.path import Path
from fmstudio.flow.regress.objectives import Target, V, draw_paths, moments_by_class
from fmstudio.flow.regress.time_laws import TimeLaw


@dataclass(frozen=True)
class LossFloor:
    """The least mean squared error any net can reach, E tr Var[y | x_t], and how well it is known.

    Args:
        mean: Monte-Carlo estimate of the floor.
        error: its standard error.
    """

    mean: float
    error: float


@dataclass(frozen=True)
class FloorProbe:
    """Points at which the exact answer is known, to measure a net against.

    Args:
        xt: shape (n, d).
        t: shape (n,).
        asked: the class a conditional net is told, shape (n,), −1 for none; None where it is never told.
        exact: E[y | x_t] at them, shape (n, d).
        floor: of the loss, measured on the same points.
    """

    xt: Tensor
    t: Tensor
    asked: Tensor | None
    exact: Tensor
    floor: LossFloor


def probe(
    path: Path,
    density: Density,
    source: GaussianMixture,
    oracle: Oracle,
    target: Target,
    law: TimeLaw,
    n: int,
    generator: torch.Generator,
    *,
    coupling: Coupling | FixedPairs,
    label_drop: float | None = None,
) -> FloorProbe:
    """Draw points of original paths and ask the oracle for E[y | x_t] and the loss floor there.

    The times are stratified, one in each of n equal parts of the law, and so without an error of their own.
    For the velocity the floor is the mean of var_t(x_t); for another target, the mean of |y − E[y|x_t]|².

    Args:
        path, density, source, target, law: as in training.
        oracle: exact for an independent coupling only.
        n: number of points, ≥ 2; the cost is one oracle call of n queries.
        generator: of every draw.
        coupling: must be independent.
        label_drop: for a conditional net, how often it is not told the class.

    Raises:
        ValueError: the coupling is not independent, or n < 2.
    """
    check_count(n, 2)
    if not coupling.independent:
        raise ValueError("The floor has a closed form only for an independent coupling; got another one.")
    where = generator.device
    share = (torch.arange(n, device=where) + torch.rand(n, generator=generator, device=where)) / n
    t = law.quantile(share.clamp(1e-7, 1 - 1e-7))
    draw = draw_paths(path, density, source, coupling, law, n, generator, times=t)
    asked = None
    if label_drop is not None and draw.labels is not None:
        kept = torch.rand(n, generator=generator, device=generator.device) >= label_drop
        asked = torch.where(kept.to(draw.labels.device), draw.labels, -1)
    exact, spread = torch.empty_like(draw.xt), torch.empty_like(draw.t)
    for rows, moments in moments_by_class(oracle, draw.xt, draw.t, asked):
        exact[rows] = target.mean(path, moments, draw.t[rows])
        spread[rows] = moments.var
    if target is not V:
        spread = (target.sampled(path, draw) - exact).square().sum(-1)
    # Neighbouring times are nearly equal, so half their squared difference is the variance within a stratum.
    within = (spread[1::2] - spread[: 2 * (n // 2) : 2]).square().mean() / 2
    floor = LossFloor(float(spread.double().mean()), math.sqrt(float(within) / n))
    return FloorProbe(draw.xt, draw.t, asked, exact, floor)
