"""The oracle of a cloud of points: exact answers from the posterior over the points.

With x̂₀ and Cov[x₀] given (x, k), for a source component k (:mod:`fmstudio.flow.oracle.point_law`), all is
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

from fmstudio.flow.densities.cloud import PointCloud
from fmstudio.flow.densities.mixture import GaussianMixture
from fmstudio.flow.oracle.linear_gaussian import (
    apply,
    conjugate,
    inverse,
    limit_coefficients,
    noise_covariance,
    noise_cross,
    noise_spread,
    product,
    scalar,
    times_for,
    trace,
    turn,
)
from fmstudio.flow.oracle.oracle import Drawn, Oracle, Parts, Rest, categories, check_dims, matvec, pick
from fmstudio.flow.oracle.point_law import CentredPoints, PointLaw, row_count
from fmstudio.flow.paths.path import Path, draw_like


class PointParts(Parts):
    """The answers given each of the K source components, at rows where σ > 0.

    Args:
        law: of the points at the rows.
        source: the law of x₁.
        posterior: log q_t(x, k), E[x₀ | x, k] from the centre and Cov[x₀ | x, k].
        has_latent: whether v is still uncertain given x and x₀.
    """

    def __init__(
        self,
        law: PointLaw,
        source: GaussianMixture,
        posterior: tuple[Tensor, Tensor, Tensor],
        has_latent: bool,
    ) -> None:
        self.law, self.has_latent = law, has_latent
        self.means, self.covariances = (
            source.means.double()[..., None],
            source.covariances.double()[..., None],
        )
        self.log_weight, first, self.spread = posterior
        w = law.w
        r = law.y - turn(w.a, first)
        self.pull = apply(law.precision, r)
        self.score = -self.pull
        self.cross = noise_cross(w, self.covariances)
        self.x0 = first + law.cloud.centre[:, None]
        self.u = turn(w.da, self.x0) + turn(w.db, self.means) + apply(self.cross, self.pull)

    def work_out(self) -> Rest:
        """ε̂ = m_k + Σ_k Bᵀ C_k⁻¹ r̂; var; ∂u/∂x = G_k + H_k Cov[x₀] Aᵀ C_k⁻¹."""
        law, w = self.law, self.law.w
        x1 = self.means + apply(self.covariances, turn(conjugate(w.b), self.pull))
        gain = product(self.cross, law.precision)
        unit = scalar(torch.ones_like(w.gamma), gain.shape[1])
        lean = turn(w.da, unit) - turn(conjugate(w.a), gain, dim=2)
        moved = product(lean, self.spread)
        var = (moved * lean).sum((1, 2)).clamp(min=0)
        if self.has_latent:
            known = (gain * self.cross).sum((1, 2))
            var = var + (noise_spread(w, self.covariances) - known).clamp(min=0)
        jacobian = gain + product(turn(w.a, moved, dim=2), law.precision)
        return Rest(self.x0, x1, torch.where(w.endless, torch.inf, var), jacobian)


@dataclass(frozen=True, eq=False)
class KnownParts(Parts):
    """Answers that are known as they are; fields as in :class:`Parts`."""

    log_weight: Tensor
    u: Tensor
    score: Tensor
    known: Rest
    refusal: str = ""

    def work_out(self) -> Rest:
        """The answers."""
        return self.known


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
        check_dims(self.cloud, self.source)
        object.__setattr__(self, "_points", CentredPoints.of(self.cloud.points))

    def given(self, label: int) -> EmpiricalOracle:
        """The oracle of the points of one class."""
        return EmpiricalOracle(self.path, self.cloud.given(label), self.source)

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        """u(x, t), shape (n, d); in float32 where that is accurate to 1e-3."""
        return self._parts(x, t, fast=True).velocity(x)

    def blocks(self, x: Tensor, t: Tensor) -> Iterator[Parts]:
        """The answers given each of the K source components, all rows at once."""
        yield self._parts(x, t, fast=False)

    def weights(self, x: Tensor, t: Tensor) -> Tensor:
        """w(x₀⁽ⁱ⁾ | x, t), shape (n, N), in float64; memory O(n N K)."""
        log = self._law(x, times_for(t, x)).log_pairs()
        return torch.softmax(log.transpose(0, 1).flatten(1), -1).unflatten(1, (len(log), -1)).sum(1)

    def components(self, x: Tensor, t: Tensor, count: int, generator: torch.Generator) -> Drawn:
        """Draw points with source components from their weights, and x₁ from the component's Gaussian."""
        times = times_for(t, x)
        k, point = self._draw_pairs(x, times, count, generator)
        w, covariances = limit_coefficients(self.path, times), self.source.covariances.double()
        x0, cov1 = self.cloud.points.double()[point], covariances[k]
        x1 = self.source.means.double()[k] + matvec(self.source.factors[k], draw_like(x0, generator))
        noise = noise_covariance(w, covariances[..., None])
        # At σ = 0 nothing is moved.
        inside = trace(noise[:1])[0] > 0
        unit = scalar(torch.ones_like(w.gamma), x.shape[1])
        precision = inverse(torch.where(inside, noise, unit))[0] * inside
        return Drawn(x0, x1, torch.zeros_like(cov1), cov1, pick(precision, k))

    def _draw_pairs(
        self, x: Tensor, times: Tensor, count: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Indices of source components and points from their joint weights, each (n, count)."""
        found = []
        for law in self._laws(x, times):
            log = law.log_pairs().transpose(0, 1).flatten(1)
            found.append(categories((log - log.amax(-1, keepdim=True)).exp_(), count, generator))
        index = torch.cat(found)
        return index // len(self.cloud), index % len(self.cloud)

    def _law(self, x: Tensor, times: Tensor) -> PointLaw:
        return PointLaw.at(self.path, self._points, self.source, x, times)

    def _laws(self, x: Tensor, times: Tensor) -> Iterator[PointLaw]:
        """The law of blocks of rows, small enough to write out all pairs."""
        size = row_count(self._points, len(self.source.means))
        for start in range(0, max(len(x), 1), size):
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
        differentiable = torch.is_grad_enabled() and x.requires_grad
        posterior = law.by_differences() if differentiable else law.attend(fast)
        return PointParts(law, self.source, posterior, self.path.has_latent)

    def _parts_at_data(self, x: Tensor, times: Tensor) -> Parts:
        """The limit σ = 0: x is its nearest point, the source keeps its own law."""
        w = limit_coefficients(self.path, times)
        means = self.source.means.double()[..., None]
        count, dim, n = len(means), x.shape[1], len(x)
        nearest = torch.cat([law.log_pairs()[0].argmax(-1) for law in self._laws(x, times)])
        x0 = self.cloud.points.double()[nearest].T
        still = torch.zeros(count, dim, n, dtype=torch.float64, device=x.device)
        spread = noise_spread(w, self.source.covariances.double()[..., None])
        known = Rest(
            x0=x0.expand(count, dim, n),
            x1=means.expand(count, dim, n),
            var=torch.where(w.endless, torch.inf, spread),
            jacobian=still[:, None].expand(count, dim, dim, n),
        )
        return KnownParts(
            log_weight=self.source.weights.double().log()[:, None].expand(count, n),
            u=turn(w.da, x0[None]) + turn(w.db, means),
            score=still,
            known=known,
            refusal=f"{type(self.path).__name__} path has no score at t = 0 for a cloud of points (σ = 0); "
            "got t = 0.0. Use t ≥ 1e-3.",
        )


def _join(rows: Tensor, first: Parts, rest: Parts) -> Parts:
    """Two answers put back in their order: the first at ``rows``, the rest elsewhere."""
    order = torch.cat([rows.nonzero(), (~rows).nonzero()]).squeeze(1).argsort()

    def both(p: Tensor, q: Tensor) -> Tensor:
        p = p.expand(*q.shape[:-1], first.u.shape[-1])
        q = q.expand(*q.shape[:-1], rest.u.shape[-1])
        return torch.cat([p, q], -1)[..., order]

    one, other = first.rest, rest.rest
    known = Rest(
        both(one.x0, other.x0),
        both(one.x1, other.x1),
        both(one.var, other.var),
        both(one.jacobian, other.jacobian),
    )
    return KnownParts(
        both(first.log_weight, rest.log_weight),
        both(first.u, rest.u),
        both(first.score, rest.score),
        known,
        first.refusal,
    )
