"""Where a picture to work on comes from: a test picture of the data set, a fresh sample, or an upload."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from fmstudio.image.models import backbone, class_names, repository_models
from fmstudio.image.progress import Pace, Progress
from fmstudio.image.questions.gallery import data_uri, strip_of
from fmstudio.image.questions.inversion import fit_picture
from fmstudio.image.sampling.sampling import follow
from fmstudio.image.settings import NO_CLASS, ImageSettings
from fmstudio.image.training.data import to_bytes, to_unit
from fmstudio.ui.rooms.images.sampler import chosen_class
from fmstudio.ui.rooms.images.upload import open_picture

TEST, SAMPLE, UPLOAD = "a test picture", "a fresh sample", "your own"
SOURCES = (TEST, SAMPLE, UPLOAD)
SAMPLE_STEPS = 32
ALWAYS = 0.95
"""The share of corners of a model's own pictures with one tone, from which it knows no other background."""


@dataclass(frozen=True)
class Source:
    """What the visitor chose.

    Args:
        name: one of `SOURCES`.
        number: of the test picture.
        picture: the uploaded file, or None.
        label: its class; `NO_CLASS` for none.
        negative: swap light and dark of the upload.
    """

    name: str
    number: int
    picture: str | None
    label: int
    negative: bool


def obtain(settings: ImageSettings, source: Source) -> Iterator[Progress | tuple[Tensor, int]]:
    """The picture as an image of the model with whole pixel values, and its label.

    Args:
        settings: the model; for a fresh sample also class, seed, guidance, solver and shift.
        source: what was chosen.

    Yields:
        Progress where something is sampled, then (image, label).

    Raises:
        ValueError: there is no such picture.
    """
    model = backbone(settings.model)
    none = model.net.no_class
    if source.name == UPLOAD:
        if source.picture is None:
            raise ValueError("No picture yet: drop one into the field, or choose a test picture.")
        label = none if source.label == NO_CLASS else source.label
        with open_picture(source.picture) as picture:
            shape = model.net.image_shape
            fitted = fit_picture(picture, shape, source.negative, backdrop_of(settings.model))
        yield fitted, label
        return
    if source.name == TEST:
        metric = repository_models().metric_of(settings.model)
        if metric is None:
            raise ValueError(
                "No test pictures come with this model: choose a fresh sample or your own picture."
            )
        reference = repository_models().reference(metric)
        if not 0 <= source.number < len(reference.labels):
            raise ValueError(
                f"test picture: expected a number in 0 … {len(reference.labels) - 1}; got {source.number}."
            )
        yield to_unit(reference.pictures[source.number]), int(reference.labels[source.number])
        return
    alone = replace(settings, label=chosen_class(settings), count=1)
    labels = alone.labels(model)
    way = alone.plan(SAMPLE_STEPS, 0.03).run(alone.field(model, labels), alone.noise(model))
    last = yield from follow(Pace({"way": 1.0}), way, lambda step: f"sampling: step {step.index}")
    # Rounded to whole pixel values, as a picture has.
    yield to_unit(to_bytes(last.x[0]).cpu()), int(labels[0])


def backdrop_of(model: str) -> str:
    """White or black: what the model's own pictures have in their corners; black where none come with it."""
    corners = _corners(model)
    return "white" if len(corners) and float(corners.median()) > 127 else "black"


def _corners(model: str) -> Tensor:
    """The tones in the corners of the model's own pictures, 0 … 255; empty where none come with it."""
    metric, training = repository_models().metric_of(model), repository_models().training(model)
    if training is not None:
        pictures = training.pixels
    elif metric is not None:
        pictures = repository_models().reference(metric).pictures
    else:
        return torch.zeros(0)
    return pictures[..., [0, 0, -1, -1], [0, -1, 0, -1]].float().flatten()


def strange_backdrop(model: str, image: Tensor) -> str:
    """A warning where a picture's background is one that the model has never seen, or "".

    A model knows one background only where nearly all corners of its own pictures have it. That of the
    picture is the middle tone of its edge.

    Args:
        model: its name.
        image: as the model gets it, in [−1, 1], shape (channels, side, side).
    """
    corners, known = _corners(model), backdrop_of(model)
    alike = (corners > 223) if known == "white" else (corners < 32)
    if not len(corners) or float(alike.float().mean()) < ALWAYS:
        return ""
    edge = torch.cat([image[:, 0], image[:, -1], image[:, :, 0], image[:, :, -1]], 1)
    light = float(edge.mean(0).median()) > 0
    if light == (known == "white"):
        return ""
    return (
        f"Your picture has a {'light' if light else 'dark'} background, and this model has only ever seen "
        f"{known} ones: what it makes of yours means little. Tick “swap light and dark” to invert it."
    )


def upload_warning(model: str, file: str | None, negative: bool) -> str:
    """What stands in the way of an uploaded picture, before anything is done with it, or ""."""
    if file is None:
        return ""
    try:
        with open_picture(file) as picture:
            shape = backbone(model).net.image_shape
            return strange_backdrop(model, fit_picture(picture, shape, negative, backdrop_of(model)))
    except ValueError as error:
        return str(error)


def sources_of(model: str) -> list[str]:
    """The sources that a model has; test pictures come with a metric that knows its classes."""
    return [name for name in SOURCES if name != TEST or repository_models().metric_of(model) is not None]


def test_strip(model: str) -> str:
    """The test pictures with their numbers, or a sentence where there are none."""
    metric = repository_models().metric_of(model)
    if metric is None:
        return '<p class="fm-note">No test pictures come with this model.</p>'
    reference = repository_models().reference(metric)
    names = class_names(model)
    halves = torch.arange(len(reference.labels)).chunk(2)
    rows = "".join(
        f'<img alt="test pictures {int(half[0])} to {int(half[-1])}" '
        f'src="{data_uri(strip_of(reference.pictures[half]))}">'
        f'<div class="numbers">{"".join(f"<span>{int(k)}</span>" for k in half)}</div>'
        for half in halves
    )
    each = len(reference.labels) // len(names)
    order = ", ".join(f"{each * k}–{each * k + each - 1} {name}" for k, name in enumerate(names))
    return f'<div class="fm-tests">{rows}</div><p class="fm-note">Test images of the data set: {order}.</p>'
