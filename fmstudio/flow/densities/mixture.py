"""Mixtures of Gaussians: densities with a formula."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from fmstudio.flow.densities.density import Density, Samples, check_count, checked_labels, rows_of_class


@dataclass(frozen=True, eq=False)
class GaussianMixture(Density):
    """A mixture of Gaussians, q(x) = Σ_k π_k N(x; μ_k, Σ_k).

    Args:
        means: μ, shape (K, d), finite; its dtype and device are those of the samples.
        covariances: Σ, shape (K, d, d), symmetric and positive definite.
        weights: π, shape (K,), positive; they are divided by their sum.
        labels: class of each component, shape (K,), whole numbers from 0, or None.

    Attributes:
        factors: the Cholesky factors L_k of Σ_k = L_k L_kᵀ, shape (K, d, d), float64.

    Raises:
        ValueError: a shape, a weight, a covariance or a label that does not fit; the component is named,
            counting from 1.
    """

    means: Tensor
    covariances: Tensor
    weights: Tensor
    labels: Tensor | None = None
    factors: Tensor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        means = torch.as_tensor(self.means)
        if not means.is_floating_point():
            means = means.to(torch.get_default_dtype())
        covariances = torch.as_tensor(self.covariances).to(means)
        weights = torch.as_tensor(self.weights).to(means)
        _check_shapes(means, covariances, weights)
        set_ = object.__setattr__
        set_(self, "means", means)
        set_(self, "covariances", covariances)
        set_(self, "weights", weights / weights.sum())
        set_(self, "factors", _cholesky(covariances))
        if self.labels is not None:
            set_(self, "labels", checked_labels(self.labels, len(means), "component").to(means.device))

    @property
    def dim(self) -> int:
        """d, the number of coordinates."""
        return self.means.shape[1]

    @property
    def classes(self) -> int:
        """One more than the largest label; 0 without labels."""
        return 0 if self.labels is None else int(self.labels.max()) + 1

    @property
    def mean(self) -> Tensor:
        """E[x] = Σ_k π_k μ_k, shape (d,)."""
        return self.weights @ self.means

    @property
    def covariance(self) -> Tensor:
        """Cov[x] = Σ_k π_k (Σ_k + (μ_k − E[x])(μ_k − E[x])ᵀ), shape (d, d)."""
        spread = self.means - self.mean
        return torch.einsum(
            "k,kij->ij", self.weights, self.covariances + spread[:, :, None] * spread[:, None, :]
        )

    def sample(self, n: int, generator: torch.Generator) -> Samples:
        """Draw a component from π, then x = μ_k + L_k e with e ~ N(0, I)."""
        check_count(n)
        points, pick = draw_mixture(self.means, self.factors, self.weights, n, generator)
        return Samples(points, None if self.labels is None else self.labels[pick])

    @property
    def is_standard_normal(self) -> bool:
        """Whether this is N(0, I): one component, mean 0, covariance I."""
        eye = torch.eye(self.dim).to(self.covariances)
        return len(self.means) == 1 and not bool(self.means.any()) and torch.equal(self.covariances[0], eye)

    def component_log_density(self, x: Tensor) -> Tensor:
        """log π_k + log N(x; μ_k, Σ_k) for every component.

        Args:
            x: points, shape (n, d).

        Returns:
            Shape (n, K), in the wider dtype of x and the mixture; differentiable in x.
        """
        dtype = torch.promote_types(x.dtype, self.means.dtype)
        eye = torch.eye(self.dim, dtype=torch.float64, device=self.means.device)
        whiten = torch.linalg.solve_triangular(self.factors, eye, upper=False)
        log_volume = self.factors.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        constant = self.weights.double().log() - log_volume - self.dim / 2 * math.log(2 * math.pi)
        # The difference form: expanding the square loses every digit far from the origin.
        r = torch.einsum("kij,nkj->nki", whiten.to(dtype), x.to(dtype)[:, None] - self.means.to(dtype))
        return constant.to(dtype) - r.square().sum(-1) / 2

    def log_density(self, x: Tensor) -> Tensor:
        """log q(x) = log Σ_k π_k N(x; μ_k, Σ_k).

        Args:
            x: points, shape (n, d).

        Returns:
            Shape (n,), in the wider dtype of x and the mixture; finite however far x is.
        """
        return torch.logsumexp(self.component_log_density(x), dim=-1)

    def given(self, label: int) -> GaussianMixture:
        """The components of one class, with their weights rescaled to sum to 1."""
        keep = rows_of_class(self.labels, label)
        assert self.labels is not None
        return GaussianMixture(
            self.means[keep], self.covariances[keep], self.weights[keep], self.labels[keep]
        )

    def to(self, where: torch.device | torch.dtype | str) -> GaussianMixture:
        """The same mixture on another device or in another dtype."""
        return GaussianMixture(self.means.to(where), self.covariances, self.weights, self.labels)


def draw_mixture(
    means: Tensor, factors: Tensor, weights: Tensor, n: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Draw n times a component from π, then x = μ_k + L_k e with e ~ N(0, I).

    Args:
        means, factors, weights: μ, L and π of K components, shapes (K, d), (K, d, d) and (K,).
        n: how many, ≥ 0; there is no draw of none, so one is drawn and left out.
        generator: draws on its own device.

    Returns:
        The points, shape (n, d), and the component of each, shape (n,).
    """
    pick = torch.multinomial(weights.to(generator.device), max(n, 1), True, generator=generator)[:n]
    pick = pick.to(means.device)
    noise = torch.randn(n, means.shape[1], generator=generator, dtype=means.dtype, device=generator.device)
    noise = noise.to(means.device)
    return means[pick] + torch.einsum("nij,nj->ni", factors.to(noise)[pick], noise), pick


def standard_normal(dim: int = 2) -> GaussianMixture:
    """N(0, I) in ``dim`` dimensions, the mixture with one component."""
    return GaussianMixture(torch.zeros(1, dim), torch.eye(dim)[None], torch.ones(1))


def isotropic(
    means: Sequence[Sequence[float]] | Tensor, std: float, labelled: bool = True
) -> GaussianMixture:
    """Equal round Gaussians at the given means, each its own class.

    Args:
        means: shape (K, d).
        std: standard deviation of every component, > 0.
        labelled: whether component k is class k.

    Raises:
        ValueError: std is not positive and finite.
    """
    if not (math.isfinite(std) and std > 0):
        raise ValueError(f"Expected a standard deviation above 0; got {std}.")
    mu = torch.as_tensor(means, dtype=torch.get_default_dtype())
    count, dim = mu.shape
    covariances = (std**2 * torch.eye(dim)).expand(count, dim, dim)
    return GaussianMixture(mu, covariances, torch.ones(count), torch.arange(count) if labelled else None)


def eight_gaussians(radius: float = 2.0, std: float = 0.15) -> GaussianMixture:
    """Eight round Gaussians on a circle; class k sits at angle 2πk/8.

    Args:
        radius: of the circle, > 0.
        std: standard deviation of each, > 0.

    Raises:
        ValueError: radius or std is not positive.
    """
    if not (math.isfinite(radius) and radius > 0):
        raise ValueError(f"Expected a radius above 0; got {radius}.")
    angle = torch.arange(8) * (math.pi / 4)
    return isotropic(radius * torch.stack([angle.cos(), angle.sin()], 1), std)


def two_gaussians(distance: float = 3.0, std: float = 0.4) -> GaussianMixture:
    """Two round Gaussians in the plane, left (class 0) and right (class 1) of the origin.

    Args:
        distance: between their means, ≥ 0.
        std: standard deviation of each, > 0.
    """
    return isotropic([[-distance / 2, 0.0], [distance / 2, 0.0]], std)


def line_mixture(
    means: Sequence[float] = (-1.6, 0.3, 1.7),
    stds: Sequence[float] = (0.25, 0.35, 0.15),
    weights: Sequence[float] = (0.45, 0.35, 0.2),
) -> GaussianMixture:
    """A mixture on the line (d = 1), for the space–time view; component k is class k.

    Args:
        means, stds, weights: one number for each component; stds and weights > 0.

    Raises:
        ValueError: the three differ in length, or a std or weight is not positive.
    """
    if not len(means) == len(stds) == len(weights):
        raise ValueError(
            f"Expected as many means as stds and weights; got {len(means)}, {len(stds)} and {len(weights)}."
        )
    mu = torch.tensor(list(means), dtype=torch.get_default_dtype())[:, None]
    variances = torch.tensor(list(stds), dtype=torch.get_default_dtype())[:, None, None] ** 2
    return GaussianMixture(mu, variances, torch.tensor(list(weights)), torch.arange(len(mu)))


def _check_shapes(means: Tensor, covariances: Tensor, weights: Tensor) -> None:
    if means.ndim != 2 or 0 in means.shape:
        raise ValueError(f"Expected means of shape (K, d) with K, d ≥ 1; got {tuple(means.shape)}.")
    count, dim = means.shape
    if covariances.shape != (count, dim, dim):
        raise ValueError(
            f"Expected covariances of shape {(count, dim, dim)}; got {tuple(covariances.shape)}."
        )
    if weights.shape != (count,):
        raise ValueError(f"Expected weights of shape {(count,)}; got {tuple(weights.shape)}.")
    for k in range(count):
        if not means[k].isfinite().all():
            raise ValueError(f"Component {k + 1} of {count}: its mean {means[k].tolist()} is not finite.")
        if not (weights[k].isfinite() and weights[k] > 0):
            raise ValueError(
                f"Component {k + 1} of {count}: expected a weight above 0; got {float(weights[k])}."
            )


def _cholesky(covariances: Tensor) -> Tensor:
    """Cholesky factors in float64, or an error that names the first component without one."""
    c = covariances.double()
    lower, info = torch.linalg.cholesky_ex(c.nan_to_num(nan=-1.0, posinf=-1.0, neginf=-1.0))
    for k in range(len(c)):
        name = f"Component {k + 1} of {len(c)}: its covariance {covariances[k].tolist()}"
        if not c[k].isfinite().all():
            raise ValueError(f"{name} is not finite.")
        if (c[k] - c[k].T).abs().max() > 1e-5 * c[k].abs().max():
            raise ValueError(f"{name} is not symmetric.")
        # Not only positive but far enough from singular that 1/L keeps its digits.
        if info[k] or (lower[k].diagonal() ** 2 <= 1e-12 * c[k].diagonal()).any():
            raise ValueError(f"{name} is not positive definite; every variance must be above 0.")
    return lower
