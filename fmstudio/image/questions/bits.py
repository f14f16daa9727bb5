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
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from fmstudio.flow.solve.fields import velocity_and_probed_divergence
from fmstudio.flow.solve.likelihood import Probes
from fmstudio.image.models import backbone
from fmstudio.image.progress import Pace, Progress
from fmstudio.image.questions.inversion import INVERSION_TOLERANCE
from fmstudio.image.sampling.field import GuidedField
from fmstudio.image.sampling.sampling import follow
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


@dataclass(frozen=True)
class _WithDivergence:
    """The flow of (x, ∫ div v dt), rows of D + 1 numbers; the divergence is probed with the signs."""

    field: GuidedField
    shape: tuple[int, ...]
    signs: Tensor

    @property
    def dtype(self) -> str:
        return self.field.dtype

    def prepare(self, x: Tensor) -> None:
        pass

    def __call__(self, state: Tensor, t: Tensor, /) -> Tensor:
        v, divergence = velocity_and_probed_divergence(self._flat, state[:, :-1], t, self.signs)
        return torch.cat([v, divergence[:, None]], dim=1)

    def _flat(self, x: Tensor, t: Tensor) -> Tensor:
        return self.field.recorded(x.reshape(self.shape), t).flatten(1)


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
    shape, generator = (draws, *picture.shape), generator_of(settings.seed, 71)
    x = picture[None].expand(shape).reshape(draws, -1)
    if dequantise:
        x = x + (torch.rand(x.shape, generator=generator) - 0.5) / LEVEL
    signs = Probes(1).draw(x, generator).to(model.net.device)
    field = _WithDivergence(settings.field(model, torch.full((draws,), label), exact=True), shape, signs)
    state = torch.cat([x, x.new_zeros(draws, 1)], dim=1).to(model.net.device)
    way = settings.plan(step_count, INVERSION_TOLERANCE).run(field, state, start=0.0, end=1.0)
    last = yield from follow(Pace({"way": 1.0}), way, lambda step: f"t = {step.t:.2f}, NFE {step.nfe}")
    end, divergence = last.x[:, :-1].cpu(), last.x[:, -1].cpu()
    dim = x.shape[1]
    log_prior = -0.5 * end.square().sum(dim=1) - 0.5 * dim * math.log(2 * math.pi)
    scale = dim * math.log(2)
    reached = float(end.square().mean().sqrt())
    yield Bits(-log_prior / scale, -divergence / scale, dequantise, last.nfe, reached)
