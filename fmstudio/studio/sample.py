"""The Sample room: samples, error against work, likelihood, the net's error."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from fmstudio.flow.densities.cloud import PointCloud
from fmstudio.flow.solve.adaptive import integrate_adaptive
from fmstudio.flow.solve.fields import Counted, VelocityField
from fmstudio.flow.solve.likelihood import log_likelihood
from fmstudio.flow.solve.solvers import integrate, path_times
from fmstudio.flow.solve.tableaux import SOLVERS
from fmstudio.learn.build import class_names, density_of, source_of
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.fields import fields_of
from fmstudio.learn.nets.net_card import Chosen, exact_field, has_closed_form
from fmstudio.learn.simulate import (
    Distances,
    Motion,
    asked_density,
    distances,
    draw_pairs,
    frame_times,
    fresh_draws,
    generator_of,
    original_paths,
    run_sampler,
)
from fmstudio.learn.training.checkpoints import Checkpoint
from fmstudio.plots.scene.rooms import sample_scene
from fmstudio.plots.scene.scene import Scene
from fmstudio.studio.paths import fitting
from fmstudio.studio.quality import start_gap, wrong_start
from fmstudio.studio.running import GoOn, regardless

CLOUD_START = 0.02
"""Where the likelihood under a point cloud's exact flow is read off."""

LEAST = -8.0
"""Two densities are compared where the logarithm of the exact one is above this."""

SAMPLING = "sampling"
"""What a Stop button calls it."""


@dataclass(frozen=True)
class Sampled:
    """What the Sample room shows: the scene, the sampler's particles, their distance to Q, and the field."""

    scene: Scene
    motion: Motion
    measured: Distances
    chosen: Chosen


def sample_room(chosen: Chosen, go_on: GoOn = regardless) -> Sampled:
    """Q and the sampler's particles on one clock, with the distance between them: of one class or of all.

    Raises:
        Stopped: the visitor no longer waits.
        ValueError: noise where the score is not known.
    """
    experiment = chosen.experiment
    times = frame_times(experiment)
    pairs = draw_pairs(experiment, experiment.particles, asked=True)
    original = original_paths(experiment, pairs, times)
    watched = _watched(chosen.field, go_on, _calls(experiment))
    motion = run_sampler(experiment, watched, original[0], times, origin=chosen.field)
    go_on(0, 0)
    measured = distances(motion.positions, *fresh_draws(experiment, times, asked=True))
    go_on(0, 0)
    scene = sample_scene(chosen, times, pairs, original, motion, measured, class_name(chosen))
    return Sampled(scene, motion, measured, chosen)


def class_name(chosen: Chosen) -> str:
    """What the class is called that a field is of; an empty text for all data."""
    return "" if chosen.label is None else class_names(chosen.experiment, chosen.label + 1)[-1]


def _watched(field: VelocityField, go_on: GoOn, calls: int = 0) -> Counted:
    """A field that asks before each of so many calls whether anybody still waits."""
    return Counted(field, lambda done: go_on(done, calls))


def _calls(experiment: Experiment) -> int:
    """How often the sampler will ask the field; 0 where the solver decides on the way."""
    if experiment.sde_noise > 0:
        return experiment.sample_steps
    if SOLVERS[experiment.solver].adaptive:
        return 0
    return experiment.sample_steps * SOLVERS[experiment.solver].evaluations


@dataclass(frozen=True)
class ErrorCurve:
    """A solver's error for several step counts: NFE and root mean squared distance to a fine solution."""

    solver: str
    nfe: list[int]
    error: list[float]


@torch.no_grad()
def error_curves(chosen: Chosen, count: int = 400, go_on: GoOn = regardless) -> Generator[ErrorCurve]:
    """Error against NFE for every solver, one curve at a time.

    The error is the distance of the end points to those of 400 RK4 steps from the same starts.
    """
    experiment = chosen.experiment
    field = _watched(chosen.field, go_on)
    pairs = draw_pairs(experiment, count, stream=31)
    start = original_paths(experiment, pairs, torch.tensor([1.0, 0.0]), stream=32)[0]
    fine = integrate(field, start, path_times(400), SOLVERS["rk4"], record=False).positions[-1]

    def distance(end: Tensor) -> float:
        return float((end - fine).pow(2).sum(-1).mean().sqrt())

    for name, tableau in SOLVERS.items():
        nfe, error = [], []
        if tableau.adaptive:
            for tolerance in (1e-1, 1e-2, 1e-3, 1e-4, 1e-5):
                solved = integrate_adaptive(
                    field, start, torch.tensor([1.0, 0.0]), tolerance, tolerance, tableau=tableau
                )
                nfe.append(solved.nfe)
                error.append(distance(solved.positions[-1]))
        else:
            for steps in (1, 2, 4, 8, 16, 32, 64):
                solved = integrate(field, start, path_times(steps), tableau, record=False)
                nfe.append(solved.nfe)
                error.append(distance(solved.positions[-1]))
        yield ErrorCurve(name, nfe, error)


@dataclass(frozen=True)
class LikelihoodMap:
    """log p_t by the divergence along the flow, and the exact log q₀, or None if unknown.

    On a grid (H, W) of the plane, or at H points of the line. ``t`` is 0 but for the exact flow of a point
    cloud, which has no density there. Both are of the class that ``chosen`` is the field of, or of all data.
    ``wrong_start`` is the mean |log p₁ − log q₁| where a₁ is not 0, else None: at the other ends of the
    points with q₀ > e⁻⁸ where q₀ is known, else of Q's particles.
    """

    span: float
    t: float
    flow: Tensor
    exact: Tensor | None
    chosen: Chosen
    wrong_start: float | None = None

    @property
    def gap(self) -> float | None:
        """Mean |log p₀ − log q₀| where q₀ > e⁻⁸; None where q₀ is not known."""
        if self.exact is None:
            return None
        return float((self.flow - self.exact)[self.exact > LEAST].abs().mean())


def likelihood_map(
    chosen: Chosen, size: int = 48, steps: int = 40, go_on: GoOn = regardless
) -> LikelihoodMap:
    """The density that the flow gives each point of the plane or line, beside the exact one where known.

    Raises:
        Stopped: the visitor no longer waits.
    """
    experiment = chosen.experiment
    field = _watched(chosen.field, go_on, steps * SOLVERS["midpoint"].evaluations)
    span = plane_span(experiment)
    grid, shape = _grid(experiment, span, size)
    density = asked_density(experiment)
    # The exact flow of a point cloud ends in the points themselves; just before, it still has a density.
    start = CLOUD_START if isinstance(density, PointCloud) and chosen.card is None else 0.0
    flow = log_likelihood(field, grid, steps, SOLVERS["midpoint"], source_of(experiment), start=start)
    known = getattr(density, "log_density", None)
    exact = known(grid).reshape(shape) if known is not None else None
    wrong = wrong_start(experiment)
    if wrong is not None and exact is not None:
        free = _watched(chosen.field, go_on)
        end = integrate(free, grid, path_times(steps, start, 1.0), SOLVERS["midpoint"], record=False).end
        gap = start_gap(experiment, end)
        wrong = None if gap is None else float(gap.reshape(shape)[exact > LEAST].abs().mean())
    return LikelihoodMap(span, start, flow.reshape(shape), exact, chosen, wrong)


def _grid(experiment: Experiment, span: float, size: int) -> tuple[Tensor, tuple[int, ...]]:
    """Points that cover the plane or the line from −span to span, and the shape they are laid out in."""
    if experiment.dim == 1:
        return torch.linspace(-span, span, 5 * size)[:, None], (5 * size,)
    axis = torch.linspace(-span, span, size)
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1).reshape(-1, 2)
    return grid, (size, size)


def plane_span(experiment: Experiment) -> float:
    """Half the width of the window that holds data and source."""
    generator = generator_of(experiment, 41)
    points = torch.cat(
        [d.sample(2_000, generator).points for d in (density_of(experiment), source_of(experiment))]
    )
    return float(points.abs().quantile(0.995)) * 1.08


@torch.no_grad()
def field_error(
    experiment: Experiment, net: Checkpoint | None, t: float, size: int = 48
) -> tuple[Tensor, float, float]:
    """|u_θ − u| on a grid at time t, the grid's half width, and E|u_θ − u|² under q_t.

    Both fields are of all data. On the line the grid is one row of points.

    Raises:
        ValueError: no net, or nothing exact to compare it with: a coupling without closed form, or a net that
            was straightened and follows other paths than the experiment's.
    """
    net = fitting(experiment, net)
    if net is None:
        raise ValueError("There is no trained net for this experiment yet: start a training first.")
    if not has_closed_form(experiment):
        raise ValueError(
            "With this coupling the mean velocity has no closed form: there is nothing exact to compare "
            "the net with."
        )
    if net.of_pairs:
        raise ValueError(
            "A straightened net follows paths of its own, whose mean velocity has no closed form: there is "
            "nothing exact to compare it with."
        )
    of_the_field = experiment.only(fields_of("data", "source", "path"))
    asked = _exact_at(of_the_field, min(max(t, 0.01), 0.99), size)
    error = (net.net(asked.grid, asked.when) - asked.on_grid).norm(dim=-1).reshape(asked.shape)
    mean = float((net.net(asked.at, asked.when) - asked.under).pow(2).sum(-1).mean())
    return error, asked.span, mean


@dataclass(frozen=True, eq=False)
class _Exact:
    """u on a grid of the plane and at points of q_t: what a net is compared with, again and again."""

    when: Tensor
    span: float
    shape: tuple[int, ...]
    grid: Tensor
    on_grid: Tensor
    at: Tensor
    under: Tensor


@lru_cache(maxsize=8)
def _exact_at(experiment: Experiment, t: float, size: int) -> _Exact:
    oracle, when = exact_field(experiment), torch.tensor(t)
    span = plane_span(experiment)
    grid, shape = _grid(experiment, span, size)
    at = original_paths(experiment, draw_pairs(experiment, 2_000, stream=51), when[None], stream=52)[0]
    return _Exact(when, span, shape, grid, oracle(grid, when), at, oracle(at, when))
