"""How good samples are: their distances to data and what chance would say, and what is to blame for them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from fmstudio.flow.metrics import Floor, energy_distance, noise_floor, sliced_w2
from fmstudio.flow.solve.fields import Counted
from fmstudio.learn.build import oracle_of, path_of, source_of
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.fields import fields_of
from fmstudio.learn.nets.net_card import Chosen, has_closed_form
from fmstudio.learn.simulate import (
    Motion,
    asked_density,
    asks_for_a_class,
    draw_pairs,
    generator_of,
    original_paths,
    run_sampler,
)
from fmstudio.studio.running import GoOn, regardless

MOST_MEASURED = 10_000
"""Samples that are measured against data, at most."""

COMPARED = 1_000
"""Samples that two solvers are compared on, at most."""

LINES = 64
"""Lines that sliced W₂ is measured along."""


@dataclass(frozen=True)
class Quality:
    """How far samples are from fresh data, and what chance alone would say.

    Args:
        count: samples, and fresh points, that it was measured on.
        energy: energy distance, with the standard deviation ``energy_chance`` of two fresh samples about 0.
        sliced: sliced W₂, which a few particles far out move most; ``sliced_chance`` of two fresh samples.
        farthest: largest |x| of the samples; ``data_farthest`` of the fresh points.
    """

    count: int
    energy: float
    energy_chance: float
    sliced: float
    sliced_chance: Floor
    farthest: float
    data_farthest: float


def quality_of(experiment: Experiment, samples: Tensor) -> Quality:
    """Distances of samples to fresh data points, of the class that was asked for if one was.

    At most ``MOST_MEASURED`` samples enter: the work grows with their square.
    """
    samples = samples[:MOST_MEASURED]
    count = len(samples)
    fresh = asked_density(experiment).sample(count, generator_of(experiment, 61)).points
    of_data = experiment.only(("conditional", "label", *fields_of("data")))
    energy_chance, sliced_chance = _chance(of_data, count)
    return Quality(
        count,
        energy_distance(samples, fresh),
        energy_chance,
        _sliced(samples, fresh),
        sliced_chance,
        float(samples.norm(dim=1).max()),
        float(fresh.norm(dim=1).max()),
    )


def _sliced(x: Tensor, y: Tensor) -> float:
    return sliced_w2(x, y, torch.Generator().manual_seed(0), LINES if x.shape[1] > 1 else 1)


@lru_cache(maxsize=64)
def _chance(experiment: Experiment, count: int) -> tuple[float, Floor]:
    """What two fresh samples of the data differ by: the spread of the energy distance, and sliced W₂."""
    density, generator = asked_density(experiment), generator_of(experiment, 62)
    # Under equal laws the energy distance of n points is a fixed law over n; sliced W₂ has no such rule.
    few = min(count, 1_000)
    spread = noise_floor(energy_distance, density, few, generator, 8).std * few / count
    return spread, noise_floor(_sliced, density, count, generator, 8)


@dataclass(frozen=True)
class Better:
    """What Heun's steps in the place of Euler's do to the energy distance, from the same noise.

    Args:
        count: particles that it was measured on.
        gain: by how much it falls.
    """

    count: int
    gain: float


def heun_instead(chosen: Chosen, motion: Motion, go_on: GoOn = regardless) -> Better | None:
    """What as many steps of Heun would do, at twice the work, to particles that Euler's steps have moved.

    From the same noise and against the same data most of what chance does cancels: the spread of the gain is
    some tenth of that of the distance itself.

    Returns:
        None where it was not measured (the exact u, another solver, an SDE), or where the gain is below half
        of what two fresh samples differ by.

    Raises:
        Stopped: the visitor no longer waits.
    """
    e = chosen.experiment
    if chosen.card is None or e.solver != "euler" or e.sde_noise > 0:
        return None
    start, end = motion.positions[0, :COMPARED], motion.positions[-1, :COMPARED]
    watched = Counted(chosen.field, lambda done: go_on(done, 0))
    moved = run_sampler(e.but(solver="heun"), watched, start, motion.times[[0, -1]]).positions[-1]
    euler, heun = quality_of(e, end), quality_of(e, moved)
    gain = euler.energy - heun.energy
    return Better(len(start), gain) if gain > euler.energy_chance / 2 else None


def start_gap(experiment: Experiment, x1: Tensor) -> Tensor | None:
    """log p₁ − log q₁ at points x₁, shape (n,), in nats: P starts from the source, Q passes t = 1 with a₁ x₀.

    The exact flow keeps this number along each trajectory: it is log p₀ − log q₀ at the other end.

    Args:
        experiment: of the class that is asked for, if one is.
        x1: shape (n, d).

    Returns:
        None where a₁ = 0, and the two laws are equal, or where x₀ and x₁ are paired and q₁ has no formula.
    """
    if not _starts_wrong(experiment):
        return None
    one = torch.tensor(1.0)
    oracle = oracle_of(experiment)
    oracle = oracle.given(experiment.label) if asks_for_a_class(experiment) else oracle
    return source_of(experiment).log_density(x1) - oracle.log_density(x1, one)


def _starts_wrong(experiment: Experiment) -> bool:
    a1 = path_of(experiment).at(torch.tensor(1.0, dtype=torch.float64)).a.abs()
    return float(a1) > 1e-6 and has_closed_form(experiment)


def wrong_start(experiment: Experiment) -> float | None:
    """Mean |log p₁ − log q₁| over 4,000 points of Q at t = 1, as :func:`start_gap`; None as there."""
    if not _starts_wrong(experiment):
        return None
    return _wrong_start(experiment.only(("conditional", "label", *fields_of("data", "source", "path"))))


@lru_cache(maxsize=64)
def _wrong_start(experiment: Experiment) -> float | None:
    pairs = draw_pairs(experiment, 4_000, 63, asked=True)
    gap = start_gap(experiment, original_paths(experiment, pairs, torch.ones(1), 64)[0])
    return None if gap is None else float(gap.abs().mean())
