"""Value and derivative together: forward automatic differentiation in one variable t.

A :class:`Dual` is f(t) with f′(t). Each rule takes duals to duals by the rules of calculus, so one pass over
a formula gives both. Unlike recorded differentiation this works where recording is off, and in several
threads at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

NEGATE = "−x"


class Dual(NamedTuple):
    """A value and its derivative with respect to t; the derivative is None where t does not occur."""

    value: Tensor
    slope: Tensor | None


def _through(x: Dual, value: Tensor, rate: Tensor) -> Dual:
    """The chain rule: f(x) with f′(x) = rate."""
    return Dual(value, None if x.slope is None else rate * x.slope)


def _sum(x: Dual, y: Dual, sign: float) -> Dual:
    right = None if y.slope is None else sign * y.slope
    slope = right if x.slope is None else x.slope if right is None else x.slope + right
    return Dual(x.value + sign * y.value, slope)


def _add(x: Dual, y: Dual) -> Dual:
    return _sum(x, y, 1.0)


def _subtract(x: Dual, y: Dual) -> Dual:
    return _sum(x, y, -1.0)


def _multiply(x: Dual, y: Dual) -> Dual:
    left = None if x.slope is None else x.slope * y.value
    right = None if y.slope is None else x.value * y.slope
    slope = right if left is None else left if right is None else left + right
    return Dual(x.value * y.value, slope)


def _divide(x: Dual, y: Dual) -> Dual:
    quotient = x.value / y.value
    if y.slope is None:
        return Dual(quotient, None if x.slope is None else x.slope / y.value)
    top = -quotient * y.slope if x.slope is None else x.slope - quotient * y.slope
    return Dual(quotient, top / y.value)


def _power(x: Dual, y: Dual) -> Dual:
    value, zero = x.value**y.value, torch.zeros_like(x.value)
    slope = None
    if x.slope is not None:
        slope = torch.where(y.value == 0, zero, y.value * x.value ** (y.value - 1)) * x.slope
    if y.slope is not None:
        # 0^y is 0 for every y > 0, so it does not change with y.
        rate = torch.where((x.value == 0) & (y.value > 0), zero, value * x.value.log()) * y.slope
        slope = rate if slope is None else slope + rate
    return Dual(value, slope)


def _choose(x: Dual, y: Dual, first: Callable[[Tensor, Tensor], Tensor]) -> Dual:
    """The smaller or larger of two; where they are equal, the mean of the two derivatives."""
    value = torch.minimum(x.value, y.value) if first is torch.lt else torch.maximum(x.value, y.value)
    if x.slope is None and y.slope is None:
        return Dual(value, None)
    zero = torch.zeros_like(value)
    dx, dy = zero if x.slope is None else x.slope, zero if y.slope is None else y.slope
    slope = torch.where(first(x.value, y.value), dx, dy)
    return Dual(value, torch.where(x.value == y.value, (dx + dy) / 2, slope))


def _many(first: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Dual]:
    def rule(*xs: Dual) -> Dual:
        best = xs[0]
        for x in xs[1:]:
            best = _choose(best, x, first)
        return best

    return rule


def _sqrt(x: Dual) -> Dual:
    root = x.value.sqrt()
    return _through(x, root, 0.5 / root)


def _tan(x: Dual) -> Dual:
    tan = x.value.tan()
    return _through(x, tan, 1 + tan**2)


def _tanh(x: Dual) -> Dual:
    tanh = x.value.tanh()
    return _through(x, tanh, 1 - tanh**2)


def _exp(x: Dual) -> Dual:
    exp = x.value.exp()
    return _through(x, exp, exp)


class Operation(NamedTuple):
    """One operation: the rule for value and derivative, how many arguments, and its torch code."""

    rule: Callable[..., Dual]
    fewest: int
    most: int
    code: str


OPERATIONS: dict[str, Operation] = {
    "+": Operation(_add, 2, 2, "({0} + {1})"),
    "-": Operation(_subtract, 2, 2, "({0} - {1})"),
    "*": Operation(_multiply, 2, 2, "({0} * {1})"),
    "/": Operation(_divide, 2, 2, "({0} / {1})"),
    "**": Operation(_power, 2, 2, "({0} ** {1})"),
    NEGATE: Operation(lambda x: _through(x, -x.value, -torch.ones_like(x.value)), 1, 1, "(-{0})"),
    "sin": Operation(lambda x: _through(x, x.value.sin(), x.value.cos()), 1, 1, "torch.sin({0})"),
    "cos": Operation(lambda x: _through(x, x.value.cos(), -x.value.sin()), 1, 1, "torch.cos({0})"),
    "tan": Operation(_tan, 1, 1, "torch.tan({0})"),
    "exp": Operation(_exp, 1, 1, "torch.exp({0})"),
    "log": Operation(lambda x: _through(x, x.value.log(), 1 / x.value), 1, 1, "torch.log({0})"),
    "sqrt": Operation(_sqrt, 1, 1, "torch.sqrt({0})"),
    "tanh": Operation(_tanh, 1, 1, "torch.tanh({0})"),
    "abs": Operation(lambda x: _through(x, x.value.abs(), x.value.sign()), 1, 1, "torch.abs({0})"),
    "min": Operation(_many(torch.lt), 2, 8, "torch.minimum({0}, {1})"),
    "max": Operation(_many(torch.gt), 2, 8, "torch.maximum({0}, {1})"),
}
