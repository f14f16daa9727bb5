"""Every path: its end values, its derivatives, its shapes, and the formula it is named after."""

import math

import pytest
import torch
from flow_matching.path import scheduler as peer

from fmstudio.flow.formulas.custom import Custom
from fmstudio.flow.paths.affine import Linear, Polynomial, Spherical, VariancePreserving
from fmstudio.flow.paths.latent import Latent
from fmstudio.flow.paths.path import Path, act, draw_like
from fmstudio.flow.paths.turning import Bow, Spiral
from fmstudio.flow.paths.zigzag import ZigZag
from tests.flow.every import EVERY_PATH

PATHS = [
    *EVERY_PATH,
    VariancePreserving(0.5, 6.0),
    Polynomial(1.0),
    Polynomial(3.5),
    Bow(-2.0),
    Spiral(-6.0),
    Custom(),
    Custom("1 - t^2", "t * sqrt(t)"),
    Custom("cos(pi*t/2)", "min(1, tanh(2*t) / tanh(2))"),
    Latent(Spherical(), 2.0),
    Latent(Bow(0.5), 1.0),
    Latent(Custom(), 0.3),
    Latent(Linear(), 0.0),
]
each_path = pytest.mark.parametrize("path", PATHS, ids=repr)
each_smooth_path = pytest.mark.parametrize("path", [p for p in PATHS if p.smooth], ids=repr)
INSIDE = torch.linspace(0.013, 0.987, 41, dtype=torch.float64)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def points(n: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, 2, generator=seeded(seed), dtype=torch.float64)


def derivative(values: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """d values / dt by recorded differentiation, real or complex."""
    if values.is_complex():
        return torch.complex(derivative(values.real, t), derivative(values.imag, t))
    if not values.requires_grad:
        return torch.zeros_like(values)
    return torch.autograd.grad(values.sum(), t, retain_graph=True)[0]


def test_every_kind_of_path_is_tested() -> None:
    ours = {kind for kind in Path.__subclasses__() if kind.__module__.startswith("fmstudio.flow.")}
    assert {type(path) for path in PATHS} == ours


@each_path
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_end_values(path, dtype) -> None:
    c = path.at(torch.tensor([0.0, 1.0], dtype=dtype))
    assert c.a.real.dtype == c.gamma.dtype == dtype
    near = {"atol": 8 * torch.finfo(dtype).eps, "rtol": 0.0}
    ones = torch.ones(2, dtype=c.a.dtype)
    torch.testing.assert_close(c.a[0], ones[0], **near)
    torch.testing.assert_close(c.b[0], 0 * ones[0], **near)
    assert c.gamma.tolist() == [0.0, 0.0]
    if path.exact_ends:
        torch.testing.assert_close(c.a[1], 0 * ones[1], **near)
        torch.testing.assert_close(c.b[1], ones[1], **near)
    else:
        schedule = path.around if isinstance(path, ZigZag) else path
        rest = math.exp(-(schedule.beta0 + schedule.beta1) / 4)
        torch.testing.assert_close(c.a[1].item(), rest, rtol=1e-6, atol=0)
        torch.testing.assert_close(c.b[1].item(), math.sqrt(1 - rest**2), rtol=1e-6, atol=0)


@each_path
def test_derivatives_equal_autograd(path) -> None:
    t = INSIDE.clone().requires_grad_()
    c = path.at(t)
    close = {"rtol": 1e-10, "atol": 1e-10}
    torch.testing.assert_close(c.da, derivative(c.a, t), **close)
    torch.testing.assert_close(c.db, derivative(c.b, t), **close)
    torch.testing.assert_close(c.dgamma, derivative(c.gamma, t), **close)
    torch.testing.assert_close(c.gamma_dgamma, derivative(c.gamma**2 / 2, t), **close)


@each_path
def test_one_time_and_a_batch_of_times_agree(path) -> None:
    batch = path.at(INSIDE)
    assert batch.a.shape == batch.gamma_dgamma.shape == batch.variance.shape == INSIDE.shape
    for k in (0, 20, 40):
        one = path.at(INSIDE[k])
        for name in ("a", "b", "gamma", "da", "db", "dgamma", "gamma_dgamma", "variance", "determinant"):
            assert getattr(one, name).shape == ()
            torch.testing.assert_close(getattr(one, name), getattr(batch, name)[k], rtol=1e-12, atol=1e-12)


@each_path
def test_positions_and_velocities_row_by_row(path) -> None:
    x0, x1, z = points(41, 1), points(41, 2), points(41, 3)
    for motion in (path.position, path.velocity):
        together = motion(x0, x1, INSIDE, z)
        assert together.shape == (41, 2)
        rows = [motion(x0[k : k + 1], x1[k : k + 1], INSIDE[k], z[k : k + 1]) for k in range(41)]
        torch.testing.assert_close(together, torch.cat(rows), rtol=1e-12, atol=1e-12)


@each_path
def test_velocity_is_the_derivative_of_the_position(path) -> None:
    x0, x1, z = points(41, 1), points(41, 2), points(41, 3)
    t = INSIDE.clone().requires_grad_()
    xt = path.position(x0, x1, t, z)
    v = torch.stack([derivative(xt[:, axis], t) for axis in (0, 1)], 1)
    torch.testing.assert_close(path.velocity(x0, x1, t.detach(), z), v, rtol=1e-9, atol=1e-9)


@each_path
def test_variance_is_that_of_the_point_given_the_data(path) -> None:
    c = path.at(torch.tensor(0.37, dtype=torch.float64))
    noise = act(c.b, torch.eye(2, dtype=torch.float64))  # rows: where the unit vectors go
    covariance = noise.T @ noise + c.gamma**2 * torch.eye(2)
    torch.testing.assert_close(covariance, c.variance * torch.eye(2, dtype=torch.float64))


@pytest.mark.parametrize("path", [p for p in PATHS if not p.has_latent], ids=repr)
def test_position_and_velocity_determine_both_ends(path) -> None:
    x0, x1, t = points(41, 1), points(41, 2), INSIDE
    c, xt, v = path.at(t), path.position(x0, x1, t), path.velocity(x0, x1, t)
    torch.testing.assert_close(act(c.db / c.determinant, xt) - act(c.b / c.determinant, v), x0)
    torch.testing.assert_close(act(c.a / c.determinant, v) - act(c.da / c.determinant, xt), x1)


@each_smooth_path
def test_trajectories_are_the_positions_of_one_latent(path) -> None:
    x0, x1, times = points(7, 1), points(7, 2), torch.tensor([0.9, 0.1, 0.5], dtype=torch.float64)
    rows = path.trajectories(x0, x1, times, seeded(5))
    assert rows.shape == (3, 7, 2)
    z = draw_like(x0, seeded(5)) if path.has_latent else None
    for row, t in zip(rows, times, strict=True):
        torch.testing.assert_close(row, path.position(x0, x1, t, z))


@each_path
def test_float32_points_stay_float32(path) -> None:
    x, t = points(4).float(), torch.rand(4, generator=seeded())
    assert path.position(x, x, t).dtype == torch.float32
    assert path.trajectories(x, x, t, seeded()).dtype == torch.float32


@pytest.mark.parametrize("bend", [0.5, -1.3])
def test_bow_is_a_bent_chord(bend) -> None:
    x0, x1, t = points(41, 1), points(41, 2), INSIDE
    quarter_turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)
    chord = (1 - t)[:, None] * x0 + t[:, None] * x1
    bent = chord + bend * torch.sin(math.pi * t)[:, None] * ((x1 - x0) @ quarter_turn.T)
    torch.testing.assert_close(Bow(bend).position(x0, x1, t), bent)


@pytest.mark.parametrize("turn", [1.5, -4.0])
def test_spiral_is_a_rotated_chord(turn) -> None:
    x0, x1, t = points(41, 1), points(41, 2), INSIDE
    chord = (1 - t)[:, None] * x0 + t[:, None] * x1
    angle = turn * torch.sin(math.pi * t)
    rows = [torch.stack([angle.cos(), -angle.sin()], 1), torch.stack([angle.sin(), angle.cos()], 1)]
    rotation = torch.stack(rows, 1)
    turned = torch.einsum("nij,nj->ni", rotation, chord)
    torch.testing.assert_close(Spiral(turn).position(x0, x1, t), turned)


def test_spherical_path_is_an_arc_of_circle_for_orthogonal_ends_of_one_length() -> None:
    x0 = points(41, 1)
    x1 = torch.stack([-x0[:, 1], x0[:, 0]], 1)
    length = Spherical().position(x0, x1, INSIDE).norm(dim=1)
    torch.testing.assert_close(length, x0.norm(dim=1))


@pytest.mark.parametrize("around", [Spherical(), VariancePreserving()], ids=repr)
def test_zig_zag_has_the_marginals_of_its_path_and_is_markov(around) -> None:
    n = 20_000
    times = torch.tensor([0.8, 0.0, 0.3, 1.0, 0.05], dtype=torch.float64)
    x0 = torch.tensor([[1.5, -0.7]], dtype=torch.float64).expand(n, 2)
    rows = ZigZag(around).trajectories(x0, torch.zeros_like(x0), times, seeded(4))
    c = around.at(times)
    for row, a, b in zip(rows, c.a, c.b, strict=True):
        # Five standard errors of a mean and of a variance of 40,000 numbers.
        assert ((row - a * x0).mean(0).abs() <= 5 * b / math.sqrt(n) + 1e-7).all()
        assert ((row - a * x0).square().mean() - b**2).abs() <= 5 * b**2 * math.sqrt(1 / n) + 1e-12
    early, late = 2, 0  # s = 0.3 < t = 0.8
    rest = rows[late] - (c.a[late] / c.a[early]) * rows[early]
    correlation = torch.corrcoef(torch.stack([rest.flatten(), rows[early].sub(c.a[early] * x0).flatten()]))
    assert correlation[0, 1].abs() <= 5 / math.sqrt(2 * n)


@pytest.mark.parametrize("around", [Spherical(), VariancePreserving()], ids=repr)
def test_zig_zag_stays_where_a_time_is_given_twice(around) -> None:
    rows = ZigZag(around).trajectories(points(50), points(50), torch.tensor([1.0, 0.3, 1.0, 0.3]), seeded())
    assert rows.isfinite().all()
    assert torch.equal(rows[:2], rows[2:])


def test_zig_zag_speed_grows_without_bound() -> None:
    x0 = points(2_000).float()
    speeds = []
    for dt in (1e-2, 1e-4):
        times = torch.tensor([0.5, 0.5 + dt])
        step = ZigZag(Spherical()).trajectories(x0, x0, times, seeded()).diff(dim=0)
        speeds.append(float((step / dt).square().sum(-1).mean()))
    assert 70 < speeds[1] / speeds[0] < 130


@pytest.mark.parametrize(
    ("path", "schedule"),
    [
        (Linear(), peer.CondOTScheduler()),
        (Spherical(), peer.CosineScheduler()),
        (VariancePreserving(), peer.VPScheduler(beta_min=0.1, beta_max=20.0)),
    ],
    ids=["linear", "spherical", "variance preserving"],
)
def test_agrees_with_flow_matching_with_time_reversed(path, schedule) -> None:
    ours, theirs = path.at(INSIDE), schedule(1 - INSIDE)
    torch.testing.assert_close(ours.a, theirs.alpha_t)
    torch.testing.assert_close(ours.b, theirs.sigma_t)
    torch.testing.assert_close(ours.da, -theirs.d_alpha_t)
    torch.testing.assert_close(ours.db, -theirs.d_sigma_t)


@pytest.mark.parametrize("power", [1.0, 2.0, 3.0])
def test_polynomial_agrees_with_flow_matching_with_the_ends_exchanged(power) -> None:
    """Their schedule starts slowly at the noise, ours at the data: the same curve with α and σ exchanged."""
    ours, theirs = Polynomial(power).at(INSIDE), peer.PolynomialConvexScheduler(power)(INSIDE)
    torch.testing.assert_close(ours.b, theirs.alpha_t)
    torch.testing.assert_close(ours.a, theirs.sigma_t)
    torch.testing.assert_close(ours.db, theirs.d_alpha_t)
    torch.testing.assert_close(ours.da, theirs.d_sigma_t)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: VariancePreserving(2.0, 1.0), "beta0 ≤ beta1; got beta0 = 2.0"),
        (lambda: Polynomial(0.5), r"power in \[1, 8\]; got 0.5"),
        (lambda: Bow(2.1), "bend .* got 2.1"),
        (lambda: Bow(math.nan), "bend .* got nan"),
        (lambda: Spiral(7.0), "turn .* got 7.0"),
        (lambda: Latent(Linear(), -0.1), "strength .* got -0.1"),
        (lambda: Latent(Latent()), "smooth path that has none yet"),
        (lambda: Latent(ZigZag()), "smooth path"),
        (lambda: ZigZag(Linear()), "spherical or variance-preserving"),
    ],
)
def test_refuses_what_makes_no_path(build, words) -> None:
    with pytest.raises(ValueError, match=words):
        build()


@pytest.mark.parametrize("path", [Bow(), Spiral()], ids=repr)
def test_a_turning_path_needs_the_plane(path) -> None:
    with pytest.raises(ValueError, match="2 coordinates; got 1"):
        path.position(torch.zeros(3, 1), torch.zeros(3, 1), torch.tensor(0.5))
