"""C9: where Q is not Markov there is no ELBO, but there is a likelihood.

P can match every snapshot of Q and yet not Q: the joint of (x_t, x_s) differs. Under Q the two are correlated
through their common ends,

    E⟨x_t, x_s⟩ = Re(a_t* a_s) E|x₀|² + Re(b_t* b_s) E|x₁|² + γ_t γ_s d + cross terms of the means,

under P through the flow. Any event A bounds the divergence from below, KL(Q‖P) ≥ kl(Q(A) ‖ P(A)); here A
says that x_s is near the place to which the flow takes x_t, as near as it is in half of all cases under Q.
Under P that is all but sure. The likelihood of P follows from the divergence along
the flow,

    log p₀(x₀) = log p₁(x₁) + ∫₀¹ div u dt.

Source: Wu & Lizarraga, About Flow Matching, 2024, section 2.
"""

from __future__ import annotations

import math
from collections.abc import Generator

import torch
from torch import Tensor

from fmstudio.flow.metrics import energy_distance
from fmstudio.flow.paths.path import act
from fmstudio.flow.solve.adaptive import integrate_adaptive
from fmstudio.flow.solve.solvers import integrate, path_times
from fmstudio.flow.solve.tableaux import HEUN
from fmstudio.flow.solve.transitions import random_path_process
from fmstudio.learn.experiment import Experiment
from fmstudio.note.claim import Claim, Declined, Expected, Measured, Measurement, Prediction, Steps
from fmstudio.note.parts import flow_likelihood
from fmstudio.note.parts.flow_density import density_time
from fmstudio.note.parts.nets import learned, shares, small
from fmstudio.note.parts.panel import Panel, series
from fmstudio.note.parts.setting import Setting, blocks, repeated, smooth

LATE, EARLY = 0.9, 0.1
PIECE, LED, TOLERANCE = 20, 20, 1e-3
REPEATS, PARTICLES, SHOWN = 24, 200, 400
#: Steps of P, at least and at most; more where single paths disagree much, for that blurs where they lead.
STEPS, MOST_STEPS = 80, 640
#: Random drift that P may gather, and how far that may take its joint moment from the flow's, as shares of
#: √(E|x_t|² E|x_s|²).
DRIFT, LEEWAY = 0.03, 0.04
_JOINT_Q, _JOINT_P = (
    Panel(
        f"(x_t, x_s) under {process}",
        f"First coordinate at t = {LATE} and at s = {EARLY}: the margins agree, the joint does not.",
        "x_t",
        "x_s",
        plane=True,
    )
    for process in ("Q", "P")
)


def joint_moment(s: Setting, t: float, u: float) -> float:
    """E⟨x_t, x_u⟩ under Q."""
    c = s.path.at(torch.tensor([t, u], dtype=torch.float64))
    m0, m1 = s.density.mean.double(), s.source.mean.double()
    square0, square1 = s.mean_squares()

    def cross(f: Tensor, g: Tensor) -> Tensor:
        return act(f, m0[None])[0] @ act(g, m1[None])[0]

    total = (c.a[0].conj() * c.a[1]).real * square0 + (c.b[0].conj() * c.b[1]).real * square1
    total = total + c.gamma[0] * c.gamma[1] * s.dim + cross(c.a[0], c.b[1]) + cross(c.a[1], c.b[0])
    return float(total)


def joint_of_first(s: Setting, t: float, u: float) -> tuple[Tensor, Tensor]:
    """Means, shape (2,), and covariance, shape (2, 2), of the first coordinates of x_t and x_u under Q."""
    c = s.path.at(torch.tensor([t, u], dtype=torch.float64))
    ends = (c.a, s.density), (c.b, s.source)
    means = [sum(act(f[i], end.mean.double()[None])[0, 0] for f, end in ends) for i in range(2)]
    covariance = [
        [
            sum(act(f[j], act(f[i], end.covariance.double()).T)[0, 0] for f, end in ends)
            + c.gamma[i] * c.gamma[j]
            for j in range(2)
        ]
        for i in range(2)
    ]
    return torch.tensor(means), torch.tensor(covariance)


def _best_line(mean: Tensor, covariance: Tensor) -> tuple[Tensor, Tensor]:
    """Two points of the line of least squares of the second on the first, two deviations about the mean."""
    reach = 2 * covariance[0, 0].sqrt() * torch.tensor([-1.0, 1.0])
    return mean[0] + reach, mean[1] + covariance[0, 1] / covariance[0, 0] * reach


def _sampled_line(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    pair = torch.stack([x, y]).double()
    return _best_line(pair.mean(1), pair.cov())


def predict(experiment: Experiment) -> Prediction:
    """The joint moments of Q (formula) and of the flow (oracle), and exact log-densities."""
    s = Setting(experiment, 9)
    generator = s.generator(1_000)
    late = s.snapshot(6_000, LATE, generator)
    flow = integrate_adaptive(s.oracle, late, torch.tensor([LATE, EARLY]), TOLERANCE, TOLERANCE)
    early = flow.positions[-1]
    size = float((late.square().sum(1).mean() * early.square().sum(1).mean()).sqrt())
    under_p, error, freedom = repeated((late * early).sum(1))
    numbers = (
        Expected("E⟨x_t, x_s⟩ under Q", joint_moment(s, LATE, EARLY)),
        Expected("E⟨x_t, x_s⟩ under P", under_p, slack=LEEWAY * size, error=error, freedom=freedom),
        Expected("distance of the snapshots at s", 0.0, "at most"),
        Expected("lower bound of KL(Q‖P), nats", 0.0, "above"),
        *flow_likelihood.predicted_numbers(s),
    )
    note = f"t = {LATE}, s = {EARLY}; densities compared at t = {density_time(s):g}."
    line_q, line_p = _best_line(*joint_of_first(s, LATE, EARLY)), _sampled_line(late[:, 0], early[:, 0])
    joints = (
        _JOINT_Q.drawn(series("best line, formula", "exact", *line_q, mark="dashes")),
        _JOINT_P.drawn(series("best line, oracle's flow", "exact", *line_p, mark="dashes")),
    )
    return Prediction(numbers, (*joints, *flow_likelihood.predicted_panels(s)), (note,))


def grid(s: Setting) -> Tensor:
    """Times of P from ``LATE`` to ``EARLY``: so many that the random drifts, ∫ E[var_t] dt · dt, stay small.

    Raises:
        Declined: ``MOST_STEPS`` are too few.
    """
    generator, spans = s.generator(1_500), torch.linspace(LATE, EARLY, 33)
    moments = [s.snapshot(400, t, generator) for t in spans]
    spread = torch.stack([s.oracle.moments(x, t).var.mean() for x, t in zip(moments, spans, strict=True)])
    size = float((moments[0].square().sum(1).mean() * moments[-1].square().sum(1).mean()).sqrt())
    single = float(torch.trapezoid(spread, -spans)) * (LATE - EARLY) / size
    if single > DRIFT * MOST_STEPS:
        raise Declined(
            f"Single paths through a point disagree so much here that in {MOST_STEPS} steps a particle of P "
            f"gathers a random drift of mean square {single / MOST_STEPS:.2g} √(E|x_t|² E|x_s|²), more than "
            f"{DRIFT:g}: its joint is not yet that of the limit."
        )
    return path_times(max(STEPS, math.ceil(single / DRIFT)), LATE, EARLY)


def steps(experiment: Experiment, broken: bool) -> Steps:
    """Joint and likelihood. Broken: Q is replaced by a Markov process, and the divergence is left out."""
    s = Setting(experiment, 9)
    times, generator, n = grid(s), s.generator(0), REPEATS * PARTICLES
    late_p, early_p = yield from shares(_walked(s, n, times, generator), 0.0, 0.2)
    if broken:
        late_q, early_q = yield from shares(_walked(s, n, times, generator), 0.2, 0.4)
    else:
        late_q, early_q = _joint(s, n, generator)
    radius, joint = _radius(s), torch.zeros(4, REPEATS, dtype=torch.float64)
    near_q, near_p = (
        blocks((_strayed(s, *pair) <= radius).double(), REPEATS).mean(1)
        for pair in ((late_q, early_q), (late_p, early_p))
    )
    for repeat in range(REPEATS):
        rows = slice(repeat * PARTICLES, (repeat + 1) * PARTICLES)
        joint[0, repeat] = _moment(late_q[rows], early_q[rows])
        joint[1, repeat] = _moment(late_p[rows], early_p[rows])
        joint[2, repeat] = energy_distance(early_p[rows], s.snapshot(2 * PARTICLES, EARLY, generator))
        joint[3, repeat] = _bound(float(near_q[repeat]), float(near_p[repeat]), PARTICLES)
    field = yield from shares(learned(small(experiment)), 0.4, 0.6)
    found = yield from shares(flow_likelihood.measure(s, field, broken), 0.6, 1.0)
    names = (
        "E⟨x_t, x_s⟩ under Q",
        "E⟨x_t, x_s⟩ under P",
        "distance of the snapshots at s",
        "lower bound of KL(Q‖P), nats",
    )
    numbers = (Measured(name, *repeated(values)) for name, values in zip(names, joint, strict=True))
    pictures = (
        panel.over(series("pairs", role, now[:SHOWN, 0], then[:SHOWN, 0], mark="points"))
        for panel, role, now, then in (
            (_JOINT_Q, "original", late_q, early_q),
            (_JOINT_P, "class-4", late_p, early_p),
        )
    )
    return Measurement((*numbers, *found.numbers), (*pictures, *found.panels), (found.note,), REPEATS)


def _walked(
    s: Setting, n: int, times: Tensor, generator: torch.Generator
) -> Generator[float, None, tuple[Tensor, Tensor]]:
    """Where particles of P start and end, each of shape (n, d)."""
    x = late = s.snapshot(n, LATE, generator)
    for first in range(0, len(times) - 1, PIECE):
        piece = times[first : first + PIECE + 1]
        x = random_path_process(s.oracle, x, piece, generator, along_path=True).trajectory.end
        yield first / len(times)
    return late, x


def _joint(s: Setting, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Where particles of Q are at both times, each of shape (n, d)."""
    ends = s.pairs(n, generator)
    late, early = s.path.trajectories(ends.x0, ends.x1, torch.tensor([LATE, EARLY]), generator)
    return late, early


def _moment(x: Tensor, y: Tensor) -> Tensor:
    return (x * y).sum(1).double().mean()


def _strayed(s: Setting, late: Tensor, early: Tensor) -> Tensor:
    """How far x_s is from where the flow takes x_t, shape (n,)."""
    return (early - integrate(s.oracle, late, path_times(LED, LATE, EARLY), HEUN, record=False).end).norm(
        dim=1
    )


def _radius(s: Setting) -> float:
    """The distance that half of all particles of Q keep."""
    return float(_strayed(s, *_joint(s, 1_000, s.generator(1_600))).median())


def _bound(q: float, p: float, n: int) -> float:
    """kl(q ‖ p) of an event, with half a count added to each side so that it stays finite, less the 1/n that
    two shares of n give by chance where the event is equally likely under both."""
    q, p = ((v * n + 0.5) / (n + 1) for v in (q, p))
    a, b = torch.tensor([q, 1 - q]), torch.tensor([p, 1 - p])
    return float((a * (a / b).log()).sum()) - 1 / n


CLAIM = Claim(
    number="C9",
    section=2,
    headline=("lower bound of KL(Q‖P), nats", "mean |log p − log q|, exact divergence"),
    applies=smooth,
    predict=predict,
    steps=steps,
)
