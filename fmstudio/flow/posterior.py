"""What is known about the original paths through a point: everything conditional on x_t = x.

Given which component c the path belongs to (a data point and a source component, or a pair of Gaussian
components), x₀, x₁ and z are jointly Gaussian with x_t, so each answer of c is linear in x. Mixing over the
posterior weights W_c(x, t) gives the exact answer, for means, gradients and variances alike:

    u = Σ_c W_c u_c                      s = Σ_c W_c s_c                log q_t = log Σ_c q_c
    var = Σ_c W_c (var_c + |u_c − u|²)   ∂u/∂x = Σ_c W_c (∂u_c/∂x + u_c s_cᵀ) − u sᵀ
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import torch
from torch import Tensor

from fmstudio.flow.densities import GaussianMixture
from fmstudio.flow.paths import Path


@dataclass(frozen=True, eq=False)
class Moments:
    """Posterior means at n points, and how much the paths through them disagree.

    Args:
        x0_hat: x̂₀ = E[x₀ | x_t], shape (n, d).
        eps_hat: ε̂ = E[x₁ | x_t], shape (n, d).
        u: E[v | x_t], shape (n, d).
        var: tr Var[v | x_t], shape (n,); inf where one path's velocity is not finite (t = 0 of a path with
            b′ = inf there, both ends of a latent path).
        refusal: the reason why there is no score, or "".
    """

    x0_hat: Tensor
    eps_hat: Tensor
    u: Tensor
    var: Tensor
    _score: Tensor = field(repr=False)
    refusal: str = ""

    @property
    def score(self) -> Tensor:
        """s = ∇ log q_t, shape (n, d).

        Raises:
            ValueError: q_t has no density (empirical data at t = 0).
        """
        if self.refusal:
            raise ValueError(self.refusal)
        return self._score


@dataclass(frozen=True, eq=False)
class Ends:
    """Original paths through given points: a x₀ + b x₁ + γ z = x.

    Args:
        x0, x1: end points, shape (n, count, d).
        z: latent, shape (n, count, d), or None where the path has none.
    """

    x0: Tensor
    x1: Tensor
    z: Tensor | None


@dataclass(frozen=True, eq=False)
class Parts:
    """Answers of each component c at n points, to be mixed; C components, m = n or 1.

    Args:
        log_weight: log of prior weight × N(x; mean_c, C_c), shape (n, C).
        x0, x1, u, score: conditional means, shape (n, C, d).
        var: tr Var[v | x, c], shape (n or 1, C).
        jacobian: ∂u_c/∂x, shape (n or 1, C, d, d).
        refusal: why there is no density and score, or "".
    """

    log_weight: Tensor
    x0: Tensor
    x1: Tensor
    u: Tensor
    score: Tensor
    var: Tensor
    jacobian: Tensor
    refusal: str = ""

    @property
    def weight(self) -> Tensor:
        """W_c(x, t), shape (n, C)."""
        return torch.softmax(self.log_weight, -1)

    def mean(self, answers: Tensor) -> Tensor:
        """Σ_c W_c answers_c, shape (n, d)."""
        return torch.einsum("nc,nci->ni", self.weight, answers)

    def moments(self, like: Tensor) -> Moments:
        """The mixed answers, in the dtype of ``like``."""
        u = self.mean(self.u)
        spread = self.var + (self.u - u[:, None]).square().sum(-1)
        var = (self.weight * spread).sum(-1)
        answers = (self.mean(self.x0), self.mean(self.x1), u, var, self.mean(self.score))
        x0, x1, u, var, score = (a.to(like.dtype) for a in answers)
        return Moments(x0, x1, u, var, score, self.refusal)

    def derivative(self) -> Tensor:
        """∂u/∂x, shape (n, d, d)."""
        outer = self.jacobian + self.u[..., :, None] * self.score[..., None, :]
        mean = torch.einsum("nc,ncij->nij", self.weight, outer)
        return mean - self.mean(self.u)[:, :, None] * self.mean(self.score)[:, None, :]


class Oracle(ABC):
    """The exact answers for independent x₀ and x₁; as a function (x, t) -> u it is a velocity field.

    Points are (n, d), t is () or (n,) in [0, 1]; answers are in the points' dtype. At t = 0 and t = 1 the
    answers are finite limits; ``var`` is infinite where a path's own velocity is, and empirical data has no
    density and no score at t = 0. Not valid for a coupling that is not independent.

    Attributes:
        path: of the particles.
        source: what x₁ is drawn from.
    """

    path: Path
    source: GaussianMixture

    @abstractmethod
    def parts(self, x: Tensor, t: Tensor) -> Parts:
        """The answers component by component, in float64."""

    @abstractmethod
    def given(self, label: int) -> Oracle:
        """The oracle of the data of one class."""

    @abstractmethod
    def draw(self, x: Tensor, t: Tensor, count: int, generator: torch.Generator) -> Ends:
        """Draw original paths through (x, t) from the posterior.

        Args:
            x: shape (n, d).
            t: shape () or (n,).
            count: paths for each point.
            generator: of every draw.

        Returns:
            Their end points, with a x₀ + b x₁ + γ z = x; shapes (n, count, d).
        """

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        """u(x, t), shape (n, d)."""
        parts = self.parts(x, t)
        return parts.mean(parts.u).to(x.dtype)

    def moments(self, x: Tensor, t: Tensor) -> Moments:
        """x̂₀, ε̂, u, var_t and the score at the points."""
        return self.parts(x, t).moments(x)

    def score(self, x: Tensor, t: Tensor) -> Tensor:
        """s(x, t) = ∇ log q_t(x), shape (n, d).

        Raises:
            ValueError: empirical data at t = 0.
        """
        return self.moments(x, t).score

    def log_density(self, x: Tensor, t: Tensor) -> Tensor:
        """log q_t(x), shape (n,), differentiable in x.

        Raises:
            ValueError: empirical data at t = 0.
        """
        parts = self.parts(x, t)
        if parts.refusal:
            raise ValueError(parts.refusal.replace("score", "density"))
        return torch.logsumexp(parts.log_weight, -1).to(x.dtype)

    def velocity_and_divergence(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """u(x, t) and div u(x, t) = Σ_i ∂u_i/∂x_i, shapes (n, d) and (n,), in closed form.

        Raises:
            ValueError: empirical data at t = 0.
        """
        parts = self.parts(x, t)
        if parts.refusal:
            raise ValueError(parts.refusal.replace("score", "divergence of the velocity"))
        divergence = parts.derivative().diagonal(dim1=1, dim2=2).sum(-1)
        return parts.mean(parts.u).to(x.dtype), divergence.to(x.dtype)

    def divergence(self, x: Tensor, t: Tensor) -> Tensor:
        """div u(x, t), shape (n,); see :meth:`velocity_and_divergence`."""
        return self.velocity_and_divergence(x, t)[1]


def pick(rows: Tensor, index: Tensor) -> Tensor:
    """rows[i, index[i, j]] for rows (n or 1, C, ...) and index (n, count): shape (n, count, ...)."""
    if len(rows) == 1:
        return rows[0][index]
    return rows[torch.arange(len(index), device=index.device)[:, None], index]


def categories(probability: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Draw indices with the given probabilities (n, C), not necessarily normalised: shape (n, count)."""
    ladder = probability.double().cumsum(-1)
    at = torch.rand(len(ladder), count, generator=generator, dtype=torch.float64, device=generator.device)
    found = torch.searchsorted(ladder, at.to(ladder.device) * ladder[:, -1:], right=True)
    return found.clamp(max=ladder.shape[1] - 1)
