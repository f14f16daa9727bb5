"""Fields share one protocol; counting and guidance change nothing else."""

import pytest
import torch
from torch import Tensor

from fmstudio.flow.densities.cloud import PointCloud
from fmstudio.flow.densities.mixture import eight_gaussians, standard_normal
from fmstudio.flow.oracle.oracle_for import EmpiricalOracle, MixtureOracle
from fmstudio.flow.paths.affine import Linear
from fmstudio.flow.solve.fields import (
    Counted,
    Guided,
    velocity_and_divergence,
    velocity_and_probed_divergence,
)


def swirl(x: Tensor, t: Tensor) -> Tensor:
    """div = 2 t x + cos(y)."""
    t = t.unsqueeze(-1) if t.ndim else t
    return torch.cat([t * x[:, :1] ** 2, torch.sin(x[:, 1:]) + x[:, :1]], 1)


def points(n: int) -> Tensor:
    return torch.randn(n, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_evaluations_are_counted() -> None:
    field = Counted(swirl)
    x, t = points(3), torch.tensor(0.5)
    assert field.nfe == 0
    torch.testing.assert_close(field(x, t), swirl(x, t))
    field.velocity_and_divergence(x, t)
    assert field.nfe == 2


@pytest.mark.parametrize("t", [torch.tensor(0.3), torch.linspace(0, 1, 5)], ids=["one t", "t per row"])
def test_exact_divergence(t: Tensor) -> None:
    x = points(5)
    u, divergence = velocity_and_divergence(swirl, x, t)
    torch.testing.assert_close(u, swirl(x, t))
    torch.testing.assert_close(divergence, 2 * t * x[:, 0] + torch.cos(x[:, 1]))


def test_probed_divergence_is_unbiased() -> None:
    """Over all four sign vectors of the plane the mean of eᵀJe is the trace exactly."""
    x, t = points(5), torch.tensor(0.3)
    signs = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]], dtype=torch.float64)
    probes = signs[:, None].expand(4, 5, 2)
    _, mean = velocity_and_probed_divergence(swirl, x, t, probes)
    exact = velocity_and_divergence(swirl, x, t)[1]
    torch.testing.assert_close(mean, exact)
    _, one = velocity_and_probed_divergence(swirl, x, t, probes[:1])
    assert (one - exact).abs().max() > 0.1


def test_a_field_without_a_graph_is_refused() -> None:
    with pytest.raises(ValueError, match="velocity_and_divergence"):
        velocity_and_divergence(lambda x, t: x.detach(), points(3), torch.tensor(0.5))


def test_the_oracle_knows_its_divergence() -> None:
    data = eight_gaussians()
    cloud = PointCloud(data.sample(50, torch.Generator().manual_seed(2)).points)
    x, t = points(6), torch.tensor(0.4)
    for oracle in (
        MixtureOracle(Linear(), data, standard_normal()),
        EmpiricalOracle(Linear(), cloud, standard_normal()),
    ):
        u, divergence = velocity_and_divergence(oracle, x, t)
        by_autograd = velocity_and_divergence(lambda y, s, o=oracle: o(y, s), x, t)
        torch.testing.assert_close(u, by_autograd[0])
        torch.testing.assert_close(divergence, by_autograd[1])
        torch.testing.assert_close(oracle.divergence(x, t), divergence)


@pytest.mark.parametrize("weight", [0.0, 1.0, 2.5, -0.5])
def test_guidance_of_exact_fields(weight: float) -> None:
    oracle = MixtureOracle(Linear(), eight_gaussians(), standard_normal())
    x, t = points(6), torch.tensor(0.4)
    guided = Guided(oracle, oracle.given(3), weight)
    want = oracle(x, t) + weight * (oracle.given(3)(x, t) - oracle(x, t))
    torch.testing.assert_close(guided(x, t), want)
    u, divergence = velocity_and_divergence(guided, x, t)
    torch.testing.assert_close(u, want)
    torch.testing.assert_close(divergence, velocity_and_divergence(lambda y, s: guided(y, s), x, t)[1])


def test_guidance_needs_a_number() -> None:
    with pytest.raises(ValueError, match="finite guidance weight; got nan"):
        Guided(swirl, swirl, float("nan"))
