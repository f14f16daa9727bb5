"""log p₀(x₀) = log p₁(x₁) + ∫ div u dt, against densities that are known."""

import math

import pytest
import torch
from flow_matching.solver import ODESolver
from torch import Tensor, nn

from fmstudio.flow.densities.cloud import PointCloud
from fmstudio.flow.densities.mixture import GaussianMixture, eight_gaussians, standard_normal
from fmstudio.flow.oracle.oracle_for import EmpiricalOracle, MixtureOracle
from fmstudio.flow.paths.affine import Linear, Spherical
from fmstudio.flow.paths.path import Path
from fmstudio.flow.solve.fields import Counted
from fmstudio.flow.solve.likelihood import Probes, log_likelihood
from fmstudio.flow.solve.tableaux import EULER, MIDPOINT, RK4
from tests.flow.every import EVERY_PATH

GAUSSIAN = GaussianMixture(
    torch.tensor([[0.6, -0.3]]), torch.tensor([[[0.7, 0.3], [0.3, 0.5]]]), torch.ones(1)
)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def points(n: int) -> Tensor:
    return 1.5 * torch.randn(n, 2, generator=generator(), dtype=torch.float64)


@pytest.mark.slow
@pytest.mark.parametrize("path", [p for p in EVERY_PATH if p.exact_ends], ids=str)
def test_exact_for_a_gaussian(path: Path) -> None:
    oracle = MixtureOracle(path, GAUSSIAN, standard_normal())
    x = points(20)
    # A latent's field has a kink like √t at the ends, and the steps there are the error.
    found = log_likelihood(oracle, x, 200 if path.has_latent else 60, RK4, standard_normal())
    torch.testing.assert_close(found, GAUSSIAN.log_density(x), rtol=0, atol=1e-3)


@pytest.mark.slow
def test_exact_between_two_mixtures() -> None:
    data = eight_gaussians(std=0.3)
    source = GaussianMixture(
        torch.tensor([[-1.0, 0.0], [1.0, 0.5]]), 0.5 * torch.eye(2).expand(2, 2, 2), torch.tensor([0.3, 0.7])
    )
    x = data.sample(50, generator()).points.double()
    found = log_likelihood(MixtureOracle(Spherical(), data, source), x, 200, RK4, source)
    torch.testing.assert_close(found, data.log_density(x), rtol=0, atol=1e-3)


@pytest.mark.slow
def test_the_density_at_a_later_time() -> None:
    """From ``start`` the answer is log q_start, which a cloud of points has too."""
    cloud = PointCloud(eight_gaussians().sample(40, generator()).points)
    oracle = EmpiricalOracle(Linear(), cloud, standard_normal())
    x = points(10)
    found = log_likelihood(oracle, x, 100, RK4, standard_normal(), start=0.3)
    exact = oracle.log_density(x, torch.tensor(0.3))
    torch.testing.assert_close(found, exact, rtol=0, atol=1e-3)
    with pytest.raises(ValueError, match="no divergence of the velocity at t = 0"):
        log_likelihood(oracle, x, 10, RK4, standard_normal())


@pytest.mark.slow
def test_integrates_to_one() -> None:
    data = eight_gaussians(std=0.3)
    line = torch.linspace(-5, 5, 67, dtype=torch.float64)
    grid = torch.cartesian_prod(line, line)
    found = log_likelihood(MixtureOracle(Linear(), data, standard_normal()), grid, 40, RK4, standard_normal())
    mass = found.exp().sum() * (line[1] - line[0]) ** 2
    assert float(mass) == pytest.approx(1, abs=2e-3)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(
            nn.Linear(3, 32), nn.SiLU(), nn.Linear(32, 32), nn.SiLU(), nn.Linear(32, 2)
        )
        self.double()

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return 3 * self.layers(torch.cat([x, t.double().expand(len(x))[:, None]], 1))


def test_a_net_agrees_with_flow_matching() -> None:
    """Their time runs from noise to data, so their field is −u(x, 1 − t)."""
    net, source = Net(), standard_normal()
    x = points(15)
    ours = log_likelihood(net, x, 50, MIDPOINT, source)
    solver = ODESolver(lambda x, t: -net(x, 1 - t))
    _, theirs = solver.compute_likelihood(
        x,
        source.log_density,
        step_size=1 / 50,
        method="midpoint",
        exact_divergence=True,
    )
    torch.testing.assert_close(ours, theirs.detach(), rtol=0, atol=1e-5)
    assert (ours - source.log_density(x)).abs().max() > 0.1


@pytest.mark.slow
def test_random_probes_are_unbiased() -> None:
    """The mean over 60 draws lies within 4 standard errors of the exact likelihood; Euler, 20 steps."""
    net, source, x = Net(), standard_normal(), points(6)
    exact = log_likelihood(net, x, 20, EULER, source)
    g = generator()
    draws = torch.stack([log_likelihood(net, x, 20, EULER, source, Probes(1), g) for _ in range(60)])
    error = draws.std(0) / math.sqrt(len(draws))
    assert ((draws.mean(0) - exact).abs() < 4 * error).all()
    many = log_likelihood(net, x, 20, EULER, source, Probes(60), generator())
    assert ((many - exact).abs() < 4 * draws.std(0) / math.sqrt(60)).all()


def test_the_field_is_asked_once_for_each_stage() -> None:
    field = Counted(Net())
    log_likelihood(field, points(3), 10, MIDPOINT, standard_normal())
    assert field.nfe == 20


def test_parameters_get_no_gradient_and_dtype_is_kept() -> None:
    net = Net().float()
    net.forward = lambda x, t: net.layers(torch.cat([x, t.expand(len(x))[:, None]], 1))  # pyright: ignore
    found = log_likelihood(net, points(3).float(), 5, EULER, standard_normal())
    assert found.dtype == torch.float32
    assert not found.requires_grad
    assert all(p.grad is None for p in net.parameters())


def test_unusable_probes_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 probe; got 0"):
        Probes(0)
    with pytest.raises(ValueError, match="need a generator"):
        log_likelihood(Net(), points(2), 5, EULER, standard_normal(), Probes(1))
