"""Tables from NumPy's .npy files, read with suspicion: pickled objects never are."""

from __future__ import annotations

import io
import math
import tokenize

import numpy as np

from fmstudio.learn.clouds.cloud import MOST_CLASSES
from fmstudio.learn.clouds.numbers import LARGEST_NUMBER
from fmstudio.learn.clouds.table import SHOWN_ROWS, Column, Table, check_count, without_row_numbers
from fmstudio.learn.clouds.text import MOST_COLUMNS, check_size


def table_of_array(data: bytes) -> Table:
    """The table in a .npy file: an array of shape (n,) or (n, columns), or a structured one of shape (n,).

    Args:
        data: the file's bytes, at most 5 MB and 100,000 rows.

    Raises:
        ValueError: what was expected and what was found, such as the dtype.
    """
    check_size(data)
    if not data.startswith(b"\x93NUMPY"):
        raise ValueError("This is not a .npy file; write one with numpy.save.")
    stream = io.BytesIO(data)
    shape, dtype = _header(stream)
    parts = [dtype[name] for name in dtype.names] if dtype.names else [dtype]
    wrong = [part for part in parts if part.kind not in "fiub" or part.shape]
    if wrong or dtype.hasobject:
        raise ValueError(
            f"Expected an array of real numbers; got {wrong[0] if wrong else dtype}. "
            "Save a plain array: numpy.save('points.npy', points.astype(float))."
        )
    if not 1 <= len(shape) <= (1 if dtype.names else 2):
        raise ValueError(f"Expected an array of shape (n,) or (n, columns); got {shape}.")
    check_count(shape[0])
    # The header is checked against the bytes before any memory is taken for what it claims.
    if math.prod(shape) * dtype.itemsize != len(data) - stream.tell():
        raise ValueError(f"The file does not hold the {shape} array that its header claims.")
    stream.seek(0)
    array = np.load(stream, allow_pickle=False)
    columns = [array[name] for name in dtype.names] if dtype.names else list(array.reshape(shape[0], -1).T)
    if not columns:
        raise ValueError("The array has no columns.")
    names = list(dtype.names or [""] * len(columns))
    said = (f"only the first {MOST_COLUMNS} of {len(columns):,} columns read",) * (
        len(columns) > MOST_COLUMNS
    )
    named = [name or f"Column {c + 1}" for c, name in enumerate(names)][:MOST_COLUMNS]
    made = tuple(_column(name, column) for name, column in zip(named, columns, strict=False))
    table = Table(made, np.arange(1, shape[0] + 1), said, bool(dtype.names), "row")
    return without_row_numbers(table, names)


def _header(stream: io.BytesIO) -> tuple[tuple[int, ...], np.dtype]:
    try:
        version = np.lib.format.read_magic(stream)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        if version not in read:
            raise ValueError(f"version {version} of the format")
        shape, _, dtype = read[version](stream)
    except (ValueError, EOFError, SyntaxError, TypeError, UnicodeError, tokenize.TokenError) as error:
        raise ValueError(f"The .npy header cannot be read: {error}.") from None
    return shape, dtype


def _column(name: str, numbers: np.ndarray) -> Column:
    values = numbers.astype(np.float64)
    absent = np.isnan(values)
    usable = np.abs(np.where(absent, 0, values)) <= LARGEST_NUMBER
    odd = [int(row) for row in np.flatnonzero(~usable)[:1]]
    values[~usable] = np.nan
    different = np.unique(values[~np.isnan(values)])
    kinds = codes = None
    if len(different) <= MOST_CLASSES:
        kinds = tuple(f"{value:g}" for value in different)
        codes = np.where(np.isnan(values), -1, np.searchsorted(different, values))
    return Column(
        name,
        "numbers" if len(different) else "empty",
        values,
        int(absent.sum()),
        tuple(f"{value:.6g}" for value in numbers[:SHOWN_ROWS].astype(float)),
        codes,
        kinds,
        len(different),
        odd=(odd[0], str(numbers[odd[0]])) if odd else None,
    )
