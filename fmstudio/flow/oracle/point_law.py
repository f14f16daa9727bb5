"""The posterior over a cloud of points at given rows (x, t), at the precision that each row needs.

Given the source component k, x_t is Gaussian around A x₀⁽ⁱ⁾ + B m_k with C_k = B Σ_k Bᵀ + γ² I, so with
y = x − B m_k

    w_ik(x, t) ∝ p_k N(y; A x₀⁽ⁱ⁾, C_k),        log w_ik = (Aᵀ C_k⁻¹ y) · x₀ − ½ x₀ᵀ (Aᵀ C_k⁻¹ A) x₀ + const:

attention with a query for (x, t, k) and the features of the points as keys and values, which returns the
normaliser, the mean and the covariance of x₀ given (x, k) in memory O(N + n).

Where σ is small the expanded square loses digits. Rows are therefore sorted by how large log w can be: the
mildest go through float32 attention (the velocity only), most through float64 attention, and the extreme
ones through float64 differences x − A x₀⁽ⁱ⁾, as do all rows when a gradient is asked for. Where σ is small
beside the cloud, rows that lie together are answered from the points near them, around a centre of their
own (:mod:`fmstudio.flow.oracle.neighbourhoods`): fewer points, and mostly small log w.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from fmstudio.flow.densities.mixture import GaussianMixture
from fmstudio.flow.oracle import attention
from fmstudio.flow.oracle.linear_gaussian import (
    LimitCoefficients,
    apply,
    conjugate,
    inverse,
    limit_coefficients,
    noise_covariance,
    sandwich,
    scalar,
    trace,
    turn,
)
from fmstudio.flow.oracle.neighbourhoods import neighbourhoods
from fmstudio.flow.paths.path import Path

#: Largest term of log w for which float32 keeps the velocity's relative error below 1e-3.
FLOAT32_REACH = 5e2
#: The same for float64 and the moments.
FLOAT64_REACH = 1e10
#: Points are left out where together they weigh less than e^−36 of the heaviest: less than float64 resolves.
DEPTH = 36.0
#: Radius of the cloud, in standard deviations of x_t | x₀, from which on leaving points out pays.
WIDE = 20.0
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


class _Form(NamedTuple):
    """log w = l · x₀ + x₀ᵀ S x₀ + const at n rows.

    Args:
        pull: C_k⁻¹ y, shape (K, d, n).
        linear: l, shape (K, d, n).
        quadratic: S, shape (K, d, d, m).
        size: how large a term can be, over the points and k, shape (n,).
    """

    pull: Tensor
    linear: Tensor
    quadratic: Tensor
    size: Tensor


@dataclass(frozen=True, eq=False)
class PointLaw:
    """x_t given (x₀, k) at n rows, all that a query needs; m = 1 or n, float64, coordinates before rows.

    Args:
        cloud: the points.
        w: the path at the rows.
        y: x − A·centre − B m_k, shape (K, d, n).
        still: whether σ = 0, where only the nearest point has weight, shape (m,).
        precision: C_k⁻¹, shape (K, d, d, m); the identity where still.
        constant: log of p_k / N and the Gaussian's normaliser, shape (K, m).
    """

    cloud: CentredPoints
    w: LimitCoefficients
    y: Tensor
    still: Tensor
    precision: Tensor
    constant: Tensor

    @classmethod
    def at(
        cls, path: Path, cloud: CentredPoints, source: GaussianMixture, x: Tensor, times: Tensor
    ) -> PointLaw:
        """For points x (n, d) and times (1,) or (n,), float64."""
        w = limit_coefficients(path, times)
        noise = noise_covariance(w, source.covariances.double()[..., None])
        still = trace(noise[:1])[0] == 0
        unit = scalar(torch.ones_like(w.gamma), x.shape[1])
        precision, log_det = inverse(torch.where(still, unit, noise))
        centre, means = turn(w.a, cloud.centre[None, :, None]), turn(w.b, source.means.double()[..., None])
        prior = source.weights.double().log() - math.log(len(cloud.points))
        constant = prior[:, None] - (log_det + x.shape[1] * math.log(2 * math.pi)) / 2
        return cls(cloud, w, x.double().T - centre - means, still, precision, constant)

    def log_pairs(self) -> Tensor:
        """log of p_k/N × N(x; A x₀⁽ⁱ⁾ + B m_k, C_k), shape (K, n, N), from differences.

        At σ = 0 its limit but for a number common to all pairs: log p_k/N for the nearest point, −inf for
        the others.
        """
        y, map_ = self._whitened()
        distance = torch.zeros((), dtype=torch.float64, device=y.device)
        for axis in range(y.shape[1]):
            at = torch.einsum("kjm,pj->kmp", map_[:, axis], self.cloud.points)
            distance = distance + (y[:, axis, :, None] - at).square()
        if bool(self.still.any()):
            nearest = distance.argmin(-1, keepdim=True)
            limit = torch.full_like(distance, torch.inf).scatter(-1, nearest, 0.0)
            distance = torch.where(self.still[:, None], limit, distance)
        return self.constant[..., None] - distance / 2

    def _whitened(self) -> tuple[Tensor, Tensor]:
        """y where C_k is the identity, shape (K, d, n), and the map of points to there, (K, d, d, m)."""
        whiten = torch.linalg.cholesky(self.precision.permute(0, 3, 1, 2)).permute(0, 3, 2, 1)
        return apply(whiten, self.y), turn(conjugate(self.w.a), whiten, dim=2)

    def by_differences(self) -> tuple[Tensor, Tensor, Tensor]:
        """What :meth:`attend` returns, with all pairs written out; differentiable in x."""
        log, points = self.log_pairs(), self.cloud.points
        weight = torch.softmax(log, -1)
        first = (weight @ points).transpose(1, 2)
        # Σ w (x₀ − x̂₀)(x₀ − x̂₀)ᵀ, entry by entry: the differences keep every digit.
        off = [column - first[:, i, :, None] for i, column in enumerate(points.T)]
        cov = torch.stack([torch.stack([(weight * p * q).sum(-1) for q in off], 1) for p in off], 1)
        return torch.logsumexp(log, -1), first, cov

    def attend(self, fast: bool) -> tuple[Tensor, Tensor, Tensor]:
        """The posterior given each source component.

        Args:
            fast: whether float32 may be used where it is accurate enough for E[x₀ | x, k].

        Returns:
            log q_t(x, k), shape (K, n); E[x₀ | x, k] from the centre, (K, d, n); Cov[x₀ | x, k],
            (K, d, d, n), not to be used after ``fast``.
        """
        one_time = len(self.still) == 1 and not bool(self.still.any())
        if one_time and not (fast and bool((self._form().size < FLOAT32_REACH).all())):
            places, map_ = self._whitened()
            if float(map_.square().sum((1, 2)).amax().sqrt()) * self.cloud.radius > WIDE:
                return self._attend_nearby(fast, places, map_[..., 0])
        return self._attend_all(fast)

    def _attend_nearby(self, fast: bool, places: Tensor, map_: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """:meth:`attend` for rows of one time, group by group from the points that count there."""
        points, (count, dim, n) = self.cloud.points, self.y.shape
        lse, first = self.y.new_empty(count, n), self.y.new_empty(count, dim, n)
        cov = self.y.new_empty(count, dim, dim, n)
        depth = DEPTH + math.log(len(points))
        for k in range(count):
            one = slice(k, k + 1)
            for rows, near in neighbourhoods(places[k].T, points @ map_[k].T, depth):
                cloud = CentredPoints.of(points[near])
                y = self.y[one, :, rows] - turn(self.w.a, cloud.centre[None, :, None])
                law = PointLaw(cloud, self.w, y, self.still, self.precision[one], self.constant[one])
                lse[one, rows], part, cov[one, :, :, rows] = law._attend_all(fast)
                first[one, :, rows] = part + cloud.centre[:, None]
        return lse, first, cov

    def _attend_all(self, fast: bool) -> tuple[Tensor, Tensor, Tensor]:
        """:meth:`attend` with every point for every row, each row at the precision that it needs."""
        form, cloud = self._form(), self.cloud
        single = (form.size < FLOAT32_REACH) & fast
        extreme = form.size > FLOAT64_REACH
        queries = attention.query(form.linear, form.quadratic, cloud.keys.shape[1])
        lse = queries.new_empty(queries.shape[:2])
        mean = torch.empty_like(queries, memory_format=torch.contiguous_format)
        for rows, keys in ((single, cloud.keys32), (~(single | extreme), cloud.keys)):
            if bool(rows.all()):
                part_lse, part_mean = attention.attend(queries.to(keys.dtype), keys)
                lse, mean = part_lse.double(), part_mean.double()
            elif bool(rows.any()):
                part_lse, part_mean = attention.attend(queries[:, rows].to(keys.dtype), keys)
                lse[:, rows], mean[:, rows] = part_lse.double(), part_mean.double()
        first, cov = attention.moments_of(mean, form.linear.shape[1])
        lse = lse + self.constant - (self.y * form.pull).sum(1) / 2
        for index in self._blocks(extreme):
            lse[:, index], first[..., index], cov[..., index] = self.rows(index).by_differences()
        return lse, first, cov

    def _form(self) -> _Form:
        """log w as a quadratic form in the points."""
        back, radius = conjugate(self.w.a), self.cloud.radius
        pull = apply(self.precision, self.y)
        linear, quadratic = turn(back, pull), sandwich(back, self.precision, back) / -2
        size = linear.square().sum(1).sqrt() * radius + quadratic.square().sum((1, 2)).sqrt() * radius**2
        return _Form(pull, linear, quadratic, size.amax(0))

    def _blocks(self, rows: Tensor) -> Iterator[Tensor]:
        """Indices of the rows, as many at a time as may be written out."""
        index = rows.nonzero().squeeze(1)
        yield from index.split(row_count(self.cloud, len(self.y))) if len(index) else ()

    def rows(self, index: Tensor) -> PointLaw:
        """The law at some of the rows."""
        still, precision, constant = (
            v if v.shape[-1] == 1 else v[..., index] for v in (self.still, self.precision, self.constant)
        )
        y = self.y[..., index]
        return PointLaw(self.cloud, self.w.rows(index), y, still, precision, constant)


def row_count(cloud: CentredPoints, components: int) -> int:
    """How many rows may be written out against all points at once."""
    return max(1, PAIRS // (len(cloud.points) * components))
