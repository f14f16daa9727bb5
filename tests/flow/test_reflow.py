"""Reflow: the pairs are the ends of the flow's own trajectories."""

import pytest
import torch
from torch import Tensor

from fmstudio.flow.densities.cloud import PointCloud
from fmstudio.flow.densities.mixture import eight_gaussians, isotropic, standard_normal
from fmstudio.flow.metrics import energy_distance, noise_floor, straightness, transport_cost
from fmstudio.flow.oracle.oracle_for import EmpiricalOracle, MixtureOracle
from fmstudio.flow.paths.affine import Linear
from fmstudio.flow.regress.reflow import pairs
from fmstudio.flow.solve.diffusion import score_from_velocity
from fmstudio.flow.solve.solvers import integrate, path_times
from fmstudio.flow.solve.tableaux import EULER, MIDPOINT, RK4


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_pairs_of_one_gaussian_are_its_affine_map() -> None:
    """Linear path from N(0, I) to N(m, s² I): the flow maps x₁ to m + s x₁."""
    oracle = MixtureOracle(Linear(), isotropic([[1.0, -2.0]], 0.5), standard_normal(2))
    made = pairs(oracle, standard_normal(2), 200, RK4, 100, generator())
    expected = torch.tensor([1.0, -2.0]) + 0.5 * made.x1
    torch.testing.assert_close(made.x0, expected, rtol=1e-3, atol=1e-3)
    assert torch.equal(made.x1, standard_normal(2).sample(200, generator()).points)


def test_pairs_keep_the_marginals_at_no_greater_cost() -> None:
    data, n = eight_gaussians(), 1500
    oracle = MixtureOracle(Linear(), data, standard_normal(2))
    made = pairs(oracle, standard_normal(2), n, MIDPOINT, 60, generator(1))
    floor = noise_floor(energy_distance, data, n, generator(2))
    reached = energy_distance(made.x0, data.sample(n, generator(3)).points)
    assert reached < floor.mean + 4 * floor.std + 0.002
    independent = transport_cost(data.sample(n, generator(4)).points, made.x1)
    assert transport_cost(made.x0, made.x1) < 0.7 * independent


def test_pairs_are_dependent_and_refuse_a_score() -> None:
    oracle = MixtureOracle(Linear(), eight_gaussians(), standard_normal(2))
    made = pairs(oracle, standard_normal(2), 20, EULER, 5, generator())
    assert not made.independent
    with pytest.raises(ValueError, match="reflow"):
        score_from_velocity(Linear(), oracle, score_is_exact=made.independent)


def test_the_flow_of_the_pairs_is_straighter() -> None:
    """The mean velocity of chords between paired ends, by nearest neighbours in (x, t), bends less than u."""
    oracle = MixtureOracle(Linear(), eight_gaussians(), standard_normal(2))
    made = pairs(oracle, standard_normal(2), 8000, MIDPOINT, 30, generator(1))

    def again(x: Tensor, t: Tensor) -> Tensor:
        middle = torch.lerp(made.x0, made.x1, t)
        near = torch.cdist(x, middle).topk(6, largest=False).indices
        return (made.x1 - made.x0)[near].mean(dim=1)

    x1 = torch.randn(150, 2, generator=generator(2))
    first, second = (straightness(integrate(f, x1, path_times(25), EULER), f) for f in (oracle, again))
    assert second < 0.2 * first
    # One step lands where many do.
    one, many = (integrate(again, x1, path_times(k), EULER, record=False).end for k in (1, 25))
    old_one, old_many = (integrate(oracle, x1, path_times(k), EULER, record=False).end for k in (1, 25))
    assert float((one - many).norm(dim=1).median()) < 0.2 * float((old_one - old_many).norm(dim=1).median())


def test_seeds_and_refusals() -> None:
    oracle = EmpiricalOracle(
        Linear(), PointCloud(torch.randn(5, 2, generator=generator())), standard_normal(2)
    )
    first, again, other = (pairs(oracle, standard_normal(2), 6, EULER, 4, generator(s)) for s in (1, 1, 2))
    assert torch.equal(first.x0, again.x0)
    assert not torch.equal(first.x1, other.x1)
    with pytest.raises(ValueError, match="at least 1; got 0"):
        pairs(oracle, standard_normal(2), 0, EULER, 4, generator())
    with pytest.raises(ValueError, match="not finite"):
        pairs(lambda x, t: x / 0, standard_normal(2), 5, EULER, 4, generator())
