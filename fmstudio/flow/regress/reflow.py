"""Reflow: pair every noise point with where a flow takes it, and learn again on these pairs.

The pairs (Z₁, Z₀) of a flow's own ends are a coupling with the flow's marginals. If the flow was learned from
straight chords, exactly, they cost no more transport than the chords' ends did. Their chords cross less, so
as a rule the flow learned from them is straighter.

Source: Liu et al. 2022, arXiv:2209.03003, sections 2.2 and 3.
"""

from __future__ import annotations

import torch

from fmstudio.flow.couplings.coupling import FixedPairs
from fmstudio.flow.densities.density import check_count
from fmstudio.flow.densities.mixture import GaussianMixture
from fmstudio.flow.solve.fields import VelocityField
from fmstudio.flow.solve.solvers import integrate, path_times
from fmstudio.flow.solve.tableaux import Tableau


def pairs(
    field: VelocityField,
    source: GaussianMixture,
    n: int,
    tableau: Tableau,
    steps: int,
    generator: torch.Generator,
) -> FixedPairs:
    """Carry n noise points along a flow from t = 1 to 0 and keep both ends.

    The ends are not independent, so the score does not follow from the velocity learned on them.

    Args:
        field: the flow's velocity.
        source: what x₁ is drawn from.
        n: how many pairs, ≥ 1.
        tableau, steps: the solver, and its steps from t = 1 to 0.
        generator: draws the noise points.

    Returns:
        Pairs (x₀, x₁) of shape (n, d) each.

    Raises:
        ValueError: n < 1, or a flow whose end is not finite.
    """
    check_count(n, 1)
    x1 = source.sample(n, generator).points
    x0 = integrate(field, x1, path_times(steps), tableau, record=False).end
    if not torch.isfinite(x0).all():
        raise ValueError("The flow left the plane: its end points are not finite. Train the net for longer.")
    return FixedPairs(x0, x1)
