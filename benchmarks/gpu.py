"""Images on a GPU: the shipped rectified flow by captured graphs, against the plain loop of diffusers."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from torch import Tensor

from benchmarks.images import FOLDER, plain_loop
from benchmarks.race import Goal, Result, finish, in_turns
from fmstudio.image.folder import load_model
from fmstudio.image.sampling import GuidedField, draw_noise, grid_labels, sample

QUICK = {"count": 2, "steps": 2, "rounds": 1}
GOAL = "faster than the plain loop of diffusers, whose launches leave gaps"


def race(count: int = 64, steps: int = 16, rounds: int = 20) -> Result:
    """Ours and the plain loop in turns, on the first CUDA device; nothing is raced without one.

    Args:
        count, steps: images, and steps of each.
        rounds: measured, after one to warm up and capture.
    """
    title = "Images on a GPU"
    about = f"{count} images × {steps} Euler steps of models/fashion-rf1, all in one batch, {rounds} rounds."
    columns = ("sampler", "wall ms", "time / ours")
    if not torch.cuda.is_available():
        absent = (("this machine has no CUDA device", "", ""),)
        return Result(title, about, columns, absent, (Goal(GOAL, "no CUDA device", None),))
    model = load_model(FOLDER, "cuda")
    labels = grid_labels(range(len(model.class_names)), count).cuda()
    noise = draw_noise((count, *model.net.image_shape), 0).cuda()
    ends: dict[str, Tensor] = {}

    def ending(name: str, run: Callable[[], Tensor]) -> Callable[[], None]:
        def finished() -> None:
            ends[name] = run().cpu()

        return finished

    plain = "diffusers' U-Net and scheduler"
    contestants = {
        "fmstudio": lambda: sample(GuidedField(model.net, labels), noise, steps),
        "fmstudio, bfloat16": lambda: sample(GuidedField(model.net, labels, bf16=True), noise, steps),
        plain: lambda: plain_loop(model.net, noise, labels, steps),
    }
    finished = {name: ending(name, run) for name, run in contestants.items()}
    times = in_turns(finished, rounds, time.perf_counter)
    base = times["fmstudio"].median
    apart = float((ends["fmstudio"] - ends[plain]).abs().max())
    ratio = times[plain].median / base
    return Result(
        title,
        f"{about} On {torch.cuda.get_device_name()}.",
        columns,
        tuple((name, t.milliseconds(), f"{t.median / base:.2f}") for name, t in times.items()),
        (Goal(GOAL, f"{ratio:.2f} ×", ratio > 1),),
        (f"Ours and diffusers end at most {apart:.1e} apart (pixels are in [−1, 1]).",),
    )


if __name__ == "__main__":
    finish(race, QUICK, __doc__)
