"""v, x̂₀, ε̂ and the score are one prediction; peers agree with time reversed."""

import math
from itertools import pairwise
from math import cos, pi, sin

import pytest
import torch
from flow_matching.path import AffineProbPath
from flow_matching.path.scheduler import (
    CondOTScheduler,
    CosineScheduler,
    PolynomialConvexScheduler,
    VPScheduler,
)
from scipy.optimize import brentq

from fmstudio.flow.densities.mixture import GaussianMixture, eight_gaussians, standard_normal
from fmstudio.flow.formulas.custom import Custom
from fmstudio.flow.formulas.readable import unreadable, unreadable_times
from fmstudio.flow.oracle.oracle_for import MixtureOracle
from fmstudio.flow.paths.affine import Linear, Polynomial, Spherical, VariancePreserving
from fmstudio.flow.paths.latent import Latent
from fmstudio.flow.paths.path import Path
from fmstudio.flow.regress.translate import (
    TRANSLATE,
    Prediction,
    from_eps,
    from_score,
    from_v,
    from_x0,
    solve,
)
from tests.flow.every import EVERY_PATH

NAMES = ("v", "x0_hat", "eps_hat", "score")


def close(one: Prediction, other: Prediction, tolerance: float) -> None:
    for name in NAMES:
        p, q = getattr(one, name), getattr(other, name)
        scale = 1 + q.abs().max()
        assert (p - q).abs().max() <= tolerance * scale, name


def inputs(n: int, per_row: bool) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(n, 2, generator=generator, dtype=torch.float64)
    v = torch.randn(n, 2, generator=generator, dtype=torch.float64)
    t = torch.linspace(0.05, 0.95, n, dtype=torch.float64) if per_row else torch.tensor(0.37).double()
    return x, v, t


@pytest.mark.parametrize("per_row", [False, True], ids=["one t", "t per row"])
@pytest.mark.parametrize("path", EVERY_PATH, ids=str)
def test_the_four_names_convert_into_each_other(path: Path, per_row: bool) -> None:
    x, v, t = inputs(7, per_row)
    first = from_v(path, v, x, t)
    close(from_x0(path, first.x0_hat, x, t), first, 1e-9)
    close(from_eps(path, first.eps_hat, x, t), first, 1e-9)
    close(from_score(path, first.score, x, t), first, 1e-9)
    assert torch.equal(first.v, v)


@pytest.mark.parametrize("path", EVERY_PATH, ids=str)
def test_the_exact_quantities_are_translations_of_each_other(path: Path) -> None:
    oracle = MixtureOracle(path, eight_gaussians(), standard_normal())
    x, _, t = inputs(9, True)
    exact = oracle.moments(x, t)
    known = {"v": exact.u, "x0": exact.x0_hat, "eps": exact.eps_hat, "score": exact.score}
    for name, prediction in known.items():
        found = TRANSLATE[name](path, prediction, x, t)
        for got, want in zip(
            (found.v, found.x0_hat, found.eps_hat, found.score),
            (exact.u, exact.x0_hat, exact.eps_hat, exact.score),
            strict=True,
        ):
            torch.testing.assert_close(got, want, rtol=1e-7, atol=1e-7)


def test_on_the_spherical_path_the_velocity_is_v_prediction() -> None:
    path = Spherical()
    x, v, t = inputs(6, True)
    found = from_v(path, v, x, t)
    c = path.at(t)
    target = math.pi / 2 * (c.a[:, None] * found.eps_hat - c.b[:, None] * found.x0_hat)
    torch.testing.assert_close(target, v)


@pytest.mark.parametrize(
    ("path", "scheduler"),
    [
        (Linear(), CondOTScheduler()),
        (Spherical(), CosineScheduler()),
        (VariancePreserving(), VPScheduler()),
    ],
    ids=["linear", "spherical", "variance preserving"],
)
@pytest.mark.parametrize("time", [0.1, 0.5, 0.9])
def test_agrees_with_flow_matching_with_time_reversed(path: Path, scheduler, time: float) -> None:
    theirs = AffineProbPath(scheduler)
    x, v, _ = inputs(5, False)
    t = torch.tensor(time, dtype=torch.float64)
    reversed_t = (1 - t).expand(len(x), 1)
    ours = from_v(path, v, x, t)
    same = {"rtol": 1e-9, "atol": 1e-9}
    torch.testing.assert_close(theirs.velocity_to_target(-v, x, reversed_t), ours.x0_hat, **same)
    torch.testing.assert_close(theirs.velocity_to_epsilon(-v, x, reversed_t), ours.eps_hat, **same)
    torch.testing.assert_close(-theirs.target_to_velocity(ours.x0_hat, x, reversed_t), v, **same)
    torch.testing.assert_close(-theirs.epsilon_to_velocity(ours.eps_hat, x, reversed_t), v, **same)
    torch.testing.assert_close(theirs.epsilon_to_target(ours.eps_hat, x, reversed_t), ours.x0_hat, **same)


def test_their_polynomial_is_another_path() -> None:
    """Theirs is data weight τⁿ at τ = 1 − t, (1 − t)ⁿ; ours is 1 − tⁿ. They meet for n = 1 only."""
    t = torch.tensor(0.3, dtype=torch.float64)
    theirs = PolynomialConvexScheduler(2.0)(1 - t)
    assert float(theirs.alpha_t) == pytest.approx(0.7**2)
    assert float(Polynomial(2.0).at(t).a) == pytest.approx(1 - 0.3**2)


def test_solve_needs_no_normal_source() -> None:
    """The 2×2 system gives E[x₀ | x] and E[x₁ | x] for any source."""
    source = GaussianMixture(
        torch.tensor([[-1.0, 0.0], [1.0, 0.5]]),
        torch.tensor([[[0.3, 0.1], [0.1, 0.5]], [[0.2, 0.0], [0.0, 0.2]]]),
        torch.tensor([0.4, 0.6]),
    )
    x, _, t = inputs(8, True)
    exact = MixtureOracle(Linear(), eight_gaussians(), source).moments(x, t)
    x0, x1 = solve(Linear(), exact.u, x, t)
    torch.testing.assert_close(x0, exact.x0_hat, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(x1, exact.eps_hat, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("convert", "time"),
    [(from_eps, 0.0), (from_eps, 1.0), (from_score, 0.0), (from_score, 1.0), (from_x0, 0.0)],
)
def test_singular_ends_are_refused_or_finite(convert, time: float) -> None:
    x, v, _ = inputs(3, False)
    t = torch.tensor(time)
    if convert is from_eps and time == 0:
        found = convert(Linear(), v, x, t)
        torch.testing.assert_close(found.x0_hat, x)
        torch.testing.assert_close(found.v, v - x)
        with pytest.raises(ValueError, match=r"Linear path has no score at t = 0 .*Use t ≥ 1e-3"):
            _ = found.score
    else:
        with pytest.raises(ValueError, match=f"Linear path has no conversion .* at t = {time:.0f}"):
            convert(Linear(), v, x, t)


def test_one_singular_row_is_named() -> None:
    x, v, _ = inputs(3, False)
    times = torch.tensor([0.5, 0.0, 0.2])
    with pytest.raises(ValueError, match=r"Polynomial path has no conversion from the velocity at t = 0"):
        solve(Polynomial(2.0), v, x, times)
    read = from_v(Polynomial(2.0), v, x, times)
    assert torch.equal(read.x0_hat[1], x[1])
    with pytest.raises(ValueError, match=r"has no ε̂ that can be read from the velocity at t = 0 .*t ≥ 1e-3"):
        _ = read.eps_hat
    with pytest.raises(ValueError, match="has no score at t = 0"):
        _ = read.score


LEVEL = [
    Custom(),
    Custom("cos(pi*t/2)^2", "sin(pi*t/2)"),
    Custom("(1-t)^2", "1-(1-t)^2"),
    Latent(Custom(), 0.5),
]


@pytest.mark.parametrize("path", LEVEL, ids=str)
def test_where_the_path_leaves_the_noise_levelly_noise_and_score_are_their_limits(path: Path) -> None:
    """a′ = 0 at t = 1, so D = 0: ε̂ = x and the score is −x, that of N(0, I); x̂₀ is not in the velocity."""
    x, _, _ = inputs(5, False)
    oracle = MixtureOracle(path, eight_gaussians(), standard_normal())
    before, end = torch.tensor([1 - 1e-7, 1.0], dtype=torch.float64)
    near = from_v(path, oracle.moments(x, before).u, x, before)
    # The velocity at the end plays no part: it may be that of any net.
    read = from_v(path, torch.randn_like(x), x, end)
    torch.testing.assert_close(read.score, -x, rtol=0, atol=1e-12)
    torch.testing.assert_close(read.score, oracle.moments(x, end).score)
    torch.testing.assert_close(read.score, near.score, rtol=0, atol=1e-3)
    torch.testing.assert_close(read.eps_hat, near.eps_hat, rtol=0, atol=1e-3)
    with pytest.raises(ValueError, match=r"no x̂₀ that can be read from the velocity at t = 1 .*t ≤ 0\.999"):
        _ = read.x0_hat
    with pytest.raises(ValueError, match="no x̂₀"):
        _ = from_v(path, x, x, torch.tensor([0.3, 0.5, 1.0, 0.9, 0.2])).x0_hat


@pytest.mark.parametrize(
    "path", [VariancePreserving(), Custom("1-t", "sqrt(t)"), Custom("1-t", "t^2")], ids=str
)
def test_at_the_data_the_velocity_tells_the_point_itself(path: Path) -> None:
    """b′ is infinite or 0 there; x̂₀ = x is the limit, from whatever velocity."""
    x, v, _ = inputs(5, False)
    oracle = MixtureOracle(path, eight_gaussians(), standard_normal())
    beside = torch.tensor(1e-9, dtype=torch.float64)
    near = from_v(path, oracle.moments(x, beside).u, x, beside)
    read = from_v(path, v, x, torch.tensor(0.0))
    torch.testing.assert_close(read.x0_hat, x)
    torch.testing.assert_close(read.x0_hat, near.x0_hat, rtol=0, atol=1e-5)


CROSSED = [
    # a, b, and D by hand
    ("1-t-2*sin(pi*t)", "t", lambda t: 1 - 2 * sin(pi * t) + 2 * pi * t * cos(pi * t)),
    ("(1-t)*(1-2*t)", "t", lambda t: (1 - 3 * t + 2 * t * t) - t * (4 * t - 3)),
    (
        "cos(5*pi*t/2)",
        "sin(pi*t/2)",
        lambda t: (
            pi / 2 * cos(5 * pi * t / 2) * cos(pi * t / 2)
            + 5 * pi / 2 * sin(5 * pi * t / 2) * sin(pi * t / 2)
        ),
    ),
]


@pytest.mark.parametrize(("a", "b", "determinant"), CROSSED)
def test_where_position_and_velocity_are_one_equation_is_found(a: str, b: str, determinant) -> None:
    grid = [k / 997 for k in range(1, 997)]
    roots = [
        brentq(determinant, low, high)
        for low, high in pairwise(grid)
        if determinant(low) * determinant(high) < 0
    ]
    assert roots
    found = unreadable_times(Custom(a, b))
    assert [low for low, _ in found] == [high for _, high in found] == pytest.approx(roots, abs=1e-9)


def test_a_stretch_where_nothing_moves_and_a_touch_are_found_too() -> None:
    flat = unreadable_times(Custom("max(1 - 2*t, 0)", "t"))
    assert flat == (pytest.approx((0.5, 1.0), abs=3e-4),)
    # With a = 1 − t and this b, D = 4 (t − ½)².
    ((low, high),) = unreadable_times(Custom("1 - t", "t + 4*(1-t)*(log(1-t+1e-300) + t)"))
    assert low <= 0.5 <= high
    assert high - low < 1e-3


@pytest.mark.parametrize("path", EVERY_PATH, ids=str)
def test_every_other_path_can_be_read_everywhere(path: Path) -> None:
    assert unreadable_times(path) == ()
    assert unreadable(path) == ""


def test_a_latent_is_a_third_unknown() -> None:
    x, v, t = inputs(4, False)
    latent = next(p for p in EVERY_PATH if p.has_latent)
    with pytest.raises(ValueError, match="without a latent"):
        solve(latent, v, x, t)
