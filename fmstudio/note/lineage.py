"""From 2015 to rectified flow on one slider: five steps of one idea, on the same data, net, seed and budget.

Each row is maximum likelihood on trajectories Q, by least squares; what changes is the trajectories and how
much of the target is known in closed form.

1. diffusion, 2015: the zig-zag chain, regression on the sampled x_{t−1};
2. DDPM, 2020: the same chain, regression on its closed-form mean;
3. v-prediction, 2022: smooth trajectories along the arc a x₀ + b x₁, regression on their velocity;
4. flow matching, 2022: the same with straight trajectories;
5. reflow, 2022: half of the budget for 4, half for the straight trajectories between the ends of its flow.

Rows 1 and 2 sample by steps of the chain on every so-manieth of its times, rows 3 to 5 by Euler steps of the
ODE.

Source: Wu & Lizarraga, About Flow Matching, 2024; Sohl-Dickstein et al. 2015, arXiv:1503.03585; Ho et al.
2020, arXiv:2006.11239; Salimans & Ho 2022, arXiv:2202.00512; Lipman et al. 2022, arXiv:2210.02747; Liu et al.
2022, arXiv:2209.03003.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from fmstudio.flow.couplings.coupling import FixedPairs
from fmstudio.flow.metrics import energy_distance, noise_floor
from fmstudio.flow.oracle.oracle_for import oracle_for
from fmstudio.flow.paths.affine import Spherical
from fmstudio.flow.solve.fields import VelocityField
from fmstudio.flow.solve.solvers import integrate, path_times
from fmstudio.flow.solve.tableaux import EULER, HEUN
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.nets.networks import Network
from fmstudio.note.parts.chain import Chain
from fmstudio.note.parts.chain_training import BLOCK, Estimator, model_mean, train_on_chain
from fmstudio.note.parts.nets import learned, shares, small
from fmstudio.note.parts.panel import Panel, Series, cloud, series
from fmstudio.note.parts.setting import Setting, normal_source, repeated

STEPS = (1, 2, 4, 8, 32)
CHAIN, START, BUDGET = 32, 0.02, 2_000
TESTED, REPEATS, SHOWN = 1_500, 4, 400

#: (n, steps, generator) -> samples (n, d)
Sampler = Callable[[int, int, torch.Generator], Tensor]


@dataclass(frozen=True)
class Row:
    """One step of the lineage.

    Args:
        name, year: of the method.
        trajectories, target, formula: in words, in words, in LaTeX.
        distances, errors: energy distance to fresh data for each of ``STEPS``, and its standard error.
        samples: a few samples for each of ``STEPS``.
    """

    name: str
    year: int
    trajectories: str
    target: str
    formula: str
    distances: tuple[float, ...]
    errors: tuple[float, ...]
    samples: tuple[Series, ...]


@dataclass(frozen=True)
class Lineage:
    """The table: a row for each method, what two fresh samples differ by, and the curves as a panel."""

    steps: tuple[int, ...]
    rows: tuple[Row, ...]
    floor: float
    panel: Panel
    budget: int


METHODS = (
    ("diffusion", 2015, "zig-zag", "sampled x_{t−1}", r"E|x_{t-1}-f_\theta(x_t,t)|^2"),
    ("DDPM", 2020, "zig-zag", "closed-form mean", r"E|E[x_{t-1}\mid x_t,x_0]-f_\theta(x_t,t)|^2"),
    ("v-prediction", 2022, "arc", "velocity", r"E|\tfrac{\pi}{2}(a\,x_1-b\,x_0)-u_\theta(x_t,t)|^2"),
    ("flow matching", 2022, "straight", "velocity", r"E|(x_1-x_0)-u_\theta(x_t,t)|^2"),
    ("reflow", 2022, "straight, between the ends of a flow", "velocity", r"E|(Z_1-Z_0)-u_\theta(x_t,t)|^2"),
)
"""Name, year, trajectories, regression target and loss (LaTeX) of each row."""

applies = normal_source
"""The chain needs x₁ ~ N(0, I), independent."""


def lineage(experiment: Experiment) -> Generator[float, None, Lineage]:
    """Train and sample the five methods on the experiment's data, reporting the finished share.

    The path of the experiment plays no part; its data and seed do. Closing the generator stops the work.
    """
    s = Setting(experiment, 11)
    rows = []
    for k, (words, training) in enumerate(zip(METHODS, _trainings(s), strict=True)):
        sampler = yield from shares(training, k / len(METHODS), (k + 0.8) / len(METHODS))
        rows.append(_row(s, words, sampler))
        yield (k + 1) / len(METHODS) * 0.99
    floor = noise_floor(energy_distance, s.density, TESTED, s.generator(900)).std
    return Lineage(STEPS, tuple(rows), floor, _panel(rows, floor), BUDGET)


_Training = Generator[float, None, Sampler]


def _trainings(s: Setting) -> tuple[_Training, ...]:
    """One for each row."""
    flow = small(s.experiment, BUDGET, path="linear", target="v")
    return (
        _chain(s, "sampled"),
        _chain(s, "closed form"),
        _flow(s, flow.but(path="spherical")),
        _flow(s, flow),
        _reflow(s, flow.but(train_steps=BUDGET // 2)),
    )


def _flow(s: Setting, experiment: Experiment) -> _Training:
    field = yield from learned(experiment)
    return _euler(s, field)


def _reflow(s: Setting, experiment: Experiment) -> _Training:
    first = yield from shares(learned(experiment), 0.0, 0.5)
    noise = s.source.sample(8_192, s.generator(800)).points
    pairs = FixedPairs(integrate(first, noise, path_times(32), HEUN, record=False).end, noise)
    second = yield from shares(learned(experiment, pairs, first.network), 0.5, 1.0)
    return _euler(s, second)


def _euler(s: Setting, field: VelocityField) -> Sampler:
    def sample(n: int, steps: int, generator: torch.Generator) -> Tensor:
        noise = s.source.sample(n, generator).points
        return integrate(field, noise, path_times(steps), EULER, record=False).end

    return sample


def _chain(s: Setting, estimator: Estimator) -> _Training:
    times = torch.linspace(START, 1, CHAIN + 1, dtype=torch.float64)
    chain = Chain(Spherical(), times, oracle_for(Spherical(), s.density, s.source))
    net: Network | None = None
    budget = BUDGET // BLOCK * BLOCK
    for report in train_on_chain(chain, s.density, estimator, s.generator(700), budget, depth=3):
        net = report.net
        yield report.step / budget
    assert net is not None
    return _ancestral(s, chain, net)


def _ancestral(s: Setting, chain: Chain, net: Network) -> Sampler:
    """Steps q(x_s | x_t, x̂₀) with the x̂₀ that the net's mean implies; the last one ends at x̂₀."""

    def sample(n: int, steps: int, generator: torch.Generator) -> Tensor:
        x = s.source.sample(n, generator).points
        kept = torch.linspace(len(chain) - 1, -1, steps + 1).round().long().tolist()
        for k, after in pairwise(kept):
            of_xt, of_x0 = (float(w[k]) for w in chain.weights)
            x0 = (model_mean(chain, net, k, x) - of_xt * x) / of_x0
            if after < 0:
                return x0
            jump = Chain(chain.path, chain.times[[after + 1, k + 1]], chain.oracle)
            noise = torch.randn(x.shape, generator=generator)
            x = jump.mean(0, x, x0) + float(jump.posterior[0]) ** 0.5 * noise
        raise AssertionError("the last step ends at x̂₀")

    return sample


def _row(s: Setting, words: tuple[str, int, str, str, str], sampler: Sampler) -> Row:
    distances, errors, shown = [], [], []
    for steps in STEPS:
        values = []
        for repeat in range(REPEATS):
            generator = s.generator(100 + repeat)
            x = sampler(TESTED, steps, generator)
            values.append(energy_distance(x, s.density.sample(TESTED, generator).points))
            if repeat == 0:
                shown.append(series(f"{steps} steps", "learned", *cloud(x[:SHOWN]), mark="points"))
        mean, error, _ = repeated(torch.tensor(values))
        distances.append(mean)
        errors.append(error)
    return Row(*words, tuple(distances), tuple(errors), tuple(shown))


def _panel(rows: list[Row], floor: float) -> Panel:
    roles = tuple(f"class-{k}" for k in (9, 0, 4, 3, 2))
    curves = tuple(
        series(f"{r.name}, {r.year}", role, STEPS, r.distances, r.errors)
        for r, role in zip(rows, roles, strict=True)
    )
    ones = torch.full((len(STEPS),), floor)
    band = series("two fresh samples", "original", STEPS, ones, ones, "band")
    return Panel(
        "Error against steps",
        "Energy distance to fresh data: the same data, net, seed and budget.",
        "steps",
        "energy distance",
        (band, *curves),
        log_x=True,
        log_y=True,
    )
