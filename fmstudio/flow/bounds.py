"""Bounds: a predicted data point is held inside the box of the data.

A net that predicts ε or the score says x̂₀ only through a division by a: near t = 1 its error is multiplied
by σ/|a| without end, and a particle that is thrown out comes to places where the net was never trained. The
exact x̂₀ is a mean of data points, so it lies in every convex set that holds them, and moving a prediction
to the nearest point of such a set brings it nearer to the exact one, wherever it was.

Samplers of ε-models do the same with the range of a pixel (Ho et al. 2020, arXiv:2006.11239, their code's
``clip_denoised``; Saharia et al. 2022, arXiv:2205.11487, section 2.3, "static thresholding"). Nearer to t = 1
than σ = ``MOST_AMPLIFIED`` |a| a net is not asked at all: ε says nothing of the data where a = 0 (Lin et al.
2023, arXiv:2305.08891, section 3.2).
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from fmstudio.flow.densities.cloud import PointCloud
from fmstudio.flow.densities.density import Density
from fmstudio.flow.densities.mixture import GaussianMixture

#: By how much the error of ε may be multiplied in x̂₀: with more, particles are thrown about; with less, a net
#: is asked too late. tests/learn/test_kept_inside.py measures what it is for.
MOST_AMPLIFIED = 20.0
#: A mixture has no end; its box goes so many standard deviations beyond the means, where 6e-7 are left.
DEVIATIONS = 5.0


@dataclass(frozen=True, eq=False)
class Box:
    """All x with low ≤ x ≤ high in every coordinate.

    Args:
        low, high: shape (d,).
    """

    low: Tensor
    high: Tensor

    @staticmethod
    def around(density: Density) -> Box:
        """The smallest box that holds a cloud; of a mixture, ``DEVIATIONS`` beyond every component's mean.

        Raises:
            TypeError: a density that is neither.
        """
        if isinstance(density, PointCloud):
            return Box(*density.points.aminmax(dim=0))
        if isinstance(density, GaussianMixture):
            reach = DEVIATIONS * density.covariances.diagonal(dim1=1, dim2=2).sqrt()
            return Box((density.means - reach).amin(0), (density.means + reach).amax(0))
        raise TypeError(f"Expected a PointCloud or a GaussianMixture; got {type(density).__name__}.")

    def hold(self, x: Tensor) -> Tensor:
        """The nearest point of the box to each of the points (n, d)."""
        return x.clamp(self.low.to(x), self.high.to(x))

    def holds(self, x: Tensor) -> Tensor:
        """Whether each coordinate is inside, shape (n, d): the derivative of :meth:`hold`, 1 or 0."""
        return (x >= self.low.to(x)) & (x <= self.high.to(x))
