"""Results: one claim run on one experiment, and all of them as one report, to JSON and back."""

from __future__ import annotations

import json
import time
import types
import typing
from collections.abc import Callable, Generator, Iterable
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from functools import lru_cache
from typing import Any, TypeVar

from fmstudio.device import on_one_core
from fmstudio.learn.experiment import Experiment
from fmstudio.note import CLAIMS
from fmstudio.note.claim import Claim, Measurement, Prediction, Verdict, merge
from fmstudio.note.lineage import Lineage, lineage
from fmstudio.note.lineage import applies as lineage_applies
from fmstudio.note.parts.panel import Panel

Record = TypeVar("Record")
Outcome = TypeVar("Outcome")
Progress = Callable[[float, str], object]
"""Told the finished share, in (0, 1), and what is at work."""


@dataclass(frozen=True)
class Result:
    """One claim on one experiment.

    Args:
        number: of the claim.
        experiment: the fields that differ from the default experiment.
        broken: whether the switch that makes the claim false was on.
        refusal: why the claim does not apply or cannot be measured, or None; then there is nothing else.
        prediction, measurement, verdict: as :mod:`fmstudio.note.claim` has them.
        seconds: of computing that the measurement took, as the process counts them.
    """

    number: str
    experiment: dict[str, Any]
    broken: bool
    refusal: str | None
    prediction: Prediction | None
    measurement: Measurement | None = None
    verdict: Verdict | None = None
    seconds: float = 0.0

    @property
    def notes(self) -> tuple[str, ...]:
        """Of the prediction, then of the measurement."""
        return tuple(note for part in (self.prediction, self.measurement) if part for note in part.notes)

    @property
    def panels(self) -> tuple[Panel, ...]:
        """The prediction drawn first, the measurement over it."""
        return () if self.prediction is None else merge(self.prediction, self.measurement)


@dataclass(frozen=True)
class Report:
    """Claims on one experiment, each as it should be and broken where that was run; and the lineage."""

    experiment: dict[str, Any]
    results: tuple[Result, ...]
    lineage: Lineage | None


UNMEASURABLE = (ValueError, ArithmeticError, RuntimeError)
"""Errors that say why a claim has no figures for an experiment; the other claims are not touched by them."""


def predicted(claim: Claim, experiment: Experiment) -> Result:
    """What a claim predicts, before any measurement."""
    prediction = None
    try:
        reason = claim.applies(experiment)
        if reason is None:
            prediction = _prediction(claim, experiment)
    except UNMEASURABLE as problem:
        reason = f"Not measured: {problem}"
    return Result(claim.number, experiment.changes(), False, reason, prediction)


@lru_cache(maxsize=32)
def _prediction(claim: Claim, experiment: Experiment) -> Prediction:
    """Worked out once for the claim and its broken twin."""
    return claim.predict(experiment)


def run_claim(claim: Claim, experiment: Experiment, broken: bool = False) -> Generator[float, None, Result]:
    """Predict, measure and judge one claim, reporting the finished share; closing it stops the work.

    Args:
        claim: one of ``CLAIMS``.
        experiment: any; where the claim does not apply or cannot be measured the result says why.
        broken: turn the switch that makes the claim false.
    """
    first = replace(predicted(claim, experiment), broken=broken)
    if first.prediction is None:
        return first
    began = time.process_time()
    try:
        measurement = yield from on_one_core(claim.steps(experiment, broken))
    except UNMEASURABLE as problem:
        return replace(first, refusal=f"Not measured: {problem}", prediction=None)
    seconds = time.process_time() - began
    verdict = claim.verdict(first.prediction, measurement)
    return replace(first, measurement=measurement, verdict=verdict, seconds=seconds)


def make_report(
    experiment: Experiment,
    claims: Iterable[str] = tuple(CLAIMS),
    *,
    with_lineage: bool = True,
    progress: Progress = lambda share, name: None,
) -> Report:
    """Run claims one after another, each a second time with its switch on.

    Args:
        experiment: of every claim.
        claims: their numbers, such as "C6".
        with_lineage: train and sample the lineage as well, where it applies.
        progress: told the finished share of everything and what is at work.

    Raises:
        ValueError: a number that is no claim's.
    """
    jobs: list[tuple[str, Generator[float, None, Result | Lineage]]] = []
    for claim in map(_claim, claims):
        for broken, word in ((False, ""), (True, ", broken")):
            jobs.append((f"{claim.number} {claim.title}{word}", run_claim(claim, experiment, broken)))
    if with_lineage and lineage_applies(experiment) is None:
        jobs.append(("from 2015 to rectified flow", lineage(experiment)))
    done = [
        finished(work, lambda share, k=k, name=name: progress((k + share) / len(jobs), name))
        for k, (name, work) in enumerate(jobs)
    ]
    results = tuple(found for found in done if isinstance(found, Result))
    tables = [found for found in done if isinstance(found, Lineage)]
    return Report(experiment.changes(), results, tables[0] if tables else None)


def measured(
    number: str,
    experiment: Experiment,
    broken: bool = False,
    progress: Progress = lambda share, name: None,
) -> Result:
    """Run one claim to its end.

    Args:
        number: of the claim.
        experiment, broken: as :func:`run_claim`.
        progress: told the finished share and the number; what it raises ends the work.

    Raises:
        ValueError: a number that is no claim's.
    """
    return finished(run_claim(_claim(number), experiment, broken), lambda share: progress(share, number))


def _claim(number: str) -> Claim:
    if number not in CLAIMS:
        raise ValueError(f"Expected a claim, one of {', '.join(CLAIMS)}; got {number!r}.")
    return CLAIMS[number]


def finished(work: Generator[float, None, Outcome], tell: Callable[[float], object]) -> Outcome:
    """What the work returns; what ``tell`` raises ends it."""
    try:
        while True:
            tell(next(work))
    except StopIteration as end:
        return end.value
    finally:
        work.close()


def to_json(record: Any) -> str:
    """A record of the note as JSON text; numbers that are not finite are refused.

    Raises:
        ValueError: a number is not finite.
    """
    return json.dumps(asdict(record), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def from_json(kind: type[Record], text: str) -> Record:
    """Read back :func:`to_json`, as the given record.

    Raises:
        ValueError: a field is missing or unknown, or the text is not JSON.
    """
    return _read(kind, json.loads(text))


def _read(kind: Any, value: Any) -> Any:
    """A plain value as the annotated type: records, tuples, options, and what JSON already has."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        if value is None:
            return None
        return _read(next(k for k in inner if k is not type(None)), value)
    if isinstance(kind, type) and is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        names = {f.name for f in fields(kind)}
        if set(value) != names:
            raise ValueError(f"{kind.__name__}: expected {sorted(names)}; got {sorted(value)}.")
        return kind(**{name: _read(hints[name], value[name]) for name in names})
    if origin is tuple:
        return tuple(_read(inner[0], item) for item in value)
    return value
