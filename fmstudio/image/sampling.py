"""Images from noise, step by step: the ODE dx/dt = v(x, t, class) from t = 1 down to t = 0.

The step times are t = 1, 1 − 1/n, …, 0, so n steps are n steps. With Euler's method this is, to rounding,
what diffusers' FlowMatchEulerDiscreteScheduler does when it is given sigmas = linspace(1, 1/n, n).
Everything here is a generator: whoever reads it can show each step, and stops the work by not reading on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from fmstudio.flow.solvers import EULER, Tableau, path_times, steps
from fmstudio.image.data import to_bytes
from fmstudio.image.networks import VelocityNet
from fmstudio.image.objective import generator_of


def draw_noise(shape: tuple[int, ...], seed: int) -> Tensor:
    """Standard normal noise on the CPU: a seed means the same picture on every device.

    Args:
        shape: of the noise.
        seed: ≥ 0.
    """
    return torch.randn(shape, generator=generator_of(seed))


class GuidedField:
    """v(x, t) for one label per image, with classifier-free guidance in one batched forward.

        v = v∅ + w (v_c − v∅)

    Guidance 1 is the plain conditional flow and is evaluated without the second half of the batch.

    Args:
        net: the velocity network.
        labels: int64, shape (batch,); `net.no_class` for no class.
        guidance: w, any number; 0 is the unconditional flow.
        bf16: compute the network in bfloat16 (autocast); positions and velocities stay float32.

    Source: Ho & Salimans 2022, arXiv:2207.12598, for velocities.
    """

    def __init__(self, net: VelocityNet, labels: Tensor, guidance: float = 1.0, bf16: bool = False):
        if labels.ndim != 1 or not len(labels):
            raise ValueError(
                f"Guidance needs one label per image; got labels of shape {tuple(labels.shape)}."
            )
        if int(labels.min()) < 0 or int(labels.max()) > net.no_class:
            raise ValueError(f"Labels lie in 0 … {net.no_class} ({net.no_class} means no class).")
        self._net, self._guidance, self._bf16 = net, guidance, bf16
        self._guided = guidance != 1.0
        labels = labels.to(net.device)
        self._labels = torch.cat([labels, torch.full_like(labels, net.no_class)]) if self._guided else labels

    def _precision(self) -> AbstractContextManager[object]:
        return torch.autocast(self._net.device.type, torch.bfloat16) if self._bf16 else nullcontext()

    @torch.no_grad()
    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        """The velocity at x of shape (batch, channels, side, side) and t of shape ()."""
        with self._precision():
            v = self._net(torch.cat([x, x]) if self._guided else x, t, self._labels)
        v = v.float()
        if self._guided:
            with_class, without = v.chunk(2)
            v = torch.lerp(without, with_class, self._guidance)
        return v


class _FirstVelocity:
    """A field that remembers the velocity at the start of each step."""

    def __init__(self, field: GuidedField):
        self._field = field
        self.v: Tensor | None = None

    def __call__(self, x: Tensor, t: Tensor, /) -> Tensor:
        v = self._field(x, t)
        if self.v is None:
            self.v = v.clone()
        return v


@dataclass(frozen=True)
class SampleStep:
    """One step of sampling.

    Args:
        index: steps taken so far, 1 … n.
        steps: n.
        t: the time reached; 0 after the last step.
        x: images at that time, shape (batch, channels, side, side).
        v: the velocity at the start of the step, same shape.
        x0_hat: the image expected at the start of the step, x − t v, same shape.
        nfe: evaluations of the field so far, each on the whole batch (a guided one counts once).
        seconds: spent in steps so far, without what the reader does between them.
    """

    index: int
    steps: int
    t: float
    x: Tensor
    v: Tensor
    x0_hat: Tensor
    nfe: int
    seconds: float


def sample_steps(
    field: GuidedField, noise: Tensor, step_count: int, solver: Tableau = EULER
) -> Iterator[SampleStep]:
    """Carry noise to images, handing out every step.

    Args:
        field: the velocity field with its labels.
        noise: x at t = 1, shape (batch, channels, side, side), on the network's device.
        step_count: n ≥ 1.
        solver: a fixed-step Runge–Kutta method, such as EULER, MIDPOINT, HEUN or RK4 of
            `fmstudio.flow.solvers`.

    Yields:
        n records; the last one's x is the result.
    """
    recorder = _FirstVelocity(field)
    times = path_times(step_count)
    start_x, seconds = noise, 0.0
    started = time.perf_counter()
    for state in steps(recorder, noise, times, solver):
        if recorder.v is None:
            raise RuntimeError(f"The solver {solver.name} took a step without asking for a velocity.")
        start_t = float(times[state.index - 1])
        x0_hat = start_x - start_t * recorder.v
        if noise.is_cuda:
            torch.cuda.synchronize(noise.device)
        seconds += time.perf_counter() - started
        yield SampleStep(state.index, step_count, state.time, state.x, recorder.v, x0_hat, state.nfe, seconds)
        start_x, recorder.v = state.x, None
        started = time.perf_counter()


def sample(field: GuidedField, noise: Tensor, step_count: int, solver: Tableau = EULER) -> Tensor:
    """The images that `sample_steps` ends with, shape of the noise, not clipped to [−1, 1]."""
    x = noise
    for state in sample_steps(field, noise, step_count, solver):
        x = state.x
    return x


@dataclass(frozen=True)
class GridRow:
    """One finished row of a step grid.

    Args:
        step_count: steps that made this row.
        images: uint8 on the CPU, shape (count, channels, side, side).
        nfe: evaluations of the field, each on the whole row.
        seconds: what they took.
    """

    step_count: int
    images: Tensor
    nfe: int
    seconds: float


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
        last: SampleStep | None = None
        for last in sample_steps(field, noise, step_count, solver):
            yield last
        if last is not None:
            yield GridRow(step_count, to_bytes(last.x).cpu(), last.nfe, last.seconds)
