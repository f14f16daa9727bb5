"""The oracle: the exact marginal velocity, score, posterior means, variance and density of a path.

    w(x₀ | x, t), x̂₀, ε̂, u, var_t, s, log q_t

for independent x₀ and x₁, x₁ from a Gaussian mixture (N(0, I) is one). Data are a cloud of points
(:class:`EmpiricalOracle`) or a mixture (:class:`MixtureOracle`); :func:`oracle_for` picks.
"""

from __future__ import annotations

from fmstudio.flow.densities.cloud import PointCloud
from fmstudio.flow.densities.density import Density
from fmstudio.flow.densities.mixture import GaussianMixture
from fmstudio.flow.oracle.empirical import EmpiricalOracle
from fmstudio.flow.oracle.mixture import MixtureOracle
from fmstudio.flow.oracle.oracle import Ends, Moments, Oracle
from fmstudio.flow.paths.path import Path

__all__ = ["EmpiricalOracle", "Ends", "MixtureOracle", "Moments", "Oracle", "oracle_for"]


def oracle_for(path: Path, density: Density, source: GaussianMixture) -> Oracle:
    """The oracle of a path between a density and a source.

    Args:
        path: of the particles.
        density: the law of x₀, a cloud of points or a Gaussian mixture.
        source: the law of x₁, independent of x₀.

    Raises:
        TypeError: a density that is neither: draw points from it and use their cloud.
    """
    if isinstance(density, PointCloud):
        return EmpiricalOracle(path, density, source)
    if isinstance(density, GaussianMixture):
        return MixtureOracle(path, density, source)
    raise TypeError(
        f"Expected a PointCloud or a GaussianMixture; got {type(density).__name__}. "
        "Draw points from it and use their PointCloud."
    )
