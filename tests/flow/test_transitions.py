"""Transitions: snapshots stay, memory goes, random drifts average out."""

import math

import pytest
import torch
from torch import Tensor

from fmstudio.flow.densities.cloud import PointCloud
from fmstudio.flow.densities.mixture import eight_gaussians, standard_normal
from fmstudio.flow.metrics import energy_distance, noise_floor
from fmstudio.flow.oracle.oracle_for import EmpiricalOracle, MixtureOracle, Oracle
from fmstudio.flow.paths.affine import Linear, Spherical, VariancePreserving
from fmstudio.flow.paths.latent import Latent
from fmstudio.flow.paths.path import Path
from fmstudio.flow.paths.turning import Bow
from fmstudio.flow.paths.zigzag import ZigZag
from fmstudio.flow.solve.solvers import integrate, path_times
from fmstudio.flow.solve.tableaux import HEUN
from fmstudio.flow.solve.transitions import _cells, identity_switching, random_path_process

#: The data that the slow tests' figures were worked out for.
DATA = eight_gaussians(radius=2.0, std=0.2)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def mixture_oracle(path: Path) -> Oracle:
    return MixtureOracle(path, DATA, standard_normal(2))


def original_paths(path: Path, n: int, times: Tensor, seed: int = 0) -> Tensor:
    g = generator(seed)
    x0 = DATA.sample(n, g).points
    return path.trajectories(x0, torch.randn(n, 2, generator=g), times, g)


def memory(x0: Tensor, x1: Tensor) -> float:
    """Correlation of the ends along a particle: Σ_j Cov(x₀ⱼ, x₁ⱼ) / √(Σ_j Var x₀ⱼ · Σ_j Var x₁ⱼ)."""
    p, q = (x.double() - x.double().mean(dim=0) for x in (x0, x1))
    return float((p * q).sum() / (p.square().sum() * q.square().sum()).sqrt())


@pytest.mark.parametrize("path", [Linear(), Spherical(), Bow(0.5)], ids=lambda p: type(p).__name__)
def test_random_drifts_add_up_as_martingale_differences(path) -> None:
    """E|Σ e dt|² = Σ E[var_t] dt², for any dt, and E Σ e dt = 0."""
    n = 2000
    x = torch.randn(n, 2, generator=generator(1))
    run = random_path_process(mixture_oracle(path), x, path_times(12), generator(2))
    squares = run.drift.square().sum(dim=1)
    error = float((squares - run.spread).std()) / math.sqrt(n)
    assert abs(float((squares - run.spread).mean())) < 4 * error
    # The identity is tested to a few percent.
    assert 4 * error < 0.15 * float(run.spread.mean())
    assert bool((run.drift.mean(0).abs() < 4 * run.drift.std(0) / math.sqrt(n)).all())


def test_random_drift_is_what_the_mean_velocity_leaves() -> None:
    """x_end = x_start + Σ u h + Σ e h, along each particle."""
    oracle, times = mixture_oracle(Linear()), path_times(9)
    run = random_path_process(oracle, torch.randn(30, 2, generator=generator(1)), times, generator(2))
    rows, h = run.trajectory.positions, times.diff()
    mean = sum(oracle(x, t) * step for x, t, step in zip(rows[:-1], times[:-1], h, strict=True))
    torch.testing.assert_close(rows[-1], rows[0] + mean + run.drift, rtol=1e-4, atol=1e-5)
    spread = sum(
        oracle.moments(x, t).var * step**2 for x, t, step in zip(rows[:-1], times[:-1], h, strict=True)
    )
    torch.testing.assert_close(run.spread, spread)
    assert run.trajectory.nfe == 9


def test_random_drift_falls_with_the_step() -> None:
    oracle, x = mixture_oracle(Linear()), torch.randn(500, 2, generator=generator(1))
    sums = [
        float(random_path_process(oracle, x, path_times(n), generator(2)).spread.mean()) for n in (8, 16, 32)
    ]
    assert math.log(sums[0] / sums[2]) / math.log(4) == pytest.approx(1, abs=0.1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "along_path", "start", "end"),
    [
        (Linear(), False, 1.0, 0.0),
        (Linear(), False, 0.0, 1.0),
        (Spherical(), True, 1.0, 0.0),
        (Bow(0.5), True, 1.0, 0.0),
        (VariancePreserving(), True, 0.0, 1.0),
        (Latent(Linear(), 0.5), True, 1.0, 0.0),
    ],
    ids=lambda v: type(v).__name__ if isinstance(v, Path) else str(v),
)
def test_following_drawn_paths_keeps_every_snapshot_at_any_step(path, along_path, start, end) -> None:
    """Five steps only: the transitions are those of Q, not approximations that improve with dt."""
    n, times = 1500, path_times(5, start, end)
    oracle = mixture_oracle(path)
    truth, other = (original_paths(path, 2 * n, times, seed) for seed in (10, 20))
    run = random_path_process(oracle, truth[0, :n], times, generator(2), along_path=along_path)
    for k in range(1, 6):
        floor = noise_floor(energy_distance, other[k], n, generator(k))
        reached = energy_distance(run.trajectory.positions[k], truth[k, n:])
        assert reached < floor.mean + 5 * floor.std
    if path == Spherical():
        # Steps along the tangents of arcs go outward.
        tangent = random_path_process(oracle, truth[0, :n], times, generator(2)).trajectory.end
        assert float(tangent.square().sum(1).mean()) > 1.1 * float(truth[-1, n:].square().sum(1).mean())


def test_an_empirical_oracle_leads_to_its_points() -> None:
    points = DATA.sample(50, generator(1)).points
    oracle = EmpiricalOracle(Linear(), PointCloud(points), standard_normal(2))
    run = random_path_process(
        oracle, torch.randn(300, 2, generator=generator(2)), path_times(20), generator(3)
    )
    distances = (run.trajectory.end[:, None] - points).norm(dim=2)
    assert float(distances.min(dim=1).values.max()) < 1e-5


def test_paths_without_a_velocity_are_refused() -> None:
    x = torch.zeros(3, 2)
    with pytest.raises(ValueError, match="no velocity to follow"):
        random_path_process(mixture_oracle(ZigZag()), x, path_times(4), generator())
    with pytest.raises(ValueError, match="infinite velocity at t = 1"):
        random_path_process(mixture_oracle(Latent()), x, path_times(4), generator())
    with pytest.raises(ValueError, match="infinite velocity at t = 0"):
        random_path_process(mixture_oracle(VariancePreserving()), x, path_times(4, 0.0, 1.0), generator())
    # Starting inside is fine, and so is ending where the velocity is infinite.
    run = random_path_process(mixture_oracle(Latent()), x, path_times(4, 0.9, 0.0), generator())
    assert bool(torch.isfinite(run.trajectory.end).all())


def test_same_seed_same_particles() -> None:
    oracle, x = mixture_oracle(Linear()), torch.randn(20, 2, generator=generator(1))
    first, again, other = (
        random_path_process(oracle, x, path_times(5), generator(s)).trajectory.end for s in (3, 3, 4)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("cell", [1e-9, 0.1, 1.0, 1e6])
def test_swaps_leave_every_snapshot_the_same_multiset(cell, d) -> None:
    rows = torch.randn(8, 500, d, generator=generator(1)).cumsum(0)
    partners = identity_switching(rows, cell, generator(2))
    assert torch.equal(partners[0], torch.arange(500))
    assert torch.equal(partners.sort(dim=1).values, torch.arange(500).expand(8, 500))
    walked = torch.gather(rows, 1, partners[..., None].expand_as(rows))
    for before, after in zip(rows, walked, strict=True):
        assert torch.equal(before[torch.argsort(before[:, 0])], after[torch.argsort(after[:, 0])])


def test_only_particles_of_one_cell_swap_and_they_do() -> None:
    rows = torch.rand(2, 2000, 2, generator=generator(1))
    partners = identity_switching(rows, 0.1, generator(2))
    cell = torch.floor(rows[1].double() / 0.1)
    assert torch.equal(cell[partners[1]], cell)
    # About 20 particles share each of 100 cells; a uniform permutation leaves one of a cell in place.
    stayed = int((partners[1] == torch.arange(2000)).sum())
    assert abs(stayed - 100) < 4 * math.sqrt(100)


@pytest.mark.slow
def test_permutations_within_a_cell_are_uniform() -> None:
    rows = torch.zeros(2, 3, 1)
    counts = torch.zeros(27)
    g = generator(1)
    for _ in range(3000):
        a, b, c = identity_switching(rows, 1.0, g)[1].tolist()
        counts[9 * a + 3 * b + c] += 1
    used = counts[counts > 0]
    assert len(used) == 6
    assert float((used - 500).abs().max()) < 4 * math.sqrt(500 * 5 / 6)


def test_a_boundless_cell_lets_everyone_swap_with_anyone() -> None:
    rows = torch.tensor([[-5.0], [0.0], [7.0]]).expand(2, 3, 1)
    g = generator(4)
    drawn = [tuple(identity_switching(rows, float("inf"), g)[1].tolist()) for _ in range(600)]
    counts = [drawn.count(order) for order in set(drawn)]
    assert len(counts) == 6
    # Six orders of probability 1/6 each: within 5 standard errors of 100.
    assert all(abs(count - 100) < 5 * (600 * 5 / 36) ** 0.5 for count in counts)


def test_cells_far_apart_have_different_numbers() -> None:
    """Also where the product of the grid's sides does not fit into 64 bits."""
    points = torch.randn(300, 3, generator=generator(1), dtype=torch.float64)
    points = torch.cat([points, points + 1e-9, points * 1e4])
    for side in (1e-4, 0.5):
        numbers = _cells(points, side)
        truth = torch.unique(torch.floor(points / side), dim=0, return_inverse=True)[1]
        same = numbers[:, None] == numbers
        assert torch.equal(same, truth[:, None] == truth)


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="cell > 0"):
        identity_switching(torch.zeros(2, 3, 2), 0.0, generator())
    with pytest.raises(ValueError, match="shape"):
        identity_switching(torch.zeros(3, 2), 1.0, generator())
    with pytest.raises(ValueError, match="shape"):
        identity_switching(torch.zeros(0, 3, 2), 1.0, generator())
    with pytest.raises(ValueError, match="finite"):
        identity_switching(torch.full((2, 3, 2), torch.nan), 1.0, generator())
    # 1e-19 of the grid's sides would not fit into 64 bits; every cell that is taken holds one place only.
    rows = torch.tensor([[-3.0], [0.0], [3.0], [3.0]]).expand(2, 4, 1)
    with pytest.raises(ValueError, match=r"a cell of at least 6\.7e-16"):
        identity_switching(rows, 1e-19, generator())
    assert identity_switching(rows, 1e-15, generator(1))[1, :2].tolist() == [0, 1]


def test_cells_of_many_points_on_the_finest_grid_differ() -> None:
    """2⁵³ rows of places and 3,000 columns with points: their product does not fit into 64 bits."""
    points = torch.zeros(3000, 2, dtype=torch.float64)
    points[:, 0] = torch.linspace(-1, 1, 3000)
    points[0, 1], points[1, 1] = -1, 1 - 2.0**-52
    assert len(_cells(points, 2.0**-52).unique()) == 3000


def flow_memory(n: int) -> float:
    x1 = torch.randn(n, 2, generator=generator(3))
    end = integrate(mixture_oracle(Linear()), x1, path_times(100), HEUN, record=False).end
    return memory(end, x1)


@pytest.mark.slow
def test_swapped_particles_remember_more_in_smaller_cells_and_no_more_than_the_flow() -> None:
    rows = original_paths(Linear(), 20_000, path_times(50))
    kept = []
    for cell in (1.0, 0.4, 0.2):
        partners = identity_switching(rows, cell, generator(2))
        kept.append(memory(rows[-1][partners[-1]], rows[0]))
    assert abs(memory(rows[-1], rows[0])) < 4 / math.sqrt(40_000)
    assert 0.2 < kept[0] < kept[1] - 0.05 < kept[2] - 0.1
    assert kept[2] < flow_memory(1000) + 0.02


@pytest.mark.slow
@pytest.mark.parametrize(("cell", "figure"), [(1.0, 0.47), (0.3, 0.73), (0.1, 0.84), (0.05, 0.87)])
def test_memory_figures_of_eight_gaussians(cell, figure) -> None:
    """Linear path, 200,000 particles, 100 steps; the flow's own is 0.91."""
    rows = original_paths(Linear(), 200_000, path_times(100))
    partners = identity_switching(rows, cell, generator(2))
    assert memory(rows[-1][partners[-1]], rows[0]) == pytest.approx(figure, abs=0.015)
    assert flow_memory(4000) == pytest.approx(0.91, abs=0.01)


@pytest.mark.slow
def test_distances_to_the_flow_of_eight_gaussians() -> None:
    """Medians of the squared distance to the ODE from the same start, as dt doubles from 0.0025."""
    oracle, x = mixture_oracle(Linear()), torch.randn(2000, 2, generator=generator(1))
    flow = integrate(oracle, x, path_times(200), HEUN, record=False).end
    medians = []
    for steps in (400, 200, 100, 50):
        run = random_path_process(oracle, x, path_times(steps), generator(2))
        medians.append(float((run.trajectory.end - flow).square().sum(1).median()))
    assert medians == pytest.approx([0.0034, 0.0070, 0.0136, 0.0291], rel=0.15)
