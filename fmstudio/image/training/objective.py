"""What is regressed on what: batches of (x_t, t, class) and the velocity to predict.

    x_t = (1 − t) x0 + t x1,   v = x1 − x0,   loss = E |v − v_θ(x_t, t, class)|²  (mean over pixels)

Every random number of training step k is a function of (seed, k) alone, for the whole batch of all processes.
A run that is resumed, or that is spread over several processes, therefore sees the same batches.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fmstudio.image.training.data import ImageSet

TimeLaw = Callable[[int, torch.Generator], Tensor]


def generator_of(*key: int) -> torch.Generator:
    """A CPU generator whose seed mixes the non-negative integers of `key` (NumPy's SeedSequence)."""
    state = np.random.SeedSequence(key).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> np.uint64(1)))


def mixed_times(count: int, generator: torch.Generator) -> Tensor:
    """Times for a first rectified flow: 70 % logit-normal(0, 1), 30 % uniform on [0, 1].

    The logit-normal law spends more work where the answer is hard (the middle); the uniform part keeps both
    ends trained. Source: Esser et al. 2024, arXiv:2403.03206, section 3.1 (the logit-normal law).
    """
    middle = torch.sigmoid(torch.randn(count, generator=generator))
    anywhere = torch.rand(count, generator=generator)
    return torch.where(torch.rand(count, generator=generator) < 0.7, middle, anywhere)


def ends_times(count: int, generator: torch.Generator) -> Tensor:
    """Times for a second rectified flow: density ∝ cosh(4 (t − 1/2)), more at both ends.

    With reflow pairs the middle is easy and the first step, at t = 1, must jump the whole way. Drawn by
    inverting the distribution function F(t) = 1/2 + sinh(4 (t − 1/2)) / (2 sinh 2).
    Source: Lee, Lin & Fanti 2024, arXiv:2405.20320 (a U-shaped law of this form).
    """
    u = torch.rand(count, generator=generator)
    return (0.5 + torch.asinh((2 * u - 1) * math.sinh(2.0)) / 4).clamp_(0.0, 1.0)


def noise_times(count: int, generator: torch.Generator) -> Tensor:
    """Times for a student of one step: t = 1 for three images of four, else as in `ends_times`.

    At t = 1 reflow pairs are distilled, x1 − v(x1, 1) ≈ x0; the others keep the answers at every other time.
    Source: Liu, Gong & Liu 2022, arXiv:2209.03003, section 2.2 (distillation of a rectified flow).
    """
    others = ends_times(count, generator)
    return torch.where(torch.rand(count, generator=generator) < 0.75, torch.ones(count), others)


TIME_LAWS: dict[str, TimeLaw] = {"mixed": mixed_times, "ends": ends_times, "noise": noise_times}


@dataclass(frozen=True)
class ReflowPairs:
    """Noise and the image that a flow carries it to.

    Args:
        x0: end points, float16, shape (count, channels, height, width).
        x1: the noise that each started from, float16, same shape.
        labels: int64, shape (count,).
        class_names: the name of each label.
    """

    x0: Tensor
    x1: Tensor
    labels: Tensor
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.x0.shape != self.x1.shape or len(self.labels) != len(self.x0):
            raise ValueError(
                f"Pairs need as many x0 as x1 as labels; got {tuple(self.x0.shape)}, {tuple(self.x1.shape)},"
                f" {tuple(self.labels.shape)}."
            )

    def __len__(self) -> int:
        return len(self.x0)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width of one image."""
        return (self.x0.shape[1], self.x0.shape[2], self.x0.shape[3])


@dataclass(frozen=True)
class Batch:
    """One training batch: x0, x1 of shape (batch, channels, height, width); t, labels of shape (batch,)."""

    x0: Tensor
    x1: Tensor
    t: Tensor
    labels: Tensor

    def part(self, index: int, count: int) -> Batch:
        """The index-th of `count` equal parts."""
        size = len(self.t) // count
        return Batch(*(part[index * size : (index + 1) * size] for part in self._all()))

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device; from pinned memory the copy does not hold up this thread."""
        return Batch(*(part.to(device, non_blocking=True) for part in self._all()))

    def pinned(self) -> Batch:
        """The same batch in memory that a CUDA device reads by itself."""
        return Batch(*(part.pin_memory() for part in self._all()))

    def _all(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.x0, self.x1, self.t, self.labels


class BatchStream:
    """Batch k of an endless, reshuffled pass over the data, as a function of (seed, k).

    Args:
        data: images (their noise is drawn afresh each time) or reflow pairs.
        batch: images per step, over all processes.
        seed: non-negative.
        time_law: draws the times.
        label_drop: share of labels replaced by "no class".
    """

    def __init__(
        self, data: ImageSet | ReflowPairs, batch: int, seed: int, time_law: TimeLaw, label_drop: float
    ):
        self._data, self._batch, self._seed = data, batch, seed
        self._time_law, self._label_drop = time_law, label_drop
        self._orders: dict[int, Tensor] = {}

    def _rows(self, step: int) -> Tensor:
        count = len(self._data)
        places = torch.arange(step * self._batch, (step + 1) * self._batch)
        epochs = places // count
        wanted = {int(epoch) for epoch in epochs.unique()}
        self._orders = {epoch: order for epoch, order in self._orders.items() if epoch in wanted}
        rows = torch.empty_like(places)
        for epoch in wanted:
            if epoch not in self._orders:
                order = torch.randperm(count, generator=generator_of(self._seed, 1, epoch))
                self._orders[epoch] = order
            here = epochs == epoch
            rows[here] = self._orders[epoch][places[here] % count]
        return rows

    def __call__(self, step: int) -> Batch:
        """Batch `step` ≥ 0, on the CPU."""
        rows = self._rows(step)
        generator = generator_of(self._seed, 2, step)
        t = self._time_law(self._batch, generator)
        dropped = torch.rand(self._batch, generator=generator) < self._label_drop
        labels = torch.where(dropped, len(self._data.class_names), self._data.labels[rows])
        if isinstance(self._data, ReflowPairs):
            return Batch(self._data.x0[rows].float(), self._data.x1[rows].float(), t, labels)
        x0 = self._data.images(rows)
        return Batch(x0, torch.randn(x0.shape, generator=generator), t, labels)


class Ahead:
    """The same stream, its next batch made in a second thread and pinned while a GPU learns this one.

    Args:
        stream: of batches; nobody else asks it meanwhile.
    """

    def __init__(self, stream: BatchStream):
        self._stream, self._worker = stream, ThreadPoolExecutor(1, "batches")
        self._coming: dict[int, Future[Batch]] = {}

    def __call__(self, step: int) -> Batch:
        """Batch `step` ≥ 0, in pinned memory; batch `step` + 1 is begun."""
        batch = (self._coming.pop(step, None) or self._worker.submit(self._made, step)).result()
        self._coming = {step + 1: self._worker.submit(self._made, step + 1)}
        return batch

    def _made(self, step: int) -> Batch:
        return self._stream(step).pinned()


def velocity_loss(net: Callable[[Tensor, Tensor, Tensor], Tensor], batch: Batch) -> Tensor:
    """Mean over images and pixels of |v − v_θ(x_t, t, class)|², with v = x1 − x0 on the straight path."""
    t = batch.t[:, None, None, None]
    xt = torch.lerp(batch.x0, batch.x1, t)
    v = net(xt, batch.t, batch.labels)
    return (v.float() - (batch.x1 - batch.x0)).square().mean()
