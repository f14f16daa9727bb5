"""The oracle of a Gaussian mixture: every quantity in closed form, at every time, with its true density.

With x₀ from component j and x₁ from component k the vector (v, x_t) is Gaussian,

    E x_t = A μ_j + B m_k                  Cov x_t      = A Σ_j Aᵀ + B Σ_k Bᵀ + γ² I    =: C
    E v   = A′ μ_j + B′ m_k                Cov (v, x_t) = A′Σ_j Aᵀ + B′Σ_k Bᵀ + γγ′ I   =: M

so u_jk = E v + M C⁻¹ (x − E x_t), var_jk = tr (Cov v − M C⁻¹ Mᵀ), s_jk = −C⁻¹ (x − E x_t). Data have a
density, so nothing is singular at t = 0 but the velocities that the path itself makes infinite.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from fmstudio.flow.densities import GaussianMixture
from fmstudio.flow.linear_gaussian import Maps, inverse, maps, noise_law, times_for, trace, turn
from fmstudio.flow.paths import Path, draw_like
from fmstudio.flow.posterior import Ends, Oracle, Parts, categories, pick


@dataclass(frozen=True, eq=False)
class MixtureOracle(Oracle):
    """Exact answers for data from a Gaussian mixture and a source that is one too.

    Where b′ is infinite at t = 0 (variance preserving), answers at t = 0 are those at t = 1e-6; u then has
    a finite limit only if E[x₁] = 0. The cost is one d×d solve for each of J × K pairs of components, for
    each time.

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

    def __post_init__(self) -> None:
        if self.mixture.dim != self.source.dim:
            raise ValueError(
                f"Data and source need one dimension; got {self.mixture.dim} and {self.source.dim}."
            )

    def given(self, label: int) -> MixtureOracle:
        """The oracle of the components of one class."""
        return MixtureOracle(self.path, self.mixture.given(label), self.source)

    def parts(self, x: Tensor, t: Tensor) -> Parts:
        """The answers for each of the J·K pairs of components, pair (j, k) at j·K + k."""
        m = maps(self.path, times_for(t, x), x.shape[1])
        y = x.double()
        mean0, cov0, mean1, cov1, log_prior = self._pairs(y.device)
        noise, noise_cross, noise_spread = noise_law(m, cov1)
        precision, log_det = inverse(m.a @ cov0 @ m.a.mT + noise)
        cross = m.da @ cov0 @ m.a.mT + noise_cross
        gain = cross @ precision
        r = y[:, None] - turn(m.a, mean0[None]) - turn(m.b, mean1[None])
        pull = turn(precision, r)
        var = trace(m.da @ cov0 @ m.da.mT) + noise_spread - trace(gain @ cross.mT)
        var = torch.where(m.endless[:, None], torch.inf, var.clamp(min=0))
        volume = log_det + x.shape[1] * math.log(2 * math.pi)
        return Parts(
            log_weight=log_prior - (volume + (r * pull).sum(-1)) / 2,
            x0=mean0 + turn(cov0 @ m.a.mT, pull),
            x1=mean1 + turn(cov1 @ m.b.mT, pull),
            u=turn(m.da, mean0[None]) + turn(m.db, mean1[None]) + turn(cross, pull),
            score=-pull,
            var=var,
            jacobian=gain,
        )

    def draw(self, x: Tensor, t: Tensor, count: int, generator: torch.Generator) -> Ends:
        """Draw the pair of components from its weight, then x₀, x₁ and z from their Gaussian given x."""
        with torch.no_grad():
            m = maps(self.path, times_for(t, x), x.shape[1], exact_position=True)
            mean0, cov0, mean1, cov1, _ = self._pairs(x.device)
            index = categories(self.parts(x, t).weight, count, generator)
            cov = m.a @ cov0 @ m.a.mT + noise_law(m, cov1)[0]
            # A draw from the prior, moved onto the plane a x₀ + b x₁ + γ z = x.
            x0, x1 = (
                mean[index] + turn(torch.linalg.cholesky(c)[index], draw_like(mean[index], generator))
                for mean, c in ((mean0, cov0), (mean1, cov1))
            )
            z = draw_like(x0, generator)
            miss = x.double()[:, None] - self._position(m, x0, x1, z)
            pull = turn(pick(inverse(cov)[0], index), miss)
            x0 = x0 + turn(cov0[index] @ m.a.mT, pull)
            x1 = x1 + turn(cov1[index] @ m.b.mT, pull)
            z = z + m.gamma[..., None] * pull
            return Ends(x0.to(x), x1.to(x), z.to(x) if self.path.has_latent else None)

    @staticmethod
    def _position(m: Maps, x0: Tensor, x1: Tensor, z: Tensor) -> Tensor:
        return turn(m.a, x0) + turn(m.b, x1) + m.gamma[..., None] * z

    def _pairs(self, device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """μ_j, Σ_j, m_k, Σ_k and log π_j p_k for every pair, in float64."""
        data, source = self.mixture, self.source
        j, k = len(data.means), len(source.means)
        mean0, cov0 = (
            v.to(device, torch.float64).repeat_interleave(k, 0) for v in (data.means, data.covariances)
        )
        mean1, cov1 = (
            v.to(device, torch.float64).repeat(j, *[1] * (v.ndim - 1))
            for v in (source.means, source.covariances)
        )
        prior = data.weights.double()[:, None] * source.weights.double()
        return mean0, cov0, mean1, cov1, prior.flatten().log().to(device)
