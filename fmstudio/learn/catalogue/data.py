"""The data that an experiment may choose: exact mixtures, shapes, words and brought points."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from fmstudio.flow.densities.cloud import PointCloud
from fmstudio.flow.densities.density import Density
from fmstudio.flow.densities.mixture import GaussianMixture, eight_gaussians, line_mixture
from fmstudio.flow.densities.shapes import (
    Shape,
    checkerboard,
    moons,
    pinwheel,
    rings,
    swiss_roll,
    two_spirals,
)
from fmstudio.learn import clouds
from fmstudio.learn.catalogue.member import Member, family
from fmstudio.learn.fields import Fields

#: Components a free mixture may have.
MOST_COMPONENTS = 16
#: Standard deviation of each of the eight Gaussians before the jitter is added.
GAUSSIAN_STD = 0.1


@dataclass(frozen=True)
class DataMember(Member[Density]):
    """A data set; what it is, in a line, is the section of ``assets/text/data.md`` under its name.

    Args:
        dim: coordinates of a point, 1 or 2.
        class_names: what its classes are called, from the experiment and their number; the first may do.
        part: what one class is, where the classes have numbers only.
        picture: its thumbnail, as SVG lines on a field of 100 × 100; else drawn from its points.
        shape: what draws its points, where it is a shape.
    """

    dim: Callable[[Fields], int] = lambda e: 2
    class_names: Callable[[Fields, int], Sequence[str]] = lambda e, count: ()
    part: str = "class"
    picture: str = ""
    shape: Shape | None = None


def _generator(e: Fields) -> torch.Generator:
    return torch.Generator().manual_seed(e.seed)


def shape_member(name: str, shape: Shape, *names: str, part: str = "class") -> DataMember:
    """A shape of the plane: so many points of it, with jitter, are the data.

    Args:
        name: of the data.
        shape: draws the points.
        names: of its classes; ``part`` of one class where they have none.
    """

    def make(e: Fields) -> PointCloud:
        samples = shape(e.data_points, e.data_noise, _generator(e))
        return PointCloud(samples.points, samples.labels)

    fields = ("data_noise", "data_points")
    return DataMember(name, make, fields, class_names=lambda e, count: names, part=part, shape=shape)


def _word(e: Fields) -> PointCloud:
    cloud = clouds.from_word(e.word, e.data_points, _generator(e))
    return PointCloud(cloud.points, cloud.labels)


def _letters(e: Fields, count: int) -> Sequence[str]:
    letters = [letter for letter in e.word if not letter.isspace()]
    return letters if len(letters) == count else ()


def _points(e: Fields) -> PointCloud:
    """The packed cloud, or the example drawing where nothing was drawn yet; at most ``data_points`` of it."""
    cloud = clouds.unpack(e.points) if e.points else clouds.example_drawing()
    kept = clouds.thinned(cloud, e.data_points, _generator(e))
    return PointCloud(kept.points, kept.labels)


def _point_names(e: Fields, count: int) -> Sequence[str]:
    return clouds.unpack(e.points).names if e.points else ()


def _mixture(e: Fields) -> GaussianMixture:
    """The free mixture from its JSON rows [weight, mx, my, sxx, sxy, syy]; component k is class k."""
    try:
        rows = json.loads(e.mixture)
    except (ValueError, RecursionError):
        raise ValueError("mixture: expected JSON rows [weight, mx, my, sxx, sxy, syy].") from None
    if not isinstance(rows, list) or not 1 <= len(rows) <= MOST_COMPONENTS:
        raise ValueError(f"mixture: expected 1 to {MOST_COMPONENTS} rows [weight, mx, my, sxx, sxy, syy].")
    numbers = torch.tensor([_six(row, k) for k, row in enumerate(rows, 1)], dtype=torch.float64)
    weights, means, (sxx, sxy, syy) = numbers[:, 0], numbers[:, 1:3], numbers[:, 3:].unbind(1)
    covariances = torch.stack([torch.stack([sxx, sxy], 1), torch.stack([sxy, syy], 1)], 1)
    try:
        return GaussianMixture(means.float(), covariances.float(), weights.float(), torch.arange(len(rows)))
    except ValueError as error:
        raise ValueError(f"mixture: {error}") from None


def _six(row: Any, number: int) -> list[float]:
    """One row of the mixture, with every number in its domain."""
    if not isinstance(row, list) or len(row) != 6 or not all(type(x) in (int, float) for x in row):
        raise ValueError(f"mixture: row {number} must be six numbers [weight, mx, my, sxx, sxy, syy].")
    for name, value, low, high in zip(_SIX, row, _LOWEST, _HIGHEST, strict=True):
        if not low <= value <= high:
            raise ValueError(f"mixture: row {number}: {name} must be in [{low:g}, {high:g}]; got {value}.")
    return [float(x) for x in row]


_SIX = ("weight", "mx", "my", "sxx", "sxy", "syy")
_LOWEST = (1e-6, -8.0, -8.0, 1e-4, -25.0, 1e-4)
_HIGHEST = (1e6, 8.0, 8.0, 25.0, 25.0, 25.0)

DATA: dict[str, DataMember] = family(
    DataMember(
        "8 gaussians",
        # Jitter on a Gaussian is a wider Gaussian, so this stays exact.
        lambda e: eight_gaussians(std=math.hypot(GAUSSIAN_STD, e.data_noise)),
        ("data_noise",),
        part="bump",
    ),
    shape_member("moons", moons, "upper moon", "lower moon"),
    shape_member("checkerboard", checkerboard),
    shape_member("two spirals", two_spirals, part="arm"),
    shape_member("swiss roll", swiss_roll),
    shape_member("pinwheel", pinwheel, part="blade"),
    shape_member("rings", rings, "inner ring", "middle ring", "outer ring"),
    DataMember("mixture", _mixture, ("mixture",), "your mixture", part="component"),
    DataMember("word", _word, ("word",), "a word", class_names=_letters),
    DataMember(
        "points",
        _points,
        ("points",),
        "draw or upload",
        dim=lambda e: 1 if e.points.startswith("1") else 2,
        class_names=_point_names,
        picture='<path d="M14 64 42 30q5-5 10 0t0 10L22 70l-11 3z"/><path d="M76 72V36M63 48l13-13 13 13"/>',
    ),
    DataMember("line mixture", lambda e: line_mixture(), (), "on a line", dim=lambda e: 1, part="component"),
)
