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

from dataclasses import dataclass

import torch
from torch import Tensor

from fmstudio.flow.couplings import FixedPairs, OptimalTransport
from fmstudio.flow.fields import VelocityField
from fmstudio.flow.metrics import energy_distance, noise_floor, straightness, transport_cost
from fmstudio.flow.solvers import Trajectory, integrate, path_times
from fmstudio.flow.tableaux import EULER, HEUN
from fmstudio.learn.experiment import Experiment
from fmstudio.note.claim import Claim, Expected, Measured, Measurement, Prediction, Steps
from fmstudio.note.nets import learned, shares, small
from fmstudio.note.panel import Panel, Series, lines, series
from fmstudio.note.setting import Setting, column_errors, mean_error, smooth

FLOWS = ("1-rectified", "2-rectified", "3-rectified", "optimal transport")
_ROLES: dict[str, str] = dict(zip(FLOWS, ("exact", "learned", "class-3", "class-4"), strict=True))
_TICKS = (*FLOWS[:3], "OT")
STEPS = (1, 2, 4, 8, 16, 32, 64)
REPEATS, BLOCKS = 3, 6
FINE, POOL, TRAINING, TESTED, CHORDS = 32, 6_144, 1_200, 1_000, 200
TRAILS = 60
_NFE, _S, _COST, _CROSSINGS = "Error against NFE", "Straightness", "Transport cost", "Crossings of chords"
_TRAILS = "Trajectories"


def predict(experiment: Experiment) -> Prediction:
    """∫E|u|² from the marginals, the cost of independent ends, and what reflow should lower."""
    s = Setting(experiment, 10)
    generator = s.generator(1_000)
    times = torch.linspace(0, 1, 2 * FINE + 1)
    energies = [s.oracle(s.snapshot(2_000, t, generator), t).double().square().sum(1).mean() for t in times]
    total = float(torch.trapezoid(torch.stack(energies), times.double()))
    gap = s.density.mean.double() - s.source.mean.double()
    cost = float(s.density.covariance.trace() + s.source.covariance.trace() + gap @ gap)
    start = s.snapshot(2_000, 1.0, generator)
    end = integrate(s.oracle, start, path_times(FINE), HEUN, record=False).end
    flow, error = mean_error((end - start).double().square().sum(1))
    most = flow - least_cost(s)
    floor = noise_floor(energy_distance, s.density, TESTED, generator)
    ones = torch.ones(len(STEPS))
    panels = (
        Panel(
            _NFE,
            "Energy distance to fresh data after Euler steps. In the band of two fresh samples it is 0 "
            "but for chance.",
            "evaluations of the field",
            "energy distance",
            (series("two fresh samples", "original", STEPS, floor.std * ones, floor.std * ones, "band"),),
            log_x=True,
            log_y=True,
        ),
        Panel(
            _S,
            "S of each flow: 0 is straight at constant speed.",
            "",
            "S",
            (
                series("exact flow, formula", "exact", (-0.45, 0.45), (total - flow,) * 2, mark="dashes"),
                series("at most, formula", "error", (0.55, 2.45), (most, most), mark="dashes"),
            ),
            log_y=True,
            ticks=_TICKS,
        ),
        Panel(
            _COST,
            "E|x₁ − x₀|² of each flow's pairs; the line is the independent coupling's, from its moments.",
            "",
            "E|x₁ − x₀|²",
            (series("independent ends, formula", "exact", (-0.5, 3.5), (cost, cost), mark="dashes"),),
            ticks=_TICKS,
        ),
    )
    numbers = (
        Expected("transport cost + straightness of the exact flow", total, slack=0.02 * total),
        Expected("transport cost of independent ends", cost),
        Expected("S, 2-rectified", most, "at most", slack=0.02 * total + 4 * error),
        Expected("log S, 2-rectified over 1-rectified", 0.0, "below"),
        Expected("log S, 3-rectified over 2-rectified", 0.0, "at most", slack=0.2),
        Expected("transport cost, 2-rectified over 1-rectified", 1.0, "at most", slack=0.02),
        Expected("error after one step, 2-rectified less 1-rectified", 0.0, "below"),
        Expected("error after one step, optimal transport less 1-rectified", 0.0, "below"),
        Expected("log of the crossings, 1-rectified over independent", 0.0, "below"),
        Expected("log of the crossings, optimal transport over independent", 0.0, "below"),
    )
    return Prediction(numbers, panels)


def least_cost(s: Setting) -> float:
    """What every pairing of the noise with the data costs at least: E|x₁ − x₀|² between Gaussians of the same
    means and covariances, paired optimally (Gelbrich 1990)."""
    values, axes = torch.linalg.eigh(s.source.covariance.double())
    root = axes * values.clamp_min(0).sqrt() @ axes.T
    inner = root @ s.density.covariance.double() @ root
    gap = s.density.mean.double() - s.source.mean.double()
    shared = torch.linalg.eigvalsh(inner).clamp_min(0).sqrt().sum()
    traces = s.density.covariance.double().trace() + s.source.covariance.double().trace()
    return float(gap @ gap + traces - 2 * shared)


@dataclass(frozen=True)
class _Figures:
    """S, transport cost, error for each count of steps, the pairs and some trajectories of one flow."""

    straightness: float
    cost: float
    errors: Tensor
    pairs: FixedPairs
    trails: Tensor


def steps(experiment: Experiment, broken: bool) -> Steps:
    """Rectify twice, and learn mini-batch OT. Broken: the pairs of the flow are shuffled before learning."""
    s = Setting(experiment, 10)
    straight = small(experiment, TRAINING, path="linear", coupling="independent", target="v")
    rows: list[dict[str, _Figures]] = []
    crossings = torch.zeros(REPEATS, len(FLOWS) + 1, dtype=torch.float64)
    independent = torch.zeros(REPEATS, BLOCKS, dtype=torch.float64)
    for repeat in range(REPEATS):
        generator = s.generator(repeat)
        seeded = straight.but(seed=(experiment.seed + 7_919 * (repeat + 1)) % 2**31)
        ends = s.pairs(POOL, generator)
        blocks = zip(ends.x0.chunk(BLOCKS), ends.x1.chunk(BLOCKS), strict=True)
        independent[repeat] = torch.tensor([transport_cost(a, b) for a, b in blocks])
        field, pool = s.oracle, FixedPairs(ends.x0, ends.x1)
        couplings = [pool]
        figures: dict[str, _Figures] = {}
        for k, name in enumerate(FLOWS):
            at = (repeat + k / len(FLOWS)) / REPEATS
            if k:
                pool = _batches_of_ot(ends.x0, ends.x1, generator) if name == FLOWS[3] else pool
                field = yield from shares(learned(seeded, pool), at, at + 0.8 / len(FLOWS) / REPEATS)
            figures[name] = _measure(s, field, generator)
            pool = figures[name].pairs
            if broken and name != FLOWS[3]:
                order = torch.randperm(len(pool), generator=generator)
                pool = FixedPairs(pool.x0[order], pool.x1)
            couplings.append(pool)
        rows.append(figures)
        crossings[repeat] = torch.tensor([crossing_count(c.x0[:CHORDS], c.x1[:CHORDS]) for c in couplings])
    ends = s.pairs(TRAILS, s.generator(0))
    return _summary(rows, crossings, independent, _trails(s, torch.stack([ends.x1, ends.x0]), rows[-1]))


def _batches_of_ot(x0: Tensor, x1: Tensor, generator: torch.Generator, size: int = 256) -> FixedPairs:
    parts = [
        OptimalTransport().pair(a, b, generator) for a, b in zip(x0.split(size), x1.split(size), strict=True)
    ]
    return FixedPairs(torch.cat([p.x0 for p in parts]), torch.cat([p.x1 for p in parts]))


def _measure(s: Setting, field: VelocityField, generator: torch.Generator) -> _Figures:
    start = s.snapshot(POOL, 1.0, generator)
    flow = integrate(field, start, path_times(FINE), HEUN)
    few = Trajectory(flow.times, flow.positions[:, :2_000], flow.nfe)
    fresh = s.density.sample(TESTED, generator).points
    errors = [
        energy_distance(integrate(field, start[:TESTED], path_times(n), EULER, record=False).end, fresh)
        for n in STEPS
    ]
    return _Figures(
        straightness(few, field),
        transport_cost(flow.end, start),
        torch.tensor(errors, dtype=torch.float64),
        FixedPairs(flow.end, start),
        flow.positions[::2, :TRAILS],
    )


def crossing_count(x0: Tensor, x1: Tensor) -> int:
    """How many pairs of straight chords from x₁ to x₀ cross, for ends of shape (n, d).

    On a line two chords cross if their ends change order; in the plane, if the segments meet. In more
    dimensions chords almost never meet, and the first two coordinates are counted.
    """
    if x0.shape[1] == 1:
        a, b = x0[:, 0], x1[:, 0]
        return int(((a[:, None] - a) * (b[:, None] - b) < 0).sum()) // 2
    p, r = x1[:, :2].double(), (x0 - x1)[:, :2].double()
    gap = p[None] - p[:, None]
    across = _cross(r[:, None], r[None])
    along = _cross(gap, r[None].expand_as(gap)) / across
    other = _cross(gap, r[:, None].expand_as(gap)) / across
    meet = (along > 0) & (along < 1) & (other > 0) & (other < 1)
    return int(meet.sum()) // 2


def _cross(p: Tensor, q: Tensor) -> Tensor:
    return p[..., 0] * q[..., 1] - p[..., 1] * q[..., 0]


def _trails(s: Setting, chords: Tensor, figures: dict[str, _Figures]) -> tuple[Panel, ...]:
    """The chords of independent ends, then trajectories of each flow, as stages of one picture."""

    def stage(name: str, caption: str, role: str, rows: Tensor) -> Panel:
        times = torch.linspace(1, 0, len(rows))[:, None].expand(rows.shape[:2])
        axes = (times, rows[..., 0]) if s.dim == 1 else (rows[..., 0], rows[..., 1])
        word = "t" if s.dim == 1 else "x"
        return Panel(
            _TRAILS, caption, word, "x" if s.dim == 1 else "y", (lines(name, role, *axes),),
            plane=s.dim > 1, stage=name,
        )  # fmt: skip

    first = stage(
        "chords", "Straight chords of independent ends: the data Q of the first flow.", "original", chords
    )
    return (
        first,
        *(
            stage(tick, f"From noise to data along this flow: S = {figures[name].straightness:.2g}.",
                  _ROLES[name], figures[name].trails)
            for name, tick in zip(FLOWS, _TICKS, strict=True)
        ),
    )  # fmt: skip


def _summary(
    rows: list[dict[str, _Figures]], crossings: Tensor, independent: Tensor, trails: tuple[Panel, ...]
) -> Measurement:
    def column(name: str, what: str) -> Tensor:
        return torch.tensor([getattr(r[name], what) for r in rows], dtype=torch.float64)

    one, two, three, ot = FLOWS
    bent = {name: column(name, "straightness") for name in FLOWS}
    cost = {name: column(name, "cost") for name in FLOWS}
    errors = {name: torch.stack([r[name].errors for r in rows]) for name in FLOWS}
    first = {name: e[:, 0] for name, e in errors.items()}
    counted = crossings.clamp_min(0.5).log()
    numbers = {
        "transport cost + straightness of the exact flow": cost[one] + bent[one],
        "transport cost of independent ends": independent.flatten(),
        "S, 2-rectified": bent[two],
        "log S, 2-rectified over 1-rectified": (bent[two] / bent[one]).log(),
        "log S, 3-rectified over 2-rectified": (bent[three] / bent[two]).log(),
        "transport cost, 2-rectified over 1-rectified": cost[two] / cost[one],
        "error after one step, 2-rectified less 1-rectified": first[two] - first[one],
        "error after one step, optimal transport less 1-rectified": first[ot] - first[one],
        "log of the crossings, 1-rectified over independent": counted[:, 1] - counted[:, 0],
        "log of the crossings, optimal transport over independent": counted[:, 4] - counted[:, 0],
    }

    def bars(values: Tensor) -> tuple[Series, ...]:
        mean, error = column_errors(values)
        return (series("measured", "learned", range(len(mean)), mean, error, "bars"),)

    panels = (
        Panel(
            _NFE, "", "", "",
            tuple(series(n, _ROLES[n], STEPS, *column_errors(e)) for n, e in errors.items()),
        ),
        Panel(_S, "", "", "", bars(torch.stack([bent[n] for n in FLOWS], 1))),
        Panel(_COST, "", "", "", bars(torch.stack([cost[n] for n in FLOWS], 1))),
        Panel(
            _CROSSINGS,
            f"Crossings among the {CHORDS * (CHORDS - 1) // 2:,} pairs of straight chords of each coupling.",
            "",
            "crossings",
            bars(crossings),
            log_y=True,
            ticks=("independent", *_TICKS),
        ),
    )  # fmt: skip
    return Measurement(
        tuple(Measured(n, *mean_error(v)) for n, v in numbers.items()), (*panels, *trails), repeats=len(rows)
    )


CLAIM = Claim(
    number="C10",
    title="Straightness",
    section=3,
    sentence=(
        "Every choice of trajectories with the same ends is allowed, so one may choose straight ones. "
        "Straighter flows need fewer steps, and following a flow once gives the pairs for a straighter one."
    ),
    formula=(r"S=\int_0^1E|(Z_1-Z_0)-u(Z_t,t)|^2dt,\qquad E|Z_1-Z_0|^2+S=\int_0^1E|u(x_t,t)|^2dt"),
    breaks=(
        "The flow's pairs are shuffled before the next flow learns them: the ends are independent again, "
        "their chords cross as before, and nothing gets straighter."
    ),
    question=(
        "Why does the flow of the straight path bend at all? Count the crossings of its chords, then choose "
        "the optimal-transport coupling in the Paths room."
    ),
    headline=("log S, 2-rectified over 1-rectified",),
    applies=smooth,
    predict=predict,
    steps=steps,
)
