"""A path of one's own: typed formulas for a_t and b_t, checked, with one that fits where an end does not."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

import torch
from torch import Tensor

from fmstudio.flow.formulas.expressions import joined
from fmstudio.flow.formulas.grammar import Formula
from fmstudio.flow.paths.path import Coefficients, Path, Written

#: Characters of a suggestion: as many as an experiment keeps of a formula.
SUGGESTED = 120
_KINKS = re.compile(r"\b(min|max|abs)\b")


@dataclass(frozen=True)
class Custom(Path):
    """A path of one's own: x_t = a_t x₀ + b_t x₁ with typed formulas for a_t and b_t.

    The formulas are checked in float64 at the ends and on a fine grid: a₀ = b₁ = 1 and a₁ = b₀ = 0 (within
    1e-6, then taken as exact), a, b and their derivatives finite inside (0, 1), b > 0 inside.

    Args:
        a, b: formulas in t, in the grammar of ``flow.grammar``.

    Raises:
        ValueError: saying which coefficient has which value at which t, and which formula like it would fit.

    Limits: b′ may be infinite at t = 0, as that of sqrt(t) is: there the marginal velocity has a limit. Where
    the rules of differentiation meet 0·∞ at an end, as in t*sqrt(t), or a corner of min, max or abs, the
    derivative there is the one 1e-6 away from it.
    A formula that misbehaves only between the points of the grid is not noticed.
    """

    a: str = "(1 - t)**1.5"
    b: str = "sin(pi*t/2)"
    _formulas: tuple[Formula, Formula] = field(init=False, repr=False, compare=False)
    _end_slopes: tuple[tuple[float, float], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        formulas = []
        for name, text in (("a", self.a), ("b", self.b)):
            try:
                formulas.append(Formula(text))
            except ValueError as error:
                raise ValueError(f"{name}(t): {error}") from None
        object.__setattr__(self, "_formulas", tuple(formulas))
        slopes = (_check(formulas[0], "a", (1.0, 0.0)), _check(formulas[1], "b", (0.0, 1.0)))
        object.__setattr__(self, "_end_slopes", slopes)

    def at(self, t: Tensor) -> Coefficients:
        """The formulas' values and derivatives; end values exactly 0 and 1."""
        start, end = t == 0, t == 1
        (a, da), (b, db) = (formula.at(t) for formula in self._formulas)
        (da_0, da_1), (db_0, db_1) = self._end_slopes
        a, b = a.masked_fill(start, 1).masked_fill(end, 0), b.masked_fill(start, 0).masked_fill(end, 1)
        da = da.masked_fill(start, da_0).masked_fill(end, da_1)
        db = db.masked_fill(start, db_0).masked_fill(end, db_1)
        zero = torch.zeros_like(a)
        return Coefficients(a, b, zero, da, db, zero, zero)

    @property
    def written(self) -> Written:
        """The coefficients as text."""
        a, b = self._formulas
        return Written(a.normal(), b.normal(), "0", {})


def _check(formula: Formula, name: str, ends: tuple[float, float]) -> tuple[float, float]:
    """Check one coefficient; return its derivatives at t = 0 and t = 1."""
    misfit = _misfit(formula, name, ends)
    if misfit:
        better = suggestion(formula, name, ends)
        raise ValueError(misfit + (f" Take {better}, which fits both ends." if better else ""))
    _check_inside(formula, name)
    return _end_slopes(formula, name)


def _misfit(formula: Formula, name: str, ends: tuple[float, float]) -> str:
    """Which end value is not the wanted one, in a sentence, or ""."""
    values = formula.at(torch.tensor([0.0, 1.0], dtype=torch.float64))[0].tolist()
    for t, got, want in zip((0, 1), values, ends, strict=True):
        if not abs(got - want) <= 1e-6:
            gives = f"{got:.6g}" if math.isfinite(got) else "no finite value"
            return f"{name}({t}) must be {want:g}; your formula gives {gives} at t = {t}."
    return ""


def suggestion(formula: Formula, name: str, ends: tuple[float, float]) -> str:
    """The formula moved and stretched to fit both ends, for a (f − f(1))/(f(0) − f(1)), in normal form.

    >>> suggestion(Formula("exp(-5t)"), "a", (1.0, 0.0))
    '(exp(-5*t)-exp(-5))/(1-exp(-5))'

    Args:
        formula: f, which does not fit.
        name: "a" or "b".
        ends: the values wanted at t = 0 and t = 1: 1 and 0, or 0 and 1.

    Returns:
        A formula that is accepted, or "" where f(0) = f(1), one of them is not finite, or what comes out is
        no coefficient for another reason.
    """
    at_one, at_zero = (formula.tree.at(float(ends.index(want))) for want in (1.0, 0.0))
    span = joined("-", at_one, at_zero)
    if not (math.isfinite(at_zero.number()) and math.isfinite(span.number()) and span.number()):
        return ""
    text = joined("/", joined("-", formula.tree, at_zero), span).text()
    try:
        fitted = Formula(text)
        if len(text) > SUGGESTED or _misfit(fitted, name, ends):
            return ""
        _check_inside(fitted, name)
        _end_slopes(fitted, name)
    except ValueError:
        return ""
    return text


def _check_inside(formula: Formula, name: str) -> None:
    """Refuse a coefficient that is not finite, or a b that is not above 0, between the ends."""
    near = 10.0 ** -torch.arange(4, 8, dtype=torch.float64)
    # 5,040 parts: t = 1/2, 1/3 … 1/10 and their multiples lie on the grid.
    grid = torch.linspace(0, 1, 5041, dtype=torch.float64)[1:-1]
    inside = torch.cat([near.flip(0), grid, 1 - near])
    values, slopes = formula.at(inside)
    for what, numbers in ((f"{name}(t)", values), (f"The derivative of {name}(t)", slopes)):
        bad = (~numbers.isfinite()).nonzero()
        if len(bad):
            t, got = float(inside[bad[0]]), float(numbers[bad[0]])
            raise ValueError(
                f"{what} must be finite between 0 and 1; your formula gives {got} at t = {t:.6g}."
            )
    if name == "b":
        heights = formula.at(grid)[0]
        # A touch of 0 between two points of the grid shows as a fall to almost nothing.
        low = (
            heights <= 1e-6 * heights.cummax(0).values.roll(1).index_fill(0, torch.tensor(0), 0.0)
        ).nonzero()
        if len(low):
            t = grid[low[0]]
            raise ValueError(
                "b(t) must be above 0 between 0 and 1; "
                f"your formula gives {float(heights[low[0]]):.6g} at t = {float(t):.6g}."
            )


def _end_slopes(formula: Formula, name: str) -> tuple[float, float]:
    """The derivatives at t = 0 and t = 1, or those beside them where the rules of calculus give none."""
    ends, near_ends = (
        formula.at(torch.tensor(times, dtype=torch.float64))[1].tolist()
        for times in ([0.0, 1.0], [1e-6, 1 - 1e-6])
    )
    kinked = _KINKS.search(formula.normal()) is not None
    first, last = (
        b if math.isnan(s) or (kinked and math.isfinite(s)) else s
        for s, b in zip(ends, near_ends, strict=True)
    )
    for t, slope in ((0, first), (1, last)):
        if math.isinf(slope) and (name, t) != ("b", 0):
            raise ValueError(
                f"The derivative of {name}(t) must be finite at t = {t}, or every path would be infinitely "
                f"fast there; your formula gives {slope}."
            )
    # cos(π/2) rounds to 6e-17; a slope of that size is that of a level end.
    return (0.0 if abs(first) < 1e-12 else first), (0.0 if abs(last) < 1e-12 else last)
