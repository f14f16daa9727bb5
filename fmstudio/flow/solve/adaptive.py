"""Adaptive solvers: steps chosen so that each one's error stays within a tolerance.

A method with an error estimate takes steps as long as the tolerance allows, and its continuous extension
gives the positions at the times asked for. As in :mod:`fmstudio.flow.solve.solvers` no gradient is recorded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from fmstudio.flow.solve.fields import Counted, VelocityField
from fmstudio.flow.solve.solvers import Trajectory, check_times, combine
from fmstudio.flow.solve.tableaux import DOPRI5, Tableau


def integrate_adaptive(
    field: VelocityField,
    x: Tensor,
    times: Tensor,
    rtol: float = 1e-5,
    atol: float = 1e-5,
    *,
    tableau: Tableau = DOPRI5,
    max_steps: int = 1000,
) -> Trajectory:
    """Follow the field with steps chosen so that each one's error stays within a tolerance.

    A step is accepted if the root mean square over all particles and coordinates of

        h Σ_i (b_i − b̂_i) k_i / (atol + rtol max(|x_before|, |x_after|))

    is at most 1. One step serves all particles, so a few particles may be less exact than the tolerance.
    Positions at ``times`` come from the method's continuous extension, not from steps that end there.

    Args:
        field: u(x, t).
        x: positions at times[0], shape (n, d).
        times: shape (T,), T ≥ 2, strictly rising or strictly falling.
        rtol, atol: relative and absolute tolerance, ≥ 0, not both 0. Below 1e-6 use float64 points.
        tableau: a method with an error estimate, dense output and a last stage at the end of the step.
        max_steps: how many steps, accepted or not, at most.

    Returns:
        The trajectory at ``times``.

    Raises:
        ValueError: an argument is outside its domain.
        RuntimeError: the tolerance is not met within ``max_steps`` steps, or only by steps too short for the
            arithmetic, or the field is not finite at the start.

    Source: Hairer, Nørsett & Wanner 1993, Solving Ordinary Differential Equations I, section II.4.
    """
    times = check_times(times, x)
    asked = times.tolist()
    positions = x.new_empty((len(asked), *x.shape))
    positions[0] = x.detach()
    filled, nfe = 1, 0
    for step in adaptive_steps(field, x, times[[0, -1]], rtol, atol, tableau=tableau, max_steps=max_steps):
        while filled < len(asked) and abs(asked[filled] - step.start) <= abs(step.time - step.start):
            theta = (asked[filled] - step.start) / (step.time - step.start)
            positions[filled] = step.between(theta)
            filled += 1
        nfe = step.nfe
    return Trajectory(times, positions, nfe)


@dataclass(frozen=True)
class AdaptiveStep:
    """An accepted step of an adaptive method.

    Args:
        index: accepted steps so far, 1, 2, …
        start, time: where it began and the time reached.
        before, x: positions at both ends, shape (n, d).
        velocity: the field at the start, same shape.
        nfe: evaluations of the field so far, those of rejected steps included.
        between: positions at a fraction θ in [0, 1] of the step, by the method's continuous extension.
    """

    index: int
    start: float
    time: float
    before: Tensor
    x: Tensor
    velocity: Tensor
    nfe: int
    between: Callable[[float], Tensor]


def adaptive_steps(
    field: VelocityField,
    x: Tensor,
    times: Tensor,
    rtol: float = 1e-5,
    atol: float = 1e-5,
    *,
    tableau: Tableau = DOPRI5,
    max_steps: int = 1000,
) -> Iterator[AdaptiveStep]:
    """The accepted steps of `integrate_adaptive`, one by one; a caller that stops iterating stops the work.

    Args:
        field, x, rtol, atol, tableau, max_steps: as there.
        times: shape (2,), the start and the end.

    Yields:
        The steps; the last one's time is the end.

    Raises:
        ValueError, RuntimeError: as there.
    """
    if not (rtol >= 0 and atol >= 0 and 0 < rtol + atol < math.inf):
        raise ValueError(f"Expected rtol ≥ 0 and atol ≥ 0, not both 0; got rtol = {rtol}, atol = {atol}.")
    if tableau.error is None or tableau.dense is None or not tableau.fsal:
        raise ValueError(f"{tableau.name} has no error estimate with dense output. Use dopri5.")
    return _adaptive_steps(_Stepper(Counted(field), check_times(times, x), rtol, atol, tableau), x, max_steps)


def _adaptive_steps(stepper: _Stepper, x: Tensor, max_steps: int) -> Iterator[AdaptiveStep]:
    start, end = stepper.times.tolist()
    sign, order = math.copysign(1.0, end - start), stepper.tableau.order
    index, t, x = 0, start, x.detach()
    first = stepper.velocity(x, t)
    if not bool(torch.isfinite(first).all()):
        raise RuntimeError(f"The field is not finite at the start, t = {start:.6g}. Start a little later.")
    h = min(stepper.first_length(x, first), abs(end - start))
    resolution = 16 * torch.finfo(stepper.times.dtype).eps
    rejected = False
    for _ in range(max_steps):
        # The last step ends exactly at the end; a stub of less than a hundredth step is not left over.
        left = abs(end - t)
        final = h * 1.01 >= left
        h = left if final else h
        reached = end if final else t + sign * h
        stages, x_new = stepper.step(x, first, t, reached)
        error = stepper.error(x, x_new, stages, reached - t)
        if error <= 1:
            index += 1
            between = partial(_dense, x, x_new, stages, reached - t, stepper.tableau)
            yield AdaptiveStep(index, t, reached, x, x_new, first, stepper.field.nfe, between)
            if final:
                return
            x, first, t = x_new, stages[-1], reached
        factor = 0.9 * error ** (-1 / order) if error > 0 else 10.0
        factor = factor if math.isfinite(error) else 0.2
        h *= min(max(factor, 0.2), 1.0 if rejected or error > 1 else 10.0)
        rejected = not error <= 1
        # Near 0 a number tells shorter steps apart: a flow that bends like √t arrives there.
        if h < resolution * abs(t):
            raise RuntimeError(
                f"At t = {t:.6g} the tolerance rtol = {stepper.rtol:g}, atol = {stepper.atol:g} asks for "
                f"steps below {resolution * abs(t):.1e}. The field is singular there, or the tolerance too "
                f"small for {x.dtype}."
            )
    raise RuntimeError(
        f"Not at t = {end:g} after {max_steps} steps (reached t = {t:.6g}). "
        "Raise the tolerance or max_steps, or stop before a singular end."
    )


@dataclass(frozen=True)
class _Stepper:
    """A method at work on a field from one of two times to the other."""

    field: Counted
    times: Tensor
    rtol: float
    atol: float
    tableau: Tableau

    @torch.no_grad()
    def velocity(self, x: Tensor, t: float) -> Tensor:
        return self.field(x, torch.tensor(t, dtype=self.times.dtype, device=x.device))

    def first_length(self, x: Tensor, first: Tensor) -> float:
        """Of a step whose Euler part changes x by about 1 %, corrected by how the field changes over it."""
        start, end = self.times.tolist()
        scale = self.atol + self.rtol * x.abs()
        size, speed = _rms(x / scale), _rms(first / scale)
        span = abs(end - start)
        h = min(0.01 * size / speed if size > 1e-5 and speed > 1e-5 else 1e-6, span)
        ahead = start + math.copysign(h, end - start) if h < span else end
        second = self.velocity(torch.add(x, first, alpha=ahead - start), ahead)
        bend = max(speed, _rms((second - first) / scale) / h)
        if not math.isfinite(bend):
            return h
        return min(
            100 * h, (0.01 / bend) ** (1 / self.tableau.order) if bend > 1e-15 else max(1e-6, h * 1e-3)
        )

    @torch.no_grad()
    def step(self, x: Tensor, first: Tensor, t: float, reached: float) -> tuple[list[Tensor], Tensor]:
        """The velocities of the stages, the first of which is known, and where they lead."""
        a, _, c = self.tableau.floats
        h = reached - t
        stages, x_new = [first], x
        for row, fraction in zip(a[1:], c[1:], strict=True):
            x_new = combine(x, stages, row, h)
            stages.append(self.velocity(x_new, reached if fraction == 1 else t + fraction * h))
        return stages, x_new

    @torch.no_grad()
    def error(self, x: Tensor, x_new: Tensor, stages: list[Tensor], h: float) -> float:
        """What decides whether a step is accepted."""
        assert self.tableau.error is not None
        error = torch.zeros_like(x)
        for velocity, weight in zip(stages, self.tableau.error, strict=True):
            error.add_(velocity, alpha=h * float(weight))
        return _rms(error / (self.atol + self.rtol * torch.maximum(x.abs(), x_new.abs())))


def _rms(x: Tensor) -> float:
    return float(torch.linalg.vector_norm(x)) / math.sqrt(max(x.numel(), 1))


@torch.no_grad()
def _dense(
    x: Tensor, x_new: Tensor, stages: list[Tensor], h: float, tableau: Tableau, theta: float
) -> Tensor:
    assert tableau.dense is not None
    if theta == 1:
        return x_new
    weights = tuple(sum(float(w) * theta ** (k + 1) for k, w in enumerate(row)) for row in tableau.dense)
    return combine(x, stages, weights, h)
