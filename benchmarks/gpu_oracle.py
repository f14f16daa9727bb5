"""The exact marginal velocity on a GPU: 100,000 data points at 100,000 places, time and error."""

from __future__ import annotations

import torch

from benchmarks.cuda import absent, card, device_of, wall
from benchmarks.oracle import Velocity, asked, by_cdist, by_differences, relative_error
from benchmarks.race import Goal, Result, finish
from fmstudio.flow.densities.cloud import PointCloud
from fmstudio.flow.densities.mixture import standard_normal
from fmstudio.flow.densities.shapes import moons
from fmstudio.flow.oracle.oracle_for import EmpiricalOracle
from fmstudio.flow.paths.affine import Linear

QUICK = {"device": "cpu", "points": 300, "places": 200, "rounds": 1, "checked": 20}
TITLE = "The oracle on a GPU"
TIMES = (1.0, 0.5, 0.05, 0.01, 1e-3)
#: Pairs (place, point) that the plain ways write out at once: half a gigabyte in float32.
PAIRS = 1 << 27
GOAL = "error ≤ 1e-3 at every t"


def race(
    device: str | None = None,
    points: int = 100_000,
    places: int = 100_000,
    rounds: int = 2,
    checked: int = 500,
) -> Result:
    """Ours, differences and cdist at several times, in turns.

    Args:
        device: None for the first CUDA device; nothing is raced without one.
        points: of the cloud; places: where u is asked for.
        rounds: measured at each time, after one to warm up.
        checked: places whose error is measured against float64 differences.
    """
    about = (
        f"u for {points:,} data points at {places:,} places of one time t on the linear path, float32 in and "
        f"out, {rounds} rounds, wall time. Error: largest |u − u₆₄|/|u₆₄| over {checked} places."
    )
    place = device_of(device)
    if place is None:
        return absent(TITLE, about, (GOAL,))
    generator = torch.Generator().manual_seed(0)
    x0 = moons(points, 0.05, generator).points
    start = x0[torch.randint(points, (places,), generator=generator)].to(place)
    noise = torch.randn(places, 2, generator=generator).to(place)
    x0 = x0.to(place)
    oracle = EmpiricalOracle(Linear(), PointCloud(x0), standard_normal().to(place))
    ways: dict[str, Velocity] = {
        "ours": oracle, "broadcast": by_differences(x0, PAIRS), "cdist": by_cdist(x0, PAIRS),
    }  # fmt: skip
    exact = by_differences(x0.double(), PAIRS // 8)
    rows: list[tuple[str, ...]] = []
    errors: list[float] = []
    with torch.no_grad():
        for when in TIMES:
            t = torch.tensor(when, device=place)
            x = (1 - t) * start + t * noise
            times = wall({name: asked(way, x, t) for name, way in ways.items()}, rounds, place)
            want = exact(x[:checked].double(), t.double())
            error = {name: relative_error(way(x[:checked], t), want) for name, way in ways.items()}
            errors.append(error["ours"])
            rows.append(
                (
                    f"{when:g}", *(f"{1e3 * times[name].median:.0f}" for name in ways),
                    *(f"{times[name].median / times['ours'].median:.1f}" for name in list(ways)[1:]),
                    *(f"{error[name]:.1e}" for name in ways),
                )
            )  # fmt: skip
    return Result(
        TITLE,
        f"{about} On {card(place)}.",
        (
            "t", "ours, ms", "broadcast, ms", "cdist, ms", "broadcast / ours", "cdist / ours",
            "error, ours", "error, broadcast", "error, cdist",
        ),
        tuple(rows),
        (Goal(GOAL, f"{max(errors):.1e}", max(errors) <= 1e-3),),
    )  # fmt: skip


if __name__ == "__main__":
    finish(race, QUICK, __doc__)
