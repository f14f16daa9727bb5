"""Time to good samples on a GPU: the checkerboard with our defaults, until E < 0.002."""

from __future__ import annotations

import time

import torch

from benchmarks.cuda import absent, card, device_of, wait
from benchmarks.quality import Mark, curve, fresh_data, ours, reached
from benchmarks.race import Goal, Result, finish
from fmstudio.learn.experiment import Experiment

QUICK = {"device": "cpu", "seeds": 1, "points": 200, "train_steps": 40}
TITLE = "Time to good samples on a GPU"
THRESHOLD, LIMIT = 0.002, 1.5
GOAL = f"checkerboard to E < {THRESHOLD} in ≤ {LIMIT} s wall"


def race(
    device: str | None = None, seeds: int = 4, points: int = 6_000, train_steps: int | None = None
) -> Result:
    """Our default training of the checkerboard, several times in one process.

    Args:
        device: None for the first CUDA device; nothing is raced without one.
        seeds: runs; the first also makes the device ready.
        points: samples and data points of a measurement.
        train_steps: None for the default.
    """
    about = (
        f"Seconds of wall time of `train` with the defaults until the energy distance of {points:,} samples "
        f"to fresh data is below {THRESHOLD} at two measurements that follow each other; drawing samples and "
        "measuring are not counted, building and capturing are."
    )
    place = device_of(device)
    if place is None:
        return absent(TITLE, about, (GOAL,))
    base = Experiment(data="checkerboard")
    base = base if train_steps is None else base.but(train_steps=train_steps)
    fresh = fresh_data(base, points, torch.Generator().manual_seed(7)).to(place)

    def clock() -> float:
        wait(place)
        return time.perf_counter()

    rows: list[tuple[str, ...]] = []
    arrived: list[float | None] = []
    for seed in range(seeds):
        experiment = base.but(seed=base.seed + seed)
        began = clock()
        advance, sample = ours(experiment, place, clock)
        built = clock() - began
        marks: list[Mark] = curve(advance, sample, fresh, float("inf"), None, clock)
        first = reached(marks, THRESHOLD)
        arrived.append(None if first is None else built + first)
        end = marks[-1]
        rows.append(
            (
                f"{experiment.seed}{', first in the process' if not seed else ''}",
                "–" if first is None else f"{built + first:.2f}", f"{built + end.seconds:.2f}",
                f"{end.steps:,}", f"{min(mark.distance for mark in marks):.4f}",
            )
        )  # fmt: skip
    slowest = max((float("inf") if seconds is None else seconds) for seconds in arrived)
    said = (
        f"{slowest:.2f} s (the slowest of {seeds} seeds)" if slowest < float("inf") else "not reached by all"
    )
    return Result(
        TITLE,
        f"{about} On {card(place)}.",
        ("seed", f"s to E < {THRESHOLD}", "s to the end", "steps", "lowest E"),
        tuple(rows),
        (Goal(GOAL, said, slowest <= LIMIT),),
    )


if __name__ == "__main__":
    finish(race, QUICK, __doc__)
