"""The experiment: one frozen record of every choice, and its JSON and query-string forms.

Everything on the page is a view of one :class:`Experiment`. The same JSON is the query string of a link,
the header of a checkpoint, the input of the command line and the first lines of exported code.
"""

from __future__ import annotations

import json
import math
import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from fmstudio.flow.regress.objectives import TARGETS
from fmstudio.flow.regress.time_laws import TIME_LAWS
from fmstudio.flow.solve.tableaux import SOLVERS
from fmstudio.learn.catalogue.couplings import COUPLINGS
from fmstudio.learn.catalogue.data import DATA
from fmstudio.learn.catalogue.paths import PATHS
from fmstudio.learn.catalogue.sources import SOURCES
from fmstudio.learn.fields import Fields

FAMILIES: dict[str, Mapping[str, object]] = {
    "data": DATA,
    "source": SOURCES,
    "path": PATHS,
    "coupling": COUPLINGS,
    "target": TARGETS,
    "time_law": TIME_LAWS,
    "solver": SOLVERS,
}
"""The members that a field may name, by their names: live, so a member that is added is taken at once."""


@dataclass(frozen=True)
class Experiment(Fields):
    """The fields of :class:`Fields`, checked.

    Raises:
        ValueError: naming the field, the bound or the options, and the value given.
    """

    def __post_init__(self) -> None:
        for f in fields(self):
            object.__setattr__(self, f.name, _checked(f.name, f.type, domain(f.name), getattr(self, f.name)))
        path = PATHS[self.path]
        if not path.goes_around(self.around):
            what, known = "chain" if path.chain else "path", " or ".join(map(repr, path.around))
            raise ValueError(f"around: the {path.name} {what} goes around {known}; got {self.around!r}.")

    @property
    def dim(self) -> int:
        """Coordinates of a point: 1 for data on a line, else 2."""
        return DATA[self.data].dim(self)

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

    def only(self, names: Iterable[str]) -> Experiment:
        """The experiment with every field but these at its default: equal for all that agree in these."""
        return Experiment(**{name: getattr(self, name) for name in names})

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


_DOMAINS: dict[str, Mapping[str, Any]] = {f.name: f.metadata for f in fields(Fields)}


def domain(name: str) -> Mapping[str, Any]:
    """What a field may be and what it is called, as :class:`Fields` has it, with its present ``options``.

    >>> domain("guidance")["high"]
    10
    >>> domain("coupling")["options"]
    ('independent', 'optimal transport', 'sinkhorn')
    """
    fixed = _DOMAINS[name]
    if "options" not in fixed:
        return fixed
    return {**fixed, "options": fixed["options"] or _members(name)}


def _members(name: str) -> tuple[str, ...]:
    if name == "around":
        return tuple(dict.fromkeys(other for path in PATHS.values() for other in path.around))
    return tuple(FAMILIES[name])


def taken(name: str, value: Any) -> tuple[Any, str]:
    """The value for a field, or what stands in for one that it cannot take: its bound, else its default.

    Returns:
        The value, and why it is not the one given; an empty text where it is.

    >>> taken("sample_steps", "9999")
    (200, 'the most is 200')
    >>> taken("seed", "7")
    (7, '')
    """
    kind, limits = next(f for f in fields(Experiment) if f.name == name), domain(name)
    try:
        return _checked(name, kind.type, limits, value), ""
    except ValueError as error:
        sentence = str(error).removeprefix(f"{name}: ")
    if "low" in limits:
        low, high = limits["low"], limits["high"]
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if number > high:
            return _checked(name, kind.type, limits, high), f"the most is {high}"
        if number < low:
            return _checked(name, kind.type, limits, low), f"the least is {low}"
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
