"""Metrics: how far two clouds of points are apart, and how straight and how long their trajectories are.

    energy distance    2 E|X − Y| − E|X − X′| − E|Y − Y′|        0 only if the distributions are equal
    W₂                 (min over couplings of E|X − Y|²)^½        exact, small clouds
    sliced W₂          the root mean of W₂² over projections on random lines
    straightness       S = ∫₀¹ E|(Z₁ − Z₀) − u(Z_t, t)|² dt       0 only if trajectories are straight
    transport cost     E|x₁ − x₀|²

Two finite clouds of one distribution are not at distance 0; ``noise_floor`` says where they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from fmstudio.flow.couplings.plans import check_finite, optimal_plan, squared_distances
from fmstudio.flow.densities.density import Density
from fmstudio.flow.solve.fields import VelocityField
from fmstudio.flow.solve.solvers import Trajectory

#: The largest clouds that an exact plan is solved for.
W2_LIMIT = 2000


def energy_distance(x: Tensor, y: Tensor) -> float:
    """Energy distance of the distributions behind two clouds, without bias.

        2 E|X − Y| − E|X − X′| − E|Y − Y′|

    The means over pairs of one cloud leave out each point's distance to itself, so the mean of the estimate
    is the distance itself, and the estimate may be below 0 when that is near 0. Distances are taken from
    differences, never from an expanded square, and summed in float64. In one coordinate the sums follow from
    sorting. The work grows like n²: 0.1 s for 5,000 × 5,000 points of the plane on one core.

    Args:
        x, y: shapes (n, d) and (m, d), n, m ≥ 2, finite.

    Raises:
        ValueError: the shapes do not fit, or a point is not finite.

    Source: Székely & Rizzo 2013, Energy statistics, equation 2.
    """
    _check_clouds(x, y, 2)
    n, m = len(x), len(y)
    if x.shape[1] == 1:
        within_x, within_y = _pair_sum_on_line(x[:, 0]), _pair_sum_on_line(y[:, 0])
        across = _pair_sum_on_line(torch.cat([x[:, 0], y[:, 0]])) - within_x - within_y
    else:
        within_x, within_y, across = _pair_sum(x, None), _pair_sum(y, None), _pair_sum(x, y)
    return 2 * across / (n * m) - 2 * within_x / (n * (n - 1)) - 2 * within_y / (m * (m - 1))


def shuffled_energy_distances(x: Tensor, y: Tensor, repeats: int, generator: torch.Generator) -> Tensor:
    """Energy distances after the points of two clouds were dealt out anew: what equal distributions give.

    Every distance of the pool is worked out once; with h the 0–1 vector of one half and D their matrix, the
    sums that an energy distance needs are hᵀDh, hᵀD1 and 1ᵀD1. One pair at a time: the matrix stays in the
    cache. Memory O((n + m)²).

    Args:
        x, y: T pairs of clouds, shapes (T, n, d) and (T, m, d), n, m ≥ 2, finite; all are dealt out alike.
        repeats: how often they are dealt out, ≥ 1.
        generator: of the dealing.

    Returns:
        Shape (T, repeats), float64; its law is that of :func:`energy_distance` for two clouds of one
        distribution.

    Raises:
        ValueError: the shapes do not fit, or a point is not finite.

    Source: Székely & Rizzo 2013, Energy statistics, section 6 (the permutation test).
    """
    for one, other in zip(x, y, strict=True):
        _check_clouds(one, other, 2)
    n, m, pool = x.shape[1], y.shape[1], torch.cat([x, y], 1)
    order = torch.rand(n + m, repeats, generator=generator, device=generator.device).argsort(0)
    half = (order < n).to(pool)
    dealt: list[Tensor] = []
    for points in pool:
        distances = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")
        rows = distances.sum(1).double()
        within_x = ((distances @ half) * half).sum(0).double()
        across = rows @ half.double() - within_x
        within_y = rows.sum() - 2 * across - within_x
        dealt.append(2 * across / (n * m) - within_x / (n * (n - 1)) - within_y / (m * (m - 1)))
    return torch.stack(dealt)


def envelope(curves: Tensor, inside: float) -> Tensor:
    """A band that holds a whole curve of a given kind with a given probability, not each of its points.

    With the median m and the 2.5 % and 97.5 % quantiles L, U of the curves at each point, a curve c leaves by

        r = max over points of  (c − m)/(U − m) above m,  (m − c)/(m − L) below it,

    and the band from m − r(m − L) to m + r(U − m) takes for r the ⌈inside (R + 1)⌉-th smallest of the R
    curves': one more curve of their kind stays inside with at least that probability.

    Args:
        curves: R draws of a curve of T points, shape (T, R), float64.
        inside: the probability, below 1; (R + 1)(1 − inside) ≥ 1.

    Returns:
        Lower and upper edge, shape (T, 2).

    Raises:
        ValueError: too few curves for so rare an exit.

    Limits: m, L and U come from the same curves, which costs a little of the probability.

    Source: Myllymäki et al. 2017, arXiv:1307.0239, section 4.2 (the directional quantile envelope).
    """
    rank = math.ceil(inside * (curves.shape[1] + 1))
    if rank > curves.shape[1]:
        raise ValueError(f"A band that holds {inside:g} needs more than {curves.shape[1]} curves; draw more.")
    levels = torch.tensor([0.025, 0.5, 0.975], dtype=curves.dtype)
    low, middle, high = torch.quantile(curves, levels, dim=1)[..., None]
    above, below = (curves - middle) / (high - middle), (middle - curves) / (middle - low)
    reach = torch.maximum(above, below).amax(0).sort().values[rank - 1]
    return torch.cat([middle - reach * (middle - low), middle + reach * (high - middle)], 1)


def _pair_sum_on_line(x: Tensor) -> float:
    """Σ over i < j of |x_i − x_j| = Σ_k (2k − n + 1) x₍ₖ₎ for sorted x."""
    x = torch.sort(x.double()).values
    x = x - x.mean()
    weights = 2 * torch.arange(len(x), dtype=torch.float64, device=x.device) - (len(x) - 1)
    return float(weights @ x)


def _pair_sum(x: Tensor, y: Tensor | None) -> float:
    """Σ |x_i − y_j| over all i, j; without y, Σ |x_i − x_j| over i < j. In tiles that stay in the cache."""
    rows, columns = (128, 1024) if x.device.type == "cpu" else (2048, 8192)
    other = (x if y is None else y).T.contiguous()
    total = torch.zeros((), dtype=torch.float64, device=x.device)
    for i in range(0, len(x), rows):
        tile_rows = x[i : i + rows]
        # Without y: the square on the diagonal counts each of its pairs twice, what lies right of it once.
        if y is None:
            total += _tile(tile_rows, other[:, i : i + rows]) / 2
        for j in range(0 if y is not None else i + rows, other.shape[1], columns):
            total += _tile(tile_rows, other[:, j : j + columns])
    return float(total)


def _tile(rows: Tensor, columns: Tensor) -> Tensor:
    """Σ of the distances between points in rows (n, d) and points in columns (d, m)."""
    if rows.shape[1] > 8:
        distances = torch.cdist(rows, columns.T, compute_mode="donot_use_mm_for_euclid_dist")
        return distances.sum(dtype=torch.float64)
    squares = (rows[:, 0, None] - columns[0]).square_()
    for k in range(1, rows.shape[1]):
        difference = rows[:, k, None] - columns[k]
        squares.addcmul_(difference, difference)
    return squares.sqrt_().sum(dtype=torch.float64)


def sliced_w2(x: Tensor, y: Tensor, generator: torch.Generator, projections: int = 128) -> float:
    """Root mean of W₂² between the projections of two clouds on random lines.

        SW₂ = ( E_θ W₂²(⟨θ, X⟩, ⟨θ, Y⟩) )^½,     θ uniform on the unit sphere

    On a line W₂ is exact by sorting, for clouds of any two sizes. SW₂ ≤ W₂/√d.

    Args:
        x, y: shapes (n, d) and (m, d), finite.
        generator: draws the lines.
        projections: how many lines, ≥ 1.

    Raises:
        ValueError: an argument is outside its domain.

    Source: Bonneel et al. 2015, Sliced and Radon Wasserstein Barycenters of Measures, definition 8.
    """
    _check_clouds(x, y, 1)
    if projections < 1:
        raise ValueError(f"Expected at least 1 projection; got {projections}.")
    lines = torch.randn(
        x.shape[1], projections, generator=generator, dtype=torch.float64, device=generator.device
    ).to(x.device)
    lines = lines / lines.norm(dim=0)
    parts = (_w2_squared_on_lines(x.double() @ part, y.double() @ part) for part in lines.split(16, dim=1))
    return math.sqrt(sum(float(part.sum()) for part in parts) / projections)


def _w2_squared_on_lines(x: Tensor, y: Tensor) -> Tensor:
    """W₂² column by column, of shapes (n, P) and (m, P): ∫₀¹ (quantile of x − quantile of y)²."""
    x, y = x.sort(dim=0).values, y.sort(dim=0).values
    n, m = len(x), len(y)
    if n == m:
        return (x - y).square().mean(dim=0)
    # In units of 1/(nm) the quantile functions jump at whole multiples of m and of n.
    jumps = torch.cat([torch.arange(n, device=x.device) * m, torch.arange(m, device=x.device) * n])
    starts = torch.unique(jumps)
    widths = torch.diff(starts, append=starts.new_tensor([n * m])).double() / (n * m)
    return widths @ (x[starts // m] - y[starts // n]).square()


def w2(x: Tensor, y: Tensor) -> float:
    """Wasserstein distance of two clouds, W₂ = (min over plans of Σ π_ij |x_i − y_j|²)^½, exactly.

    Args:
        x, y: shapes (n, d) and (m, d), finite; n, m ≤ 2,000 unless d = 1.

    Raises:
        ValueError: the shapes do not fit, a point is not finite, or the clouds are too large.

    Limits: two clouds of n points of one distribution in d > 2 dimensions are about n^(−1/d) apart.
    """
    _check_clouds(x, y, 1)
    if x.shape[1] == 1:
        return math.sqrt(float(_w2_squared_on_lines(x.double(), y.double())))
    if max(len(x), len(y)) > W2_LIMIT:
        raise ValueError(
            f"An exact W₂ is solved for at most {W2_LIMIT:,} points; got {len(x):,} and {len(y):,}. "
            "Use fewer points, sliced_w2 or energy_distance."
        )
    cost = squared_distances(x, y).cpu()
    return math.sqrt(float((optimal_plan(cost) * cost).sum()))


@torch.no_grad()
def straightness(trajectory: Trajectory, field: VelocityField) -> float:
    """How far trajectories are from straight lines at constant speed.

        S = ∫ E|(Z₁ − Z₀) − u(Z_t, t)|² dt

    by the trapezoid rule over the trajectory's times. Where these do not reach from 0 to 1, the displacement
    is divided by the time it took.

    Args:
        trajectory: positions along the flow of the field, times in either direction.
        field: u(x, t).

    Returns:
        S ≥ 0; 0 exactly when every trajectory is a straight line at constant speed.

    Source: Liu et al. 2022, arXiv:2209.03003, equation 8.
    """
    times, positions = trajectory.times, trajectory.positions
    span = float(times[-1] - times[0])
    mean_velocity = (positions[-1] - positions[0]) / span
    off = (mean_velocity - field(x, t) for x, t in zip(positions, times.to(positions.device), strict=True))
    squares = torch.stack([v.double().flatten(1).square().sum(1).mean() for v in off])
    return float(torch.trapezoid(squares, times.double().to(squares.device))) * math.copysign(1, span)


def transport_cost(x0: Tensor, x1: Tensor) -> float:
    """E|x₁ − x₀|², the mean squared distance of partners of shape (n, d).

    Raises:
        ValueError: the shapes differ.
    """
    if x0.shape != x1.shape:
        raise ValueError(f"Expected partners of one shape; got {tuple(x0.shape)} and {tuple(x1.shape)}.")
    return float((x1.double() - x0.double()).flatten(1).square().sum(1).mean())


@dataclass(frozen=True)
class Floor:
    """What a metric says of two clouds of one distribution.

    Args:
        mean, std: over the repeats.
    """

    mean: float
    std: float


def noise_floor(
    metric: Callable[[Tensor, Tensor], float],
    source: Density | Tensor,
    n: int,
    generator: torch.Generator,
    repeats: int = 8,
) -> Floor:
    """Measure two fresh clouds of n points of one distribution against each other, several times.

    A distance within a few ``std`` of ``mean`` is what two finite clouds show anyway.

    Args:
        metric: of two clouds, shapes (n, d) and (m, d).
        source: a density to draw from, or at least 2n points that are split at random into disjoint clouds.
        n: points in each cloud.
        generator: of the draws.
        repeats: ≥ 2. Splits of one set of points are not independent, so their std is somewhat too small.

    Raises:
        ValueError: fewer than 2 repeats, or fewer than 2n points.
    """
    if repeats < 2:
        raise ValueError(f"A spread needs at least 2 repeats; got {repeats}.")
    values = []
    for _ in range(repeats):
        if isinstance(source, Tensor):
            if len(source) < 2 * n:
                raise ValueError(f"Two clouds of {n} need {2 * n} points; got {len(source)}.")
            order = torch.randperm(len(source), generator=generator, device=generator.device)
            x, y = source[order.to(source.device)][: 2 * n].split(n)
        else:
            x, y = source.sample(n, generator).points, source.sample(n, generator).points
        values.append(metric(x, y))
    spread = torch.tensor(values, dtype=torch.float64)
    return Floor(float(spread.mean()), float(spread.std()))


def _check_clouds(x: Tensor, y: Tensor, at_least: int) -> None:
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or min(len(x), len(y)) < at_least:
        raise ValueError(
            f"Expected clouds of shape (n, d) and (m, d), n, m ≥ {at_least}; "
            f"got {tuple(x.shape)} and {tuple(y.shape)}."
        )
    check_finite(x, y)
