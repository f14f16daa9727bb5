"""Cells of a table as numbers: one way of writing them for a whole column, found from its cells.

"1,234" is a thousand in one file and a little more than one in another. A :class:`Notation` says which sign
marks the decimals and which the thousands; a column has the one under which most of its cells are numbers.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

#: Numbers beyond this are no data: their squares overflow.
LARGEST_NUMBER = 1e30
#: What stands in a cell where nothing was measured, besides an empty one.
MISSING = frozenset(("", "na", "n/a", "#n/a", "nan", "null", "-", "–", "—", "?", "."))
_LONGEST_MISSING = 8
_SIGNS = str.maketrans({"−": "-", "\u00a0": " ", "\u202f": " ", "\u2009": " ", "’": "'"})
_CURRENCY = re.compile(r"^([+-]?) ?[$€£¥] ?|(?<=[0-9]) ?[$€£¥]$")
_NAMES = {",": "a comma", ".": "a point", " ": "a space", "'": "an apostrophe"}


@dataclass(frozen=True)
class Notation:
    """How numbers are written.

    Args:
        decimal: the decimal mark, "." or ",".
        thousands: what stands between groups of three digits, or an empty text.
    """

    decimal: str = "."
    thousands: str = ""

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        mark, group = re.escape(self.decimal), re.escape(self.thousands)
        digits = rf"[0-9]+(?:{mark}[0-9]*)?|{mark}[0-9]+"
        if group:
            digits = rf"[0-9]{{1,3}}(?:{group}[0-9]{{3}})+(?:{mark}[0-9]*)?|{digits}"
        return re.compile(rf"[+-]?(?:{digits})(?:[eE][+-]?[0-9]+)?")

    def value(self, cell: str) -> float | None:
        """The cell as a finite number up to 1e30; None for anything else. "10 %" is 0.1."""
        text, share = cell, False
        if not self._pattern.fullmatch(text):  # Most cells are as plain as that.
            text = cell.translate(_SIGNS).strip()
            share = text.endswith("%")
            text = _CURRENCY.sub(r"\1", text.removesuffix("%").rstrip())
            if not self._pattern.fullmatch(text):
                return None
        if self.thousands:
            text = text.replace(self.thousands, "")
        number = float(text.replace(self.decimal, ".")) / (100 if share else 1)
        return number if abs(number) <= LARGEST_NUMBER else None

    def __str__(self) -> str:
        said = ["decimal comma"] * (self.decimal == ",")
        said += [f"thousands marked by {_NAMES[self.thousands]}"] if self.thousands else []
        return " and ".join(said)


PLAIN, COMMA = Notation(), Notation(",")
NOTATIONS = (
    PLAIN, Notation(".", ","), COMMA, Notation(",", "."),
    Notation(".", " "), Notation(",", " "), Notation(".", "'"), Notation(",", "'"),
)  # fmt: skip
"""In the order in which they are preferred where the comma separates the cells."""


def is_missing(cell: str) -> bool:
    """Whether nothing was measured here: empty, NA, N/A, NaN, null, ?, a full stop or a dash alone."""
    return len(cell) <= _LONGEST_MISSING and cell.translate(_SIGNS).strip().casefold() in MISSING


def is_number(cell: str) -> bool:
    """Whether the cell is a number under any notation."""
    return any(notation.value(cell) is not None for notation in NOTATIONS)


def notation_of(cells: Counter[str], decimal: str) -> tuple[Notation, dict[str, float | None], float]:
    """The notation under which most cells are numbers, and what they are under it.

    Args:
        cells: how often each text stands in the column.
        decimal: the decimal mark of the file, preferred where two notations read as many cells; empty where
            it is not known.

    Returns:
        The notation; the number of each cell that is not missing, or None; and the share of numbers among
        them, from 0 to 1; 0 where every cell is missing.
    """
    present = {cell: count for cell, count in cells.items() if not is_missing(cell)}
    best, values, most = PLAIN, dict[str, float | None](), -1
    for notation in sorted(NOTATIONS, key=lambda each: _preference(each, decimal)):
        read = {cell: notation.value(cell) for cell in present}
        count = sum(present[cell] for cell, value in read.items() if value is not None)
        if count > most:
            best, values, most = notation, read, count
        if most == sum(present.values()):
            break
    return best, values, most / (sum(present.values()) or 1)


def _preference(notation: Notation, decimal: str) -> tuple[bool, ...]:
    # "1.234" is the plain number unless decimal commas stand elsewhere in the file, and "1,234" a decimal
    # comma unless decimal points do.
    return (bool(notation.thousands), notation != PLAIN) if not decimal else (notation.decimal != decimal,)


def sure_decimal(cells: Iterable[str]) -> str | None:
    """The decimal mark if only one of the two makes numbers of these cells, else None."""
    present = [cell for cell in cells if not is_missing(cell)]
    able = {
        mark
        for mark in ".,"
        if present
        and any(
            all(notation.value(cell) is not None for cell in present)
            for notation in NOTATIONS
            if notation.decimal == mark
        )
    }
    return able.pop() if len(able) == 1 else None


def shown(number: float) -> str:
    """A number as a sentence shows it: six digits, a true minus sign."""
    return f"{number:.6g}".replace("-", "−") if math.isfinite(number) else str(number)
