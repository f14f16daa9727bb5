"""C6: the random drifts e dt average out.

A particle that follows a randomly picked path at every step moves by v dt = u dt + e dt with E[e | x_t] = 0.
The e of different steps are uncorrelated, so

    E|Σ e dt|² = Σ E[var_t(x_t)] dt²  →  0     with slope 1 in log–log against dt,

Here u and var_t are those of the whole step, x_t − u dt = E[x_{t−dt} | x_t], so this is exact for every dt,
and every snapshot is kept. On a straight path they are the oracle's own; on a bent one they tend to these.

and at the scale of many steps the motion is that of the ODE. The squared distance to the ODE from the
same start also carries the stretching of the flow: slope 1 again, another constant. With e √dt in place of e
dt the sum keeps its variance: that would be a diffusion.

Source: Wu & Lizarraga, About Flow Matching, 2024, section 3.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import torch
from torch import Tensor

from fmstudio.flow.solve.adaptive import integrate_adaptive
from fmstudio.learn.experiment import Experiment
from fmstudio.note.claim import Claim, Declined, Expected, Measured, Measurement, Prediction, Steps, quantity
from fmstudio.note.parts.panel import Panel, lines, motion, series, ways
from fmstudio.note.parts.particles import drawn_step, mean_step
from fmstudio.note.parts.setting import Setting, blocks, column_errors, repeated, slopes, smooth, window

COUNTS = (10, 20, 40, 80, 160, 320, 640)
REPEATS, PARTICLES, SHOWN = 16, 40, 6
TOLERANCE = 1e-4
PICTURED = (10, 40, 160, 640)
#: Steps between two reports of the finished share.
PIECE = 32
#: Within longer steps than these a bent path disagrees with the others otherwise than var_t says.
FINE = slice(2, None)
#: Where the drifts sum to more, particles are parted so far that their distance no longer grows with dt.
PARTED = 0.1
#: Times at which the formula is worked out, and how far from 1 its own slope may be.
NODES, BENT = 33, 0.25
_DRIFT = Panel(
    "Accumulated random drift",
    "Mean squared sum of the random drifts, and squared distance to the ODE, against the step.",
    "step dt",
    "squared length",
    log_x=True,
    log_y=True,
)


def _widths(s: Setting) -> Tensor:
    low, high = window(s.path)
    return torch.tensor([(high - low) / n for n in COUNTS], dtype=torch.float64)


def predict(experiment: Experiment) -> Prediction:
    """Σ E[var_t(x_t)] dt² at every dt, with x_t drawn from its original paths; slope 1."""
    s = Setting(experiment, 6)
    widths, sums = _widths(s), _sums(experiment)
    slope = float(slopes(widths[FINE], sums.mean(0)[None, FINE])[0])
    if abs(slope - 1) > BENT:
        raise Declined(
            f"The steps are too long for this path: by the formula itself the slope is {slope:.2f} from "
            f"{COUNTS[FINE][0]} to {COUNTS[-1]} steps, and 1 only for shorter ones."
        )
    finest, error, freedom = repeated(sums[:, -1])
    if len(_near(sums)) < 2:
        raise Declined(
            f"In {COUNTS[-1]} steps the random drifts still sum to a mean square of {quantity(finest)}, more "
            f"than {PARTED / 2:g}: parted so far, particles tell nothing of dt by their distance to the ODE."
        )
    panel = _DRIFT.drawn(series("Σ E[var_t] dt², formula", "exact", widths, sums.mean(0), mark="dashes"))
    numbers = (
        Expected("slope of E|Σ e dt|²", 1.0, slack=0.02 + abs(slope - 1)),
        Expected("slope of the squared distance to the ODE", 1.0, slack=0.1 + abs(slope - 1)),
        Expected(
            f"E|Σ e dt|² at {COUNTS[-1]} steps", finest, slack=0.01 * finest, error=error, freedom=freedom
        ),
    )
    return Prediction(numbers, (panel,))


def _near(sums: Tensor) -> list[int]:
    """The counts at which particles stay near their ODE."""
    return [k for k, value in enumerate(sums.mean(0).tolist()) if value <= PARTED]


@lru_cache(maxsize=4)
def _sums(experiment: Experiment) -> Tensor:
    """Σ E tr Var[x_{t−dt} | x_t] over the steps of each count, shape (repeats, counts).

    x_t comes from its original paths, and two paths through it give the variance: E|y − y′|²/2. Worked out at
    ``NODES`` times for each dt; between them by interpolation.
    """
    s = Setting(experiment, 6)
    low, high = window(s.path)
    sums = torch.zeros(REPEATS, len(COUNTS), dtype=torch.float64)
    for k, width in enumerate(_widths(s).tolist()):
        generator = s.generator(1_000)
        spread = []
        for t in torch.linspace(high, low + width, NODES, dtype=torch.float64):
            x = s.snapshot(REPEATS * PARTICLES, t.float(), generator)
            y = drawn_step(s.oracle, x, t, (t - width).clamp_min(low), generator, 2)
            spread.append(blocks((y[:, 0] - y[:, 1]).square().sum(1) / 2, REPEATS).mean(1))
        places = torch.linspace(0, NODES - 1, COUNTS[k], dtype=torch.float64)
        before = places.long().clamp_max(NODES - 2)
        rows = torch.stack(spread)
        between = torch.lerp(rows[before], rows[before + 1], (places - before)[:, None])
        sums[:, k] = between.sum(0)
    return sums


def steps(experiment: Experiment, broken: bool) -> Steps:
    """Follow random paths from the starts of the ODE. Broken: the random part is e √dt in place of e dt."""
    s = Setting(experiment, 6)
    generator = s.generator(0)
    start = s.snapshot(REPEATS * PARTICLES, window(s.path)[1], generator)
    sums = torch.zeros(REPEATS, len(COUNTS), dtype=torch.float64)
    gaps = torch.zeros_like(sums)
    drawn: dict[int, Tensor] = {}
    finest = s.times(COUNTS[-1])
    ode = integrate_adaptive(s.oracle, start, finest, TOLERANCE, TOLERANCE).positions
    for k, count in enumerate(COUNTS):
        grid = s.times(count)
        x, total, rows = start, torch.zeros_like(start), [start[None, :SHOWN]]
        for first in range(0, count, PIECE):
            piece = grid[first : first + PIECE + 1]
            positions, drift = walk(s, x, piece, generator, diffusion=broken)
            x, total = positions[-1], total + drift
            rows.append(positions[1:, :SHOWN])
            yield (sum(COUNTS[:k]) + first + len(piece) - 1) / sum(COUNTS) * 0.99
        sums[:, k] = blocks(total.square().sum(1), REPEATS).mean(1)
        gaps[:, k] = blocks((x - ode[-1]).square().sum(1), REPEATS).median(1).values
        drawn[count] = torch.cat(rows)
    widths, near = _widths(s), _near(_sums(experiment))
    numbers = (
        Measured("slope of E|Σ e dt|²", *repeated(slopes(widths[FINE], sums[:, FINE]))),
        Measured("slope of the squared distance to the ODE", *repeated(slopes(widths[near], gaps[:, near]))),
        Measured(f"E|Σ e dt|² at {COUNTS[-1]} steps", *repeated(sums[:, -1])),
    )
    curves = (
        series("E|Σ e dt|²", "original", widths, *column_errors(sums), "points"),
        series("median squared distance to the ODE", "error", widths, *column_errors(gaps), "points"),
    )
    pictures = _pictures(s, drawn, ode[:, :SHOWN], finest)
    return Measurement(numbers, (_DRIFT.over(*curves), *pictures), repeats=REPEATS)


def walk(
    s: Setting, x: Tensor, times: Tensor, generator: torch.Generator, *, diffusion: bool
) -> tuple[Tensor, Tensor]:
    """A path drawn anew at every step, with e dt or a diffusion's e √dt: positions, and the sum of these."""
    rows, total = [x], torch.zeros_like(x)
    for t, then in pairwise(times):
        mean = mean_step(s.oracle, x, t, then)
        drift = drawn_step(s.oracle, x, t, then, generator)[:, 0] - mean
        if diffusion:
            drift = drift / (t - then).sqrt()
        x, total = mean + drift, total + drift
        rows.append(x)
    return torch.stack(rows), total


def _pictures(s: Setting, drawn: dict[int, Tensor], ode: Tensor, grid: Tensor) -> tuple[Panel, ...]:
    """A few particles at four numbers of steps, drawn over their ODE."""

    def thinned(times: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        every = max(1, (len(rows) - 1) // 160)
        return ways(times[::every], rows[::every])

    caption = "The same starts: particles that pick a path at random at every step, over the flow."
    deterministic = lines("ODE", "exact", *thinned(grid, ode), "dashes")
    return tuple(
        motion(s.dim, "Particles and the ODE", caption, f"{count} steps").drawn(
            lines("random paths", "original", *thinned(s.times(count), drawn[count])), deterministic
        )
        for count in PICTURED
    )


CLAIM = Claim(
    number="C6",
    section=3,
    headline=("slope of E|Σ e dt|²",),
    applies=smooth,
    predict=predict,
    steps=steps,
)
