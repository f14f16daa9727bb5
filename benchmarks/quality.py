"""Time to equal quality: our defaults against the peers' own two-dimensional examples, on three data sets.

Every contestant trains in slices of CPU time; after each it is asked for samples, and their energy distance
to fresh data is measured by ``fmstudio.flow.metrics``. Drawing samples and measuring are not timed. A
contestant's time is the first at which its distance was below the threshold and stayed there at the next
measurement; one low could be luck. The fast ones run with several seeds, and the median counts.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from benchmarks.peers import (
    Sampler,
    Trainee,
    cfm_eight_gaussians,
    cfm_source,
    cfm_tutorial,
    meta_notebook,
    meta_standalone,
)
from benchmarks.race import Goal, Result, finish
from fmstudio.flow.densities.density import Density
from fmstudio.flow.metrics import energy_distance, noise_floor
from fmstudio.flow.solve.solvers import integrate, path_times
from fmstudio.flow.solve.tableaux import MIDPOINT
from fmstudio.learn.build import density_of, source_of
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.nets.net_field import NetField
from fmstudio.learn.training.train import train

DATA = ("moons", "8 gaussians", "checkerboard")
#: Energy distances to reach; the goals are judged at the last.
THRESHOLDS = (0.005, 0.002)
JUDGED = THRESHOLDS[-1]
#: Seconds of training at the first measurement, and how much longer each next one is away.
FIRST, GROWTH = 0.1, 1.35
OURS = "fmstudio, defaults"
QUICK = {"names": ("moons",), "points": 200, "most": 0.2, "least": 0.2, "train_steps": 40, "seeds": 1}


@dataclass(frozen=True)
class Mark:
    """One measurement: seconds of training so far, steps taken, energy distance."""

    seconds: float
    steps: int
    distance: float


Slice = Callable[[float], tuple[int, bool]]
"""Trains for so many seconds of CPU time; returns the steps so far and whether it is at its end."""


def curve(
    advance: Slice,
    sample: Sampler,
    fresh: Tensor,
    limit: float,
    threshold: float | None,
    clock: Callable[[], float] = time.process_time,
) -> list[Mark]:
    """Train and measure in growing intervals.

    Args:
        advance: trains for so many more seconds of CPU time.
        sample: draws points from the net.
        fresh: data to measure against.
        limit: seconds of training after which to give up.
        threshold: stop when it is reached; None trains to the limit or the end.
        clock: in seconds; the CPU time of the process by default.
    """
    marks: list[Mark] = []
    spent, due = 0.0, FIRST
    while True:
        start = clock()
        steps, ended = advance(min(due, limit) - spent)
        spent += clock() - start
        marks.append(Mark(spent, steps, energy_distance(sample(len(fresh)), fresh)))
        arrived = threshold is not None and reached(marks, threshold) is not None
        if ended or spent >= limit or arrived:
            return marks
        due = max(due, spent) * GROWTH


def peer(trainee: Trainee) -> Slice:
    """Slices of a peer's loop."""
    taken = 0

    def advance(seconds: float) -> tuple[int, bool]:
        nonlocal taken
        start = time.process_time()
        while time.process_time() - start < seconds:
            trainee.step()
            taken += 1
        return taken, False

    return advance


def ours(
    experiment: Experiment,
    device: torch.device | str = "cpu",
    clock: Callable[[], float] = time.process_time,
) -> tuple[Slice, Sampler]:
    """Slices of our training on a device, and a sampler of the net it last reported."""
    run = train(experiment, measure=False, interval=0.05, device=device)
    net: list[NetField] = []
    source = source_of(experiment).to(device)
    generator = torch.Generator(device).manual_seed(11)

    def advance(seconds: float) -> tuple[int, bool]:
        start = clock()
        for progress in run:
            net[:] = [progress.net]
            if progress.done or clock() - start >= seconds:
                return progress.step, progress.done
        raise RuntimeError("The training is over; it cannot be advanced.")

    def sample(n: int) -> Tensor:
        noise = source.sample(n, generator).points
        return integrate(net[0], noise, path_times(20).to(noise), MIDPOINT, record=False).end

    return advance, sample


def reached(marks: Sequence[Mark], threshold: float) -> float | None:
    """Seconds at the first of two successive marks below the threshold, or None."""
    for mark, after in pairwise(marks):
        if mark.distance < threshold and after.distance < threshold:
            return mark.seconds
    return None


def peers_for(name: str, density: Density) -> list[tuple[Callable[[], Trainee], bool]]:
    """Makers of the peers for one data set, and whether each is among the slow ones."""
    generator = torch.Generator().manual_seed(5)

    def data(n: int) -> Tensor:
        return density.sample(n, generator).points

    def slow_data(n: int) -> Tensor:
        # The same law as our default: radius 2, variance 0.1² + 0.1².
        return cfm_eight_gaussians()(n, 2, scale=2, var=0.02).float()

    slow_name = "torchcfm, tutorial with its own sampler"
    slow = (
        (lambda: cfm_tutorial(slow_data, name=slow_name))
        if name == "8 gaussians"
        else (lambda: cfm_tutorial(data, cfm_source, name=slow_name))
    )
    return [
        (lambda: meta_standalone(data), False),
        (lambda: cfm_tutorial(data), False),
        (slow, True),
        (lambda: meta_notebook(data), True),
    ]


def race(
    names: Sequence[str] = DATA,
    points: int = 6_000,
    most: float = 120.0,
    least: float = 6.0,
    seeds: int = 3,
    train_steps: int | None = None,
) -> Result:
    """All contestants on every data set.

    A peer trains until it has reached the last threshold, or has had 12 times our time to it (42 times for
    the slow ones, which run with one seed), which decides the goals; but within [least, most] seconds.

    Args:
        names: data sets.
        points: samples and data points of a measurement.
        most, least: bounds of a peer's seconds of training.
        seeds: runs of ours and of the fast peers.
        train_steps: of ours; None for the default.
    """
    rows: list[tuple[str, ...]] = []
    notes: list[str] = []
    ratios: list[tuple[str, float]] = []
    slowest: list[tuple[str, float]] = []
    for name in names:
        base = Experiment(data=name)
        base = base if train_steps is None else base.but(train_steps=train_steps)
        generator = torch.Generator().manual_seed(7)
        fresh = fresh_data(base, points, generator)
        floor = noise_floor(energy_distance, density_of(base), points, generator, repeats=4)
        notes.append(
            f"{name}: two clouds of {points:,} data points differ by {floor.mean:.4f} ± {floor.std:.4f}."
        )
        runs = []
        for seed in range(seeds):
            torch.manual_seed(seed)
            runs.append(curve(*ours(base.but(seed=base.seed + seed)), fresh, float("inf"), None))
        entrants = [Entrant(OURS, tuple(runs))]
        mine = entrants[0].time(JUDGED)
        for make, slow in peers_for(name, density_of(base)):
            limit = min(most, max(least, (42 if slow else 12) * (0 if mine is None else mine)))
            entrants.append(enter(make, 1 if slow else seeds, fresh, limit))
        rows += [(name, *entrant.row(entrants[0])) for entrant in entrants]
        found = [(f"{name}, {e.name}", e.ratio(entrants[0], JUDGED)) for e in entrants[1:]]
        ratios += found
        slowest.append(max(found, key=lambda pair: pair[1]))
    every, worst = min(ratios, key=lambda pair: pair[1]), min(slowest, key=lambda pair: pair[1])
    return Result(
        "Time to equal quality",
        "Seconds of CPU time on one thread until the energy distance E of samples to fresh data is below "
        f"{' and '.join(map(str, THRESHOLDS))}. Ours: `train` with the defaults for the data set (128 × 3, "
        "Fourier features, batch 512, 4,000 steps). Peers: their own published examples, nets, batches and "
        f"rates, on the same data. Medians of {seeds} seeds (one for the two slow peers).",
        (
            "data", "contestant", "µs a step", *(f"s to E < {e}" for e in THRESHOLDS),
            *(f"time / ours at {e}" for e in THRESHOLDS), "lowest E", "longest run",
        ),
        tuple(rows),
        (
            Goal(f"≥ 10 × less than every peer (E < {JUDGED})", _said(every), every[1] >= 10),
            Goal(f"≥ 40 × less than the slowest (E < {JUDGED})", _said(worst), worst[1] >= 40),
        ),
        (
            *notes,
            "'> s' means not there after s seconds, when the run was stopped; a ratio with such a time is a "
            "lower bound.",
            "torchcfm's σ = 0.1 adds that much blur to its samples, as its tutorial has it.",
            "rectified-flow's toys were not raced: the package imports torchvision and matplotlib.",
        ),
    )  # fmt: skip


def enter(make: Callable[[], Trainee], seeds: int, fresh: Tensor, limit: float) -> Entrant:
    """Train a peer with several seeds, each up to the limit in seconds."""
    runs, name = [], ""
    for seed in range(seeds):
        torch.manual_seed(seed)
        trainee = make()
        name = trainee.name
        runs.append(curve(peer(trainee), trainee.sample, fresh, limit, JUDGED))
    return Entrant(name, tuple(runs))


@dataclass(frozen=True)
class Entrant:
    """The runs of one contestant on one data set, one for each seed."""

    name: str
    runs: tuple[list[Mark], ...]

    def time(self, threshold: float) -> float | None:
        """Median seconds to the threshold; None where the median run did not reach it."""
        times = [reached(run, threshold) for run in self.runs]
        middle = statistics.median_high([float("inf") if t is None else t for t in times])
        return None if middle == float("inf") else middle

    @property
    def longest(self) -> Mark:
        """The end of the longest run."""
        return max((run[-1] for run in self.runs), key=lambda mark: mark.seconds)

    def ratio(self, mine: Entrant, threshold: float) -> float:
        """This one's time over ours; a lower bound where it did not arrive, 0 where we did not."""
        base, own = mine.time(threshold), self.time(threshold)
        return 0.0 if base is None else (self.longest.seconds if own is None else own) / base

    def row(self, mine: Entrant) -> tuple[str, ...]:
        """Name, speed, times, ratios, lowest distance, length."""
        end, times = self.longest, [self.time(e) for e in THRESHOLDS]
        shown = [f"> {end.seconds:.1f}" if t is None else f"{t:.2f}" for t in times]
        ratios = [
            "–" if mine.time(e) is None else f"{'> ' if t is None else ''}{self.ratio(mine, e):.1f}"
            for t, e in zip(times, THRESHOLDS, strict=True)
        ]
        lowest = min(mark.distance for run in self.runs for mark in run)
        return (
            self.name, f"{1e6 * end.seconds / end.steps:.0f}", *shown, *ratios, f"{lowest:.4f}",
            f"{end.seconds:.1f} s, {end.steps:,} steps",
        )  # fmt: skip


def fresh_data(experiment: Experiment, n: int, generator: torch.Generator) -> Tensor:
    """n points of the law itself, not of the cloud that is trained on."""
    other = experiment.but(seed=experiment.seed + 1_000, data_points=max(10_000, n))
    return density_of(other).sample(n, generator).points


def _said(least: tuple[str, float]) -> str:
    return f"least {least[1]:.1f} × ({least[0]})"


if __name__ == "__main__":
    finish(race, QUICK, __doc__)
