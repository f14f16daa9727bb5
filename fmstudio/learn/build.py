"""From the experiment's names and numbers to the objects of the mathematics.

Each family has one table from the name to the object. Strings end here: everything below ``learn`` takes
objects. Whatever is costly is built once for equal choices and then shared, so nobody may change it in place.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch

from fmstudio.flow.couplings.coupling import Coupling, Independent, OptimalTransport, Sinkhorn
from fmstudio.flow.densities.cloud import PointCloud
from fmstudio.flow.densities.density import Density
from fmstudio.flow.densities.mixture import (
    GaussianMixture,
    eight_gaussians,
    line_mixture,
    standard_normal,
    two_gaussians,
)
from fmstudio.flow.densities.shapes import SHAPES
from fmstudio.flow.formulas.custom import Custom
from fmstudio.flow.oracle.oracle_for import Oracle, oracle_for
from fmstudio.flow.paths.affine import Linear, Polynomial, Spherical, VariancePreserving
from fmstudio.flow.paths.latent import Latent
from fmstudio.flow.paths.path import Path
from fmstudio.flow.paths.turning import Bow, Spiral
from fmstudio.flow.paths.zigzag import ZigZag
from fmstudio.learn import clouds
from fmstudio.learn.experiment import PATH_FIELDS, Experiment

Build = Callable[[Experiment], Any]

#: Components a free mixture may have.
MOST_COMPONENTS = 16
#: Standard deviation of each of the eight Gaussians before the jitter is added.
GAUSSIAN_STD = 0.1


def path_of(experiment: Experiment) -> Path:
    """The original trajectories that the experiment names.

    Raises:
        ValueError: a formula or number that makes no path, or a path that turns the plane for data on a line.
    """
    if experiment.dim == 1 and experiment.path in ("bow", "spiral"):
        raise ValueError(
            f"path: the {experiment.path} turns the plane, so it needs data with 2 coordinates; "
            f"the data {experiment.data!r} has 1. Choose another path or other data."
        )
    return PATH_BUILDERS[experiment.path](experiment)


def density_of(experiment: Experiment) -> Density:
    """The data: a mixture where the density has a formula, else the cloud of the experiment's points.

    A shape or a word is drawn with the seed of the experiment: the same seed, the same cloud.

    Raises:
        ValueError: a mixture, a word or a packed cloud that cannot be read.
    """
    return _density(_only(experiment, DATA_FIELDS))


def source_of(experiment: Experiment) -> GaussianMixture:
    """The noise, of the data's dimension.

    Raises:
        ValueError: eight Gaussians in the plane for data on a line.
    """
    return SOURCE_BUILDERS[experiment.source](experiment)


def coupling_of(experiment: Experiment) -> Coupling:
    """Who is paired with whom, within a mini-batch."""
    return COUPLING_BUILDERS[experiment.coupling](experiment)


def oracle_of(experiment: Experiment) -> Oracle:
    """The exact answers for the experiment's data, source and path under the independent coupling.

    Other couplings have no closed form; ask ``coupling_of(experiment).independent`` before showing this.

    Raises:
        ValueError: as :func:`path_of`, :func:`density_of` and :func:`source_of`.
    """
    return _oracle(_only(experiment, FLOW_FIELDS))


DATA_FIELDS = ("data", "data_noise", "data_points", "mixture", "word", "points", "seed")
"""Fields that the data are built from."""

FLOW_FIELDS = (*DATA_FIELDS, "source", "path", *dict.fromkeys(sum(PATH_FIELDS.values(), ())))
"""Fields that the original paths are built from, but for their coupling."""


def _only(experiment: Experiment, names: tuple[str, ...]) -> Experiment:
    """The experiment with every other field at its default: equal for all that build the same object."""
    return Experiment(**{name: getattr(experiment, name) for name in names})


@lru_cache(maxsize=32)
def _density(experiment: Experiment) -> Density:
    return DATA_BUILDERS[experiment.data](experiment)


@lru_cache(maxsize=32)
def _oracle(experiment: Experiment) -> Oracle:
    return oracle_for(path_of(experiment), density_of(experiment), source_of(experiment))


def _vp(e: Experiment) -> VariancePreserving:
    return VariancePreserving(e.beta0, e.beta1)


def _around(e: Experiment) -> Path:
    return PATH_BUILDERS[e.around](e)


PATH_BUILDERS: dict[str, Build] = {
    "linear": lambda e: Linear(),
    "spherical": lambda e: Spherical(),
    "variance preserving": _vp,
    "polynomial": lambda e: Polynomial(e.power),
    "custom": lambda e: Custom(e.formula_a, e.formula_b),
    "bow": lambda e: Bow(e.bend),
    "spiral": lambda e: Spiral(e.turn),
    "latent": lambda e: Latent(_around(e), e.strength),
    "zig-zag": lambda e: ZigZag(_around(e)),
}


def _generator(e: Experiment) -> torch.Generator:
    return torch.Generator().manual_seed(e.seed)


def _shape(e: Experiment) -> PointCloud:
    samples = SHAPES[e.data](e.data_points, e.data_noise, _generator(e))
    return PointCloud(samples.points, samples.labels)


def _word(e: Experiment) -> PointCloud:
    cloud = clouds.from_word(e.word, e.data_points, _generator(e))
    return PointCloud(cloud.points, cloud.labels)


def _points(e: Experiment) -> PointCloud:
    """The packed cloud, or the example drawing where nothing was drawn yet; at most ``data_points`` of it."""
    cloud = clouds.unpack(e.points) if e.points else clouds.example_drawing()
    kept = clouds.thinned(cloud, e.data_points, _generator(e))
    return PointCloud(kept.points, kept.labels)


def _mixture(e: Experiment) -> GaussianMixture:
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

DATA_BUILDERS: dict[str, Build] = {
    # Jitter on a Gaussian is a wider Gaussian, so this stays exact.
    "8 gaussians": lambda e: eight_gaussians(std=math.hypot(GAUSSIAN_STD, e.data_noise)),
    **dict.fromkeys(SHAPES, _shape),
    "mixture": _mixture,
    "word": _word,
    "points": _points,
    "line mixture": lambda e: line_mixture(),
}


def _eight_source(e: Experiment) -> GaussianMixture:
    if e.dim != 2:
        raise ValueError(
            f"source: the 8 gaussians lie in the plane; the data {e.data!r} has 1 coordinate. "
            "Choose 'standard normal' or 'two gaussians'."
        )
    return eight_gaussians()


def _two_source(e: Experiment) -> GaussianMixture:
    return two_gaussians() if e.dim == 2 else line_mixture((-1.5, 1.5), (0.4, 0.4), (0.5, 0.5))


SOURCE_BUILDERS: dict[str, Build] = {
    "standard normal": lambda e: standard_normal(e.dim),
    "8 gaussians": _eight_source,
    "two gaussians": _two_source,
}

COUPLING_BUILDERS: dict[str, Build] = {
    "independent": lambda e: Independent(),
    "optimal transport": lambda e: OptimalTransport(),
    "sinkhorn": lambda e: Sinkhorn(e.sinkhorn_reg),
}
