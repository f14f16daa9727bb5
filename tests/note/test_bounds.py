"""The formulas behind single predictions of the claims, against what they are known to be."""

import pytest
import torch

from fmstudio.flow.couplings.coupling import OptimalTransport
from fmstudio.learn.experiment import Experiment
from fmstudio.note.claims.c09_likelihood import joint_of_first
from fmstudio.note.claims.c10_straight import least_cost
from fmstudio.note.parts.setting import Setting


@pytest.mark.parametrize("data", ["8 gaussians", "moons", "line mixture"])
def test_no_pairing_costs_less_than_that_of_gaussians_with_the_same_moments(data: str) -> None:
    s = Setting(Experiment(data=data), 10)
    ends = s.pairs(800, s.generator(0))
    best = OptimalTransport().pair(ends.x0, ends.x1, s.generator(1))
    cost = (best.x1 - best.x0).double().square().sum(1)
    # The finite sample's own moments differ from the true ones by about their standard error.
    assert 0 < least_cost(s) < float(cost.mean()) + 4 * float(cost.std()) / len(cost) ** 0.5


def test_the_bound_of_the_pairings_is_reached_by_gaussians() -> None:
    s = Setting(Experiment(data="8 gaussians"), 10)
    variances = s.density.covariance.double().diagonal()
    assert torch.allclose(s.density.covariance.double(), variances.diag(), atol=1e-5)
    assert least_cost(s) == pytest.approx(float((variances.sqrt() - 1).square().sum()), rel=1e-4)


@pytest.mark.parametrize("path", ["linear", "bow", "spiral", "latent"])
def test_the_joint_of_two_times_has_the_moments_of_the_formula(path: str) -> None:
    s = Setting(Experiment(path=path, data="moons"), 9)
    n = 40_000
    ends = s.pairs(n, s.generator(0))
    z = torch.randn(ends.x0.shape, generator=s.generator(1)) if s.path.has_latent else None
    rows = torch.stack([s.path.position(ends.x0, ends.x1, torch.tensor(t), z)[:, 0] for t in (0.9, 0.1)])
    mean, covariance = joint_of_first(s, 0.9, 0.1)
    assert torch.allclose(rows.double().mean(1), mean, atol=4 * float(covariance.max()) ** 0.5 / n**0.5)
    assert torch.allclose(rows.double().cov(), covariance, atol=8 * float(covariance.max()) / n**0.5)
