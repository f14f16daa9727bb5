"""Formulas typed by a person: a_t and b_t of a path of one's own.

A formula is read by a grammar of its own and never run as Python: the text becomes a small tree of numbers,
the time t, and the operations of ``flow.duals``; everything else is refused by name. The tree is evaluated on
tensors of times as value and derivative together (forward automatic differentiation), so it also works where
recording is off, and in several threads at once.

It is read as people write it:

    numbers            0.5, 0,5, 2e-3, ½              t, pi or π, e, in either case
    products           2*t, 2t, 2πt, (1-t)(1+t), ×, ·      quotients  t/2, t÷2
    powers             t^2, t**2, t², t⁻¹, cos²(t)         roots      √t, √(1-t), sqrt(t)
    functions          sin cos tan (tg) exp log (ln) sqrt tanh abs (|t|) min max

    sum      =  product, then + or − products
    product  =  factor, then factors after *, / or nothing
    factor   =  signs, then an atom with its powers;  powers go from right to left, before signs

What can be read in two ways is refused: a product without a sign after a division (1/2t) or in a power
(e^-5t), two numbers side by side, a comma between digits among several arguments of min and max.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from fmstudio.flow.formulas.duals import NEGATE, OPERATIONS
from fmstudio.flow.formulas.expressions import Node
from fmstudio.flow.formulas.tokens import END, Token, tokens_of

LONGEST = 200
DEEPEST = 100
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")


@dataclass(frozen=True)
class Formula:
    """A formula in t, read from text.

    >>> Formula("2t² − 1").at(torch.tensor([0.0, 1.0]))[0].tolist()
    [-1.0, 1.0]

    Args:
        text: at most 200 characters of the module's grammar.

    Raises:
        ValueError: naming what is not allowed, or where the text stops making sense.
    """

    text: str
    tree: Node = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tree", _read(self.text))

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

    def normal(self) -> str:
        """What was read, in normal form: it reads back as the same formula.

        >>> Formula("cos²(πt/2)").normal()
        'cos(pi*t/2)^2'
        """
        return self.tree.text()


def _read(text: str) -> Node:
    if len(text) > LONGEST:
        raise ValueError(f"A formula has at most {LONGEST} characters; got {len(text)}.")
    tokens = tokens_of(text)
    if not tokens:
        raise ValueError("The formula is empty; write one in t, for example 1 - t.")
    return _Reader(text, tokens).whole()


class _Reader:
    """Recursive descent through the grammar of the module's docstring."""

    def __init__(self, text: str, tokens: list[Token]):
        self._text, self._tokens, self._at = text, tokens, 0
        self._open: list[str] = []

    def whole(self) -> Node:
        node = self._sum(0)
        if self._next.text in (",", ";"):
            raise ValueError(
                "A comma separates the arguments of min and max, or stands between digits, as in 0,5."
            )
        if self._next is not END:
            raise self._unreadable()
        return node

    @property
    def _next(self) -> Token:
        return self._tokens[self._at] if self._at < len(self._tokens) else END

    @property
    def _before(self) -> Token:
        return self._tokens[self._at - 1] if self._at else END

    def _take(self, *marks: str) -> str:
        """The next token if it is one of these marks, else ""."""
        if self._next.kind != "mark" or self._next.text not in marks:
            return ""
        self._at += 1
        return self._before.text

    def _unreadable(self) -> ValueError:
        given = repr(self._next.text) if self._next is not END else "the end"
        place = f"after {self._before.text!r} comes {given}" if self._at else f"it begins with {given}"
        return ValueError(f"Cannot read the formula {self._text!r}: {place}; check its brackets and signs.")

    def _sum(self, depth: int) -> Node:
        node = self._product(depth)
        while sign := self._take("+", "-"):
            node = Node(sign, (node, self._product(depth)))
        return node

    def _product(self, depth: int) -> Node:
        node, divided = self._factor(depth), False
        while True:
            if sign := self._take("*", "/"):
                node, divided = Node(sign, (node, self._factor(depth))), sign == "/"
            elif self._begins_an_atom():
                if divided:
                    raise ValueError(
                        f"A product without * after a division can be read in two ways; write t/(2*pi) or "
                        f"t/2*pi; got {self._text!r}."
                    )
                node = Node("*", (node, self._power(depth)))
            else:
                return node

    def _begins_an_atom(self) -> bool:
        token = self._next
        if token.kind == "number":
            raise ValueError(f"Write * or ^ before the number {token.text}; got {self._text!r}.")
        opens = token.text in ("(", "√") or (token.text == "|" and self._open[-1:] != ["|"])
        return token.kind == "name" or opens

    def _factor(self, depth: int) -> Node:
        self._check(depth)
        sign = self._take("+", "-")
        if not sign:
            return self._power(depth)
        part = self._factor(depth + 1)
        return part if sign == "+" else Node(NEGATE, (part,))

    def _power(self, depth: int) -> Node:
        node = self._atom(depth)
        while self._next.kind == "raised":
            node = Node("**", (node, self._raised()))
        if self._take("^"):
            node = Node("**", (node, self._factor(depth + 1)))
            last, after = self._before, self._next
            if last.kind == "number" and after.kind == "name" and last.stop == after.start:
                raise ValueError(
                    f"The power ends in {last.text}{after.text}, which can be read in two ways; write "
                    f"e^(-5*t), or t^2*t; got {self._text!r}."
                )
        return node

    def _raised(self) -> Node:
        text = self._next.text.translate(_RAISED)
        self._at += 1
        size = Node(float(text.lstrip("+-")))
        return Node(NEGATE, (size,)) if text.startswith("-") else size

    def _atom(self, depth: int) -> Node:
        self._check(depth)
        token = self._next
        if token.kind == "number":
            self._at += 1
            number = float(token.text)
            if not math.isfinite(number):
                raise ValueError("A number in the formula is too large.")
            return Node(number)
        if token.kind == "name":
            self._at += 1
            return self._call(token.text, depth) if token.text in OPERATIONS else Node(token.text)
        if mark := self._take("(", "|"):
            self._open.append(mark)
            node = self._sum(depth + 1)
            if not self._take({"(": ")", "|": "|"}[mark]):
                raise self._unreadable()
            self._open.pop()
            return node if mark == "(" else Node("abs", (node,))
        if self._take("√"):
            return Node("sqrt", (self._atom(depth + 1),))
        raise self._unreadable()

    def _call(self, name: str, depth: int) -> Node:
        """A function of what stands in the brackets, perhaps with its power before them."""
        power: Node | None = None
        if self._next.kind == "raised":
            power = self._raised()
        elif self._next.text == "^":
            self._at += 1
            power = self._factor(depth + 1)
        if power is not None and power.what == NEGATE:
            raise ValueError(f"Write 1/{name}(t) for a power of −1; inverse functions are not known here.")
        if not self._take("("):
            raise ValueError(f"{name} is a function; write {name}(t).")
        self._open.append("(")
        parts = [] if self._next.text == ")" else [self._sum(depth + 1)]
        while parts and self._take(",", ";"):
            parts.append(self._sum(depth + 1))
        if not self._take(")"):
            raise self._unreadable()
        self._open.pop()
        operation = OPERATIONS[name]
        if not operation.fewest <= len(parts) <= operation.most:
            count = str(operation.fewest) if operation.most == operation.fewest else "2 to 8"
            raise ValueError(f"{name} takes {count} argument(s); got {len(parts)}.")
        node = Node(name, tuple(parts))
        return node if power is None else Node("**", (node, power))

    def _check(self, depth: int) -> None:
        if depth > DEEPEST:
            raise ValueError(f"The formula is nested more than {DEEPEST} deep; write it shorter.")
