"""C10: what is left to design is the straightness of the trajectories.

For a flow Z with velocity u,

    E|Z₁ − Z₀|² + S = ∫₀¹ E|u(x_t, t)|² dt,     S = ∫₀¹ E|(Z₁ − Z₀) − u(Z_t, t)|² dt.

The right side needs only the marginals q_t, so the oracle predicts what transport cost and straightness of
its flow add up to. Reflow pairs each noise point with the data point that the flow takes it to, and learns
the straight chords between them: S falls, and with S = 0 a single Euler step would land where many do.

By how much it must fall follows from what the pairs (X₀, X₁) and the flow Z learned from their chords cost,

    E|X₁ − X₀|² − E|Z₁ − Z₀|² = S + ∫₀¹ E tr Var[X₁ − X₀ | X_t] dt,

and from E|Z₁ − Z₀|² ≥ W₂² ≥ |m₀ − m₁|² + tr(Σ₀ + Σ₁ − 2 (Σ₁^½ Σ₀ Σ₁^½)^½): so S of the second flow is at most
the cost of the first one's pairs less the last number. Shuffled pairs lose this bound.

Source: Wu & Lizarraga, About Flow Matching, 2024, section 3; Liu et al. 2022, arXiv:2209.03003; the bound of
W₂ by means and covariances is Gelbrich 1990, doi:10.1002/mana.19901470121.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

import torch
from torch import Tensor

from fmstudio.flow.couplings.coupling import FixedPairs
from fmstudio.flow.metrics import energy_distance, noise_floor, straightness, transport_cost
from fmstudio.flow.solve.adaptive import integrate_adaptive
from fmstudio.flow.solve.fields import VelocityField
from fmstudio.flow.solve.solvers import Trajectory, integrate, path_times
from fmstudio.flow.solve.tableaux import EULER, HEUN
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.simulate import Pairs
from fmstudio.note.claim import Claim, Expected, Measured, Measurement, Prediction, Steps
from fmstudio.note.parts.nets import learned, shares, small
from fmstudio.note.parts.pairings import batches_of_ot, crossing_count, end_moments, least_cost, shuffled
from fmstudio.note.parts.panel import Panel, Series, lines, motion, series, ways
from fmstudio.note.parts.setting import Setting, column_errors, jackknife, repeated, smooth

FLOWS = ("1-rectified", "2-rectified", "3-rectified", "optimal transport")
_ROLES: dict[str, str] = dict(zip(FLOWS, ("exact", "learned", "class-3", "class-4"), strict=True))
_TICKS = (*FLOWS[:3], "OT")
STEPS = (1, 2, 4, 8, 16, 32, 64)
#: Trainings; and blocks of particles, over which standard errors are taken: the nets are what they are.
REPEATS, BLOCKS = 3, 16
FINE, POOL, TRAINING, TESTED, CHORDS = 32, 6_144, 1_200, 1_000, 200
#: Times at which the exact flow's speed is known: a path may hurry through its last tenth.
EXACT, TOLERANCE = 128, 1e-3
#: What is left, at most, of errors and crossings that straight flows do away with.
HALF = 0.5
TRAILS = 60
_NFE = Panel(
    "Error against NFE",
    "Energy distance to fresh data after Euler steps. In the band of two fresh samples it is 0 "
    "but for chance.",
    "evaluations of the field",
    "energy distance",
    log_x=True,
    log_y=True,
)
_S = Panel(
    "Straightness",
    "S of each flow: 0 is straight at constant speed.",
    y_label="S",
    log_y=True,
    ticks=_TICKS,
)
_COST = Panel(
    "Transport cost",
    "E|x₁ − x₀|² of each flow's pairs; the line is the independent coupling's, from its moments.",
    y_label="E|x₁ − x₀|²",
    ticks=_TICKS,
)
_CROSSINGS = Panel(
    "Crossings of chords",
    f"Crossings among the {CHORDS * (CHORDS - 1) // 2:,} pairs of straight chords of each coupling.",
    y_label="crossings",
    log_y=True,
    ticks=("independent", *_TICKS),
)
_FALLS = "log S, 2-rectified over 1-rectified"
_CROSSED = "log of the crossings, 1-rectified over independent"
_TURNS = (
    "The flow of this path turns the plane, so chords of its pairs cross in the plane, at different times; "
    "how often they do says nothing of how straight the next flow is, and is not judged."
)


def predict(experiment: Experiment) -> Prediction:
    """∫E|u|² from the marginals, the cost of independent ends, and what reflow should lower."""
    s = Setting(experiment, 10)
    generator = s.generator(1_000)
    times = torch.linspace(0, 1, EXACT + 1)
    squares = [s.oracle(s.snapshot(2_000, t, generator), t).double().square().sum(1) for t in times]
    energies = torch.stack([x.mean() for x in squares])
    total = float(torch.trapezoid(energies, times.double()))
    total_error = float(torch.stack([x.var() / len(x) for x in squares]).sum().sqrt()) / len(times)
    (m0, c0), (m1, c1) = end_moments(s)
    cost = float(c0.trace() + c1.trace() + (m0 - m1) @ (m0 - m1))
    start = s.snapshot(2_000, 1.0, generator)
    flow, error, freedom = repeated((_carried(s, start) - start).double().square().sum(1))
    most = flow - least_cost(s)
    falls = math.log(max(most, 1e-9) / max(total - flow, 1e-9))
    floor = noise_floor(energy_distance, s.density, TESTED, generator).std
    half, parts = math.log(HALF), _parts_chords(experiment)
    numbers = (
        # The bound of S, where that says more than that S falls.
        Expected(_FALLS, min(falls, 0.0), "at most" if falls < 0 else "below", 0.02 * total / most),
        Expected("S, 2-rectified", most, "at most", 0.02 * total, error, freedom),
        Expected("error after one step, 2-rectified less half of 1-rectified", 0.0, "at most"),
        Expected("error after one step, optimal transport less half of 1-rectified", 0.0, "at most"),
        *([Expected(_CROSSED, half, "at most")] if parts else []),
        Expected("log of the crossings, optimal transport over independent", half, "at most"),
        Expected("log S, 3-rectified over 2-rectified", 0.0, "at most", slack=0.2),
        Expected("transport cost, 2-rectified over 1-rectified", 1.0, "at most", slack=0.02),
        Expected(
            "transport cost + straightness of the exact flow", total, "equals", 0.02 * total, total_error
        ),
        Expected("transport cost of independent ends", cost),
    )
    band = [floor] * len(STEPS)
    panels = (
        _NFE.drawn(series("two fresh samples", "original", STEPS, band, band, "band")),
        _S.drawn(
            series("exact flow, formula", "exact", (-0.45, 0.45), [total - flow] * 2, mark="dashes"),
            series("at most, formula", "error", (0.55, 2.45), (most, most), mark="dashes"),
        ),
        _COST.drawn(series("independent ends, formula", "exact", (-0.5, 3.5), (cost, cost), mark="dashes")),
    )
    return Prediction(numbers, panels, () if parts else (_TURNS,))


@lru_cache(maxsize=4)
def _parts_chords(experiment: Experiment) -> bool:
    """Whether chords of the exact flow's pairs cross far more seldom than independent ones, by the oracle."""
    s = Setting(experiment, 10)
    ends = s.pairs(4 * CHORDS, s.generator(3_000))
    flow = FixedPairs(_carried(s, ends.x1), ends.x1)
    return bool(_crossings(flow).sum() < HALF**2 * _crossings(ends).sum())


def _carried(s: Setting, x: Tensor) -> Tensor:
    """Where the exact flow takes noise."""
    return integrate_adaptive(s.oracle, x, torch.tensor([1.0, 0.0]), TOLERANCE, TOLERANCE).end


def _crossings(pairs: Pairs | FixedPairs) -> Tensor:
    """Crossings of straight chords in each of at most ``BLOCKS`` groups of ``CHORDS`` pairs."""
    parts = zip(pairs.x0.split(CHORDS), pairs.x1.split(CHORDS), strict=True)
    return torch.tensor([crossing_count(*part) for part in islice(parts, BLOCKS)])


@dataclass(frozen=True)
class _Figures:
    """S, transport cost and the error of one step for each block of particles; the error for each count of
    steps, the pairs and some trajectories of one flow."""

    straightness: Tensor
    cost: Tensor
    first: Tensor
    errors: Tensor
    pairs: FixedPairs
    trails: Tensor


def steps(experiment: Experiment, broken: bool) -> Steps:
    """Rectify twice, and learn mini-batch OT. Broken: all pairs are shuffled before they are learned."""
    s = Setting(experiment, 10)
    straight = small(experiment, TRAINING, path="linear", coupling="independent", target="v")
    rows: list[dict[str, _Figures]] = []
    crossings = torch.zeros(REPEATS, BLOCKS, len(FLOWS) + 1, dtype=torch.float64)
    independent = torch.zeros(REPEATS, BLOCKS, dtype=torch.float64)
    for repeat in range(REPEATS):
        generator = s.generator(repeat)
        seeded = straight.but(seed=(experiment.seed + 7_919 * (repeat + 1)) % 2**31)
        x0, x1 = s.density.sample(POOL, generator).points, s.snapshot(POOL, 1.0, generator)
        blocks = zip(x0.chunk(BLOCKS), x1.chunk(BLOCKS), strict=True)
        independent[repeat] = torch.tensor([transport_cost(a, b) for a, b in blocks])
        field, pool = s.oracle, FixedPairs(x0, x1)
        couplings = [pool]
        figures: dict[str, _Figures] = {}
        for k, name in enumerate(FLOWS):
            at = (repeat + k / len(FLOWS)) / REPEATS
            ot = name == FLOWS[3]
            if ot:
                pool = batches_of_ot(x0, x1, generator)
                pool = shuffled(pool, generator) if broken else pool
            if k:
                field = yield from shares(learned(seeded, pool), at, at + 0.8 / len(FLOWS) / REPEATS)
            figures[name] = _measure(s, field, generator)
            if not ot:
                pool = figures[name].pairs
                pool = shuffled(pool, generator) if broken else pool
            couplings.append(pool)
        rows.append(figures)
        for j, c in enumerate(couplings):
            crossings[repeat, :, j] = _crossings(c)
    numbers = _numbers(rows, crossings, independent)
    if not _parts_chords(experiment):
        del numbers[_CROSSED]
    panels = (*_panels(rows, crossings), *_trails(s, rows[-1]))
    return Measurement(tuple(Measured(n, *found) for n, found in numbers.items()), panels, repeats=REPEATS)


def _measure(s: Setting, field: VelocityField, generator: torch.Generator) -> _Figures:
    start = s.snapshot(POOL, 1.0, generator)
    if field is s.oracle:
        flow = integrate_adaptive(field, start, path_times(EXACT), TOLERANCE, TOLERANCE)
    else:
        flow = integrate(field, start, path_times(FINE), HEUN)
    blocks = flow.positions[:, :2_000].chunk(BLOCKS, 1)
    fresh = s.density.sample(TESTED, generator).points
    few = {n: integrate(field, start[:TESTED], path_times(n), EULER, record=False).end for n in STEPS}
    once = zip(few[1].chunk(BLOCKS), fresh.chunk(BLOCKS), strict=True)
    errors = [energy_distance(end, fresh) for end in few.values()]
    return _Figures(
        _each(straightness(Trajectory(flow.times, rows, flow.nfe), field) for rows in blocks),
        _each(transport_cost(rows[-1], rows[0]) for rows in flow.positions.chunk(BLOCKS, 1)),
        _each(energy_distance(*pair) for pair in once),
        torch.tensor(errors, dtype=torch.float64),
        FixedPairs(flow.end, start),
        flow.positions[:: len(flow.times) // 16, :TRAILS],
    )


def _each(values: Iterable[float]) -> Tensor:
    return torch.tensor([*values], dtype=torch.float64)


def _trails(s: Setting, figures: dict[str, _Figures]) -> Iterator[Panel]:
    """The chords of independent ends, then trajectories of each flow, as stages of one picture."""
    ends = s.pairs(TRAILS, s.generator(0))
    first = "Straight chords of independent ends: the data Q of the first flow."
    stages = [("chords", first, "original", torch.stack([ends.x1, ends.x0]))]
    for (name, found), tick in zip(figures.items(), _TICKS, strict=True):
        caption = f"From noise to data along this flow: S = {float(found.straightness.mean()):.2g}."
        stages.append((tick, caption, _ROLES[name], found.trails))
    for stage, caption, role, rows in stages:
        way = ways(torch.linspace(1, 0, len(rows)), rows)
        yield motion(s.dim, "Trajectories", caption, stage).drawn(lines(stage, role, *way))


def _numbers(
    rows: list[dict[str, _Figures]], crossings: Tensor, independent: Tensor
) -> dict[str, tuple[float, float, int]]:
    def blocks(what: str, *names: str) -> Tensor:
        """Of each block, the mean over the trainings, shape (blocks, names)."""
        return torch.stack([torch.stack([getattr(r[n], what) for r in rows]).mean(0) for n in names], 1)

    def ratio(values: Tensor) -> tuple[float, float, int]:
        """Of the second of two columns to the first."""
        return jackknife(lambda mean: mean[1] / mean[0], values)

    def log_ratio(values: Tensor) -> tuple[float, float, int]:
        return jackknife(lambda mean: (mean[1] / mean[0]).log(), values)

    def over_half(name: str) -> tuple[float, float, int]:
        first, other = blocks("first", one, name).unbind(1)
        return repeated(other - HALF * first)

    one, two, three, ot = FLOWS
    counted = crossings.flatten(0, 1) + 0.5 / len(crossings.flatten(0, 1))
    speed = blocks("cost", one) + blocks("straightness", one)
    return {
        _FALLS: log_ratio(blocks("straightness", one, two)),
        "S, 2-rectified": repeated(blocks("straightness", two)[:, 0]),
        "error after one step, 2-rectified less half of 1-rectified": over_half(two),
        "error after one step, optimal transport less half of 1-rectified": over_half(ot),
        _CROSSED: log_ratio(counted[:, [0, 1]]),
        "log of the crossings, optimal transport over independent": log_ratio(counted[:, [0, 4]]),
        "log S, 3-rectified over 2-rectified": log_ratio(blocks("straightness", two, three)),
        "transport cost, 2-rectified over 1-rectified": ratio(blocks("cost", one, two)),
        "transport cost + straightness of the exact flow": repeated(speed[:, 0]),
        "transport cost of independent ends": repeated(independent.flatten()),
    }


def _panels(rows: list[dict[str, _Figures]], crossings: Tensor) -> tuple[Panel, ...]:
    def trained(what: str) -> Tensor:
        """Means over the blocks, shape (trainings, flows)."""
        return torch.stack([torch.stack([getattr(r[n], what).mean() for n in FLOWS]) for r in rows])

    def bars(values: Tensor) -> Series:
        return series("measured", "learned", range(values.shape[1]), *column_errors(values), "bars")

    errors = {name: torch.stack([r[name].errors for r in rows]) for name in FLOWS}
    return (
        _NFE.over(*(series(n, _ROLES[n], STEPS, *column_errors(e)) for n, e in errors.items())),
        _S.over(bars(trained("straightness"))),
        _COST.over(bars(trained("cost"))),
        _CROSSINGS.drawn(bars(crossings.mean(1))),
    )


CLAIM = Claim(
    number="C10",
    section=3,
    headline=(_FALLS,),
    applies=smooth,
    predict=predict,
    steps=steps,
)
