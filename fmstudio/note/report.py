"""Results: one claim run on one experiment, and all of them as one report, to JSON and back."""

from __future__ import annotations

import json
import time
import types
import typing
from collections.abc import Callable, Generator, Iterable
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar

from fmstudio.device import on_one_core
from fmstudio.learn.experiment import Experiment
from fmstudio.note import CLAIMS
from fmstudio.note.claim import Claim, Measurement, Prediction, Verdict, merge
from fmstudio.note.lineage import Lineage, lineage
from fmstudio.note.lineage import applies as lineage_applies
from fmstudio.note.parts.panel import Panel

Record = TypeVar("Record")


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
    measurement: Measurement | None
    verdict: Verdict | None
    seconds: float

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


def predicted(claim: Claim, experiment: Experiment) -> Result:
    """What a claim predicts, before any measurement."""
    try:
        reason = claim.applies(experiment)
        prediction = None if reason else claim.predict(experiment)
    except UNMEASURABLE as problem:
        return _refused(claim, experiment, False, f"Not measured: {problem}")
    return Result(claim.number, experiment.changes(), False, reason, prediction, None, None, 0.0)


def run_claim(claim: Claim, experiment: Experiment, broken: bool = False) -> Generator[float, None, Result]:
    """Predict, measure and judge one claim, reporting the finished share; closing it stops the work.

    Args:
        claim: one of ``CLAIMS``.
        experiment: any; where the claim does not apply or cannot be measured the result says why.
        broken: turn the switch that makes the claim false.
    """
    first = predicted(claim, experiment)
    if first.prediction is None:
        return replace(first, broken=broken)
    began = time.process_time()
    try:
        measurement = yield from on_one_core(claim.steps(experiment, broken))
    except UNMEASURABLE as problem:
        return _refused(claim, experiment, broken, f"Not measured: {problem}")
    seconds = time.process_time() - began
    verdict = claim.verdict(first.prediction, measurement)
    return Result(
        claim.number, first.experiment, broken, None, first.prediction, measurement, verdict, seconds
    )


UNMEASURABLE = (ValueError, ArithmeticError, RuntimeError)
"""Errors that say why a claim has no figures for an experiment; the other claims are not touched by them."""


def _refused(claim: Claim, experiment: Experiment, broken: bool, reason: str) -> Result:
    return Result(claim.number, experiment.changes(), broken, reason, None, None, None, 0.0)


def make_report(
    experiment: Experiment,
    claims: Iterable[str] = tuple(CLAIMS),
    *,
    break_too: bool = True,
    with_lineage: bool = True,
    progress: Callable[[float, str], None] | None = None,
) -> Report:
    """Run claims one after another.

    Args:
        experiment: of every claim.
        claims: their numbers, such as "C6".
        break_too: run each a second time with its switch on.
        with_lineage: train and sample the lineage as well.
        progress: told the finished share of everything and what is at work.

    Raises:
        ValueError: a number that is no claim's.
    """
    wanted = [_claim(number) for number in claims]
    jobs: list[tuple[str, Generator[float, None, Any]]] = []
    for claim in wanted:
        for broken in (False, True) if break_too else (False,):
            name = f"{claim.number} {claim.title}{', broken' if broken else ''}"
            jobs.append((name, run_claim(claim, experiment, broken)))
    if with_lineage and lineage_applies(experiment) is None:
        jobs.append(("from 2015 to rectified flow", lineage(experiment)))
    done: list[Any] = []
    for k, (name, work) in enumerate(jobs):
        done.append(_drain(work, k, len(jobs), name, progress))
    last = done.pop() if done and isinstance(done[-1], Lineage) else None
    return Report(experiment.changes(), tuple(done), last)


def measured(
    number: str,
    experiment: Experiment,
    broken: bool = False,
    progress: Callable[[float, str], None] | None = None,
) -> Result:
    """Run one claim to its end.

    Args:
        number: of the claim.
        experiment, broken: as :func:`run_claim`.
        progress: told the finished share; what it raises ends the work.

    Raises:
        ValueError: a number that is no claim's.
    """
    return _drain(run_claim(_claim(number), experiment, broken), 0, 1, number, progress)


def _claim(number: str) -> Claim:
    if number not in CLAIMS:
        raise ValueError(f"Expected a claim, one of {', '.join(CLAIMS)}; got {number!r}.")
    return CLAIMS[number]


def _drain(
    work: Generator[float, None, Any],
    done: int,
    jobs: int,
    name: str,
    progress: Callable[[float, str], None] | None,
) -> Any:
    try:
        while True:
            share = next(work)
            if progress is not None:
                progress((done + share) / jobs, name)
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
