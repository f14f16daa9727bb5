"""The Paths room: original paths beside the flow, the probe; and which field the visitor's choices mean."""

from __future__ import annotations

import hashlib
from functools import lru_cache

import torch
from torch import Tensor

from fmstudio.flow.densities.mixture import GaussianMixture
from fmstudio.flow.oracle.oracle_for import EmpiricalOracle
from fmstudio.flow.solve.fields import VelocityField
from fmstudio.learn.build import density_of, path_of
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.fields import fields_of
from fmstudio.learn.nets.net_card import Chosen, NetCard, choose, exact_field, has_closed_form
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
)  # fmt: skip
from fmstudio.learn.training.checkpoints import Checkpoint
from fmstudio.plots.probe_panel import Probe
from fmstudio.plots.scene.rooms import CLOUD_STEPS, distance_curves, paths_scene
from fmstudio.plots.scene.scene import Curves, Scene
from fmstudio.studio.session import Visitor

PROBED_PATHS = 140
"""Original paths drawn through a probed point."""

ENTER = 400
"""Particles of each cloud that enter the measured distance."""

NO_NET = "There is no trained net for this experiment yet: train one, or sample the exact field."

SHARED = 500_000
"""Positions of a pane up to which a scene is kept for others: 64 of these take less than a gigabyte."""


def fitting_net(visitor: Visitor) -> Checkpoint | None:
    """The visitor's net where its flow is the experiment's, else None."""
    return fitting(visitor.experiment, visitor.checkpoint)


def fitting(experiment: Experiment, net: Checkpoint | None) -> Checkpoint | None:
    """The net where its flow is the experiment's, else None."""
    return None if net is None or not NetCard.of(net).fits(experiment) else net


def net_field(visitor: Visitor) -> VelocityField | None:
    """The visitor's net as the field of *all* data, whatever class the sampler asks for; None: none fits."""
    checkpoint = fitting_net(visitor)
    return None if checkpoint is None else checkpoint.net


def samples_the_net(visitor: Visitor) -> bool:
    """Whether the Sample room follows the net: there is one, and the visitor did not ask for the exact u."""
    wanted = visitor.rooms.use_net is not False or not has_closed_form(visitor.experiment)
    return wanted and fitting_net(visitor) is not None


def followed(visitor: Visitor, use_net: bool) -> Chosen:
    """The field that the Sample room follows; a class that the net does not know is left out, and said.

    Raises:
        ValueError: no net of this experiment, or no closed form.
    """
    checkpoint = fitting_net(visitor) if use_net else None
    if use_net and checkpoint is None:
        raise ValueError(NO_NET)
    return choose(visitor.experiment, checkpoint, lenient=True)


VIEWS = ("Q and P", "one data point", "all three")
"""What the Paths room puts side by side."""

_SEEN = (*fields_of("data", "source", "path", "coupling", "view"), "conditional")


@lru_cache(maxsize=64)
def exact_paths(experiment: Experiment, view: str) -> Scene:
    """The Paths room without a net: a frozen scene, the same for everybody who asks."""
    if not has_closed_form(experiment):
        return _paths(experiment, view, None)
    if _of_mixtures(experiment):
        return _paths(experiment, view, None, awaits=_name(experiment))
    return _paths(experiment, view, exact_field(experiment))


def _paths(
    experiment: Experiment,
    view: str,
    field: VelocityField | None,
    net: NetCard | None = None,
    awaits: str = "",
) -> Scene:
    """The room with the flow of a field made here, or, with a distance to come, left to the browser."""
    times, pairs = frame_times(experiment), draw_pairs(experiment, experiment.particles)
    motion = measured = None
    if field is not None:
        motion = _flow(experiment, field, pairs, times)
        measured = _compare(experiment, motion.positions, times)
    return paths_scene(
        experiment, times, pairs, motion, measured, net,
        one=view != VIEWS[0], flow=view != VIEWS[1], awaits=awaits,
    )  # fmt: skip


def _of_mixtures(experiment: Experiment) -> bool:
    """Whether the browser follows the mean velocity: that of a smooth path between mixtures."""
    path = path_of(experiment)
    return path.smooth and path.written is not None and isinstance(density_of(experiment), GaussianMixture)


def _name(experiment: Experiment) -> str:
    """A name under which what is measured of an experiment comes after its scene."""
    return hashlib.sha256(repr(experiment).encode()).hexdigest()[:16]


def later_curves(visitor: Visitor, name: str) -> Curves | None:
    """The distance between the clouds of the Paths room; None where the visitor has gone on."""
    experiment = visitor.experiment.only(_SEEN)
    if name != _name(experiment):
        return None
    return distance_curves(flow_distances(experiment), "exact")


@lru_cache(maxsize=256)
def flow_distances(experiment: Experiment) -> Distances:
    """Distance between Q and the exact flow of mixtures, of as many of the shown particles as enter it."""
    times, pairs = frame_times(experiment), draw_pairs(experiment, experiment.particles)
    few = Pairs(pairs.x0[:ENTER], pairs.x1[:ENTER], None)
    motion = _flow(experiment, exact_field(experiment), few, times)
    return _compare(experiment, motion.positions, times)


def _flow(experiment: Experiment, field: VelocityField, pairs: Pairs, times: Tensor) -> Motion:
    # A chain draws its way from noise: where it starts depends on how many steps it takes.
    start = original_paths(experiment, pairs, times)[0]
    return follow(field, start, _shown_steps(experiment, field), times)


def _shown_steps(experiment: Experiment, field: VelocityField) -> Experiment:
    """How the Paths room follows u: a Heun step a frame; few midpoint steps where each costs much."""
    if isinstance(field, EmpiricalOracle):
        return experiment.but(solver="midpoint", sample_steps=CLOUD_STEPS)
    return experiment.but(solver="heun", sample_steps=experiment.frames - 1)


def paths_room(visitor: Visitor, view: str = VIEWS[0]) -> Scene:
    """Q at the left, then the paths to one data point, the mean velocity's flow, or both; of all data.

    Where the mean velocity has no closed form the flow is that of the visitor's net, if there is one.
    """
    if view not in VIEWS:
        raise ValueError(f"view: expected one of {', '.join(VIEWS)}; got {view!r}.")
    experiment = visitor.experiment.only(_SEEN)
    net = None if has_closed_form(experiment) else fitting_net(visitor)
    if net is not None:
        return _paths(experiment, view, net.net, NetCard.of(net))
    large = experiment.particles * experiment.frames > SHARED
    return (exact_paths.__wrapped__ if large else exact_paths)(experiment, view)


def paths_seen(visitor: Visitor) -> str:
    """Which text of the Paths room is true of what it shows: one for each view, coupling, and net or none."""
    if has_closed_form(visitor.experiment):
        return visitor.rooms.view
    no_net = "" if fitting_net(visitor) or visitor.rooms.view == VIEWS[1] else ", no net"
    return f"{visitor.rooms.view}, paired{no_net}"


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
    net = fitting_net(visitor)
    # A straightened net has paths of its own: its answer and the mean of these are no two of a kind.
    answer = None if net is None or net.of_pairs else net.net(point, when)[0]
    return Probe(values, float(when), times, paths, smooth, moments.u[0], float(moments.var[0]), answer)
