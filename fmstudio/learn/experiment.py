"""The experiment: one frozen record of every choice, and its JSON and query-string forms.

Everything on the page is a view of one :class:`Experiment`. The same JSON is the query string of a link,
the header of a checkpoint, the input of the command line and the first lines of exported code.
"""

from __future__ import annotations

import json
import math
import reprlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

DATA = (
    "8 gaussians", "moons", "checkerboard", "two spirals", "swiss roll", "pinwheel", "rings",
    "mixture", "word", "points", "line mixture",
)  # fmt: skip
SOURCES = ("standard normal", "8 gaussians", "two gaussians")
PATHS = (
    "linear", "spherical", "variance preserving", "polynomial", "custom",
    "bow", "spiral", "latent", "zig-zag",
)  # fmt: skip
COUPLINGS = ("independent", "optimal transport", "sinkhorn")
TARGETS = ("v", "x0", "eps", "score")
REGRESSIONS = ("sampled", "closed-form mean")
SCHEDULES = ("cosine", "constant")
TIME_LAWS = ("uniform", "logit-normal")
SOLVERS = ("euler", "midpoint", "heun", "rk4", "dopri5")

PATH_FIELDS = {
    "polynomial": ("power",),
    "bow": ("bend",),
    "spiral": ("turn",),
    "latent": ("strength", "around"),
    "zig-zag": ("around",),
    "variance preserving": ("beta0", "beta1"),
    "custom": ("formula_a", "formula_b"),
}
"""Which numbers belong to which path."""

COUPLING_FIELDS = {"optimal transport": ("coupling_batch",), "sinkhorn": ("coupling_batch", "sinkhorn_reg")}
"""Which numbers belong to which coupling."""


def _number(default: float, low: float, high: float) -> Any:
    return field(default=default, metadata={"low": low, "high": high})


def _choice(default: str, options: tuple[str, ...]) -> Any:
    return field(default=default, metadata={"options": options})


def _text(default: str, longest: int) -> Any:
    return field(default=default, metadata={"longest": longest})


@dataclass(frozen=True)
class Experiment:
    """Data, source, path, coupling, target, network, training, sampler and seed.

    Every field has a default that works, and a domain in its metadata: ``low`` and ``high`` for numbers,
    ``options`` for names, ``longest`` for texts.

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
        seed: of every random draw.

    Raises:
        ValueError: naming the field, the bound or the options, and the value given.
    """

    data: str = _choice("8 gaussians", DATA)
    data_noise: float = _number(0.1, 0, 1)
    data_points: int = _number(10_000, 100, 100_000)
    mixture: str = _text("[[0.5,-1.5,0,0.15,0,0.15],[0.3,1.5,1,0.3,0.2,0.3],[0.2,1,-1.5,0.1,0,0.4]]", 4_000)
    word: str = _text("flow", 12)
    points: str = _text("", 60_000)
    source: str = _choice("standard normal", SOURCES)
    path: str = _choice("linear", PATHS)
    power: float = _number(2.0, 1, 8)
    bend: float = _number(0.5, -2, 2)
    turn: float = _number(1.5, -6.28, 6.28)
    strength: float = _number(0.5, 0, 2)
    beta0: float = _number(0.1, 0.01, 5)
    beta1: float = _number(20.0, 1, 40)
    formula_a: str = _text("(1 - t)**1.5", 120)
    formula_b: str = _text("sin(pi*t/2)", 120)
    around: str = _choice("spherical", ("linear", "spherical", "variance preserving"))
    coupling: str = _choice("independent", COUPLINGS)
    coupling_batch: int = _number(256, 16, 1024)
    sinkhorn_reg: float = _number(0.05, 0.001, 10)
    target: str = _choice("v", TARGETS)
    regression: str = _choice("sampled", REGRESSIONS)
    conditional: bool = False
    label_drop: float = _number(0.1, 0, 1)
    width: int = _number(64, 16, 512)
    depth: int = _number(3, 1, 8)
    fourier: int = _number(32, 0, 128)
    train_steps: int = _number(4_000, 1, 200_000)
    batch: int = _number(512, 16, 8192)
    learning_rate: float = _number(5e-3, 1e-5, 0.1)
    schedule: str = _choice("cosine", SCHEDULES)
    ema: float = _number(0.995, 0, 0.9999)
    time_law: str = _choice("uniform", TIME_LAWS)
    solver: str = _choice("euler", SOLVERS)
    sample_steps: int = _number(50, 1, 200)
    sde_noise: float = _number(0.0, 0, 3)
    guidance: float = _number(1.0, 0, 10)
    label: int = _number(-1, -1, 63)
    particles: int = _number(2_000, 10, 100_000)
    frames: int = _number(60, 2, 200)
    seed: int = _number(3, 0, 2**31 - 1)

    def __post_init__(self) -> None:
        for f in fields(self):
            object.__setattr__(self, f.name, _checked(f.name, f.type, f.metadata, getattr(self, f.name)))
        if self.path == "zig-zag" and self.around == "linear":
            raise ValueError(
                "around: the zig-zag chain goes around 'spherical' or 'variance preserving'; got 'linear'."
            )

    @property
    def dim(self) -> int:
        """Coordinates of a point: 1 for the line mixture and for a packed cloud on the line, else 2."""
        on_line = self.data == "line mixture" or (self.data == "points" and self.points.startswith("1"))
        return 1 if on_line else 2

    def to_dict(self) -> dict[str, Any]:
        """All fields, as plain numbers and strings."""
        return asdict(self)

    def changes(self) -> dict[str, Any]:
        """Only the fields that differ from their defaults."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}

    def to_json(self) -> str:
        """The experiment as JSON text, all fields."""
        return json.dumps(self.to_dict())

    def to_query(self) -> str:
        """The experiment as a query string: only what differs from the defaults."""
        return urlencode(self.changes())

    def but(self, **changes: Any) -> Experiment:
        """A copy with some fields changed, checked again."""
        return replace(self, **changes)

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> Experiment:
        """Read back a mapping; a missing field keeps its default, an unknown one is refused.

        Raises:
            ValueError: unknown field, wrong type, or out of bounds.
        """
        known = {f.name for f in fields(Experiment)}
        unknown = sorted(map(_seen, set(values) - known))
        if unknown:
            raise ValueError(
                f"Unknown field {unknown[0]} in the experiment; known: {', '.join(sorted(known))}."
            )
        return Experiment(**dict(values))

    @staticmethod
    def from_json(text: str) -> Experiment:
        """Read back :meth:`to_json`.

        Raises:
            ValueError: text that is not a JSON object, or as :meth:`from_dict`.
        """
        try:
            # A whole number of thousands of digits is inf as a float, and refused by its field's name.
            values = json.loads(text, parse_int=float)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"Expected a JSON object of fields; this is not JSON: {error}.") from error
        if not isinstance(values, dict):
            raise ValueError(f"Expected a JSON object of fields; got {type(values).__name__}.")
        return Experiment.from_dict(values)

    @staticmethod
    def from_query(query: str) -> Experiment:
        """Read back :meth:`to_query`; the same checks as :meth:`from_dict`."""
        return Experiment.from_dict(dict(parse_qsl(query.lstrip("?"), keep_blank_values=True)))


def domain(name: str) -> Mapping[str, Any]:
    """The domain of one field: ``low`` and ``high``, ``options``, or ``longest``.

    >>> domain("guidance")["high"]
    10
    """
    return next(f.metadata for f in fields(Experiment) if f.name == name)


def taken(name: str, value: Any) -> tuple[Any, str]:
    """The value for a field, or what stands in for one that it cannot take: its bound, else its default.

    Returns:
        The value, and why it is not the one given; an empty text where it is.

    >>> taken("sample_steps", "9999")
    (200, 'the most is 200')
    >>> taken("seed", "7")
    (7, '')
    """
    kind = next(f for f in fields(Experiment) if f.name == name)
    try:
        return _checked(name, kind.type, kind.metadata, value), ""
    except ValueError as error:
        sentence = str(error).removeprefix(f"{name}: ")
    if "low" in kind.metadata:
        low, high = kind.metadata["low"], kind.metadata["high"]
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if number > high:
            return _checked(name, kind.type, kind.metadata, high), f"the most is {high}"
        if number < low:
            return _checked(name, kind.type, kind.metadata, low), f"the least is {low}"
    return kind.default, sentence.split(";")[0].rstrip(".")


def _checked(name: str, kind: Any, limits: Mapping[str, Any], value: Any) -> Any:
    """The value as its field's type, or an error that names field, bound and value."""
    if "options" in limits:
        if value not in limits["options"]:
            raise ValueError(f"{name}: expected one of {', '.join(limits['options'])}; got {_seen(value)}.")
        return value
    if "longest" in limits:
        if not isinstance(value, str) or len(value) > limits["longest"]:
            raise ValueError(f"{name}: expected a text of at most {limits['longest']} characters.")
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            raise ValueError(f"{name}: the text holds half a character (a lone surrogate).")
        return value
    if kind == "bool":
        if value in (True, "True", "true", "1"):
            return True
        if value in (False, "False", "false", "0"):
            return False
        raise ValueError(f"{name}: expected true or false; got {_seen(value)}.")
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: expected a number; got {_seen(value)}.") from None
    except OverflowError:
        number = math.inf
    low, high = limits["low"], limits["high"]
    if not (math.isfinite(number) and low <= number <= high):
        raise ValueError(f"{name}: expected a number in [{low}, {high}]; got {_seen(value)}.")
    if kind == "int":
        if number != int(number):
            raise ValueError(f"{name}: expected a whole number; got {_seen(value)}.")
        return int(number)
    return number


def _seen(value: Any) -> str:
    """The value as an error shows it: short, whatever it is."""
    try:
        return reprlib.repr(value)
    except ValueError:
        return "a number of thousands of digits"
