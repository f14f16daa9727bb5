"""The one wrapper around `scheduler.step` that tells what any pipeline does.
 diffusers hands the step a network's answer v (with guidance: the guided one), the latents x, and knows
σ. On the linear path x = (1 − σ) x₀ + σ x₁ and v = x₁ − x₀, so

    x̂₀ = x − σ v,      x̂₁ = x + (1 − σ) v.
 Pipelines whose networks point the other way (Z-Image, Lumina) turn the sign before they call the step,
so this holds for all of them; a scheduler with inverted σ (OmniGen) counts s = 1 − σ from 0 to 1 with v =
x₀ − x₁, and is turned back here.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fmstudio.device import finish


@dataclass(frozen=True)
class StepRecord:
    """What one step did. Tensors are float32 on the CPU, in the pipeline's own (perhaps packed) layout.

    Args:
        index: steps taken, 1 … n.
        sigma, sigma_next: t before and after.
        x: latents before the step.
        v: the velocity there, x₁ − x₀ in expectation.
        x_next: latents after the step.
        seconds: since the end of the step before, or since the run began.
    """

    index: int
    sigma: float
    sigma_next: float
    x: Tensor
    v: Tensor
    x_next: Tensor
    seconds: float

    @property
    def x0_hat(self) -> Tensor:
        """The data expected from here: x − σ v."""
        return self.x - self.sigma * self.v


@contextmanager
def recorded(scheduler: Any, sink: Callable[[StepRecord], None]) -> Generator[None, None, None]:
    """While this is open, every `scheduler.step` is handed to `sink` after it was taken.

    What the pipeline gets back is untouched. An exception from `sink` passes through the pipeline.

    Args:
        scheduler: with `step`, `sigmas` and `step_index`.
        sink: called with each `StepRecord`, in the pipeline's thread.
    """
    original = scheduler.step
    inverted = bool(scheduler.config.get("invert_sigmas"))
    last = time.perf_counter()

    @functools.wraps(original)
    def step(model_output: Tensor, timestep: Any, sample: Tensor, *arguments: Any, **named: Any) -> Any:
        nonlocal last
        result = original(model_output, timestep, sample, *arguments, **named)
        after = result[0] if isinstance(result, tuple) else result.prev_sample
        index = int(scheduler.step_index)  # already counted up
        sigma, sigma_next = (float(scheduler.sigmas[k]) for k in (index - 1, index))
        finish(sample.device)
        now = time.perf_counter()
        v = _plain(model_output)
        sink(
            StepRecord(
                index=index,
                sigma=1 - sigma if inverted else sigma,
                sigma_next=1 - sigma_next if inverted else sigma_next,
                x=_plain(sample),
                v=-v if inverted else v,
                x_next=_plain(after),
                seconds=now - last,
            )
        )
        last = time.perf_counter()
        return result

    scheduler.step = step
    try:
        yield
    finally:
        del scheduler.step


def _plain(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", torch.float32, copy=True)
