"""Formulas typed by a person: a_t and b_t of a path of one's own.

A formula is read with Python's grammar, but never run as Python: the text becomes a small tree of numbers,
the time t, and the operations of ``OPERATIONS``; everything else is refused by name. The tree is evaluated on
tensors of times as value and derivative together (forward automatic differentiation), so it also works where
recording is off, and in several threads at once.

Allowed: numbers, ``t``, ``pi`` or ``π``, ``e``, ``+ − * × / ÷``, powers as ``**`` or ``^``, parentheses, and
sin, cos, tan, exp, log, sqrt, tanh, abs, min, max.
"""

from __future__ import annotations

import ast
import math
import re
from dataclasses import dataclass, field

import torch
from torch import Tensor

from fmstudio.flow.duals import NEGATE, OPERATIONS, Dual
from fmstudio.flow.paths import Coefficients, Path

LONGEST = 200
DEEPEST = 100
_TYPED = str.maketrans({"−": "-", "–": "-", "×": "*", "·": "*", "÷": "/", "π": "pi", "^": "**"})
_KINKS = re.compile(r"\b(min|max|abs)\b")
_TOKEN = re.compile(
    r" *(?:(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z]\w*)|(?P<mark>[-+*/(),]))"
)
_CONSTANTS = {"pi": math.pi, "e": math.e}


_FUNCTIONS = [name for name in OPERATIONS if name.isalpha()]
_BINARY: dict[type[ast.operator], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**",
}  # fmt: skip


@dataclass(frozen=True)
class Node:
    """A node of the tree: a number, the time ("t"), or an operation on nodes."""

    what: float | str
    parts: tuple[Node, ...] = ()

    def dual(self, t: Tensor) -> Dual:
        """Value and derivative at times t (float64)."""
        if isinstance(self.what, float):
            return Dual(torch.full_like(t, self.what), None)
        if self.what == "t":
            return Dual(t, torch.ones_like(t))
        return OPERATIONS[str(self.what)].rule(*(part.dual(t) for part in self.parts))

    def code(self) -> str:
        """The same as torch code in ``t``; parts without t are written as the number they are."""
        if self.what == "t":
            return "t"
        if not self._moves():
            number = float(self.dual(torch.zeros((), dtype=torch.float64)).value)
            return repr(number) if math.isfinite(number) else f"float('{number}')"
        operation = OPERATIONS[str(self.what)]
        codes = [part.code() for part in self.parts]
        if self.what not in ("min", "max"):
            return operation.code.format(*codes)
        tensors = [
            code if part._moves() else f"torch.full_like(t, {code})"
            for part, code in zip(self.parts, codes, strict=True)
        ]
        best = tensors[0]
        for other in tensors[1:]:
            best = operation.code.format(best, other)
        return best

    def _moves(self) -> bool:
        return self.what == "t" or any(part._moves() for part in self.parts)


@dataclass(frozen=True)
class Formula:
    """A formula in t, read from text.

    >>> Formula("2*t^2 − 1").at(torch.tensor([0.0, 1.0]))[0].tolist()
    [-1.0, 1.0]

    Args:
        text: at most 200 characters of the module's grammar.

    Raises:
        ValueError: naming what is not allowed, or where the text stops making sense.
    """

    text: str
    tree: Node = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tree", _parse(self.text))

    def at(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Value and derivative at times t of any shape; computed in float64 and returned in t's dtype.

        Where the formula has no finite value, both may be ±inf or NaN; nothing is hidden here.
        """
        # Apple's GPUs have no float64.
        wide = torch.float32 if t.device.type == "mps" else torch.float64
        value, slope = self.tree.dual(t.to(wide))
        slope = torch.zeros_like(value) if slope is None else slope
        return value.to(t.dtype), slope.to(t.dtype)

    def code(self) -> str:
        """A Python expression in ``t`` that uses only torch.

        >>> Formula("cos(pi*t/2)").code()
        'torch.cos(((3.141592653589793 * t) / 2.0))'
        """
        return self.tree.code()


def _parse(text: str) -> Node:
    if len(text) > LONGEST:
        raise ValueError(f"A formula has at most {LONGEST} characters; got {len(text)}.")
    plain = " ".join(text.translate(_TYPED).split())
    if not plain:
        raise ValueError("The formula is empty; write one in t, for example 1 - t.")
    _check_tokens(plain, text)
    try:
        body = ast.parse(plain, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        place = f" near character {error.offset}" if isinstance(error, SyntaxError) and error.offset else ""
        raise ValueError(f"Cannot read the formula {text!r}{place}; check its brackets and signs.") from None
    return _node(body, 0)


def _check_tokens(plain: str, text: str) -> None:
    """Only numbers, known names and the marks of the grammar reach Python's parser."""
    at, before = 0, ""
    while at < len(plain):
        match = _TOKEN.match(plain, at)
        if match is None:
            rest = plain[at:].lstrip()
            raise ValueError(f"{rest[0]!r} is not allowed in a formula; got {text!r}.")
        kind, token = str(match.lastgroup), match[match.lastgroup or 0]
        if kind == "name" and token not in ("t", *_CONSTANTS, *_FUNCTIONS):
            raise ValueError(
                f"{token!r} is not allowed in a formula; it may use t, pi, e and {', '.join(_FUNCTIONS)}."
            )
        if before == "number" and (kind != "mark" or token == "("):
            raise ValueError(f"Write a product with *, for example 2*t; got {text!r}.")
        at, before = match.end(), kind


def _node(tree: ast.expr, depth: int) -> Node:
    if depth > DEEPEST:
        raise ValueError(f"The formula is nested more than {DEEPEST} deep; write it shorter.")
    match tree:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            number = float(value)
            if not math.isfinite(number):
                raise ValueError("A number in the formula is too large.")
            return Node(number)
        case ast.Name(id="t"):
            return Node("t")
        case ast.Name(id=name) if name in _CONSTANTS:
            return Node(_CONSTANTS[name])
        case ast.Name(id=name):
            raise ValueError(f"{name} is a function; write {name}(t).")
        case ast.UnaryOp(op=ast.UAdd(), operand=part):
            return _node(part, depth + 1)
        case ast.UnaryOp(op=ast.USub(), operand=part):
            return Node(NEGATE, (_node(part, depth + 1),))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return Node(_BINARY[type(op)], (_node(left, depth + 1), _node(right, depth + 1)))
        case ast.Call(func=ast.Name(id=name), args=parts, keywords=[]) if name in OPERATIONS:
            operation = OPERATIONS[name]
            if not operation.fewest <= len(parts) <= operation.most:
                count = str(operation.fewest) if operation.most == operation.fewest else "2 to 8"
                raise ValueError(f"{name} takes {count} argument(s); got {len(parts)}.")
            return Node(name, tuple(_node(part, depth + 1) for part in parts))
        case ast.Call(func=called):
            raise ValueError(f"{ast.unparse(called)} is not a function; write a product with *.")
        case ast.Tuple():
            raise ValueError("A comma only separates the arguments of min and max; write 0.5, not 0,5.")
        case _:
            raise ValueError(f"{ast.unparse(tree)!r} is not allowed in a formula.")


@dataclass(frozen=True)
class Custom(Path):
    """A path of one's own: x_t = a_t x₀ + b_t x₁ with typed formulas for a_t and b_t.

    The formulas are checked in float64 at the ends and on a fine grid: a₀ = b₁ = 1 and a₁ = b₀ = 0 (within
    1e-6, then taken as exact), a, b and their derivatives finite inside (0, 1), b > 0 inside.

    Args:
        a, b: formulas in t; ``^`` is a power, as in ``**``.

    Raises:
        ValueError: saying which coefficient has which value at which t.

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


def _check(formula: Formula, name: str, ends: tuple[float, float]) -> tuple[float, float]:
    """Check one coefficient; return its derivatives at t = 0 and t = 1."""
    near = 10.0 ** -torch.arange(4, 8, dtype=torch.float64)
    # 5,040 parts: t = 1/2, 1/3 … 1/10 and their multiples lie on the grid.
    grid = torch.linspace(0, 1, 5041, dtype=torch.float64)[1:-1]
    inside = torch.cat([near.flip(0), grid, 1 - near])
    (at_0, at_1), end_slopes = (x.tolist() for x in formula.at(torch.tensor([0.0, 1.0], dtype=torch.float64)))
    for t, got, want in ((0, at_0, ends[0]), (1, at_1, ends[1])):
        if not abs(got - want) <= 1e-6:
            gives = f"{got:.6g}" if math.isfinite(got) else "no finite value"
            raise ValueError(f"{name}({t}) must be {want:g}; your formula gives {gives} at t = {t}.")
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
    beside = formula.at(torch.tensor([1e-6, 1 - 1e-6], dtype=torch.float64))[1].tolist()
    kinked = _KINKS.search(formula.text) is not None
    first, last = (
        b if math.isnan(s) or (kinked and math.isfinite(s)) else s
        for s, b in zip(end_slopes, beside, strict=True)
    )
    for t, slope in ((0, first), (1, last)):
        if math.isinf(slope) and (name, t) != ("b", 0):
            raise ValueError(
                f"The derivative of {name}(t) must be finite at t = {t}, or every path would be infinitely "
                f"fast there; your formula gives {slope}."
            )
    return first, last
