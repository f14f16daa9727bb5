"""Rows of pictures as a step grid shows them, and as many pictures as a figure needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fmstudio.image.networks import VelocityNet
from fmstudio.image.sampling.field import GuidedField, draw_noise
from fmstudio.image.sampling.sampling import SampleStep, StepPlan, sample
from fmstudio.image.training.data import to_bytes


@dataclass(frozen=True)
class GridRow:
    """One finished row of a step grid.

    Args:
        step_count: steps that made this row.
        nfe: evaluations of the field, each on the whole row.
        seconds: what they took.
        ends: its images as float32 on the CPU, not clipped to [−1, 1], shape (count, channels, side, side).
        plan: how they were made.
    """

    step_count: int
    nfe: int
    seconds: float
    ends: Tensor
    plan: StepPlan

    @property
    def images(self) -> Tensor:
        """The images as uint8, same shape."""
        return to_bytes(self.ends)


def grid_labels(classes: Sequence[int], count: int) -> Tensor:
    """The classes in turn until there are `count` labels: classes (3, 5) and count 4 give 3, 5, 3, 5.

    Args:
        classes: at least one label.
        count: ≥ 1.
    """
    if not classes or count < 1:
        raise ValueError(f"A grid needs at least one class and one image; got {list(classes)} and {count}.")
    return torch.tensor([classes[index % len(classes)] for index in range(count)])


def grid_row(plan: StepPlan, steps: Iterator[SampleStep]) -> Iterator[GridRow | SampleStep]:
    """One row: its steps as they happen, then the finished row.

    Args:
        plan: how it is made.
        steps: of that plan.
    """
    for step in steps:
        yield step
        if step.way == 1:
            yield GridRow(step.index, step.nfe, step.seconds, step.x.float().cpu(), plan)


def class_samples(
    net: VelocityNet,
    count: int,
    step_count: int,
    guidance: float = 1.0,
    seed: int = 0,
    bf16: bool = False,
    batch: int = 250,
) -> Tensor:
    """So many images, the classes in turn, by Euler steps, `batch` at a time.

    Args:
        net: the velocity network.
        count: images, ≥ 1.
        step_count: Euler steps.
        guidance: w.
        seed: of the noise.
        bf16: compute the network in bfloat16.
        batch: images at a time.

    Returns:
        Float32 on the CPU, not clipped to [−1, 1], shape (count, channels, side, side).
    """
    labels = grid_labels(range(net.no_class), count)
    noise = draw_noise((count, *net.image_shape), seed)
    made = [
        sample(GuidedField(net, some, guidance, bf16), start.to(net.device), step_count).cpu()
        for some, start in zip(labels.split(batch), noise.split(batch), strict=True)
    ]
    return torch.cat(made)
