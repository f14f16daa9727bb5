"""Pairs for a second rectification: `python -m fmstudio.image.reflow --model FOLDER --out FILE --count
30000`.

A rectified flow carries noise x1 to an image x0 along a curve. Training a new flow on these pairs (x0, x1),
in place of independent ones, straightens the curves: the straight path between the two ends is now nearly
the one that the flow itself takes, so few steps land where many did.
Source: Liu, Gong & Liu 2022, arXiv:2209.03003 (reflow); with classes and without guidance here.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from fmstudio.device import chosen_device, has_bf16
from fmstudio.image.folder import ImageModel, load_model
from fmstudio.image.sampling.field import GuidedField
from fmstudio.image.sampling.sampling import sample
from fmstudio.image.training.objective import ReflowPairs, generator_of


def make_pairs(
    model: ImageModel, count: int, step_count: int, seed: int = 0, batch: int = 250, bf16: bool = False
) -> Iterator[ReflowPairs]:
    """Pairs by Euler steps of the teacher, one batch at a time; labels are uniform over the classes.

    The noise is rounded to float16 before it is used, so that the stored noise is the one that made the
    image.

    Args:
        model: the teacher.
        count: pairs in all, ≥ 1.
        step_count: Euler steps of the teacher, ≥ 1.
        seed: of noise and labels.
        batch: pairs at a time.
        bf16: compute the teacher in bfloat16.

    Yields:
        Pairs until there are `count` of them.
    """
    if count < 1:
        raise ValueError(f"Reflow needs at least one pair; got {count}.")
    net = model.net
    for number, start in enumerate(range(0, count, batch)):
        generator = generator_of(seed, 3, number)
        size = min(batch, count - start)
        labels = torch.randint(len(model.class_names), (size,), generator=generator)
        x1 = torch.randn((size, *net.image_shape), generator=generator).half()
        x0 = sample(GuidedField(net, labels, bf16=bf16), x1.float().to(net.device), step_count)
        yield ReflowPairs(x0.half().cpu(), x1, labels, model.class_names)


def join_pairs(parts: list[ReflowPairs]) -> ReflowPairs:
    """All the pairs of a non-empty list."""

    x0, x1, labels = (torch.cat([getattr(part, name) for part in parts]) for name in ("x0", "x1", "labels"))
    return ReflowPairs(x0, x1, labels, parts[0].class_names)


def save_pairs(path: Path, pairs: ReflowPairs) -> None:
    """Write pairs as one safetensors file, class names in its header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {"x0": pairs.x0, "x1": pairs.x1, "labels": pairs.labels}
    save_file(tensors, path, {"class_names": json.dumps(pairs.class_names)})


def load_pairs(path: Path) -> ReflowPairs:
    """Read what `save_pairs` wrote."""
    with safe_open(path, framework="pt") as file:
        x0, x1, labels = (file.get_tensor(name) for name in ("x0", "x1", "labels"))
        return ReflowPairs(x0, x1, labels, tuple(json.loads(file.metadata()["class_names"])))


def main() -> None:
    """The command line: load the teacher, make pairs until the count or the time is reached, save them."""
    parser = argparse.ArgumentParser(prog="python -m fmstudio.image.reflow", description=main.__doc__)
    parser.add_argument("--model", type=Path, required=True, help="the teacher's folder")
    parser.add_argument("--out", type=Path, required=True, help="safetensors file to write")
    parser.add_argument("--count", type=int, default=30_000, help="pairs at most")
    parser.add_argument("--minutes", type=float, help="stop after so many minutes with what is done")
    parser.add_argument("--steps", type=int, default=16, help="Euler steps of the teacher")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, help="CPU threads (default: torch's own choice)")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    device = chosen_device(single_precision=True)
    model = load_model(options.model, device)
    started, parts = time.monotonic(), []
    for part in make_pairs(model, options.count, options.steps, options.seed, bf16=has_bf16(device)):
        parts.append(part)
        minutes = (time.monotonic() - started) / 60
        print(f"{sum(map(len, parts)):6d} pairs  {minutes:6.2f} min", flush=True)
        if options.minutes is not None and minutes >= options.minutes:
            break
    save_pairs(options.out, join_pairs(parts))


if __name__ == "__main__":
    main()
