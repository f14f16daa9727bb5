"""The scenes of the rooms: what Paths and Sample put into the player's panes."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from fmstudio.flow.densities.cloud import PointCloud
from fmstudio.flow.densities.mixture import GaussianMixture
from fmstudio.flow.solve.tableaux import SOLVERS
from fmstudio.learn.build import density_of, oracle_of, path_of, source_of
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.nets.net_card import Chosen, NetCard
from fmstudio.learn.simulate import Distances, Motion, Pairs, asked_density, generator_of, original_paths
from fmstudio.plots.scene.live import Exact, Live
from fmstudio.plots.scene.live_net import LiveNet
from fmstudio.plots.scene.scene import Arrows, Curve, Curves, Pane, Role, Scene, frame_bounds

LINES = 120
"""Original trajectories drawn in grey."""

CLOUD_STEPS = 16
"""Midpoint steps along a point cloud's exact flow in the Paths room; its caption gives the NFE."""

ARROWS = 15
"""Velocity arrows along each side of the plane."""


def paths_scene(
    experiment: Experiment, times: Tensor, pairs: Pairs, motion: Motion | None, measured: Distances | None,
    net: NetCard | None, *, one: bool, flow: bool, awaits: str,
) -> Scene:  # fmt: skip
    """Q at the left; then the paths to one data point and the flow of the mean velocity, where asked for.

    Args:
        experiment: what is shown.
        times: of the frames, shape (T,).
        pairs: end points of Q's paths.
        motion: particles on the flow P; None where it is not known, or the browser's.
        measured: distance between the two clouds, or None.
        net: whose flow P is; None for the exact u.
        one, flow: whether the paths to one data point are shown, and the flow.
        awaits: where the browser makes the flow, under which name the distance comes later; else empty.
    """
    known = awaits or (flow and motion is not None and net is None)
    live = live_of(experiment, pairs, _exact(experiment) if known else None)
    original = original_paths(experiment, pairs, times[[0, len(times) // 2, -1]] if live else times)
    bounds = _bounds(experiment, original, motion)
    panes = [_original_pane(experiment, None if live else original)]
    if one:
        panes.append(_one_pane(experiment, times, pairs, live))
    title = "The flow P"
    if flow and live and awaits:
        follows = f"follows the mean velocity u, NFE {2 * live.steps}"
        panes.append(Pane(title, follows, None, arrows=_computed_arrows(experiment, bounds), shows="flow"))
    elif flow and motion is not None:
        arrows = None if net or experiment.dim == 1 else _arrows(experiment, times, bounds)
        follows = f"follows {f'a {net.name}' if net else 'the mean velocity u'}, NFE {motion.nfe}"
        shows = "flow" if live and live.law else None
        panes.append(Pane(title, follows, _array(motion.positions), arrows=arrows, shows=shows))
    return _scene(experiment, times, pairs, panes, bounds, measured, net is not None, live, awaits)


def live_of(experiment: Experiment, pairs: Pairs, law: Exact | LiveNet | None) -> Live | None:
    """What the browser computes of an experiment with these end points; None of paths without a velocity.

    Args:
        experiment: what is shown.
        pairs: end points of Q's paths.
        law: what P follows, where the browser can follow it.
    """
    path = path_of(experiment)
    if not path.smooth or path.written is None:
        return None
    z, cloud = path.latent(pairs.x0, generator_of(experiment, 1)), isinstance(law, Exact) and law.of_points
    solver, steps = ("midpoint", CLOUD_STEPS) if cloud else ("heun", experiment.frames - 1)
    return Live(path, pairs.x0, pairs.x1, z, law, solver, steps)


def _exact(experiment: Experiment) -> Exact | None:
    """The mean velocity of all data where the browser knows it: of a mixture or of points."""
    data = density_of(experiment)
    return Exact(data, source_of(experiment)) if isinstance(data, GaussianMixture | PointCloud) else None


def _one_pane(experiment: Experiment, times: Tensor, pairs: Pairs, live: Live | None) -> Pane:
    """Paths that all end in the first data point."""
    paired = "q_t averages such clouds" if experiment.coupling == "independent" else "as if paired at random"
    title = "Paths to one x₀"
    if live:
        return Pane(title, paired, None, shows="one", traced=LINES)
    target = pairs.x0[:1].expand_as(pairs.x0)
    given = original_paths(experiment, Pairs(target, pairs.x1, None), times, stream=2)
    return Pane(title, paired, _array(given), lines=_lines(given))


def sample_scene(
    chosen: Chosen, times: Tensor, pairs: Pairs, original: Tensor, motion: Motion, measured: Distances,
    whose: str,
) -> Scene:  # fmt: skip
    """Q at the left; at the right the particles of the chosen field and solver.

    Args:
        chosen: the field, and the experiment that it is of.
        times, pairs, original, motion, measured: as :func:`paths_scene`, of the class that is followed.
        whose: what that class is called; an empty text for all data.
    """
    experiment, net = chosen.experiment, chosen.card
    live, bounds = _sampled_live(chosen, pairs), _bounds(experiment, original, motion)
    # Short beside a class, so that the caption keeps its room.
    title = f"P of {whose}" if whose else "Sampled P"
    push = f"guidance {chosen.guidance:g}, " if chosen.guidance != 1 else ""
    field = push + (f"{net.name}, step {net.step:,}" if net else "exact u")
    by = f"SDE η = {experiment.sde_noise:g}" if experiment.sde_noise else experiment.solver
    if live and isinstance(live.law, Exact) and not live.law.of_points:
        sampled = Pane(title, field, None, arrows=_computed_arrows(experiment, bounds), shows="flow")
    else:
        shows = "flow" if live and live.law else None
        sampled = Pane(title, f"{field}, {by}, NFE {motion.nfe}", _array(motion.positions), shows=shows)
    panes = [_original_pane(experiment, None if live else original, whose), sampled]
    return _scene(experiment, times, pairs, panes, bounds, measured, net is not None, live)


def _sampled_live(chosen: Chosen, pairs: Pairs) -> Live | None:
    """What the browser samples, or follows while the sampler is dragged: without noise, by equal steps."""
    e, checkpoint = chosen.experiment, chosen.checkpoint
    if e.sde_noise or SOLVERS[e.solver].adaptive:
        return None
    if checkpoint is None:
        law = _exact(e)
        if law is not None and chosen.label is not None:
            law = replace(law, told=asked_density(e), guidance=chosen.guidance)
    else:
        law = LiveNet(checkpoint, chosen.label, chosen.guidance)
    live = live_of(e, pairs, law)
    return live and replace(live, solver=e.solver, steps=e.sample_steps, judged=checkpoint is None)


def _original_pane(experiment: Experiment, original: Tensor | None, whose: str = "") -> Pane:
    """Particles on their own paths; None leaves them to the browser."""
    keeps = "each particle keeps its partner" if path_of(experiment).smooth else "a Markov chain: no velocity"
    title = f"Q of {whose}" if whose else "Original paths Q"
    if original is None:
        return Pane(title, keeps, None, shows="paths", traced=LINES)
    return Pane(title, keeps, _array(original), lines=_lines(original))


def _scene(
    experiment: Experiment, times: Tensor, pairs: Pairs, panes: list[Pane],
    bounds: tuple[float, float, float, float], measured: Distances | None, learned: bool,
    live: Live | None = None, awaits: str = "",
) -> Scene:  # fmt: skip
    c = path_of(experiment).at(times)
    return Scene(
        times=_array(times), panes=tuple(panes), a=_array(c.a.real), b=_array(c.b.real), bounds=bounds,
        labels=None if pairs.labels is None else _array(pairs.labels),
        curves=None if measured is None else distance_curves(measured, "learned" if learned else "exact"),
        dim=_dim(experiment), live=live, awaits=awaits,
    )  # fmt: skip


def _array(values: Tensor) -> np.ndarray:
    return values.detach().cpu().numpy()


def _dim(experiment: Experiment) -> Literal[1, 2]:
    return 1 if experiment.dim == 1 else 2


def _bounds(
    experiment: Experiment, original: Tensor, motion: Motion | None
) -> tuple[float, float, float, float]:
    """A square about the origin that holds both clouds at both ends."""
    ends = [original[0], original[-1], original[len(original) // 2]]
    if motion is not None:
        # Guided particles leave the clouds of Q, and some of them come back.
        ends += [motion.positions[-1], motion.positions[len(motion.positions) // 2]]
    points = torch.cat(ends).cpu().numpy()
    if experiment.dim == 1:
        points = np.column_stack([points[:, 0], points[:, 0]])
    left, right, bottom, top = frame_bounds(points, margin=0.04)
    half = max(-left, right, -bottom, top)
    return (-half, half, -half, half)


def _lines(original: Tensor) -> np.ndarray | None:
    if original.shape[-1] != 2:
        return None
    return _array(original[:, :LINES].transpose(0, 1))


def _arrows(experiment: Experiment, times: Tensor, bounds: tuple[float, float, float, float]) -> Arrows:
    points, oracle = _grid(bounds), oracle_of(experiment)
    with torch.no_grad():
        # u changes slowly beside the frames: every fourth is asked, the others lie between.
        asked = torch.linspace(0, len(times) - 1, len(times) // 4 + 2)
        some = torch.stack([oracle(points, t) for t in times[asked.round().long()].clamp(0.01, 0.99)])
        place = torch.linspace(0, len(some) - 1, len(times))
        low = place.floor().long().clamp(max=len(some) - 2)
        vectors = torch.lerp(some[low], some[low + 1], (place - low)[:, None, None])
    return Arrows(_array(points), _array(vectors), "exact")


def _computed_arrows(experiment: Experiment, bounds: tuple[float, float, float, float]) -> Arrows | None:
    return None if experiment.dim == 1 else Arrows(_array(_grid(bounds)), None)


def _grid(bounds: tuple[float, float, float, float]) -> Tensor:
    axis = torch.linspace(bounds[0], bounds[1], ARROWS + 2)[1:-1]
    return torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1).reshape(-1, 2)


def distance_curves(measured: Distances, role: Role) -> Curves:
    """The distance between the two clouds as the strip shows it."""
    return Curves(
        label="distance between p_t and q_t",
        caption=f"energy distance, {measured.count:,} particles each; two fresh samples of q_t stay in the "
        "band from end to end, 98 times in 100",
        series=(Curve("P to Q", _array(measured.values), role),),
        band=_array(measured.band),
        band_name="two fresh samples",
    )


def in_plane(points: Tensor) -> Tensor:
    """Points with two coordinates: those of a line get a second one that is 0, shape (…, 1) → (…, 2)."""
    return points if points.shape[-1] == 2 else torch.cat([points, torch.zeros_like(points)], dim=-1)
