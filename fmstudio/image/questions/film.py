"""One image in the making: x_t and the expected image x̂₀ at every step, and how straight the way is.

With n steps stopped in the middle, x_t is still half noise; with n/2 steps run to the end it is a picture.
Both have cost the same. The expected end x̂₀ = x_t − t v of the first is what lies between the two.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from fmstudio.image.models import backbone
from fmstudio.image.progress import Pace, Progress
from fmstudio.image.sampling.sampling import SampleStep, follow, paced
from fmstudio.image.settings import ImageSettings
from fmstudio.image.training.data import to_bytes


@dataclass
class Film:
    """The frames so far of the first image of some settings; frame 0 is noise, the last one the image.

    Args:
        settings: what is sampled; its first step count and first image are.

    Attributes:
        t: the time of each frame.
        x: the image at that time, float32, shape (channels, side, side).
        x0_hat: the image expected there, x − t v.
        v: the velocity there; the last frame has none.
        halved: the end of a run with half as many steps from the same noise, or None.
    """

    settings: ImageSettings
    t: list[float] = field(default_factory=list)
    x: list[Tensor] = field(default_factory=list)
    x0_hat: list[Tensor] = field(default_factory=list)
    v: list[Tensor] = field(default_factory=list)
    halved: Tensor | None = None
    finished: bool = False

    def enter(self, t: float, x: Tensor, step: SampleStep | None = None) -> None:
        """The next frame, and the step from it; the last one is its own expected end and has no step."""
        image = x[0].float().cpu()
        self.t.append(t)
        self.x.append(image)
        self.x0_hat.append(image if step is None else step.x0_hat[0].float().cpu())
        if step is None:
            self.finished = True
        else:
            self.v.append(step.v[0].float().cpu())

    @property
    def speed(self) -> list[float]:
        """Root mean square of each velocity's pixels; a straight way keeps one speed."""
        return [float(v.square().mean().sqrt()) for v in self.v]

    @property
    def turn(self) -> list[float]:
        """Angle in degrees between each velocity and the one before it; 0 for the first."""
        turns = [0.0]
        for before, now in zip(self.v[:-1], self.v[1:], strict=True):
            cosine = torch.nn.functional.cosine_similarity(before.flatten(), now.flatten(), dim=0)
            turns.append(math.degrees(math.acos(min(max(float(cosine), -1.0), 1.0))))
        return turns[: len(self.v)]

    @property
    def bend(self) -> list[float]:
        """|v − (x₁ − x₀)|² / |x₁ − x₀|² at each step: 0 on the straight line between both ends.

        Its mean over t is the straightness S of this one trajectory in units of its squared length. Only a
        finished film knows its end; before that the list is empty.
        """
        if not self.finished:
            return []
        chord = self.x[0] - self.x[-1]
        return [float((v - chord).square().sum() / chord.square().sum()) for v in self.v]

    def straightness(self) -> float:
        """∫ bend dt over the steps of a finished film."""
        gaps = [before - after for before, after in zip(self.t[:-1], self.t[1:], strict=True)]
        return sum(bend * gap for bend, gap in zip(self.bend, gaps, strict=True))

    def frames(self, which: list[Tensor]) -> Tensor:
        """Frames as uint8, shape (frames, channels, side, side)."""
        return to_bytes(torch.stack(which))


def film(settings: ImageSettings) -> Iterator[Film | Progress]:
    """Sample one image frame by frame; then the same noise with half as many steps.

    Args:
        settings: the first row's steps (or tolerance) are taken; a label of −1 means the first class.

    Yields:
        The film, growing in place, after each step, and progress.
    """
    settings = replace(settings, count=1)
    model = backbone(settings.model)
    guided, noise = settings.field(model, settings.labels(model)), settings.noise(model)
    made = Film(settings)
    half = None if settings.adaptive else settings.steps[0] // 2
    pace = Pace({"way": 1.5 if half else 1.0})

    def words(step: SampleStep) -> str:
        return f"step {step.index}" + (f" of {step.steps}" if step.steps else f", t = {step.t:.2f}")

    t, x = 1.0, noise
    for step in paced(pace, settings.plans()[0].run(guided, noise)):
        made.enter(t, x, step)
        t, x = step.t, step.x
        yield made
        yield pace.now(words(step))
    made.enter(t, x)
    if half:
        shorter = settings.plan(half, 0).run(guided, noise)
        last = yield from follow(pace, shorter, lambda step: f"half as many: {words(step)}", 0.5)
        made.halved = last.x[0].float().cpu()
    yield made
