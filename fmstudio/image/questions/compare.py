"""Step counts compared, for one model or for several side by side: rows first, then their figures.

Every row starts from the same noise. What is measured of the rows is in `scores.grid`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from torch import Tensor

from fmstudio.image.models import backbone, title_of
from fmstudio.image.progress import Pace, Progress
from fmstudio.image.questions.gallery import Picture
from fmstudio.image.sampling.grid import GridRow, grid_row
from fmstudio.image.sampling.sampling import AdaptivePlan, SampleStep, plan_words, step_words
from fmstudio.image.scores.grid import (
    Closest,
    CopyShare,
    Distance,
    Quality,
    closest,
    expected_work,
    further_scores,
    paced,
    reference_images,
)
from fmstudio.image.settings import ImageSettings


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


Event = Row | Preview | Distance | Quality | Closest | CopyShare | Progress


@dataclass
class Comparison:
    """What a comparison has brought so far.

    Args:
        settings: of the rows.
        models: the columns, left to right.

    Attributes:
        rows, previews, distances, qualities, closest, copies: by (place, side); a row replaces its preview.
    """

    settings: ImageSettings
    models: tuple[str, ...]
    rows: dict[tuple[int, int], GridRow] = field(default_factory=dict)
    previews: dict[tuple[int, int], SampleStep] = field(default_factory=dict)
    distances: dict[tuple[int, int], float] = field(default_factory=dict)
    qualities: dict[tuple[int, int], Quality] = field(default_factory=dict)
    closest: dict[tuple[int, int], Closest] = field(default_factory=dict)
    copies: dict[tuple[int, int], CopyShare] = field(default_factory=dict)

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
        elif isinstance(event, Closest):
            self.closest[key] = event
        elif isinstance(event, CopyShare):
            self.copies[key] = event
        else:
            self.qualities[key] = event

    def curve(self, side: int, what: Literal["distance", "quality", "copies"]) -> list[tuple[int, float]]:
        """(NFE, value) of one model's rows that have the figure, by NFE and then in the rows' order."""
        if what == "distance":
            known = self.distances
        else:
            measured = self.qualities if what == "quality" else self.copies
            known = {key: event.value for key, event in measured.items()}
        found = [(self.rows[key].nfe, value) for key, value in sorted(known.items()) if key[1] == side]
        return sorted(found, key=lambda point: point[0])

    def sheet(self) -> list[Tensor]:
        """The finished rows' images."""
        return [row.images for _, row in sorted(self.rows.items())]

    def pictures(self) -> list[Picture]:
        """Every image of every finished row, ready to keep."""
        out: list[Picture] = []
        for (place, side), row in sorted(self.rows.items()):
            model = self.models[side]
            settings = replace(self.settings, model=model)
            if isinstance(row.plan, AdaptivePlan):
                own: dict[str, Any] = {"tolerances": [row.plan.tolerance]}
            else:
                own = {"steps": [row.step_count]}
            names = backbone(model).class_names
            labels = settings.labels(backbone(model)).tolist()
            for number, (image, label) in enumerate(zip(row.images, labels, strict=True)):
                called = names[label] if label < len(names) else "no class"
                how = plan_words(row.plan)
                out.append(
                    Picture(
                        f"{model}-{place:02d}-{how.replace(' ', '-')}-{number:02d}",
                        f"{title_of(model)}, {how}: {called}",
                        image,
                        settings.to_dict() | own | {"image": number, "class": called, "nfe": row.nfe},
                    )
                )
        return out


def compare(
    settings: ImageSettings,
    models: Sequence[str],
    *,
    distances: bool = True,
    nearest: bool = True,
    figures: int = 0,
) -> Iterator[Event]:
    """All rows of all models, and then what was asked to be measured.

    Args:
        settings: of the rows; their model is replaced by each of `models`.
        models: names, at least one; all with the same classes.
        distances: measure each row against the reference.
        nearest: find the nearest training images, for a model that brings them.
        figures: how many images a row's FD and its share of copies are measured on, where the model has them:
            0 for none, at most the row's own count for these images alone; more are sampled for it.

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
    pace = Pace(expected_work(each, distances, figures))
    ends: dict[tuple[int, int], GridRow] = {}
    for place, plan in enumerate(plans):
        for side, (some, model) in enumerate(zip(each, loaded, strict=True)):
            guided = some.field(model, some.labels(model))
            for event in paced(grid_row(guided, some.noise(model), plan), some, plan, pace):
                if isinstance(event, GridRow):
                    ends[place, side] = event
                    yield Row(place, side, event)
                elif isinstance(event, SampleStep):
                    yield Preview(place, side, event)
                    yield pace.now(f"{title_of(some.model)}, {step_words(plan, event)}")
    if nearest:
        for (place, side), row in ends.items():
            yield from closest(place, side, each[side], row)
    if distances:
        for side, (some, model) in enumerate(zip(each, loaded, strict=True)):
            exact = yield from reference_images(some, model, pace)
            for place in range(len(plans)):
                gap = (ends[place, side].ends - exact).square().mean().sqrt()
                yield Distance(place, side, float(gap))
    if figures:
        for (place, side), row in ends.items():
            yield from further_scores(place, side, each[side], loaded[side], row, figures, pace)
