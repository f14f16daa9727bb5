"""An X/Y grid: one image for every pair of values of two settings, all else alike."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from fmstudio.flow.solve.tableaux import SOLVERS
from fmstudio.image.models import backbone, class_names, title_of
from fmstudio.image.progress import Pace, Progress
from fmstudio.image.questions.gallery import Picture
from fmstudio.image.sampling.field import draw_noise
from fmstudio.image.sampling.sampling import follow
from fmstudio.image.settings import ImageSettings, number, split, whole
from fmstudio.image.training.data import to_bytes

AXES = ("steps", "guidance", "solver", "shift", "seed", "class")
MOST_VALUES = 10


def fixed_solvers() -> tuple[str, ...]:
    """The names of the solvers that take a number of steps."""
    return tuple(name for name, tableau in SOLVERS.items() if not tableau.adaptive)


DEFAULT_VALUES = {
    "steps": "1 2 4 8 16",
    "guidance": "0 1 1.5 3 5",
    "solver": " ".join(fixed_solvers()),
    "shift": "0.3 0.6 1 2 4",
    "seed": "0 1 2 3 4",
    "class": "all",
}
"""What stands in an axis's box when it is chosen."""


@dataclass(frozen=True)
class Axis:
    """One side of the grid.

    Args:
        name: one of `AXES`.
        labels: what is written beside each value.
        settings: for each value the settings with it.
    """

    name: str
    labels: tuple[str, ...]
    settings: tuple[Callable[[ImageSettings], ImageSettings], ...]


def read_axis(name: str, text: str, model: str) -> Axis:
    """An axis from what was typed: values with blanks between them; classes by name or number, or "all".

    Raises:
        ValueError: an unknown axis, no values or more than ten, or a value out of bounds.
    """
    if name not in AXES:
        raise ValueError(f"axis: expected one of {', '.join(AXES)}; got {name!r}.")
    parts = [part.strip() for part in text.split(",")] if name == "class" and "," in text else split(text)
    names = class_names(model)
    if name == "class" and [part.lower() for part in parts] == ["all"]:
        parts = [str(label) for label in range(min(len(names), MOST_VALUES))]
    if not 1 <= len(parts) <= MOST_VALUES:
        raise ValueError(f"{name}: expected 1 to {MOST_VALUES} values; got {text!r}.")
    values = [_read(name, part, names) for part in parts]
    labels = tuple(names[v] if name == "class" and isinstance(v, int) else _shown(v) for v in values)
    return Axis(name, labels, tuple(_setter(name, value) for value in values))


def _read(name: str, text: str, names: Sequence[str]) -> int | float | str:
    if name == "solver":
        if text not in fixed_solvers():
            raise ValueError(f"solver: expected one of {', '.join(fixed_solvers())}; got {text!r}.")
        return text
    if name == "class":
        lower = [known.lower() for known in names]
        if text.lower() in lower:
            return lower.index(text.lower())
        if text.isdigit() and int(text) < len(names):
            return int(text)
        raise ValueError(
            f"class: expected a number below {len(names)} or one of {', '.join(names)}; got {text!r}."
        )
    return whole(name, text) if name in ("steps", "seed") else number(name, text)


def _shown(value: int | float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _setter(name: str, value: int | float | str) -> Callable[[ImageSettings], ImageSettings]:
    if name == "steps":
        return lambda settings: replace(settings, steps=(value,))
    key = {"class": "label"}.get(name, name)
    return lambda settings: replace(settings, **{key: value})


@dataclass
class XYGrid:
    """The grid so far.

    Args:
        settings: what all cells share.
        x, y: its sides.

    Attributes:
        cells: uint8 images by (row, column).
    """

    settings: ImageSettings
    x: Axis
    y: Axis
    cells: dict[tuple[int, int], Tensor] = field(default_factory=dict)

    def at(self, row: int, column: int) -> ImageSettings:
        """The settings of one cell."""
        return self.x.settings[column](self.y.settings[row](self.settings))

    @property
    def models(self) -> tuple[str, ...]:
        """The one model."""
        return (self.settings.model,)

    def pictures(self) -> list[Picture]:
        """Every finished cell, ready to keep."""
        title = title_of(self.settings.model)
        return [
            Picture(
                f"{self.settings.model}-{row:02d}-{column:02d}",
                f"{title}: {self.y.name} {self.y.labels[row]}, {self.x.name} {self.x.labels[column]}",
                image,
                self.at(row, column).to_dict(),
            )
            for (row, column), image in sorted(self.cells.items())
        ]

    def sheet(self) -> list[Tensor]:
        """The finished cells, row by row."""
        rows: dict[int, list[Tensor]] = {}
        for (row, _), image in sorted(self.cells.items()):
            rows.setdefault(row, []).append(image)
        return [torch.stack(images) for images in rows.values()]


def xy_grid(settings: ImageSettings, x: Axis, y: Axis) -> Iterator[Progress | XYGrid]:
    """One image a cell; cells that differ only in class and seed are made in one batch.

    Args:
        settings: what all cells share; one class and a solver with fixed steps.
        x, y: two different settings.

    Yields:
        Progress at every step, and the grid, filled in place, after each batch.

    Raises:
        ValueError: the same setting on both sides, or an adaptive solver.
    """
    if x.name == y.name:
        raise ValueError(f"Both sides are {x.name}; choose two different ones.")
    if settings.adaptive and "solver" not in (x.name, y.name):
        raise ValueError("The grid's cells take a number of steps; choose a solver other than dopri5.")
    grid = XYGrid(replace(settings, count=1), x, y)
    model = backbone(settings.model)
    batches: dict[ImageSettings, list[tuple[int, int]]] = {}
    for place in itertools.product(range(len(y.labels)), range(len(x.labels))):
        batches.setdefault(replace(grid.at(*place), label=0, seed=0), []).append(place)
    work = {
        alike: float(alike.plans()[0].evaluations * len(places) * alike.passes)
        for alike, places in batches.items()
    }
    pace = Pace({"images": sum(work.values())})
    for alike, places in batches.items():
        cells = [grid.at(*place) for place in places]
        labels = torch.cat([cell.labels(model, 1) for cell in cells])
        noise = torch.stack([draw_noise(model.net.image_shape, cell.seed) for cell in cells])
        way = alike.plans()[0].run(alike.field(model, labels), noise.to(model.net.device))
        words = f"{len(grid.cells)} of {len(x.labels) * len(y.labels)} images"
        last = yield from follow(pace, way, words, work[alike], "images")
        for place, image in zip(places, to_bytes(last.x).cpu(), strict=True):
            grid.cells[place] = image
        yield grid
