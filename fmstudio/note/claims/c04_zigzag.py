"""C4: the zig-zag path has infinite velocity; a_t x₀ + b_t x₁ has a finite one.

The mean squared speed over a grid of width dt is known exactly for both,

    smooth:   E|x_t − x_s|² = |Δa|² E|x₀|² + |Δb|² E|x₁|² + 2 (Δa E x₀)·(Δb E x₁) + Δγ² d,
    zig-zag:  E|x_t − x_s|² = (r − 1)² E|x_s|² + d (b_t² − r² b_s²),   r = a_t / a_s,   s = t − dt.

Divided by dt² the first tends to a constant, the second grows like 1/dt, because b_t² − r² b_s² = O(dt).

Source: Wu & Lizarraga, About Flow Matching, 2024, section 3. The zig-zag step there is
x_t = x_{t−dt} + √dt e_t; its transcription shows √(1/n) dt e_t.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fmstudio.flow.paths.affine import Spherical, VariancePreserving
from fmstudio.flow.paths.path import Path, act, draw_like
from fmstudio.flow.paths.zigzag import ZigZag
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.simulate import Pairs
from fmstudio.note.claim import Claim, Expected, Measured, Measurement, Prediction, Steps, quantity
from fmstudio.note.parts.panel import Panel, Series, lines, series
from fmstudio.note.parts.setting import (
    Setting,
    column_errors,
    independent,
    marginal_path,
    repeated,
    slopes,
    window,
)

COUNTS = (20, 40, 80, 160, 320, 640)
REPEATS = 16
PARTICLES = 500
#: The chain stops here: with the spherical marginals it forgets x₀ in ever fewer steps as t → 1.
CHAIN_END = 0.9
#: The zoom: a window of SPAN around CENTRE at first, of 2 HALF steps at every stage.
ZOOMS = (1.0, 0.1, 0.01, 0.001)
CENTRE, SPAN, HALF = 0.6, 0.6, 60
_SPEED = Panel(
    "Mean squared speed",
    "Mean squared speed of a trajectory seen through steps of dt: a line of slope −1 has no velocity.",
    "step dt",
    "E|x_t − x_{t−dt}|² / dt²",
    log_x=True,
    log_y=True,
)
_ROLES = {"smooth path": "original", "zig-zag": "class-4"}


def chain_path(path: Path) -> ZigZag:
    """The zig-zag with the path's marginals where it has them as a chain, else with the spherical ones."""
    around = marginal_path(path)
    return ZigZag(around if isinstance(around, Spherical | VariancePreserving) else Spherical())


def _grids(s: Setting) -> tuple[list[Tensor], list[Tensor]]:
    """Grids of the smooth path and of the chain, float64, one for each count."""
    low, high = window(marginal_path(s.path))
    smooth = [torch.linspace(low, high, n + 1, dtype=torch.float64) for n in COUNTS]
    chain = [torch.linspace(0, CHAIN_END, n + 1, dtype=torch.float64) for n in COUNTS]
    return smooth, chain


def _widths(grids: list[Tensor]) -> Tensor:
    return torch.stack([g[1] - g[0] for g in grids])


def _slope(grids: list[Tensor], speeds: Tensor) -> float:
    return float(slopes(_widths(grids), speeds[None])[0])


def smooth_speed(s: Setting, times: Tensor) -> Tensor:
    """E|x_t − x_s|²/dt² of the smooth path, averaged over the grid; shape ()."""
    c = marginal_path(s.path).at(times)
    da, db, dg = c.a.diff(), c.b.diff(), c.gamma.diff()
    m0, m1 = s.density.mean.double(), s.source.mean.double()
    square0, square1 = s.mean_squares()
    cross = torch.stack([act(x, m0[None])[0] @ act(y, m1[None])[0] for x, y in zip(da, db, strict=True)])
    each = da.abs() ** 2 * square0 + db.abs() ** 2 * square1 + 2 * cross + dg**2 * s.dim
    return (each / times.diff() ** 2).mean()


def chain_speed(s: Setting, times: Tensor) -> Tensor:
    """E|x_t − x_s|²/dt² of the zig-zag, averaged over the grid; shape ()."""
    c = chain_path(s.path).at(times)
    square0, _ = s.mean_squares()
    ratio = c.a[1:] / c.a[:-1]
    before = c.a[:-1] ** 2 * square0 + s.dim * c.b[:-1] ** 2
    each = (ratio - 1) ** 2 * before + s.dim * (c.b[1:] ** 2 - ratio**2 * c.b[:-1] ** 2)
    return (each / times.diff() ** 2).mean()


def predict(experiment: Experiment) -> Prediction:
    """Slopes −1 and 0, and the exact curves."""
    s = Setting(experiment, 4)
    smooth_grids, chain_grids = _grids(s)
    smooth = torch.stack([smooth_speed(s, g) for g in smooth_grids])
    chain = torch.stack([chain_speed(s, g) for g in chain_grids])
    panel = _SPEED.drawn(
        series("zig-zag, formula", "exact", _widths(chain_grids), chain, mark="dashes"),
        series("smooth path, formula", "exact", _widths(smooth_grids), smooth, mark="dashes"),
    )
    numbers = (
        # −1 and 0 as dt → 0; on these grids the formula itself may still be a little off.
        Expected("slope of the zig-zag", -1.0, slack=0.05 + abs(_slope(chain_grids, chain) + 1)),
        Expected("slope of the smooth path", 0.0, slack=0.05 + abs(_slope(smooth_grids, smooth))),
        Expected("zig-zag speed at the finest step / formula", 1.0),
        Expected("smooth speed at the finest step / formula", 1.0),
    )
    around = type(chain_path(s.path).around).__name__
    name = {"Spherical": "spherical", "VariancePreserving": "variance-preserving"}[around]
    return Prediction(numbers, (panel,), (f"The zig-zag chain has the marginals of the {name} path.",))


def steps(experiment: Experiment, broken: bool) -> Steps:
    """Sample both kinds of trajectory on ever finer grids. Broken: the chain's noise is of size dt."""
    s = Setting(experiment, 4)
    path, chain = marginal_path(s.path), chain_path(s.path)
    smooth_grids, chain_grids = _grids(s)
    speeds = torch.zeros(2, REPEATS, len(COUNTS), dtype=torch.float64)
    for repeat in range(REPEATS):
        generator = s.generator(repeat)
        for k, (coarse, fine) in enumerate(zip(smooth_grids, chain_grids, strict=True)):
            ends = s.pairs(PARTICLES, generator)
            rows = path.trajectories(ends.x0, ends.x1, coarse.float(), generator)
            speeds[0, repeat, k] = _mean_square_speed(rows, coarse)
            ends = s.pairs(PARTICLES, generator)
            rows = _trajectories(chain, ends, fine.float(), generator, broken)
            speeds[1, repeat, k] = _mean_square_speed(rows, fine)
        yield (repeat + 1) / (REPEATS + 1)
    names = ("smooth path", "zig-zag")
    grids = (smooth_grids, chain_grids)
    numbers, curves = [], []
    for name, grid, values, exact in zip(names, grids, speeds, (smooth_speed, chain_speed), strict=True):
        numbers.append(Measured(f"slope of the {name}", *repeated(slopes(_widths(grid), values))))
        short = name.removesuffix(" path")
        finest = values[:, -1] / exact(s, grid[-1])
        numbers.append(Measured(f"{short} speed at the finest step / formula", *repeated(finest)))
        mean, error = column_errors(values)
        curves.append(series(f"{name}, measured", _ROLES[name], _widths(grid), mean, error, "points"))
    zooms = (*_zoom(s, chain, "zig-zag", broken), *_zoom(s, path, "smooth path", broken))
    return Measurement(tuple(numbers), (_SPEED.over(*curves), *zooms), repeats=REPEATS)


def _mean_square_speed(rows: Tensor, times: Tensor) -> Tensor:
    moved = rows.double().diff(dim=0).square().sum(-1).mean(1)
    return (moved / times.diff() ** 2).mean()


def _trajectories(path: Path, ends: Pairs, times: Tensor, generator: torch.Generator, broken: bool) -> Tensor:
    """Of a broken chain each step's standard deviation is replaced by its variance, which is O(dt)."""
    if not (broken and isinstance(path, ZigZag)):
        return path.trajectories(ends.x0, ends.x1, times, generator)
    c, rows = path.at(times), [ends.x0]
    for k in range(1, len(times)):
        ratio = c.a[k] / c.a[k - 1]
        variance = c.b[k] ** 2 - ratio**2 * c.b[k - 1] ** 2
        rows.append(ratio * rows[-1] + variance * draw_like(ends.x0, generator))
    return torch.stack(rows)


def _zoom(s: Setting, path: Path, name: str, broken: bool) -> tuple[Panel, ...]:
    """One trajectory through windows that shrink tenfold, all of them from one draw."""
    unit = SPAN * min(ZOOMS) / (2 * HALF)
    windows = [torch.arange(-HALF, HALF + 1) * round(zoom / min(ZOOMS)) for zoom in ZOOMS]
    ticks = torch.cat(windows).unique()
    times = torch.cat([torch.zeros(1, dtype=torch.float64), CENTRE + unit * ticks.double()])
    generator = s.generator(999)
    ends = s.pairs(1, generator)
    ends = Pairs(ends.x0.double(), ends.x1.double(), None)
    rows = _trajectories(path, ends, times, generator, broken)[1:, 0]
    places = [torch.searchsorted(ticks, seen) for seen in windows]
    panels = []
    for k, (zoom, seen, place) in enumerate(zip(ZOOMS, windows, places, strict=True)):
        x, dt = rows[place], unit * float(seen[1] - seen[0])
        speed = float((x.diff(dim=0) / dt).square().sum(1).mean().sqrt())
        # Far in, six digits would put steps into a smooth path.
        across = (CENTRE + unit * seen.double())[:, None]
        drawn = [lines(name, _ROLES[name], across, x[:, :1], digits=10)]
        if k + 1 < len(ZOOMS):
            drawn.append(_frame(unit * windows[k + 1].double(), rows[places[k + 1], 0]))
        panels.append(
            Panel(
                f"Zoom into one {name}",
                f"{SPAN * zoom:g} of time, in steps of dt = {quantity(dt)}. Speed over a step: "
                f"{_speed(speed)}.",
                "t",
                "first coordinate of x_t",
                tuple(drawn),
                stage=f"× {1 / zoom:,.0f}",
            )
        )
    return tuple(panels)


def _speed(speed: float) -> str:
    return f"{speed:,.0f}" if speed >= 100 else f"{speed:.3g}"


def _frame(offsets: Tensor, x: Tensor) -> Series:
    """The window of the next stage as a box."""
    margin = 0.1 * float(x.max() - x.min())
    left, right = CENTRE + float(offsets[0]), CENTRE + float(offsets[-1])
    low, high = float(x.min()) - margin, float(x.max()) + margin
    return series("next window", "data", (left, right, right, left, left), (low, low, high, high, low))


CLAIM = Claim(
    number="C4",
    section=3,
    headline=("slope of the zig-zag", "slope of the smooth path"),
    applies=independent,
    predict=predict,
    steps=steps,
)
