"""C5: the drift fitted by maximum likelihood is the mean velocity u; its variance is var_t dt².

Many paths pass through x at time t, each with a velocity v of its own. If one step is modelled as

    x_{t−dt} ~ N( x − u(x, t) dt, σ² I ),

least squares gives u(x, t) = E[v | x_t = x] and d σ² = tr Var[v | x_t = x] dt² = var_t(x) dt².
The oracle predicts both. The measurement knows nothing of it: of a great many original paths it takes those
that pass within a small disc around x, and fits their steps by a plane u + G (x_t − x) there.

Source: Wu & Lizarraga, About Flow Matching, 2024, section 3; v points from data to noise here, so the step
toward the data carries a minus sign.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from fmstudio.flow.densities.cloud import PointCloud
from fmstudio.learn.experiment import Experiment
from fmstudio.note.claim import Claim, Declined, Expected, Measured, Measurement, Prediction, Steps, quantity
from fmstudio.note.parts.panel import Panel, lines, motion, series, ways
from fmstudio.note.parts.setting import Setting, repeated, smooth

TIMES = {"A": 0.5, "B": 0.35, "C": 0.65, "D": 0.8}
STEP = 1e-6
#: What is left of the curvature of a path over a step, and of rounding, in a velocity.
ROUNDING = 2e-3
RADIUS = 0.08
REPEATS = 12
DRAWN = 400_000
SHOWN = 100
#: Points are picked from so many of q_t.
CANDIDATES = 64
_VELOCITIES = "Their velocities"


@lru_cache(maxsize=4)
def points_of(experiment: Experiment) -> dict[str, Tensor]:
    """A point for each time where particles are, shape (1, d): of ``CANDIDATES`` drawn from q_t the one whose
    density is exceeded by a quarter of them."""
    s, points = Setting(experiment, 5), {}
    for k, (name, t) in enumerate(TIMES.items()):
        drawn = s.snapshot(CANDIDATES, t, s.generator(1_000 + k))
        order = s.oracle.log_density(drawn.double(), torch.tensor(t, dtype=torch.float64)).argsort()
        points[name] = drawn[order[3 * CANDIDATES // 4], None]
    return points


def _axes(dim: int) -> tuple[str, ...]:
    return ("x", "y")[:dim] if dim <= 2 else tuple(str(i) for i in range(dim))


def predict(experiment: Experiment) -> Prediction:
    """u and var_t at four points, from the oracle; the slack is what the disc around each point changes."""
    s, points = Setting(experiment, 5), points_of(experiment)
    numbers: list[Expected] = []
    for name, x in points.items():
        t = torch.tensor(TIMES[name], dtype=torch.float64)
        width = float(s.path.at(t).variance.sqrt())
        if isinstance(s.density, PointCloud) and width < RADIUS:
            raise Declined(
                f"At t = {TIMES[name]} the particles of one data point lie within {quantity(width)} of each "
                f"other, and a disc of radius {RADIUS} mixes many such clusters: it is no one place."
            )
        at = s.oracle.moments(x.double(), t)
        disc = x.double() + _disc(s.dim)
        around = s.oracle.moments(disc, t)
        weight = torch.softmax(s.oracle.log_density(disc, t), 0)
        bend = (_fitted_plane(disc - x.double(), around.u, weight)[0] - at.u[0]).abs()
        # The fit is flat in the disc: the variance also holds what a plane cannot follow.
        var = float(weight @ around.var)
        for axis, u, slack in zip(_axes(s.dim), at.u[0].tolist(), bend.tolist(), strict=True):
            numbers.append(Expected(f"drift at {name}, {axis}", u, slack=slack + ROUNDING))
        spread = float(at.var)
        numbers.append(Expected(f"variance at {name}", spread, slack=abs(var - spread) + 0.02 * spread))
    places = (
        f"{name} = ({', '.join(f'{c:.2f}'.replace('-', '−') for c in x[0].tolist())}) at t = {TIMES[name]}"
        for name, x in points.items()
    )
    note = f"The points: {', '.join(places)}."
    return Prediction(tuple(numbers), _predicted_panels(s, points["A"]), (note,))


def _disc(dim: int) -> Tensor:
    """A grid of the ball of ``RADIUS``, float64."""
    ticks = torch.linspace(-RADIUS, RADIUS, 15, dtype=torch.float64)
    grid = torch.cartesian_prod(*[ticks] * dim).reshape(-1, dim)
    return grid[grid.square().sum(1) <= RADIUS**2 * (1 + 1e-9)]


def _fitted_plane(r: Tensor, v: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The value at r = 0 of the plane that fits v best, shape (d,), and what it leaves of v."""
    design = torch.cat([torch.ones_like(r[:, :1]), r], 1)
    root = torch.ones_like(r[:, 0]) if weight is None else weight.sqrt()
    plane = torch.linalg.lstsq(root[:, None] * design, root[:, None] * v).solution
    return plane[0], v - design @ plane


def _predicted_panels(s: Setting, x: Tensor) -> tuple[Panel, ...]:
    """The paths through A, and the velocities there."""
    t = torch.tensor(TIMES["A"])
    ends = s.oracle.draw(x, t, SHOWN, s.generator(1_100))
    times = torch.linspace(0, 1, 25)
    z = None if ends.z is None else ends.z[0]
    rows = torch.stack([s.path.position(ends.x0[0], ends.x1[0], when, z) for when in times])
    at = s.oracle.moments(x, t)
    u, spread = at.u[0], float(at.var.clamp_min(0).sqrt())
    here, velocity = ways(t[None], x[None]), ways(torch.ones(1), at.u[None])
    angle = torch.linspace(0, 2 * math.pi, 73)
    if s.dim == 1:
        reach, ring = 0.3, (torch.stack([u - spread, u + spread]).flatten(), torch.zeros(2))
    else:
        reach, ring = 0.4, (u[0] + spread * angle.cos(), u[1] + spread * angle.sin())
    tail, tip = (torch.cat([place, place - reach * v]) for place, v in zip(here, velocity, strict=True))
    caption = (
        f"A hundred original paths through A at t = {TIMES['A']}, drawn from the posterior, and −u there."
    )
    paths = motion(s.dim, "The paths through A", caption).drawn(
        lines("original paths", "original", *ways(times, rows)),
        series("−u (0.4 time units)", "exact", tail, tip),
        series("A", "exact", *here, mark="points"),
    )
    velocities = Panel(
        _VELOCITIES,
        "Velocities at A: their mean should be u, their spread √var_t.",
        "v, first coordinate",
        "v, second coordinate" if s.dim > 1 else "",
        (
            series("√var_t around u", "exact", *ring, mark="dashes"),
            series("u", "exact", *_flat(u[None]), mark="points"),
        ),
        plane=s.dim > 1,
    )
    return paths, velocities


def _flat(v: Tensor) -> tuple[Tensor, Tensor]:
    """Velocities (n, d) as x and y; on a line y is 0."""
    return v[:, 0], v[:, 1] if v.shape[1] > 1 else torch.zeros(len(v))


@dataclass(frozen=True)
class Fit:
    """A drift and a variance fitted to the steps of the paths that pass near a point.

    Args:
        drift: the most likely u, shape (d,).
        variance: the most likely d σ²/dt².
        velocities: of the paths, shape (n, d).
    """

    drift: Tensor
    variance: Tensor
    velocities: Tensor


def fit(s: Setting, x: Tensor, t: float, generator: torch.Generator, everywhere: bool = False) -> Fit:
    """Draw ``DRAWN`` original paths and fit the steps of those within ``RADIUS`` of x at time t by a plane.

    Args:
        s: the setting; its oracle is not asked.
        x: the point, shape (1, d); t: the time.
        generator: of the paths.
        everywhere: take all paths, wherever they are, which breaks the claim.

    Raises:
        Declined: too few paths pass.
    """
    r, v = _passing(s, x, t, generator, everywhere)
    if len(r) < 4 * (s.dim + 1):
        raise Declined(
            f"Only {len(r)} of {DRAWN:,} paths pass within {RADIUS} of this point at t = {t:.3g}: too few to "
            "fit a drift. Choose a point where the particles are."
        )
    drift, left = (v.mean(0), v - v.mean(0)) if everywhere else _fitted_plane(r, v)
    return Fit(drift, left.square().sum() / (len(v) - (0 if everywhere else s.dim + 1)), v)


def steps(experiment: Experiment, broken: bool) -> Steps:
    """Fit the drift on the paths that pass near each point. Broken: on all paths, wherever they are at t."""
    s = Setting(experiment, 5)
    points, axes = points_of(experiment), _axes(s.dim)
    drift = {name: torch.zeros(REPEATS, s.dim, dtype=torch.float64) for name in points}
    spread = {name: torch.zeros(REPEATS, dtype=torch.float64) for name in points}
    caught, shown = 0, torch.zeros(0, s.dim, dtype=torch.float64)
    for repeat in range(REPEATS):
        generator = s.generator(repeat)
        for k, (name, x) in enumerate(points.items()):
            found = fit(s, x, TIMES[name], generator, broken)
            drift[name][repeat], spread[name][repeat] = found.drift, found.variance
            if name == "A" and repeat == 0:
                caught, shown = len(found.velocities), found.velocities[:SHOWN]
            yield (repeat + (k + 1) / len(points)) / REPEATS * 0.99
    numbers: list[Measured] = []
    for name in points:
        for i, axis in enumerate(axes):
            numbers.append(Measured(f"drift at {name}, {axis}", *repeated(drift[name][:, i])))
        numbers.append(Measured(f"variance at {name}", *repeated(spread[name])))
    panel = Panel(_VELOCITIES).over(
        series("velocities that passed", "original", *_flat(shown), mark="points"),
        series("fitted drift", "learned", *_flat(drift["A"].mean(0)[None]), mark="points"),
    )
    note = f"{caught:,} of {DRAWN:,} paths passed within {RADIUS} of A in the first repeat."
    return Measurement(tuple(numbers), (panel,), (note,), REPEATS)


def _passing(
    s: Setting, x: Tensor, t: float, generator: torch.Generator, everywhere: bool
) -> tuple[Tensor, Tensor]:
    """Offsets x_t − x and velocities −(x_{t−dt} − x_t)/dt of the paths that pass near x, float64."""
    ends = s.pairs(DRAWN // 40 if everywhere else DRAWN, generator)
    z = s.path.latent(ends.x0, generator)
    now = torch.tensor(t)
    offset = s.path.position(ends.x0, ends.x1, now, z) - x
    rows = slice(None) if everywhere else (offset.square().sum(1) <= RADIUS**2).nonzero()[:, 0]
    x0, x1 = ends.x0[rows].double(), ends.x1[rows].double()
    z = None if z is None else z[rows].double()
    here = s.path.position(x0, x1, now.double(), z)
    before = s.path.position(x0, x1, now.double() - STEP, z)
    return here - x.double(), (here - before) / STEP


CLAIM = Claim(
    number="C5",
    section=3,
    headline=("drift at A, x", "variance at A"),
    applies=smooth,
    predict=predict,
    steps=steps,
)
