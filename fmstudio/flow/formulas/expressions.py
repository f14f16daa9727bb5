"""Expressions in the time t as small trees: their value and slope, their torch code, their normal form.

A tree is made of numbers, the constants π and e, the time, and the operations of ``flow.duals``. Its normal
form is text that reads back as the same tree: ``cos(pi*t/2)^2``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from fmstudio.flow.formulas.duals import NEGATE, OPERATIONS, Dual

CONSTANTS = {"pi": math.pi, "e": math.e}

#: How tightly the operations bind; all others are calls, with brackets of their own.
_BINDS = {"+": 1, "-": 1, "*": 2, "/": 2, NEGATE: 2, "**": 3}
_CALL = 4
#: A part without t is shown as its value where that is this close to one with few digits.
_PLAIN, _DIGITS = 1e-12, 4


@dataclass(frozen=True)
class Node:
    """A node of the tree: a number ≥ 0, a constant ("pi", "e"), the time ("t"), or an operation on nodes."""

    what: float | str
    parts: tuple[Node, ...] = ()

    def dual(self, t: Tensor) -> Dual:
        """Value and derivative at times t (float64)."""
        if self.what == "t":
            return Dual(t, torch.ones_like(t))
        number = CONSTANTS.get(self.what) if isinstance(self.what, str) else self.what
        if number is not None:
            return Dual(torch.full_like(t, number), None)
        return OPERATIONS[str(self.what)].rule(*(part.dual(t) for part in self.parts))

    @property
    def moves(self) -> bool:
        """Whether t occurs in it."""
        return self.what == "t" or any(part.moves for part in self.parts)

    def number(self) -> float:
        """The value of a tree without t."""
        return float(self.dual(torch.zeros((), dtype=torch.float64)).value)

    def code(self) -> str:
        """The same as torch code in ``t``; parts without t are written as the number they are."""
        if self.what == "t":
            return "t"
        if not self.moves:
            number = self.number()
            return repr(number) if math.isfinite(number) else f"float('{number}')"
        operation = OPERATIONS[str(self.what)]
        codes = [part.code() for part in self.parts]
        if self.what not in ("min", "max"):
            return operation.code.format(*codes)
        tensors = [
            code if part.moves else f"torch.full_like(t, {code})"
            for part, code in zip(self.parts, codes, strict=True)
        ]
        best = tensors[0]
        for other in tensors[1:]:
            best = operation.code.format(best, other)
        return best

    def text(self) -> str:
        """The normal form: typed signs, ``^`` for powers, brackets only where they are needed."""
        if not isinstance(self.what, str):
            return repr(self.what).removesuffix(".0")
        if not self.parts:
            return self.what
        binds = _BINDS.get(self.what)
        if binds is None:
            return f"{self.what}({', '.join(part.text() for part in self.parts)})"
        if self.what == NEGATE:
            return "-" + self.parts[0]._within(binds + 1)
        left, right = self.parts
        if self.what == "**":
            return f"{left._within(_CALL)}^{right._within(_CALL)}"
        return f"{left._within(binds)}{self.what}{right._within(binds + 1, inner=True)}"

    def _within(self, binds: int, *, inner: bool = False) -> str:
        """The normal form inside an operation; ``inner``: at its right, where a sign needs brackets."""
        own = _BINDS.get(str(self.what), _CALL) if self.parts else _CALL
        text = self.text()
        return f"({text})" if own < binds or (inner and text.startswith("-")) else text

    def at(self, t: float) -> Node:
        """The tree with a number in the place of t; what is then plain arithmetic is done."""
        if self.what == "t":
            return Node(float(t))
        return joined(self.what, *(part.at(t) for part in self.parts)) if self.parts else self


ZERO, ONE = Node(0.0), Node(1.0)


def joined(what: float | str, *parts: Node) -> Node:
    """An operation on nodes, without what changes nothing: x + 0, x·1, x/1, and numbers of few digits."""
    node = Node(what, parts)
    if not node.moves:
        value = node.number()
        short = round(value, _DIGITS)
        if abs(value - short) <= _PLAIN:
            return Node(abs(short)) if short >= 0 else Node(NEGATE, (Node(-short),))
    match what, parts:
        case ("*" | "/" | "**", (kept, other)) if other == ONE:
            return kept
        case ("+" | "-", (kept, other)) if other == ZERO:
            return kept
        case ("*", (other, kept)) if other == ONE:
            return kept
        case ("+", (other, kept)) if other == ZERO:
            return kept
        case ("-", (other, kept)) if other == ZERO:
            return Node(NEGATE, (kept,))
        case ("-", (kept, Node(parts=(other,)) as right)) if right.what == NEGATE:
            return joined("+", kept, other)
        case _:
            pass
    return node
