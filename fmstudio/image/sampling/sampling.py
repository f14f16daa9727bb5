"""Images from noise, step by step: the ODE dx/dt = v(x, t, class) from t = 1 down to t = 0.

The step times are t = 1, 1 − 1/n, …, 0, so n steps are n steps. With Euler's method this is, to rounding,
what diffusers' FlowMatchEulerDiscreteScheduler does when it is given sigmas = linspace(1, 1/n, n).
A time shift s moves them to s t / (1 + (s − 1) t): s > 1 spends more steps near the noise.
An adaptive solver chooses its own times.

Everything here is a generator: whoever reads it can show each step, and stops the work by not reading on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from fmstudio.device import finish
from fmstudio.flow.solve.adaptive import adaptive_steps
from fmstudio.flow.solve.solvers import path_times, steps
from fmstudio.flow.solve.tableaux import DOPRI5, EULER, Tableau
from fmstudio.image.finite import check_finite, remedy
from fmstudio.image.progress import count_of_steps
from fmstudio.image.sampling.field import FirstVelocity, GuidedField


def shifted_times(step_count: int, shift: float = 1.0, start: float = 1.0, end: float = 0.0) -> Tensor:
    """Times of n steps, moved by a time shift: t ↦ s t / (1 + (s − 1) t) of evenly spaced times.

    Both ends stay where they are: evenly spaced are the times before the shift, between those that it moves
    to `start` and `end`.

    Args:
        step_count: n ≥ 1.
        shift: s > 0; 1 leaves the times evenly spaced.
        start, end: different times in [0, 1].

    Returns:
        Shape (n + 1,), from start to end.

    Raises:
        ValueError: a shift that is not a positive number.

    Source: Esser et al. 2024, arXiv:2403.03206, equation 23, with s = √(m/n).
    """
    if not 0 < shift < float("inf"):
        raise ValueError(f"A time shift is a positive number; got {shift}.")
    if shift == 1:
        return path_times(step_count, start, end)
    first, last = (t / (shift - (shift - 1) * t) for t in (start, end))
    even = path_times(step_count, first, last, dtype=torch.float64)
    times = shift * even / (1 + (shift - 1) * even)
    times[0], times[-1] = start, end
    return times.float()


@dataclass(frozen=True)
class SampleStep:
    """One step of sampling.

    Args:
        index: steps taken so far, 1 … n.
        steps: n, or None where the solver chooses.
        t: the time reached; 0 after the last step.
        x: images at that time, shape (batch, channels, side, side).
        v: the velocity at the start of the step, same shape.
        x0_hat: the image expected at the start of the step, x − t v, same shape.
        nfe: evaluations of the field so far, each on the whole batch (a guided one counts once).
        seconds: spent in steps so far, without what the reader does between them.
    """

    index: int
    steps: int | None
    t: float
    x: Tensor
    v: Tensor
    x0_hat: Tensor
    nfe: int
    seconds: float


def way_done(step: SampleStep, start: float = 1.0, end: float = 0.0) -> float:
    """The share of the way from one time to another: by steps, or by time where the solver chooses them."""
    return step.index / step.steps if step.steps else abs(step.t - start) / abs(end - start)


class _Clock:
    """Seconds spent at work, without the pauses in which the reader has the word."""

    def __init__(self, device: torch.device):
        self._device, self._spent, self._started = device, 0.0, time.perf_counter()

    def pause(self) -> float:
        """All work so far; what a GPU was asked is done."""
        finish(self._device)
        self._spent += time.perf_counter() - self._started
        return self._spent

    def go_on(self) -> None:
        """The reader is back."""
        self._started = time.perf_counter()


def sample_steps(
    field: GuidedField,
    noise: Tensor,
    step_count: int,
    solver: Tableau = EULER,
    shift: float = 1.0,
    *,
    start: float = 1.0,
    end: float = 0.0,
) -> Iterator[SampleStep]:
    """Carry noise to images, handing out every step.

    Args:
        field: the velocity field with its labels.
        noise: x at t = start, shape (batch, channels, side, side), on the network's device.
        step_count: n ≥ 1.
        solver: a fixed-step Runge–Kutta method, such as EULER, MIDPOINT, HEUN or RK4 of
            `fmstudio.flow.solve.solvers`.
        shift: time shift (see `shifted_times`).
        start, end: 1 and 0 generate, 0 and 1 invert.

    Yields:
        n records; the last one's x is the result.

    Raises:
        NotFiniteError: at the first step whose images are not finite.
    """
    field.prepare(noise)
    recorder = FirstVelocity(field)
    times = shifted_times(step_count, shift, start, end)
    start_x, clock = noise, _Clock(noise.device)
    for state in steps(recorder, noise, times, solver):
        if recorder.v is None:
            raise RuntimeError(f"The solver {solver.name} took a step without asking for a velocity.")
        x0_hat = start_x - float(times[state.index - 1]) * recorder.v
        seconds = clock.pause()
        t = float(times[state.index - 1])
        step = f"step {state.index} of {step_count} (t = {t:.3f})"
        check_finite(state.x, step, field.dtype, remedy(field.dtype))
        yield SampleStep(state.index, step_count, state.time, state.x, recorder.v, x0_hat, state.nfe, seconds)
        start_x, recorder.v = state.x, None
        clock.go_on()


def sample_adaptive(
    field: GuidedField,
    noise: Tensor,
    tolerance: float,
    solver: Tableau = DOPRI5,
    *,
    start: float = 1.0,
    end: float = 0.0,
) -> Iterator[SampleStep]:
    """Carry noise to images by steps whose error stays within a tolerance.

    One step size serves the whole batch. The images are the end of the last step.

    Args:
        field: the velocity field with its labels, in float32: bfloat16's rounding is an error that no
            step size removes.
        noise: x at t = start.
        tolerance: relative and absolute, in pixels of [−1, 1].
        solver: an adaptive one.
        start, end: 1 and 0 generate, 0 and 1 invert.

    Yields:
        The accepted steps; rejected ones count in `nfe`.

    Raises:
        NotFiniteError: the network answered with inf or NaN.
        RuntimeError: the tolerance asks for steps that are too short.
    """
    field.prepare(noise)
    clock = _Clock(noise.device)
    ends = torch.tensor([start, end])

    def checked(x: Tensor, t: Tensor) -> Tensor:
        v = field(x, t)
        check_finite(v, f"the network at t = {float(t):.3f}", field.dtype, remedy(field.dtype))
        return v

    for step in adaptive_steps(checked, noise, ends, rtol=tolerance, atol=tolerance, tableau=solver):
        x0_hat = step.before - step.start * step.velocity
        seconds = clock.pause()
        yield SampleStep(step.index, None, step.time, step.x, step.velocity, x0_hat, step.nfe, seconds)
        clock.go_on()


class StepPlan(Protocol):
    """How one row of a grid is made."""

    def run(self, field: GuidedField, noise: Tensor) -> Iterator[SampleStep]:
        """Every step from noise to images."""
        ...


@dataclass(frozen=True)
class FixedPlan:
    """So many steps of one method.

    Args:
        step_count: n ≥ 1.
        solver: the method.
        shift: time shift.
    """

    step_count: int
    solver: Tableau = EULER
    shift: float = 1.0

    @property
    def evaluations(self) -> int:
        """How often the field will be asked."""
        return self.step_count * self.solver.evaluations

    def run(self, field: GuidedField, noise: Tensor) -> Iterator[SampleStep]:
        """Every step from noise to images."""
        return sample_steps(field, noise, self.step_count, self.solver, self.shift)


@dataclass(frozen=True)
class AdaptivePlan:
    """As many steps as a tolerance asks for.

    Args:
        tolerance, solver: see `sample_adaptive`.
    """

    tolerance: float
    solver: Tableau = DOPRI5

    def run(self, field: GuidedField, noise: Tensor) -> Iterator[SampleStep]:
        """Every accepted step from noise to images."""
        return sample_adaptive(field, noise, self.tolerance, self.solver)


def sample(field: GuidedField, noise: Tensor, step_count: int, solver: Tableau = EULER) -> Tensor:
    """The images that `sample_steps` ends with, shape of the noise, not clipped to [−1, 1]."""
    x = noise
    for state in sample_steps(field, noise, step_count, solver):
        x = state.x
    return x


def plan_words(plan: StepPlan) -> str:
    """How a row is made: "4 steps" or "tolerance 0.1"."""
    if isinstance(plan, AdaptivePlan):
        return f"tolerance {plan.tolerance:g}"
    if isinstance(plan, FixedPlan):
        return count_of_steps(plan.step_count)
    raise TypeError(f"Expected a plan with steps or a tolerance; got {plan!r}.")


def step_words(plan: StepPlan, step: SampleStep) -> str:
    """Where a row that is being made stands: "4 steps: step 3"."""
    where = f", t = {step.t:.2f}" if isinstance(plan, AdaptivePlan) else ""
    return f"{plan_words(plan)}: step {step.index}{where}"
