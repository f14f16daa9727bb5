"""The oracle is exact: identities that hold for every path, every kind of data and of source."""

import math

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from fmstudio.flow.densities.cloud import PointCloud
from fmstudio.flow.densities.density import Density
from fmstudio.flow.densities.mixture import GaussianMixture, standard_normal
from fmstudio.flow.formulas.custom import Custom
from fmstudio.flow.oracle.attention import attend, attend_in_chunks, features
from fmstudio.flow.oracle.oracle_for import EmpiricalOracle, MixtureOracle, Oracle, oracle_for
from fmstudio.flow.paths.affine import Linear, Spherical, VariancePreserving
from fmstudio.flow.paths.latent import Latent
from fmstudio.flow.paths.path import Path, act, draw_like
from fmstudio.flow.paths.turning import Bow
from fmstudio.flow.solve.adaptive import integrate_adaptive
from fmstudio.flow.solve.solvers import integrate, path_times
from fmstudio.flow.solve.tableaux import HEUN
from tests.flow.every import EVERY_PATH, every_shape


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


MIXTURE = GaussianMixture(
    torch.tensor([[-1.2, 0.3], [0.9, 1.1], [0.4, -1.4]]),
    torch.tensor([[[0.4, 0.2], [0.2, 0.3]], [[0.2, -0.05], [-0.05, 0.1]], [[0.3, 0.0], [0.0, 0.5]]]),
    torch.tensor([0.5, 0.2, 0.3]),
    torch.tensor([0, 1, 1]),
)
CLOUD = PointCloud(torch.randn(40, 2, generator=generator(1)) * 1.2 + 0.3, torch.arange(40) % 3)
SOURCES = {
    "normal": standard_normal(),
    "mixture": GaussianMixture(
        torch.tensor([[-1.0, -0.4], [0.8, 0.6]]),
        torch.tensor([[[0.6, 0.2], [0.2, 0.3]], [[0.3, -0.1], [-0.1, 0.5]]]),
        torch.tensor([0.35, 0.65]),
    ),
}
DATA: dict[str, Density] = {"cloud": CLOUD, "gaussians": MIXTURE}

every_path = pytest.mark.parametrize("path", EVERY_PATH, ids=str)
every_kind = pytest.mark.parametrize(
    ("data", "source"), [(d, s) for d in DATA for s in SOURCES], ids=lambda name: name
)


def queries(n: int, seed: int = 5) -> tuple[Tensor, Tensor]:
    """Points in the bulk and times inside (0, 1), float64."""
    x = 1.5 * torch.randn(n, 2, generator=generator(seed), dtype=torch.float64)
    return x, torch.linspace(0.08, 0.99, n, dtype=torch.float64)


def brute_force(oracle: EmpiricalOracle, x: Tensor, t: Tensor) -> dict[str, Tensor]:
    """The formulas for N(0, I) without a latent, by float64 differences."""
    points, x = oracle.cloud.points.double(), x.double()
    c = oracle.path.at(t.double().expand(len(x)))
    n, dim = x.shape
    moved = act(c.a.repeat_interleave(len(points)), points.repeat(n, 1)).view(n, -1, dim)
    w = torch.softmax(-(x[:, None] - moved).square().sum(2) / (2 * c.variance[:, None]), 1)
    x0 = w @ points
    eps = act(c.b.conj().resolve_conj() / c.variance, x - act(c.a, x0))
    spread = (w * (points - x0[:, None]).square().sum(2)).sum(1)
    return {
        "x0_hat": x0,
        "eps_hat": eps,
        "u": act(c.da, x0) + act(c.db, eps),
        "var": (c.da - c.db * c.a / c.b).abs() ** 2 * spread,
        "score": -(x - act(c.a, x0)) / c.variance[:, None],
    }


@every_path
@every_kind
@pytest.mark.parametrize("t", [0.0, 1e-3, 0.4, 1.0])
def test_the_velocity_alone_is_that_of_the_moments(path: Path, data: str, source: str, t: float) -> None:
    oracle = oracle_for(path, DATA[data], SOURCES[source])
    x = 1.5 * torch.randn(30, 2, generator=generator(7), dtype=torch.float64)
    alone, among = oracle(x, torch.tensor(t)), oracle.moments(x, torch.tensor(t)).u
    # Of a cloud the velocity alone may come from float32.
    close = 1e-3 if data == "cloud" else 1e-8
    torch.testing.assert_close(alone, among, rtol=close, atol=close)


@every_path
@every_kind
def test_score_is_the_gradient_of_log_density(path: Path, data: str, source: str) -> None:
    oracle = oracle_for(path, DATA[data], SOURCES[source])
    x, t = queries(12)
    for time in (t, torch.tensor(0.35), torch.tensor(1.0)):
        y = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(oracle.log_density(y, time).sum(), y)
        torch.testing.assert_close(oracle.score(x, time), gradient, rtol=1e-6, atol=1e-8)
        # With and without a gradient log q_t is computed in two ways.
        torch.testing.assert_close(oracle.log_density(x, time), oracle.log_density(y, time).detach())


@every_path
@every_kind
def test_continuity_equation(path: Path, data: str, source: str) -> None:
    """∂q/∂t + div(q u) = 0 by central differences on a grid."""
    oracle = oracle_for(path, DATA[data], SOURCES[source])
    line = torch.linspace(-2.5, 2.5, 9, dtype=torch.float64)
    grid = torch.cartesian_prod(line, line)
    h = 1e-4

    def density(x: Tensor, t: Tensor) -> Tensor:
        return oracle.log_density(x, t).exp()

    for time in (0.3, 0.6, 0.9):
        t = torch.tensor(time, dtype=torch.float64)
        change = (density(grid, t + h) - density(grid, t - h)) / (2 * h)
        outflow = torch.zeros_like(change)
        for axis, step in enumerate(h * torch.eye(2, dtype=torch.float64)):
            ahead = density(grid + step, t) * oracle.moments(grid + step, t).u[:, axis]
            behind = density(grid - step, t) * oracle.moments(grid - step, t).u[:, axis]
            outflow += (ahead - behind) / (2 * h)
        assert change.abs().max() > 1e-3
        assert (change + outflow).abs().max() < 2e-5 * (1 + change.abs().max())


@every_path
@every_kind
def test_divergence_is_the_trace_of_the_derivative(path: Path, data: str, source: str) -> None:
    oracle = oracle_for(path, DATA[data], SOURCES[source])
    x, t = queries(10)
    y = x.clone().requires_grad_()
    u = oracle(y, t)
    rows = [torch.autograd.grad(u[:, i].sum(), y, retain_graph=True)[0][:, i] for i in range(2)]
    torch.testing.assert_close(oracle.divergence(x, t), sum(rows), rtol=1e-6, atol=1e-7)


@every_path
@every_kind
def test_the_loss_at_u_is_its_floor(path: Path, data: str, source: str) -> None:
    """E|v − u|² = E var_t, within 4 standard errors, over t ~ U(0.05, 0.95)."""
    oracle = oracle_for(path, DATA[data], SOURCES[source])
    g, n = generator(7), 20_000
    x0 = DATA[data].sample(n, g).points.double()
    x1 = SOURCES[source].sample(n, g).points.double()
    z = draw_like(x0, g) if path.has_latent else None
    t = 0.05 + 0.9 * torch.rand(n, generator=g, dtype=torch.float64)
    moments = oracle.moments(path.position(x0, x1, t, z), t)
    loss = (path.velocity(x0, x1, t, z) - moments.u).square().sum(1)
    excess = loss - moments.var
    error = excess.std() / math.sqrt(n)
    assert excess.mean().abs() < 4 * error
    assert error < 0.05 * loss.mean()


@every_path
@every_kind
def test_drawn_paths_go_through_the_point_with_mean_velocity_u(path: Path, data: str, source: str) -> None:
    """a x₀ + b x₁ + γ z = x exactly; means and variance of the draws within 4.5 standard errors."""
    oracle = oracle_for(path, DATA[data], SOURCES[source])
    count = 4000
    x, _ = queries(3)
    t = torch.tensor([0.15, 0.5, 0.85], dtype=torch.float64)
    ends = oracle.draw(x, t, count, generator(11))
    assert (ends.z is not None) == path.has_latent
    flat = [None if e is None else e.reshape(-1, 2) for e in (ends.x0, ends.x1, ends.z)]
    times = t.repeat_interleave(count)
    assert flat[0] is not None
    assert flat[1] is not None
    at = path.position(flat[0], flat[1], times, flat[2]).view(3, count, 2)
    torch.testing.assert_close(at, x[:, None].expand_as(at), rtol=1e-10, atol=1e-10)
    v = path.velocity(flat[0], flat[1], times, flat[2]).view(3, count, 2)
    moments = oracle.moments(x, t)
    for draws, mean in ((v, moments.u), (ends.x0, moments.x0_hat), (ends.x1, moments.eps_hat)):
        error = draws.std(1) / math.sqrt(count)
        assert ((draws.mean(1) - mean).abs() <= 4.5 * error + 1e-9).all()
    squares = (v - moments.u[:, None]).square().sum(2)
    error = squares.std(1) / math.sqrt(count)
    assert ((squares.mean(1) - moments.var).abs() <= 4.5 * error + 1e-9).all()


@pytest.mark.parametrize("source", SOURCES)
@every_path
def test_a_cloud_is_a_mixture_with_tiny_covariances(path: Path, source: str) -> None:
    small = 1e-8 * torch.eye(2).expand(40, 2, 2)
    mixture = GaussianMixture(CLOUD.points, small, torch.ones(40))
    x, t = queries(12)
    t = t.clamp(min=0.2)
    one = oracle_for(path, CLOUD, SOURCES[source])
    other = oracle_for(path, mixture, SOURCES[source])
    p, q = one.moments(x, t), other.moments(x, t)
    for name in ("x0_hat", "eps_hat", "u", "var", "score"):
        torch.testing.assert_close(getattr(p, name), getattr(q, name), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(one.log_density(x, t), other.log_density(x, t), rtol=1e-4, atol=1e-4)


def test_one_gaussian_in_closed_form() -> None:
    """x₀ ~ N(μ, s²) on the line, x₁ ~ N(m, c²): the regression of v on x_t, written out."""
    mu, s, m, c = 0.7, 0.6, -0.2, 1.3
    data = GaussianMixture(torch.tensor([[mu]]), torch.tensor([[[s**2]]]), torch.ones(1))
    source = GaussianMixture(torch.tensor([[m]]), torch.tensor([[[c**2]]]), torch.ones(1))
    x = torch.linspace(-3, 3, 7, dtype=torch.float64)[:, None]
    for time in (0.0, 0.2, 0.7, 1.0):
        t = torch.tensor(time, dtype=torch.float64)
        a, b = 1 - time, time
        total = a**2 * s**2 + b**2 * c**2
        off = x - a * mu - b * m
        exact = MixtureOracle(Linear(), data, source)
        found = exact.moments(x, t)
        same = {"rtol": 1e-6, "atol": 1e-6}
        torch.testing.assert_close(found.u, m - mu + (b * c**2 - a * s**2) / total * off, **same)
        torch.testing.assert_close(found.score, -off / total, **same)
        torch.testing.assert_close(found.x0_hat, mu + a * s**2 / total * off, **same)
        torch.testing.assert_close(found.eps_hat, m + b * c**2 / total * off, **same)
        var = torch.full((7,), s**2 + c**2 - (b * c**2 - a * s**2) ** 2 / total, dtype=torch.float64)
        torch.testing.assert_close(found.var, var, **same)
        log_q = -(off[:, 0] ** 2) / (2 * total) - math.log(2 * math.pi * total) / 2
        torch.testing.assert_close(exact.log_density(x, t), log_q, **same)


@pytest.mark.slow
@pytest.mark.parametrize("per_row", [False, True], ids=["one t", "t per row"])
@pytest.mark.parametrize("path", [Linear(), Spherical(), VariancePreserving(), Bow(0.5)], ids=str)
@pytest.mark.parametrize("cloud", ["moons", "checkerboard", "twins"])
def test_precision_against_float64_differences(path: Path, per_row: bool, cloud: str) -> None:
    """Relative error of u ≤ 1e-3 (but for rounding) for every b from 1e-8 to 1."""
    n = 200
    points = every_shape()["moons" if cloud == "twins" else cloud](1000, 0.05, generator(2)).points
    if cloud == "twins":
        # Each point has another one near it, 1e-8 to 1 away, so that close decisions happen at every b.
        gap = torch.logspace(-8, 0, 500, dtype=torch.float64)[:, None]
        points = points.double()
        points[500:] = points[:500] + gap * torch.randn(500, 2, generator=generator(6), dtype=torch.float64)
    oracle = EmpiricalOracle(path, PointCloud(points), standard_normal())
    b = torch.logspace(-8, 0, 20, dtype=torch.float64).clamp(max=0.999)
    grid = torch.linspace(0, 1, 20_001, dtype=torch.float64)[1:]
    fine = torch.cat([torch.logspace(-18, -4, 5_000, dtype=torch.float64), grid])
    sigma = path.at(fine).variance.sqrt()
    times = torch.stack([fine[(sigma - value).abs().argmin()] for value in b])
    x0 = points[torch.randint(1000, (n,), generator=generator(3))]
    x1 = draw_like(x0, generator(4))
    t = times.repeat_interleave(n // 20) if per_row else None
    for time in [t] if t is not None else times:
        x = path.position(x0, x1, time.to(x0))
        exact = brute_force(oracle, x, time)
        # On a data point all but x̂₀ are 0, but for the digits lost in x − a x̂₀, which is then divided.
        c = path.at(time)
        lost = 1e-15
        for u in (oracle(x, time), oracle.moments(x, time).u):
            assert u.dtype == points.dtype
            error = (u.double() - exact["u"]).norm(dim=1)
            assert (error <= 1e-3 * exact["u"].norm(dim=1) + 1e-7 + lost * (c.db / c.b).abs()).all()
        found = oracle.moments(x, time)
        for name, unit in (("x0_hat", torch.ones(())), ("eps_hat", c.b.abs()), ("score", c.variance)):
            want = exact[name]
            error = (getattr(found, name).double() - want).norm(dim=1)
            assert (error <= 1e-4 * want.norm(dim=1) + 1e-7 + lost / unit).all(), name
        # Where one point has all the weight var is 0 but for rounding, on the scale of |v|².
        speed = 1 + exact["u"].square().sum(1)
        assert ((found.var.double() - exact["var"]).abs() <= 1e-3 * exact["var"] + 1e-5 * speed).all()


@every_path
@every_kind
def test_every_time_has_a_finite_velocity(path: Path, data: str, source: str) -> None:
    oracle = oracle_for(path, DATA[data], SOURCES[source])
    x, _ = queries(8)
    times = torch.tensor([0.0, 1e-9, 1e-6, 1e-3, 0.5, 1 - 1e-7, 1.0, 0.0], dtype=torch.float64)
    moments = oracle.moments(x, times)
    for answer in (oracle(x, times), moments.u, moments.x0_hat, moments.eps_hat):
        assert answer.isfinite().all()
    assert not moments.var.isnan().any()
    for i, time in enumerate(times):
        torch.testing.assert_close(oracle(x[i : i + 1], time), moments.u[i : i + 1], rtol=2e-3, atol=2e-3)
        torch.testing.assert_close(oracle(x.float(), time).isfinite().all(), torch.tensor(True))


@every_path
def test_a_cloud_at_the_data_end(path: Path) -> None:
    """At t = 0 a point is its nearest data point and x₁ is still N(m, Σ): no score, no density."""
    oracle = EmpiricalOracle(path, CLOUD, SOURCES["normal"])
    x, _ = queries(50)
    t = torch.tensor(0.0)
    nearest = CLOUD.points[torch.cdist(x, CLOUD.points.double()).argmin(1)].double()
    moments = oracle.moments(x, t)
    torch.testing.assert_close(moments.x0_hat, nearest)
    assert (oracle.weights(x, t).max(1).values == 1).all()
    torch.testing.assert_close(oracle.weights(x, t) @ CLOUD.points.double(), nearest)
    assert (moments.eps_hat == 0).all()
    da = path.at(torch.tensor(1e-6, dtype=torch.float64)).da
    torch.testing.assert_close(moments.u, act(da, nearest), rtol=1e-4, atol=1e-4)
    for refused in (lambda: moments.score, lambda: oracle.score(x, t), lambda: oracle.log_density(x, t)):
        with pytest.raises(ValueError, match=r"path has no (score|density) at t = 0 .*Use t ≥ 1e-3"):
            refused()
    ends = oracle.draw(x, t, 5, generator())
    torch.testing.assert_close(ends.x0, nearest[:, None].expand(-1, 5, -1))
    assert ends.x1.std() > 0.9
    mixed = EmpiricalOracle(path, CLOUD, SOURCES["mixture"])
    torch.testing.assert_close(mixed.moments(x, t).x0_hat, nearest)
    x1 = mixed.draw(x, t, 200, generator()).x1.reshape(-1, 2)
    error = x1.std(0) / math.sqrt(len(x1))
    assert ((x1.mean(0) - mixed.moments(x, t).eps_hat[0]).abs() < 4 * error).all()


@pytest.mark.parametrize("source", SOURCES)
@every_path
def test_data_with_a_density_have_a_score_at_the_data_end(path: Path, source: str) -> None:
    oracle = oracle_for(path, MIXTURE, SOURCES[source])
    assert oracle.score(queries(6)[0], torch.tensor(0.0)).isfinite().all()
    x, _ = queries(6)
    t = torch.tensor(0.0)
    torch.testing.assert_close(oracle.log_density(x, t), MIXTURE.log_density(x), rtol=1e-4, atol=1e-4)
    ends = oracle.draw(x, t, 3, generator())
    torch.testing.assert_close(ends.x0, x[:, None].expand_as(ends.x0))


@pytest.mark.parametrize("source", SOURCES)
@every_path
def test_at_the_noise_end_all_points_weigh_the_same(path: Path, source: str) -> None:
    oracle = EmpiricalOracle(path, CLOUD, SOURCES[source])
    x, _ = queries(6)
    t = torch.tensor(1.0)
    mean = CLOUD.points.double().mean(0).expand(6, 2)
    if path.exact_ends:
        torch.testing.assert_close(oracle.weights(x, t), torch.full((6, 40), 1 / 40, dtype=torch.float64))
        torch.testing.assert_close(oracle.moments(x, t).x0_hat, mean)
        torch.testing.assert_close(oracle.log_density(x, t), SOURCES[source].log_density(x))
    else:
        torch.testing.assert_close(oracle.moments(x, t).x0_hat, mean, rtol=0.05, atol=0.05)


NARROW = GaussianMixture(
    torch.tensor([[-1.2, 0.3], [0.9, 1.1], [0.4, -1.4]], dtype=torch.float64),
    1e-4 * torch.eye(2, dtype=torch.float64).expand(3, 2, 2),
    torch.tensor([0.5, 0.2, 0.3], dtype=torch.float64),
)
CENTRED = GaussianMixture(
    torch.tensor([[-1.0, -0.5], [1.0, 0.5]], dtype=torch.float64),
    torch.tensor([[[0.6, 0.2], [0.2, 0.3]], [[0.3, -0.1], [-0.1, 0.5]]], dtype=torch.float64),
    torch.tensor([0.5, 0.5], dtype=torch.float64),
)


@pytest.mark.parametrize(
    "path",
    [
        VariancePreserving(5.0, 5.0),
        VariancePreserving(),
        Latent(VariancePreserving(), 0.5),
        Custom("1-t", "sqrt(t)"),
    ],
    ids=str,
)
@pytest.mark.parametrize("source", [standard_normal(), CENTRED], ids=["normal", "centred"])
def test_a_steep_path_at_the_data_end_is_the_limit(path: Path, source: GaussianMixture) -> None:
    """b′ = inf at t = 0: x is a data point exactly, and u, ε̂ and the divergence are their limits t → 0."""
    zero = torch.tensor(0.0, dtype=torch.float64)
    x = NARROW.sample(30, generator(3)).points
    oracle = MixtureOracle(path, NARROW, source)
    torch.testing.assert_close(oracle.log_density(x, zero), NARROW.log_density(x), rtol=1e-12, atol=1e-10)
    y = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(NARROW.log_density(y).sum(), y)
    torch.testing.assert_close(oracle.score(x, zero), slope, rtol=1e-9, atol=1e-8)
    torch.testing.assert_close(oracle.moments(x, zero).x0_hat, x, rtol=1e-12, atol=1e-12)
    # Two times whose noise is far below the covariance 1e-4; together they have no term in √t.
    near, fourfold = (oracle.velocity_and_divergence(x, torch.tensor(k * 1e-10).double()) for k in (1, 4))
    for at, close, far in zip(oracle.velocity_and_divergence(x, zero), near, fourfold, strict=True):
        scale = float(at.abs().max())
        assert float((2 * close - far - at).abs().max()) < 1e-4 * scale
    torch.testing.assert_close(oracle(x, zero), oracle.moments(x, zero).u, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("path", [VariancePreserving(), Latent()], ids=str)
def test_var_is_infinite_where_a_component_has_no_weight(path: Path) -> None:
    """0·inf: on a data point of a narrow mixture the other components' weights are 0 in float64."""
    oracle = MixtureOracle(path, NARROW, standard_normal())
    assert float(next(iter(oracle.blocks(NARROW.means, torch.tensor(0.0)))).weight.min()) == 0
    assert oracle.moments(NARROW.means, torch.tensor(0.0)).var.isposinf().all()


def test_a_velocity_without_variance_has_infinite_var() -> None:
    """γ′z at both ends of a latent path, b′x₁ at t = 0 of the variance-preserving path."""
    x, _ = queries(2)
    for oracle_path, time in ((Latent(), 0.0), (Latent(), 1.0), (VariancePreserving(), 0.0)):
        for density in DATA.values():
            var = oracle_for(oracle_path, density, standard_normal()).moments(x, torch.tensor(time)).var
            assert var.isinf().all()
    for density in DATA.values():
        var = oracle_for(Linear(), density, standard_normal()).moments(x, torch.tensor([0.0, 1.0])).var
        assert var.isfinite().all()


@every_path
def test_the_oracle_of_a_class_is_that_of_its_points(path: Path) -> None:
    x, t = queries(5)
    for density in DATA.values():
        oracle = oracle_for(path, density, SOURCES["mixture"])
        same = oracle_for(path, density.given(1), SOURCES["mixture"])
        torch.testing.assert_close(oracle.given(1)(x, t), same(x, t))
        assert (oracle.given(1)(x, t) - oracle(x, t)).abs().max() > 1e-3


def test_weights_are_those_of_the_formula() -> None:
    oracle = EmpiricalOracle(Linear(), CLOUD, standard_normal())
    x, t = queries(6)
    weights = oracle.weights(x, t)
    r = x[:, None] - (1 - t)[:, None, None] * CLOUD.points.double()
    want = torch.softmax(-r.square().sum(2) / (2 * t[:, None] ** 2), 1)
    torch.testing.assert_close(weights, want)


@pytest.mark.parametrize("dim", [1, 3, 5])
def test_other_dimensions(dim: int) -> None:
    g = generator(3)
    points = torch.randn(30, dim, generator=g)
    x = torch.randn(6, dim, generator=g, dtype=torch.float64)
    t = torch.linspace(0.1, 1, 6, dtype=torch.float64)
    for path in (Linear(), Latent(Spherical(), 0.5)):
        oracle = EmpiricalOracle(path, PointCloud(points), standard_normal(dim))
        tiny = GaussianMixture(points, (1e-8 * torch.eye(dim)).expand(30, dim, dim), torch.ones(30))
        other = MixtureOracle(path, tiny, standard_normal(dim))
        p, q = oracle.moments(x, t), other.moments(x, t)
        for name in ("u", "score", "var"):
            torch.testing.assert_close(getattr(p, name), getattr(q, name), rtol=1e-4, atol=1e-4)
    plain = EmpiricalOracle(Linear(), PointCloud(points), standard_normal(dim))
    torch.testing.assert_close(plain.moments(x, t).u, brute_force(plain, x, t)["u"])


def test_unusable_arguments_are_refused() -> None:
    oracle = oracle_for(Linear(), CLOUD, standard_normal())
    x, _ = queries(4)
    with pytest.raises(ValueError, match=r"times in \[0, 1\]; got t = 1.5"):
        oracle(x, torch.tensor(1.5))
    with pytest.raises(ValueError, match="one for each of the 4 points"):
        oracle(x, torch.tensor([0.1, 0.2]))
    with pytest.raises(ValueError, match="one dimension; got 2 and 1"):
        oracle_for(Linear(), CLOUD, standard_normal(1))
    with pytest.raises(ValueError, match="turns the plane"):
        oracle_for(Bow(), PointCloud(torch.randn(5, 3)), standard_normal(3))(
            torch.randn(2, 3), torch.tensor(0.5)
        )
    with pytest.raises(TypeError, match="PointCloud"):
        oracle_for(Linear(), object(), standard_normal())  # pyright: ignore[reportArgumentType]


def test_nothing_to_ask() -> None:
    for density in DATA.values():
        oracle: Oracle = oracle_for(Linear(), density, standard_normal())
        nobody = torch.zeros(0, 2)
        for t in (torch.tensor(0.0), torch.tensor(0.5), torch.zeros(0)):
            assert oracle(nobody, t).shape == oracle.moments(nobody, t).x0_hat.shape == (0, 2)
            assert oracle.draw(nobody, t, 3, generator()).x0.shape == (0, 3, 2)
        fixed = integrate(oracle, nobody, path_times(4), HEUN)
        assert fixed.positions.shape == (5, 0, 2)
        assert integrate_adaptive(oracle, nobody, path_times(4)).positions.shape == (5, 0, 2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_fused_attention_is_attention(dtype: torch.dtype) -> None:
    """The kernel with its normaliser, the version in blocks and the formula agree."""
    g = generator(9)
    keys = features(torch.randn(700, 2, generator=g, dtype=torch.float64)).to(dtype)
    query = torch.randn(3, 50, keys.shape[1], generator=g, dtype=torch.float64).to(dtype)
    scores = query @ keys.T
    want = torch.logsumexp(scores, -1), torch.softmax(scores, -1) @ keys
    for found in (attend(query, keys), attend_in_chunks(query, keys)):
        assert found[0].dtype == dtype
        torch.testing.assert_close(found, want)


class Largest(TorchDispatchMode):
    """Remembers the most elements that any tensor had."""

    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, tuple | list) else (out,):
            if isinstance(tensor, Tensor):
                self.elements = max(self.elements, tensor.numel())
        return out


@pytest.mark.slow
@pytest.mark.parametrize("time", [0.5, 0.0, 1e-6])
def test_a_hundred_thousand_points_in_little_memory(time: float) -> None:
    """No tensor has much more than 16 (N + n) elements, where all the weights would have 6·10⁶."""
    points, queries = torch.randn(100_000, 2, generator=generator()), 60
    oracle = EmpiricalOracle(Linear(), PointCloud(points), standard_normal())
    x, t = torch.randn(queries, 2, generator=generator(1)), torch.tensor(time)
    with Largest() as largest:
        moments = oracle.moments(x, t)
        u = oracle(x, t)
        ends = oracle.draw(x, t, 10, generator())
    assert largest.elements < 3e6
    assert ends.x0.shape == (queries, 10, 2)
    torch.testing.assert_close(u, moments.u, rtol=1e-3, atol=1e-3)
    with Largest() as largest:
        oracle.weights(x, t)
    assert largest.elements >= 6e6
