"""The flow run both ways: between two noises, from a picture to its noise and back, and partly back again.

An ODE has no direction. Followed from t = 0 to 1 it carries a picture to the one noise that makes it; the way
back returns it up to the solver's error, which is measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from PIL import Image
from torch import Tensor

from fmstudio.image.models import backbone
from fmstudio.image.progress import Pace, Progress
from fmstudio.image.sampling.field import GuidedField, draw_noise
from fmstudio.image.sampling.sampling import SampleStep, follow
from fmstudio.image.settings import ImageSettings
from fmstudio.image.training.data import square_of, to_unit

EDIT_TIMES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""How far back toward noise an edit goes."""

INVERSION_TOLERANCE, BETWEEN_TOLERANCE = 1e-3, 0.03
"""Of the adaptive solver, for a picture and between two noises."""


def fit_picture(
    picture: Image.Image, shape: tuple[int, int, int], negative: bool = False, backdrop: str = "black"
) -> Tensor:
    """A picture as a model's image: its central square, resized, in the model's colours.

    Args:
        picture: of any size and mode (see `data.square_of`).
        shape: channels (1 or 3), height and width of the model's images, which are square.
        negative: swap dark and light, for a dark thing on white and a model of light things on black.
        backdrop: "white" or "black", what lies behind transparent parts in the end.

    Returns:
        Float32 in [−1, 1], whole steps of 2/255, shape (channels, height, width).
    """
    laid_on = {"white": "black", "black": "white"}[backdrop] if negative else backdrop
    pixels = square_of(picture, shape[1], shape[0], laid_on)
    return to_unit(255 - pixels if negative else pixels)


def _run(
    field: GuidedField, x: Tensor, settings: ImageSettings, steps: int, start: float, end: float
) -> Iterator[SampleStep]:
    """The flow from one time to another; of the whole way's steps a part takes its share, rounded up."""
    count = max(math.ceil(abs(end - start) * steps - 1e-9), 1)
    return settings.plan(count, INVERSION_TOLERANCE).run(field, x, start=start, end=end)


@dataclass(frozen=True)
class Inversion:
    """A picture, the noise that makes it, and what that noise makes.

    Args:
        picture, noise, back: shape (channels, side, side).
        nfe: evaluations there and back.
    """

    picture: Tensor
    noise: Tensor
    back: Tensor
    nfe: int

    @property
    def error(self) -> float:
        """Root mean squared distance of the pixels of `back` to those of `picture`."""
        return float((self.back - self.picture).square().mean().sqrt())

    @property
    def noise_moments(self) -> tuple[float, float]:
        """Mean and standard deviation of the noise's pixels; near 0 and 1 for a likely picture."""
        return float(self.noise.mean()), float(self.noise.std())


def invert(
    settings: ImageSettings, picture: Tensor, label: int, steps: int
) -> Iterator[Progress | Inversion]:
    """Carry a picture to its noise and back.

    Args:
        settings: model, guidance, solver and shift.
        picture: shape (channels, side, side).
        label: its class, `no_class` for none.
        steps: each way.

    Yields:
        Progress at every step, then the inversion.
    """
    model = backbone(settings.model)
    field = settings.field(model, torch.tensor([label]), exact=True)
    pace = Pace({"way": 2.0})
    x, nfe = picture[None].to(model.net.device), 0
    ends: list[Tensor] = []
    for name, start, end in (("to its noise", 0.0, 1.0), ("back", 1.0, 0.0)):
        way = _run(field, x, settings, steps, start, end)
        last = yield from follow(
            pace, way, lambda step, to=name: f"{to}: step {step.index}, t = {step.t:.2f}"
        )
        x, nfe = last.x, nfe + last.nfe
        ends.append(x[0].float().cpu())
    yield Inversion(picture, ends[0], ends[1], nfe)


@dataclass(frozen=True)
class Edit:
    """A picture taken part of the way to noise and regenerated.

    Args:
        times: how far, shape (n,).
        noised: x_t with fresh noise, shape (n, channels, side, side).
        fresh: what the flow makes of it.
        kept: what the flow makes of the picture's own x_t, reached by the flow itself.
    """

    times: tuple[float, ...]
    noised: Tensor
    fresh: Tensor
    kept: Tensor


def edit(
    settings: ImageSettings, picture: Tensor, label: int, target: int, steps: int
) -> Iterator[Progress | Edit]:
    """Go back toward noise by t = 0.3 … 0.9 and come down again as another class.

    Two ways back: x_t = (1 − t) x₀ + t ε with fresh noise ε, and the flow itself run from 0 to t with the
    picture's own class, which keeps more of the picture.

    Args:
        settings: model, guidance, solver, shift, and the seed of ε.
        picture: shape (channels, side, side).
        label: its class.
        target: the class to come down with.
        steps: for the whole way from 0 to 1.

    Source: the first way is that of Meng et al. 2021, arXiv:2108.01073, for a flow.
    """
    model = backbone(settings.model)
    device = model.net.device
    up = replace(settings, guidance=1.0).field(model, torch.tensor([label]), exact=True)
    down = settings.field(model, torch.tensor([target, target]), exact=True)
    noise = draw_noise((1, *picture.shape), settings.seed).to(device)
    x0 = picture[None].to(device)
    pace = Pace({"way": EDIT_TIMES[-1] + sum(EDIT_TIMES)})
    own, before = x0, 0.0
    noised: list[Tensor] = []
    fresh: list[Tensor] = []
    kept: list[Tensor] = []
    for t in EDIT_TIMES:
        way = _run(up, own, settings, steps, before, t)
        last = yield from follow(pace, way, lambda step: f"toward noise, t = {step.t:.2f}", t - before)
        own, before = last.x, t
        mixed = (1 - t) * x0 + t * noise
        way = _run(down, torch.cat([mixed, own]), settings, steps, t, 0.0)
        last = yield from follow(pace, way, lambda step, t=t: f"down from t = {t:g}: step {step.index}", t)
        noised.append(mixed[0].cpu())
        fresh.append(last.x[0].float().cpu())
        kept.append(last.x[1].float().cpu())
    yield Edit(EDIT_TIMES, torch.stack(noised), torch.stack(fresh), torch.stack(kept))


@dataclass(frozen=True)
class Interpolation:
    """Images between two.

    Args:
        sphere, line: from noises on the arc and on the straight line between both, shape (n, channels, …).
        fade: the two images mixed pixel by pixel.
        norms: length of each noise over √pixels, on the arc and on the line.
    """

    sphere: Tensor
    line: Tensor
    fade: Tensor
    norms: tuple[list[float], list[float]]


def slerp(first: Tensor, second: Tensor, share: float) -> Tensor:
    """A point on the arc between two: sin((1 − s) θ)/sin θ · a + sin(s θ)/sin θ · b, θ their angle.

    Args:
        first, second: of one shape; not opposite to each other.
        share: s in [0, 1].
    """
    cosine = torch.nn.functional.cosine_similarity(first.flatten(), second.flatten(), dim=0)
    angle = torch.arccos(cosine.clamp(-1, 1))
    if float(angle) < 1e-4:
        return torch.lerp(first, second, share)
    return (torch.sin((1 - share) * angle) * first + torch.sin(share * angle) * second) / torch.sin(angle)


def interpolate(
    settings: ImageSettings, other_seed: int, label: int, points: int, steps: int
) -> Iterator[Progress | Interpolation]:
    """Images of the noises between those of two seeds.

    Args:
        settings: model, guidance, solver, shift, precision and the first seed.
        other_seed: of the second noise.
        label: the class of all of them.
        points: how many images, both ends included, ≥ 2.
        steps: of the sampler.

    Yields:
        Progress at every step, then the images.
    """
    model = backbone(settings.model)
    shape = model.net.image_shape
    first, second = draw_noise(shape, settings.seed), draw_noise(shape, other_seed)
    shares = torch.linspace(0, 1, points).tolist()
    arc = torch.stack([slerp(first, second, s) for s in shares])
    line = torch.stack([torch.lerp(first, second, s) for s in shares])
    field = settings.field(model, torch.full((2 * points,), label))
    way = settings.plan(steps, BETWEEN_TOLERANCE).run(field, torch.cat([arc, line]).to(model.net.device))
    pace = Pace({"way": 1.0})
    last = yield from follow(pace, way, lambda step: f"step {step.index}, t = {step.t:.2f}")
    made = last.x.float().cpu()
    fade = torch.stack([torch.lerp(made[0], made[points - 1], s) for s in shares])
    norms = [[float(x.square().mean().sqrt()) for x in row] for row in (arc, line)]
    yield Interpolation(made[:points], made[points:], fade, (norms[0], norms[1]))
