"""The scene of an image flow: trajectories in a plane, coloured by class, with their chords in grey."""

from __future__ import annotations

import numpy as np
import torch

from fmstudio.image.models import title_of
from fmstudio.image.questions.projection import FlowMap
from fmstudio.plots.scene.scene import Pane, Scene, frame_bounds

CHORDS = 60
"""Straight lines from noise to image drawn in grey."""


def map_scene(made: FlowMap) -> Scene:
    """One pane a model, on one clock; particle i starts from the same noise in each."""
    share = made.plane.share
    panes = []
    for model, positions in zip(made.models, made.positions, strict=True):
        ends = torch.stack([positions[0, :CHORDS], positions[-1, :CHORDS]], dim=1)
        caption = f"{positions.shape[1]} images; {share[0]:.0%} + {share[1]:.0%} of all variance"
        panes.append(Pane(title_of(model), caption, positions.numpy(), lines=ends.numpy()))
    times = made.times.numpy()
    every = np.concatenate([positions.reshape(-1, 2).numpy() for positions in made.positions])
    return Scene(
        times=times,
        panes=tuple(panes),
        a=1 - times,
        b=times,
        bounds=frame_bounds(every),
        labels=made.labels.numpy(),
    )
