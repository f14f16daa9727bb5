"""The oracle of a Gaussian mixture: every quantity in closed form, at every time, with its true density.

With x₀ from component j and x₁ from component k the vector (v, x_t) is Gaussian,

    E x_t = A μ_j + B m_k                  Cov x_t      = A Σ_j Aᵀ + B Σ_k Bᵀ + γ² I    =: C
    E v   = A′ μ_j + B′ m_k                Cov (v, x_t) = A′Σ_j Aᵀ + B′Σ_k Bᵀ + γγ′ I   =: M

so u_jk = E v + M C⁻¹ (x − E x_t), var_jk = tr (Cov v − M C⁻¹ Mᵀ), s_jk = −C⁻¹ (x − E x_t). Data have a
density, so nothing is singular at t = 0 but the velocities that the path itself makes infinite. Where b′ is
infinite at t = 0 (variance preserving) it meets x₁ only through E[x₁ | x_t] = m + b S ∇ log q₀ + …, m and S
the mean and covariance of the whole source: there b′m takes the place of b′m_k, and (b b′) S of B′Σ_k Bᵀ.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from fmstudio.flow.densities.mixture import GaussianMixture
from fmstudio.flow.oracle.linear_gaussian import (
    LimitCoefficients,
    apply,
    conjugate,
    inverse,
    limit_coefficients,
    noise_covariance,
    noise_cross,
    noise_spread,
    product,
    sandwich,
    times_for,
    trace,
    turn,
)
from fmstudio.flow.oracle.oracle import Drawn, Oracle, Parts, Rest, categories, check_dims, matvec, pick
from fmstudio.flow.paths.path import Path, draw_like

#: Numbers (rows × pairs) worked on together: few enough to stay in the cache.
BLOCK = 1 << 15
#: Largest term of log W_c for which the expanded square keeps every digit that a velocity needs.
REACH = 1e8


@dataclass(frozen=True, eq=False)
class ComponentPairs:
    """All pairs (j, k) of a data and a source component, pair (j, k) at j·K + k; float64.

    With one source component its arrays have one row, to be broadcast.

    Args:
        mean0, mean1: μ_j and m_k, shapes (C, d) and (C or 1, d).
        cov0, cov1: Σ_j and Σ_k, shapes (C, d, d, 1) and (C or 1, d, d, 1).
        log_prior: log π_j p_k, shape (C, 1).
        mean, spread: of the whole source, m of shape (1, d) and S − Σ_k of shape (C or 1, d, d, 1).
    """

    mean0: Tensor
    cov0: Tensor
    mean1: Tensor
    cov1: Tensor
    log_prior: Tensor
    mean: Tensor
    spread: Tensor

    @classmethod
    def of(cls, data: GaussianMixture, source: GaussianMixture) -> ComponentPairs:
        """All pairs of components of two mixtures."""
        j, k = len(data.means), len(source.means)
        repeats = j if k > 1 else 1
        prior = data.weights.double()[:, None] * source.weights.double()
        within = source.covariances.double().repeat(repeats, 1, 1)[..., None]
        return cls(
            data.means.double().repeat_interleave(k, 0),
            data.covariances.double().repeat_interleave(k, 0)[..., None],
            source.means.double().repeat(repeats, 1),
            within,
            prior.flatten().log()[:, None],
            source.mean.double()[None],
            source.covariance.double()[None, ..., None] - within,
        )

    def drift(self, w: LimitCoefficients) -> Tensor:
        """E v of each pair, shape (C, d, m)."""
        mean1 = torch.where(w.steep, self.mean[..., None], self.mean1[..., None])
        return turn(w.da, self.mean0[..., None]) + turn(w.db, mean1)

    def covariance(self, w: LimitCoefficients) -> Tensor:
        """Cov x_t of each pair, shape (C, d, d, m)."""
        return sandwich(w.a, self.cov0, w.a) + noise_covariance(w, self.cov1)

    def cross(self, w: LimitCoefficients) -> Tensor:
        """Cov[v, x_t] of each pair, shape (C, d, d, m)."""
        limit = (self.cov1 + self.spread) * w.b_db
        return sandwich(w.da, self.cov0, w.a) + noise_cross(w, self.cov1) + limit


class PairParts(Parts):
    """The answers given each pair of components.

    Args:
        pairs: of components.
        w: the path at the rows' times, shape (m,).
        x: points, shape (n, d).
    """

    def __init__(self, pairs: ComponentPairs, w: LimitCoefficients, x: Tensor) -> None:
        self.pairs, self.w = pairs, w
        mean0, mean1 = pairs.mean0[..., None], pairs.mean1[..., None]
        self.precision, log_det = inverse(pairs.covariance(w))
        r = x.double().T - turn(w.a, mean0) - turn(w.b, mean1)
        self.pull = apply(self.precision, r)
        self.score = -self.pull
        volume = log_det + x.shape[1] * math.log(2 * math.pi)
        self.log_weight = pairs.log_prior - (volume + (r * self.pull).sum(1)) / 2
        self.cross = pairs.cross(w)
        self.u = pairs.drift(w) + apply(self.cross, self.pull)

    def work_out(self) -> Rest:
        """x̂₀ = μ_j + Σ_j Aᵀ C⁻¹ r and ε̂ = m_k + Σ_k Bᵀ C⁻¹ r with r = x − E x_t; var; ∂u/∂x = M C⁻¹."""
        w, pairs = self.w, self.pairs
        x0 = pairs.mean0[..., None] + apply(pairs.cov0, turn(conjugate(w.a), self.pull))
        x1 = pairs.mean1[..., None] + apply(pairs.cov1, turn(conjugate(w.b), self.pull))
        gain = product(self.cross, self.precision)
        total = trace(sandwich(w.da, pairs.cov0, w.da)) + noise_spread(w, pairs.cov1)
        var = (total - (gain * self.cross).sum((1, 2))).clamp(min=0)
        return Rest(x0, x1, torch.where(w.endless, torch.inf, var), gain)


@dataclass(frozen=True, eq=False)
class MixtureOracle(Oracle):
    """Exact answers for data from a Gaussian mixture and a source that is one too.

    Where b′ is infinite at t = 0 (variance preserving), u has a finite limit there only if E[x₁] = 0;
    otherwise it is given with the b′ of t = 1e-6. The cost grows with the number J × K of pairs.

    Args:
        path: of the particles.
        mixture: the law of x₀, J components.
        source: the law of x₁, K components.

    Raises:
        ValueError: mixture and source of different dimensions.
    """

    path: Path
    mixture: GaussianMixture
    source: GaussianMixture
    _pairs: ComponentPairs = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check_dims(self.mixture, self.source)
        object.__setattr__(self, "_pairs", ComponentPairs.of(self.mixture, self.source))

    def given(self, label: int) -> MixtureOracle:
        """The oracle of the components of one class."""
        return MixtureOracle(self.path, self.mixture.given(label), self.source)

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        """u(x, t), shape (n, d); for one time of all rows by two matrix products.

        There log W_c is a quadratic form in x, and u = Σ_c W_c (o_c + M_c x) is linear in it given W.
        """
        times = times_for(t, x)
        if len(times) != 1:
            return super().__call__(x, t)
        w, pairs = limit_coefficients(self.path, times), self._pairs
        precision, log_det = inverse(pairs.covariance(w))
        mean0, mean1 = pairs.mean0[..., None], pairs.mean1[..., None]
        mean = turn(w.a, mean0) + turn(w.b, mean1)
        largest = float(x.detach().abs().amax()) if len(x) else 0.0
        if float(precision.amax()) * (largest + float(mean.abs().amax())) ** 2 > REACH:
            return super().__call__(x, t)
        pull, gain = apply(precision, mean), product(pairs.cross(w), precision)
        offset = pairs.drift(w) - apply(gain, mean)
        form = torch.cat([pull.squeeze(-1), precision.flatten(1) / -2], 1)
        constant = pairs.log_prior - (log_det + (mean * pull).sum(1)) / 2
        answers = torch.cat([offset.squeeze(-1), gain.flatten(1)], 1).T
        found = []
        for y in x.double().T.split(max(1, BLOCK // len(form)), dim=1):
            squares = (y[:, None] * y).flatten(0, 1)
            weight = torch.softmax(torch.addmm(constant, form, torch.cat([y, squares])), 0)
            shift, *slopes = (answers @ weight).split(len(y))
            found.append(shift + torch.stack([(slope * y).sum(0) for slope in slopes]))
        return torch.cat(found, 1).T.to(x.dtype).contiguous()

    def blocks(self, x: Tensor, t: Tensor) -> Iterator[PairParts]:
        """The answers for each of the J·K pairs of components, pair (j, k) at j·K + k."""
        w = limit_coefficients(self.path, times_for(t, x))
        size = max(1, BLOCK // len(self._pairs.mean0))
        for start in range(0, max(len(x), 1), size):
            part = slice(start, start + size)
            yield PairParts(self._pairs, w.rows(part), x[part])

    def components(self, x: Tensor, t: Tensor, count: int, generator: torch.Generator) -> Drawn:
        """Draw pairs of components from their weights, and the ends from their Gaussians."""
        weight = torch.cat([parts.weight for parts in self.blocks(x, t)], 1)
        index = categories(weight.T, count, generator)
        j, k = index // len(self.source.means), index % len(self.source.means)
        precision, _ = inverse(self._pairs.covariance(limit_coefficients(self.path, times_for(t, x))))
        return Drawn(
            _draw(self.mixture, j, generator),
            _draw(self.source, k, generator),
            self.mixture.covariances.double()[j],
            self.source.covariances.double()[k],
            pick(precision, index),
        )


def _draw(mixture: GaussianMixture, index: Tensor, generator: torch.Generator) -> Tensor:
    """One point of each component in ``index`` (n, count): shape (n, count, d), float64."""
    means = mixture.means.double()[index]
    return means + matvec(mixture.factors[index], draw_like(means, generator))
