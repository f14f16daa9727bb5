"""The exact marginal velocity for 10,000 data points at 10,000 places: time and error."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.race import Goal, Result, finish, in_turns
from fmstudio.flow.densities.cloud import PointCloud
from fmstudio.flow.densities.mixture import standard_normal
from fmstudio.flow.densities.shapes import moons
from fmstudio.flow.oracle.oracle_for import EmpiricalOracle
from fmstudio.flow.paths.affine import Linear

QUICK = {"points": 300, "places": 200, "rounds": 1, "checked": 20}
#: Pairs (place, point) written out at once by the plain ways: what fits a cache and is fastest here.
PAIRS = 1 << 21
TIMES = (1.0, 0.5, 0.2, 0.05, 0.01, 1e-3, 1e-4)
JUDGED = 0.5

Velocity = Callable[[Tensor, Tensor], Tensor]


def by_differences(points: Tensor, pairs: int = PAIRS) -> Velocity:
    """x̂₀ from the weights softmax(−|x − (1−t) x₀|² / 2t²), all differences written out; u = (x − x̂₀)/t."""

    def velocity(x: Tensor, t: Tensor) -> Tensor:
        found = []
        for rows in x.split(max(1, pairs // len(points))):
            squares = (rows[:, None] - (1 - t) * points).square().sum(-1)
            found.append(torch.softmax(-squares / (2 * t * t), 1) @ points)
        return (x - torch.cat(found)) / t

    return velocity


def by_cdist(points: Tensor, pairs: int = PAIRS) -> Velocity:
    """The same with the distances from ``torch.cdist``, a matrix product."""

    def velocity(x: Tensor, t: Tensor) -> Tensor:
        found = []
        for rows in x.split(max(1, pairs // len(points))):
            squares = torch.cdist(rows, (1 - t) * points).square_()
            found.append(torch.softmax(squares.mul_(-1 / (2 * t * t)), 1) @ points)
        return (x - torch.cat(found)) / t

    return velocity


def race(points: int = 10_000, places: int = 10_000, rounds: int = 3, checked: int = 500) -> Result:
    """Ours, differences and cdist at several times, in turns.

    Args:
        points: of the cloud; places: where u is asked for.
        rounds: measured at each time, after one to warm up.
        checked: places whose error is measured against float64 differences.
    """
    generator = torch.Generator().manual_seed(0)
    x0 = moons(points, 0.05, generator).points
    oracle = EmpiricalOracle(Linear(), PointCloud(x0), standard_normal())
    ways: dict[str, Velocity] = {"ours": oracle, "broadcast": by_differences(x0), "cdist": by_cdist(x0)}
    exact = by_differences(x0.double())
    start = x0[torch.randint(points, (places,), generator=generator)]
    noise = torch.randn(places, 2, generator=generator)
    rows, ours, errors = [], {}, {}
    with torch.no_grad():
        for when in TIMES:
            t = torch.tensor(when)
            x = (1 - t) * start + t * noise
            times = in_turns({name: asked(way, x, t) for name, way in ways.items()}, rounds)
            want = exact(x[:checked].double(), t.double())
            error = {name: relative_error(way(x[:checked], t), want) for name, way in ways.items()}
            ours[when], errors[when] = times["ours"].median, error["ours"]
            rows.append(
                (
                    f"{when:g}",
                    *(f"{1e3 * times[name].median:.0f}" for name in ways),
                    *(f"{times[name].median / times['ours'].median:.1f}" for name in list(ways)[1:]),
                    *(f"{error[name]:.1e}" for name in ways),
                )
            )
    worst = max(errors.values())
    slow = max(ours, key=lambda when: ours[when])
    return Result(
        "The oracle",
        f"u for {points:,} data points at {places:,} places of one time t on the linear path, float32 in "
        f"and out, {rounds} rounds; both plain ways work in blocks that stay small. Error: largest "
        f"|u − u₆₄|/|u₆₄| over {checked} places, u₆₄ from float64 differences.",
        (
            "t", "ours, ms", "broadcast, ms", "cdist, ms", "broadcast / ours", "cdist / ours",
            "error, ours", "error, broadcast", "error, cdist",
        ),
        tuple(rows),
        (
            Goal(f"≤ 130 ms at t = {JUDGED}", f"{1e3 * ours[JUDGED]:.0f} ms", ours[JUDGED] <= 0.130),
            Goal("≤ 130 ms at every t", f"{1e3 * ours[slow]:.0f} ms at t = {slow:g}", ours[slow] <= 0.130),
            Goal("error ≤ 1e-3 for every t in (0, 1]", f"{worst:.1e}", worst <= 1e-3),
        ),
    )  # fmt: skip


def asked(way: Velocity, x: Tensor, t: Tensor) -> Callable[[], Tensor]:
    """The question, to be asked when it is called."""
    return lambda: way(x, t)


def relative_error(u: Tensor, want: Tensor) -> float:
    """Largest |u − u₆₄|/|u₆₄| over the rows."""
    return float(((u.double() - want).norm(dim=1) / want.norm(dim=1)).max())


if __name__ == "__main__":
    finish(race, QUICK, __doc__)
