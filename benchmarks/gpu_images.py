"""Images on a GPU: the shipped rectified flow by captured graphs, against diffusers' plain loop."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmarks.cuda import absent, card, device_of, kept, wall
from benchmarks.images import FOLDER, plain_loop
from benchmarks.race import Goal, Result, finish
from fmstudio.image.folder import load_model
from fmstudio.image.networks import VelocityNet
from fmstudio.image.sampling.field import GuidedField, draw_noise
from fmstudio.image.sampling.grid import grid_labels
from fmstudio.image.sampling.sampling import sample

QUICK = {"device": "cpu", "counts": (2,), "steps": 2, "rounds": 1, "compiled": False}
TITLE = "Images on a GPU"
FACTOR = 1.5
#: Slower by less than this is equal: what two rounds of one contestant differ by.
EQUAL = 0.98


def race(
    device: str | None = None,
    counts: tuple[int, ...] = (64, 1_024),
    steps: int = 16,
    rounds: int = 8,
    compiled: bool = True,
) -> Result:
    """Ours and the plain loop at several sizes, in float32 and bfloat16, in turns.

    Args:
        device: None for the first CUDA device; nothing is raced without one.
        counts: images of a batch; the first goal is judged at the first of them.
        steps: of each image.
        rounds: measured, after one to warm up, capture and compile.
        compiled: whether diffusers' network also runs compiled.
    """
    goals = (
        f"{counts[0]} images ≥ {FACTOR} × the plain loop of diffusers in the same precision",
        "at no size slower than the plain loop in the same precision",
    )
    about = f"Euler steps × {steps} of models/fashion-rf1 in one batch, {rounds} rounds, wall time."
    place = device_of(device)
    if place is None:
        return absent(TITLE, about, goals)
    net = load_model(FOLDER, place).net
    # What is compiled is called like a module; its stub does not say so.
    fast: nn.Module | None = torch.compile(net.network) if compiled else None  # pyright: ignore[reportAssignmentType]
    rows: list[tuple[str, ...]] = []
    notes: list[str] = []
    ratios: dict[int, list[float]] = {}
    for count in counts:
        contestants = _contestants(net, fast, count, steps, place)
        ends: dict[str, Tensor] = {}
        times = wall({name: kept(ends, name, run) for name, run in contestants.items()}, rounds, place)
        base = times["fmstudio"].median
        rows += [
            (f"{count:,}", name, t.milliseconds(), f"{count / t.median:,.0f}", f"{t.median / base:.2f}")
            for name, t in times.items()
        ]
        ratios[count] = [
            times[f"diffusers{kind}"].median / times[f"fmstudio{kind}"].median for kind in ("", ", bfloat16")
        ]
        apart = float((ends["fmstudio"] - ends["diffusers"]).abs().max())
        notes.append(
            f"{count:,} images: ours and diffusers end at most {apart:.1e} apart (pixels in [−1, 1])."
        )
    first, least = min(ratios[counts[0]]), min(min(pair) for pair in ratios.values())
    return Result(
        TITLE,
        f"{about} On {card(place)}.",
        ("images", "sampler", "wall ms", "images a second", "time / ours in float32"),
        tuple(rows),
        (
            Goal(goals[0], f"{first:.2f} ×", first >= FACTOR),
            Goal(goals[1], f"least {least:.2f} ×", least >= EQUAL),
        ),
        tuple(notes),
    )


def _contestants(
    net: VelocityNet, fast: nn.Module | None, count: int, steps: int, device: torch.device
) -> dict[str, Callable[[], Tensor]]:
    labels = grid_labels(range(net.no_class), count).to(device)
    noise = draw_noise((count, *net.image_shape), 0).to(device)

    def plainly(network: nn.Module, bf16: bool) -> Callable[[], Tensor]:
        def run() -> Tensor:
            with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                return plain_loop(net, noise, labels, steps, network)

        return run

    found = {
        "fmstudio": lambda: sample(GuidedField(net, labels), noise, steps),
        "diffusers": plainly(net.network, False),
        "fmstudio, bfloat16": lambda: sample(GuidedField(net, labels, bf16=True), noise, steps),
        "diffusers, bfloat16": plainly(net.network, True),
        "fmstudio, guidance 2": lambda: sample(GuidedField(net, labels, 2.0), noise, steps),
    }
    if fast is not None:
        found["diffusers, compiled"] = plainly(fast, False)
    return found


if __name__ == "__main__":
    finish(race, QUICK, __doc__)
