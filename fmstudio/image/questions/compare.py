"""Step counts compared, for one model or for several side by side: rows first, then their figures.

Every row starts from the same noise. What is measured of the rows is in `scores.grid`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from torch import Tensor

from fmstudio.image.models import backbone, title_of
from fmstudio.image.progress import Pace, Progress
from fmstudio.image.questions.gallery import Picture
from fmstudio.image.sampling.grid import GridRow
from fmstudio.image.sampling.sampling import AdaptivePlan, SampleStep, step_words
from fmstudio.image.scores.grid import (
    Closest,
    CopyShare,
    Distance,
    OfRow,
    Quality,
    closest,
    expected_work,
    further_scores,
    paced_row,
    reference_images,
)
from fmstudio.image.settings import ImageSettings


@dataclass(frozen=True)
class Row(OfRow):
    """A finished row."""

    made: GridRow


@dataclass(frozen=True)
class Preview(OfRow):
    """A row that is being made, with its last step."""

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
        match event:
            case Row(place, side, made):
                self.rows[place, side] = made
                self.previews.pop((place, side), None)
            case Preview(place, side, step):
                self.previews[place, side] = step
            case Distance(place, side, value):
                self.distances[place, side] = value
            case Closest(place, side):
                self.closest[place, side] = event
            case CopyShare(place, side):
                self.copies[place, side] = event
            case Quality(place, side):
                self.qualities[place, side] = event
            case Progress():
                pass

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
            model, plan = self.models[side], row.plan
            if isinstance(plan, AdaptivePlan):
                settings = replace(self.settings, model=model, tolerances=(plan.tolerance,))
            else:
                settings = replace(self.settings, model=model, steps=(plan.step_count,))
            names, labels = backbone(model).class_names, settings.labels(backbone(model)).tolist()
            for number, (image, label) in enumerate(zip(row.images, labels, strict=True)):
                called = names[label] if label < len(names) else "no class"
                name = f"{model}-{place:02d}-{plan.words.replace(' ', '-')}-{number:02d}"
                made = settings.to_dict() | {"image": number, "class": called, "nfe": row.nfe}
                out.append(Picture(name, f"{title_of(model)}, {plan.words}: {called}", image, made))
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
    rows: dict[tuple[int, int], GridRow] = {}
    for place, plan in enumerate(plans):
        for side, (some, model) in enumerate(zip(each, loaded, strict=True)):
            for event in paced_row(some, plan, some.labels(model), some.noise(model), pace):
                if isinstance(event, GridRow):
                    rows[place, side] = event
                    yield Row(place, side, event)
                else:
                    yield Preview(place, side, event)
                    yield pace.now(f"{title_of(some.model)}, {step_words(plan, event)}")
    if nearest:
        for (place, side), row in rows.items():
            yield from closest(place, side, each[side], row)
    if distances:
        for side, some in enumerate(each):
            exact = yield from reference_images(some, pace)
            for place in range(len(plans)):
                gap = (rows[place, side].ends - exact).square().mean().sqrt()
                yield Distance(place, side, float(gap))
    if figures:
        for (place, side), row in rows.items():
            yield from further_scores(place, side, each[side], row, figures, pace)
