"""Step grids: one row of pictures for each number of steps, from the same noise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fmstudio.flow.solve.tableaux import EULER, Tableau
from fmstudio.image.networks import VelocityNet
from fmstudio.image.sampling.field import GuidedField, draw_noise
from fmstudio.image.sampling.sampling import FixedPlan, SampleStep, StepPlan
from fmstudio.image.training.data import to_bytes


@dataclass(frozen=True)
class GridRow:
    """One finished row of a step grid.

    Args:
        step_count: steps that made this row.
        images: uint8 on the CPU, shape (count, channels, side, side).
        nfe: evaluations of the field, each on the whole row.
        seconds: what they took.
        ends: the same images as float32 on the CPU, not clipped to [−1, 1].
        plan: how they were made.
    """

    step_count: int
    images: Tensor
    nfe: int
    seconds: float
    ends: Tensor
    plan: StepPlan


def grid_labels(classes: Sequence[int], count: int) -> Tensor:
    """The classes in turn until there are `count` labels: classes (3, 5) and count 4 give 3, 5, 3, 5.

    Args:
        classes: at least one label.
        count: ≥ 1.
    """
    if not classes or count < 1:
        raise ValueError(f"A grid needs at least one class and one image; got {list(classes)} and {count}.")
    return torch.tensor([classes[index % len(classes)] for index in range(count)])


def step_grid(
    net: VelocityNet,
    steps: Sequence[int],
    classes: Sequence[int],
    guidance: float = 1.0,
    seed: int = 0,
    count: int = 10,
    solver: Tableau = EULER,
    bf16: bool = False,
) -> Iterator[GridRow | SampleStep]:
    """The same noise sampled with several step counts: every step as it happens, then the finished row.

    Args:
        net: the velocity network.
        steps: step counts, one row each, in this order.
        classes: labels, repeated in turn along a row.
        guidance: w.
        seed: of the one noise that all rows start from.
        count: images per row.
        solver: a fixed-step method.
        bf16: compute the network in bfloat16.

    Yields:
        For each row, its `SampleStep`s and then its `GridRow`.
    """
    field = GuidedField(net, grid_labels(classes, count), guidance, bf16)
    noise = draw_noise((count, *net.image_shape), seed).to(net.device)
    for step_count in steps:
        yield from grid_row(field, noise, FixedPlan(step_count, solver))


def grid_row(field: GuidedField, noise: Tensor, plan: StepPlan) -> Iterator[GridRow | SampleStep]:
    """One row: its steps as they happen, then the finished row.

    Args:
        field: the velocity field with its labels.
        noise: that the row starts from, on the network's device.
        plan: how it is made.
    """
    last: SampleStep | None = None
    for last in plan.run(field, noise):
        yield last
    if last is not None:
        ends = last.x.float().cpu()
        yield GridRow(last.index, to_bytes(ends), last.nfe, last.seconds, ends, plan)
