"""What is measured of a step grid's finished rows: distance to a reference, Fréchet distance, copies.

A row's distance is to the images that 128 Heun steps in float32 make of its noise with the same model, class
and guidance; its FD is the Fréchet distance to real images in the features of a small classifier, beside what
as many real images get; its copies are those samples that a model which brings its training images merely
repeats (see `memorising`), beside the share that training images score left out in turn.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fmstudio.flow.solve.tableaux import HEUN
from fmstudio.image.folder import ImageModel
from fmstudio.image.memorising import find_nearest
from fmstudio.image.models import repository_models, title_of
from fmstudio.image.progress import Pace, Progress
from fmstudio.image.sampling.field import draw_noise
from fmstudio.image.sampling.grid import GridRow, grid_row
from fmstudio.image.sampling.sampling import AdaptivePlan, FixedPlan, SampleStep, StepPlan, step_words
from fmstudio.image.scores.classifier import judge
from fmstudio.image.settings import ImageSettings
from fmstudio.image.training.data import to_bytes

REFERENCE = FixedPlan(128, HEUN)
"""What a row's images are compared with; in float32."""

GUESSED_EVALUATIONS = 10
"""What an adaptive row of tolerance 1 is taken to cost before it has started; see `guessed_evaluations`."""

BATCH = 100


@dataclass(frozen=True)
class Distance:
    """Root mean squared distance of a row's pixels, in [−1, 1], to the reference's."""

    place: int
    side: int
    value: float


@dataclass(frozen=True)
class Quality:
    """Fréchet distance of `count` images to real ones, and what `count` real images get."""

    place: int
    side: int
    value: float
    count: int
    real: float


@dataclass(frozen=True)
class Closest:
    """The nearest training image of each of a row's images.

    Args:
        place, side: the row.
        images: uint8, shape (row's count, channels, side, side).
        copies: which of the row's images are copies of them, bool, shape (row's count,).
    """

    place: int
    side: int
    images: Tensor
    copies: Tensor


@dataclass(frozen=True)
class CopyShare:
    """The share of copies among `count` images, and among the training images, each left out in turn."""

    place: int
    side: int
    value: float
    count: int
    real: float


def has_metric(model: str) -> bool:
    """Whether a metric here knows the model's classes."""
    return repository_models().metric_of(model) is not None


def has_training(model: str) -> bool:
    """Whether the model brings its training images."""
    return repository_models().entry(model).has_training


def measures(settings: ImageSettings) -> bool:
    """Whether an FD makes sense: a metric knows the model's classes, and the samples are of all of them."""
    return settings.label < 0 and has_metric(settings.model)


def closest(place: int, side: int, settings: ImageSettings, row: GridRow) -> Iterator[Closest]:
    """What a row's images are nearest to among the training images; nothing where there are none."""
    training = repository_models().training(settings.model)
    if training is not None:
        found = find_nearest(training, row.images)
        yield Closest(place, side, training.pixels[found.index], found.copies)


class References:
    """The latest references, worked out once for everybody.

    Args:
        most: how many are kept.
    """

    def __init__(self, most: int = 32) -> None:
        self._most, self._lock = most, threading.Lock()
        self._ends: OrderedDict[ImageSettings, Tensor] = OrderedDict()

    def __contains__(self, settings: ImageSettings) -> bool:
        """Whether the reference of some settings is there."""
        return _reference_key(settings) in self._ends

    def find(self, settings: ImageSettings) -> Tensor | None:
        """The reference of some settings, if it is there."""
        key = _reference_key(settings)
        with self._lock:
            if key in self._ends:
                self._ends.move_to_end(key)
            return self._ends.get(key)

    def keep(self, settings: ImageSettings, ends: Tensor) -> None:
        """Add one; the one that was not asked for the longest leaves."""
        with self._lock:
            self._ends[_reference_key(settings)] = ends
            while len(self._ends) > self._most:
                self._ends.popitem(last=False)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._ends.clear()


REFERENCES = References()
"""Those of this process."""


def _reference_key(settings: ImageSettings) -> ImageSettings:
    """The settings that the reference depends on; all others at their defaults."""
    return ImageSettings(
        model=settings.model,
        label=settings.label,
        guidance=settings.guidance,
        seed=settings.seed,
        count=settings.count,
    )


def reference_images(
    settings: ImageSettings, model: ImageModel, pace: Pace
) -> Generator[Progress, None, Tensor]:
    """Returns the reference's images; the same settings are worked out once for everybody."""
    known = REFERENCES.find(settings)
    if known is not None:
        return known
    guided = settings.field(model, settings.labels(model), exact=True)
    end = torch.empty(0)
    for event in paced(grid_row(guided, settings.noise(model), REFERENCE), settings, REFERENCE, pace, True):
        if isinstance(event, GridRow):
            end = event.ends
        else:
            yield pace.now(f"{title_of(settings.model)}, reference: step {event.index} of {event.steps}")
    REFERENCES.keep(settings, end)
    return end


def further_scores(
    place: int, side: int, settings: ImageSettings, model: ImageModel, row: GridRow, count: int, pace: Pace
) -> Iterator[Quality | CopyShare | Progress]:
    """FD and share of copies of a row, as far as its model has them.

    Args:
        place, side: the row.
        settings: of it.
        model: its model.
        row: what there is already.
        count: how many images; those that the row lacks are sampled.
        pace: of the whole action.
    """
    metric = repository_models().metric_of(settings.model) if measures(settings) else None
    training = repository_models().training(settings.model)
    if metric is None and training is None:
        return
    ends = yield from _more_images(settings, model, row, count, pace)
    if metric is not None and len(ends) >= 2:
        classifier, real = repository_models().classifier(metric), repository_models().reference(metric)
        features = judge(classifier, ends.clamp(-1, 1)).features
        yield Quality(place, side, real.distance(features), len(ends), real.real_distance(len(ends)))
    if training is not None:
        copies = find_nearest(training, to_bytes(ends)).copies
        share = float(copies.double().mean())
        yield CopyShare(place, side, share, len(ends), training.real_share)


def _more_images(
    settings: ImageSettings, model: ImageModel, row: GridRow, count: int, pace: Pace
) -> Generator[Progress, None, Tensor]:
    """Returns the row's images and as many more as it takes to have `count`, float32 on the CPU.

    They are further noises of the same seed's stream, the classes in turn from where the row ended.
    """
    made, plan = [row.ends], row.plan
    wanted = max(count - settings.count, 0)
    if wanted:
        labels = settings.labels(model, settings.count + wanted)[settings.count :]
        noise = draw_noise((wanted, *model.net.image_shape), settings.seed + 2**31)
        for some, start in zip(labels.split(BATCH), noise.split(BATCH), strict=True):
            rows = grid_row(settings.field(model, some), start.to(model.net.device), plan)
            for event in paced(rows, settings, plan, pace, images=len(some)):
                if isinstance(event, GridRow):
                    made.append(event.ends)
                else:
                    title = title_of(settings.model)
                    yield pace.now(f"{title}, measured on {count} images: {step_words(plan, event)}")
    return torch.cat(made)


def paced(
    events: Iterator[GridRow | SampleStep],
    settings: ImageSettings,
    plan: StepPlan,
    pace: Pace,
    exact: bool = False,
    images: int | None = None,
) -> Iterator[GridRow | SampleStep]:
    """The same events, with their work and time entered into the pace.

    Args:
        events: of a row.
        settings, plan: of the row.
        pace: of the whole action.
        exact: whether the row is computed in float32 whatever the settings say.
        images: in the row; the settings' count unless given.
    """
    kind = _kind(settings, exact)
    size = (settings.count if images is None else images) * _guided(settings)
    nfe, seconds = 0, 0.0
    for event in events:
        if isinstance(event, SampleStep):
            pace.add(kind, (event.nfe - nfe) * size, event.seconds - seconds)
            nfe, seconds = event.nfe, event.seconds
        elif isinstance(plan, AdaptivePlan):
            pace.drop({kind: max(guessed_evaluations(plan) - event.nfe, 0) * size})
        yield event


def guessed_evaluations(plan: AdaptivePlan) -> float:
    """What an adaptive row may cost: a method of order 5 takes tolerance^(−1/5) as many steps."""
    return GUESSED_EVALUATIONS * plan.tolerance**-0.2


def expected_work(each: Sequence[ImageSettings], distances: bool, figures: int) -> dict[str, float]:
    """Evaluations times images of rows and figures, by precision (see `Pace`).

    Args:
        each: the settings of every model.
        distances, figures: as in `compare.compare`.
    """
    remaining: dict[str, float] = {}

    def more(kind: str, units: float) -> None:
        remaining[kind] = remaining.get(kind, 0.0) + units

    for settings in each:
        factor = _guided(settings)
        measured = measures(settings) or has_training(settings.model)
        extra = max(figures - settings.count, 0) if measured else 0
        for plan in settings.plans():
            evaluations = plan.evaluations if isinstance(plan, FixedPlan) else guessed_evaluations(plan)
            more(_kind(settings, False), evaluations * (settings.count + extra) * factor)
        if distances and settings not in REFERENCES:
            more(_kind(settings, True), REFERENCE.evaluations * settings.count * factor)
    return remaining


def _kind(settings: ImageSettings, exact: bool) -> str:
    return "float32" if exact or settings.adaptive or not settings.bf16 else "bfloat16"


def _guided(settings: ImageSettings) -> int:
    return 1 if settings.guidance == 1 else 2
