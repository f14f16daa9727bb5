"""The scenes of the rooms: what Paths and Sample put into the player's panes."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from fmstudio.learn.build import oracle_of, path_of
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.simulate import Distances, Motion, Pairs
from fmstudio.plots.scene import Arrows, Curve, Curves, Pane, Role, Scene, frame_bounds

LINES = 120
"""Original trajectories drawn in grey."""

ARROWS = 15
"""Velocity arrows along each side of the plane."""


def paths_scene(
    experiment: Experiment, times: Tensor, pairs: Pairs, original: Tensor, motion: Motion | None,
    measured: Distances | None, learned: bool,
) -> Scene:  # fmt: skip
    """Q at the left; at the right the flow of the mean velocity, exact or learned, where it is known."""
    follows = "follows a trained net" if learned else "follows the mean velocity u"
    return _scene(
        experiment, times, pairs, original, motion, measured, learned, "The flow P", follows, learned
    )


def sample_scene(
    experiment: Experiment, times: Tensor, pairs: Pairs, original: Tensor, motion: Motion,
    measured: Distances, learned: bool,
) -> Scene:  # fmt: skip
    """Q at the left; at the right the particles of the chosen field and solver."""
    field = "trained net" if learned else "exact u"
    how = f"{field}, {experiment.solver}, NFE {motion.nfe}"
    if experiment.sde_noise:
        how = f"{field}, SDE g = {experiment.sde_noise:g}, NFE {motion.nfe}"
    return _scene(experiment, times, pairs, original, motion, measured, learned, "Sampled P", how, True)


def _scene(
    experiment: Experiment, times: Tensor, pairs: Pairs, original: Tensor, motion: Motion | None,
    measured: Distances | None, learned: bool, title: str, caption: str, plain: bool,
) -> Scene:  # fmt: skip
    keeps = "each particle keeps its partner" if path_of(experiment).smooth else "a Markov chain: no velocity"
    panes = [Pane("Original paths Q", keeps, original, lines=_lines(original))]
    bounds = _bounds(experiment, original, motion)
    if motion is not None:
        arrows = None if plain or experiment.dim == 1 else _arrows(experiment, times, bounds)
        panes.append(Pane(title, caption, motion.positions, arrows=arrows))
    c = path_of(experiment).at(times)
    return Scene(
        times=times, panes=tuple(panes), a=c.a.real, b=c.b.real, bounds=bounds, labels=pairs.labels,
        curves=None if measured is None else _curves(measured, "learned" if learned else "exact"),
        dim=_dim(experiment),
    )  # fmt: skip


def _dim(experiment: Experiment) -> Literal[1, 2]:
    return 1 if experiment.dim == 1 else 2


def _bounds(
    experiment: Experiment, original: Tensor, motion: Motion | None
) -> tuple[float, float, float, float]:
    """A square about the origin that holds both clouds at both ends."""
    ends = [original[0], original[-1], original[len(original) // 2]]
    ends += [] if motion is None else [motion.positions[-1]]
    points = torch.cat(ends).cpu().numpy()
    if experiment.dim == 1:
        points = np.column_stack([points[:, 0], points[:, 0]])
    left, right, bottom, top = frame_bounds(points, margin=0.04)
    half = max(-left, right, -bottom, top)
    return (-half, half, -half, half)


def _lines(original: Tensor) -> np.ndarray | None:
    if original.shape[-1] != 2:
        return None
    return original[:, :LINES].transpose(0, 1).cpu().numpy()


def _arrows(experiment: Experiment, times: Tensor, bounds: tuple[float, float, float, float]) -> Arrows:
    axis = torch.linspace(bounds[0], bounds[1], ARROWS + 2)[1:-1]
    points = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1).reshape(-1, 2)
    oracle = oracle_of(experiment)
    with torch.no_grad():
        vectors = torch.stack([oracle(points, t) for t in times.clamp(0.01, 0.99)])
    return Arrows(points, vectors, "exact")


def _curves(measured: Distances, role: Role) -> Curves:
    return Curves(
        label="distance between p_t and q_t",
        caption="energy distance; the band is what two fresh samples of q_t differ by",
        series=(Curve("P to Q", measured.values, role),),
        band=measured.band,
        band_name="two fresh samples",
    )


def in_plane(points: Tensor) -> Tensor:
    """Points with two coordinates: those of a line get a second one that is 0, shape (…, 1) → (…, 2)."""
    return points if points.shape[-1] == 2 else torch.cat([points, torch.zeros_like(points)], dim=-1)
