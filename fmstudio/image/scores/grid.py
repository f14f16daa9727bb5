"""What is measured of a step grid's finished rows: distance to a reference, Fréchet distance, copies.

A row's distance is to the images that 128 Heun steps in float32 make of its noise with the same model, class
and guidance; its FD is the Fréchet distance to real images in the features of a small classifier, beside what
as many real images get; its copies are those samples that a model which brings its training images merely
repeats (see `memorising`), beside the share that training images score left out in turn.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fmstudio.flow.solve.tableaux import HEUN
from fmstudio.image.memorising import find_nearest
from fmstudio.image.models import backbone, repository_models, title_of
from fmstudio.image.progress import Pace, Progress
from fmstudio.image.sampling.field import draw_noise
from fmstudio.image.sampling.grid import GridRow, grid_row
from fmstudio.image.sampling.sampling import FixedPlan, SampleStep, StepPlan, paced, step_words
from fmstudio.image.scores.classifier import judge
from fmstudio.image.settings import ImageSettings
from fmstudio.image.training.data import to_bytes

REFERENCE = FixedPlan(128, HEUN)
"""What a row's images are compared with; in float32."""

MOST_REFERENCES = 32
BATCH = 100


@dataclass(frozen=True)
class OfRow:
    """Something of the row `place` of the model `side`, both from 0."""

    place: int
    side: int


@dataclass(frozen=True)
class Distance(OfRow):
    """Root mean squared distance of a row's pixels, in [−1, 1], to the reference's."""

    value: float


@dataclass(frozen=True)
class Quality(OfRow):
    """Fréchet distance of `count` images to real ones, and what `count` real images get."""

    value: float
    count: int
    real: float


@dataclass(frozen=True)
class CopyShare(OfRow):
    """The share of copies among `count` images, and among the training images, each left out in turn."""

    value: float
    count: int
    real: float


@dataclass(frozen=True)
class Closest(OfRow):
    """The nearest training image of each of a row's images.

    Args:
        images: uint8, shape (row's count, channels, side, side).
        copies: which of the row's images are copies of them, bool, shape (row's count,).
    """

    images: Tensor
    copies: Tensor


def has_metric(model: str) -> bool:
    """Whether a metric here knows the model's classes."""
    return repository_models().metric_of(model) is not None


def has_training(model: str) -> bool:
    """Whether the model brings its training images."""
    return repository_models().entry(model).has_training


def measures(settings: ImageSettings) -> bool:
    """Whether an FD makes sense: a metric knows the model's classes, and the samples are of all of them."""
    return settings.label < 0 and has_metric(settings.model)


def paced_row(
    settings: ImageSettings, plan: StepPlan, labels: Tensor, noise: Tensor, pace: Pace, exact: bool = False
) -> Iterator[GridRow | SampleStep]:
    """A row's steps, entered into the pace of the whole action, and then the row.

    Args:
        settings: of it.
        plan: how it is made.
        labels, noise: of each image.
        pace: of the whole action.
        exact: compute in float32 whatever the settings say.
    """
    model = backbone(settings.model)
    steps = plan.run(settings.field(model, labels, exact=exact), noise.to(model.net.device))
    units = plan.evaluations * len(labels) * settings.passes
    return grid_row(plan, paced(pace, steps, units, _kind(settings, exact)))


def closest(place: int, side: int, settings: ImageSettings, row: GridRow) -> Iterator[Closest]:
    """What a row's images are nearest to among the training images; nothing where there are none."""
    training = repository_models().training(settings.model)
    if training is not None:
        found = find_nearest(training, row.images)
        yield Closest(place, side, training.pixels[found.index], found.copies)


REFERENCES: dict[ImageSettings, Tensor] = {}
"""The latest references' images, worked out once for everybody; the one asked for last stands last."""

_LOCK = threading.Lock()


def _reference_key(settings: ImageSettings) -> ImageSettings:
    """The settings that the reference depends on; all others at their defaults."""
    names = ("model", "label", "guidance", "seed", "count")
    return ImageSettings(**{name: getattr(settings, name) for name in names})


def reference_images(settings: ImageSettings, pace: Pace) -> Generator[Progress, None, Tensor]:
    """Returns the reference's images; the same settings are worked out once for everybody."""
    key = _reference_key(settings)
    with _LOCK:
        ends = REFERENCES.get(key)
    if ends is None:
        model = backbone(settings.model)
        row = paced_row(settings, REFERENCE, settings.labels(model), settings.noise(model), pace, exact=True)
        for event in row:
            if isinstance(event, GridRow):
                ends = event.ends
            else:
                yield pace.now(f"{title_of(settings.model)}, reference: step {event.index} of {event.steps}")
        assert ends is not None
    with _LOCK:
        REFERENCES.pop(key, None)
        REFERENCES[key] = ends
        while len(REFERENCES) > MOST_REFERENCES:
            del REFERENCES[next(iter(REFERENCES))]
    return ends


def further_scores(
    place: int, side: int, settings: ImageSettings, row: GridRow, count: int, pace: Pace
) -> Iterator[Quality | CopyShare | Progress]:
    """FD and share of copies of a row, as far as its model has them.

    Args:
        place, side: the row.
        settings: of it.
        row: what there is already.
        count: how many images; those that the row lacks are sampled.
        pace: of the whole action.
    """
    metric = repository_models().metric_of(settings.model) if measures(settings) else None
    training = repository_models().training(settings.model)
    if metric is None and training is None:
        return
    ends = yield from _more_images(settings, row, count, pace)
    if metric is not None and len(ends) >= 2:
        classifier, real = repository_models().classifier(metric), repository_models().reference(metric)
        features = judge(classifier, ends.clamp(-1, 1)).features
        yield Quality(place, side, real.distance(features), len(ends), real.real_distance(len(ends)))
    if training is not None:
        copies = find_nearest(training, to_bytes(ends)).copies
        share = float(copies.double().mean())
        yield CopyShare(place, side, share, len(ends), training.real_share)


def _more_images(
    settings: ImageSettings, row: GridRow, count: int, pace: Pace
) -> Generator[Progress, None, Tensor]:
    """Returns the row's images and more, the classes in turn from where it ended, until there are `count`."""
    made, wanted = [row.ends], count - settings.count
    if wanted > 0:
        model = backbone(settings.model)
        labels = settings.labels(model, count)[settings.count :]
        noise = draw_noise((wanted, *model.net.image_shape), settings.seed + 2**31)
        for some, start in zip(labels.split(BATCH), noise.split(BATCH), strict=True):
            for event in paced_row(settings, row.plan, some, start, pace):
                if isinstance(event, GridRow):
                    made.append(event.ends)
                else:
                    words = f"measured on {count} images: {step_words(row.plan, event)}"
                    yield pace.now(f"{title_of(settings.model)}, {words}")
    return torch.cat(made)


def expected_work(each: Sequence[ImageSettings], distances: bool, figures: int) -> dict[str, float]:
    """Evaluations times images of rows and figures, by precision (see `Pace`).

    Args:
        each: the settings of every model.
        distances, figures: as in `compare.compare`.
    """
    remaining: dict[str, float] = defaultdict(float)
    for settings in each:
        count = settings.count
        images = max(figures, count) if measures(settings) or has_training(settings.model) else count
        for plan in settings.plans():
            remaining[_kind(settings, False)] += plan.evaluations * images * settings.passes
        if distances and _reference_key(settings) not in REFERENCES:
            remaining[_kind(settings, True)] += REFERENCE.evaluations * count * settings.passes
    return remaining


def _kind(settings: ImageSettings, exact: bool) -> str:
    return "float32" if exact or settings.adaptive or not settings.bf16 else "bfloat16"
