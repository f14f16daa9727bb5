"""Solvers: follow a velocity field u(x, t) from one time to another, dx/dt = u(x, t).

Times may rise or fall. Generation runs from t = 1 (noise) down to t = 0 (data), so there every step h < 0.
With fixed steps there is one for each interval of the times asked for; with adaptive steps the method
chooses them to meet a tolerance and interpolates to the times asked for.

No gradient is recorded through a step; a field that differentiates inside enables gradients itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from fmstudio.flow.fields import Counted, VelocityField
from fmstudio.flow.tableaux import DOPRI5, EULER, HEUN, MIDPOINT, RK4, Tableau

SOLVERS: dict[str, Tableau] = {
    "euler": EULER,
    "midpoint": MIDPOINT,
    "heun": HEUN,
    "rk4": RK4,
    "dopri5": DOPRI5,
}

#: The names in SOLVERS that ``integrate_adaptive`` can run: those with an error estimate and dense output.
ADAPTIVE = frozenset(name for name, tableau in SOLVERS.items() if tableau.error and tableau.dense)


@dataclass(frozen=True)
class Trajectory:
    """Where the particles were.

    Args:
        times: shape (T,), in the order of travel.
        positions: shape (T, n, d).
        nfe: how many times the field was evaluated (each time on all particles).
    """

    times: Tensor
    positions: Tensor
    nfe: int

    @property
    def end(self) -> Tensor:
        """The last positions, shape (n, d)."""
        return self.positions[-1]


@dataclass(frozen=True)
class Step:
    """The state after one step.

    Args:
        index: steps taken so far, 1 … T − 1.
        time: the time reached.
        x: positions, shape (n, d).
        nfe: evaluations of the field so far.
    """

    index: int
    time: float
    x: Tensor
    nfe: int


def path_times(
    steps: int, start: float = 1.0, end: float = 0.0, *, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Evenly spaced times from start to end, both included: shape (steps + 1,).

    Args:
        steps: how many intervals, ≥ 1.
        start, end: different times in [0, 1].
        dtype: of the times.

    Raises:
        ValueError: the arguments are outside their domain.
    """
    if steps < 1:
        raise ValueError(f"Expected at least 1 step; got {steps}.")
    if start == end or not (0 <= start <= 1 and 0 <= end <= 1):
        raise ValueError(f"Expected two different times in [0, 1]; got {start} and {end}.")
    times = torch.linspace(start, end, steps + 1, dtype=torch.float64)
    return times.to(dtype)


def steps(field: VelocityField, x: Tensor, times: Tensor, tableau: Tableau) -> Iterator[Step]:
    """Take one step for each interval of ``times`` and hand out the state after each.

    A caller that stops iterating stops the work.

    Args:
        field: u(x, t); is given t of shape (), float64 if x is, else float32.
        x: positions at times[0], shape (n, d) (or any shape that the field takes).
        times: shape (T,), T ≥ 2, strictly rising or strictly falling.
        tableau: the method.

    Yields:
        T − 1 states, ``Step``.

    Raises:
        ValueError: the times are not strictly monotone.
    """
    times = check_times(times, x)
    return _steps(field, x, times, tableau)


def _steps(field: VelocityField, x: Tensor, times: Tensor, tableau: Tableau) -> Iterator[Step]:
    counted, x = Counted(field), x.detach()
    a, b, c = tableau.floats
    a, b, c = a[: tableau.evaluations], b[: tableau.evaluations], c[: tableau.evaluations]
    exact = times.tolist()
    # One row of stage times for each step; a stage at the end of its step has exactly the time asked for.
    fractions = times.new_tensor(c)
    stage_times = times[:-1, None] + fractions * times.diff()[:, None]
    stage_times = torch.where(fractions == 1, times[1:, None], stage_times).to(x.device)
    for k in range(len(exact) - 1):
        x = _step(counted, x, stage_times[k].unbind(), exact[k + 1] - exact[k], a, b)
        yield Step(k + 1, exact[k + 1], x, counted.nfe)


@torch.no_grad()
def _step(
    field: VelocityField,
    x: Tensor,
    t: tuple[Tensor, ...],
    h: float,
    a: tuple[tuple[float, ...], ...],
    b: tuple[float, ...],
) -> Tensor:
    k: list[Tensor] = []
    for time, row in zip(t, a, strict=True):
        k.append(field(_combine(x, k, row, h), time))
    return _combine(x, k, b, h)


def _combine(x: Tensor, k: list[Tensor], weights: tuple[float, ...], h: float) -> Tensor:
    """x + h Σ w_i k_i, without touching x."""
    out = x
    for velocity, weight in zip(k, weights, strict=True):
        if weight:
            out = (
                torch.add(x, velocity, alpha=h * weight) if out is x else out.add_(velocity, alpha=h * weight)
            )
    return out


def integrate(
    field: VelocityField, x: Tensor, times: Tensor, tableau: Tableau, *, record: bool = True
) -> Trajectory:
    """Follow the field through ``times``, one step of the method for each interval.

    Args:
        field: u(x, t).
        x: positions at times[0], shape (n, d).
        times: shape (T,), T ≥ 2, strictly rising or strictly falling; 1 → 0 generates.
        tableau: the method.
        record: keep all positions; otherwise only the first and the last.

    Returns:
        The trajectory; with record = False its times are the first and the last.

    Raises:
        ValueError: the times are not strictly monotone.
    """
    times, x = check_times(times, x), x.detach()
    positions = x.new_empty((len(times) if record else 2, *x.shape))
    positions[0] = x
    nfe = 0
    for state in steps(field, x, times, tableau):
        if record:
            positions[state.index] = state.x
        elif state.index == len(times) - 1:
            positions[1] = state.x
        nfe = state.nfe
    return Trajectory(times if record else times[[0, -1]], positions, nfe)


def check_times(times: Tensor, x: Tensor) -> Tensor:
    """The times as the solvers use them: on the CPU, float64 for float64 positions, else float32.

    Raises:
        ValueError: fewer than two, not finite, or not strictly monotone.
    """
    if times.ndim != 1 or len(times) < 2:
        raise ValueError(f"Expected at least two times in one row; got the shape {tuple(times.shape)}.")
    times = times.detach().to("cpu", torch.float64 if x.dtype == torch.float64 else torch.float32)
    gaps = times.diff()
    if not bool(torch.isfinite(times).all()) or not (bool((gaps > 0).all()) or bool((gaps < 0).all())):
        raise ValueError("Expected finite times that only rise or only fall, each different from the last.")
    return times


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
    times = check_times(times, x)
    return _adaptive_steps(field, x.detach(), times, rtol, atol, tableau, max_steps)


def _adaptive_steps(
    field: VelocityField,
    x: Tensor,
    times: Tensor,
    rtol: float,
    atol: float,
    tableau: Tableau,
    max_steps: int,
) -> Iterator[AdaptiveStep]:
    counted = Counted(field)
    start, end = times.tolist()
    sign = math.copysign(1.0, end - start)
    index, t = 0, start
    first = _velocity(counted, x, _time(t, times, x))
    if not bool(torch.isfinite(first).all()):
        raise RuntimeError(f"The field is not finite at the start, t = {start:.6g}. Start a little later.")
    h = min(_first_step(counted, x, first, t, sign, times, rtol, atol, tableau.order), abs(end - start))
    resolution = 16 * torch.finfo(times.dtype).eps
    rejected = False
    for _ in range(max_steps):
        # The last step ends exactly at the end; a stub of less than a hundredth step is not left over.
        left = abs(end - t)
        final = h * 1.01 >= left
        h = left if final else h
        reached = end if final else t + sign * h
        stages, x_new = _embedded_step(counted, x, first, t, reached, times, tableau)
        error = _error_norm(x, x_new, stages, reached - t, rtol, atol, tableau)
        if error <= 1:
            index += 1
            between = partial(_dense, x, x_new, stages, reached - t, tableau)
            yield AdaptiveStep(index, t, reached, x, x_new, first, counted.nfe, between)
            if final:
                return
            x, first, t = x_new, stages[-1], reached
        factor = 0.9 * error ** (-1 / tableau.order) if error > 0 else 10.0
        factor = factor if math.isfinite(error) else 0.2
        h *= min(max(factor, 0.2), 1.0 if rejected or error > 1 else 10.0)
        rejected = not error <= 1
        # Near 0 a number tells shorter steps apart: a flow that bends like √t arrives there.
        if h < resolution * abs(t):
            raise RuntimeError(
                f"At t = {t:.6g} the tolerance rtol = {rtol:g}, atol = {atol:g} asks for steps below "
                f"{resolution * abs(t):.1e}. The field is singular there, or the tolerance too small for "
                f"{x.dtype}."
            )
    raise RuntimeError(
        f"Not at t = {end:g} after {max_steps} steps (reached t = {t:.6g}). "
        "Raise the tolerance or max_steps, or stop before a singular end."
    )


def _time(t: float, times: Tensor, x: Tensor) -> Tensor:
    return torch.tensor(t, dtype=times.dtype, device=x.device)


@torch.no_grad()
def _velocity(field: VelocityField, x: Tensor, t: Tensor) -> Tensor:
    return field(x, t)


def _rms(x: Tensor) -> float:
    return float(torch.linalg.vector_norm(x)) / math.sqrt(max(x.numel(), 1))


def _first_step(
    field: VelocityField,
    x: Tensor,
    first: Tensor,
    t: float,
    sign: float,
    times: Tensor,
    rtol: float,
    atol: float,
    order: int,
) -> float:
    """A step whose Euler part changes x by about 1 %, corrected by how the field changes over it."""
    scale = atol + rtol * x.abs()
    size, speed = _rms(x / scale), _rms(first / scale)
    span = abs(float(times[-1] - times[0]))
    h = min(0.01 * size / speed if size > 1e-5 and speed > 1e-5 else 1e-6, span)
    ahead = t + sign * h if h < span else float(times[-1])
    second = _velocity(field, torch.add(x, first, alpha=ahead - t), _time(ahead, times, x))
    bend = max(speed, _rms((second - first) / scale) / h)
    if not math.isfinite(bend):
        return h
    return min(100 * h, (0.01 / bend) ** (1 / order) if bend > 1e-15 else max(1e-6, h * 1e-3))


@torch.no_grad()
def _embedded_step(
    field: VelocityField, x: Tensor, first: Tensor, t: float, reached: float, times: Tensor, tableau: Tableau
) -> tuple[list[Tensor], Tensor]:
    a, _, c = tableau.floats
    h = reached - t
    stages, x_new = [first], x
    for row, fraction in zip(a[1:], c[1:], strict=True):
        x_new = _combine(x, stages, row, h)
        when = reached if fraction == 1 else t + fraction * h
        stages.append(field(x_new, _time(when, times, x)))
    return stages, x_new


@torch.no_grad()
def _error_norm(
    x: Tensor, x_new: Tensor, stages: list[Tensor], h: float, rtol: float, atol: float, tableau: Tableau
) -> float:
    assert tableau.error is not None
    weights = [float(w) for w in tableau.error]
    error = torch.zeros_like(x)
    for velocity, weight in zip(stages, weights, strict=True):
        error.add_(velocity, alpha=h * weight)
    return _rms(error / (atol + rtol * torch.maximum(x.abs(), x_new.abs())))


@torch.no_grad()
def _dense(
    x: Tensor, x_new: Tensor, stages: list[Tensor], h: float, tableau: Tableau, theta: float
) -> Tensor:
    assert tableau.dense is not None
    if theta == 1:
        return x_new
    weights = tuple(sum(float(w) * theta ** (k + 1) for k, w in enumerate(row)) for row in tableau.dense)
    return _combine(x, stages, weights, h)
