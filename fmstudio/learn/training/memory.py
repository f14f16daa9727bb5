"""How much memory a run takes at most, estimated from its settings before it starts.

Each estimate is a fixed part, what torch and the oracle's pieces take whatever is asked, and one part that
grows with what is held at once. A test compares them with what runs really took; they are meant to be too
large rather than too small, and no more than a few times.
"""

from __future__ import annotations

from fmstudio.learn.experiment import Experiment
from fmstudio.learn.training.batches import POINTS

FIXED = 150e6
"""Bytes: threads, buffers of matrix products, tiles of distances, the pieces that the oracle works in."""

_FLOAT, _DOUBLE = 4, 8


def of_training(experiment: Experiment) -> float:
    """Bytes of a training: what every layer keeps for its gradient, and the weights with their moments."""
    e = experiment
    held = (e.depth + 2) * e.width + 4 * e.fourier
    weights = e.depth * e.width**2 + e.width * (2 * e.fourier + 70)
    drawn = 16 * _DOUBLE * max(POINTS, e.batch)
    return FIXED + _FLOAT * (4 * e.batch * held + 12 * weights) + drawn + _data(e)


def of_sampling(experiment: Experiment) -> float:
    """Bytes of a sampling: every step's positions, and the frames shown."""
    e = experiment
    return FIXED + 2 * _FLOAT * e.dim * e.particles * (e.sample_steps + e.frames + 2) + _data(e)


def of_paths(experiment: Experiment) -> float:
    """Bytes of original paths, and of the answer's numbers as Python and JSON hold them."""
    e = experiment
    return FIXED + 150 * e.dim * e.particles * e.frames + _data(e)


def of_images(count: int, rows: int) -> float:
    """Bytes of a grid of the shipped models' images.

    Args:
        count: images a row.
        rows: how many.
    """
    return 2 * FIXED + 2e6 * count + 20e3 * count * rows


def _data(experiment: Experiment) -> float:
    """Bytes of the data points, and of the arcs that an exact pairing of a batch goes through."""
    paired = 0 if experiment.coupling == "independent" else 48 * _DOUBLE * experiment.coupling_batch**2
    return 8 * _DOUBLE * experiment.data_points + paired
