"""What the page's controls do, without the page: experiment in, records and scenes out. No gradio here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from fmstudio.flow.densities import PointCloud
from fmstudio.flow.fields import Guided, VelocityField
from fmstudio.flow.likelihood import log_likelihood
from fmstudio.flow.metrics import energy_distance
from fmstudio.flow.oracle import EmpiricalOracle, Oracle
from fmstudio.flow.solvers import ADAPTIVE, SOLVERS, integrate, integrate_adaptive, path_times
from fmstudio.learn.build import coupling_of, density_of, oracle_of, path_of, source_of
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.simulate import (
    Distances,
    Motion,
    Pairs,
    distances,
    draw_pairs,
    follow,
    frame_times,
    fresh_draws,
    generator_of,
    original_paths,
    run_sampler,
)  # fmt: skip
from fmstudio.plots.probe_panel import Probe
from fmstudio.plots.room_scenes import paths_scene, sample_scene
from fmstudio.plots.scene import Scene
from fmstudio.ui.visitor import Visitor

PROBED_PATHS = 140
"""Original paths drawn through a probed point."""

CLOUD_STEPS = 16
"""Midpoint steps along a point cloud's exact flow in the Paths room; its caption gives the NFE."""

CLOUD_START = 0.02
"""Where the likelihood under a point cloud's exact flow is read off."""

NO_CLOSED_FORM = (
    "With the coupling '{coupling}' x₀ and x₁ are not independent, and the mean velocity has no closed form. "
    "Train a net to see the flow."
)


def has_closed_form(experiment: Experiment) -> bool:
    """Whether the oracle knows u: the coupling is independent."""
    return coupling_of(experiment).independent


def exact_field(experiment: Experiment) -> Oracle:
    """The oracle of the experiment.

    Raises:
        ValueError: the coupling leaves no closed form.
    """
    if not has_closed_form(experiment):
        raise ValueError(NO_CLOSED_FORM.format(coupling=experiment.coupling))
    return oracle_of(experiment)


def conditioned(oracle: Oracle, experiment: Experiment) -> VelocityField:
    """The oracle given the experiment's label and guided, u∅ + w (u_c − u∅); without a label the oracle."""
    if experiment.label < 0 or not experiment.conditional:
        return oracle
    return Guided(oracle, oracle.given(experiment.label), experiment.guidance)


def net_field(visitor: Visitor) -> VelocityField | None:
    """The visitor's net as a field, conditioned as the experiment says; None where no net fits."""
    checkpoint = visitor.checkpoint
    if checkpoint is None or checkpoint.experiment.dim != visitor.experiment.dim:
        return None
    return checkpoint.field(visitor.experiment)


VIEWS = ("Q and P", "one data point", "all three")
"""What the Paths room puts side by side."""

_SEEN = (
    "data", "data_noise", "data_points", "mixture", "word", "points", "source", "path", "power", "bend",
    "turn", "strength", "beta0", "beta1", "formula_a", "formula_b", "around", "coupling", "coupling_batch",
    "sinkhorn_reg", "particles", "frames", "seed",
)  # fmt: skip


@lru_cache(maxsize=64)
def _exact_paths(experiment: Experiment, view: str) -> Scene:
    """The Paths room without a net: a frozen scene, the same for everybody who asks."""
    return _paths(experiment, view, exact_field(experiment) if has_closed_form(experiment) else None, False)


def _paths(experiment: Experiment, view: str, field: VelocityField | None, learned: bool) -> Scene:
    times = frame_times(experiment)
    pairs = draw_pairs(experiment, experiment.particles)
    original = original_paths(experiment, pairs, times)
    given = None
    if view != VIEWS[0]:
        target = pairs.x0[:1].expand_as(pairs.x0)
        given = original_paths(experiment, Pairs(target, pairs.x1, None), times, stream=2)
    motion = measured = None
    if field is not None:
        motion = follow(field, original[0], _shown_steps(experiment, field), times)
        measured = _compare(experiment, motion.positions, times)
    shown = motion if view != VIEWS[1] or given is None else None
    return paths_scene(experiment, times, pairs, original, given, shown, measured, learned)


def _shown_steps(experiment: Experiment, field: VelocityField) -> Experiment:
    """How the Paths room follows u: a Heun step a frame; few midpoint steps where each costs much."""
    if isinstance(field, EmpiricalOracle):
        return experiment.but(solver="midpoint", sample_steps=CLOUD_STEPS)
    return experiment.but(solver="heun", sample_steps=experiment.frames - 1)


def paths_room(visitor: Visitor, view: str = VIEWS[0]) -> Scene:
    """Q at the left, then the paths to one data point, the mean velocity's flow, or both.

    Where the mean velocity has no closed form the flow is that of the visitor's net, if there is one.
    """
    if view not in VIEWS:
        raise ValueError(f"view: expected one of {', '.join(VIEWS)}; got {view!r}.")
    experiment = Experiment(**{name: getattr(visitor.experiment, name) for name in _SEEN})
    net = None if has_closed_form(experiment) else net_field(visitor)
    return _exact_paths(experiment, view) if net is None else _paths(experiment, view, net, True)


def _compare(experiment: Experiment, flow: Tensor, times: Tensor) -> Distances:
    return distances(flow, *fresh_draws(experiment, times))


@torch.no_grad()
def probe(visitor: Visitor, x: float, y: float, t: float) -> Probe:
    """Ask for everything that is known at a point of the plane (or of the line: y is then ignored).

    Raises:
        ValueError: a place or a time that is not finite or out of range, or a coupling without closed form.
    """
    experiment = visitor.experiment
    values = torch.tensor([x, y][: experiment.dim], dtype=torch.float32)
    if not (torch.isfinite(values).all() and values.abs().max() < 50 and 0 <= t <= 1):
        raise ValueError(
            f"Expected a point within 50 of the origin and t in [0, 1]; got ({x}, {y}), t = {t}."
        )
    oracle = exact_field(experiment)
    point, when = values[None], torch.tensor(float(min(max(t, 1e-3), 1 - 1e-3)))
    ends = oracle.draw(point, when, PROBED_PATHS, generator_of(experiment, 21))
    x0, x1 = ends.x0[0], ends.x1[0]
    z = None if ends.z is None else ends.z[0]
    path = path_of(experiment)
    times = torch.linspace(1, 0, 33)
    paths = torch.stack([path.position(x0, x1, s, z) for s in times], dim=1)
    smooth = path.velocity(x0, x1, when, z)
    moments = oracle.moments(point, when)
    net = net_field(visitor)
    answer = None if net is None else net(point, when)[0]
    return Probe(values, float(when), times, paths, smooth, moments.u[0], float(moments.var[0]), answer)


def sample_room(visitor: Visitor, use_net: bool) -> tuple[Scene, Motion, Distances]:
    """Q and the sampler's particles on one clock, with the distance between them.

    Raises:
        ValueError: a net is asked for and none fits; no closed form; noise where the score is not known.
    """
    experiment = visitor.experiment
    field = chosen_field(visitor, use_net)
    if use_net and visitor.pairs is not None and experiment.sde_noise > 0:
        raise ValueError(
            "After reflow x₀ and x₁ are no longer independent: the score does not follow from the velocity, "
            "and the SDE would be wrong. Set the noise to 0."
        )
    times = frame_times(experiment)
    pairs = draw_pairs(experiment, experiment.particles)
    original = original_paths(experiment, pairs, times)
    motion = run_sampler(experiment, field, original[0], times)
    measured = _compare(experiment, motion.positions, times)
    return sample_scene(experiment, times, pairs, original, motion, measured, use_net), motion, measured


def chosen_field(visitor: Visitor, use_net: bool) -> VelocityField:
    """The trained net's field or the exact one, conditioned and guided as the experiment says."""
    if not use_net:
        return conditioned(exact_field(visitor.experiment), visitor.experiment)
    field = net_field(visitor)
    if field is None:
        raise ValueError(
            "There is no trained net for this experiment yet: train one, or sample the exact field."
        )
    return field


@dataclass(frozen=True)
class ErrorCurve:
    """A solver's error for several step counts: NFE and root mean squared distance to a fine solution."""

    solver: str
    nfe: list[int]
    error: list[float]


@torch.no_grad()
def error_curves(visitor: Visitor, use_net: bool, count: int = 400) -> Iterator[ErrorCurve]:
    """Error against NFE for every solver, one curve at a time.

    The error is the distance of the end points to those of 400 RK4 steps from the same starts.
    """
    experiment = visitor.experiment
    field = chosen_field(visitor, use_net)
    pairs = draw_pairs(experiment, count, stream=31)
    start = original_paths(experiment, pairs, torch.tensor([1.0, 0.0]), stream=32)[0]
    fine = integrate(field, start, path_times(400), SOLVERS["rk4"], record=False).positions[-1]

    def distance(end: Tensor) -> float:
        return float((end - fine).pow(2).sum(-1).mean().sqrt())

    for name, tableau in SOLVERS.items():
        nfe, error = [], []
        if name in ADAPTIVE:
            for tolerance in (1e-1, 1e-2, 1e-3, 1e-4, 1e-5):
                solved = integrate_adaptive(
                    field, start, torch.tensor([1.0, 0.0]), rtol=tolerance, atol=tolerance
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
    """log p_t by the divergence along the flow on a grid (H, W), and the exact log q₀, or None if unknown.

    ``t`` is 0 but for the exact flow of a point cloud, which has no density there.
    """

    span: float
    t: float
    flow: Tensor
    exact: Tensor | None


def likelihood_map(visitor: Visitor, use_net: bool, size: int = 48, steps: int = 40) -> LikelihoodMap:
    """The density that the flow gives each point of the plane, beside the exact one where it is known."""
    experiment = visitor.experiment
    if experiment.dim != 2:
        raise ValueError("The likelihood map is drawn in the plane; this experiment is one-dimensional.")
    field = chosen_field(visitor, use_net)
    span = plane_span(experiment)
    axis = torch.linspace(-span, span, size)
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1).reshape(-1, 2)
    density = density_of(experiment)
    # The exact flow of a point cloud ends in the points themselves; just before, it still has a density.
    start = CLOUD_START if isinstance(density, PointCloud) and not use_net else 0.0
    flow = log_likelihood(field, grid, steps, SOLVERS["midpoint"], source_of(experiment), start=start)
    known = getattr(density, "log_density", None)
    exact = known(grid).reshape(size, size) if known is not None else None
    return LikelihoodMap(span, start, flow.reshape(size, size), exact)


def plane_span(experiment: Experiment) -> float:
    """Half the width of the window that holds data and source."""
    generator = generator_of(experiment, 41)
    points = torch.cat(
        [d.sample(2_000, generator).points for d in (density_of(experiment), source_of(experiment))]
    )
    return float(points.abs().quantile(0.995)) * 1.08


@torch.no_grad()
def field_error(visitor: Visitor, t: float, size: int = 48) -> tuple[Tensor, float, float]:
    """|u_θ − u| on a grid at time t, the grid's half width, and E|u_θ − u|² under q_t.

    Raises:
        ValueError: no net, or no closed form to compare it with.
    """
    experiment = visitor.experiment
    oracle, net = exact_field(experiment), net_field(visitor)
    if net is None:
        raise ValueError("There is no trained net for this experiment yet: start a training first.")
    if experiment.dim != 2:
        raise ValueError("The error map is drawn in the plane; this experiment is one-dimensional.")
    span = plane_span(experiment)
    axis = torch.linspace(-span, span, size)
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1).reshape(-1, 2)
    when = torch.tensor(min(max(t, 0.01), 0.99))
    error = (net(grid, when) - oracle(grid, when)).norm(dim=-1).reshape(size, size)
    at = original_paths(experiment, draw_pairs(experiment, 2_000, stream=51), when[None], stream=52)[0]
    mean = float((net(at, when) - oracle(at, when)).pow(2).sum(-1).mean())
    return error, span, mean


def sample_quality(experiment: Experiment, samples: Tensor) -> float:
    """Energy distance of samples to fresh data points."""
    fresh = density_of(experiment).sample(len(samples), generator_of(experiment, 61)).points
    return float(energy_distance(samples, fresh))
