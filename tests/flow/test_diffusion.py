"""Diffusion: every noise level keeps the marginals; Langevin keeps one of them; the zig-zag chain."""

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from fmstudio.flow.densities.cloud import PointCloud
from fmstudio.flow.densities.mixture import GaussianMixture, eight_gaussians, standard_normal
from fmstudio.flow.metrics import energy_distance, noise_floor
from fmstudio.flow.oracle.oracle_for import EmpiricalOracle, MixtureOracle
from fmstudio.flow.paths.affine import Linear, Polynomial, Spherical, VariancePreserving
from fmstudio.flow.paths.path import Path
from fmstudio.flow.paths.zigzag import ZigZag
from fmstudio.flow.solve.diffusion import (
    ChainNoise,
    Constant,
    Proportional,
    conditional_score,
    integrate_sde,
    langevin,
    score_from_velocity,
    sde_steps,
)
from fmstudio.flow.solve.solvers import integrate, path_times
from fmstudio.flow.solve.tableaux import EULER

MEAN, STD = 1.5, 0.6
PATHS = [Linear(), Spherical(), VariancePreserving()]
NAMED = pytest.mark.parametrize("path", PATHS, ids=lambda p: type(p).__name__)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class OneGaussian:
    """Data N(m, s²) on the line: x_t ~ N(a m, a² s² + b²), so u and the score are straight lines in x."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def law(self, t: Tensor) -> tuple[Tensor, Tensor]:
        c = self.path.at(t.double())
        return c.a * MEAN, c.a**2 * STD**2 + c.b**2

    def velocity(self, x: Tensor, t: Tensor) -> Tensor:
        c = self.path.at(t.double())
        mean, variance = self.law(t)
        return c.da * MEAN + (c.da * c.a * STD**2 + c.db * c.b) / variance * (x - mean)

    def score(self, x: Tensor, t: Tensor) -> Tensor:
        mean, variance = self.law(t)
        return -(x - mean) / variance

    def draw(self, t: float, n: int, seed: int) -> Tensor:
        mean, variance = self.law(torch.tensor(t))
        return mean + variance.sqrt() * torch.randn(n, 1, generator=generator(seed), dtype=torch.float64)


def noise_levels(path: Path) -> list:
    known = [
        Constant(0.0),
        Constant(0.7),
        Constant(1.5, stop=0.3),
        Proportional(path, 1.5),
        lambda t: 2 * t**2,
    ]
    return known if isinstance(path, Linear) else [*known, ChainNoise(path)]


@pytest.mark.slow
@pytest.mark.parametrize(("start", "end"), [(0.98, 0.02), (0.02, 0.98)])
@NAMED
def test_every_noise_level_has_the_same_marginals(path, start, end) -> None:
    """Mean and standard deviation at ten times; 4 standard errors and a bias of O(dt)."""
    n, toy = 12_000, OneGaussian(path)
    times = path_times(300, start, end, dtype=torch.float64)
    for noise in noise_levels(path):
        x = toy.draw(start, n, 1)
        run = integrate_sde(toy.velocity, toy.score, x, times, noise, generator(2))
        for k in range(0, 301, 30):
            mean, variance = toy.law(times[k])
            std = float(variance.sqrt())
            assert abs(float(run.positions[k].mean() - mean)) < 4 * std / math.sqrt(n) + 0.015
            assert abs(float(run.positions[k].std()) - std) < 4 * std / math.sqrt(2 * n) + 0.015


@NAMED
def test_noise_without_its_score_has_other_marginals(path) -> None:
    """What the term ½ g² s is for; the test above would see its absence or its sign."""
    toy = OneGaussian(path)
    x, times = toy.draw(0.98, 4000, 1), path_times(200, 0.98, 0.02, dtype=torch.float64)
    truth = float(toy.law(times[-1])[1].sqrt())
    for factor in (0.0, -1.0):
        run = integrate_sde(
            toy.velocity, lambda x, t, f=factor: f * toy.score(x, t), x, times, Constant(0.7), generator(2)
        )
        assert float(run.end.std()) > truth + 0.1


@pytest.mark.slow
def test_bias_of_the_marginals_falls_with_the_step() -> None:
    """Weak order 1, seen through common random numbers: the mean square halves its error with the step."""
    toy, n = OneGaussian(Linear()), 400_000
    truth = float(toy.law(torch.tensor(0.1))[1].sqrt())
    errors = []
    for steps in (8, 16, 32):
        times = path_times(steps, 0.9, 0.1, dtype=torch.float64)
        run = integrate_sde(
            toy.velocity, toy.score, toy.draw(0.9, n, 1), times, Constant(1.5), generator(2), record=False
        )
        errors.append(float(run.end.std()) - truth)
    # One standard error of the standard deviation is 0.0007.
    assert abs(errors[0]) > 0.02
    for coarse, fine in pairwise(errors):
        assert 1.6 < coarse / fine < 2.9


def test_no_noise_is_the_ode() -> None:
    toy, times = OneGaussian(Linear()), path_times(20, dtype=torch.float64)
    x = toy.draw(1.0, 50, 1)
    sde = integrate_sde(toy.velocity, toy.score, x, times, Constant(0.0), generator())
    assert torch.equal(sde.positions, integrate(toy.velocity, x, times, EULER).positions)
    assert sde.nfe == 20


def test_states_and_seeds() -> None:
    toy, times = OneGaussian(Linear()), path_times(10, dtype=torch.float64)
    x = toy.draw(1.0, 50, 1)
    whole = integrate_sde(toy.velocity, toy.score, x, times, Constant(0.5), generator(3))
    states = list(sde_steps(toy.velocity, toy.score, x, times, Constant(0.5), generator(3)))
    assert torch.equal(torch.stack([s.x for s in states]), whole.positions[1:])
    assert [s.nfe for s in states] == list(range(1, 11))
    ends = integrate_sde(toy.velocity, toy.score, x, times, Constant(0.5), generator(3), record=False)
    assert torch.equal(ends.positions, whole.positions[[0, -1]])
    other = integrate_sde(toy.velocity, toy.score, x, times, Constant(0.5), generator(4))
    assert not torch.equal(other.end, whole.end)


def test_the_score_is_not_asked_at_the_data_nor_where_there_is_no_noise() -> None:
    toy, asked = OneGaussian(Linear()), []

    def score(x: Tensor, t: Tensor) -> Tensor:
        asked.append(float(t))
        return toy.score(x, t)

    times = path_times(10, 0.0, 1.0, dtype=torch.float64)
    integrate_sde(toy.velocity, score, toy.draw(0.0, 5, 1), times, Constant(1.0), generator())
    assert asked == pytest.approx([0.1 * k for k in range(1, 10)])
    asked.clear()
    integrate_sde(toy.velocity, score, toy.draw(0.0, 5, 1), times, Constant(1.0, stop=0.55), generator())
    assert asked == pytest.approx([0.6, 0.7, 0.8, 0.9])


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", [Linear(), Polynomial(2.0), VariancePreserving()], ids=lambda p: type(p).__name__
)
def test_proportional_noise_is_stable_down_to_a_point_cloud(path) -> None:
    """The score is infinite at t = 0, yet all particles end on the points, shared out as they should be."""
    points = torch.tensor([[-1.0, 0.0], [1.0, 0.5], [0.0, -1.0]])
    oracle = EmpiricalOracle(path, PointCloud(points), standard_normal(2))
    n = 3000
    x = torch.randn(n, 2, generator=generator(1))
    times = path_times(120)
    run = integrate_sde(oracle, oracle.score, x, times, Proportional(path, 2.0), generator(2), record=False)
    distances = torch.cdist(run.end, points)
    # 1.4 and more lie between the points.
    assert float(distances.min(dim=1).values.max()) < 0.1
    shares = torch.bincount(distances.argmin(dim=1), minlength=3) / n
    assert float((shares - 1 / 3).abs().max()) < 0.04


@pytest.mark.slow
def test_two_noise_levels_reach_eight_gaussians() -> None:
    path, data = Linear(), eight_gaussians()
    oracle, n = MixtureOracle(path, data, standard_normal(2)), 1500
    floor = noise_floor(energy_distance, data, n, generator(5))
    for noise in (Proportional(path, 1.0), Constant(1.0, stop=0.1)):
        x = torch.randn(n, 2, generator=generator(1))
        run = integrate_sde(oracle, oracle.score, x, path_times(150), noise, generator(2), record=False)
        reached = energy_distance(run.end, data.sample(n, generator(3)).points)
        assert reached < floor.mean + 4 * floor.std + 0.004


@pytest.mark.parametrize("path", [Spherical(), VariancePreserving(), ZigZag(Spherical()), ZigZag()])
def test_with_the_chains_noise_the_drift_forgets_the_data(path) -> None:
    """u + ½ g² s = (a′/a) x whatever the data: the Markov chain of the zig-zag path."""
    oracle = MixtureOracle(path, eight_gaussians(), standard_normal(2))
    x = torch.randn(20, 2, generator=generator(), dtype=torch.float64)
    for t in (0.2, 0.5, 0.9):
        when = torch.tensor(t, dtype=torch.float64)
        c = path.at(when)
        drift = oracle(x, when) + ChainNoise(path)(t) ** 2 / 2 * oracle.score(x, when)
        torch.testing.assert_close(drift, c.da / c.a * x, rtol=1e-6, atol=1e-6)


def test_noise_levels_outside_their_domain_are_refused() -> None:
    toy, times = OneGaussian(Linear()), path_times(4)
    for bad in (-1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="noise level"):
            Constant(bad)
        with pytest.raises(ValueError, match="noise level"):
            Proportional(Linear(), bad)
        with pytest.raises(ValueError, match="noise level"):
            integrate_sde(toy.velocity, toy.score, torch.zeros(2, 1), times, lambda t, b=bad: b, generator())
    with pytest.raises(ValueError, match="stop"):
        Constant(1.0, stop=1.5)
    with pytest.raises(ValueError, match="zig-zag"):
        ChainNoise(Linear())
    with pytest.raises(ValueError, match="infinite at t = 1"):
        ChainNoise(Spherical())(1.0)
    with pytest.raises(ValueError, match=r"times in \[0, 1\]"):
        integrate_sde(
            toy.velocity, toy.score, torch.zeros(2, 1), torch.tensor([1.0, -0.1]), Constant(0), generator()
        )


@NAMED
def test_score_from_the_velocity(path) -> None:
    toy = OneGaussian(path)
    x = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None]
    score = score_from_velocity(path, toy.velocity, score_is_exact=True)
    for t in (0.1, 0.5, 0.9):
        when = torch.tensor(t, dtype=torch.float64)
        torch.testing.assert_close(score(x, when), toy.score(x, when), rtol=1e-8, atol=1e-8)
    with pytest.raises(ValueError, match="independent"):
        score_from_velocity(path, toy.velocity, score_is_exact=False)


def test_langevin_has_the_variance_that_its_step_implies() -> None:
    """x ← (1 − ε/2σ²) x + √ε e has the stationary variance σ²/(1 − ε/4σ²): bias O(ε), unadjusted."""
    toy, t, n = OneGaussian(Linear()), torch.tensor(0.5, dtype=torch.float64), 100_000
    variance = float(toy.law(t)[1])
    for step in (0.05, 0.4):
        x = langevin(toy.score, toy.draw(0.5, n, 1), t, step, 60, generator(2))
        implied = variance / (1 - step / (4 * variance))
        assert float(x.var()) == pytest.approx(implied, rel=4 * math.sqrt(2 / n))
        assert abs(float(x.mean() - toy.law(t)[0])) < 4 * math.sqrt(implied / n)
    assert implied > variance * 1.2
    with pytest.raises(ValueError, match="step > 0"):
        langevin(toy.score, torch.zeros(1, 1), t, 0.0, 1, generator())
    x = torch.ones(3, 1, dtype=torch.float64)
    assert torch.equal(langevin(toy.score, x, t, 0.1, 0, generator()), x)


def test_the_conditional_score_has_the_marginal_score_as_its_mean() -> None:
    oracle = MixtureOracle(Spherical(), eight_gaussians(), standard_normal(2))
    point, t, n = torch.tensor([[0.4, -0.3]]), torch.tensor(0.6), 20_000
    drawn = conditional_score(oracle, generator())(point.expand(n, 2), t)
    error = drawn.std(dim=0) / math.sqrt(n)
    assert bool(((drawn.mean(dim=0) - oracle.score(point, t)[0]).abs() < 4 * error).all())
    # One draw is far from the mean.
    assert float(drawn.std(dim=0).min()) > 0.2
    shifted = GaussianMixture(torch.ones(1, 2), torch.eye(2)[None], torch.ones(1))
    with pytest.raises(ValueError, match="source"):
        conditional_score(MixtureOracle(Linear(), eight_gaussians(), shifted), generator())


@pytest.mark.slow
def test_conditional_and_marginal_langevin_keep_the_density_and_approach_each_other() -> None:
    """Same noise, same time ε·count: the mean squared distance of the chains falls like ε."""
    oracle, n = MixtureOracle(Linear(), eight_gaussians(), standard_normal(2)), 800
    t = torch.tensor(0.6)

    def snapshot(seed: int) -> Tensor:
        x0 = eight_gaussians().sample(n, generator(seed)).points
        return 0.4 * x0 + 0.6 * torch.randn(n, 2, generator=generator(seed + 1))

    gaps = []
    for count in (8, 32, 128):
        chains = [
            langevin(score, snapshot(1), t, 0.64 / count, count, generator(3))
            for score in (oracle.score, conditional_score(oracle, generator(4)))
        ]
        gaps.append(float((chains[0] - chains[1]).square().sum(1).mean()))
        if count == 128:
            floor = noise_floor(
                energy_distance, torch.cat([snapshot(s) for s in (10, 20, 30, 40)]), n, generator(5)
            )
            for chain in chains:
                assert energy_distance(chain, snapshot(50)) < floor.mean + 4 * floor.std
    slope = math.log(gaps[0] / gaps[2]) / math.log(16)
    assert abs(slope - 1) < 0.2


CHAINS = [ZigZag(VariancePreserving()), ZigZag(Spherical())]


@pytest.mark.parametrize("chain", CHAINS, ids=["VariancePreserving", "Spherical"])
def test_the_zigzag_chain_has_the_marginals_of_its_smooth_path(chain) -> None:
    n, toy = 40_000, OneGaussian(chain)
    times = path_times(8, 0.05, 1.0, dtype=torch.float64)
    x = toy.draw(0.0, n, 1)
    rows = chain.trajectories(x, torch.zeros_like(x), times, generator(2))
    for t, row in zip(times, rows, strict=True):
        mean, variance = toy.law(t)
        assert abs(float(row.mean() - mean)) < 4 * math.sqrt(float(variance) / n)
        assert float(row.var()) == pytest.approx(float(variance), rel=4 * math.sqrt(2 / n))


@pytest.mark.parametrize("chain", CHAINS, ids=["VariancePreserving", "Spherical"])
def test_the_zigzag_chain_has_infinite_speed(chain) -> None:
    """E|x_t − x_{t−dt}|²/dt² doubles as dt halves; on the smooth path it tends to E|v|²."""
    n, around = 4000, chain.around
    x0 = OneGaussian(chain).draw(0.0, n, 1)
    x1 = torch.randn(n, 1, generator=generator(2), dtype=torch.float64)
    speeds = {"zigzag": [], "smooth": []}
    for steps in (100, 200, 400):
        times = path_times(steps, 0.3, 0.7, dtype=torch.float64)
        dt = float(times[1] - times[0])
        for name, path in (("zigzag", chain), ("smooth", around)):
            rows = path.trajectories(x0, x1, times, generator(3))
            speeds[name].append(float((rows.diff(dim=0) / dt).square().mean()))
    for coarse, fine in pairwise(speeds["zigzag"]):
        assert fine / coarse == pytest.approx(2, rel=0.05)
    grid = path_times(400, 0.3, 0.7, dtype=torch.float64)
    truth = float(torch.stack([around.velocity(x0, x1, t).square().mean() for t in grid]).mean())
    assert speeds["smooth"] == pytest.approx([truth] * 3, rel=0.02)


def test_the_sde_with_the_chains_noise_is_the_chain() -> None:
    """Same two-time law: Cov(x_s, x_t) = (a_t/a_s) Var(x_s). The flow's is √(Var x_s Var x_t) instead."""
    path, n = VariancePreserving(), 20_000
    toy = OneGaussian(path)
    times = path_times(200, 0.1, 0.6, dtype=torch.float64)
    run = integrate_sde(toy.velocity, toy.score, toy.draw(0.1, n, 1), times, ChainNoise(path), generator(2))
    rows = ZigZag(path).trajectories(toy.draw(0.0, n, 3), torch.zeros(n, 1).double(), times, generator(4))
    c = path.at(times)
    truth = float(c.a[-1] / c.a[0] * toy.law(times[0])[1])
    spread = math.sqrt(float(toy.law(times[0])[1] * toy.law(times[-1])[1]))
    for first, last in ((run.positions[0], run.positions[-1]), (rows[0], rows[-1])):
        covariance = float(torch.cov(torch.cat([first, last], 1).T)[0, 1])
        assert abs(covariance - truth) < 4 * spread / math.sqrt(n)
    assert truth < 0.5 * spread
