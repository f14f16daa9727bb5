"""C2: matching the local transitions gives p_t = q_t at every t.

By induction: if p_t = q_t and p(x′|x) = q(x′|x), then p_{t−dt}(x′) = ∫ p_t(x) p(x′|x) dx = q_{t−dt}(x′). (The
note's integral is over x_t; its transcription writes dt.) So each of these keeps every snapshot:

    the ODE with u, the ODE with a net that has learned u, particles that pick a random path at every step,
    and original trajectories whose particles swap identities where they meet.

The distance of two clouds of one distribution is 0 on average; the band is how much it scatters.

Source: Wu & Lizarraga, About Flow Matching, 2024, section 2.
"""

from __future__ import annotations

from itertools import combinations, pairwise

import torch
from torch import Tensor

from fmstudio.flow.metrics import energy_distance
from fmstudio.flow.solve.adaptive import integrate_adaptive
from fmstudio.flow.solve.fields import VelocityField
from fmstudio.flow.solve.solvers import integrate, path_times
from fmstudio.flow.solve.tableaux import EULER
from fmstudio.flow.solve.transitions import identity_switching, random_path_process
from fmstudio.learn.experiment import Experiment
from fmstudio.note.claim import Claim, Expected, Measured, Measurement, Prediction, Steps
from fmstudio.note.parts.nets import learned, shares, small
from fmstudio.note.parts.panel import Panel, series
from fmstudio.note.parts.particles import stranger_velocity
from fmstudio.note.parts.setting import Setting, column_errors, repeated, smooth

PROCESSES = ("ODE, oracle", "ODE, net", "random paths", "identity switching")
_ROLES: dict[str, str] = dict(zip(PROCESSES, ("exact", "learned", "class-4", "class-3"), strict=True))
#: How far from 0 each may stay: a solver's tolerance; what a small net leaves; the last two are exact.
_SLACK = dict(zip(PROCESSES, (1e-3, 6e-3, 0.0, 0.0), strict=True))
REPEATS, PARTICLES, SNAPSHOTS, BETWEEN = 16, 500, 10, 10
TRAINING, STOPPED, CELL, FRESH = 3_000, 30, 0.1, 7
TOLERANCE = 1e-3
_DISTANCE = Panel(
    "Distance of p_t to q_t",
    "Energy distance to fresh particles of Q at every t; the band holds two fresh samples (± 2 std).",
    "t",
    "energy distance",
)


def predict(experiment: Experiment) -> Prediction:
    """Distance 0 at every t, and the band in which two fresh samples of q_t lie."""
    s = Setting(experiment, 2)
    generator, times = s.generator(1_000), s.times(SNAPSHOTS)
    spread = torch.stack([_scatter(s, t, generator) for t in times])
    none = torch.zeros_like(times)
    panel = _DISTANCE.drawn(
        series("two fresh samples", "original", times, none, 2 * spread, "band"),
        series("p_t = q_t", "exact", times, none, mark="dashes"),
    )
    numbers = tuple(
        Expected(f"mean distance over t, {name}", 0.0, "at most", slack) for name, slack in _SLACK.items()
    )
    return Prediction(numbers, (panel,))


def _scatter(s: Setting, t: Tensor, generator: torch.Generator) -> Tensor:
    """Root mean square of the distance, which is 0 on average, over all pairs of ``FRESH`` clouds of q_t."""
    clouds = [s.snapshot(PARTICLES, t, generator) for _ in range(FRESH)]
    found = [energy_distance(x, y) for x, y in combinations(clouds, 2)]
    return torch.tensor(found, dtype=torch.float64).square().mean().sqrt()


def steps(experiment: Experiment, broken: bool) -> Steps:
    """Move particles in four ways.

    Broken: two Euler steps; a net stopped after thirty; a partner drawn uniformly in place of from w(x, t);
    strangers' displacements taken where they are not.
    """
    s = Setting(experiment, 2)
    net = yield from shares(learned(small(experiment, STOPPED if broken else TRAINING)), 0.0, 0.25)
    times = s.times(SNAPSHOTS)
    distances = {name: torch.zeros(REPEATS, len(times), dtype=torch.float64) for name in PROCESSES}
    for repeat in range(REPEATS):
        generator = s.generator(repeat)
        movers = {
            "ODE, oracle": lambda x: _ode(s.oracle, x, times, broken),
            "ODE, net": lambda x: _ode(net, x, times, False),
            "random paths": lambda x, g=generator: _random(s, x, times, g, broken),
            "identity switching": lambda x, g=generator: _switched(s, len(x), times, g, broken),
        }
        for k, (name, move) in enumerate(movers.items()):
            rows = move(s.snapshot(PARTICLES, times[0], generator))
            for j, (t, x) in enumerate(zip(times, rows, strict=True)):
                distances[name][repeat, j] = energy_distance(x, s.snapshot(PARTICLES, t, generator))
            yield 0.25 + 0.74 * (repeat + (k + 1) / len(movers)) / REPEATS
    numbers = tuple(
        Measured(f"mean distance over t, {name}", *repeated(d.mean(1))) for name, d in distances.items()
    )
    curves = (series(name, _ROLES[name], times, *column_errors(d)) for name, d in distances.items())
    return Measurement(numbers, (_DISTANCE.over(*curves),), repeats=REPEATS)


def _ode(field: VelocityField, x: Tensor, times: Tensor, few: bool) -> Tensor:
    """Positions at the times; with ``few``, on straight lines between two Euler steps."""
    if not few:
        return integrate_adaptive(field, x, times, TOLERANCE, TOLERANCE).positions
    knots = integrate(field, x, path_times(2, float(times[0]), float(times[-1])), EULER).positions
    share = 2 * (times[0] - times) / (times[0] - times[-1])
    return torch.stack(
        [torch.lerp(knots[int(c > 1)], knots[int(c > 1) + 1], float(c) - int(c > 1)) for c in share]
    )


def _random(s: Setting, x: Tensor, times: Tensor, generator: torch.Generator, uniform: bool) -> Tensor:
    rows = [x]
    for t, then in pairwise(times.tolist()):
        grid = path_times(BETWEEN, t, then)
        if not uniform:
            x = random_path_process(s.oracle, x, grid, generator, along_path=True).trajectory.end
        for now, after in pairwise(grid) if uniform else ():
            x = x + (after - now) * stranger_velocity(s.oracle, s.density, x, now, generator)
        rows.append(x)
    return torch.stack(rows)


def _switched(s: Setting, n: int, times: Tensor, generator: torch.Generator, strangers: bool) -> Tensor:
    """Original trajectories with swaps in cells; with ``strangers``, steps of others elsewhere."""
    ends = s.pairs(n, generator)
    rows = s.path.trajectories(ends.x0, ends.x1, times, generator)
    if not strangers:
        partners = identity_switching(rows, CELL, generator)
        return torch.stack([row[index] for row, index in zip(rows, partners, strict=True)])
    moved = [rows[0]]
    for now, then in pairwise(rows):
        moved.append(moved[-1] + (then - now)[torch.randperm(n, generator=generator)])
    return torch.stack(moved)


CLAIM = Claim(
    number="C2",
    section=2,
    headline=("mean distance over t, random paths",),
    applies=smooth,
    predict=predict,
    steps=steps,
)
