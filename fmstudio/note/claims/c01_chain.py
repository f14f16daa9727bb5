"""C1: least squares on x_{t−1} and on its mean have one minimiser; the closed form only removes variance.

For every net f the two losses differ by the variance of x_s given x_t and x₀,

    E|x_s − f(x_t)|² − E|μ̃ − f(x_t)|² = d β̃_t,

and the gradient of the first is noisier by 4 d β̃_t at the net's output. The exact mean f*(x_t) = E[x_s |
x_t] has no noise left. KL(Q‖P) of the chain is predicted by the area formula of
:mod:`fmstudio.note.parts.chain`, and a net f adds exactly what it is off by, because
x_s − f*(x_t) has mean 0 given x_t:

    KL(Q‖P_f) − KL(Q‖P_f*) = Σ_t E|f − f*|² / (2 β̃_t).

Source: Wu & Lizarraga, About Flow Matching, 2024, section 1.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fmstudio.flow.oracle.oracle_for import oracle_for
from fmstudio.flow.paths.zigzag import ZigZag
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.nets.networks import Network
from fmstudio.note.claim import Claim, Expected, Measured, Measurement, Prediction, Steps
from fmstudio.note.claims.c04_zigzag import chain_path
from fmstudio.note.parts.chain import Chain
from fmstudio.note.parts.chain_training import (
    ESTIMATORS,
    STEPS,
    ChainReport,
    Estimator,
    model_mean,
    neighbours,
    train_on_chain,
)
from fmstudio.note.parts.panel import Panel, series
from fmstudio.note.parts.setting import Setting, blocks, column_errors, normal_source, repeated

CHAIN_STEPS, START = 20, 0.05
REPEATS, PARTICLES, FEW = 24, 400, 100
SEEDS, DRAWS = 8, 8
_KL = Panel("KL of each step", "KL(Q‖P) of each step of the chain; the total is their sum.", "t", "nats")
_TOTAL = Panel(
    "KL of the chain",
    "KL(Q‖P) of the whole chain, for the best Gaussian steps and for the trained ones.",
    y_label="nats",
    ticks=("oracle P", "trained P"),
)
_GAP = Panel(
    "The two losses",
    "How much more the loss on sampled x_{t−1} is than on its mean.",
    "t",
    "difference of the losses",
)
_NOISE = Panel(
    "Gradient variance",
    "Of the gradient at the net's output, given x_t. The exact mean leaves none of that; its own is "
    "over x_t, at the trained net.",
    "t",
    "variance",
    log_y=True,
)
_CLOCK = Panel(
    "Three targets on one clock",
    f"Nats that the net adds to KL(Q‖P) in {STEPS} steps, the same seeds for all three targets.",
    "seconds of computing",
    "nats above the oracle",
    log_y=True,
)
_ADDED = "KL(Q‖P), trained less oracle P, less Σ E|f_θ − f*|²/2β̃_t"
_ROLES: dict[Estimator, str] = {"sampled": "class-4", "closed form": "learned", "exact mean": "exact"}


def chain_of(s: Setting) -> Chain:
    """The 2015 chain on the experiment's data."""
    around = chain_path(s.path).around
    times = torch.linspace(START, 1, CHAIN_STEPS + 1, dtype=torch.float64)
    return Chain(around, times, oracle_for(around, s.density, s.source))


def predict(experiment: Experiment) -> Prediction:
    """The area formula for the KL, d β̃_t for the losses, and the variance of each gradient."""
    s = Setting(experiment, 1)
    chain = chain_of(s)
    t = chain.times[1:]
    parts = [chain.step_kl(s.density, 250, s.generator(1_000 + k)) for k in range(DRAWS)]
    kls, mmses = (torch.stack(rows) for rows in zip(*parts, strict=True))
    (kl, kl_error), (total, total_error, freedom) = column_errors(kls), repeated(kls.sum(1))
    gap, ambiguities = s.dim * chain.posterior, chain.weights[1] ** 2 * mmses
    ambiguity = ambiguities.mean(0)
    noisy, noisy_error, freedom = repeated(4 * ambiguities.sum(1))
    panels = (
        _KL.drawn(series("oracle P, formula", "exact", t, kl, 4 * kl_error, "bars")),
        _TOTAL.drawn(series("oracle P, formula", "exact", (-0.5, 1.5), (total, total), mark="dashes")),
        _GAP.drawn(series("d β̃_t", "exact", t, gap, mark="dashes")),
        _NOISE.drawn(
            series("sampled, formula", "class-4", t, 4 * (gap + ambiguity), mark="dashes"),
            series("closed form, formula", "learned", t, 4 * ambiguity, mark="dashes"),
        ),
    )
    numbers = (
        Expected("KL(Q‖P), oracle P", total, error=total_error, freedom=freedom),
        Expected(_ADDED, 0.0),
        Expected("gap of the losses, untrained net", float(gap.sum())),
        Expected("gap of the losses, trained net", float(gap.sum())),
        *(
            Expected(f"gradient variance, {name}", value, error=noisy_error, freedom=freedom)
            for name, value in (("sampled", float(4 * gap.sum()) + noisy), ("closed form", noisy))
        ),
        Expected("log of the errors, sampled over closed form", 0.0, "above"),
        Expected("log of the errors, closed form over exact mean", 0.0, "above"),
    )
    return Prediction(numbers, panels, (f"The chain has {CHAIN_STEPS} steps, from t = {START} to 1.",))


def steps(experiment: Experiment, broken: bool) -> Steps:
    """Train, then walk the chain. Broken: the posterior variance is taken as 2 β̃ in place of β̃."""
    s = Setting(experiment, 1)
    chain = chain_of(s)
    widen = 2.0 if broken else 1.0
    exam = _Exam(chain, s)
    errors = torch.zeros(len(ESTIMATORS), SEEDS, dtype=torch.float64)
    clocks, last = {}, None
    for i, estimator in enumerate(ESTIMATORS):
        curves: list[list[tuple[ChainReport, Tensor]]] = []
        for seed in range(SEEDS):
            curve = []
            for k, report in enumerate(train_on_chain(chain, s.density, estimator, s.generator(500 + seed))):
                if k % 4 == 3 or report.step == STEPS:
                    curve.append((report, exam.excess(report.net)))
                yield 0.75 * (i * SEEDS + seed + report.step / STEPS) / (len(ESTIMATORS) * SEEDS)
            errors[i, seed] = curve[-1][1]
            curves.append(curve)
            if estimator == "closed form":
                last = curve[-1][0].net
        clocks[estimator] = curves
    assert last is not None
    ratios = errors.log()
    numbers = [
        Measured("log of the errors, sampled over closed form", *repeated(ratios[0] - ratios[1])),
        Measured("log of the errors, closed form over exact mean", *repeated(ratios[1] - ratios[2])),
    ]
    untrained = Network(last.shape, s.generator(600))
    kl = torch.zeros(2, REPEATS, len(chain), dtype=torch.float64)
    off = torch.zeros(REPEATS, len(chain), dtype=torch.float64)
    gap, noise = torch.zeros_like(kl), torch.zeros(3, REPEATS, len(chain), dtype=torch.float64)
    generator, n = s.generator(0), REPEATS * PARTICLES
    ends = s.pairs(n, generator)
    rows = ZigZag(chain.path).trajectories(ends.x0, ends.x1, chain.times.float(), generator).double()
    for k in range(len(chain)):
        xs, xt = rows[k], rows[k + 1]
        means = chain.best(k, xt), model_mean(chain, last, k, xt.float())
        for j, f in enumerate(means):
            kl[j, :, k] = _each(chain.kl_terms(k, xs, xt, f, widen * float(chain.posterior[k])))
        off[:, k] = _each((means[1] - means[0]).square().sum(1)) / (2 * chain.posterior[k])
        x0, xt, xs = neighbours(chain, k, s.density, n, generator, widen)
        for j, net in enumerate((untrained, last)):
            f = model_mean(chain, net, k, xt)
            gap[j, :, k] = _each(((xs - f).square() - (chain.mean(k, xt, x0) - f).square()).sum(1))
        left = 2 * (model_mean(chain, last, k, xt) - chain.best(k, xt))
        noise[2, :, k] = left.view(REPEATS, PARTICLES, -1).var(1).sum(1)
        few = xt.view(REPEATS, PARTICLES, -1)[:, :FEW].flatten(0, 1)
        noise[:2, :, k] = _gradient_variance(chain, k, few, generator, widen)
        yield 0.75 + 0.24 * (k + 1) / len(chain)
    numbers.append(Measured("KL(Q‖P), oracle P", *repeated(kl[0].sum(1))))
    numbers.append(Measured(_ADDED, *repeated((kl[1] - kl[0] - off).sum(1))))
    for name, values in zip(("untrained", "trained"), gap, strict=True):
        numbers.append(Measured(f"gap of the losses, {name} net", *repeated(values.sum(1))))
    for name, values in zip(("sampled", "closed form"), noise[:2], strict=True):
        numbers.append(Measured(f"gradient variance, {name}", *repeated(values.sum(1))))
    return Measurement(tuple(numbers), _panels(chain, kl, gap, noise, clocks), repeats=REPEATS)


class _Exam:
    """Fixed points of every step at which f* is known."""

    def __init__(self, chain: Chain, s: Setting) -> None:
        self.chain, self.points = chain, []
        generator = s.generator(800)
        for k in range(len(chain)):
            _, xt, _ = neighbours(chain, k, s.density, 250, generator)
            self.points.append((xt, chain.best(k, xt)))

    def excess(self, net: Network) -> Tensor:
        """Σ_t E|f_θ − f*|²/(2 β̃_t), the nats that the net adds to KL(Q‖P)."""
        terms = [
            (model_mean(self.chain, net, k, xt) - best).square().sum(1).mean() / (2 * self.chain.posterior[k])
            for k, (xt, best) in enumerate(self.points)
        ]
        return torch.stack(terms).sum()


def _each(values: Tensor) -> Tensor:
    """Means over the particles of each repeat."""
    return blocks(values, REPEATS).mean(1)


def _gradient_variance(chain: Chain, k: int, xt: Tensor, generator: torch.Generator, widen: float) -> Tensor:
    """tr Var[∂|y − f|²/∂f | x_t] for y = x_s and y = μ̃, over each repeat's x_t: (2, repeats)."""
    x0 = chain.oracle.draw(xt, chain.times[k + 1], 4, generator).x0
    mean = chain.mean(k, xt[:, None], x0)
    noise = torch.randn(mean.shape, generator=generator)
    sampled = mean + (widen * float(chain.posterior[k])) ** 0.5 * noise
    return torch.stack([_each(4 * y.var(1).sum(-1)) for y in (sampled, mean)])


def _panels(
    chain: Chain,
    kl: Tensor,
    gap: Tensor,
    noise: Tensor,
    clocks: dict[Estimator, list[list[tuple[ChainReport, Tensor]]]],
) -> tuple[Panel, ...]:
    t = chain.times[1:]
    bars = [
        series(f"{name}, measured", role, t, *column_errors(values), "bars")
        for name, role, values in zip(("oracle P", "trained P"), ("original", "learned"), kl, strict=True)
    ]
    total, total_error = column_errors(kl.sum(2).T)
    totals = [
        series("oracle P, measured", "original", [0.0], total[:1], total_error[:1], "bars"),
        series("trained P, measured", "learned", [1.0], total[1:], total_error[1:], "bars"),
    ]
    gaps = [
        series(f"{name} net", role, t, *column_errors(values), "points")
        for name, role, values in zip(("untrained", "trained"), ("original", "learned"), gap, strict=True)
    ]
    noises = [
        series(f"{name}, measured", role, t, *column_errors(values), "points")
        for (name, role), values in zip(_ROLES.items(), noise, strict=True)
    ]
    trainings = []
    for estimator, curves in clocks.items():
        seconds = torch.tensor([[r.seconds for r, _ in c] for c in curves]).mean(0)
        errors = torch.tensor([[float(e) for _, e in c] for c in curves])
        trainings.append(series(estimator, _ROLES[estimator], seconds, *column_errors(errors)))
    panels = ((_KL, bars), (_TOTAL, totals), (_GAP, gaps), (_NOISE, noises))
    return (*(panel.over(*curves) for panel, curves in panels), _CLOCK.drawn(*trainings))


CLAIM = Claim(
    number="C1",
    section=1,
    headline=("gap of the losses, trained net",),
    applies=normal_source,
    predict=predict,
    steps=steps,
)
