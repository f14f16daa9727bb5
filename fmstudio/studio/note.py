"""The note's room: results of the claims and the lineage, stored of the default experiment or one's own."""

from __future__ import annotations

from collections.abc import Generator
from functools import lru_cache

from fmstudio.folders import ASSETS
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.fields import fields_of
from fmstudio.note import CLAIMS
from fmstudio.note.lineage import Lineage, lineage
from fmstudio.note.lineage import applies as lineage_applies
from fmstudio.note.report import Report, Result, from_json, predicted, run_claim
from fmstudio.studio.session import Visitor

STORED = ASSETS / "note"
"""Reports of the default experiment, made by ``python -m fmstudio note``."""

#: Choices that claims depend on: not how other rooms train and sample, nor how many pairs a coupling matches.
_SEEN = frozenset({*fields_of("data", "source", "path"), "coupling", "target"})


def subject(experiment: Experiment) -> dict[str, object]:
    """The choices that the claims depend on, where they differ from the default."""
    return {name: value for name, value in experiment.changes().items() if name in _SEEN}


@lru_cache(maxsize=2)
def stored(name: str) -> Report:
    """The checked-in report of the default experiment on the linear or the spherical path."""
    return from_json(Report, (STORED / name / "note.json").read_text("utf-8"))


def shown(visitor: Visitor, number: str, broken: bool) -> tuple[Result, bool]:
    """The result to show for a claim, and whether it is of the visitor's experiment.

    The visitor's own last result comes first; then a stored one, which is of the visitor's experiment if that
    is the default one on the linear or the spherical path.
    """
    asked = subject(visitor.experiment)
    own = visitor.rooms.claims.get((number, broken))
    if own is not None and own.experiment == asked:
        return own, True
    name = "spherical" if visitor.experiment.path == "spherical" else "linear"
    of_stored = {"path": "spherical"} if name == "spherical" else {}
    results = [r for r in stored(name).results if r.number == number and r.broken == broken]
    return results[0], asked == of_stored


def run(visitor: Visitor, number: str, broken: bool) -> Generator[float, None, Result]:
    """Run a claim on the visitor's experiment, and keep the result for this visitor."""
    result = yield from run_claim(CLAIMS[number], plain(visitor.experiment), broken)
    visitor.rooms.claims[number, broken] = result
    return result


def predict(visitor: Visitor, number: str) -> Result:
    """What the claim predicts for the visitor's experiment."""
    return predicted(CLAIMS[number], plain(visitor.experiment))


def run_lineage(visitor: Visitor) -> Generator[float, None, Lineage]:
    """Train and sample the lineage on the visitor's data.

    Raises:
        ValueError: the chain does not apply to the experiment.
    """
    experiment = plain(visitor.experiment)
    reason = lineage_applies(experiment)
    if reason is not None:
        raise ValueError(reason)
    table = yield from lineage(experiment)
    visitor.rooms.lineage = table, subject(experiment)
    return table


def plain(experiment: Experiment) -> Experiment:
    """The experiment with the defaults wherever no claim depends on the choice."""
    return experiment.only(_SEEN)


def lineage_of(visitor: Visitor) -> tuple[Lineage, bool]:
    """The visitor's lineage or the stored one, and whether it is of the visitor's experiment."""
    asked = subject(visitor.experiment)
    own = visitor.rooms.lineage
    if own is not None and own[1] == asked:
        return own[0], True
    table = stored("linear").lineage
    assert table is not None
    return table, not set(asked) - {"path"}
