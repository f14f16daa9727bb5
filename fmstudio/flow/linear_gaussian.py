"""A path's coefficients as real matrices, and the Gaussian laws that they give.

A complex coefficient acts on the plane as a turn and a stretch. As a real matrix (:func:`matrix`) it can
meet a Gaussian of any covariance: given x₀ and a source component k,

    x_t ~ N(A x₀ + B m_k, C_k),        C_k = B Σ_k Bᵀ + γ² I.

Everything here is float64; the last dimensions are (d, d) or (d,), the ones before are (row or 1, component
or 1).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fmstudio.flow.paths import Path

#: Where b′ is infinite at t = 0, the coefficients there are those of this time.
NEAR_ZERO = 1e-6


@dataclass(frozen=True, eq=False)
class Maps:
    """The path's coefficients at given times as float64 matrices, with a component axis; m = 1 or n.

    Args:
        a, b, da, db: shape (m, 1, d, d).
        gamma, dgamma, gamma_dgamma: shape (m, 1).
        endless: whether a path's own velocity has no finite variance at this time, shape (m,). There
            dgamma is given as 0 and, at t = 0 with b′ = inf, all coefficients are those of ``NEAR_ZERO``.
    """

    a: Tensor
    b: Tensor
    da: Tensor
    db: Tensor
    gamma: Tensor
    dgamma: Tensor
    gamma_dgamma: Tensor
    endless: Tensor


def matrix(c: Tensor, dim: int) -> Tensor:
    """A coefficient as real matrices: |c| times a rotation of the plane if complex, c·I otherwise.

    Args:
        c: real or complex, shape (m,).
        dim: d; 2 where c is complex.

    Returns:
        Shape (m, d, d); its transpose is the matrix of the complex conjugate.

    Raises:
        ValueError: a complex coefficient outside the plane.
    """
    if not c.is_complex():
        return c[:, None, None] * torch.eye(dim, dtype=c.dtype, device=c.device)
    if dim != 2:
        raise ValueError(
            f"This path turns the plane, so it needs points with 2 coordinates; got {dim}. "
            "Use a path with real coefficients."
        )
    rows = torch.stack([c.real, -c.imag, c.imag, c.real], -1)
    return rows.view(-1, 2, 2)


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


def maps(path: Path, t: Tensor, dim: int, *, exact_position: bool = False) -> Maps:
    """The path at times t of shape (m,), float64, as matrices.

    With ``exact_position`` a, b and γ are those of t even where b′ is infinite.
    """
    c = path.at(t)
    steep = ~c.db.abs().isfinite()
    endless = steep | ~c.dgamma.isfinite()
    if steep.any() and not exact_position:
        c = path.at(torch.where(steep, t.clamp(min=NEAR_ZERO), t))
    dgamma = torch.where(endless, torch.zeros_like(c.dgamma), c.dgamma)
    a, b, da, db = (matrix(x, dim)[:, None] for x in (c.a, c.b, c.da, c.db))
    return Maps(a, b, da, db, c.gamma[:, None], dgamma[:, None], c.gamma_dgamma[:, None], endless)


def noise_law(m: Maps, covariances: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Covariances of b x₁ + γ z and of its velocity b′x₁ + γ′z, for each source component.

    Args:
        m: the path.
        covariances: Σ_k, shape (K, d, d).

    Returns:
        Cov[x_t | x₀, k] = B Σ Bᵀ + γ² I and Cov[v, x_t | x₀, k] = B′ Σ Bᵀ + γγ′ I, shapes (m, K, d, d),
        and tr Cov[v | x₀, k] = tr B′ Σ B′ᵀ + d γ′², shape (m, K).
    """
    eye = torch.eye(covariances.shape[-1], dtype=m.b.dtype, device=m.b.device)
    cov = m.b @ covariances @ m.b.mT + (m.gamma**2)[..., None, None] * eye
    cross = m.db @ covariances @ m.b.mT + m.gamma_dgamma[..., None, None] * eye
    spread = trace(m.db @ covariances @ m.db.mT) + len(eye) * m.dgamma**2
    return cov, cross, spread


def trace(x: Tensor) -> Tensor:
    """tr of the last two dimensions."""
    return x.diagonal(dim1=-2, dim2=-1).sum(-1)


def inverse(c: Tensor) -> tuple[Tensor, Tensor]:
    """C⁻¹ and log det C of symmetric positive definite matrices, shapes (..., d, d) and (...)."""
    dim = c.shape[-1]
    if dim == 1:
        return 1 / c, c[..., 0, 0].log()
    if dim == 2:
        p, q, r = c[..., 0, 0], c[..., 0, 1], c[..., 1, 1]
        # The determinant as a product of two positive numbers, so that no digits cancel.
        rest = r - q * (q / p)
        top = 1 / p + (q / p) ** 2 / rest
        side = -(q / p) / rest
        inv = torch.stack([top, side, side, 1 / rest], -1).unflatten(-1, (2, 2))
        return inv, p.log() + rest.log()
    lower = torch.linalg.cholesky(c)
    return torch.cholesky_inverse(lower), 2 * lower.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def turn(m: Tensor, x: Tensor) -> Tensor:
    """Matrices (m, C, d, d) times vectors (n, C, d), with m = n or 1 and either C = 1."""
    return (m @ x[..., None]).squeeze(-1)
