"""One sentence on what was done to make a cloud of a table."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from fmstudio.learn.clouds.cloud import Cloud
from fmstudio.learn.clouds.numbers import shown
from fmstudio.learn.clouds.packing import LONGEST_NOTE, PACKED
from fmstudio.learn.clouds.table import Column, Table

_NAME = 24


class Sentence:
    """What was done, a clause after the other."""

    def __init__(self, table: Table, coordinates: list[Column], label: Column | None):
        self._table, self._label = table, label
        self._used = [*coordinates, *([label] if label is not None else [])]
        self._clauses = list(table.said)
        for notation in dict.fromkeys(str(column.notation) for column in coordinates):
            alike = [short(column.name) for column in coordinates if str(column.notation) == notation]
            if notation:
                self.add(f"{notation} in {listed(alike)}")
        shares = [short(column.name) for column in coordinates if column.shares]
        if shares:
            self.add(f"10 % in {listed(shares)} read as 0.1")
        counting = [short(c.name) for c in table.columns if c.kind == "row numbers" and c not in self._used]
        if counting:
            self.add(f"{listed(counting)} only counts the rows and is left out")
        many = [c for c in table.columns if c.kind == "words" and 2 * c.count_kinds >= table.count]
        if label is None and many:
            kinds = f"{many[0].count_kinds:,} kinds in {rows_said(table.count)}"
            self.add(f"{short(many[0].name)} is no class: {kinds}")

    def add(self, clause: str) -> None:
        """One more thing that was done."""
        self._clauses.append(clause)

    def left_out(
        self, values: NDArray[np.float64], codes: NDArray[np.int64], whole: NDArray[np.bool_]
    ) -> None:
        """Which rows lack what, and the first of them."""
        count = int((~whole).sum())
        if not count:
            return
        row = int(np.flatnonzero(~whole)[0])
        empty = [bool(np.isnan(x)) for x in values[row]] + [codes[row] < 0] * (self._label is not None)
        column = self._used[empty.index(True)]
        odd = column.odd[1] if column.odd is not None and column.odd[0] == row else ""
        what = f"is {plain(odd)[:_NAME]!r}" if odd else "is missing"
        where = f"{self._table.unit} {self._table.lines[row]}: {short(column.name)} {what}"
        self.add(f"{rows_said(count)} left out where a used column has no value ({where})")

    def finish(self, cloud: Cloud, names: list[str], kinds: tuple[str, ...], name: str) -> str:
        """The sentence: how many points, what they are, what was done, how they were moved."""
        count = len(cloud.points)
        kept = f"a random {PACKED:,} of {count:,} points" if count > PACKED else f"{count:,} points"
        axes = zip("xy", names, strict=False)
        what = ", ".join(axis if axis == title else f"{axis} is {title}" for axis, title in axes)
        of = f" of {plain(name)[:40]}" if name else ""
        if self._label is not None:
            what += f", the class is {short(self._label.name)} ({len(kinds)} kinds)"
        moved = listed(
            f"{_minus(title, mean, scale)}/{shown(scale)}"
            for title, mean, scale in zip(names, cloud.transform.mean, cloud.transform.scale, strict=True)
        )
        said = "; ".join([f"{kept}{of}: {what}", *self._clauses, f"shown as {moved}"])
        return f"{said[0].upper()}{said[1 : LONGEST_NOTE - 2]}."


def _minus(title: str, mean: float, scale: float) -> str:
    """A coordinate less its mean; a mean that is 0 but for rounding is left off."""
    if abs(mean) < 1e-9 * scale:
        return title
    return f"({title} {'−' if mean > 0 else '+'} {shown(abs(mean))})"


def listed(names: Iterable[str]) -> str:
    """Names as a sentence lists them, three of them at most."""
    first = list(names)
    if len(first) > 3:
        return f"{', '.join(first[:3])} and {len(first) - 3} more"
    return " and ".join(filter(None, [", ".join(first[:-1]), first[-1]]))


def rows_said(count: int) -> str:
    """How many rows."""
    return "1 row" if count == 1 else f"{count:,} rows"


def plain(text: str) -> str:
    """In one line, without signs that are not for print."""
    return "".join(letter for letter in " ".join(text.split()) if letter.isprintable())


def short(name: str) -> str:
    """A column's name, cut where it is long."""
    return name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"
