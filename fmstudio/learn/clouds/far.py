"""Points so far out that the others shrink to a dot when all are shown in one picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fmstudio.learn.clouds.numbers import shown

Scale = Literal["auto", "all points", "without far points"]

FLATTENED = 5.0
"""Standard deviations of all points in one of the middle ones from which on these count as flattened."""

FAR = 20.0
"""Robust standard deviations from the median from which on a point is far out."""

OFF = 6.0
"""Standard deviations of all points from their mean from which on a point may flatten the others."""

_FEW, _LEAST = 0.01, 20


@dataclass(frozen=True)
class Far:
    """What is far out.

    Args:
        kept: shape (n,), the rows that are not.
        leave: whether the others are left out.
        warning: a sentence or two, or an empty text.
    """

    kept: NDArray[np.bool_]
    leave: bool
    warning: str


def far_out(
    values: NDArray[np.float64], names: list[str], lines: NDArray[np.int64], scale: Scale, unit: str
) -> Far:
    """Which points lie far out, and whether they are left out.

    A point is far out that lies more than 20 robust standard deviations r from the median, r taken from the
    middle half of the points (or the middle nine tenths, where the half is one value). The others are
    flattened where the standard deviation s of all is more than 5 r, and the farthest is more than 6 s from
    the mean (of n points one is at most √(n − 1) s), or all far ones have one value.

    Args:
        values: shape (n, d), finite.
        names: of the coordinates.
        lines: where the rows stand in the file.
        scale: "all points" leaves none out and "without far points" all that are far out; "auto" leaves them
            out where they flatten at least 20 others and are at most one in a hundred (or one).
        unit: what a line is called.
    """
    median = np.median(values, 0)
    robust = _width(values)
    known = robust > 0
    # Of numbers that may be too large to be squared.
    widest = np.abs(values - values.mean(0)).max(0)
    widest[widest == 0] = 1
    deviation = widest * ((values - values.mean(0)) / widest).std(0)
    away = np.abs(values - median) / np.where(known, robust, np.inf)
    kept = np.asarray((away <= FAR).all(1))
    count = int((~kept).sum())
    row, column = np.unravel_index(int(away.argmax()), away.shape)
    value, s = values[row, column], deviation[column]
    off = abs(value - values[:, column].mean()) / (s or 1)
    here = values[:, column][~kept]
    same = len(here) > 1 and bool((here == here[0]).all())
    # A second cluster is no mishap: few points are far from the mean of all, or many are at one place.
    flattened = count > 0 and bool(s > FLATTENED * robust[column]) and (off > OFF or same)
    leave = scale == "without far points" or (
        scale == "auto" and flattened and len(values) > _LEAST and count <= max(1, _FEW * len(values))
    )
    if not flattened:
        return Far(kept, leave and count > 0, "")
    most = math.sqrt(len(values) - 1)
    rest = values[kept][:, column].std() / s if kept.any() else 0.0
    warning = (
        f"Far out: {names[column]} is {shown(value)} in {unit} {lines[row]}, {off:.1f} standard deviations "
        f"from the mean (of {len(values):,} points one can be at most {most:.1f}). Together, the others "
        f"would keep {rest:.2g} of their width."
    )
    if same:
        warning += (
            f" {len(here):,} rows have this value: if it stands for a missing one, give it as fill value."
        )
    if leave:
        warning += " The picture is without far points; the scale “all points” brings them back."
    else:
        warning += " The scale “without far points” leaves such rows out."
    return Far(kept, leave, warning)


def _width(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """A robust standard deviation of each coordinate; 0 where nearly all points share one value."""
    low, first, third, high = np.quantile(values, [0.05, 0.25, 0.75, 0.95], axis=0)
    # 1.349 and 3.290 normal standard deviations.
    return np.where(third > first, (third - first) / 1.349, (high - low) / 3.290)
