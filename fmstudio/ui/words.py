"""Sentences and formulas that follow from the experiment, and untrusted input from the browser made plain."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fmstudio.learn.clouds import PACKED, Cloud
from fmstudio.learn.experiment import Experiment

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
_NOTES = {
    "variance preserving": "a₁ = 0.0066, not 0: at t = 1 a trace of the data is left.",
    "zig-zag": "A Markov chain: continuous, without a derivative. *P* follows the smooth path with the same "
    "marginals. The note's step is x_t = x_{t−dt} + √dt e_t (its transcription shows √(1/n) dt e_t).",
    "latent": "Each path carries its own z. γ′ is infinite at both ends, so training "
    "keeps t in [0.001, 0.999].",
    "custom": "Numbers, t, pi, e, + − * / **, sin cos tan exp log sqrt tanh abs min max. "
    "a must fall from 1 to 0, b rise from 0 to 1.",
    "linear": "The note writes x_{t−dt} = x_t + v dt with v toward the data; here v = dx/dt points to the "
    "noise, so the step is x_t − v dt.",
}


def text(name: str) -> str:
    """The prose of a room, ``assets/text/NAME.md``."""
    return (_TEXTS / f"{name}.md").read_text("utf-8")


def path_formula(experiment: Experiment) -> str:
    """The path's formula in one line."""
    if experiment.path == "polynomial":
        return f"xₜ = (1−tⁿ) x₀ + tⁿ x₁, n = {experiment.power:g}"
    if experiment.path == "custom":
        return f"a = {experiment.formula_a}, b = {experiment.formula_b}"
    return _FORMULAS[experiment.path]


def path_note(experiment: Experiment) -> str:
    """What must be known about this path, or an empty text."""
    return _NOTES.get(experiment.path, "")


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
