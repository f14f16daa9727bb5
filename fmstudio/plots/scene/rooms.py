"""The scenes of the rooms: what Paths and Sample put into the player's panes."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from fmstudio.flow.densities.mixture import GaussianMixture
from fmstudio.flow.solve.tableaux import SOLVERS
from fmstudio.learn.build import density_of, oracle_of, path_of, source_of
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.nets.net_card import Chosen, NetCard
from fmstudio.learn.simulate import Distances, Motion, Pairs
from fmstudio.plots.scene.live import Live
from fmstudio.plots.scene.scene import Arrows, Curve, Curves, Pane, Role, Scene, frame_bounds

LINES = 120
"""Original trajectories drawn in grey."""

ARROWS = 15
"""Velocity arrows along each side of the plane."""


def paths_scene(
    experiment: Experiment, times: Tensor, pairs: Pairs, original: Tensor, given: Tensor | None,
    motion: Motion | None, measured: Distances | None, net: NetCard | None,
) -> Scene:  # fmt: skip
    """Q at the left; then the paths to one data point and the flow of the mean velocity, where asked for.

    Args:
        experiment: what is shown.
        times: of the frames, shape (T,).
        pairs: end points of Q's paths.
        original: their positions, shape (T, n, d).
        given: positions on paths that all end in one data point, same shape, or None.
        motion: particles on the flow P, or None where it is not shown or not known.
        measured: distance between the two clouds, or None.
        net: whose flow P is; None for the exact u.
    """
    panes = [replace(_original_pane(experiment, original), shows="paths")]
    bounds = _bounds(experiment, original, motion)
    if given is not None:
        paired = "q_t averages such clouds"
        if experiment.coupling != "independent":
            paired = "as if paired at random"
        panes.append(Pane("Paths to one x₀", paired, _array(given), lines=_lines(given), shows="one"))
    if motion is not None:
        arrows = None if net or experiment.dim == 1 else _arrows(experiment, times, bounds)
        follows = f"follows {f'a {net.name}' if net else 'the mean velocity u'}, NFE {motion.nfe}"
        panes.append(Pane("The flow P", follows, _array(motion.positions), arrows=arrows, shows="flow"))
    scene = _scene(experiment, times, pairs, panes, bounds, measured, net is not None)
    return scene if net else replace(scene, live=_live(experiment))


def _live(experiment: Experiment) -> Live | None:
    """What the browser computes the panes from, where path and laws allow it."""
    path, data = path_of(experiment), density_of(experiment)
    if not path.smooth or path.written is None or not isinstance(data, GaussianMixture):
        return None
    return Live(path, data, source_of(experiment), SOLVERS["heun"], experiment.frames - 1)


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
    field = f"{net.name}, step {net.step:,}" if net else "exact u"
    by = f"SDE η = {experiment.sde_noise:g}" if experiment.sde_noise else experiment.solver
    push = f"guidance {chosen.guidance:g}, " if chosen.guidance != 1 else ""
    # Short beside a class, so that the caption keeps its room.
    title = f"P of {whose}" if whose else "Sampled P"
    panes = [
        _original_pane(experiment, original, whose),
        Pane(title, f"{push}{field}, {by}, NFE {motion.nfe}", _array(motion.positions)),
    ]
    bounds = _bounds(experiment, original, motion)
    return _scene(experiment, times, pairs, panes, bounds, measured, net is not None)


def _original_pane(experiment: Experiment, original: Tensor, whose: str = "") -> Pane:
    keeps = "each particle keeps its partner" if path_of(experiment).smooth else "a Markov chain: no velocity"
    title = f"Q of {whose}" if whose else "Original paths Q"
    return Pane(title, keeps, _array(original), lines=_lines(original))


def _scene(
    experiment: Experiment, times: Tensor, pairs: Pairs, panes: list[Pane],
    bounds: tuple[float, float, float, float], measured: Distances | None, learned: bool,
) -> Scene:  # fmt: skip
    c = path_of(experiment).at(times)
    return Scene(
        times=_array(times), panes=tuple(panes), a=_array(c.a.real), b=_array(c.b.real), bounds=bounds,
        labels=None if pairs.labels is None else _array(pairs.labels),
        curves=None if measured is None else _curves(measured, "learned" if learned else "exact"),
        dim=_dim(experiment),
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
    axis = torch.linspace(bounds[0], bounds[1], ARROWS + 2)[1:-1]
    points = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1).reshape(-1, 2)
    oracle = oracle_of(experiment)
    with torch.no_grad():
        # u changes slowly beside the frames: every fourth is asked, the others lie between.
        asked = torch.linspace(0, len(times) - 1, len(times) // 4 + 2)
        some = torch.stack([oracle(points, t) for t in times[asked.round().long()].clamp(0.01, 0.99)])
        place = torch.linspace(0, len(some) - 1, len(times))
        low = place.floor().long().clamp(max=len(some) - 2)
        vectors = torch.lerp(some[low], some[low + 1], (place - low)[:, None, None])
    return Arrows(_array(points), _array(vectors), "exact")


def _curves(measured: Distances, role: Role) -> Curves:
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
