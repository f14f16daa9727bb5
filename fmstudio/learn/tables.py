"""Points from files: CSV text and NumPy arrays, read with suspicion.

A file has one or two columns of numbers, and may have a column of labels. Whatever does not fit is refused
with the row's number, counted as a text editor counts lines (CSV) or from 1 (arrays).
"""

from __future__ import annotations

import csv
import io
import math
import re
import tokenize
from dataclasses import dataclass

import numpy as np
import torch

from fmstudio.learn.cloud import MOST_CLASSES, Cloud, standardised
from fmstudio.learn.table_size import check_columns

LARGEST_FILE = 5_000_000
MOST_ROWS = 100_000
_LARGEST_NUMBER = 1e30
_LABEL_NAMES = ("label", "labels", "class", "category", "target", "group", "species", "cluster")
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]+(?:[eE][+-]?[0-9]+)?")


def from_csv(data: bytes) -> Cloud:
    """A cloud from CSV text, standardised.

    The delimiter (comma, semicolon, tab, bar or spaces) is the one that splits the first lines evenly; with
    any but the comma, a decimal comma is understood. A first row of names is recognised by words above
    numbers. A column of numbers is one where more than half of the cells are; the first two are the
    coordinates. The classes are the column named label, class, category, target, group, species or cluster,
    else the first column of words, of at most 64 kinds; in a table without names also a third and last column
    of whole numbers from 0 to 63. They are numbered from 0 in order. Empty lines and lines that start with #
    are skipped.

    Args:
        data: the file's bytes, UTF-8, at most 5 MB and 100,000 rows.

    Returns:
        The cloud; its note says which columns were taken.

    Raises:
        ValueError: what was expected and, where a row is at fault, its line number.
    """
    rows = _rows(data)
    table = _table(rows)
    points = np.array([[_number(row, c, table) for c in table.coordinates] for row in table.rows])
    labels, kinds = (None, []) if table.label is None else _labels(table)
    names = tuple(table.names[c] for c in table.coordinates)
    return standardised(torch.from_numpy(points), labels, names, _note(table, kinds))


def from_npy(data: bytes) -> Cloud:
    """A cloud from a .npy file, standardised.

    The array has shape (n,), (n, 1), (n, 2), or (n, 3) with whole numbers from 0 to 63 as classes in the last
    column, which are numbered anew without gaps; of a wider array the first two columns are taken. Pickled
    objects are never read.

    Args:
        data: the file's bytes, at most 5 MB and 100,000 rows.

    Raises:
        ValueError: what was expected, and the row (from 1) that is not finite.
    """
    _check_size(data)
    if not data.startswith(b"\x93NUMPY"):
        raise ValueError("This is not a .npy file; write one with numpy.save.")
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        if version not in read:
            raise ValueError(f"version {version} of the format")
        shape, _, dtype = read[version](stream)
    except (ValueError, EOFError, SyntaxError, TypeError, UnicodeError, tokenize.TokenError) as error:
        raise ValueError(f"The .npy header cannot be read: {error}.") from None
    if dtype.kind not in "fiub" or dtype.hasobject:
        raise ValueError(f"Expected an array of real numbers; got {dtype}.")
    if not 1 <= len(shape) <= 2:
        raise ValueError(f"Expected an array of shape (n,) or (n, columns); got {shape}.")
    _check_count(shape[0])
    # The header is checked against the bytes before any memory is taken for what it claims.
    if math.prod(shape) * dtype.itemsize != len(data) - stream.tell():
        raise ValueError(f"The file does not hold the {shape} array that its header claims.")
    stream.seek(0)
    array = np.load(stream, allow_pickle=False).reshape(shape[0], -1).astype(np.float64)
    if not array.shape[1]:
        raise ValueError("The array has no columns.")
    bad = np.flatnonzero(~(np.abs(array) <= _LARGEST_NUMBER).all(1))
    if len(bad):
        raise ValueError(
            f"Row {bad[0] + 1}: {array[bad[0]].tolist()}; every number must be finite and below 1e30."
        )
    taken, last = array[:, :2], array[:, -1]
    labels = None
    if array.shape[1] == 3 and _are_labels(last):
        labels = torch.from_numpy(last).unique(return_inverse=True)[1]
    note = "The third column holds the classes." if labels is not None else ""
    if array.shape[1] > 2 and labels is None:
        note = f"The first two of {array.shape[1]} columns were taken."
    names = tuple(f"Column {c + 1}" for c in range(taken.shape[1]))
    return standardised(torch.from_numpy(taken.copy()), labels, names, note)


@dataclass(frozen=True)
class _Row:
    line: int
    cells: list[str]


@dataclass(frozen=True)
class _Table:
    rows: list[_Row]
    names: list[str]
    coordinates: list[int]
    label: int | None
    comma: bool


def _check_size(data: bytes) -> None:
    if len(data) > LARGEST_FILE:
        raise ValueError(f"The file has {len(data):,} bytes; at most {LARGEST_FILE:,} are read.")


def _check_count(count: int) -> None:
    if not 2 <= count <= MOST_ROWS:
        raise ValueError(f"Expected 2 to {MOST_ROWS:,} rows of points; got {count:,}.")


def _rows(data: bytes) -> tuple[list[_Row], bool]:
    """The rows with their line numbers, and whether a comma may be a decimal comma."""
    _check_size(data)
    check_columns(data)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"The file is not UTF-8 text (byte {error.start + 1}); save it as UTF-8 CSV."
        ) from None
    if "\0" in text:
        raise ValueError("The file holds zero bytes; it is not CSV text.")
    delimiter = _delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=delimiter == " ")
    rows: list[_Row] = []
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            while delimiter == " " and cells and not cells[-1]:
                cells.pop()
            if any(cells) and not cells[0].startswith("#"):
                rows.append(_Row(reader.line_num, cells))
            if len(rows) > MOST_ROWS + 1:
                raise ValueError(f"The file has more than {MOST_ROWS:,} rows.")
    except csv.Error as error:
        raise ValueError(f"Line {reader.line_num} is not CSV: {error}.") from None
    return rows, delimiter != ","


def _delimiter(text: str) -> str:
    """Semicolon, tab or bar where half of the first lines have one; else the comma; else spaces."""
    lines = [line.strip() for line in text[:20_000].splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")][:20]
    for delimiter in (";", "\t", "|", ","):
        if 2 * sum(delimiter in line for line in lines) > len(lines):
            return delimiter
    return " " if any(" " in line for line in lines[1:]) else ","


def _float(cell: str, comma: bool) -> float | None:
    """The cell as a number (possibly not finite), or None for anything else."""
    if comma and _DECIMAL_COMMA.fullmatch(cell):
        cell = cell.replace(",", ".")
    try:
        return float(cell)
    except ValueError:
        return None


def _table(read: tuple[list[_Row], bool]) -> _Table:
    """Which row holds names, which columns coordinates, and which labels."""
    rows, comma = read
    if len(rows) < 2:
        raise ValueError(f"Expected at least 2 rows of points; got {len(rows)}.")
    width = len(rows[1].cells)
    for row in rows:
        if len(row.cells) != width:
            raise ValueError(f"Line {row.line} has {len(row.cells)} columns; expected {width}.")
    is_number = [_mostly_numbers([row.cells[c] for row in rows[1:]], comma) for c in range(width)]
    top = [_float(cell, comma) for cell in rows[0].cells]
    of_numbers = [value is not None for number, value in zip(is_number, top, strict=True) if number]
    named = bool(of_numbers) and not any(of_numbers)
    header = rows[0].cells
    names = [cell if named and cell else f"Column {c + 1}" for c, cell in enumerate(header)]
    rows = rows[1:] if named else rows
    _check_count(len(rows))
    label = _label_column(rows, names, is_number, comma)
    # A first column without a name, where the others have one, is the row's number.
    first = int(named and width > 1 and not header[0])
    coordinates = [c for c in range(first, width) if is_number[c] and c != label][:2]
    if not coordinates:
        raise ValueError("Expected one or two columns of numbers; found none.")
    return _Table(rows, names, coordinates, label, comma)


def _mostly_numbers(cells: list[str], comma: bool) -> bool:
    """Whether more than half of the cells are numbers, so that the others are mistakes and not words."""
    return 2 * sum(_float(cell, comma) is not None for cell in cells) > len(cells)


def _label_column(rows: list[_Row], names: list[str], is_number: list[bool], comma: bool) -> int | None:
    few = [len({row.cells[c] for row in rows}) <= MOST_CLASSES for c in range(len(names))]
    for c, name in enumerate(names):
        if name.casefold() in _LABEL_NAMES and few[c]:
            return c
    for c, number in enumerate(is_number):
        if not number and few[c]:
            return c
    if len(names) == 3 and all(is_number) and all(name.startswith("Column ") for name in names):
        last = [_float(row.cells[2], comma) for row in rows]
        if None not in last and _are_labels(np.array(last, dtype=np.float64)):
            return 2
    return None


def _are_labels(values: np.ndarray) -> bool:
    return bool(((values >= 0) & (values < MOST_CLASSES) & (values == np.floor(values))).all())


def _number(row: _Row, column: int, table: _Table) -> float:
    cell = row.cells[column]
    value = _float(cell, table.comma)
    if value is None:
        what = repr(cell[:40]) if cell else "empty"
        raise ValueError(f"Line {row.line}: {table.names[column]} is {what}; expected a number.")
    if not abs(value) <= _LARGEST_NUMBER:
        raise ValueError(
            f"Line {row.line}: {table.names[column]} is {cell[:40]}; "
            "every number must be finite and below 1e30."
        )
    return value


def _labels(table: _Table) -> tuple[torch.Tensor, list[str]]:
    """Classes numbered from 0 in the order of their numbers or words, and those words."""
    assert table.label is not None
    cells = [row.cells[table.label] for row in table.rows]
    for row, cell in zip(table.rows, cells, strict=True):
        if not cell:
            raise ValueError(f"Line {row.line}: the label in {table.names[table.label]} is empty.")
    values = {cell: _float(cell, table.comma) for cell in cells}
    kinds = sorted(values, key=lambda cell: (math.inf if values[cell] is None else values[cell], cell))
    place = {kind: k for k, kind in enumerate(kinds)}
    return torch.tensor([place[cell] for cell in cells]), kinds


def _note(table: _Table, kinds: list[str]) -> str:
    left = [c for c in range(len(table.names)) if c not in (*table.coordinates, table.label)]
    note = f"Coordinates: {' and '.join(table.names[c] for c in table.coordinates)}."
    if table.label is not None:
        shown = ", ".join(f"{kind[:20]} = {k}" for k, kind in enumerate(kinds[:6]))
        note += f" Classes from {table.names[table.label]}: {shown}{' …' if len(kinds) > 6 else ''}."
    if left:
        more = f" and {len(left) - 3} more" if len(left) > 3 else ""
        note += f" Left out: {', '.join(table.names[c] for c in left[:3])}{more}."
    return note
