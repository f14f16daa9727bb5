"""A table that was brought: its columns, what each holds, and which rows lack what.

A column of numbers is one where more than half of the cells that are not missing are numbers under one
notation. Nothing is chosen here: see :mod:`fmstudio.learn.clouds.choice`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fmstudio.learn.clouds.cloud import MOST_CLASSES
from fmstudio.learn.clouds.numbers import (
    PLAIN,
    Notation,
    is_missing,
    is_number,
    notation_of,
    sure_decimal,
)
from fmstudio.learn.clouds.text import MOST_ROWS, Row, Rows, rows_of

Kind = Literal["numbers", "row numbers", "words", "empty"]

#: Rows that a table shows of itself.
SHOWN_ROWS = 4
_ROW_NAMES = ("id", "index", "row", "rownames", "row.names", "unnamed: 0", "nr", "no", "no.")
_SAMPLE = 2_000


@dataclass(frozen=True, eq=False)
class Column:
    """One column.

    Args:
        name: as the file has it, or "Column 3".
        kind: "row numbers" count the rows and say nothing about them.
        values: shape (n,), the numbers; NaN where a cell is missing or no number.
        missing: cells in which nothing was measured.
        head: the first cells as they stand in the file.
        codes: shape (n,), the place of each row's cell among ``kinds``; −1 where it is missing.
        kinds: the different cells in the order of their numbers, then of their letters; None where there
            are too many to be classes.
        count_kinds: how many there are.
        notation: how its numbers are written.
        shares: whether some are written with a percent sign.
        odd: the first cell that is neither a number nor missing, of a column of numbers, with its row.
    """

    name: str
    kind: Kind
    values: NDArray[np.float64]
    missing: int
    head: tuple[str, ...]
    codes: NDArray[np.int64] | None
    kinds: tuple[str, ...] | None
    count_kinds: int
    notation: Notation = PLAIN
    shares: bool = False
    odd: tuple[int, str] | None = None


@dataclass(frozen=True, eq=False)
class Table:
    """What a file holds.

    Args:
        columns: at least one, of n values each.
        lines: shape (n,), where each row stands in the file, counted from 1.
        said: what was done to read it, a clause each.
        named: whether the file names its columns.
        unit: what a row's number counts, "line" or "row".
    """

    columns: tuple[Column, ...]
    lines: NDArray[np.int64]
    said: tuple[str, ...] = ()
    named: bool = True
    unit: str = "line"

    @property
    def count(self) -> int:
        """Rows."""
        return len(self.lines)

    def place(self, name: str) -> int:
        """The number of a column.

        Raises:
            ValueError: no column has this name.
        """
        names = [column.name for column in self.columns]
        if name not in names:
            known = ", ".join(names[:12]) + (" …" if len(names) > 12 else "")
            raise ValueError(f"There is no column {name!r}; the columns are {known}.")
        return names.index(name)


def table_of_text(data: bytes) -> Table:
    """The table in a text file: CSV, TSV, or columns between semicolons, bars or spaces.

    A first row of names is recognised by words above numbers; words under the names and above the numbers are
    units, and left out. Two rows of names in which the second repeats (x, y, x, y, …) are blocks side by
    side: they are put below each other, with the block's name as a column.

    Args:
        data: the file's bytes.

    Raises:
        ValueError: what was expected and what was found.
    """
    read = rows_of(data)
    rows, names, said = _headed(read)
    blocks = _blocks(names)
    if blocks:
        said = (*said, f"{len(names[0]) // blocks} blocks of columns put below each other")
        names, rows = _stacked(names[0], names[1], rows, blocks)
    check_count(len(rows))
    width = len(names[0])
    cells = [[row.cells[c] for row in rows] for c in range(width)]
    decimal = _decimal(cells, read.delimiter)
    titles = _titles(names[0], width)
    columns = tuple(column_of(title, each, decimal) for title, each in zip(titles, cells, strict=True))
    table = Table(columns, np.array([row.line for row in rows]), said, bool(any(names[0])))
    return without_row_numbers(table, names[0])


def check_count(count: int) -> None:
    """Refuse a table of fewer than 2 rows or more than 100,000."""
    if not 2 <= count <= MOST_ROWS:
        raise ValueError(f"Expected 2 to {MOST_ROWS:,} rows of points; got {count:,}.")


def column_of(name: str, cells: list[str], decimal: str = ".") -> Column:
    """A column from its cells.

    Args:
        name: for the column.
        cells: of all rows.
        decimal: the decimal mark to prefer; empty where it is not known.
    """
    counted = Counter(cells)
    notation, read, share = notation_of(counted, decimal)
    missing = sum(count for cell, count in counted.items() if cell not in read)
    numeric = share > 0.5
    kind: Kind = "numbers" if numeric else "words" if read else "empty"
    numbers = {cell: value for cell, value in read.items() if numeric and value is not None}
    values = np.array([numbers.get(cell, np.nan) for cell in cells], dtype=np.float64)
    strange = {cell for cell, value in read.items() if numeric and value is None}
    odd = next(((k, cell) for k, cell in enumerate(cells) if cell in strange), None) if strange else None
    kinds = codes = None
    if len(read) <= MOST_CLASSES:
        order = {cell: np.inf if value is None else value for cell, value in read.items()}
        kinds = tuple(sorted(read, key=lambda cell: (order[cell], cell)))
        place = {cell: k for k, cell in enumerate(kinds)}
        codes = np.array([place.get(cell, -1) for cell in cells])
    shares = numeric and any("%" in cell for cell in numbers)
    head = tuple(cells[:SHOWN_ROWS])
    return Column(name, kind, values, missing, head, codes, kinds, len(read), notation, shares, odd)


def without_row_numbers(table: Table, names: list[str]) -> Table:
    """Mark the columns that only count the rows: 1 … n or 0 … n − 1 in order, or called so.

    A column that counts stays one of numbers where it may be a coordinate: without it fewer than two are
    left, and its name does not call it the row's number.

    Args:
        table: with every column of numbers as such.
        names: as the file has them; an empty one, where others are not, is that of row numbers.
    """
    numbers = [k for k, column in enumerate(table.columns) if column.kind == "numbers"]
    called = {k for k in numbers if names[k].strip().casefold() in _ROW_NAMES}
    counting = {k for k in numbers if _counts(table.columns[k].values)}
    marked = {k for k in called if k in counting or _all_differ(table.columns[k].values)}
    if numbers[:1] == [0] and not names[0] and any(names):
        marked.add(0)
    if len(numbers) - len(marked | counting) >= 2:
        marked |= counting
    if len(marked) == len(numbers):
        return table  # There is nothing else to look at.
    columns = tuple(
        replace(column, kind="row numbers") if k in marked else column
        for k, column in enumerate(table.columns)
    )
    return replace(table, columns=columns)


def _counts(values: NDArray[np.float64]) -> bool:
    return bool(values[0] in (0, 1) and (values == values[0] + np.arange(len(values))).all())


def _all_differ(values: NDArray[np.float64]) -> bool:
    whole = bool((values == np.floor(values)).all())
    return whole and len(np.unique(values)) == len(values)


def _headed(read: Rows) -> tuple[list[Row], list[list[str]], tuple[str, ...]]:
    """The rows under the names; one or two rows of names, empty where there are none; what was done."""
    rows, said = read.rows, read.said
    width = len(rows[0].cells)
    body = rows[2:] or rows[1:] or rows
    numeric = [c for c in range(width) if _mostly_numbers([row.cells[c] for row in body[:_SAMPLE]])]

    def is_words(row: Row) -> bool:
        """Whether there are words where numbers are expected, and no number."""
        cells = [row.cells[c] for c in numeric]
        return any(not is_missing(cell) for cell in cells) and not any(map(is_number, cells))

    if not numeric or not is_words(rows[0]):
        return rows, [read.heading or [""] * width], said
    top = rows[0].cells
    if len(rows) > 2 and is_words(rows[1]):
        if _blocks([top, rows[1].cells]):
            return rows[2:], [top, rows[1].cells], said
        return rows[2:], [top], (*said, f"line {rows[1].line} holds units and is left out")
    return rows[1:], [top], said


def _mostly_numbers(cells: list[str]) -> bool:
    return notation_of(Counter(cells), "")[2] > 0.5


def _blocks(names: list[list[str]]) -> int:
    """How many columns a block has, of two rows of names such as a a b b over x y x y; else 0."""
    if len(names) < 2:
        return 0
    top, below = names
    width = next((k for k in range(1, len(below)) if below[k] == below[0]), 0)
    if not width or len(below) % width or below != below[:width] * (len(below) // width):
        return 0
    # A spreadsheet that joins cells writes a block's name over its first column only.
    even = all(len(set(top[k : k + width]) - {""}) == 1 and top[k] for k in range(0, len(top), width))
    return width if even and len(set(top) - {""}) == len(top) // width else 0


def _stacked(
    top: list[str], below: list[str], rows: list[Row], width: int
) -> tuple[list[list[str]], list[Row]]:
    """Blocks of columns below each other; rows in which a block has ended go."""
    stacked = [
        Row(row.line, [*row.cells[k : k + width], top[k]])
        for k in range(0, len(top), width)
        for row in rows
        if any(row.cells[k : k + width])
    ]
    return [[*below[:width], "block"]], stacked


def _decimal(columns: list[list[str]], delimiter: str) -> str:
    """The decimal mark of the file: the only one that some columns can have, else what is usual."""
    sure = {sure_decimal(set(cells[:_SAMPLE])) for cells in columns} - {None}
    if len(sure) == 1:
        return str(sure.pop())
    return "." if delimiter == "," else ""


def _titles(names: list[str], width: int) -> list[str]:
    """A name for every column, all different, in one line."""
    titles: list[str] = []
    for c in range(width):
        title = " ".join(filter(str.isprintable, names[c].split()))[:60] or f"Column {c + 1}"
        again = 2
        while title in titles:
            title, again = f"{title.rsplit(' (', 1)[0]} ({again})", again + 1
        titles.append(title)
    return titles
