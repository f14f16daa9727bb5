"""A path's coefficients on Gaussians: numbers where the path is straight, turns of the plane where it bends.

Given x₀ and a source component k,    x_t ~ N(A x₀ + B m_k, C_k),    C_k = B Σ_k Bᵀ + γ² I,    where a complex
coefficient a stands for the matrix A that turns and stretches the plane as a does; Aᵀ is that of a*.

Arrays are float64 and coordinates come before rows: vectors are (C, d, n), matrices (C, d, d, n), with C
components and n rows (or 1 in either place, to be broadcast). A small matrix product is then a handful of
operations on long rows, several times faster than a batch of small products.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from fmstudio.flow.paths.path import Path

#: Where b′ is infinite at t = 0, it is taken as that of this time.
NEAR_ZERO = 1e-6


@dataclass(frozen=True, eq=False)
class LimitCoefficients:
    """The path's coefficients at m times in float64, real or complex, each of shape (m,).

    Args:
        a, b, da, db, gamma, dgamma, gamma_dgamma: as in :class:`fmstudio.flow.paths.path.Coefficients`.
        steep: whether b′ = inf, at t = 0; there db is that of ``NEAR_ZERO``.
        b_db: the limit of b b′ where it is steep, 0 elsewhere.
        endless: whether a path's own velocity has no finite variance at this time. There dgamma is 0.
    """

    a: Tensor
    b: Tensor
    da: Tensor
    db: Tensor
    gamma: Tensor
    dgamma: Tensor
    gamma_dgamma: Tensor
    steep: Tensor
    b_db: Tensor
    endless: Tensor

    def rows(self, index: Tensor | slice) -> LimitCoefficients:
        """The coefficients of some of the rows."""
        parts = (getattr(self, part.name) for part in fields(self))
        return LimitCoefficients(*(c if len(c) == 1 else c[index] for c in parts))


def times_for(t: Tensor, x: Tensor) -> Tensor:
    """Check the times against the points and return them in float64, shape (1,) or (n,)."""
    t = torch.as_tensor(t).to(x.device, torch.float64)
    if t.ndim > 1 or (t.ndim == 1 and len(t) != len(x)):
        raise ValueError(
            f"Expected one time, or one for each of the {len(x)} points; got shape {tuple(t.shape)}."
        )
    outside = ~((t >= 0) & (t <= 1))
    if outside.any():
        raise ValueError(f"Expected times in [0, 1]; got t = {float(t[outside].reshape(-1)[0])}.")
    return t.reshape(-1)


def limit_coefficients(path: Path, t: Tensor) -> LimitCoefficients:
    """The path's coefficients at times t of shape (m,), float64."""
    c = path.at(t)
    steep = ~c.db.abs().isfinite()
    endless = steep | ~c.dgamma.isfinite()
    db, b_db = c.db, torch.zeros_like(c.gamma)
    if bool(steep.any()):
        near, twice = (path.at(torch.where(steep, t.clamp(min=k * NEAR_ZERO), t)) for k in (1, 2))
        db = near.db
        # b b′ = (b²)′/2 is smooth: a line through two of its values leaves an error of order NEAR_ZERO².
        b_db = torch.where(steep, 2 * near.b * near.db - twice.b * twice.db, b_db)
    dgamma = torch.where(endless, torch.zeros_like(c.dgamma), c.dgamma)
    return LimitCoefficients(c.a, c.b, c.da, db, c.gamma, dgamma, c.gamma_dgamma, steep, b_db, endless)


def conjugate(c: Tensor) -> Tensor:
    """c*, whose matrix is the transpose."""
    return c.conj().resolve_conj() if c.is_complex() else c


def turn(c: Tensor, x: Tensor, dim: int = 1) -> Tensor:
    """The coefficient applied to vectors with coordinates along ``dim``; c is broadcast over the rest.

    Raises:
        ValueError: a complex coefficient outside the plane.
    """
    if not c.is_complex():
        after = x.ndim - 1 - dim
        return x * (c if c.ndim <= after else c.unsqueeze(dim - x.ndim))
    if x.shape[dim] != 2:
        raise ValueError(
            f"This path turns the plane, so it needs points with 2 coordinates; got {x.shape[dim]}. "
            "Use a path with real coefficients."
        )
    p, q = x.unbind(dim)
    return torch.stack([c.real * p - c.imag * q, c.imag * p + c.real * q], dim)


def sandwich(c: Tensor, matrices: Tensor, e: Tensor) -> Tensor:
    """c Σ eᵀ with the matrices of two coefficients (m,) around matrices (C, d, d, n): (C, d, d, n)."""
    if c.is_complex() or e.is_complex():
        return turn(c, turn(e, matrices, dim=2), dim=1)
    return matrices * (c * e)


def apply(matrices: Tensor, x: Tensor) -> Tensor:
    """Matrices (C, d, d, n) on vectors (C, d, n)."""
    return _total([matrices[:, :, j] * x[:, None, j] for j in range(x.shape[1])])


def product(one: Tensor, other: Tensor) -> Tensor:
    """Matrix products, (C, d, d, n)."""
    return _total([one[:, :, j, None] * other[:, None, j] for j in range(one.shape[2])])


def _total(terms: list[Tensor]) -> Tensor:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def scalar(c: Tensor, dim: int) -> Tensor:
    """c·I for a real c of shape (m,): shape (1, d, d, m)."""
    return torch.eye(dim, dtype=c.dtype, device=c.device)[None, :, :, None] * c


def trace(matrices: Tensor) -> Tensor:
    """Traces of (C, d, d, n): shape (C, n)."""
    return matrices.diagonal(dim1=1, dim2=2).sum(-1)


def inverse(c: Tensor) -> tuple[Tensor, Tensor]:
    """C⁻¹ and log det C of symmetric positive definite (C, d, d, n): shapes (C, d, d, n) and (C, n)."""
    dim = c.shape[1]
    if dim == 1:
        return 1 / c, c[:, 0, 0].log()
    if dim == 2:
        p, q, r = c[:, 0, 0], c[:, 0, 1], c[:, 1, 1]
        # The determinant as a product of two positive numbers, so that no digits cancel.
        lean = q / p
        rest = r - lean * q
        side = -lean / rest
        rows = [torch.stack([1 / p - lean * side, side], 1), torch.stack([side, 1 / rest], 1)]
        return torch.stack(rows, 1), (p * rest).log()
    lower = torch.linalg.cholesky(c.permute(0, 3, 1, 2))
    log_det = 2 * lower.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    return torch.cholesky_inverse(lower).permute(0, 2, 3, 1), log_det


def noise_covariance(w: LimitCoefficients, covariances: Tensor) -> Tensor:
    """Cov[x_t | x₀, k] = B Σ_k Bᵀ + γ² I for Σ of shape (K, d, d, 1): shape (K, d, d, m)."""
    return sandwich(w.b, covariances, w.b) + scalar(w.gamma**2, covariances.shape[1])


def noise_cross(w: LimitCoefficients, covariances: Tensor) -> Tensor:
    """Cov[v, x_t | x₀, k] = B′ Σ_k Bᵀ + γγ′ I, shape (K, d, d, m); where it is steep, γγ′ I alone."""
    return sandwich(w.db, covariances, w.b) + scalar(w.gamma_dgamma, covariances.shape[1])


def noise_spread(w: LimitCoefficients, covariances: Tensor) -> Tensor:
    """tr Cov[v | x₀, k] = tr B′ Σ_k B′ᵀ + d γ′², shape (K, m)."""
    return trace(sandwich(w.db, covariances, w.db)) + covariances.shape[1] * w.dgamma**2
