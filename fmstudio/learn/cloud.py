"""A cloud: points that a person brought, moved into the plane, and its short text form.

The text form goes into links and JSON. Each coordinate is kept in 16 bits between its smallest and largest
value, so a point moves by at most 1/131,070 of the cloud's width:

    "2P" or "2L" (dimension; points alone, or with labels) + base64 of
    lowest value and step of each coordinate (float32), points (uint16), labels (uint8)
"""

from __future__ import annotations

import base64
import binascii
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

#: Points that the text form keeps at most.
PACKED = 5_000
#: Classes at most, as many as an experiment's label can name.
MOST_CLASSES = 64
#: Standard deviation of each coordinate of a standardised cloud.
SPREAD = 1.3
_WIDEST = 1_000.0


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
        note: one sentence on what was read and what was left out, or an empty text.
    """

    points: Tensor
    labels: Tensor | None
    transform: Transform
    note: str = ""


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
    mean = x.mean(0)
    widest = (x - mean).abs().amax(0)
    # Of numbers up to 1: the squares of the differences themselves may overflow, or be 0.
    scale = widest * ((x - mean) / widest).std(0, correction=0) / SPREAD
    for name, centre, width in zip(names, mean.tolist(), widest.tolist(), strict=True):
        if not math.isfinite(width):
            raise ValueError(f"The numbers of {name} are too large; rescale them.")
        # Below this the differences between the points are rounding errors.
        if width <= 1e-12 * abs(centre):
            raise ValueError(f"{name} is {centre:g} everywhere; expected numbers that differ.")
    transform = Transform(tuple(mean.tolist()), tuple(scale.tolist()))
    return Cloud(transform.apply(x).float(), labels, transform, note)


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
    return Cloud(cloud.points[keep], labels, cloud.transform, cloud.note)


def pack(points: Tensor, labels: Tensor | None = None, seed: int = 0) -> str:
    """A cloud as a short text; of more than 5,000 points a random subset of 5,000 is kept.

    Args:
        points: shape (n, 1) or (n, 2), n ≥ 1, finite, in units of the plane (at most ±1,000).
        labels: shape (n,), whole numbers from 0 to 63, or None.
        seed: of the subset.

    Returns:
        At most 33,400 characters, safe in a link.

    Raises:
        ValueError: points or labels that do not fit.
    """
    if points.ndim != 2 or points.shape[1] not in (1, 2) or not len(points):
        raise ValueError(f"Expected points of shape (n, 1) or (n, 2) with n ≥ 1; got {tuple(points.shape)}.")
    if not (points.abs() <= _WIDEST).all():
        raise ValueError(f"Points must be finite and within ±{_WIDEST:g} to be packed.")
    if labels is not None:
        labels = checked_labels(labels, len(points))
    whole = Cloud(points.detach().cpu(), labels, unmoved(points.shape[1]))
    kept = thinned(whole, PACKED, torch.Generator().manual_seed(seed))
    x = kept.points.double().numpy()
    lowest = x.min(0).astype("<f4")
    step = ((x.max(0) - lowest) / 65_535).astype("<f4")
    levels = np.clip(np.rint((x - lowest) / np.where(step > 0, step, 1)), 0, 65_535).astype("<u2")
    body = lowest.tobytes() + step.tobytes() + levels.tobytes()
    if kept.labels is not None:
        body += kept.labels.numpy().astype(np.uint8).tobytes()
    kind = "P" if kept.labels is None else "L"
    return f"{x.shape[1]}{kind}" + base64.urlsafe_b64encode(body).decode().rstrip("=")


def unpack(text: str) -> Cloud:
    """Read back :func:`pack`; the points are within half a step of the packed ones, and were not moved.

    Raises:
        ValueError: a text that :func:`pack` did not write.
    """
    if text[:2] not in ("1P", "1L", "2P", "2L"):
        raise ValueError("points: this is not a packed cloud; draw or upload it again.")
    dim, labelled = int(text[0]), text[1] == "L"
    try:
        body = base64.b64decode(
            text[2:].encode("ascii") + b"=" * (-(len(text) - 2) % 4), b"-_", validate=True
        )
    except (binascii.Error, UnicodeEncodeError):
        raise ValueError("points: the packed cloud is damaged; draw or upload it again.") from None
    head, row = 8 * dim, 2 * dim + labelled
    count, rest = divmod(len(body) - head, row)
    if rest or not 1 <= count <= PACKED:
        raise ValueError("points: the packed cloud is cut off; draw or upload it again.")
    lowest, step = np.frombuffer(body[:head], "<f4").reshape(2, dim).astype(np.float64)
    levels = np.frombuffer(body[head : head + 2 * dim * count], "<u2").reshape(count, dim)
    x = lowest + levels * step
    if not (np.abs(x) <= 2 * _WIDEST).all() or (step < 0).any():
        raise ValueError("points: the packed cloud is damaged; draw or upload it again.")
    labels = None
    if labelled:
        numbers = np.frombuffer(body[head + 2 * dim * count :], np.uint8).astype(np.int64)
        labels = checked_labels(torch.from_numpy(numbers), count)
    return Cloud(torch.from_numpy(x.astype(np.float32)), labels, unmoved(dim))
