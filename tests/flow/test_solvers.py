"""Solvers: tableaux that check themselves, measured orders, counted evaluations, agreement with peers."""

import dataclasses
import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from flow_matching.solver import ODESolver
from scipy.integrate import solve_ivp
from torch import Tensor
from torchdiffeq import odeint

from fmstudio.flow.densities.cloud import PointCloud
from fmstudio.flow.densities.mixture import eight_gaussians, standard_normal
from fmstudio.flow.metrics import energy_distance, noise_floor
from fmstudio.flow.oracle.oracle_for import EmpiricalOracle, MixtureOracle
from fmstudio.flow.paths.affine import Linear
from fmstudio.flow.solve.adaptive import integrate_adaptive
from fmstudio.flow.solve.fields import Counted
from fmstudio.flow.solve.solvers import check_times, integrate, path_times, steps
from fmstudio.flow.solve.tableaux import DOPRI5, EULER, HEUN, MIDPOINT, RK4, SOLVERS, Tableau
from tests.flow.every import EVERY_PATH

ALL = list(SOLVERS.values())


def shifted_square(x: Tensor, t: Tensor) -> Tensor:
    """u = (x + t)², whose solutions are x = tan(t + c) − t: nonlinear, and not separable in x and t."""
    return (x + t) ** 2


def exact(c: Tensor, t: float) -> Tensor:
    return torch.tan(t + c) - t


CONSTANTS = torch.linspace(-1.0, 0.2, 12, dtype=torch.float64).reshape(6, 2)
BOTH_WAYS = pytest.mark.parametrize(("start", "end"), [(0.0, 1.0), (1.0, 0.0)])


def turning(x: Tensor, t: Tensor) -> Tensor:
    """A field in the plane, nonlinear and with a time of its own."""
    return 2 * torch.stack([-x[:, 1] * (1 + 2 * t), x[:, 0] * torch.cos(x[:, 1]) + 4 * t * t], dim=1)


def scipy_end(x: Tensor, start: float, end: float) -> Tensor:
    """Where ``turning`` leads, by another library's method of order 8."""

    def right_side(t: float, y: np.ndarray) -> np.ndarray:
        return turning(torch.from_numpy(y).reshape(x.shape), torch.tensor(t)).flatten().numpy()

    run = solve_ivp(right_side, (start, end), x.flatten().numpy(), "DOP853", rtol=1e-13, atol=1e-14)
    return torch.from_numpy(run.y[:, -1]).reshape(x.shape)


@BOTH_WAYS
@pytest.mark.parametrize("tableau", ALL, ids=lambda t: t.name)
def test_measured_order_is_the_declared_one(tableau, start, end) -> None:
    x = torch.randn(6, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    truth = scipy_end(x, start, end)
    errors = [
        float((integrate(turning, x, path_times(n, start, end, dtype=x.dtype), tableau).end - truth).norm())
        for n in (80, 320)
    ]
    order = math.log(errors[0] / errors[1]) / math.log(4)
    assert abs(order - tableau.order) < 0.2


@pytest.mark.parametrize("tableau", ALL, ids=lambda t: t.name)
def test_a_tableau_refuses_an_order_above_its_own(tableau) -> None:
    with pytest.raises(ValueError, match="not of order"):
        dataclasses.replace(tableau, order=tableau.order + 1, error=None, dense=None)


def test_a_tableau_refuses_wrong_numbers() -> None:
    with pytest.raises(ValueError, match="sums to"):
        dataclasses.replace(HEUN, c=(Fraction(0), Fraction(1, 2)))
    with pytest.raises(ValueError, match="order condition"):
        dataclasses.replace(HEUN, b=(Fraction(1, 3), Fraction(2, 3)), error=None)
    with pytest.raises(ValueError, match="entries in row"):
        dataclasses.replace(HEUN, a=((), ()))
    with pytest.raises(ValueError, match="order condition"):
        # The embedded method must be one order lower, and this one is not even consistent.
        dataclasses.replace(DOPRI5, error=(Fraction(1, 10), *DOPRI5.error[1:]))
    with pytest.raises(ValueError, match="order condition"):
        dataclasses.replace(DOPRI5, dense=tuple(reversed(DOPRI5.dense)))


@pytest.mark.parametrize("tableau", ALL, ids=lambda t: t.name)
def test_evaluations_are_counted(tableau) -> None:
    calls = 0

    def field(x: Tensor, t: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return -x

    run = integrate(field, torch.ones(3, 2), path_times(7), tableau)
    assert run.nfe == calls == 7 * tableau.evaluations
    # Dormand–Prince's seventh stage only serves its error estimate.
    assert tableau.evaluations == len(tableau.b) - (tableau is DOPRI5)


def test_adaptive_evaluations_are_counted() -> None:
    calls = 0

    def field(x: Tensor, t: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return -x

    run = integrate_adaptive(field, torch.ones(3, 2), path_times(4))
    # The field at the start, one look ahead, and six new stages for each step.
    assert run.nfe == calls
    assert (calls - 2) % 6 == 0


@pytest.mark.parametrize("tableau", ALL, ids=lambda t: t.name)
def test_a_step_for_each_interval(tableau) -> None:
    """Uneven times, recorded or not, whole or state by state: the same numbers."""
    times = torch.tensor([1.0, 0.9, 0.3, 0.25, 0.0], dtype=torch.float64)
    x = exact(CONSTANTS, 1.0)
    whole = integrate(shifted_square, x, times, tableau)
    assert whole.positions.shape == (5, 6, 2)
    assert torch.equal(whole.times, times)
    assert torch.equal(whole.positions[0], x)
    for k in range(4):
        one = integrate(shifted_square, whole.positions[k], times[k : k + 2], tableau)
        assert torch.equal(one.end, whole.positions[k + 1])
    ends = integrate(shifted_square, x, times, tableau, record=False)
    assert torch.equal(ends.positions, whole.positions[[0, -1]])
    assert torch.equal(ends.times, times[[0, -1]])
    assert ends.nfe == whole.nfe
    states = list(steps(shifted_square, x, times, tableau))
    assert [s.index for s in states] == [1, 2, 3, 4]
    assert [s.time for s in states] == times[1:].tolist()
    assert [s.nfe for s in states] == [tableau.evaluations * k for k in range(1, 5)]
    assert torch.equal(torch.stack([s.x for s in states]), whole.positions[1:])


def test_a_caller_that_stops_stops_the_work() -> None:
    counted = Counted(shifted_square)
    for state in steps(counted, exact(CONSTANTS, 0.0), path_times(50, 0.0, 1.0), HEUN):
        if state.index == 3:
            break
    assert counted.nfe == 6


@pytest.mark.parametrize("tableau", ALL, ids=lambda t: t.name)
def test_the_field_is_asked_inside_the_interval_and_exactly_at_its_end(tableau) -> None:
    seen = []

    def field(x: Tensor, t: Tensor) -> Tensor:
        assert t.shape == ()
        assert t.dtype == x.dtype == torch.float32
        seen.append(float(t))
        return -x

    integrate(field, torch.ones(1, 2), path_times(7), tableau)
    assert min(seen) >= 0
    assert max(seen) <= 1
    assert seen[0] == 1.0
    assert (0.0 in seen) == (1 in tableau.c[: tableau.evaluations])
    seen.clear()
    integrate_adaptive(field, torch.ones(1, 2), path_times(7))
    assert min(seen) == 0
    assert max(seen) == 1


def test_start_is_left_alone_and_no_gradient_is_kept() -> None:
    x = torch.ones(4, 2, requires_grad=True)
    before = x.detach().clone()
    run = integrate(shifted_square, x * 0.1, path_times(3), RK4)
    assert not run.positions.requires_grad
    assert not integrate_adaptive(shifted_square, x * 0.1, path_times(3)).positions.requires_grad
    assert torch.equal(x, before)
    # Ordinary tensors come out, which later work may differentiate.
    assert not run.positions.is_inference()
    # A caller's gradients are still on between two states.
    for _ in steps(shifted_square, before * 0.1, path_times(2), EULER):
        assert torch.is_grad_enabled()


def test_any_shape_of_points() -> None:
    images = torch.randn(3, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    run = integrate(lambda x, t: -x, images, path_times(10, 0.0, 1.0), RK4)
    torch.testing.assert_close(run.end, images * math.exp(-1), rtol=1e-5, atol=1e-6)
    run = integrate_adaptive(lambda x, t: -x, images, path_times(10, 0.0, 1.0))
    torch.testing.assert_close(run.end, images * math.exp(-1), rtol=1e-4, atol=1e-5)


def test_times_outside_their_domain_are_refused() -> None:
    x = torch.zeros(1, 2)
    for bad in ([1.0], [0.0, 0.0], [0.0, 0.5, 0.4], [0.0, float("nan")]):
        with pytest.raises(ValueError, match="Expected"):
            check_times(torch.tensor(bad), x)
        with pytest.raises(ValueError, match="Expected"):
            # At once, not at the first state.
            steps(shifted_square, x, torch.tensor(bad), EULER)
    with pytest.raises(ValueError, match="at least 1 step"):
        path_times(0)
    with pytest.raises(ValueError, match="two different times"):
        path_times(5, 0.3, 0.3)
    with pytest.raises(ValueError, match="two different times"):
        path_times(5, 1.5, 0.0)


def test_path_times() -> None:
    times = path_times(7)
    assert times.shape == (8,)
    assert times[0] == 1
    assert times[-1] == 0
    assert path_times(3, 0.25, 0.75, dtype=torch.float64).tolist() == pytest.approx(
        [1 / 4, 5 / 12, 7 / 12, 3 / 4]
    )


@BOTH_WAYS
@pytest.mark.parametrize("tolerance", [1e-4, 1e-7, 1e-10])
def test_adaptive_meets_its_tolerance_at_every_time(start, end, tolerance) -> None:
    times = path_times(23, start, end, dtype=torch.float64)
    run = integrate_adaptive(shifted_square, exact(CONSTANTS, start), times, tolerance, tolerance)
    truth = torch.stack([exact(CONSTANTS, float(t)) for t in times])
    # A tolerance is on each step; the flow stretches errors by up to (cos c / cos(1 + c))².
    assert float((run.positions - truth).abs().max()) < 30 * tolerance
    assert torch.equal(run.times, times)


def test_adaptive_positions_do_not_depend_on_the_times_asked_for() -> None:
    x = exact(CONSTANTS, 1.0)
    few = integrate_adaptive(shifted_square, x, path_times(1, dtype=torch.float64))
    many = integrate_adaptive(shifted_square, x, path_times(200, dtype=torch.float64))
    assert torch.equal(few.end, many.end)
    assert few.nfe == many.nfe


def test_adaptive_spends_its_steps_where_they_are_needed() -> None:
    """Near the end x = √((t + ε)/(1 + ε)) bends ever faster: even steps of the same work are far worse."""
    gap = 1e-4

    def field(x: Tensor, t: Tensor) -> Tensor:
        return x / (2 * (t + gap))

    x = torch.ones(1, 1, dtype=torch.float64)
    truth = math.sqrt(gap / (1 + gap))
    run = integrate_adaptive(field, x, path_times(1, dtype=x.dtype), 1e-6, 1e-6)
    even = integrate(field, x, path_times(run.nfe // DOPRI5.evaluations, dtype=x.dtype), DOPRI5)
    assert abs(float(run.end) - truth) < 1e-5
    assert abs(float(even.end) - truth) > 100 * abs(float(run.end) - truth)


def test_adaptive_arrives_where_the_flow_bends_like_a_root() -> None:
    """dx/dt = 1/(2√t) is infinite at t = 0, and x = √t finite, as a cloud's flow is on many paths."""

    def field(x, t):
        return 0.5 * t.clamp(min=1e-30).rsqrt().expand_as(x)

    run = integrate_adaptive(field, torch.ones(2, 1), path_times(1))
    assert torch.allclose(run.end, torch.zeros(2, 1), atol=1e-3)


def test_adaptive_refuses_with_a_reason() -> None:
    x = torch.ones(2, 2)
    with pytest.raises(RuntimeError, match="after 3 steps"):
        integrate_adaptive(lambda x, t: torch.sin(200 * t) * x, x, path_times(1), max_steps=3)
    with pytest.raises(RuntimeError, match="singular"):
        integrate_adaptive(lambda x, t: x / (t - 0.5) ** 2, x, path_times(1))
    with pytest.raises(RuntimeError, match="not finite at the start"):
        integrate_adaptive(lambda x, t: x / (t - 1), x, path_times(1))
    with pytest.raises(ValueError, match="rtol"):
        integrate_adaptive(lambda x, t: x, x, path_times(1), 0.0, 0.0)
    with pytest.raises(ValueError, match="no error estimate"):
        integrate_adaptive(lambda x, t: x, x, path_times(1), tableau=RK4)
    assert {name for name, tableau in SOLVERS.items() if tableau.adaptive} == {"dopri5"}


def test_a_field_at_rest() -> None:
    x = torch.randn(5, 2, generator=torch.Generator().manual_seed(0))
    run = integrate_adaptive(lambda x, t: torch.zeros_like(x), x, path_times(3))
    torch.testing.assert_close(run.end, x)


THREE_EIGHTHS = Tableau(
    "3/8 rule",
    a=((), (Fraction(1, 3),), (Fraction(-1, 3), Fraction(1)), (Fraction(1), Fraction(-1), Fraction(1))),
    b=(Fraction(1, 8), Fraction(3, 8), Fraction(3, 8), Fraction(1, 8)),
    c=(Fraction(0), Fraction(1, 3), Fraction(2, 3), Fraction(1)),
    order=4,
)


@BOTH_WAYS
@pytest.mark.parametrize(
    ("tableau", "peer"),
    [(EULER, "euler"), (MIDPOINT, "midpoint"), (HEUN, "heun2"), (THREE_EIGHTHS, "rk4")],
    ids=lambda v: getattr(v, "name", v),
)
def test_fixed_steps_agree_with_torchdiffeq(tableau, peer, start, end) -> None:
    """torchdiffeq's "rk4" is the 3/8 rule, which is one more tableau here."""
    times = torch.tensor([start, 0.6 * start + 0.4 * end, 0.1 * start + 0.9 * end, end], dtype=torch.float64)
    x = exact(CONSTANTS, start)
    ours = integrate(shifted_square, x, times, tableau).positions
    theirs = odeint(lambda t, x: shifted_square(x, t), x, times, method=peer)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@BOTH_WAYS
def test_adaptive_agrees_with_torchdiffeq(start, end) -> None:
    times = path_times(9, start, end, dtype=torch.float64)
    x = exact(CONSTANTS, start)
    theirs_counted = Counted(shifted_square)
    ours = integrate_adaptive(shifted_square, x, times, 1e-8, 1e-8)
    theirs = odeint(lambda t, x: theirs_counted(x, t), x, times, rtol=1e-8, atol=1e-8, method="dopri5")
    torch.testing.assert_close(ours.positions, theirs, rtol=1e-6, atol=1e-6)
    # The same method and the same norm: about as much work.
    assert ours.nfe < 1.3 * theirs_counted.nfe


@pytest.mark.parametrize("name", ["euler", "midpoint"])
def test_agrees_with_flow_matching_whose_time_runs_the_other_way(name) -> None:
    """Theirs has noise at 0 and data at 1: t ↦ 1 − t, v ↦ −v."""
    x = exact(CONSTANTS, 1.0)
    ours = integrate(shifted_square, x, path_times(20, dtype=torch.float64), SOLVERS[name])

    class Reversed(torch.nn.Module):
        def forward(self, x: Tensor, t: Tensor) -> Tensor:
            return -shifted_square(x, 1 - t)

    theirs = ODESolver(velocity_model=Reversed()).sample(
        x_init=x,
        step_size=None,
        method=name,
        time_grid=torch.linspace(0, 1, 21, dtype=torch.float64),
        return_intermediates=True,
    )
    torch.testing.assert_close(ours.positions, theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("path", EVERY_PATH, ids=repr)
def test_the_oracles_flow_reaches_the_data(path) -> None:
    """Fixed steps and adaptive ones, from t = 1 to the end at t = 0, on every path."""
    data, n = eight_gaussians(), 600
    oracle = MixtureOracle(path, data, standard_normal(2))
    x = torch.randn(n, 2, generator=torch.Generator().manual_seed(1))
    floor = noise_floor(energy_distance, data, n, torch.Generator().manual_seed(2))
    fresh = data.sample(n, torch.Generator().manual_seed(3)).points
    fixed = integrate(oracle, x, path_times(60), HEUN, record=False)
    chosen = integrate_adaptive(oracle, x, path_times(1), 1e-3, 1e-3)
    for run in (fixed, chosen):
        assert energy_distance(run.end, fresh) < floor.mean + 4 * floor.std + 0.004
    assert float((fixed.end - chosen.end).norm(dim=1).median()) < 0.02


def test_the_flow_of_a_point_cloud_ends_on_its_points() -> None:
    """With a last step that asks only before t = 0; at t = 0 itself the noise is unknown, and Heun is off by
    about half the last step times it."""
    points = torch.tensor([[-1.0, 0.0], [1.0, 0.5], [0.0, -1.0]])
    oracle = EmpiricalOracle(Linear(), PointCloud(points), standard_normal(2))
    x = torch.randn(200, 2, generator=torch.Generator().manual_seed(2))
    misses = {}
    for tableau in (EULER, MIDPOINT, HEUN):
        end = integrate(oracle, x, path_times(40), tableau, record=False).end
        misses[tableau.name] = float((end[:, None] - points).norm(dim=2).min(dim=1).values.max())
    assert misses["Euler"] < 1e-5
    assert misses["Midpoint"] < 1e-5
    assert misses["Heun"] < 0.1
