"""Images from noise, step by step: the ODE dx/dt = v(x, t, class) from t = 1 down to t = 0.

The step times are t = 1, 1 − 1/n, …, 0, so n steps are n steps. With Euler's method this is, to rounding,
what diffusers' FlowMatchEulerDiscreteScheduler does when it is given sigmas = linspace(1, 1/n, n).
A time shift s moves them to s t / (1 + (s − 1) t): s > 1 spends more steps near the noise.
An adaptive solver chooses its own times.

Everything here is a generator: whoever reads it can show each step, and stops the work by not reading on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from fmstudio.device import finish
from fmstudio.flow.solve.adaptive import adaptive_steps
from fmstudio.flow.solve.solvers import path_times, steps
from fmstudio.flow.solve.tableaux import DOPRI5, EULER, Tableau
from fmstudio.image.finite import check_finite, remedy
from fmstudio.image.progress import Pace, Progress, count_of_steps

T = TypeVar("T")


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


class Flow(Protocol):
    """What is followed: v(x, t), such as a `GuidedField`."""

    @property
    def dtype(self) -> str:
        """What it computes in."""
        ...

    def prepare(self, x: Tensor) -> None:
        """Get ready for such an x, so that no step waits for it."""
        ...

    def __call__(self, x: Tensor, t: Tensor, /) -> Tensor:
        """The velocity, shape of x, at a time of shape ()."""
        ...


@dataclass(frozen=True)
class SampleStep:
    """One step of sampling.

    Args:
        index: steps taken so far, 1 … n.
        steps: n, or None where the solver chooses.
        way: the share of the way done, by steps, or by time where the solver chooses them.
        t: the time reached; 0 after the last step.
        x: images at that time, shape (batch, channels, side, side).
        v: the velocity at the start of the step, same shape.
        x0_hat: the image expected at the start of the step, x − t v, same shape.
        nfe: evaluations of the field so far, each on the whole batch (a guided one counts once).
        seconds: spent in steps so far, without what the reader does between them.
    """

    index: int
    steps: int | None
    way: float
    t: float
    x: Tensor
    v: Tensor
    x0_hat: Tensor
    nfe: int
    seconds: float


def timed(made: Iterable[T], device: torch.device) -> Iterator[tuple[T, float]]:
    """Each thing with the seconds that all so far took, without what the reader does between them.

    Args:
        made: one by one.
        device: where the work is done; what a GPU was asked is waited for.
    """
    spent, started = 0.0, time.perf_counter()
    for one in made:
        finish(device)
        spent += time.perf_counter() - started
        yield one, spent
        started = time.perf_counter()


@dataclass(frozen=True)
class FixedPlan:
    """So many steps of one method.

    Args:
        step_count: n ≥ 1.
        solver: a fixed-step Runge–Kutta method, such as EULER, MIDPOINT, HEUN or RK4 of
            `fmstudio.flow.solve.tableaux`.
        shift: time shift (see `shifted_times`).
    """

    step_count: int
    solver: Tableau = EULER
    shift: float = 1.0

    @property
    def words(self) -> str:
        """How a row is made, such as "4 steps"."""
        return count_of_steps(self.step_count)

    @property
    def evaluations(self) -> int:
        """How often the field will be asked."""
        return self.step_count * self.solver.evaluations

    def run(
        self, field: Flow, noise: Tensor, *, start: float = 1.0, end: float = 0.0
    ) -> Iterator[SampleStep]:
        """Carry noise to images, handing out every step.

        Args:
            field: the velocity field with its labels.
            noise: x at t = start, shape (batch, channels, side, side), on the network's device.
            start, end: 1 and 0 generate, 0 and 1 invert.

        Yields:
            n records; the last one's x is the result.

        Raises:
            NotFiniteError: at the first step whose images are not finite.
        """
        field.prepare(noise)
        first: list[Tensor] = []

        def recorded(x: Tensor, t: Tensor) -> Tensor:
            v = field(x, t)
            if not first:
                first.append(v.clone())
            return v

        times, before = shifted_times(self.step_count, self.shift, start, end), noise
        for state, seconds in timed(steps(recorded, noise, times, self.solver), noise.device):
            k, n, t, v = state.index, self.step_count, float(times[state.index - 1]), first.pop()
            check_finite(state.x, f"step {k} of {n} (t = {t:.3f})", field.dtype, remedy(field.dtype))
            yield SampleStep(k, n, k / n, state.time, state.x, v, before - t * v, state.nfe, seconds)
            before = state.x


@dataclass(frozen=True)
class AdaptivePlan:
    """As many steps as a tolerance asks for; one step size serves the whole batch.

    Args:
        tolerance: relative and absolute, in pixels of [−1, 1].
        solver: an adaptive one.
    """

    tolerance: float
    solver: Tableau = DOPRI5

    @property
    def words(self) -> str:
        """How a row is made, such as "tolerance 0.1"."""
        return f"tolerance {self.tolerance:g}"

    @property
    def evaluations(self) -> float:
        """How often the field may be asked: a method of order 5 takes tolerance^(−1/5) as many steps."""
        return GUESSED_EVALUATIONS * self.tolerance**-0.2

    def run(
        self, field: Flow, noise: Tensor, *, start: float = 1.0, end: float = 0.0
    ) -> Iterator[SampleStep]:
        """Carry noise to images, handing out every accepted step; rejected ones count in `nfe`.

        Args:
            field: the velocity field with its labels, in float32: bfloat16's rounding is an error that no
                step size removes.
            noise, start, end: as in `FixedPlan.run`.

        Raises:
            NotFiniteError: the network answered with inf or NaN.
            RuntimeError: the tolerance asks for steps that are too short.
        """
        field.prepare(noise)

        def checked(x: Tensor, t: Tensor) -> Tensor:
            v = field(x, t)
            check_finite(v, f"the network at t = {float(t):.3f}", field.dtype, remedy(field.dtype))
            return v

        ends, close = torch.tensor([start, end]), self.tolerance
        made = adaptive_steps(checked, noise, ends, rtol=close, atol=close, tableau=self.solver)
        for step, seconds in timed(made, noise.device):
            way, x0_hat = abs(step.time - start) / abs(end - start), step.before - step.start * step.velocity
            yield SampleStep(
                step.index, None, way, step.time, step.x, step.velocity, x0_hat, step.nfe, seconds
            )


StepPlan = FixedPlan | AdaptivePlan
"""How one row of a grid is made."""

GUESSED_EVALUATIONS = 10
"""What an adaptive row of tolerance 1 is taken to cost before it has started."""


def paced(
    pace: Pace, steps: Iterator[SampleStep], units: float = 1.0, kind: str = "way"
) -> Iterator[SampleStep]:
    """The same steps, each entered into the pace of an action.

    Args:
        pace: of the whole action.
        steps: of one way.
        units: of the action's work that the whole way is.
        kind: of these units.
    """
    way, seconds = 0.0, 0.0
    for step in steps:
        pace.add(kind, units * (step.way - way), step.seconds - seconds)
        way, seconds = step.way, step.seconds
        yield step


def follow(
    pace: Pace,
    steps: Iterator[SampleStep],
    words: str | Callable[[SampleStep], str],
    units: float = 1.0,
    kind: str = "way",
) -> Generator[Progress, None, SampleStep]:
    """Take steps, saying after each where the action stands; returns the last one.

    Args:
        pace, steps, units, kind: as in `paced`.
        words: what is being done, in all steps or in each.
    """
    last = None
    for last in paced(pace, steps, units, kind):
        yield pace.now(words if isinstance(words, str) else words(last))
    assert last is not None  # no way is without a step
    return last


def sample(field: Flow, noise: Tensor, step_count: int, solver: Tableau = EULER) -> Tensor:
    """The images that so many steps end with, shape of the noise, not clipped to [−1, 1]."""
    x = noise
    for step in FixedPlan(step_count, solver).run(field, noise):
        x = step.x
    return x


def step_words(plan: StepPlan, step: SampleStep) -> str:
    """Where a row that is being made stands: "4 steps: step 3"."""
    where = f", t = {step.t:.2f}" if isinstance(plan, AdaptivePlan) else ""
    return f"{plan.words}: step {step.index}{where}"
