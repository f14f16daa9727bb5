"""The second half of C9: log p along the flow against the exact density, and what it costs.

    log p₀(x₀) = log p₁(x₁) + ∫₀¹ div u dt

with the exact divergence, d derivatives a step, or with K random signs ε and εᵀ(∇u)ε in its place: no bias,
and a scatter that falls like K^(−1/2).
"""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from fmstudio.flow.solve.fields import VelocityField
from fmstudio.flow.solve.likelihood import Probes
from fmstudio.note.claim import Expected, Measured, quantity
from fmstudio.note.parts.flow_density import FLOW_STEPS, density_time, flow_steps, log_p
from fmstudio.note.parts.panel import Panel, heat, series
from fmstudio.note.parts.setting import Setting, blocks, column_errors, jackknife, repeated, slopes

#: Blocks, and points in each: all, and those at which probes are drawn.
REPEATS, TESTED, PROBED = 24, 50, 15
CELLS = 40
PROBES = (1, 4, 16)
#: How often each number of probes is drawn anew at every point.
DRAWS = (16, 8, 4)
TIMED = 200
#: The map shows log p down to so many nats below its top, and errors up to so many.
DEPTH, WORST = 8.0, 1.5
#: What single precision leaves of a log p.
ROUNDING = 1e-4
_MAP = Panel("log p on the plane", "{}, from {} to {} nats.", "x", "y", plane=True)
_CUT = Panel(
    "A cut through log p",
    "log p at t = {:g} on a line through the middle: exact, along the flow, and the net's.",
    "x",
    "log p",
)
_SCATTER = Panel(
    "Likelihood against the exact density",
    "Every point on the diagonal: the divergence along the way gives the density.",
    "exact log q",
    "log p along the flow",
)
_NOISE = Panel(
    "The divergence by random probes",
    "Root mean square of what K random signs are off by at a point, against K.",
    "random probes K",
    "nats",
    log_x=True,
    log_y=True,
    stage="scatter",
)
_COST = Panel(
    _NOISE.title,
    "Computing time for one point: the exact divergence takes d derivatives a step, a probe one.",
    y_label="milliseconds",
    ticks=("exact", *(f"{k} probe{'s' if k > 1 else ''}" for k in PROBES)),
    stage="cost",
)


def _line(s: Setting) -> tuple[Tensor, Tensor]:
    """Points on a line through the mean along the first axis, and their first coordinate."""
    x = torch.zeros(161, s.dim, dtype=torch.float64) + s.density.mean.double()
    x[:, 0] = torch.linspace(-3, 3, 161, dtype=torch.float64)
    return x, x[:, 0]


def _grid(s: Setting) -> tuple[Tensor, tuple[float, float, float, float]]:
    """Centres of the map's cells, rows from below, and the square they fill."""
    at = s.path.at(torch.tensor(density_time(s), dtype=torch.float64))
    scale = float((at.a.abs() ** 2 * s.density.covariance.trace() + 2 * at.variance).sqrt())
    centre, half = s.density.mean.double(), 1.5 * scale
    axis = half * (torch.arange(CELLS, dtype=torch.float64) + 0.5 - CELLS / 2) / (CELLS / 2)
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1).reshape(-1, 2) + centre
    left, bottom = (centre - half).tolist()
    right, top = (centre + half).tolist()
    return grid, (left, right, bottom, top)


def predicted_panels(s: Setting) -> tuple[Panel, ...]:
    """The exact density as a map (in the plane) and on a line, and the diagonal of the scatter plot."""
    start = density_time(s)
    at = torch.tensor(start, dtype=torch.float64)
    line, ticks = _line(s)
    cut = series("exact density", "exact", ticks, _shown(s.oracle.log_density(line, at)), mark="dashes")
    diagonal = series("diagonal", "exact", (-8, 0), (-8, 0), mark="dashes")
    maps = noise = ()
    if s.dim > 1:
        noise = (_NOISE,)
    if s.dim == 2:
        grid, bounds = _grid(s)
        maps = (_map("exact", "exact", s.oracle.log_density(grid, at), bounds, "The exact density"),)
    cut = replace(_CUT.drawn(cut), caption=_CUT.caption.format(start))
    return (*maps, cut, _SCATTER.drawn(diagonal), *noise, _COST)


def _shown(log_p: Tensor) -> Tensor:
    """What a cut shows of a log density."""
    return log_p.clamp_min(-12)


def predicted_numbers(s: Setting) -> tuple[Expected, ...]:
    """No error of the exact divergence; no bias of the probes; a likelihood; and a scatter of slope −1/2.

    What the net gives is the log of a density, so on data it is −KL(q‖p) ≤ 0 above that of q, however well or
    badly the net was trained. On a line one sign gives the divergence exactly, so there is no scatter there.
    The slack of the slope is the bias of the logarithm of a mean square over a few hundred draws.
    """
    always = (
        Expected("mean |log p − log q|, exact divergence", 0.0, "at most", slack=0.02),
        Expected("mean of log p by random probes − log p, net", 0.0, slack=ROUNDING),
        Expected("E log p − log q, net, nats", 0.0, "at most"),
    )
    slope = Expected("slope of the probes' scatter against their number", -0.5, slack=0.02)
    return always if s.dim == 1 else (*always, slope)


def _map(
    stage: str, role: str, values: Tensor, bounds: tuple[float, float, float, float], what: str
) -> Panel:
    top = 0.0 if role == "error" else float(values.max())
    low, high, name = (0.0, WORST, "|error|") if role == "error" else (top - DEPTH, top, "log p")
    caption = _MAP.caption.format(what, quantity(low), quantity(high))
    shown = heat(name, role, values.view(CELLS, CELLS), bounds, low, high)
    return replace(_MAP, caption=caption, stage=stage, heat=shown)


@dataclass(frozen=True)
class Outcome:
    """Numbers of the names of :func:`predicted_numbers`, panels, and the cost in words."""

    numbers: tuple[Measured, ...]
    panels: tuple[Panel, ...]
    note: str


def measure(s: Setting, field: VelocityField, broken: bool) -> Generator[float, None, Outcome]:
    """log p of the exact flow and of a net, reporting the finished share.

    Args:
        s: the setting.
        field: the net's.
        broken: leave the divergence out.
    """
    at = torch.tensor(density_time(s), dtype=torch.float64)
    count = flow_steps(s)
    flow_of = partial(log_p, s, steps=count, without_divergence=broken)
    generator = s.generator(100)
    x = s.snapshot(REPEATS * TESTED, float(at), generator).double()
    exact = s.oracle.log_density(x, at)
    flow = flow_of(s.oracle, x)
    yield 0.2
    net = flow_of(field, x.float()).double()
    few = x.view(REPEATS, TESTED, -1)[:, :PROBED].flatten(0, 1).float()
    right = log_p(s, field, few, count).double()
    base = net.view(REPEATS, TESTED)[:, :PROBED].flatten() if broken else right
    bias, squares = (torch.zeros(REPEATS, len(PROBES), dtype=torch.float64) for _ in range(2))
    for k, (probes, draws) in enumerate(zip(PROBES, DRAWS, strict=True)):
        for _ in range(draws):
            probed = log_p(s, field, few, count, probes=Probes(probes), generator=generator).double()
            bias[:, k] += _each(probed - base) / draws
            squares[:, k] += _each((probed - right).square()) / draws
        yield 0.3 + 0.5 * (k + 1) / len(PROBES)
    gaps = _each((flow - exact).abs()), _each(net - exact)
    maps = _maps(s, field, at, count, broken) if s.dim == 2 else ()
    yield 0.95
    milliseconds = _milliseconds(s, field)
    numbers = [
        Measured("mean |log p − log q|, exact divergence", *repeated(gaps[0])),
        Measured("mean of log p by random probes − log p, net", *repeated(bias.mean(1))),
        Measured("E log p − log q, net, nats", *repeated(gaps[1])),
    ]
    clouds = (
        series(name, role, exact, found, mark="points")
        for name, role, found in (("net", "learned", net), ("exact flow", "original", flow))
    )
    panels = [*maps, _cut(s, field, count, broken), _SCATTER.over(*clouds)]
    if s.dim > 1:
        slope = jackknife(lambda mean: slopes(torch.tensor(PROBES), mean[None].sqrt())[0], squares)
        numbers.append(Measured("slope of the probes' scatter against their number", *slope))
        panels.append(_noise(squares.sqrt()))
    bars = series("measured", "learned", range(1 + len(PROBES)), milliseconds, mark="bars")
    panels.append(_COST.over(bars))
    note = (
        f"One log p of the net costs {milliseconds[0]:.2f} ms with the exact divergence, "
        f"{milliseconds[1]:.2f} ms with one random probe, {milliseconds[-1]:.2f} ms with {PROBES[-1]}."
    )
    return Outcome(tuple(numbers), tuple(panels), note)


def _each(values: Tensor) -> Tensor:
    """Means over the points of each block."""
    return blocks(values, REPEATS).mean(1)


def _milliseconds(s: Setting, field: VelocityField) -> Tensor:
    """Computing time of one log p with the exact divergence and with each number of probes, as the smaller of
    two runs on ``TIMED`` points."""
    generator = s.generator(300)
    x = s.snapshot(TIMED, density_time(s), generator)
    rows = []
    for probes in (None, *(Probes(count) for count in PROBES)):
        times = []
        for _ in range(2):
            began = time.process_time()
            log_p(s, field, x, FLOW_STEPS, probes=probes, generator=generator)
            times.append(time.process_time() - began)
        rows.append(1e3 * min(times) / TIMED)
    return torch.tensor(rows, dtype=torch.float64)


def _maps(s: Setting, field: VelocityField, at: Tensor, steps: int, broken: bool) -> tuple[Panel, ...]:
    grid, bounds = _grid(s)
    exact = s.oracle.log_density(grid, at)
    flow = log_p(s, s.oracle, grid, steps, without_divergence=broken)
    net = log_p(s, field, grid.float(), steps, without_divergence=broken).double()
    error = torch.where(exact > exact.max() - DEPTH, (net - exact).abs(), torch.nan)
    return (
        _map("exact flow", "original", flow, bounds, "Along the exact flow"),
        _map("net", "learned", net, bounds, "Along the net's flow"),
        _map("net − exact", "error", error, bounds, "What the net's log p is off by"),
    )


def _cut(s: Setting, field: VelocityField, steps: int, broken: bool) -> Panel:
    line, ticks = _line(s)
    curves = []
    for name, role, f, x in (
        ("along the exact flow", "original", s.oracle, line),
        ("net", "learned", field, line.float()),
    ):
        found = _shown(log_p(s, f, x, steps, without_divergence=broken))
        curves.append(series(name, role, ticks, found))
    return _CUT.over(*curves)


def _noise(scatter: Tensor) -> Panel:
    mean, error = column_errors(scatter)
    root = float((mean.log() + 0.5 * torch.tensor(PROBES).log()).mean().exp())
    return _NOISE.over(
        series("slope −1/2, through the middle", "original", PROBES, [root / k**0.5 for k in PROBES]),
        series("measured", "error", PROBES, mean, error, "points"),
    )
