"""C7: in Langevin dynamics the conditional score can be replaced by the marginal score.

At a fixed t both chains

    x ← x + (h/2) s(x, t) + √h ξ,            x ← x + (h/2) s(x | x₀) + √h ξ,   x₀ ~ w(x, t) drawn anew,

keep q_t up to their step. Their drifts differ by e = s(x | x₀) − s(x) with E[e | x] = 0, so over a time τ

    E|Σ (h/2) e|² = (τ h / 4) E tr Var[s(x | x₀) | x] = (τ h / 4) (d/σ² − E|s|²)  →  0

because s(x | x₀) = −(x − a x₀)/σ² has E|s(x | x₀)|² = d/σ². The distance of two chains with one noise ξ falls
with h in the same way.

Source: Wu & Lizarraga, About Flow Matching, 2024, section 3.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fmstudio.flow.metrics import energy_distance
from fmstudio.flow.paths.path import act, draw_like
from fmstudio.flow.solve.diffusion import Score, conditional_score, langevin_step
from fmstudio.learn.experiment import Experiment
from fmstudio.note.claim import Claim, Declined, Expected, Measured, Measurement, Prediction, Steps, quantity
from fmstudio.note.parts.panel import Panel, series
from fmstudio.note.parts.setting import Setting, blocks, column_errors, normal_source, repeated, slopes

TIME = 0.5
#: The chains run for a time SPAN · σ², with steps of these parts of σ².
SPAN = 2.0
STEPS = (0.2, 0.1, 0.05, 0.025, 0.0125)
REPEATS, PARTICLES = 16, 150
#: The least share of the score given x₀ that must be random.
LEAST = 1e-3
_DISTANCE = Panel(
    "Distance of the two chains",
    "Mean squared sum of the differing drifts, and squared distance of the two chains, against h.",
    "step h",
    "squared length",
    log_x=True,
    log_y=True,
)
_KEPT = Panel(
    "Distance to q_t",
    "Energy distance of each chain's end to fresh particles of q_t.",
    "step h",
    "energy distance",
    log_x=True,
)


def _variance(s: Setting) -> float:
    return float(s.path.at(torch.tensor(TIME, dtype=torch.float64)).variance)


def predict(experiment: Experiment) -> Prediction:
    """E|Σ (h/2) e|² from Fisher's information of q_t, slope 1; and no distance to q_t."""
    s = Setting(experiment, 7)
    variance, t = _variance(s), torch.tensor(TIME, dtype=torch.float64)
    x = s.snapshot(8_000, TIME, s.generator(1_000)).double()
    disagreement = s.dim / variance - s.oracle.score(x, t).square().sum(1)
    mean, error, freedom = repeated(disagreement)
    if mean * variance < LEAST * s.dim:
        raise Declined(
            f"At t = {TIME} x_t tells from which x₀ it came, so there is nothing to average: the two scores "
            f"differ by {quantity(mean * variance / s.dim)} of their mean square."
        )
    h = variance * torch.tensor(STEPS, dtype=torch.float64)
    sums = SPAN * variance * h / 4 * mean
    panels = (
        _DISTANCE.drawn(series("τ h/4 · E tr Var[s(x|x₀)], formula", "exact", h, sums, mark="dashes")),
        _KEPT.drawn(series("q_t kept", "exact", h, torch.zeros(len(h)), mark="dashes")),
    )
    finest = float(sums[-1])
    finest_error = finest * error / mean
    numbers = (
        Expected("slope of E|Σ (h/2) e|²", 1.0, slack=0.05),
        Expected("slope of the squared distance of the chains", 1.0, slack=0.15),
        Expected("E|Σ (h/2) e|² at the smallest h", finest, "equals", 0.05 * finest, finest_error, freedom),
        Expected("distance to q_t, conditional score, smallest h", 0.0, "at most", 2e-3),
        Expected("distance to q_t, marginal score, smallest h", 0.0, "at most", 2e-3),
    )
    note = f"t = {TIME}; the chains run for a time τ = {SPAN:g} σ², where σ² is the variance of x_t given x₀."
    return Prediction(numbers, panels, (note,))


def steps(experiment: Experiment, broken: bool) -> Steps:
    """Run both chains with one noise. Broken: x₀ is drawn from the data, not from w(x, t)."""
    s = Setting(experiment, 7)
    variance, t = _variance(s), torch.tensor(TIME)
    n = REPEATS * PARTICLES
    sums = torch.zeros(REPEATS, len(STEPS), dtype=torch.float64)
    gaps, kept = torch.zeros_like(sums), torch.zeros(2, REPEATS, len(STEPS), dtype=torch.float64)
    work = sum(1 / part for part in STEPS)
    done = 0.0
    for k, part in enumerate(STEPS):
        generator = s.generator(k)
        drawn = _strangers_score(s, generator) if broken else conditional_score(s.oracle, generator)
        h, count = part * variance, round(SPAN / part)
        marginal = conditional = s.snapshot(n, TIME, generator)
        total = torch.zeros_like(marginal)
        for j in range(count):
            noise = draw_like(marginal, generator)
            marginal = langevin_step(marginal, s.oracle.score(marginal, t), h, noise)
            given = drawn(conditional, t)
            total = total + h / 2 * (given - s.oracle.score(conditional, t))
            conditional = langevin_step(conditional, given, h, noise)
            if j % 8 == 7:
                yield 0.98 * (done + (j + 1) / count / part) / work
        done += 1 / part
        sums[:, k] = blocks(total.square().sum(1), REPEATS).mean(1)
        gaps[:, k] = blocks((marginal - conditional).square().sum(1), REPEATS).median(1).values
        for i, x in enumerate((conditional, marginal)):
            for repeat, rows in enumerate(x.split(PARTICLES)):
                kept[i, repeat, k] = energy_distance(rows, s.snapshot(4 * PARTICLES, TIME, generator))
    h = variance * torch.tensor(STEPS, dtype=torch.float64)
    names = ("conditional", "marginal")
    numbers = (
        Measured("slope of E|Σ (h/2) e|²", *repeated(slopes(h, sums))),
        Measured("slope of the squared distance of the chains", *repeated(slopes(h, gaps))),
        Measured("E|Σ (h/2) e|² at the smallest h", *repeated(sums[:, -1])),
        *(
            Measured(f"distance to q_t, {name} score, smallest h", *repeated(values[:, -1]))
            for name, values in zip(names, kept, strict=True)
        ),
    )
    curves = (
        series("E|Σ (h/2) e|²", "original", h, *column_errors(sums), "points"),
        series("median squared distance", "error", h, *column_errors(gaps), "points"),
    )
    ends = (
        series(f"{name} score", role, h, *column_errors(values), "points")
        for name, role, values in zip(names, ("original", "learned"), kept, strict=True)
    )
    panels = (_DISTANCE.over(*curves), _KEPT.over(*ends))
    return Measurement(numbers, panels, repeats=REPEATS)


def _strangers_score(s: Setting, generator: torch.Generator) -> Score:
    """−(x − a x₀)/σ² with any x₀ of the data in place of one drawn from w(x, t)."""

    def score(x: Tensor, t: Tensor) -> Tensor:
        c = s.path.at(t)
        return (act(c.a, s.density.sample(len(x), generator).points) - x) / c.variance

    return score


CLAIM = Claim(
    number="C7",
    section=3,
    headline=("slope of the squared distance of the chains",),
    applies=normal_source,
    predict=predict,
    steps=steps,
)
