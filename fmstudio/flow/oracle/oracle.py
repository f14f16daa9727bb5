"""What is known about the original paths through a point: everything conditional on x_t = x.

Given which component c the path belongs to (a data point and a source component, or a pair of Gaussian
components), x₀, x₁ and z are jointly Gaussian with x_t, so each answer of c is linear in x. Mixing over the
posterior weights W_c(x, t) gives the exact answer, for means, gradients and variances alike:

    u = Σ_c W_c u_c                      s = Σ_c W_c s_c                log q_t = log Σ_c q_c
    var = Σ_c W_c (var_c + |u_c − u|²)   ∂u/∂x = Σ_c W_c (∂u_c/∂x + u_c s_cᵀ) − u sᵀ
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from fmstudio.flow.densities.density import Density
from fmstudio.flow.densities.mixture import GaussianMixture
from fmstudio.flow.oracle.linear_gaussian import conjugate, limit_coefficients, times_for, trace, turn
from fmstudio.flow.paths.path import Path, draw_like


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
class Drawn:
    """Ends x₀ and x₁ drawn from components, (n, count, d), with Cov[x₀], Cov[x₁] and Cov[x_t]⁻¹ there."""

    x0: Tensor
    x1: Tensor
    cov0: Tensor
    cov1: Tensor
    precision: Tensor


@dataclass(frozen=True, eq=False)
class Rest:
    """What a velocity alone does not need, of each component c; m = n or 1.

    Args:
        x0, x1: E[x₀ | x, c] and E[x₁ | x, c], shape (C, d, n).
        var: tr Var[v | x, c], shape (C, m).
        jacobian: ∂u_c/∂x, shape (C, d, d, m).
    """

    x0: Tensor
    x1: Tensor
    var: Tensor
    jacobian: Tensor


class Parts(ABC):
    """The answers of each component c at n points, to be mixed.

    Coordinates come before rows (:mod:`fmstudio.flow.oracle.linear_gaussian`): C components, n rows.

    Attributes:
        log_weight: log of prior weight × N(x; mean_c, C_c), shape (C, n).
        u: conditional mean of v, shape (C, d, n).
        score: ∇ log N(x; mean_c, C_c), shape (C, d, n).
        refusal: why there is no density and score, or "".
    """

    log_weight: Tensor
    u: Tensor
    score: Tensor
    refusal: str = ""

    @abstractmethod
    def work_out(self) -> Rest:
        """All other answers."""

    @cached_property
    def rest(self) -> Rest:
        """All other answers, worked out when first asked for."""
        return self.work_out()

    def checked(self, what: str) -> Parts:
        """Itself, or the error that there is no such answer here."""
        if self.refusal:
            raise ValueError(self.refusal.replace("score", what))
        return self

    @cached_property
    def weight(self) -> Tensor:
        """W_c(x, t), shape (C, n)."""
        return torch.softmax(self.log_weight, 0)

    def mean(self, answers: Tensor) -> Tensor:
        """Σ_c W_c answers_c for answers (C, d, n): shape (n, d)."""
        mixed = answers[0] if len(answers) == 1 else (self.weight[:, None] * answers).sum(0)
        return mixed.T

    def velocity(self, like: Tensor) -> Tensor:
        """u, shape (n, d), in the dtype of ``like``."""
        return self.mean(self.u).to(like.dtype).contiguous()

    def moments(self, like: Tensor) -> Moments:
        """The mixed answers, in the dtype of ``like``."""
        u = self.mean(self.u)
        rest, var = self.rest, self.rest.var.expand(len(self.log_weight), len(u))
        if len(self.log_weight) > 1:
            var = var + (self.u - u.T).square().sum(1)
        # 0·inf: a component that has no weight has no say, however fast its paths are.
        var = (self.weight * var.masked_fill(self.weight == 0, 0)).sum(0)
        answers = (self.mean(rest.x0), self.mean(rest.x1), u, var, self.mean(self.score))
        x0, x1, u, var, score = (a.to(like.dtype).contiguous() for a in answers)
        return Moments(x0, x1, u, var, score, self.refusal)

    def divergence(self, like: Tensor) -> Tensor:
        """tr ∂u/∂x, shape (n,), in the dtype of ``like``."""
        each = trace(self.rest.jacobian) + (self.u * self.score).sum(1)
        shared = (self.mean(self.u) * self.mean(self.score)).sum(1)
        return ((self.weight * each).sum(0) - shared).to(like.dtype)


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
    def blocks(self, x: Tensor, t: Tensor) -> Iterator[Parts]:
        """The answers component by component, in float64, for one block of rows after another."""

    @abstractmethod
    def given(self, label: int) -> Oracle:
        """The oracle of the data of one class."""

    @abstractmethod
    def components(self, x: Tensor, t: Tensor, count: int, generator: torch.Generator) -> Drawn:
        """Draw components from their weights at (x, t), and from each the ends of a path."""

    def draw(self, x: Tensor, t: Tensor, count: int, generator: torch.Generator) -> Ends:
        """Draw original paths through (x, t) from the posterior.

        Each is a draw from a component's prior, moved onto the plane a x₀ + b x₁ + γ z = x. At t = 0 every
        path through x starts there, at a cloud's nearest point; x₁ and z are drawn from their laws.

        Args:
            x: shape (n, d).
            t: shape () or (n,).
            count: paths for each point.
            generator: of every draw.

        Returns:
            Their end points, with a x₀ + b x₁ + γ z = x; shapes (n, count, d).
        """
        with torch.no_grad():
            w = limit_coefficients(self.path, times_for(t, x))
            drawn = self.components(x, t, count, generator)
            x0, x1, z = drawn.x0, drawn.x1, draw_like(drawn.x0, generator)
            a, b, gamma = w.a[:, None], w.b[:, None], w.gamma[:, None, None]
            miss = x.double()[:, None] - turn(a, x0, 2) - turn(b, x1, 2) - gamma * z
            pull = matvec(drawn.precision, miss)
            x0 = x0 + matvec(drawn.cov0, turn(conjugate(a), pull, 2))
            x1 = x1 + matvec(drawn.cov1, turn(conjugate(b), pull, 2))
            z = z + gamma * pull
            return Ends(x0.to(x), x1.to(x), z.to(x) if self.path.has_latent else None)

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        """u(x, t), shape (n, d)."""
        return torch.cat([parts.velocity(x) for parts in self.blocks(x, t)])

    def moments(self, x: Tensor, t: Tensor) -> Moments:
        """x̂₀, ε̂, u, var_t and the score at the points."""
        blocks = [parts.moments(x) for parts in self.blocks(x, t)]
        if len(blocks) == 1:
            return blocks[0]
        columns = zip(*((m.x0_hat, m.eps_hat, m.u, m.var, m.score) for m in blocks), strict=True)
        x0, x1, u, var, score = (torch.cat(column) for column in columns)
        return Moments(x0, x1, u, var, score)

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
        blocks = [parts.checked("density") for parts in self.blocks(x, t)]
        return torch.cat([torch.logsumexp(parts.log_weight, 0) for parts in blocks]).to(x.dtype)

    def velocity_and_divergence(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """u(x, t) and div u(x, t) = Σ_i ∂u_i/∂x_i, shapes (n, d) and (n,), in closed form.

        Raises:
            ValueError: empirical data at t = 0.
        """
        u, divergence = [], []
        for parts in self.blocks(x, t):
            u.append(parts.checked("divergence of the velocity").velocity(x))
            divergence.append(parts.divergence(x))
        return torch.cat(u), torch.cat(divergence)

    def divergence(self, x: Tensor, t: Tensor) -> Tensor:
        """div u(x, t), shape (n,); see :meth:`velocity_and_divergence`."""
        return self.velocity_and_divergence(x, t)[1]


def check_dims(data: Density, source: GaussianMixture) -> None:
    """Refuse data and a source of different dimensions."""
    if data.dim != source.dim:
        raise ValueError(f"Data and source need one dimension; got {data.dim} and {source.dim}.")


def pick(matrices: Tensor, index: Tensor) -> Tensor:
    """Matrices (C, d, d, n or 1) of the components in index (n, count): shape (n, count, d, d)."""
    rows = matrices.permute(3, 0, 1, 2)
    if len(rows) == 1:
        return rows[0][index]
    return rows[torch.arange(len(index), device=index.device)[:, None], index]


def matvec(matrices: Tensor, x: Tensor) -> Tensor:
    """Matrices (n, count, d, d) on vectors (n, count, d)."""
    return (matrices @ x[..., None]).squeeze(-1)


def categories(probability: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Draw indices with the given probabilities (n, C), not necessarily normalised: shape (n, count)."""
    ladder = probability.double().cumsum(-1)
    at = torch.rand(len(ladder), count, generator=generator, dtype=torch.float64, device=generator.device)
    found = torch.searchsorted(ladder, at.to(ladder.device) * ladder[:, -1:], right=True)
    return found.clamp(max=ladder.shape[1] - 1)
