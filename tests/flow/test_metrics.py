"""Metrics: against closed forms, brute force and other libraries."""

import math

import ot
import pytest
import torch
from scipy.stats import energy_distance as scipy_energy_distance
from scipy.stats import wasserstein_distance_nd
from torch import Tensor

from fmstudio.flow.densities.mixture import isotropic, standard_normal
from fmstudio.flow.metrics import (
    W2_LIMIT,
    energy_distance,
    envelope,
    noise_floor,
    shuffled_energy_distances,
    sliced_w2,
    straightness,
    transport_cost,
    w2,
)
from fmstudio.flow.oracle.oracle_for import MixtureOracle
from fmstudio.flow.paths.affine import Linear
from fmstudio.flow.solve.solvers import integrate, path_times
from fmstudio.flow.solve.tableaux import EULER, RK4


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(n: int, d: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(n, d, generator=generator(seed), dtype=dtype)


def brute_force(x: Tensor, y: Tensor) -> float:
    x, y = x.double(), y.double()

    def distances(a: Tensor, b: Tensor) -> Tensor:
        return (a[:, None] - b).norm(dim=2)

    n, m = len(x), len(y)
    return float(
        2 * distances(x, y).mean()
        - distances(x, x).sum() / (n * (n - 1))
        - distances(y, y).sum() / (m * (m - 1))
    )


# Sizes on both sides of a tile's 128 rows and 1,024 columns.
@pytest.mark.parametrize(("n", "m"), [(2, 2), (7, 5), (128, 129), (300, 1100), (1400, 257)])
@pytest.mark.parametrize("d", [1, 2, 3, 12])
def test_energy_distance_equals_its_definition(n, m, d) -> None:
    x, y = normal(n, d, 1), 1.5 * normal(m, d, 2) + 0.3
    assert energy_distance(x, y) == pytest.approx(brute_force(x, y), rel=1e-6, abs=2e-7)
    assert energy_distance(y, x) == pytest.approx(energy_distance(x, y), abs=1e-9)


@pytest.mark.parametrize("offset", [0.0, 1000.0])
@pytest.mark.parametrize("d", [1, 2, 12])
def test_energy_distance_is_exact_for_close_points_far_from_the_origin(d, offset) -> None:
    """Where |x|² + |y|² − 2⟨x, y⟩ in float32 would be all rounding."""
    x, y = 1e-3 * normal(200, d, 1) + offset, 1e-3 * normal(150, d, 2) + offset
    assert energy_distance(x, y) == pytest.approx(brute_force(x, y), rel=1e-5, abs=1e-10)


def test_energy_distance_agrees_with_scipy_on_a_line() -> None:
    x, y = normal(500, 1, 1), normal(300, 1, 2) + 0.5
    # Theirs is the square root of the biased estimate: divide by n² where ours divides by n(n − 1).
    biased = scipy_energy_distance(x[:, 0].numpy(), y[:, 0].numpy()) ** 2
    spread_x = float((x.double() - x.double().T).abs().mean())
    spread_y = float((y.double() - y.double().T).abs().mean())
    assert energy_distance(x, y) == pytest.approx(biased - spread_x / 499 - spread_y / 299, rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("d", [1, 2])
def test_energy_distance_is_unbiased(d) -> None:
    """Small clouds of one distribution are at distance 0 in the mean; the biased estimate is far off."""
    values = torch.tensor(
        [energy_distance(normal(8, d, 2 * k), normal(8, d, 2 * k + 1)) for k in range(2000)]
    ).double()
    error = float(values.std()) / math.sqrt(2000)
    assert abs(float(values.mean())) < 3.5 * error
    # The bias of the other estimate, E|X − X′|·2/8, would be seen.
    assert 10 * error < 2 / 8


def test_energy_distance_of_two_normals() -> None:
    """On a line, E|N(m, s²)| = s√(2/π) exp(−m²/2s²) + m erf(m/(s√2)) gives it in closed form."""

    def mean_distance(m: float, s: float) -> float:
        return s * math.sqrt(2 / math.pi) * math.exp(-((m / s) ** 2) / 2) + m * math.erf(
            m / (s * math.sqrt(2))
        )

    truth = (
        2 * mean_distance(1.0, math.sqrt(5)) - mean_distance(0, math.sqrt(2)) - mean_distance(0, math.sqrt(8))
    )
    x, y = normal(200_000, 1, 1), 2 * normal(200_000, 1, 2) + 1
    assert energy_distance(x, y) == pytest.approx(truth, rel=0.02)


@pytest.mark.parametrize("metric", [energy_distance, w2, lambda x, y: sliced_w2(x, y, generator())])
def test_bad_clouds_are_refused(metric) -> None:
    x = torch.zeros(5, 2)
    with pytest.raises(ValueError, match="Expected clouds"):
        metric(x, torch.zeros(5, 3))
    with pytest.raises(ValueError, match="Expected clouds"):
        metric(x, torch.zeros(0, 2))
    broken = x.clone()
    broken[3, 1] = float("inf")
    with pytest.raises(ValueError, match="row 3 of 5"):
        metric(x, broken)


def test_energy_distance_needs_two_points() -> None:
    with pytest.raises(ValueError, match="≥ 2"):
        energy_distance(torch.zeros(1, 2), torch.zeros(5, 2))


@pytest.mark.parametrize(("n", "m"), [(60, 60), (60, 45), (1, 7)])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_w2_is_the_least_cost_of_a_plan(n, m, d) -> None:
    x, y = normal(n, d, 1), 2 * normal(m, d, 2) - 1
    cost = ot.dist(x.double().numpy(), y.double().numpy())
    assert w2(x, y) == pytest.approx(math.sqrt(ot.emd2([], [], cost)), rel=1e-9)


def test_w2_of_a_shift_is_its_length() -> None:
    x = normal(200, 2)
    assert w2(x, x + torch.tensor([3.0, 4.0])) == pytest.approx(5, rel=1e-6)
    assert w2(x, x[torch.randperm(200, generator=generator())]) == pytest.approx(0, abs=1e-9)


def test_w2_is_no_less_than_w1() -> None:
    x, y = normal(80, 2, 1), normal(80, 2, 2) ** 3
    assert w2(x, y) >= wasserstein_distance_nd(x.numpy(), y.numpy())


def test_w2_refuses_clouds_that_are_too_large() -> None:
    x = torch.zeros(W2_LIMIT + 1, 2)
    with pytest.raises(ValueError, match="at most 2,000"):
        w2(x, x)
    # On a line there is no limit.
    assert w2(x[:, :1], x[:, :1] + 2) == pytest.approx(2)


@pytest.mark.parametrize(("n", "m"), [(50, 50), (50, 70), (3, 100)])
def test_sliced_w2_is_the_mean_over_lines(n, m) -> None:
    x, y = normal(n, 3, 1), 2 * normal(m, 3, 2) - 1
    lines = torch.randn(3, 20, generator=generator(5), dtype=torch.float64)
    lines = lines / lines.norm(dim=0)
    squares = [
        ot.wasserstein_1d(x.double().numpy() @ line, y.double().numpy() @ line, p=2)
        for line in lines.T.numpy()
    ]
    assert sliced_w2(x, y, generator(5), 20) == pytest.approx(math.sqrt(sum(squares) / 20), rel=1e-9)


def test_sliced_w2_is_below_w2_and_exact_for_a_shift() -> None:
    x, y = normal(300, 2, 1), 2 * normal(300, 2, 2)
    # SW₂ ≤ W₂/√d, up to the chance of 5,000 lines.
    assert 0.5 * w2(x, y) < sliced_w2(x, y, generator(), 5_000) <= 1.02 * w2(x, y) / math.sqrt(2)
    # A shift by h has W₂² = ⟨θ, h⟩² on each line: in the mean |h|²/d.
    shift = torch.tensor([3.0, 4.0])
    assert sliced_w2(x, x + shift, generator(), 5_000) == pytest.approx(5 / math.sqrt(2), rel=0.02)
    with pytest.raises(ValueError, match="at least 1 projection"):
        sliced_w2(x, y, generator(), 0)


@pytest.mark.parametrize(("start", "end"), [(1.0, 0.0), (0.0, 1.0)])
def test_straightness_is_zero_for_straight_lines_at_constant_speed(start, end) -> None:
    def field(x: Tensor, t: Tensor) -> Tensor:
        """Every particle keeps its velocity 1.5 x₁ + 2, where x₁ = (x − 2(t − 1))/(1.5 t − 0.5)."""
        return 1.5 * (x - 2 * (t - 1)) / (1.5 * t - 0.5) + 2

    def still(x: Tensor, t: Tensor) -> Tensor:
        return torch.full_like(x, 2.0)

    x = normal(50, 2, dtype=torch.float64)
    run = integrate(still, x, path_times(10, start, end, dtype=torch.float64), EULER)
    assert straightness(run, still) < 1e-20
    run = integrate(field, x, path_times(10, 1.0, 0.4, dtype=torch.float64), EULER)
    assert straightness(run, field) < 1e-20


@pytest.mark.parametrize(("start", "end"), [(1.0, 0.0), (0.0, 1.0)])
def test_straightness_of_accelerated_particles(start, end) -> None:
    """u = 2t·c on a straight line at uneven speed: S = |c|² ∫ (1 − 2t)² dt = |c|²/3."""

    def field(x: Tensor, t: Tensor) -> Tensor:
        return 2 * t * torch.tensor([3.0, 4.0], dtype=x.dtype) + 0 * x

    run = integrate(field, normal(10, 2, dtype=torch.float64), path_times(200, start, end), RK4)
    assert straightness(run, field) == pytest.approx(25 / 3, rel=1e-4)


def test_straightness_of_the_flow_of_one_gaussian() -> None:
    """Linear path to N(m, s² I): Z_t = m(1 − t) + σ_t x₁, so S = d ∫ (σ′ − (1 − s))² dt."""
    s = 0.3
    oracle = MixtureOracle(Linear(), isotropic([[1.0, -2.0]], s), standard_normal(2))
    t = torch.linspace(0, 1, 100_001, dtype=torch.float64)
    slope = (t - (1 - t) * s**2) / ((1 - t) ** 2 * s**2 + t**2).sqrt()
    truth = 2 * float(torch.trapezoid((slope - (1 - s)) ** 2, t))
    run = integrate(oracle, normal(4000, 2), path_times(40), RK4)
    assert straightness(run, oracle) == pytest.approx(truth, rel=0.08)


def test_transport_cost() -> None:
    x = normal(20, 2)
    assert transport_cost(x, x + torch.tensor([3.0, 4.0])) == pytest.approx(25, rel=1e-6)
    with pytest.raises(ValueError, match="one shape"):
        transport_cost(x, x[:3])


@pytest.mark.parametrize("metric", [energy_distance, w2], ids=["energy", "w2"])
def test_noise_floor_is_where_fresh_samples_lie(metric) -> None:
    source = standard_normal(2)
    floor = noise_floor(metric, source, 200, generator(1), repeats=40)
    pool = noise_floor(metric, source.sample(4000, generator(2)).points, 200, generator(3), repeats=40)
    # Densities and splits of one large cloud say the same, within the errors of both means.
    assert abs(floor.mean - pool.mean) < 4 * math.hypot(floor.std, pool.std) / math.sqrt(40)
    fresh = metric(source.sample(200, generator(4)).points, source.sample(200, generator(5)).points)
    assert abs(fresh - floor.mean) < 4 * floor.std
    shifted = metric(source.sample(200, generator(4)).points, source.sample(200, generator(5)).points + 0.5)
    assert shifted > floor.mean + 6 * floor.std


def test_noise_floor_refuses() -> None:
    with pytest.raises(ValueError, match="at least 2 repeats"):
        noise_floor(energy_distance, standard_normal(2), 10, generator(), repeats=1)
    with pytest.raises(ValueError, match="need 20 points"):
        noise_floor(energy_distance, torch.zeros(19, 2), 10, generator())


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_shuffled_energy_distances_are_those_of_the_dealt_halves(dim) -> None:
    generator = torch.Generator().manual_seed(dim)
    x, y = torch.randn(30, dim, generator=generator), 1 + torch.randn(50, dim, generator=generator)
    found = shuffled_energy_distances(x[None], y[None], 7, torch.Generator().manual_seed(1))[0]
    order = torch.rand(80, 7, generator=torch.Generator().manual_seed(1)).argsort(0)
    pool = torch.cat([x, y])
    for k, value in enumerate(found):
        one = order[:, k] < 30
        assert float(value) == pytest.approx(energy_distance(pool[one], pool[~one]), abs=1e-5)


def test_shuffled_energy_distances_spread_as_fresh_samples_do() -> None:
    generator = torch.Generator().manual_seed(0)
    fresh = [
        energy_distance(
            torch.randn(200, 2, generator=generator, dtype=torch.float64),
            torch.randn(200, 2, generator=generator, dtype=torch.float64),
        )
        for _ in range(200)
    ]
    x = torch.randn(2, 200, 2, generator=generator, dtype=torch.float64)
    dealt = shuffled_energy_distances(x[:1], x[1:], 200, generator)
    true = torch.tensor(fresh).square().mean().sqrt()
    # Both are root mean squares over 200: each is within a fifth at three standard errors.
    assert float(dealt.square().mean().sqrt() / true) == pytest.approx(1, abs=0.4)


@pytest.mark.slow
def test_an_envelope_holds_whole_curves_at_its_rate() -> None:
    """Skewed curves of 20 correlated points: 2 in 100 leave it somewhere; of a pointwise one, 8 in 100."""
    g, trials, draws = generator(0), 1500, 200
    steps = torch.randn(trials, 20, draws + 1, generator=g, dtype=torch.float64)
    curve = torch.zeros(trials, draws + 1, dtype=torch.float64)
    curves = []
    for k in range(20):
        curve = 0.8 * curve + 0.6 * steps[:, k]
        curves.append(curve.exp())
    sampled = torch.stack(curves, 1)
    left = pointwise = 0
    for known, one in zip(sampled[..., :draws], sampled[..., draws], strict=True):
        low, high = envelope(known, 0.98).unbind(1)
        left += bool(((one < low) | (one > high)).any())
        low, high = known.quantile(torch.tensor([0.01, 0.99], dtype=torch.float64), dim=1)
        pointwise += bool(((one < low) | (one > high)).any())
    # The standard error of 0.02 is 0.0036.
    assert abs(left / trials - 0.02) < 0.0145
    assert pointwise / trials > 0.08


def test_an_envelope_needs_enough_curves_for_its_rate() -> None:
    with pytest.raises(ValueError, match="more than 40 curves"):
        envelope(torch.randn(3, 40, generator=generator(0), dtype=torch.float64), 0.98)
