"""Sentences and formulas that follow from the experiment, and untrusted input from the browser made plain."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import torch

from fmstudio.learn.build import path_of
from fmstudio.learn.clouds import PACKED, Cloud
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.net_field import NetField

_CLASSES = {
    "moons": ("upper moon", "lower moon"),
    "rings": ("inner ring", "middle ring", "outer ring"),
}
_PARTS = {
    "8 gaussians": "bump", "two spirals": "arm", "pinwheel": "blade", "mixture": "component",
    "line mixture": "component",
}  # fmt: skip
_TEXTS = Path(__file__).resolve().parents[2] / "assets" / "text"
_FORMULAS = {
    "linear": "xₜ = (1−t) x₀ + t x₁",
    "spherical": "xₜ = cos(πt/2) x₀ + sin(πt/2) x₁",
    "variance preserving": "xₜ = a x₀ + √(1−a²) x₁",
    "bow": "xₜ = (1−t) x₀ + t x₁ + κ sin(πt) J(x₁−x₀)",
    "spiral": "xₜ = R(κ sin πt) [(1−t) x₀ + t x₁]",
    "latent": "xₜ = a x₀ + b x₁ + κ√(t(1−t)) z",
    "zig-zag": "xₜ = xₛ aₜ/aₛ + noise",
}


def text(name: str) -> str:
    """The prose of a room, ``assets/text/NAME.md``."""
    return (_TEXTS / f"{name}.md").read_text("utf-8")


@cache
def sections(name: str) -> dict[str, str]:
    """The parts of ``assets/text/NAME.md`` by their second-level headings."""
    parts = re.split(r"^## (.+)\n", text(name), flags=re.MULTILINE)
    return {heading: body.strip() for heading, body in zip(parts[1::2], parts[2::2], strict=True)}


def path_formula(experiment: Experiment) -> str:
    """The path's formula in one line."""
    if experiment.path == "polynomial":
        return f"xₜ = (1−tⁿ) x₀ + tⁿ x₁, n = {experiment.power:g}"
    if experiment.path == "custom":
        return f"a = {experiment.formula_a}, b = {experiment.formula_b}"
    return _FORMULAS[experiment.path]


def path_note(experiment: Experiment) -> str:
    """What must be known about this path, or an empty text."""
    return sections("path-notes").get(experiment.path, "")


def not_drawn(reasons: Iterable[str], experiment: Experiment) -> str:
    """Why a formula that was typed is not the one that is drawn, over what must be known about the path."""
    plain = [re.sub(r"([\\`*_<>\[\]$])", r"\\\1", reason) for reason in reasons]
    return "\n\n".join([*(f"**Not drawn:** {reason}" for reason in plain), path_note(experiment)])


def data_note(experiment: Experiment) -> str:
    """What the chosen data are, in a line."""
    return sections("data")[experiment.data]


def sampler_hint(
    experiment: Experiment,
    straightened: bool = False,
    net: NetField | None = None,
    start: float | None = None,
) -> str:
    """What must be known about the sampler as it is set, or an empty text.

    Args:
        experiment: its settings.
        straightened: whether it follows a net that was straightened.
        net: that it follows, or None for the exact field.
        start: by how many nats P starts from the wrong law, or None where it starts from the right one.
    """
    hints = dict(sections("sampler-hints"))
    held = False
    if net is not None and net.target.name != "v":
        held = True
        said = {"x0": "*x*₀", "eps": "*ε*", "score": "the score"}[net.target.name]
        hints["held"] = hints["held"].format(said=said, low=net.times[0], high=net.times[1])
    if start is not None:
        a1 = float(path_of(experiment).at(torch.tensor(1.0)).a.abs())
        hints["start"] = hints["start"].format(a1=a1, nats=nats(start))
    told = {
        "held": held,
        "start": start is not None,
        "class": experiment.conditional and experiment.label >= 0,
        "straightened": straightened,
        "noise": experiment.sde_noise > 0,
        "dopri5": experiment.solver == "dopri5" and experiment.sde_noise == 0,
    }
    return "\n\n".join(hints[name] for name, holds in told.items() if holds)


def lines(sentence: str, width: int = 46) -> str:
    """A sentence broken into lines for a figure, which does not break by itself."""
    return "<br>".join(textwrap.wrap(sentence, width))


def number(value: float, digits: int = 4) -> str:
    """A number with so many decimals and a true minus sign; never a negative zero."""
    return f"{value:z.{digits}f}".replace("-", "−")


def nats(value: float) -> str:
    """A difference of log densities ≥ 0 with three decimals."""
    return "less than 0.001" if value < 1e-3 else f"{value:.3f}"


def class_names(experiment: Experiment, count: int) -> list[str]:
    """What the classes of the data are called, ``count`` of them; by number where they have no name."""
    names = _CLASSES.get(experiment.data, ())
    return [
        names[k] if k < len(names) else f"{_PARTS.get(experiment.data, 'class')} {k}" for k in range(count)
    ]


def cloud_note(cloud: Cloud) -> str:
    """How much of an uploaded cloud the experiment keeps, and how it was read and moved into the plane."""
    mean = ", ".join(f"{value:.3g}" for value in cloud.transform.mean)
    scale = ", ".join(f"{value:.3g}" for value in cloud.transform.scale)
    count = len(cloud.points)
    kept = f"a random {PACKED:,} of {count:,} points" if count > PACKED else f"{count:,} points"
    return f"{kept[0].upper()}{kept[1:]}, shown as (x − [{mean}]) / [{scale}]. {cloud.note}"


def mixture_json(components: Any) -> str:
    """Mixture components from the browser as the experiment's text.

    Raises:
        ValueError: not a list of 1 to 16 rows of six numbers.
    """
    try:
        rows = [[round(float(value), 4) for value in row] for row in components]
    except (TypeError, ValueError):
        raise ValueError("mixture: expected rows of six numbers.") from None
    if not 1 <= len(rows) <= 16 or any(len(row) != 6 for row in rows):
        raise ValueError(f"mixture: expected 1 to 16 rows of six numbers; got {len(rows)} rows.")
    return json.dumps(rows)


def strokes(data: Any) -> list[list[tuple[float, float]]]:
    """Strokes of the brush from the browser.

    Raises:
        ValueError: not lists of at most 4,000 pairs of numbers, or nothing drawn.
    """
    try:
        drawn = [[(float(x), float(y)) for x, y in stroke] for stroke in data.get("strokes", [])]
    except (TypeError, ValueError):
        raise ValueError("drawing: expected strokes of (x, y) pairs.") from None
    count = sum(map(len, drawn))
    if not 1 <= count <= 4_000:
        raise ValueError(f"drawing: expected 1 to 4,000 places of the brush; got {count}.")
    return drawn
