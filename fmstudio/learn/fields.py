"""The fields of an experiment: each with its default, its domain, its part and what it is called.

A field is one line here. Lists of the fields that some work depends on are made by :func:`fields_of`.
Nothing is checked here; :class:`fmstudio.learn.experiment.Experiment` does that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, Literal

Part = Literal["data", "source", "path", "coupling", "network", "training", "sampling", "view"]
"""What of an experiment a field belongs to: a chapter of the mathematics, or what is done with it."""


def _number(
    part: Part,
    default: float,
    low: float,
    high: float,
    said: str,
    label: str = "",
    *,
    step: float | None = None,
    offered: Sequence[float] = (),
) -> Any:
    """A number in [low, high]; its control is a slider with a ``step``, or a list of ``offered`` values."""
    domain = {"part": part, "said": said, "label": label or said, "low": low, "high": high}
    return field(default=default, metadata=domain | {"step": step, "offered": tuple(offered)})


def _choice(part: Part, default: str, said: str, options: Sequence[str] | None = None) -> Any:
    """A name: of a member of the family that is called like the field, or one of ``options``."""
    return field(default=default, metadata={"part": part, "said": said, "label": said, "options": options})


def _text(part: Part, default: str, longest: int, said: str, label: str = "", *, cut: bool = False) -> Any:
    """A text; ``cut``: its control takes no more than ``longest`` characters. No label, no control."""
    domain = {"part": part, "said": said, "label": label, "longest": longest, "cut": cut}
    return field(default=default, metadata=domain)


def _truth(part: Part, said: str) -> Any:
    return field(default=False, metadata={"part": part, "said": said, "label": said})


@dataclass(frozen=True)
class Fields:
    """Data, source, path, coupling, target, network, training, sampler and seed.

    Every field has a default that works. Its metadata hold its domain (``low`` and ``high`` for numbers,
    ``options`` for names, ``longest`` for texts), its ``part``, what a sentence calls it (``said``) and the
    ``label`` of its control.

    Args:
        data: the density q(x₀), a name in ``DATA``.
        data_noise: jitter of the shapes, in units of the plane.
        data_points: size of the empirical distribution of a shape (mixtures are exact and need none).
        mixture: components of the free mixture, JSON rows [weight, mx, my, sxx, sxy, syy].
        word: what the word cloud spells.
        points: a drawn or uploaded cloud, as packed by ``learn.clouds.pack``; empty for the example drawing.
        source: the density of x₁.
        path, power, bend, turn, strength, beta0, beta1, formula_a, formula_b, around: the path, its numbers;
            ``around`` is what a latent or a zig-zag goes around.
        coupling, coupling_batch, sinkhorn_reg: who is paired with whom.
        target: what the net predicts; regression: on sampled velocities, or on the oracle's mean.
        conditional, label_drop: a net told the class, and how often it is not.
        width, depth, fourier: hidden units, hidden layers, Fourier features.
        train_steps, batch, learning_rate, schedule, ema, time_law: the training.
        solver, sample_steps, sde_noise, guidance, label: the sampler; ``label`` −1 means every class.
        particles, frames: what the player shows.
        seed: of every random draw; those of the data come first, so it is a part of them.
    """

    data: str = _choice("data", "8 gaussians", "data")
    data_noise: float = _number("data", 0.1, 0, 1, "noise of the data", "noise", step=0.01)
    data_points: int = _number(
        "data", 10_000, 100, 100_000, "points in the data set",
        offered=(100, 1_000, 5_000, 20_000, 50_000, 100_000),
    )  # fmt: skip
    mixture: str = _text(
        "data", "[[0.5,-1.5,0,0.15,0,0.15],[0.3,1.5,1,0.3,0.2,0.3],[0.2,1,-1.5,0.1,0,0.4]]", 4_000,
        "your mixture",
    )  # fmt: skip
    word: str = _text("data", "flow", 12, "the word", "word (Enter to draw it)", cut=True)
    points: str = _text("data", "", 60_000, "your own points")
    source: str = _choice("source", "standard normal", "source x₁")
    path: str = _choice("path", "linear", "path")
    power: float = _number("path", 2.0, 1, 8, "power n", step=0.1)
    bend: float = _number("path", 0.5, -2, 2, "bend κ", step=0.05)
    turn: float = _number("path", 1.5, -6.28, 6.28, "turn κ", "turn κ (radians)", step=0.05)
    strength: float = _number(
        "path", 0.5, 0, 2, "strength κ", "strength κ of γ = κ√(t(1−t))", step=0.05
    )  # fmt: skip
    beta0: float = _number("path", 0.1, 0.01, 5, "β₀", step=0.01)
    beta1: float = _number("path", 20.0, 1, 40, "β₁", step=0.5)
    formula_a: str = _text("path", "(1 - t)**1.5", 120, "a(t)", "a(t) =")
    formula_b: str = _text("path", "sin(pi*t/2)", 120, "b(t)", "b(t) =")
    around: str = _choice("path", "spherical", "around the path")
    coupling: str = _choice("coupling", "independent", "coupling")
    coupling_batch: int = _number(
        "coupling", 256, 16, 1024, "pairs matched at a time", offered=(16, 64, 128, 512, 1_024)
    )
    sinkhorn_reg: float = _number(
        "coupling", 0.05, 0.001, 10, "entropic regularisation", offered=(0.01, 0.2, 1, 10)
    )
    target: str = _choice("network", "v", "target of the net")
    regression: str = _choice(
        "training", "sampled", "what the net regresses on", ("sampled", "closed-form mean")
    )
    conditional: bool = _truth("network", "tell the net the class")
    label_drop: float = _number("training", 0.1, 0, 1, "label drop")
    width: int = _number("network", 64, 16, 512, "width of the net")
    depth: int = _number("network", 3, 1, 8, "hidden layers")
    fourier: int = _number("network", 32, 0, 128, "Fourier features")
    train_steps: int = _number("training", 4_000, 1, 200_000, "steps of the training")
    batch: int = _number("training", 512, 16, 8192, "batch")
    learning_rate: float = _number("training", 5e-3, 1e-5, 0.1, "learning rate")
    schedule: str = _choice("training", "cosine", "schedule", ("cosine", "constant"))
    ema: float = _number("training", 0.995, 0, 0.9999, "running mean of the weights")
    time_law: str = _choice("training", "uniform", "time law")
    solver: str = _choice("sampling", "euler", "solver")
    sample_steps: int = _number("sampling", 50, 1, 200, "steps of the sampler")
    sde_noise: float = _number("sampling", 0.0, 0, 3, "SDE noise η")
    guidance: float = _number("sampling", 1.0, 0, 10, "guidance w")
    label: int = _number("sampling", -1, -1, 63, "class")
    particles: int = _number(
        "view", 2_000, 10, 100_000, "particles", offered=(500, 1_000, 5_000, 10_000, 20_000, 100_000)
    )
    frames: int = _number("view", 60, 2, 200, "frames of the player")
    seed: int = _number("data", 3, 0, 2**31 - 1, "seed")


@cache
def fields_of(*parts: Part) -> tuple[str, ...]:
    """The names of all fields of these parts, in the experiment's order.

    >>> fields_of("source", "view")
    ('source', 'particles', 'frames')
    """
    return tuple(f.name for f in fields(Fields) if f.metadata["part"] in parts)
