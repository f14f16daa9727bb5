"""Step counts compared, for one model or for several side by side: rows first, then how far each row is off.

Every row starts from the same noise. A row's distance is to the images that 128 Heun steps in float32 make of
that noise with the same model, class and guidance; its FD is the Fréchet distance to real images in the
features of a small classifier, beside what as many real images get.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor

from fmstudio.flow.solvers import HEUN
from fmstudio.image.backbones import backbone, repository_models
from fmstudio.image.classifier import judge
from fmstudio.image.folder import ImageModel
from fmstudio.image.gallery import Picture
from fmstudio.image.jobs import ImageSettings
from fmstudio.image.progress import Pace, Progress
from fmstudio.image.sampling import (
    AdaptivePlan,
    FixedPlan,
    GridRow,
    SampleStep,
    StepPlan,
    draw_noise,
    grid_row,
)

REFERENCE = FixedPlan(128, HEUN)
"""What a row's images are compared with; in float32."""

GUESSED_EVALUATIONS = 60
"""What an adaptive row is taken to cost before it has started."""

_KEPT = 32


@dataclass(frozen=True)
class Row:
    """A finished row.

    Args:
        place: which row, from 0.
        side: which model, from 0.
        made: its images, NFE and time.
    """

    place: int
    side: int
    made: GridRow


@dataclass(frozen=True)
class Preview:
    """A row that is being made, with its last step."""

    place: int
    side: int
    step: SampleStep


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


Event = Row | Preview | Distance | Quality | Progress


@dataclass
class Comparison:
    """What a comparison has brought so far.

    Args:
        settings: of the rows.
        models: the columns, left to right.

    Attributes:
        rows, previews, distances, qualities: by (place, side); a row replaces its preview.
    """

    settings: ImageSettings
    models: tuple[str, ...]
    rows: dict[tuple[int, int], GridRow] = field(default_factory=dict)
    previews: dict[tuple[int, int], SampleStep] = field(default_factory=dict)
    distances: dict[tuple[int, int], float] = field(default_factory=dict)
    qualities: dict[tuple[int, int], Quality] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        """Enter an event."""
        if isinstance(event, Progress):
            return
        key = (event.place, event.side)
        if isinstance(event, Row):
            self.rows[key] = event.made
            self.previews.pop(key, None)
        elif isinstance(event, Preview):
            self.previews[key] = event.step
        elif isinstance(event, Distance):
            self.distances[key] = event.value
        else:
            self.qualities[key] = event

    def curve(self, side: int, what: Literal["distance", "quality"]) -> list[tuple[int, float]]:
        """(NFE, value) of one model's rows that have the figure, by NFE."""
        if what == "distance":
            known = self.distances
        else:
            known = {key: quality.value for key, quality in self.qualities.items()}
        found = [(self.rows[key].nfe, value) for key, value in known.items() if key[1] == side]
        return sorted(found)

    def sheet(self) -> list[Tensor]:
        """The finished rows' images."""
        return [row.images for _, row in sorted(self.rows.items())]

    def pictures(self) -> list[Picture]:
        """Every image of every finished row, ready to keep."""
        out: list[Picture] = []
        for (_, side), row in sorted(self.rows.items()):
            model = self.models[side]
            settings = replace(self.settings, model=model)
            names = backbone(model).class_names
            labels = settings.labels(backbone(model)).tolist()
            for number, (image, label) in enumerate(zip(row.images, labels, strict=True)):
                called = names[label] if label < len(names) else "no class"
                how = plan_words(row.plan)
                out.append(
                    Picture(
                        f"{model}-{how.replace(' ', '-')}-{number:02d}",
                        f"{title_of(model)}, {how}: {called}",
                        image,
                        settings.to_dict()
                        | {"steps": [row.step_count], "image": number, "class": called, "nfe": row.nfe},
                    )
                )
        return out


def compare(
    settings: ImageSettings, models: Sequence[str], *, distances: bool = True, quality: int = 0
) -> Iterator[Event]:
    """All rows of all models, and then what was asked to be measured.

    Args:
        settings: of the rows; their model is replaced by each of `models`.
        models: names, at least one; all with the same classes.
        distances: measure each row against the reference.
        quality: where `measures` allows it, how many images a row's FD is measured on: 0 for none, at most
            the row's own count for these images alone; more are sampled for it.

    Yields:
        Progress and previews at every step, rows as they are finished, then their figures.

    Raises:
        ValueError: models whose images have different shapes, or a label that one does not know.
    """
    loaded = [backbone(name) for name in models]
    if len({tuple(model.net.image_shape) for model in loaded}) != 1:
        raise ValueError(f"Models side by side need images of one shape; {', '.join(models)} differ.")
    each = [replace(settings, model=name) for name in models]
    plans = settings.plans()
    pace = Pace(_work(each, loaded, distances, quality))
    ends: dict[tuple[int, int], GridRow] = {}
    for place, plan in enumerate(plans):
        for side, (some, model) in enumerate(zip(each, loaded, strict=True)):
            guided = some.field(model, some.labels(model))
            for event in _paced(grid_row(guided, some.noise(model), plan), some, plan, pace):
                if isinstance(event, GridRow):
                    ends[place, side] = event
                    yield Row(place, side, event)
                elif isinstance(event, SampleStep):
                    yield Preview(place, side, event)
                    yield pace.now(f"{title_of(some.model)}, {_said(plan, event)}")
    if distances:
        for side, (some, model) in enumerate(zip(each, loaded, strict=True)):
            exact = yield from _reference(some, model, pace)
            for place in range(len(plans)):
                gap = (ends[place, side].ends - exact).square().mean().sqrt()
                yield Distance(place, side, float(gap))
    if quality:
        for place, plan in enumerate(plans):
            for side, (some, model) in enumerate(zip(each, loaded, strict=True)):
                yield from _quality(place, side, some, model, plan, ends[place, side], quality, pace)


def measures(settings: ImageSettings) -> bool:
    """Whether an FD makes sense: a metric knows the model's classes, and the samples are of all of them."""
    return settings.label < 0 and repository_models().metric_of(settings.model) is not None


_references: OrderedDict[ImageSettings, Tensor] = OrderedDict()
_lock = threading.Lock()


def _reference_key(settings: ImageSettings) -> ImageSettings:
    """The settings that the reference depends on; all others at their defaults."""
    return ImageSettings(
        model=settings.model,
        label=settings.label,
        guidance=settings.guidance,
        seed=settings.seed,
        count=settings.count,
    )


def _reference(settings: ImageSettings, model: ImageModel, pace: Pace) -> Iterator[Progress]:
    """Returns the reference's images; the same settings are worked out once for everybody."""
    key = _reference_key(settings)
    with _lock:
        if key in _references:
            _references.move_to_end(key)
            return _references[key]
    guided = settings.field(model, settings.labels(model), exact=True)
    end = torch.empty(0)
    for event in _paced(grid_row(guided, settings.noise(model), REFERENCE), settings, REFERENCE, pace, True):
        if isinstance(event, GridRow):
            end = event.ends
        else:
            yield pace.now(f"{title_of(settings.model)}, reference: step {event.index} of {event.steps}")
    with _lock:
        _references[key] = end
        while len(_references) > _KEPT:
            _references.popitem(last=False)
    return end


def _quality(
    place: int,
    side: int,
    settings: ImageSettings,
    model: ImageModel,
    plan: StepPlan,
    row: GridRow,
    count: int,
    pace: Pace,
) -> Iterator[Event]:
    metric = repository_models().metric_of(settings.model)
    if metric is None or not measures(settings):
        return
    classifier, real = repository_models().classifier(metric), repository_models().reference(metric)
    made = [row.ends]
    # More images are further noises of the same seed's stream, the classes in turn from where the row ended.
    wanted = max(count - settings.count, 0)
    if wanted:
        labels = settings.labels(model, settings.count + wanted)[settings.count :]
        noise = draw_noise((wanted, *model.net.image_shape), settings.seed + 2**31)
        for some, start in zip(labels.split(100), noise.split(100), strict=True):
            rows = grid_row(settings.field(model, some), start.to(model.net.device), plan)
            for event in _paced(rows, settings, plan, pace, images=len(some)):
                if isinstance(event, GridRow):
                    made.append(event.ends)
                else:
                    yield pace.now(f"{title_of(settings.model)}, FD on {count} images: {_said(plan, event)}")
    images = torch.cat(made).clamp(-1, 1)
    features = judge(classifier, images).features
    if len(images) >= 2:
        value, floor = real.distance(features), real.real_distance(len(images))
        yield Quality(place, side, value, len(images), floor)


def _paced(
    events: Iterator[GridRow | SampleStep],
    settings: ImageSettings,
    plan: StepPlan,
    pace: Pace,
    exact: bool = False,
    images: int | None = None,
) -> Iterator[GridRow | SampleStep]:
    """The same events, with their work and time entered into the pace."""
    kind = _kind(settings, exact)
    size = (settings.count if images is None else images) * _guided(settings)
    nfe, seconds = 0, 0.0
    for event in events:
        if isinstance(event, SampleStep):
            pace.add(kind, (event.nfe - nfe) * size, event.seconds - seconds)
            nfe, seconds = event.nfe, event.seconds
        elif isinstance(plan, AdaptivePlan):
            pace.drop({kind: max(GUESSED_EVALUATIONS - event.nfe, 0) * size})
        yield event


def _work(
    each: Sequence[ImageSettings], loaded: Sequence[ImageModel], distances: bool, quality: int
) -> dict[str, float]:
    """Evaluations times images, by precision."""
    remaining: dict[str, float] = {}

    def more(kind: str, units: float) -> None:
        remaining[kind] = remaining.get(kind, 0.0) + units

    for settings in each:
        factor = _guided(settings)
        extra = max(quality - settings.count, 0) if measures(settings) else 0
        for plan in settings.plans():
            evaluations = plan.evaluations if isinstance(plan, FixedPlan) else GUESSED_EVALUATIONS
            more(_kind(settings, False), evaluations * (settings.count + extra) * factor)
        if distances and _reference_key(settings) not in _references:
            more(_kind(settings, True), REFERENCE.evaluations * settings.count * factor)
    return remaining


def _kind(settings: ImageSettings, exact: bool) -> str:
    return "float32" if exact or settings.adaptive or not settings.bf16 else "bfloat16"


def _guided(settings: ImageSettings) -> int:
    return 1 if settings.guidance == 1 else 2


def _said(plan: StepPlan, step: SampleStep) -> str:
    where = f", t = {step.t:.2f}" if isinstance(plan, AdaptivePlan) else ""
    return f"{plan_words(plan)}: step {step.index}{where}"


def plan_words(plan: StepPlan) -> str:
    """How a row is made: "4 steps" or "tolerance 0.1"."""
    if isinstance(plan, AdaptivePlan):
        return f"tolerance {plan.tolerance:g}"
    if isinstance(plan, FixedPlan):
        return f"{plan.step_count} {'step' if plan.step_count == 1 else 'steps'}"
    raise TypeError(f"Expected a plan with steps or a tolerance; got {plan!r}.")


def title_of(model: str) -> str:
    """What a model's column is headed."""
    return repository_models().entry(model).short_title
