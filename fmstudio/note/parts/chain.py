"""The diffusion chain of 2015 and its reverse steps, in closed form.

On a grid t_0 < … < t_T, with s = t_{k−1}, t = t_k, r = a_t / a_s and β = b_t² − r² b_s²,

    q(x_t | x_s)      = N( r x_s, β I )
    q(x_s | x_t, x₀)  = N( μ̃, β̃ I ),   μ̃ = (r b_s²/b_t²) x_t + (a_s β/b_t²) x₀,   β̃ = β b_s²/b_t².

The model P has steps N( f(x_t), β̃ I ); the best f is f* = E[x_s | x_t], which is μ̃ with x̂₀ in place of x₀.
With snr = a²/b² and mmse_t = E tr Cov[x₀ | x_t] the KL of a step, at f = f*, is

    KL_t = ½ [ (snr_s − snr_t) mmse_t − ∫ mmse d snr ],   the integral from snr_t to snr_s:

the area between a staircase and the curve mmse(snr). It follows from KL_t = E KL(q(x_s|x_t,x₀) ‖ p) minus the
information that x_s adds about x₀, and from d I/d snr = mmse/2 (Guo, Shamai & Verdú 2005, arXiv:cs/0412108).
The chain: Sohl-Dickstein et al. 2015, arXiv:1503.03585; the closed form: Ho et al. 2020, arXiv:2006.11239.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from fmstudio.flow.densities.density import Density
from fmstudio.flow.oracle.oracle_for import Oracle
from fmstudio.flow.paths.path import Path


@dataclass(frozen=True)
class Chain:
    """A chain with the marginals of a path on a grid.

    Args:
        path: spherical or variance preserving.
        times: t_0 < … < t_T in (0, 1], shape (T + 1,), float64.
        oracle: exact for the path, the data and N(0, I).
    """

    path: Path
    times: Tensor
    oracle: Oracle

    @cached_property
    def _ends(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        c = self.path.at(self.times)
        return c.a[:-1], c.b[:-1], c.a[1:], c.b[1:]

    def __len__(self) -> int:
        return len(self.times) - 1

    @cached_property
    def ratio(self) -> Tensor:
        """r of each step, shape (T,)."""
        a_s, _, a_t, _ = self._ends
        return a_t / a_s

    @cached_property
    def forward(self) -> Tensor:
        """β of each step, shape (T,)."""
        _, b_s, _, b_t = self._ends
        return b_t**2 - self.ratio**2 * b_s**2

    @cached_property
    def posterior(self) -> Tensor:
        """β̃ of each step, shape (T,)."""
        _, b_s, _, b_t = self._ends
        return self.forward * b_s**2 / b_t**2

    @cached_property
    def weights(self) -> tuple[Tensor, Tensor]:
        """The weights of x_t and of x₀ in μ̃, each of shape (T,)."""
        a_s, b_s, _, b_t = self._ends
        return self.ratio * b_s**2 / b_t**2, a_s * self.forward / b_t**2

    def mean(self, k: int, xt: Tensor, x0: Tensor) -> Tensor:
        """μ̃ of step k (from t_{k+1} to t_k); with x̂₀ in place of x₀ it is f*."""
        of_xt, of_x0 = (float(w[k]) for w in self.weights)
        return of_xt * xt + of_x0 * x0

    def best(self, k: int, xt: Tensor) -> Tensor:
        """f*(x_t) = E[x_s | x_t] of step k."""
        return self.mean(k, xt, self.oracle.moments(xt, self.times[k + 1]).x0_hat)

    def step_kl(self, density: Density, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """KL_t and mmse_t of each step from the formula above, each of shape (T,), by n draws of (x₀, ε).

        The same draws serve every time, and Gauss's rule with five points every integral.
        """
        x0 = density.sample(n, generator).points.double()
        noise = torch.randn(x0.shape, generator=generator, dtype=torch.float64)
        nodes, node_weights = (torch.from_numpy(v) for v in np.polynomial.legendre.leggauss(5))
        kl, least = [], []
        for s, t in zip(self.times[:-1], self.times[1:], strict=True):
            inner = s + (t - s) * (nodes + 1) / 2
            c = self.path.at(inner)
            slope = -2 * c.a * c.determinant / c.b**3
            curve = torch.stack([self.error(x0, noise, when) for when in inner])
            area = (t - s) / 2 * (node_weights * curve * slope.abs()).sum()
            mmse = self.error(x0, noise, t)
            kl.append(((_snr(self.path, s) - _snr(self.path, t)) * mmse - area) / 2)
            least.append(mmse)
        return torch.stack(kl), torch.stack(least)

    def error(self, x0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """mmse at time t, from tr Var[v | x_t] = (D/b)² tr Cov[x₀ | x_t]."""
        c = self.path.at(t)
        var = self.oracle.moments(c.a * x0 + c.b * noise, t).var.mean()
        return var * c.b**2 / c.determinant**2

    def kl_terms(self, k: int, xs: Tensor, xt: Tensor, f: Tensor, variance: float) -> Tensor:
        """log q(x_s | x_t) − log N(x_s; f, variance I) at each pair of neighbours of step k, shape (n,)."""
        s, t = self.times[k], self.times[k + 1]
        given = (
            self.oracle.log_density(xs, s)
            + log_normal(xt - self.ratio[k] * xs, float(self.forward[k]))
            - self.oracle.log_density(xt, t)
        )
        return given - log_normal(xs - f, variance)


def _snr(path: Path, t: Tensor) -> Tensor:
    c = path.at(t)
    return (c.a / c.b) ** 2


def log_normal(r: Tensor, variance: float) -> Tensor:
    """log N(r; 0, variance I), shape (n,) for r of shape (n, d)."""
    d = r.shape[1]
    return -r.square().sum(1) / (2 * variance) - d / 2 * float(np.log(2 * np.pi * variance))
