"""The posterior over a cloud of points at given rows (x, t), at the precision that each row needs.

Given the source component k, x_t is Gaussian around A x₀⁽ⁱ⁾ + B m_k with C_k = B Σ_k Bᵀ + γ² I, so with
y = x − B m_k

    w_ik(x, t) ∝ p_k N(y; A x₀⁽ⁱ⁾, C_k),        log w_ik = (Aᵀ C_k⁻¹ y) · x₀ − ½ x₀ᵀ (Aᵀ C_k⁻¹ A) x₀ + const:

attention with a query for (x, t, k) and the features of the points as keys and values, which returns the
normaliser, the mean and the covariance of x₀ given (x, k) in memory O(N + n).

Where σ is small the expanded square loses digits. Rows are therefore sorted by how large log w can be: the
mildest go through float32 attention (the velocity only), most through float64 attention, and the extreme
ones through float64 differences x − A x₀⁽ⁱ⁾, as do all rows when a gradient is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from fmstudio.flow import attention
from fmstudio.flow.densities import GaussianMixture
from fmstudio.flow.linear_gaussian import Maps, inverse, maps, noise_law, trace, turn
from fmstudio.flow.paths import Path

#: Largest term of log w for which float32 keeps the velocity's relative error below 1e-3.
FLOAT32_REACH = 5e2
#: The same for float64 and the moments.
FLOAT64_REACH = 1e10
#: Pairs (row, component, point) held at once where weights are written out.
PAIRS = 1 << 21


@dataclass(frozen=True, eq=False)
class CentredPoints:
    """A cloud around its mean, ready for attention.

    Args:
        centre: the mean, shape (d,), float64.
        points: x₀⁽ⁱ⁾ − mean, shape (N, d), float64.
        keys, keys32: their features in float64 and float32, shape (N, F).
        radius: largest |x₀⁽ⁱ⁾ − mean|.
    """

    centre: Tensor
    points: Tensor
    keys: Tensor
    keys32: Tensor
    radius: float

    @classmethod
    def of(cls, points: Tensor) -> CentredPoints:
        """From points of shape (N, d), any floating dtype."""
        points = points.double()
        centre = points.mean(0)
        keys = attention.features(points - centre)
        radius = float((points - centre).norm(dim=1).max())
        return cls(centre, points - centre, keys, keys.float(), radius)


@dataclass(frozen=True, eq=False)
class PointLaw:
    """x_t given (x₀, k) at n rows, all that a query needs; m = 1 or n, float64.

    Args:
        cloud: the points.
        maps: the path at the rows.
        means, covariances: of the source, shapes (K, d) and (K, d, d).
        y: x − A·centre − B m_k, shape (n, K, d).
        still: whether σ = 0, where only the nearest point has weight, shape (m, 1).
        precision: C_k⁻¹, shape (m, K, d, d); the identity where still.
        cross, spread: Cov[v, x_t | x₀, k], (m, K, d, d), and tr Cov[v | x₀, k], (m, K).
        constant: log of p_k / N and the Gaussian's normaliser, shape (m, K).
    """

    cloud: CentredPoints
    maps: Maps
    means: Tensor
    covariances: Tensor
    y: Tensor
    still: Tensor
    precision: Tensor
    cross: Tensor
    spread: Tensor
    constant: Tensor

    @classmethod
    def at(
        cls, path: Path, cloud: CentredPoints, source: GaussianMixture, x: Tensor, times: Tensor
    ) -> PointLaw:
        """For points x (n, d) and times (1,) or (n,), float64."""
        means, covariances = (v.to(x.device, torch.float64) for v in (source.means, source.covariances))
        m = maps(path, times, x.shape[1], exact_position=True)
        noise, cross, spread = noise_law(m, covariances)
        still = trace(noise[:, :1]) == 0
        eye = torch.eye(x.shape[1], dtype=torch.float64, device=x.device)
        precision, log_det = inverse(torch.where(still[..., None, None], eye, noise))
        y = x.double()[:, None] - turn(m.a, cloud.centre[None, None]) - turn(m.b, means[None])
        prior = source.weights.double().log().to(x.device) - math.log(len(cloud.points))
        constant = prior - (log_det + x.shape[1] * math.log(2 * math.pi)) / 2
        return cls(cloud, m, means, covariances, y, still, precision, cross, spread, constant)

    def log_pairs(self) -> Tensor:
        """log of p_k/N × N(x; A x₀⁽ⁱ⁾ + B m_k, C_k), shape (n, K, N), from differences.

        At σ = 0 its limit but for a number common to all pairs: log p_k/N for the nearest point, −inf for
        the others.
        """
        whiten = torch.linalg.cholesky(self.precision).mT
        y, points = turn(whiten, self.y), (whiten @ self.maps.a) @ self.cloud.points.mT
        distance = torch.zeros((), dtype=torch.float64, device=y.device)
        for axis in range(y.shape[-1]):
            distance = distance + (y[..., axis, None] - points[..., axis, :]).square()
        if bool(self.still.any()):
            nearest = distance.argmin(-1, keepdim=True)
            limit = torch.full_like(distance, torch.inf).scatter(-1, nearest, 0.0)
            distance = torch.where(self.still[..., None], limit, distance)
        return self.constant[..., None] - distance / 2

    def by_differences(self) -> tuple[Tensor, Tensor, Tensor]:
        """What :meth:`attend` returns, with all pairs written out; differentiable in x."""
        log, points = self.log_pairs(), self.cloud.points
        weight = torch.softmax(log, -1)
        first = weight @ points
        dim = points.shape[1]
        # Σ w (x₀ − x̂₀)(x₀ − x̂₀)ᵀ, entry by entry: the differences keep every digit.
        off = [points[:, i] - first[..., i, None] for i in range(dim)]
        cov = torch.stack([(weight * off[i] * off[j]).sum(-1) for i in range(dim) for j in range(dim)], -1)
        return torch.logsumexp(log, -1), first, cov.unflatten(-1, (dim, dim))

    def attend(self, fast: bool) -> tuple[Tensor, Tensor, Tensor]:
        """The posterior given each source component.

        Args:
            fast: whether float32 may be used where it is accurate enough for E[x₀ | x, k].

        Returns:
            log q_t(x, k), shape (n, K); E[x₀ | x, k] from the centre, (n, K, d); Cov[x₀ | x, k],
            (n, K, d, d), not to be used after ``fast``.
        """
        m, radius = self.maps, self.cloud.radius
        linear = turn(m.a.mT @ self.precision, self.y)
        quadratic = -(m.a.mT @ self.precision @ m.a) / 2
        size = (linear.norm(dim=-1) * radius + quadratic.norm(dim=(-2, -1)) * radius**2).amax(-1)
        single = (size < FLOAT32_REACH) & fast
        extreme = size > FLOAT64_REACH
        queries = attention.query(linear, quadratic, self.cloud.keys.shape[1]).transpose(0, 1)
        lse = linear.new_empty(linear.shape[:2])
        mean = linear.new_empty(*linear.shape[:2], self.cloud.keys.shape[1])
        for rows, keys in ((single, self.cloud.keys32), (~(single | extreme), self.cloud.keys)):
            if bool(rows.any()):
                q = (queries if bool(rows.all()) else queries[:, rows]).to(keys.dtype)
                part_lse, part_mean = attention.attend(q, keys)
                lse[rows], mean[rows] = part_lse.T.double(), part_mean.transpose(0, 1).double()
        first, cov = attention.moments_of(mean, linear.shape[-1])
        lse = lse + self.constant - (self.y * turn(self.precision, self.y)).sum(-1) / 2
        for index in self._blocks(extreme):
            lse[index], first[index], cov[index] = self.rows(index).by_differences()
        return lse, first, cov

    def _blocks(self, rows: Tensor) -> Iterator[Tensor]:
        """Indices of the rows, as many at a time as may be written out."""
        index = rows.nonzero().squeeze(1)
        yield from index.split(row_count(self.cloud, len(self.means))) if len(index) else ()

    def rows(self, index: Tensor) -> PointLaw:
        """The law at some of the rows."""

        def some(v: Tensor) -> Tensor:
            return v if len(v) == 1 else v[index]

        m = self.maps
        path = (m.a, m.b, m.da, m.db, m.gamma, m.dgamma, m.gamma_dgamma, m.endless)
        return PointLaw(
            self.cloud,
            Maps(*map(some, path)),
            self.means,
            self.covariances,
            # y has one row for each point even where there is only one.
            self.y[index],
            *map(some, (self.still, self.precision, self.cross, self.spread, self.constant)),
        )


def row_count(cloud: CentredPoints, components: int) -> int:
    """How many rows may be written out against all points at once."""
    return max(1, PAIRS // (len(cloud.points) * components))
