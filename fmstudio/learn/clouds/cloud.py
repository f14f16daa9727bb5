"""A cloud: points that a person brought, moved into the plane, with the names of its classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

#: Classes at most, as many as an experiment's label can name.
MOST_CLASSES = 64
#: Standard deviation of each coordinate of a standardised cloud.
SPREAD = 1.3

Stroke = Sequence[tuple[float, float]]
"""A line of the brush: places (x, y) in units of the plane."""


@dataclass(frozen=True)
class Transform:
    """How a cloud was moved into the plane: shown = (x − mean) / scale.

    Args:
        mean, scale: one number for each coordinate; scales above 0.
    """

    mean: tuple[float, ...]
    scale: tuple[float, ...]

    def apply(self, x: Tensor) -> Tensor:
        """From the units of the file to those of the plane, shape (n, d)."""
        return (x - x.new_tensor(self.mean)) / x.new_tensor(self.scale)

    def undo(self, x: Tensor) -> Tensor:
        """From the units of the plane back to those of the file, shape (n, d)."""
        return x * x.new_tensor(self.scale) + x.new_tensor(self.mean)


@dataclass(frozen=True, eq=False)
class Cloud:
    """Points in the plane or on the line, with where they come from.

    Args:
        points: shape (n, d) with d = 1 or 2, float32, finite.
        labels: shape (n,), int64, from 0 to 63, or None.
        transform: how the points were moved.
        note: one sentence on what was done to make the points of what was brought, or an empty text.
        warning: what a person should know about them besides, or an empty text.
        names: of the classes, from label 0 on; empty where they have none.
        strokes: the drawing that the points lie along, or empty.
    """

    points: Tensor
    labels: Tensor | None
    transform: Transform
    note: str = ""
    warning: str = ""
    names: tuple[str, ...] = ()
    strokes: tuple[Stroke, ...] = ()


def unmoved(dim: int) -> Transform:
    """The transform that leaves points where they are."""
    return Transform((0.0,) * dim, (1.0,) * dim)


def standardised(points: Tensor, labels: Tensor | None, names: tuple[str, ...], note: str = "") -> Cloud:
    """Move every coordinate to mean 0 and standard deviation ``SPREAD``.

    Args:
        points: shape (n, d), finite.
        labels: shape (n,) or None.
        names: of the coordinates, for the error.
        note: for the cloud.

    Raises:
        ValueError: a coordinate that is the same everywhere, or numbers so far apart that they overflow.
    """
    x = points.double()
    lowest = x.amin(0)
    # From the lowest value on: large numbers that differ by little keep their differences.
    mean = (x - lowest).mean(0)
    widest = (x - lowest - mean).abs().amax(0)
    # Of numbers up to 1: the squares of the differences themselves may overflow, or be 0.
    scale = widest * ((x - lowest - mean) / widest).std(0, correction=0) / SPREAD
    for name, value, width in zip(names, lowest.tolist(), widest.tolist(), strict=True):
        if not math.isfinite(width):
            raise ValueError(f"The numbers of {name} are too large; rescale them.")
        if width == 0:
            raise ValueError(f"{name} is {value:g} everywhere; expected numbers that differ.")
    transform = Transform(tuple((lowest + mean).tolist()), tuple(scale.tolist()))
    return Cloud(((x - lowest - mean) / scale).float(), labels, transform, note)


def from_points(points: Tensor, labels: Tensor | None = None) -> Cloud:
    """A cloud from a tensor, standardised.

    Args:
        points: shape (n, 1) or (n, 2), n ≥ 2.
        labels: shape (n,), whole numbers from 0 to 63, or None; they are numbered anew without gaps.

    Raises:
        ValueError: another shape, a row that is not finite (its number is named, from 1), or bad labels.
    """
    if points.ndim != 2 or points.shape[1] not in (1, 2) or len(points) < 2:
        raise ValueError(f"Expected points of shape (n, 1) or (n, 2) with n ≥ 2; got {tuple(points.shape)}.")
    bad = (~points.isfinite()).any(1).nonzero()
    if len(bad):
        row = int(bad[0])
        raise ValueError(f"Row {row + 1} is not finite: {points[row].tolist()}.")
    if labels is not None:
        labels = checked_labels(labels, len(points)).unique(return_inverse=True)[1]
    return standardised(points, labels, ("x", "y")[: points.shape[1]])


def checked_labels(labels: Tensor, count: int) -> Tensor:
    """Labels as int64 from 0 to 63.

    Raises:
        ValueError: another shape or range, or numbers that are not whole.
    """
    if labels.shape != (count,):
        raise ValueError(f"Expected {count} labels, one for each point; got shape {tuple(labels.shape)}.")
    whole = labels.to(torch.int64)
    if not torch.equal(whole.to(labels.dtype), labels) or whole.min() < 0 or whole.max() >= MOST_CLASSES:
        raise ValueError(f"Labels must be whole numbers from 0 to {MOST_CLASSES - 1}.")
    return whole


def thinned(cloud: Cloud, most: int, generator: torch.Generator) -> Cloud:
    """At most ``most`` (≥ 64) of the points: a random subset in the old order with a point of each class."""
    if len(cloud.points) <= most:
        return cloud
    order = torch.randperm(len(cloud.points), generator=generator)
    if cloud.labels is not None:
        shuffled = cloud.labels[order]
        first = torch.zeros(len(order), dtype=torch.bool)
        first[[int((shuffled == k).nonzero()[0]) for k in shuffled.unique()]] = True
        order = torch.cat([order[first], order[~first]])
    keep = order[:most].sort().values
    labels = None if cloud.labels is None else cloud.labels[keep]
    return replace(cloud, points=cloud.points[keep], labels=labels)
