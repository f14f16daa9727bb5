"""The oracle of a cloud of points: exact answers from the posterior over the points.

With x̂₀ and Cov[x₀] given (x, k), for a source component k (:mod:`fmstudio.flow.point_law`), everything is
linear in x₀; with r̂ = x − B m_k − A x̂₀,

    u_k = A′x̂₀ + B′m_k + G_k r̂,        G_k = (B′Σ_k Bᵀ + γγ′I) C_k⁻¹,        s_k = −C_k⁻¹ r̂
    var_k = tr Var[b′x₁ + γ′z | x, x₀, k] + tr H_k Cov[x₀] H_kᵀ,        H_k = A′ − G_k A.

For N(0, I) and no latent this is u = a′x̂₀ + b′ε̂ and var = (a′ − b′a/b)² tr Cov[x₀].
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from fmstudio.flow.densities import GaussianMixture, PointCloud
from fmstudio.flow.linear_gaussian import inverse, maps, noise_law, times_for, trace, turn
from fmstudio.flow.paths import Path, draw_like
from fmstudio.flow.point_law import CentredPoints, PointLaw, row_count
from fmstudio.flow.posterior import Ends, Oracle, Parts, categories, pick


@dataclass(frozen=True, eq=False)
class EmpiricalOracle(Oracle):
    """Exact answers for x₀ drawn from N points with weight 1/N each; memory O(N + n).

    As t → 0 the posterior tends to the nearest point. At t = 0 itself x is taken as that point and x₁, z
    as still unknown: u = a′x₀ + b′E[x₁], which a solver can use, where the limit at fixed x away from the
    points would be infinite. There is no density and no score at t = 0.

    Where x asks for a gradient, all n·N·K weights are written out and every answer is differentiable.

    Args:
        path: of the particles.
        cloud: the points x₀⁽ⁱ⁾, up to some 100,000.
        source: the law of x₁, a Gaussian mixture of K components; the cost grows with K.

    Raises:
        ValueError: cloud and source of different dimensions.
    """

    path: Path
    cloud: PointCloud
    source: GaussianMixture
    _points: CentredPoints = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.cloud.dim != self.source.dim:
            raise ValueError(
                f"Data and source need one dimension; got {self.cloud.dim} and {self.source.dim}."
            )
        object.__setattr__(self, "_points", CentredPoints.of(self.cloud.points))

    def given(self, label: int) -> EmpiricalOracle:
        """The oracle of the points of one class."""
        return EmpiricalOracle(self.path, self.cloud.given(label), self.source)

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        """u(x, t), shape (n, d); in float32 where that is accurate to 1e-3."""
        parts = self._parts(x, t, fast=True)
        return parts.mean(parts.u).to(x.dtype)

    def parts(self, x: Tensor, t: Tensor) -> Parts:
        """The answers given each of the K source components."""
        return self._parts(x, t, fast=False)

    def weights(self, x: Tensor, t: Tensor) -> Tensor:
        """w(x₀⁽ⁱ⁾ | x, t), shape (n, N), in float64; memory O(n N K)."""
        log = self._law(x, times_for(t, x)).log_pairs()
        return torch.softmax(log.flatten(1), -1).unflatten(1, (-1, len(self.cloud))).sum(1)

    def draw(self, x: Tensor, t: Tensor, count: int, generator: torch.Generator) -> Ends:
        """Draw (point, source component) from their weights, then x₁ and z from their Gaussian given x.

        At t = 0 every path through x starts at the nearest point; x₁ and z are drawn from their laws.
        """
        with torch.no_grad():
            times = times_for(t, x)
            k, point = self._draw_pairs(x, times, count, generator)
            m = maps(self.path, times, x.shape[1], exact_position=True)
            means, covariances = (
                v.to(x.device, torch.float64) for v in (self.source.means, self.source.covariances)
            )
            x0 = (self._points.points + self._points.centre)[point]
            x1 = means[k] + turn(self.source.factors.to(x.device)[k], draw_like(x0, generator))
            z = draw_like(x0, generator)
            # A draw from the prior, moved onto the plane a x₀ + b x₁ + γ z = x; at σ = 0 it stays.
            noise = noise_law(m, covariances)[0]
            inside = (trace(noise) > 0)[..., None, None]
            eye = torch.eye(x.shape[1], dtype=noise.dtype, device=x.device)
            precision = torch.where(inside, inverse(torch.where(inside, noise, eye))[0], 0.0)
            miss = x.double()[:, None] - turn(m.a, x0) - turn(m.b, x1) - m.gamma[..., None] * z
            pull = turn(pick(precision, k), miss)
            x1 = x1 + turn(covariances[k] @ m.b.mT, pull)
            z = z + m.gamma[..., None] * pull
            return Ends(x0.to(x), x1.to(x), z.to(x) if self.path.has_latent else None)

    def _draw_pairs(
        self, x: Tensor, times: Tensor, count: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Indices of source components and points from their joint weights, each (n, count)."""
        found = []
        for law in self._blocks(x, times):
            log = law.log_pairs().flatten(1)
            found.append(categories((log - log.amax(-1, keepdim=True)).exp_(), count, generator))
        index = torch.cat(found) if found else torch.zeros(0, count, dtype=torch.int64, device=x.device)
        return index // len(self.cloud), index % len(self.cloud)

    def _law(self, x: Tensor, times: Tensor) -> PointLaw:
        return PointLaw.at(self.path, self._points, self.source, x, times)

    def _blocks(self, x: Tensor, times: Tensor) -> Iterator[PointLaw]:
        """The law of blocks of rows, small enough to write out all pairs."""
        size = row_count(self._points, len(self.source.means))
        for start in range(0, len(x), size):
            part = slice(start, start + size)
            yield self._law(x[part], times if len(times) == 1 else times[part])

    def _parts(self, x: Tensor, t: Tensor, fast: bool) -> Parts:
        times = times_for(t, x)
        at_data = self.path.at(times).variance == 0
        if bool(at_data.all()):
            return self._parts_at_data(x, times)
        if not bool(at_data.any()):
            return self._parts_inside(x, times, fast)
        inside = ~at_data
        return _join(
            at_data,
            self._parts_at_data(x[at_data], times[at_data]),
            self._parts_inside(x[inside], times[inside], fast),
        )

    def _parts_inside(self, x: Tensor, times: Tensor, fast: bool) -> Parts:
        law = self._law(x, times)
        if torch.is_grad_enabled() and x.requires_grad:
            log_weight, first, cov = law.by_differences()
        else:
            log_weight, first, cov = law.attend(fast)
        m = law.maps
        r = law.y - turn(m.a, first)
        pull = turn(law.precision, r)
        gain = law.cross @ law.precision
        lean = m.da - gain @ m.a
        within = torch.zeros_like(law.spread)
        if self.path.has_latent:
            within = (law.spread - trace(gain @ law.cross.mT)).clamp(min=0)
        within = torch.where(m.endless[:, None], torch.inf, within)
        x0 = first + self._points.centre
        return Parts(
            log_weight=log_weight,
            x0=x0,
            x1=law.means + turn(law.covariances @ m.b.mT, pull),
            u=turn(m.da, x0) + turn(m.db, law.means[None]) + turn(gain, r),
            score=-pull,
            var=within + trace(lean @ cov @ lean.mT).clamp(min=0),
            jacobian=gain + lean @ cov @ m.a.mT @ law.precision,
        )

    def _parts_at_data(self, x: Tensor, times: Tensor) -> Parts:
        """The limit σ = 0: x is its nearest point, the source keeps its own law."""
        m = maps(self.path, times, x.shape[1])
        means = self.source.means.to(x.device, torch.float64)
        log_prior = self.source.weights.double().log().to(x.device)
        spread = noise_law(m, self.source.covariances.to(means))[2]
        nearest = torch.cat([law.log_pairs()[:, 0].argmax(-1) for law in self._blocks(x, times)])
        x0 = (self._points.points[nearest] + self._points.centre)[:, None]
        shape = (len(x), len(means), x.shape[1])
        still = torch.zeros(shape, dtype=torch.float64, device=x.device)
        return Parts(
            log_weight=log_prior.expand(shape[:2]),
            x0=x0.expand(shape),
            x1=means.expand(shape),
            u=turn(m.da, x0) + turn(m.db, means[None]),
            score=still,
            var=torch.where(m.endless[:, None], torch.inf, spread).expand(shape[:2]),
            jacobian=still[..., None].expand(*shape, shape[-1]),
            refusal=f"{type(self.path).__name__} path has no score at t = 0 for a cloud of points (σ = 0); "
            "got t = 0.0. Use t ≥ 1e-3.",
        )


def _join(rows: Tensor, first: Parts, rest: Parts) -> Parts:
    """Two answers put back in their order: the first at ``rows``, the rest elsewhere."""

    def both(p: Tensor, q: Tensor) -> Tensor:
        out = q.new_empty(len(rows), *q.shape[1:])
        out = out.index_put((rows,), p.expand(len(first.u), *p.shape[1:]))
        return out.index_put((~rows,), q.expand(len(rest.u), *q.shape[1:]))

    return Parts(
        both(first.log_weight, rest.log_weight),
        both(first.x0, rest.x0),
        both(first.x1, rest.x1),
        both(first.u, rest.u),
        both(first.score, rest.score),
        both(first.var, rest.var),
        both(first.jacobian, rest.jacobian),
        first.refusal,
    )
