"""Bits per dimension: the likelihood of a picture under the flow, by the divergence on its way to noise.

    log p₀(x₀) = log p₁(x₁) + ∫₀¹ div v dt,      div v ≈ eᵀ (∂v/∂x) e  with random signs e

A picture has whole pixel values 0 … 255, and the flow a density over real x = p/127.5 − 1. Uniform noise u
in [−½, ½] turns the first into the second: with y = p + u the density of y is that of x divided by 127.5 for
each dimension, and

    −log₂ P(p)/D ≤ E_u[ −log₂ p₀(x(p + u)) ]/D + log₂ 127.5,

an upper bound on the bits of the discrete picture (Theis, van den Oord & Bethge 2015, arXiv:1511.01844,
section 3.1), up to the errors of solver and estimate. Without the noise the figure is a density at one point:
a model that was trained on whole values may make it as large as it likes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter

import torch
from torch import Tensor

from fmstudio.flow.solve.adaptive import adaptive_steps
from fmstudio.flow.solve.fields import velocity_and_probed_divergence
from fmstudio.flow.solve.likelihood import Probes
from fmstudio.flow.solve.solvers import steps
from fmstudio.flow.solve.tableaux import SOLVERS
from fmstudio.image.models import backbone
from fmstudio.image.progress import Pace, Progress
from fmstudio.image.questions.inversion import INVERSION_TOLERANCE
from fmstudio.image.sampling.sampling import shifted_times
from fmstudio.image.settings import ImageSettings
from fmstudio.image.training.objective import generator_of

LEVEL = 127.5
"""Pixel values per unit of x."""


@dataclass(frozen=True)
class Bits:
    """The likelihood of a picture.

    Args:
        prior: −log₂ p₁(x₁)/D of each draw.
        divergence: −∫ div v dt / (D ln 2) of each draw.
        dequantised: whether each draw had its own noise of half a level.
        nfe: evaluations, each with a backward pass.
        reached: root mean square of x₁'s pixels over all draws.
    """

    prior: Tensor
    divergence: Tensor
    dequantised: bool
    nfe: int
    reached: float

    @property
    def draws(self) -> Tensor:
        """Bits per dimension of each draw of noise and signs."""
        return self.prior + self.divergence + math.log2(LEVEL)

    @property
    def mean(self) -> float:
        """Bits per dimension."""
        return float(self.draws.mean())

    @property
    def standard_error(self) -> float:
        """Of the mean; NaN for one draw."""
        return float(self.draws.std() / math.sqrt(len(self.draws))) if len(self.draws) > 1 else math.nan


def bits_per_dimension(
    settings: ImageSettings, picture: Tensor, label: int, step_count: int, draws: int, dequantise: bool = True
) -> Iterator[Progress | Bits]:
    """Estimate a picture's bits per dimension under the model and the class.

    Args:
        settings: model, guidance, solver, shift and the seed of all draws. With guidance other than 1 it is
            the likelihood under the guided flow.
        picture: with whole pixel values, float32 in [−1, 1], shape (channels, side, side).
        label: its class, `no_class` for none.
        step_count: of the solver; few steps overstate the likelihood grossly.
        draws: independent draws of dequantisation noise and signs, ≥ 1.
        dequantise: add the noise.

    Yields:
        Progress at every step, then the bits.
    """
    model = backbone(settings.model)
    device, shape = model.net.device, (draws, *picture.shape)
    field = settings.field(model, torch.full((draws,), label), exact=True)
    generator = generator_of(settings.seed, 71)
    x = picture[None].expand(shape).reshape(draws, -1)
    if dequantise:
        x = x + (torch.rand(x.shape, generator=generator) - 0.5) / LEVEL
    signs = Probes(1).draw(x, generator).to(device)
    dim = x.shape[1]

    def flat(at: Tensor, t: Tensor) -> Tensor:
        return field.recorded(at.reshape(shape), t).flatten(1)

    def carried(state: Tensor, t: Tensor) -> Tensor:
        v, divergence = velocity_and_probed_divergence(flat, state[:, :dim], t, signs)
        return torch.cat([v, divergence[:, None]], dim=1)

    state = torch.cat([x, x.new_zeros(draws, 1)], dim=1).to(device)
    pace = Pace({"way": 1.0})
    nfe, before = 0, 0.0
    timed = _Timed(carried)
    for reached in _walk(timed, state, settings, step_count):
        way, time, state, nfe = reached
        pace.add("way", way - before, timed.spent())
        before = way
        yield pace.now(f"t = {time:.2f}, NFE {nfe}")
    end = state[:, :dim].cpu()
    log_prior = -0.5 * end.square().sum(dim=1) - 0.5 * dim * math.log(2 * math.pi)
    scale = dim * math.log(2)
    yield Bits(
        -log_prior / scale, -state[:, dim].cpu() / scale, dequantise, nfe, float(end.square().mean().sqrt())
    )


def _walk(
    field: Callable[[Tensor, Tensor], Tensor], state: Tensor, settings: ImageSettings, step_count: int
) -> Iterator[tuple[float, float, Tensor, int]]:
    """(share of the way, time, state, NFE) after every step from data to noise."""
    solver, tolerance = SOLVERS[settings.solver], INVERSION_TOLERANCE
    if solver.adaptive:
        ends = torch.tensor([0.0, 1.0])
        for step in adaptive_steps(field, state, ends, rtol=tolerance, atol=tolerance, tableau=solver):
            yield step.time, step.time, step.x, step.nfe
        return
    times = shifted_times(step_count, settings.shift, 0.0, 1.0)
    for step in steps(field, state, times, solver):
        yield step.index / step_count, step.time, step.x, step.nfe


class _Timed:
    """A field that knows how long it was at work since it was last asked."""

    def __init__(self, field: Callable[[Tensor, Tensor], Tensor]):
        self._field, self._seconds = field, 0.0

    def __call__(self, x: Tensor, t: Tensor, /) -> Tensor:
        started = perf_counter()
        v = self._field(x, t)
        self._seconds += perf_counter() - started
        return v

    def spent(self) -> float:
        """Seconds since the last call of this."""
        seconds, self._seconds = self._seconds, 0.0
        return seconds
