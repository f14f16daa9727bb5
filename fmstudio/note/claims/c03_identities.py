"""C3: particles that meet may swap identities: no snapshot changes, memory is lost.

Swapping in cells only renames particles, so each snapshot is the same multiset of points. What changes is
whose trajectory it is. Memory is the share of x₀ that its x₁ explains: with whitened coordinates,

    M = (1/d) Σ ρ_i²,     ρ_i the canonical correlations of (x₁, x₀) along a particle,

less its mean by chance, d/(n − 1). Along independent original paths M = 0. Particles that swap at every
meeting lose their identity, and with it the memory of *their* path; what remains is where they are, so M
tends to that of the flow, a deterministic map. A cell of side h jolts a particle by about h at each of its K
swaps, and picking a path at random adds the drift of C6, so log M ≈ log M_flow − α K h² − β/K; the two terms
are extrapolated away. K is counted: whoever is alone in a small cell swaps with nobody. The meetings stand at
equal parts of ∫ √E[var_t] dt, close together where paths disagree, which makes the drift least.

Source: Wu & Lizarraga, About Flow Matching, 2024, section 2.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from scipy.special import chdtri
from torch import Tensor

from fmstudio.flow.solve.adaptive import integrate_adaptive
from fmstudio.flow.solve.transitions import identity_switching
from fmstudio.learn.experiment import Experiment
from fmstudio.note.claim import (
    NUMBERS,
    RATE,
    Claim,
    Declined,
    Expected,
    Measured,
    Measurement,
    Prediction,
    Steps,
    quantity,
)
from fmstudio.note.parts.panel import Panel, cloud, motion, series, ways
from fmstudio.note.parts.setting import Setting, column_errors, repeated, smooth, window

CELLS, MEETINGS = (0.4, 0.2, 0.1, 0.05), (25, 50, 100)
PARTICLES, FEW, REPEATS, SHOWN = 20_000, 2_000, 4, 500
#: Cells that jolt too much for the first-order extrapolation are left out of it.
MOST_JOLT = 1.0
#: What the extrapolation leaves open in a memory.
LEEWAY, TOLERANCE, NODES = 0.08, 1e-3, 64
_MEMORY = Panel(
    "Memory",
    f"How much of x₀ its x₁ explains, after {MEETINGS[-1]} meetings in cells of a given side.",
    "side of the cell",
    "memory M",
    log_x=True,
)


def memory(x0: Tensor, x1: Tensor) -> float:
    """M = (1/d) Σ ρ² − d/(n−1) of ends of shape (n, d): 0 on average for independent ends."""
    n, d = x0.shape
    bases = [torch.linalg.qr(x.double() - x.double().mean(0)).Q for x in (x0, x1)]
    return float((bases[0].T @ bases[1]).square().sum() / d - d / (n - 1))


def predict(experiment: Experiment) -> Prediction:
    """0 for the original paths; for swapped particles the memory of the oracle's flow in the limit."""
    s = Setting(experiment, 3)
    low, high = window(s.path)
    start = s.snapshot(4_000, high, s.generator(1_000))
    ways = integrate_adaptive(s.oracle, start, torch.tensor([high, low]), TOLERANCE, TOLERANCE)
    blocks = zip(ways.positions[-1].split(250), start.split(250), strict=True)
    flow, error, freedom = repeated(torch.tensor([memory(*pair) for pair in blocks]))
    ends = (min(CELLS), max(CELLS))
    panel = _MEMORY.drawn(
        series("flow, oracle", "exact", ends, (flow, flow), mark="dashes"),
        series("independent paths", "original", ends, (0.0, 0.0), mark="dashes"),
    )
    numbers = (
        Expected("largest difference of the sorted snapshots", 0.0),
        Expected("memory of the original paths", 0.0, "at most", _by_chance(s.dim)),
        *(Expected(f"memory gained from cell {a} to {b}", 0.0, "above") for a, b in _neighbours()),
        Expected("memory in the limit", flow, "equals", LEEWAY, error, freedom),
        Expected("largest jump at a swap, in cell diagonals", 1.0, "at most", slack=1e-3),
    )
    return Prediction(numbers, (panel,))


def _by_chance(dim: int) -> float:
    """What M of independent ends exceeds at the level of the verdicts: n d (M + d/n) is χ² of d² degrees of
    freedom (Bartlett 1947), and the mean over all draws of the ends is that of a sum."""
    draws = REPEATS * len(MEETINGS)
    freedom = draws * dim**2
    return float(chdtri(freedom, RATE / NUMBERS) - freedom) / (draws * dim * (PARTICLES - 1))


def _neighbours() -> list[tuple[float, float]]:
    """Cells that differ by a jolt; in the smallest one few meet, and drift weighs as much."""
    return list(pairwise(CELLS[:-1]))


def meeting_times(s: Setting, count: int) -> Tensor:
    """``count`` + 1 times, falling, at equal parts of ∫ √E[var_t] dt."""
    nodes, generator = s.times(NODES), s.generator(1_100)
    spread = torch.stack([s.oracle.moments(s.snapshot(200, t, generator), t).var.mean() for t in nodes])
    speed = spread.double().clamp_min(0).sqrt()
    # Nowhere slower than a tenth of the mean, where paths agree.
    speed = speed.clamp_min(float(speed.mean()) / 10)
    clock = torch.cat([speed.new_zeros(1), ((speed[1:] + speed[:-1]) / 2).cumsum(0)])
    parts = torch.linspace(0, float(clock[-1]), count + 1, dtype=torch.float64)
    after = torch.searchsorted(clock, parts).clamp(1, NODES)
    share = (parts - clock[after - 1]) / (clock[after] - clock[after - 1])
    return torch.lerp(nodes[after - 1].double(), nodes[after].double(), share).to(nodes.dtype)


def steps(experiment: Experiment, broken: bool) -> Steps:
    """Swap in cells of four sizes at 25, 50 and 100 times. Broken: everyone swaps with anyone, anywhere."""
    s = Setting(experiment, 3)
    times = {count: meeting_times(s, count) for count in MEETINGS}
    table = torch.zeros(REPEATS, len(MEETINGS), len(CELLS), dtype=torch.float64)
    swaps = torch.zeros_like(table)
    few = torch.zeros(REPEATS, len(CELLS), dtype=torch.float64)
    original = torch.zeros(REPEATS, len(MEETINGS), dtype=torch.float64)
    mismatch, jump = 0.0, 0.0
    hand: tuple[Tensor, Tensor] | None = None
    for repeat in range(REPEATS):
        generator = s.generator(repeat)
        for j, count in enumerate(MEETINGS):
            ends = s.pairs(PARTICLES, generator)
            rows = s.path.trajectories(ends.x0, ends.x1, times[count], generator)
            original[repeat, j] = memory(ends.x0, ends.x1)
            for k, cell in enumerate(CELLS):
                reach = math.inf if broken else cell
                partners = identity_switching(rows, reach, generator)
                table[repeat, j, k] = memory(rows[-1][partners[-1]], rows[0])
                swaps[repeat, j, k] = count * (partners[1:] != partners[:-1]).double().mean()
                if repeat == 0:
                    mismatch = max(mismatch, _mismatch(rows, partners))
                    jump = max(jump, _largest_jump(rows, partners) / (cell * math.sqrt(s.dim)))
                if count == MEETINGS[-1]:
                    less = identity_switching(rows[:, :FEW], reach, generator)
                    few[repeat, k] = memory(rows[-1, :FEW][less[-1]], rows[0, :FEW])
                done = (repeat + (j + (k + 1) / len(CELLS)) / len(MEETINGS)) / REPEATS
                yield 0.99 * done
                if cell == 0.1:
                    hand = rows, partners
    assert hand is not None
    last = table[:, -1]
    limits = torch.stack([*map(_limit, table, swaps)])
    change = float((limits - torch.stack([*map(_limit, table[:, 1:], swaps[:, 1:])])).mean().abs())
    if change > LEEWAY / 2:
        raise Declined(
            f"The limit of many swaps in small cells is not in reach here: without the runs of {MEETINGS[0]} "
            f"meetings the extrapolated memory changes by {quantity(change)}, more than {LEEWAY / 2:g}."
        )
    numbers = [
        Measured("largest difference of the sorted snapshots", mismatch),
        Measured("memory of the original paths", float(original.mean())),
        Measured("memory in the limit", *repeated(limits)),
        Measured("largest jump at a swap, in cell diagonals", jump),
    ]
    for k, (a, b) in enumerate(_neighbours()):
        gained = last[:, k + 1] - last[:, k]
        numbers.append(Measured(f"memory gained from cell {a} to {b}", *repeated(gained)))
    curves = (
        series(f"{PARTICLES:,} particles", "learned", CELLS, *column_errors(last), "points"),
        series(f"{FEW:,} particles", "class-4", CELLS, *column_errors(few), "points"),
    )
    return Measurement(tuple(numbers), (_MEMORY.over(*curves), *_pictures(s, *hand)), repeats=REPEATS)


def _mismatch(rows: Tensor, partners: Tensor) -> float:
    """Largest difference between the sorted points of a snapshot before and after the swaps."""
    worst = 0.0
    for row, index in zip(rows[::5], partners[::5], strict=True):
        before, after = row, row[index]
        for axis in reversed(range(row.shape[1])):
            before = before[torch.argsort(before[:, axis], stable=True)]
            after = after[torch.argsort(after[:, axis], stable=True)]
        worst = max(worst, float((before - after).abs().max()))
    return worst


def _largest_jump(rows: Tensor, partners: Tensor) -> float:
    """How far a particle moves by changing trajectory."""
    pairs = zip(rows[1:], partners[:-1], partners[1:], strict=True)
    return max(float((row[new] - row[old]).norm(dim=1).max()) for row, old, new in pairs)


def _limit(table: Tensor, swaps: Tensor) -> Tensor:
    """M at K h² → 0 and 1/K → 0 by least squares on log M of the finer cells; tables (meetings, cells)."""
    jolt = swaps * torch.tensor(CELLS, dtype=torch.float64) ** 2
    kept = jolt <= MOST_JOLT
    design = torch.stack([torch.ones_like(jolt[kept]), jolt[kept], 1 / swaps[kept].clamp(min=1)], 1)
    # Where nothing is remembered, M scatters around 0.
    logs = table[kept].clamp_min(1e-4).log()
    return torch.linalg.lstsq(design, logs[:, None]).solution[0, 0].exp()


def _pictures(s: Setting, rows: Tensor, partners: Tensor) -> tuple[Panel, ...]:
    walked = torch.gather(rows, 1, partners[..., None].expand_as(rows))
    times = meeting_times(s, len(rows) - 1)
    caption = "Dashed: the original paths that two particles start on. Solid: where they go when they swap."
    hand = motion(s.dim, "Two particles, followed by hand", caption).drawn(
        *(
            series(f"{word}, {how}", f"class-{i}", x[:, i], y[:, i], mark="line" if solid else "dashes")
            for how, solid, (x, y) in (
                ("original", False, ways(times, rows[:, :2])),
                ("swapping", True, ways(times, walked[:, :2])),
            )
            for i, word in enumerate(("first", "second"))
        )
    )
    right = rows[0, :, 0] > 0
    halves = (
        Panel(
            f"Halves of the noise, {name}",
            "Where they end. One cloud; only the colours, by the side that x₁ lay on, differ.",
            "x",
            "y" if s.dim > 1 else "",
            tuple(
                series(f"{side} half", role, *cloud(end[half][:SHOWN]), mark="points")
                for side, role, half in (("right", "class-1", right), ("left", "class-0", ~right))
            ),
            plane=s.dim > 1,
        )
        for name, end in (("original paths", rows[-1]), ("after the swaps", walked[-1]))
    )
    return (hand, *halves)


CLAIM = Claim(
    number="C3",
    section=2,
    headline=("largest difference of the sorted snapshots", "memory in the limit"),
    applies=smooth,
    predict=predict,
    steps=steps,
)
