"""Text files as rows of cells: encoding, delimiter, comments, titles, cut and overlong rows.

What a spreadsheet, R, pandas, numpy or an instrument writes is read without being asked how it was written;
whatever had to be decided is said in :attr:`Rows.said`.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from fmstudio.learn.clouds.numbers import is_missing, is_number

LARGEST_FILE = 5_000_000
MOST_ROWS = 100_000
MOST_COLUMNS = 256
_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe\x00\x00", "utf-32"), (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"),
)  # fmt: skip
_COMMENT = ("#", "%", "//")
_SEPARATOR = re.compile(r"sep=(.|\\t)", re.IGNORECASE)
_TRIED = 60

NONE = "\x1f"
"""The delimiter of a file of one column."""


@dataclass(frozen=True)
class Row:
    """Cells, and the line of the file that they end on, counted as a text editor counts."""

    line: int
    cells: list[str]


@dataclass(frozen=True)
class Rows:
    """A file's rows, all of one length.

    Args:
        rows: at least one.
        heading: what a comment just above the first row says, cut into cells, if they are as many.
        delimiter: what stood between the cells.
        said: what was done to read them, a clause each.
    """

    rows: list[Row]
    heading: list[str]
    delimiter: str
    said: tuple[str, ...]


def check_size(data: bytes) -> None:
    """Refuse more than 5 MB."""
    if len(data) > LARGEST_FILE:
        raise ValueError(f"The file has {len(data):,} bytes; at most {LARGEST_FILE:,} are read.")


def rows_of(data: bytes) -> Rows:
    """The rows of a text file.

    Comments (lines that start with #, % or //), empty lines and lines above the table that are no part of it
    are skipped; separators at the end of every line are taken off; rows that are too short are filled with
    empty cells, and those that are too long are left out.

    Args:
        data: UTF-8, UTF-16 or UTF-32 by their byte-order mark, else UTF-8, else Windows-1252; at most 5 MB.

    Raises:
        ValueError: too large, no text, no rows, or more than 100,000 rows.
    """
    check_size(data)
    text, encoding = _decoded(data)
    said = [f"read as {encoding}"] if encoding else []
    lines = text.splitlines(keepends=True)
    told = _SEPARATOR.fullmatch(lines[0].strip()) if lines else None
    delimiter = told[1].replace("\\t", "\t") if told else _delimiter(lines)
    start = 1 if told else 0
    found = list(_cut("".join(lines[start:]), delimiter, start))
    rows = [row for row in found if not _is_comment(row.cells[0])]
    if not rows:
        raise ValueError("Expected rows of numbers; the file has none.")
    above = [row.cells for row in found if row.line < rows[0].line]
    width = _width(rows)
    rows, more = _even(rows, width)
    heading = above[-1] if above and len(above[-1]) == width else []
    if not heading and above and delimiter == " " and len(above[-1]) == width + 1:
        heading = above[-1][1:]  # The sign of the comment stands alone: "# x y".
    heading = [cell.lstrip("#%/ ") for cell in heading]
    return Rows(rows, heading, delimiter, (*said, *more))


def _is_comment(text: str) -> bool:
    return text.startswith(_COMMENT) and not is_missing(text)


def _decoded(data: bytes) -> tuple[str, str]:
    """The text, and the encoding's name where it is not UTF-8."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            try:
                text = data.decode(encoding).removeprefix("\ufeff")
            except UnicodeDecodeError:
                raise ValueError(
                    f"The file's first bytes say {encoding.upper()}, but it is damaged; save it as UTF-8 CSV."
                ) from None
            return _no_zeros(text), "" if encoding == "utf-8-sig" else encoding.upper()
    try:
        return _no_zeros(data.decode("utf-8")), ""
    except UnicodeDecodeError:
        return _no_zeros(data.decode("cp1252", errors="replace")), "Windows-1252"


def _no_zeros(text: str) -> str:
    if "\0" in text:
        raise ValueError("The file holds zero bytes; it is not CSV text. Save the table as UTF-8 CSV.")
    return text


def _cut(text: str, delimiter: str, before: int = 0) -> Iterator[Row]:
    """The rows that are not empty, comments included."""
    spaced = delimiter == " "
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    count = 0
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            while spaced and cells and not cells[-1]:
                cells.pop()
            if not any(cells):
                continue
            yield Row(before + reader.line_num, cells)
            count += 1
            if count > MOST_ROWS + 100:
                raise ValueError(f"The file has more than {MOST_ROWS:,} rows.")
    except csv.Error as error:
        raise ValueError(f"Line {before + reader.line_num} is not CSV: {error}.") from None


def _delimiter(lines: list[str]) -> str:
    """What separates the cells: where it is used, the first lines have one width and columns of numbers."""
    tried = [line for line in lines if line.strip() and not _is_comment(line.lstrip())][:_TRIED]
    best, most = ",", 0.0
    for delimiter in (";", "\t", "|", ",", " ", NONE):
        score = _fits(tried, delimiter)
        if score > most + 1e-9:
            best, most = delimiter, score
    return best


def _fits(lines: list[str], delimiter: str) -> float:
    """How well a delimiter explains lines; for :data:`NONE`, one column."""
    if delimiter != NONE and not any(delimiter in line for line in lines):
        return 0.0
    try:
        rows = [row.cells for row in _cut("".join(lines), delimiter)]
    except ValueError:
        return 0.0
    if not rows:
        return 0.0
    width = Counter(map(len, rows)).most_common(1)[0][0]
    if width < 2 and delimiter != NONE:
        return 0.0
    if delimiter == NONE and not all(is_number(cell) for row in rows for cell in row if "," in cell):
        return 0.0
    even = [row for row in rows if len(row) == width]
    columns = [[cell for cell in column if not is_missing(cell)] for column in zip(*even, strict=True)]
    numeric = sum(2 * sum(map(is_number, column)) > len(column) for column in columns if column)
    # A table of words alone is one too, if nothing better is found.
    return len(even) / len(rows) * (numeric / len(columns) + 1e-3 * (width > 1))


def _width(rows: list[Row]) -> int:
    """How many cells most rows have; separators at the end of every line make none."""
    width = Counter(len(row.cells) for row in rows).most_common(1)[0][0]
    while width > 1 and not any(row.cells[width - 1] for row in rows if len(row.cells) >= width):
        width -= 1
    return width


def _even(rows: list[Row], width: int) -> tuple[list[Row], list[str]]:
    """The rows with so many cells each, and what was done to others."""
    said: list[str] = []
    first = next(
        k for k, row in enumerate(rows) if len(row.cells) >= width - (width > 2) or k + 1 == len(rows)
    )
    if first:
        said.append(f"{_lines(first)} above the table skipped")
    rows = rows[first:]
    top = rows[0].cells
    if len(top) == width - 1 > 0 and len(rows) > 1 and not any(map(is_number, top)):
        rows = [Row(rows[0].line, ["", *top]), *rows[1:]]  # As R writes a table: no name over the row names.
    kept: list[Row] = []
    long: list[int] = []
    for row in rows:
        if any(row.cells[width:]):
            long.append(row.line)
        else:
            cells = row.cells[:width]
            kept.append(Row(row.line, cells + [""] * (width - len(cells))))
    if long:
        said.append(f"{_lines(len(long))} with more than {width} cells left out (line {long[0]})")
    if width > MOST_COLUMNS:
        kept = [Row(row.line, row.cells[:MOST_COLUMNS]) for row in kept]
        said.append(f"only the first {MOST_COLUMNS} of {width:,} columns read")
    if not kept:
        raise ValueError("Expected rows of numbers; the file has none.")
    return kept, said


def _lines(count: int) -> str:
    return "1 line" if count == 1 else f"{count:,} lines"
