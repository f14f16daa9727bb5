"""The moving exhibits of the note as scenes: particles that swap identities, random paths over the flow."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from fmstudio.learn.build import path_of
from fmstudio.learn.experiment import Experiment
from fmstudio.note.parts.moving import Drifting, Swapping
from fmstudio.plots.scene.rooms import in_plane
from fmstudio.plots.scene.scene import Curve, Curves, Pane, Scene, frame_bounds

LINES = 60
"""Trajectories of the flow drawn in grey under the random paths."""


def swapping_scene(experiment: Experiment, found: Swapping, rule: str) -> Scene:
    """Original paths beside swapping particles: one cloud at every time, two sets of trajectories.

    Args:
        experiment: what is shown.
        found: the particles.
        rule: when they swap, as the caption of their pane.
    """
    names = ("original paths", "swapping particles", "the flow")
    roles = ("original", "learned", "exact")
    series = tuple(
        Curve(name, _array(values), role)
        for name, values, role in zip(names, found.memories, roles, strict=True)
    )
    caption = (
        "how much of where a particle is its own start explains; the two snapshots differ by "
        f"{found.mismatch:g} at every time"
    )
    curves = Curves("memory M", caption, series)
    panes = (
        Pane("Original paths", "each particle keeps its path", _array(found.original)),
        Pane("Swapping identities", rule, _array(found.swapped)),
    )
    return _scene(experiment, found.times, panes, found.original, found.ends.labels, curves)


def drifting_scene(experiment: Experiment, found: Drifting, caption: str) -> Scene:
    """Random paths beside the flow, with the flow's trajectories under both.

    Args:
        experiment: what is shown.
        found: the particles.
        caption: how often they pick a path.
    """
    lines = None
    if experiment.dim == 2:
        lines = _array(found.flow[:, :LINES].transpose(0, 1))
    formula = (
        () if found.expected is None else (Curve("Σ E[varₜ] dt², formula", _array(found.expected), "exact"),)
    )
    curves = Curves(
        "squared length",
        "the random drift that has gathered so far, and how far the particles are from the flow",
        (
            *formula,
            Curve("E|Σ e dt|²" if formula else "E|Σ e √dt|²", _array(found.drift), "original"),
            Curve("squared distance to the flow (median)", _array(found.distance), "error"),
        ),
    )
    panes = (
        Pane("Random paths", caption, _array(found.random), lines=lines),
        Pane("The flow", "the same starts, moved by u", _array(found.flow), lines=lines),
    )
    return _scene(experiment, found.times, panes, found.flow, found.labels, curves)


def _scene(
    experiment: Experiment,
    times: Tensor,
    panes: tuple[Pane, ...],
    cloud: Tensor,
    labels: Tensor | None,
    curves: Curves,
) -> Scene:
    c = path_of(experiment).at(times)
    ends = in_plane(torch.cat([cloud[0], cloud[len(cloud) // 2], cloud[-1]]))
    if experiment.dim == 1:
        ends = ends[:, :1].expand(-1, 2)
    left, right, bottom, top = frame_bounds(_array(ends), margin=0.04)
    half = max(-left, right, -bottom, top)
    return Scene(
        times=_array(times), panes=panes, a=_array(c.a.real), b=_array(c.b.real),
        bounds=(-half, half, -half, half), labels=None if labels is None else _array(labels),
        curves=curves, dim=1 if experiment.dim == 1 else 2,
    )  # fmt: skip


def _array(values: Tensor) -> np.ndarray:
    return values.detach().cpu().numpy()
