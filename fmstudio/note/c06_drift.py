"""C6: the random drifts e dt average out.

A particle that follows a randomly picked path at every step moves by v dt = u dt + e dt with E[e | x_t] = 0.
The e of different steps are uncorrelated, so

    E|Σ e dt|² = Σ E[var_t(x_t)] dt²  →  0     with slope 1 in log–log against dt,

and at the scale of many steps the motion is that of the ODE. The squared distance to the ODE from the
same start also carries the stretching of the flow: slope 1 again, another constant. With e √dt in place of e
dt the sum keeps its variance: that would be a diffusion.

Source: Wu & Lizarraga, About Flow Matching, 2024, section 3.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from fmstudio.flow.solvers import integrate, path_times
from fmstudio.flow.tableaux import EULER
from fmstudio.flow.transitions import random_path_process
from fmstudio.learn.experiment import Experiment
from fmstudio.note.claim import Claim, Expected, Measured, Measurement, Prediction, Steps
from fmstudio.note.panel import Panel, lines, series
from fmstudio.note.particles import drawn_velocity
from fmstudio.note.setting import Setting, column_errors, mean_error, slopes, smooth, window

COUNTS = (10, 20, 40, 80, 160, 320, 640)
REPEATS, PARTICLES, SHOWN = 8, 80, 6
PICTURED = (10, 40, 160, 640)
#: Steps between two reports of the finished share.
PIECE = 32
#: Longer steps part the particles so far that the distance no longer grows with them.
FINE = slice(2, None)
_DRIFT, _PATHS = "Accumulated random drift", "Particles and the ODE"


def _grid(s: Setting, count: int) -> Tensor:
    low, high = window(s.path)
    return path_times(count, high, low)


def _widths(s: Setting) -> Tensor:
    low, high = window(s.path)
    return torch.tensor([(high - low) / n for n in COUNTS], dtype=torch.float64)


def predict(experiment: Experiment) -> Prediction:
    """Σ E[var_t(x_t)] dt² at every dt, with x_t drawn from its original paths; slope 1."""
    s = Setting(experiment, 6)
    generator = s.generator(1_000)
    times = _grid(s, 160)[:-1]
    spread = torch.stack([s.oracle.moments(s.snapshot(1_000, t, generator), t).var.mean() for t in times])
    widths = _widths(s)
    # Every count's grid of left ends, by interpolation between the 160 times.
    sums = torch.stack([_left_sum(spread.double(), times.double(), _grid(s, n)) for n in COUNTS])
    slope = float(slopes(widths, sums[None])[0])
    finest = float(sums[-1])
    panel = Panel(
        _DRIFT,
        "Mean squared sum of the random drifts, and squared distance to the ODE, against the step.",
        "step dt",
        "squared length",
        (series("Σ E[var_t] dt², formula", "exact", widths, sums, mark="dashes"),),
        log_x=True,
        log_y=True,
    )
    numbers = (
        Expected("slope of E|Σ e dt|²", 1.0, slack=0.02 + abs(slope - 1)),
        Expected("slope of the squared distance to the ODE", 1.0, slack=0.1),
        # The particles' own x_t differ from q_t by a first order in dt.
        Expected(f"E|Σ e dt|² at {COUNTS[-1]} steps", finest, slack=0.02 * finest),
    )
    return Prediction(numbers, (panel,))


def _left_sum(spread: Tensor, times: Tensor, grid: Tensor) -> Tensor:
    """Σ var(t_k) dt² over the starts t_k of a grid's steps; all times fall."""
    starts, width = grid[:-1].double(), float(grid[0] - grid[1])
    index = torch.searchsorted(-times, -starts).clamp(1, len(times) - 1)
    share = ((times[index - 1] - starts) / (times[index - 1] - times[index])).clamp(0, 1)
    return torch.lerp(spread[index - 1], spread[index], share).sum() * width**2


def steps(experiment: Experiment, broken: bool) -> Steps:
    """Follow random paths from the starts of the ODE. Broken: the random part is e √dt in place of e dt."""
    s = Setting(experiment, 6)
    generator = s.generator(0)
    start = s.snapshot(REPEATS * PARTICLES, window(s.path)[1], generator)
    sums = torch.zeros(REPEATS, len(COUNTS), dtype=torch.float64)
    gaps = torch.zeros_like(sums)
    drawn: dict[int, Tensor] = {}
    finest = _grid(s, COUNTS[-1])
    ode = integrate(s.oracle, start, finest, EULER)
    for k, count in enumerate(COUNTS):
        grid = _grid(s, count)
        last = count == COUNTS[-1]
        end = ode.end if last else integrate(s.oracle, start, grid, EULER, record=False).end
        x, total, rows = start, torch.zeros_like(start), [start[None, :SHOWN]]
        for first in range(0, count, PIECE):
            piece = grid[first : first + PIECE + 1]
            if broken:
                positions, drift = diffused(s, x, piece, generator)
            else:
                run = random_path_process(s.oracle, x, piece, generator)
                positions, drift = run.trajectory.positions, run.drift
            x, total = positions[-1], total + drift
            rows.append(positions[1:, :SHOWN])
            yield (sum(COUNTS[:k]) + first + len(piece) - 1) / sum(COUNTS) * 0.99
        sums[:, k] = _blocks(total.square().sum(1)).mean(1)
        gaps[:, k] = _blocks((x - end).square().sum(1)).median(1).values
        drawn[count] = torch.cat(rows)
    widths = _widths(s)
    numbers = (
        Measured("slope of E|Σ e dt|²", *mean_error(slopes(widths, sums))),
        Measured(
            "slope of the squared distance to the ODE", *mean_error(slopes(widths[FINE], gaps[:, FINE]))
        ),
        Measured(f"E|Σ e dt|² at {COUNTS[-1]} steps", *mean_error(sums[:, -1])),
    )
    curves = (
        series("E|Σ e dt|²", "original", widths, *column_errors(sums), "points"),
        series("median squared distance to the ODE", "error", widths, *column_errors(gaps), "points"),
    )
    panels = (Panel(_DRIFT, "", "", "", curves), *_pictures(s, drawn, ode.positions[:, :SHOWN], finest))
    return Measurement(numbers, panels, repeats=REPEATS)


def diffused(s: Setting, x: Tensor, times: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Steps −u dt − e √dt: what a diffusion would do. Positions (T, n, d) and Σ e √dt."""
    rows, total = [x], torch.zeros_like(x)
    for t, then in pairwise(times):
        u, v = s.oracle(x, t), drawn_velocity(s.oracle, x, t, generator)
        drift = (v - u) * (t - then).sqrt()
        x, total = x - u * (t - then) - drift, total + drift
        rows.append(x)
    return torch.stack(rows), total


def _blocks(values: Tensor) -> Tensor:
    return values.double().view(REPEATS, PARTICLES)


def _pictures(s: Setting, drawn: dict[int, Tensor], ode: Tensor, grid: Tensor) -> tuple[Panel, ...]:
    """A few particles at four numbers of steps, drawn over their ODE."""

    def axes(rows: Tensor, times: Tensor) -> tuple[Tensor, Tensor]:
        every = max(1, (len(rows) - 1) // 160)
        rows, times = rows[::every], times[::every]
        return (times[:, None].expand(rows.shape[:2]) if s.dim == 1 else rows[..., 0]), rows[..., s.dim - 1]

    deterministic = lines("ODE", "exact", *axes(ode, grid), "dashes")
    return tuple(
        Panel(
            _PATHS,
            "The same starts: particles that pick a path at random at every step, over the flow.",
            "t" if s.dim == 1 else "x",
            "x" if s.dim == 1 else "y",
            (lines("random paths", "original", *axes(drawn[count], _grid(s, count))), deterministic),
            plane=s.dim > 1,
            stage=f"{count} steps",
        )
        for count in PICTURED
    )


CLAIM = Claim(
    number="C6",
    title="Random drift averages out",
    section=3,
    sentence=(
        "A particle that picks a path at random at every instant has a random velocity, yet over a thousand "
        "small steps the random parts cancel by the law of large numbers and it moves with u, like an ODE."
    ),
    formula=(
        r"E\Big|\sum e\,dt\Big|^2=\sum E[\mathrm{var}_t]\,dt^2=\Big(\sum E[\mathrm{var}_t]\,dt\Big)dt\to 0"
    ),
    breaks="The random part of each step is e √dt in place of e dt: its variance stays, and the slope is 0.",
    question=(
        "How many steps until half of the particles are within 0.1 of the ODE? Read it off the red points, "
        "at 0.01, then check on a bow, whose paths through a point disagree more."
    ),
    headline=("slope of E|Σ e dt|²",),
    applies=smooth,
    predict=predict,
    steps=steps,
)
