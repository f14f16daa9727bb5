"""Images: 64 pictures of the shipped rectified flow in 16 steps, against the plain loop of diffusers."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from benchmarks.race import Goal, Result, finish, in_turns
from fmstudio.image.folder import load_model
from fmstudio.image.networks import VelocityNet
from fmstudio.image.sampling.field import GuidedField, draw_noise
from fmstudio.image.sampling.grid import grid_labels
from fmstudio.image.sampling.sampling import sample

QUICK = {"count": 2, "steps": 1, "rounds": 1}
FOLDER = Path(__file__).parents[1] / "models" / "fashion-rf1"


def race(count: int = 64, steps: int = 16, rounds: int = 2, guidance: float = 2.0) -> Result:
    """Ours in float32 and bfloat16, the plain loop, and ours with guidance, in turns; then on two threads.

    Args:
        count, steps: images, and steps of each.
        rounds: measured, after one to warm up.
        guidance: of the guided rows.
    """
    model = load_model(FOLDER)
    net, labels = model.net, grid_labels(range(len(model.class_names)), count)
    noise = draw_noise((count, *net.image_shape), 0)
    ends: dict[str, Tensor] = {}

    def plain() -> None:
        ends["diffusers"] = plain_loop(net, noise, labels, steps)

    def ours(weight: float, bf16: bool) -> None:
        ends[f"{weight} {bf16}"] = sample(GuidedField(net, labels, weight, bf16), noise, steps)

    contestants = {
        "fmstudio": lambda: ours(1.0, False),
        "fmstudio, bfloat16": lambda: ours(1.0, True),
        "diffusers' U-Net and scheduler": plain,
        f"fmstudio, guidance {guidance:g}": lambda: ours(guidance, False),
        f"fmstudio, guidance {guidance:g}, bfloat16": lambda: ours(guidance, True),
    }
    times = in_turns(contestants, rounds)
    torch.set_num_threads(2)
    walls = in_turns(contestants, rounds, time.perf_counter)
    torch.set_num_threads(1)
    base = times["fmstudio"].median
    apart = float((ends["1.0 False"] - ends["diffusers"]).abs().max())
    rows = tuple(
        (
            name, f"{t.median:.2f} ({t.low:.2f}–{t.high:.2f})", f"{t.median / base:.2f}",
            f"{1e3 * t.median / (count * steps):.2f}", f"{walls[name].median:.2f}", f"{walls[name].low:.2f}",
        )
        for name, t in times.items()
    )  # fmt: skip
    free = hasattr(os, "getloadavg") and os.getloadavg()[0] < 3
    names = list(contestants)

    def wall(name: str, limit: float) -> Goal:
        best = walls[name].low
        with_guidance = ", with guidance" if "guidance" in name else ""
        goal = f"{count} images × {steps} steps{with_guidance} on two free cores ≤ {limit} s"
        said = f"{best:.2f} s ({name})"
        if not free and best > limit:
            return Goal(
                goal, f"{said}; half the CPU time of one thread: {times[name].median / 2:.2f} s", None
            )
        return Goal(goal, said, best <= limit)

    return Result(
        "Images",
        f"{count} images × {steps} Euler steps of models/fashion-rf1, all in one batch, from one noise, "
        f"{rounds} rounds.",
        ("sampler", "CPU s, one thread", "time / ours", "CPU ms a forward", "wall s, two threads", "best"),
        rows,
        (
            Goal(
                "no slower than the plain loop of diffusers", f"{times[names[2]].median / base:.2f} ×",
                times[names[2]].median >= 0.9 * base,
            ),
            wall(names[0], 2.5),
            wall(names[1], 2.5),
            wall(names[3], 5.0),
            wall(names[4], 5.0),
        ),
        (
            f"Ours and diffusers end at most {apart:.1e} apart (pixels are in [−1, 1]).",
            "The page samples in bfloat16 where the machine computes it (one box turns that off). "
            "'Not decided here' means that the machine was not free.",
        ),
    )  # fmt: skip


@torch.no_grad()
def plain_loop(
    net: VelocityNet, noise: Tensor, labels: Tensor, steps: int, network: nn.Module | None = None
) -> Tensor:
    """The images that diffusers' network and scheduler make of noise, one step after the other.

    Args:
        net: whose diffusers network it is, and its patch.
        noise, labels: of the images.
        steps: Euler steps.
        network: stands in for the network, compiled say.
    """
    velocity = net.network if network is None else network
    # Its annotations name the old FloatTensor.
    scheduler: Any = FlowMatchEulerDiscreteScheduler.from_pretrained(FOLDER, subfolder="scheduler")
    scheduler.set_timesteps(sigmas=np.linspace(1, 1 / steps, steps).tolist(), device=noise.device)
    x = noise
    for t in scheduler.timesteps:
        v = velocity(pixel_unshuffle(x, net.patch), t, class_labels=labels).sample
        x = scheduler.step(pixel_shuffle(v, net.patch), t, x, return_dict=False)[0]
    return x


if __name__ == "__main__":
    finish(race, QUICK, __doc__)
