"""Solvers: follow a velocity field u(x, t) from one time to another, dx/dt = u(x, t).

Times may rise or fall. Generation runs from t = 1 (noise) down to t = 0 (data), so there every step h < 0.
Here there is one step for each interval of the times asked for;
in :mod:`fmstudio.flow.solve.adaptive` they are chosen to meet a tolerance.

No gradient is recorded through a step; a field that differentiates inside enables gradients itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from fmstudio.flow.solve.fields import Counted, VelocityField
from fmstudio.flow.solve.tableaux import Tableau


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
        k.append(field(combine(x, k, row, h), time))
    return combine(x, k, b, h)


def combine(x: Tensor, k: list[Tensor], weights: tuple[float, ...], h: float) -> Tensor:
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
    return recorded(steps(field, x, times, tableau), x, times, record)


def recorded(states: Iterator[Step], x: Tensor, times: Tensor, record: bool) -> Trajectory:
    """What solvers return of their states after each of ``times`` but the first."""
    times = check_times(times, x)
    positions, nfe = x.new_empty((len(times) if record else 2, *x.shape)), 0
    positions[0] = x.detach()
    for state in states:
        if record or state.index == len(times) - 1:
            positions[state.index if record else 1] = state.x
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
