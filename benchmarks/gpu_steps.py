"""Training steps per second on a GPU: our captured steps, and the peers' loops, eager and compiled."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.cuda import absent, card, device_of, idle_share, wall
from benchmarks.peers import Trainee, cfm_loop, meta_notebook
from benchmarks.race import Goal, Result, finish
from fmstudio.learn.build import density_of
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.training.train import train

QUICK = {"device": "cpu", "sizes": ((16, 2, 32),), "steps": 12, "rounds": 1, "compiled": False}
TITLE = "Training steps on a GPU"
OURS = "fmstudio"
FACTOR = 10


def race(
    device: str | None = None,
    sizes: tuple[tuple[int, int, int], ...] = ((64, 3, 512), (512, 4, 4096)),
    steps: int = 4_096,
    rounds: int = 3,
    compiled: bool = True,
) -> Result:
    """Steps of every loop at several sizes, in turns.

    Args:
        device: None for the first CUDA device; nothing is raced without one.
        sizes: width, hidden layers, batch.
        steps: of ours in a round; the peers take a sixteenth as many.
        rounds: measured, after one to warm up, capture and compile.
        compiled: whether the peers' nets run compiled, too.
    """
    goals = [f"captured step ≥ {FACTOR} × the peers' loops, {_size(size)}" for size in sizes]
    about = (
        "Moons, plain nets on (x, t). Ours is a whole call of `train` without measuring, capture included; "
        "the peers' loops are those of their two-dimensional examples, with the same layers. Idle: the share "
        "of the time in which no kernel runs. Wall time."
    )
    place = device_of(device)
    if place is None:
        return absent(TITLE, about, goals)
    rows: list[tuple[str, ...]] = []
    judged: list[Goal] = []
    for size, goal in zip(sizes, goals, strict=True):
        contestants = _contestants(size, steps, place, compiled)
        times = wall({name: run for name, (run, _) in contestants.items()}, rounds, place)
        each = {name: times[name].median / taken for name, (_, taken) in contestants.items()}
        for name, (run, _) in contestants.items():
            rows.append(
                (
                    _size(size), name, f"{1e6 * each[name]:.0f}", f"{1 / each[name]:,.0f}",
                    f"{each[name] / each[OURS]:.2f}", idle_share(run, times[name].median, place),
                )
            )  # fmt: skip
        least = min((each[name] / each[OURS], name) for name in each if name.endswith("eager"))
        judged.append(Goal(goal, f"{least[0]:.1f} × ({least[1]})", least[0] >= FACTOR))
    columns = ("net and batch", "loop", "µs a step", "steps a second", "time / ours", "idle")
    return Result(TITLE, f"{about} On {card(place)}.", columns, tuple(rows), tuple(judged))


def _size(size: tuple[int, int, int]) -> str:
    width, depth, batch = size
    return f"{width} × {depth}, batch {batch}"


def _contestants(
    size: tuple[int, int, int], steps: int, device: torch.device, compiled: bool
) -> dict[str, tuple[Callable[[], None], int]]:
    """Every loop of one size, and how many steps a run of it takes."""
    width, depth, batch = size
    experiment = Experiment(
        data="moons", width=width, depth=depth, fourier=0, batch=batch, train_steps=steps, learning_rate=1e-3
    )
    density = density_of(experiment).to(device)
    generator = torch.Generator(device).manual_seed(1)

    def data(n: int) -> Tensor:
        return density.sample(n, generator).points

    def whole() -> None:
        for _ in train(experiment, measure=False, device=device):
            pass

    few = max(1, steps // 16)
    found = {OURS: (whole, steps)}
    for make in (meta_notebook, cfm_loop):
        for name, compile_it in (("eager", False), ("compiled", True)):
            if compiled or not compile_it:
                peer = make(data, width=width, depth=depth, batch=batch, compiled=compile_it, device=device)
                found[f"{peer.name.split(',')[0]}, {name}"] = (_loop(peer, few), few)
    return found


def _loop(trainee: Trainee, steps: int) -> Callable[[], None]:
    def run() -> None:
        for _ in range(steps):
            trainee.step()

    return run


if __name__ == "__main__":
    finish(race, QUICK, __doc__)
