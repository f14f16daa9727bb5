"""Image sampling from settings that came as JSON: one record for the page, the API and the command line."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from fmstudio.flow.solvers import SOLVERS
from fmstudio.image.backbones import Backbones
from fmstudio.image.sampling import GridRow, SampleStep, step_grid

IMAGE_SOLVERS = ("euler", "midpoint", "heun", "rk4")
MOST_STEPS = 64
MOST_ROWS = 8
MOST_IMAGES = 64

BACKBONES = Backbones()
"""The shipped models: read-only, each loaded at most once and shared by everybody who samples."""


def backbone_names() -> tuple[str, ...]:
    """The models that can be sampled."""
    return tuple(entry.name for entry in BACKBONES.entries())


def class_names(model: str) -> tuple[str, ...]:
    """The names of a model's classes.

    Raises:
        ValueError: no such model.
    """
    for entry in BACKBONES.entries():
        if entry.name == model:
            return entry.class_names
    raise ValueError(f"model: expected one of {', '.join(backbone_names())}; got {model!r}.")


@dataclass(frozen=True)
class ImageSettings:
    """What to sample: one row of images for each step count, all from the same noise.

    Args:
        model: a name of :func:`backbone_names`.
        steps: 1 to 8 step counts, each in [1, 64].
        label: a class, or −1 for all classes in turn.
        guidance: w in [0, 10]; 1 is the plain conditional model.
        solver: a name in ``IMAGE_SOLVERS``.
        seed: of the noise, in [0, 2³¹).
        count: images a row, in [1, 64].

    Raises:
        ValueError: naming the setting, its bound and the value.
    """

    model: str = "fashion-rf1"
    steps: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    label: int = -1
    guidance: float = 1.0
    solver: str = "euler"
    seed: int = 0
    count: int = 10

    def __post_init__(self) -> None:
        if self.model not in backbone_names():
            raise ValueError(f"model: expected one of {', '.join(backbone_names())}; got {self.model!r}.")
        if self.solver not in IMAGE_SOLVERS:
            raise ValueError(f"solver: expected one of {', '.join(IMAGE_SOLVERS)}; got {self.solver!r}.")
        object.__setattr__(self, "steps", _step_counts(self.steps))
        for name, low, high in (("label", -1, 10**6), ("seed", 0, 2**31 - 1), ("count", 1, MOST_IMAGES)):
            object.__setattr__(self, name, _whole(name, getattr(self, name), low, high))
        if not isinstance(self.guidance, int | float) or not 0 <= self.guidance <= 10:
            raise ValueError(f"guidance: expected a number in [0, 10]; got {self.guidance!r}.")

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> ImageSettings:
        """Read JSON settings back; missing ones keep their defaults.

        Raises:
            ValueError: an unknown setting, or a value out of bounds.
        """
        known = {f.name for f in fields(ImageSettings)}
        for name in values:
            if name not in known:
                raise ValueError(f"Unknown image setting {name!r}; known: {', '.join(sorted(known))}.")
        return ImageSettings(**dict(values))

    def to_dict(self) -> dict[str, Any]:
        """All settings, as plain numbers, strings and lists."""
        return asdict(self) | {"steps": list(self.steps)}


def parse_steps(text: str) -> tuple[int, ...]:
    """Step counts as people type them: "1 2 4, 8".

    >>> parse_steps("1 2, 4")
    (1, 2, 4)

    Raises:
        ValueError: nothing, too many, or a count that is not a whole number in [1, 64].
    """
    return _step_counts(text.replace(",", " ").split())


def sample_rows(settings: ImageSettings) -> Iterator[GridRow | SampleStep]:
    """Every step as it happens, and every finished row.

    Raises:
        ValueError: a label that the model does not know.
    """
    model = BACKBONES.load(settings.model)
    classes = range(len(model.class_names))
    if settings.label >= len(model.class_names):
        raise ValueError(f"label: expected −1 … {len(classes) - 1}; got {settings.label}.")
    chosen = list(classes) if settings.label < 0 else [settings.label]
    yield from step_grid(
        model.net,
        settings.steps,
        chosen,
        settings.guidance,
        settings.seed,
        settings.count,
        SOLVERS[settings.solver],
    )


def image_grid(values: Mapping[str, Any]) -> dict[str, Any]:
    """All rows at once, as JSON: settings, and rows of steps, nfe, seconds and PNG images in base64."""
    settings = ImageSettings.from_dict(values)
    rows = [row for row in sample_rows(settings) if isinstance(row, GridRow)]
    return {
        "settings": settings.to_dict(),
        "rows": [
            {
                "steps": row.step_count,
                "nfe": row.nfe,
                "seconds": round(row.seconds, 4),
                "images": [base64.b64encode(png_of(image)).decode("ascii") for image in row.images],
            }
            for row in rows
        ],
    }


def png_of(image: Tensor) -> bytes:
    """A uint8 image (channels, height, width) as PNG."""
    buffer = io.BytesIO()
    picture_of(image).save(buffer, "PNG")
    return buffer.getvalue()


def picture_of(image: Tensor) -> Image.Image:
    """A uint8 image (channels, height, width), grey or colour, as a Pillow picture."""
    array = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
    return Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array)


def strip_of(images: Tensor, gap: int = 2) -> Image.Image:
    """Images (n, channels, height, width) side by side in one picture, ``gap`` pixels apart."""
    pictures = [picture_of(image) for image in images]
    width, height = pictures[0].size
    strip = Image.new(pictures[0].mode, ((width + gap) * len(pictures) - gap, height), 255)
    for place, picture in enumerate(pictures):
        strip.paste(picture, (place * (width + gap), 0))
    return strip


def _whole(name: str, value: Any, low: int, high: int) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: expected a whole number; got {value!r}.") from None
    if number != float(value) or not low <= number <= high:
        raise ValueError(f"{name}: expected a whole number in [{low}, {high}]; got {value}.")
    return number


def _step_counts(values: Sequence[Any]) -> tuple[int, ...]:
    if isinstance(values, str | bytes) or not 1 <= len(values) <= MOST_ROWS:
        raise ValueError(f"steps: expected 1 to {MOST_ROWS} step counts; got {values!r}.")
    return tuple(_whole("steps", value, 1, MOST_STEPS) for value in values)
