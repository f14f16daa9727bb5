"""Transport plans between two clouds of equally heavy points: exact, and with entropy.

A plan π of shape (n, m) says how much of point i goes to point j: Σ_j π_ij = 1/n, Σ_i π_ij = 1/m.
"""

from __future__ import annotations

import torch
from torch import Tensor

#: The least ε as a share of the largest cost: below it the rounding of f_i + g_j − cost_ij shows in the plan.
FINEST = 1e-12


def check_finite(*clouds: Tensor) -> None:
    """Refuse points that are not finite.

    Raises:
        ValueError: naming the first such row.
    """
    for points in clouds:
        bad = ~torch.isfinite(points).all(dim=1)
        if bool(bad.any()):
            raise ValueError(f"Expected finite points; row {int(bad.nonzero()[0])} of {len(points)} is not.")


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """|x_i − y_j|² in float64 from the differences themselves, shape (n, m).

    Raises:
        ValueError: a point is not finite.
    """
    check_finite(x, y)
    return torch.cdist(x.double(), y.double(), compute_mode="donot_use_mm_for_euclid_dist").square_()


def optimal_plan(cost: Tensor) -> Tensor:
    """The transport plan between uniform weights with the least Σ π_ij cost_ij.

    Args:
        cost: shape (n, m), finite.

    Returns:
        π of shape (n, m), float64, on the CPU; rows sum to 1/n, columns to 1/m. For n = m it is a
        permutation divided by n.

    Raises:
        RuntimeError: the solver did not reach the optimum.

    Source: Bonneel et al. 2011, Displacement Interpolation Using Lagrangian Mass Transport, as in POT.
    """
    import ot

    n, m = cost.shape
    left = torch.full((n,), 1 / n, dtype=torch.float64).numpy()
    right = torch.full((m,), 1 / m, dtype=torch.float64).numpy()
    plan, log = ot.emd(left, right, cost.detach().double().cpu().numpy(), numItermax=10_000_000, log=True)
    if log["warning"]:
        raise RuntimeError(f"Optimal transport of {n} × {m} points failed: {log['warning']}")
    return torch.from_numpy(plan)


def entropic_plan(cost: Tensor, reg: float, tolerance: float, max_iterations: int) -> Tensor:
    """The plan with the least Σ π_ij cost_ij − ε H(π), by Sinkhorn's scaling.

        π_ij = u_i exp((f_i + g_j − cost_ij)/ε) v_j,     u ← (1/n)/(K v),  v ← (1/m)/(Kᵀ u)

    The potentials f, g take up u and v whenever these grow large, so nothing overflows.
    They start from a larger ε, which is halved until it is the one asked for: far fewer iterations.

    Args:
        cost: shape (n, m), float64, finite.
        reg: ε > 0, at least ``FINEST`` of the largest cost.
        tolerance: Σ_i |Σ_j π_ij − 1/n| at most. Columns sum to 1/m to rounding.
        max_iterations: at the last ε.

    Returns:
        π of shape (n, m), float64.

    Raises:
        ValueError: an ε that float64 does not resolve.
        RuntimeError: the tolerance is not met within ``max_iterations``.

    Source: Cuturi 2013, arXiv:1306.0895; Schmitzer 2019, arXiv:1610.06519, sections 3.1 and 3.2.
    """
    _check_resolved(reg, cost)
    f = cost.min(dim=1).values
    g = (cost - f[:, None]).min(dim=0).values
    eps = max(reg, float(cost.max()) / 8)
    while eps > reg:
        f, g, _ = _scale(cost, f, g, eps, 0.0, 10)
        eps = max(reg, eps / 2)
    f, g, error = _scale(cost, f, g, reg, tolerance, max_iterations)
    if not error <= tolerance:
        n, m = cost.shape
        raise RuntimeError(
            f"Sinkhorn with reg = {reg:g} did not converge: {n} × {m} points, {max_iterations} iterations. "
            "Use a larger reg, or the exact optimal transport."
        )
    return _kernel(cost, f, g, reg)


def _check_resolved(reg: float, cost: Tensor) -> None:
    least = FINEST * float(cost.max())
    if reg < least:
        raise ValueError(
            f"Sinkhorn: expected reg ≥ {least:.2g}, {FINEST:g} of the largest squared distance; got {reg:g}. "
            "Use a larger reg, or the exact optimal transport."
        )


def _kernel(cost: Tensor, f: Tensor, g: Tensor, eps: float) -> Tensor:
    return ((f[:, None] + g - cost) / eps).exp_()


def _scale(
    cost: Tensor, f: Tensor, g: Tensor, eps: float, tolerance: float, iterations: int
) -> tuple[Tensor, Tensor, float]:
    """Iterate at one ε; the potentials that include the scalings, and the error of the row sums."""
    n, m = cost.shape
    kernel = _kernel(cost, f, g, eps)
    u, v = torch.ones_like(f), torch.ones_like(g)
    error = float("inf")
    for k in range(iterations):
        u = (1 / n) / (kernel @ v)
        v = (1 / m) / (kernel.T @ u)
        if k % 10 == 9 or k == iterations - 1:
            error = float((u * (kernel @ v) - 1 / n).abs().sum())
            if error <= tolerance:
                break
        if float(torch.maximum(u.max(), v.max())) > 1e60:
            f, g = f + eps * u.log(), g + eps * v.log()
            kernel = _kernel(cost, f, g, eps)
            u, v = torch.ones_like(f), torch.ones_like(g)
    return f + eps * u.log(), g + eps * v.log(), error
