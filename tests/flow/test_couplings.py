"""Couplings: both marginals kept, optimal where they claim it, agreement with peers."""

import itertools
import math

import numpy as np
import ot
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torchcfm.optimal_transport import OTPlanSampler

from fmstudio.flow.couplings.coupling import FixedPairs, Independent, OptimalTransport, Sinkhorn
from fmstudio.flow.couplings.plans import entropic_plan, optimal_plan, squared_distances
from fmstudio.flow.metrics import transport_cost
from tests.flow.every import every_coupling

COUPLINGS = every_coupling()
EACH = pytest.mark.parametrize("coupling", COUPLINGS, ids=lambda c: type(c).__name__)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batches(n: int, d: int = 2, seed: int = 0) -> tuple[Tensor, Tensor]:
    g = generator(seed)
    return 2 * torch.randn(n, d, generator=g) + 1, torch.randn(n, d, generator=g)


@EACH
def test_index_says_whose_x0_it_is(coupling) -> None:
    x0, x1 = batches(40)
    paired = coupling.pair(x0, x1, generator())
    assert torch.equal(paired.x0, x0[paired.index])
    assert torch.equal(paired.x1, x1)
    a, b, index = paired
    assert a is paired.x0
    assert b is paired.x1
    assert index is paired.index


@pytest.mark.parametrize("d", [1, 2, 5])
@pytest.mark.parametrize("coupling", COUPLINGS[:2], ids=lambda c: type(c).__name__)
def test_permutations_keep_both_batches_whole(coupling, d) -> None:
    x0, x1 = batches(64, d)
    paired = coupling.pair(x0, x1, generator())
    assert sorted(paired.index.tolist()) == list(range(64))


@pytest.mark.slow
def test_sinkhorn_keeps_both_marginals_in_the_mean() -> None:
    x0, x1 = batches(12)
    coupling = Sinkhorn(0.5, tolerance=1e-8)
    plan = coupling.plan(x0, x1)
    torch.testing.assert_close(plan.sum(0), torch.full((12,), 1 / 12, dtype=torch.float64), rtol=1e-9, atol=0)
    torch.testing.assert_close(plan.sum(1), torch.full((12,), 1 / 12, dtype=torch.float64), rtol=0, atol=1e-8)
    # How often x0 of row i was drawn in 200 batches of 12: mean 200, variance below 200.
    g = generator(1)
    counts = sum(torch.bincount(coupling.pair(x0, x1, g).index, minlength=12) for _ in range(200))
    assert float((counts / 200 - 1).abs().max()) < 4 * math.sqrt(1 / 200)


@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6])
def test_optimal_transport_equals_brute_force(n, d) -> None:
    for seed in range(5):
        x0, x1 = batches(n, d, seed)
        best = min(transport_cost(x0[list(p)], x1) for p in itertools.permutations(range(n)))
        paired = OptimalTransport().pair(x0, x1, generator())
        assert transport_cost(paired.x0, paired.x1) == pytest.approx(best, rel=1e-12)


@pytest.mark.parametrize("d", [1, 2, 8])
def test_optimal_transport_agrees_with_scipy(d) -> None:
    x0, x1 = batches(200, d)
    rows, columns = linear_sum_assignment(squared_distances(x0, x1).numpy())
    paired = OptimalTransport().pair(x0, x1, generator())
    assert np.array_equal(rows[np.argsort(columns)], paired.index.numpy())


def test_optimal_transport_agrees_with_torchcfm() -> None:
    x0, x1 = batches(128)
    plan = torch.from_numpy(OTPlanSampler(method="exact").get_map(x0, x1))
    theirs = float((plan * squared_distances(x0, x1)).sum())
    paired = OptimalTransport().pair(x0, x1, generator())
    assert transport_cost(paired.x0, paired.x1) == pytest.approx(theirs, rel=1e-6)


def test_costs_are_ordered() -> None:
    """Optimal transport ≤ Sinkhorn's plan ≤ independent, and Sinkhorn lies between as ε goes from 0 to ∞."""
    x0, x1 = batches(100)
    cost = squared_distances(x0, x1)
    best = transport_cost(*OptimalTransport().pair(x0, x1, generator())[:2])
    plans = [float((Sinkhorn(reg).plan(x0, x1) * cost).sum()) for reg in (1e-3, 0.1, 1.0, 10.0, 1e4)]
    assert best <= transport_cost(*Independent().pair(x0, x1, generator())[:2])
    assert plans == sorted(plans)
    # Within the part of the mass, 1 %, by which the plan's marginal may be off.
    assert plans[0] == pytest.approx(best, rel=0.02)
    assert plans[-1] == pytest.approx(float(cost.mean()), rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("reg", [0.2, 1.0])
def test_sinkhorn_agrees_with_pot(reg) -> None:
    x0, x1 = batches(50)
    uniform = np.full(50, 1 / 50)
    cost = squared_distances(x0, x1)
    theirs = ot.sinkhorn(
        uniform, uniform, cost.numpy(), reg, method="sinkhorn_log", numItermax=5000, stopThr=1e-9
    )
    ours = entropic_plan(cost, reg, 1e-8, 5000)
    torch.testing.assert_close(ours, torch.from_numpy(theirs), rtol=1e-5, atol=1e-9)


def test_sinkhorn_of_far_points_and_small_reg_is_finite() -> None:
    """exp(−|x0 − x1|²/ε) is 0 for every pair here; the potentials take it up."""
    x0, x1 = batches(64)
    plan = Sinkhorn(0.01).plan(x0 + 100, x1)
    assert bool(torch.isfinite(plan).all())
    # A common shift changes every cost by f_i + g_j, and no plan.
    shift = torch.tensor([100.0, 100.0], dtype=torch.float64)
    cost = squared_distances(x0.double() + shift, x1.double())
    moved = entropic_plan(cost, 0.5, 1e-9, 10_000)
    torch.testing.assert_close(
        moved, entropic_plan(squared_distances(x0, x1), 0.5, 1e-9, 10_000), rtol=1e-5, atol=1e-9
    )


def test_sinkhorn_that_does_not_converge_says_so() -> None:
    x0, x1 = batches(64)
    with pytest.raises(RuntimeError, match="did not converge"):
        Sinkhorn(1e-3, tolerance=1e-9, max_iterations=3).pair(x0, x1, generator())
    with pytest.raises(ValueError, match="reg > 0"):
        Sinkhorn(0.0)


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e6])
def test_sinkhorn_keeps_its_marginals_down_to_the_least_reg_and_refuses_below(scale) -> None:
    x0, x1 = (scale * x for x in batches(16))
    least = 1e-12 * float(squared_distances(x0, x1).max())
    plan = Sinkhorn(1.01 * least).plan(x0, x1)
    torch.testing.assert_close(plan.sum(0), torch.full((16,), 1 / 16, dtype=torch.float64), rtol=1e-3, atol=0)
    for reg in (0.99 * least, 1e-30 * least, 5e-324):
        with pytest.raises(
            ValueError, match=r"expected reg ≥ .*, 1e-12 of the largest squared distance; got"
        ):
            Sinkhorn(reg).pair(x0, x1, generator())


def test_same_seed_same_partners() -> None:
    x0, x1 = batches(30)
    first, again = (Sinkhorn(1.0).pair(x0, x1, generator(3)).index for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, Sinkhorn(1.0).pair(x0, x1, generator(4)).index)


def test_plans_of_unequal_clouds() -> None:
    x, y = batches(6)[0], batches(9)[1]
    plan = optimal_plan(squared_distances(x, y))
    torch.testing.assert_close(plan.sum(1), torch.full((6,), 1 / 6, dtype=torch.float64))
    torch.testing.assert_close(plan.sum(0), torch.full((9,), 1 / 9, dtype=torch.float64))


def test_fixed_pairs_stay_together() -> None:
    x0, x1 = batches(10)
    pairs = FixedPairs(x0, x1)
    assert len(pairs) == 10
    drawn0, drawn1 = pairs.draw(5000, generator())
    rows = (drawn0[:, None] == x0).all(2).int().argmax(1)
    assert torch.equal(drawn1, x1[rows])
    counts = torch.bincount(rows, minlength=10).double()
    assert float((counts - 500).abs().max()) < 4 * math.sqrt(450)
    with pytest.raises(ValueError, match="at least 1; got 0"):
        pairs.draw(0, generator())


def test_only_the_independent_coupling_is_independent() -> None:
    x = torch.zeros(2, 2)
    kinds = (Independent(), OptimalTransport(), Sinkhorn(), FixedPairs(x, x))
    assert [c.independent for c in kinds] == [True, False, False, False]


@EACH
def test_bad_batches_are_refused(coupling) -> None:
    with pytest.raises(ValueError, match="one shape"):
        coupling.pair(torch.zeros(3, 2), torch.zeros(4, 2), generator())
    with pytest.raises(ValueError, match="one shape"):
        coupling.pair(torch.zeros(0, 2), torch.zeros(0, 2), generator())
    if not coupling.independent:
        broken = torch.zeros(3, 2)
        broken[1, 0] = float("nan")
        for d in (1, 2):
            with pytest.raises(ValueError, match="row 1 of 3"):
                coupling.pair(broken[:, :d], torch.zeros(3, d), generator())
