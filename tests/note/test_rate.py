"""How often chance alone turns a check red: at most as often as the rate that is stated, for every kind of
statistic that the claims judge, and for a whole report."""

import math

import pytest
import torch
from torch import Tensor

from fmstudio.flow.metrics import energy_distance
from fmstudio.learn.experiment import Experiment
from fmstudio.note import CLAIMS, claim
from fmstudio.note.claim import NUMBERS, Expected, Measured, Relation, check
from fmstudio.note.claims import c03_identities
from fmstudio.note.claims.c03_identities import MEETINGS, memory
from fmstudio.note.claims.c09_likelihood import _bound
from fmstudio.note.parts.setting import jackknife, repeated, slopes
from fmstudio.note.report import predicted

RUNS, LEVEL = 2_000, 0.01
#: Most checks that may be red: the level, and four standard errors of a share of ``RUNS``.
MOST = LEVEL + 4 * math.sqrt(LEVEL * (1 - LEVEL) / RUNS)


@pytest.fixture(autouse=True)
def a_rate_that_can_be_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim, "RATE", LEVEL * NUMBERS)


def _draws(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _red(relation: Relation, values: Tensor, expected: float = 0.0) -> float:
    """The share of rows of repeats, shape (runs, repeats), that a check calls false."""
    wanted = Expected("n", expected, relation)
    return sum(not check(wanted, Measured("n", *repeated(row))).holds for row in values) / len(values)


@pytest.mark.parametrize("repeats", [12, 24])
def test_normal_repeats_fail_at_the_stated_rate(repeats: int) -> None:
    values = torch.randn(RUNS, repeats, generator=_draws(0), dtype=torch.float64)
    for relation in ("equals", "at most"):
        assert LEVEL / 2 < _red(relation, values) < MOST


def _energy_distances(x: Tensor, y: Tensor) -> Tensor:
    """Of many pairs of clouds, shape (pairs, n, d) each."""
    n = x.shape[1]
    within = [torch.cdist(z, z).sum((1, 2)) / (n * (n - 1)) for z in (x, y)]
    return 2 * torch.cdist(x, y).mean((1, 2)) - within[0] - within[1]


@pytest.mark.parametrize("dim", [1, 2])
def test_two_clouds_of_one_law_are_at_most_at_distance_0(dim: int) -> None:
    """C2, C7 and C9: the estimate is skewed, and clouds that agree too well are no fault."""
    x, y = torch.randn(2, RUNS * 16, 12, dim, generator=_draws(dim), dtype=torch.float64).unbind(0)
    values = _energy_distances(x, y)
    assert float(values[0]) == pytest.approx(energy_distance(x[0], y[0]))
    assert _red("at most", values.view(RUNS, 16)) < MOST


@pytest.mark.slow
@pytest.mark.parametrize("dim", [1, 2])
def test_independent_ends_have_at_most_the_memory_of_chance(dim: int, monkeypatch) -> None:
    """C3: chance is known, so a few draws are judged by its own law."""
    n, draws = 200, c03_identities.REPEATS * len(MEETINGS)
    monkeypatch.setattr(c03_identities, "PARTICLES", n)
    runs, generator = 300, _draws(dim)
    level = 0.05
    monkeypatch.setattr(c03_identities, "RATE", level * NUMBERS)
    most = c03_identities._by_chance(dim)
    found = [
        sum(memory(*torch.randn(2, n, dim, generator=generator)) for _ in range(draws)) / draws
        for _ in range(runs)
    ]
    share = sum(value > most for value in found) / runs
    assert level / 3 < share < level + 4 * math.sqrt(level * (1 - level) / runs)


def test_squared_lengths_fail_at_the_stated_rate() -> None:
    """C6: |Σ e dt|² of a particle is about exponential, and forty make a block."""
    values = -torch.rand(RUNS, 16, 40, generator=_draws(1), dtype=torch.float64).log().mean(2)
    assert _red("equals", values, 1.0) < MOST


@pytest.mark.slow
def test_a_bound_of_nothing_is_not_above_0() -> None:
    """C9 broken: the event is as likely under P as under Q."""
    n = 200
    share = torch.binomial(
        torch.full((2, 500, 24), float(n)), torch.full((2, 500, 24), 0.7), generator=_draws(2)
    )
    values = torch.tensor(
        [
            [_bound(float(q) / n, float(p) / n, n) for q, p in zip(*row, strict=True)]
            for row in share.unbind(1)
        ]
    )
    assert float(values.mean()) == pytest.approx(0, abs=4 * float(values.std()) / values.numel() ** 0.5)
    clear = sum(check(Expected("n", 0.0, "above"), Measured("n", *repeated(row))).holds for row in values)
    assert clear / len(values) < LEVEL + 4 * math.sqrt(LEVEL / len(values))


@pytest.mark.slow
@pytest.mark.parametrize("tail", [6.0, 30.0])
def test_slopes_of_a_scatter_fail_at_the_stated_rate(tail: float) -> None:
    """C9: mean squares of errors with heavy tails, and the jackknife of their slope."""
    runs, generator, counts = 300, _draws(3), torch.tensor([1.0, 4.0, 16.0])
    normal, gamma = torch.randn(2, runs, 24, 3, 60, generator=generator, dtype=torch.float64).unbind(0)
    chi = gamma.square() * 2 / tail + (1 - 2 / tail)
    blocks = (normal.square() * chi).mean(3) / counts
    wanted, red = Expected("n", -0.5), 0
    for row in blocks:
        found = jackknife(lambda mean: slopes(counts, mean[None].sqrt())[0], row)
        red += not check(wanted, Measured("n", *found)).holds
    assert red / runs < LEVEL + 4 * math.sqrt(LEVEL / runs)


@pytest.mark.slow
def test_no_report_judges_more_numbers_than_share_the_rate() -> None:
    """The default path lends its net and the data are in the plane: there are no more numbers elsewhere."""
    found = [predicted(claim, Experiment()).prediction for claim in CLAIMS.values()]
    assert sum(len(prediction.numbers) for prediction in found if prediction) <= NUMBERS
    assert all(found)
