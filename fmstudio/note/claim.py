"""What a claim is: a sentence of the note, the numbers it predicts, a measurement of them, and a verdict.

The prediction comes from formulas and the oracle, the measurement from moving particles or training nets;
the verdict compares the two number by number. What they draw is in :mod:`fmstudio.note.parts.panel`.

A number may be off by chance. How far is decided in one place, :func:`check`: by the quantile of Student's t,
with the degrees of freedom that the standard error has, at such a level that all the numbers of a report
together turn a true claim red in one report of ``1 / RATE``. An effect that a claim asserts ("above",
"below") must stand out from chance by as much.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Literal

from scipy.special import ndtri, stdtrit

from fmstudio.folders import sections
from fmstudio.learn.experiment import Experiment
from fmstudio.note.parts.panel import Panel

Relation = Literal["equals", "at most", "above", "below"]
Steps = Generator[float, None, "Measurement"]
"""Work that reports the finished share in (0, 1) and returns a measurement; closing it stops the work."""

RATE = 1 / 200
"""The share of reports, of all ten claims, in which chance may turn a true claim red."""
NUMBERS = 80
"""How many numbers a report judges at most; each gets an equal part of the rate (Bonferroni)."""


class Declined(ValueError):
    """The claim cannot be measured on this experiment; the message has the figure that shows it."""


@dataclass(frozen=True)
class Expected:
    """One predicted number.

    Args:
        name: of the quantity; the measurement has a number of the same name.
        value: what the formula gives.
        relation: what the measured number should be to it. "above" and "below" must be clear of it by the
            tolerance, "equals" and "at most" may miss it by no more than that.
        slack: what the formula itself leaves open, in units of the value: a next order in dt, a rounding.
        error: standard error of a value that was averaged over draws, else 0.
        freedom: its degrees of freedom, as in :class:`Measured`.
    """

    name: str
    value: float
    relation: Relation = "equals"
    slack: float = 0.0
    error: float = 0.0
    freedom: int = 0


@dataclass(frozen=True)
class Measured:
    """One measured number.

    Args:
        name: of the quantity.
        value: the mean of independent repeats.
        error: its standard error; 0 where there is no chance in it.
        freedom: degrees of freedom of the error, one less than the repeats; 0 for an error that is known.
    """

    name: str
    value: float
    error: float = 0.0
    freedom: int = 0


@dataclass(frozen=True)
class Prediction:
    """What a claim predicts for an experiment: numbers, the panels they are drawn in, and notes in words."""

    numbers: tuple[Expected, ...]
    panels: tuple[Panel, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Measurement:
    """What was measured: numbers of the predicted names, panels, notes, and how often it was repeated."""

    numbers: tuple[Measured, ...]
    panels: tuple[Panel, ...] = ()
    notes: tuple[str, ...] = ()
    repeats: int = 1


@dataclass(frozen=True)
class Check:
    """One number against its prediction.

    Args:
        name, relation, predicted, slack: as :class:`Expected` has them.
        measured: the number.
        error: standard error of its difference from the prediction.
        room: how far chance may take it, a multiple of the error.
        distance: how far on the wrong side of the prediction and its slack it is, in units of the room.
        holds: the outcome.
    """

    name: str
    relation: Relation
    predicted: float
    slack: float
    measured: float
    error: float
    room: float
    distance: float
    holds: bool


@dataclass(frozen=True)
class Verdict:
    """Whether every number is where the prediction puts it.

    Args:
        holds: all checks hold.
        sentence: the outcome in words.
        checks: one for each predicted number.
    """

    holds: bool
    sentence: str
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class Claim:
    """One statement of the note as an experiment.

    Args:
        number: "C1" … "C10"; what the page says of it is in ``assets/text/note/claims.md``.
        section: of the note.
        headline: names of the one or two numbers that say it best.
        applies: ``f(experiment)`` gives None, or the reason why the claim has no meaning there.
        predict: from formulas and the oracle alone.
        steps: the measurement, as a generator of the finished share; its second argument breaks it.
    """

    number: str
    section: int
    headline: tuple[str, ...]
    applies: Callable[[Experiment], str | None]
    predict: Callable[[Experiment], Prediction]
    steps: Callable[[Experiment, bool], Steps]

    def said(self, what: str) -> str:
        """Its "title"; the "sentence" of the note in our own words; its "formula" in LaTeX; what "breaks" it,
        which the measurement's switch does; a "question" that a teacher could ask."""
        return sections("note/claims")[f"{self.number} {what}"]

    @property
    def title(self) -> str:
        """A few words."""
        return self.said("title")

    def verdict(self, prediction: Prediction, measurement: Measurement) -> Verdict:
        """Compare the two, number by number.

        Raises:
            ValueError: a predicted number was not measured, or the other way round.
        """
        measured = {m.name: m for m in measurement.numbers}
        expected = [e.name for e in prediction.numbers]
        if set(measured) != set(expected) or len(expected) != len(measurement.numbers):
            lonely = sorted(set(measured) ^ set(expected))
            raise ValueError(f"{self.number}: predicted and measured numbers differ in {lonely}.")
        checks = tuple(check(e, measured[e.name]) for e in prediction.numbers)
        failed = [c for c in checks if not c.holds]
        if failed:
            worst = max(failed, key=lambda c: c.distance)
            rest = f", and {len(failed) - 1} more" if len(failed) > 1 else ""
            sentence = (
                f"Does not hold: {worst.name} should {_words(worst)}; measured "
                f"{quantity(worst.measured, worst.error)}{rest}."
            )
        else:
            one = len(checks) == 1
            which, them = ("the one number lies", "it") if one else (f"all {len(checks)} numbers lie", "them")
            sentence = f"Holds: {which} where the prediction puts {them}."
        return Verdict(not failed, sentence, checks)


def check(expected: Expected, measured: Measured) -> Check:
    """Compare one number.

    "equals": |m − p| ≤ slack + room; "at most": m ≤ p + slack + room; "above": m ≥ p + room, and m > p;
    "below": the mirror image. The room is a quantile of Student's t times the standard error of m − p, at the
    level RATE / NUMBERS. A number that is not finite fails.

    >>> check(Expected("slope", 1.0), Measured("slope", 1.1, 0.05)).holds
    True
    >>> check(Expected("gap", 0.0, "above"), Measured("gap", 0.1, 0.05)).holds
    False
    """
    gap = measured.value - expected.value
    error = math.hypot(measured.error, expected.error)
    room = error * quantile(_freedom(expected, measured), 2 if expected.relation == "equals" else 1)
    match expected.relation:
        case "equals":
            holds, beyond = abs(gap) <= expected.slack + room, abs(gap) - expected.slack
        case "at most":
            holds, beyond = gap <= expected.slack + room, gap - expected.slack
        case "above":
            holds, beyond = gap >= room and gap > 0, -gap
        case "below":
            holds, beyond = -gap >= room and gap < 0, gap
    finite = math.isfinite(measured.value) and math.isfinite(error)
    # A gap without any chance in it is infinitely far; JSON has no infinity.
    distance = max(beyond, 0.0) / room if room > 0 else (1e9 if beyond > 0 else 0.0)
    return Check(
        expected.name,
        expected.relation,
        expected.value,
        expected.slack,
        measured.value,
        error,
        room,
        min(distance, 1e9) if finite else 1e9,
        bool(finite and holds),
    )


def quantile(freedom: float, sides: int = 1) -> float:
    """How many standard errors of so many degrees of freedom (0: of a known one) chance exceeds with the
    probability RATE / NUMBERS, on one side or on either.

    >>> round(quantile(15), 2), round(quantile(0), 2)
    (5.12, 3.84)
    """
    level = RATE / NUMBERS / sides
    return float(-ndtri(level) if freedom == 0 else -stdtrit(freedom, level))


def _freedom(expected: Expected, measured: Measured) -> float:
    """Of the difference of two means (Welch & Satterthwaite); 0 where both errors are known."""
    parts = [(e.error**2, e.freedom) for e in (expected, measured) if e.freedom and e.error]
    if not parts:
        return 0
    whole = expected.error**2 + measured.error**2
    return whole**2 / sum(variance**2 / freedom for variance, freedom in parts)


def merge(prediction: Prediction, measurement: Measurement | None) -> tuple[Panel, ...]:
    """The panels with the prediction drawn first and the measurement over it, in the prediction's order."""
    if measurement is None:
        return prediction.panels
    measured = {(p.title, p.stage): p for p in measurement.panels}
    shared = []
    for panel in prediction.panels:
        over = measured.pop((panel.title, panel.stage), None)
        shared.append(panel if over is None else replace(panel, series=(*panel.series, *over.series)))
    return (*shared, *measured.values())


def _words(c: Check) -> str:
    verb = {"equals": "be", "at most": "be at most", "above": "lie above", "below": "lie below"}[c.relation]
    return f"{verb} {quantity(c.predicted, c.slack)}"


def quantity(value: float, error: float = 0.0) -> str:
    """A number and its uncertainty as people write them: two digits of the error, the value as far as these.

    >>> quantity(-1.0198, 0.00084), quantity(1.9e-05, 1.8e-05), quantity(39.63, 0.138), quantity(0.2)
    ('−1.01980 ± 0.00084', '(1.9 ± 1.8)·10⁻⁵', '39.63 ± 0.14', '0.2')
    """
    if not (math.isfinite(value) and math.isfinite(error)):
        return f"{value} ± {error}"
    largest = max(abs(value), abs(error))
    power = math.floor(math.log10(largest)) if largest else 0
    if not -4 < power < 5:
        inner = quantity(value / 10.0**power, error / 10.0**power)
        exponent = str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
        return f"({inner})·10{exponent}" if error else f"{inner}·10{exponent}"
    if not error:
        return f"{value:.4g}".replace("-", "−")
    digits = min(max(0, 1 - math.floor(math.log10(error))), 6)
    # Adding 0 turns a rounded −0 into 0.
    return f"{round(value, digits) + 0.0:.{digits}f} ± {error:.{digits}f}".replace("-", "−")
