"""Training steps per second: one net, 64 × 3, one batch of 256 points of the moons, everybody's own loop."""

from __future__ import annotations

from collections.abc import Callable

import torch

from benchmarks.peers import cfm_source, cfm_tutorial, meta_notebook
from benchmarks.race import Goal, Result, finish, in_turns
from fmstudio.learn.build import density_of
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.training.train import train

QUICK = {"steps": 20, "rounds": 1}
OURS, OURS_FEATURES = "fmstudio", "fmstudio with 32 Fourier features"
META, CFM, CFM_SLOW = "flow_matching", "torchcfm, N(0, I) source", "torchcfm, its 8-gaussians source"


def race(steps: int = 1_000, rounds: int = 5) -> Result:
    """Steps of every loop, in turns.

    Args:
        steps: taken in a round by each.
        rounds: measured, after one to warm up.
    """
    torch.manual_seed(0)
    experiment = Experiment(data="moons", width=64, depth=3, fourier=0, batch=256, train_steps=steps)
    density = density_of(experiment)
    generator = torch.Generator().manual_seed(1)

    def data(n: int) -> torch.Tensor:
        return density.sample(n, generator).points

    slow = max(1, steps // 5)
    contestants = {
        OURS: lambda: _train(experiment),
        OURS_FEATURES: lambda: _train(experiment.but(fourier=32)),
        META: _loop(meta_notebook(data, width=64, depth=3, batch=256).step, steps),
        CFM: _loop(cfm_tutorial(data).step, steps),
        CFM_SLOW: _loop(cfm_tutorial(data, cfm_source).step, slow),
    }
    times = in_turns(contestants, rounds)
    each = {name: t.median / (slow if name == CFM_SLOW else steps) for name, t in times.items()}
    low = {name: t.low / (slow if name == CFM_SLOW else steps) for name, t in times.items()}
    rows = tuple(
        (name, f"{1e6 * s:.0f}", f"{1e6 * low[name]:.0f}", f"{1 / s:,.0f}", f"{s / each[OURS]:.2f}")
        for name, s in each.items()
    )
    meta, cfm = each[META] / each[OURS], each[CFM] / each[OURS]
    return Result(
        "Training steps per second",
        f"A 64 × 3 net on (x, t), batch 256, moons, {steps:,} steps a round, {rounds} rounds. Ours is a "
        "whole call of `train` (without measuring); it also keeps the running mean of the weights.",
        ("loop", "µs a step", "fastest round", "steps a second", "time / ours"),
        rows,
        (
            Goal("≥ 3 × flow_matching's notebook", f"{meta:.2f} ×", meta >= 3),
            Goal("≥ 4 × torchcfm with a fast sampler", f"{cfm:.2f} ×", cfm >= 4),
        ),
        ("The peers' nets keep their own activation (Swish in two calls, SELU); all have the same layers.",),
    )


def _train(experiment: Experiment) -> None:
    for _ in train(experiment, measure=False):
        pass


def _loop(step: Callable[[], None], steps: int) -> Callable[[], None]:
    def run() -> None:
        for _ in range(steps):
            step()

    return run


if __name__ == "__main__":
    finish(race, QUICK, __doc__)
