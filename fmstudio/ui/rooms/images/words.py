"""The prose of the Images room that follows the model chosen: what it is, and what is measured of it."""

from __future__ import annotations

from fmstudio.image.models import ModelEntry, repository_models
from fmstudio.image.scores.grid import has_metric, has_training
from fmstudio.plots.plain import in_markdown
from fmstudio.ui.words import sections


def model_text(model: str) -> str:
    """What the chosen model is: its card's introduction, its images and classes."""
    entry, told = repository_models().entry(model), sections("images")
    parts = ["#### The model"]
    if entry.card.introduction:
        parts.append(f"**{entry.name}.** {entry.card.introduction}")
    parts += [told["net"], facts(entry)]
    if _has_reflow(entry):
        parts.append(told["reflow"])
    training = repository_models().training(model)
    if training is not None:
        parts.append(told["memorising"].format(count=f"{len(training.pixels):,}"))
    return "\n\n".join([*parts, told["sampler"]])


def facts(entry: ModelEntry) -> str:
    """Kind of network, size and colour of the images, and the classes."""
    channels, height, width = entry.image_shape
    network = "Transformer" if entry.part == "transformer" else "U-Net"
    names = " · ".join(map(in_markdown, entry.class_names))
    pictures = f"{width} × {height} {_colour(channels)} pictures"
    return f"{network}, {pictures}, {len(entry.class_names)} classes: {names}."


def grid_text(model: str) -> str:
    """What stands under the step grid."""
    told = sections("images-grid")
    straight = f" {told['straight']}" if repository_models().siblings(model) else ""
    parts = [told["rows"].format(straight=straight), told["off by"]]
    parts += [told["FD"]] if has_metric(model) else []
    parts += [told["copies"]] if has_training(model) else []
    return "\n\n".join(parts)


def figures_text(kind: str) -> str:
    """What stands under the step grid's figures.

    Args:
        kind: of the middle figure: "FD", "copies", or "" where there is none.
    """
    told = sections("images-figures")
    count = "three" if kind else "two"
    first = " ".join(told[name] for name in ("distance", kind, "published") if name)
    return "\n\n".join([f"#### Reading the {count} figures", first, told["sources"]])


def map_text(model: str) -> str:
    """What stands under the map of the flow."""
    entry, told = repository_models().entry(model), sections("images-map")
    channels, height, width = entry.image_shape
    point = told["point"].format(
        width=width, height=height, numbers=f"{channels * height * width:,}",
        colours="" if channels == 1 else f" in {channels} colours",
    )  # fmt: skip
    trails = f"{told['trails']} {told['reflow']}" if _has_reflow(entry) else told["trails"]
    return "\n\n".join(["#### An image is one point", point, trails, told["adaptive"]])


def _colour(channels: int) -> str:
    return {1: "grey", 3: "colour"}.get(channels, f"{channels}-channel")


def _has_reflow(entry: ModelEntry) -> bool:
    """Whether it is the first or the second rectified flow of its classes, and the other one is here too."""
    titles = {other.card.short_title for other in [entry, *repository_models().siblings(entry.name)]}
    return {"1-RF", "2-RF"} <= titles and entry.card.short_title in ("1-RF", "2-RF")
