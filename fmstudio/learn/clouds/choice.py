"""From a table to a cloud: which columns are the coordinates and the class, and what of the rows is used.

:func:`suggested` looks at a table and proposes; a person may choose otherwise; :func:`cloud_of` does it and
says in one sentence what it did.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from fmstudio.learn.clouds.cloud import MOST_CLASSES, Cloud, standardised
from fmstudio.learn.clouds.far import Scale, far_out
from fmstudio.learn.clouds.numbers import COMMA, PLAIN, shown
from fmstudio.learn.clouds.packing import LONGEST_NAME
from fmstudio.learn.clouds.sentence import Sentence, plain, rows_said, short
from fmstudio.learn.clouds.table import Column, Table

COMPONENTS = "principal components"
"""In place of the column x: the first two principal components of all columns of numbers."""

_CLASS_NAMES = ("label", "labels", "class", "category", "target", "group", "species", "cluster", "block")

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Choice:
    """What of a table becomes a cloud.

    Args:
        x: the column of the first coordinate, or :data:`COMPONENTS`.
        y: the column of the second one; empty for points on the line.
        label: the column of the classes; empty for none.
        fill: what stands for a missing value besides what always does: numbers or words between spaces.
        scale: see :func:`fmstudio.learn.clouds.far.far_out`.
    """

    x: str
    y: str = ""
    label: str = ""
    fill: str = ""
    scale: Scale = "auto"

    def __post_init__(self) -> None:
        if self.scale not in get_args(Scale):
            raise ValueError(f"scale: expected one of {', '.join(get_args(Scale))}; got {self.scale!r}.")

    def to_dict(self) -> dict[str, str]:
        """As JSON has it."""
        return asdict(self)


def chosen(table: Table, values: Mapping[str, Any]) -> Choice:
    """What is suggested, with what a person chose in its place; x alone is a cloud on the line.

    Args:
        table: whose columns are named.
        values: of :class:`Choice`, by name; None counts as an empty text.

    Raises:
        ValueError: an unknown name, or a value that is no text.
    """
    known = Choice.__dataclass_fields__
    for name, value in values.items():
        if name not in known:
            raise ValueError(f"choices: expected {', '.join(known)}; got {name!r}.")
        if not isinstance(value, str | None):
            raise ValueError(f"choices: expected a text for {name!r}; got {type(value).__name__}.")
    given = {name: value or "" for name, value in values.items()}
    if "x" in given and "y" not in given:
        given["y"] = ""
    return replace(suggested(table), **given)


def suggested(table: Table) -> Choice:
    """The first two columns of numbers that differ, and the column that looks like classes.

    The class is the column called label, class, category, target, group, species or cluster, else the first
    of words of which there are at most 64 and less than half as many as rows; in a table without names also a
    third and last column of whole numbers from 0 to 63.

    Raises:
        ValueError: there is no column of numbers.
    """
    label = _label(table)
    numbers = [
        column.name
        for column in table.columns
        if column.kind == "numbers" and column.name != label and _differs(column.values)
    ]
    if not numbers:
        raise ValueError("Expected one or two columns of numbers that differ; found none.")
    return Choice(*numbers[:2], label=label) if len(numbers) > 1 else Choice(numbers[0], label=label)


def _differs(values: Numbers) -> bool:
    present = values[~np.isnan(values)]
    return len(present) > 1 and bool(present.min() < present.max())


def _label(table: Table) -> str:
    columns = table.columns
    for column in columns:
        if table.named and column.name.casefold() in _CLASS_NAMES and _could_be_classes(column):
            return column.name
    for column in columns:
        few = 1 < column.count_kinds <= MOST_CLASSES and 2 * column.count_kinds < table.count
        if column.kind == "words" and few:
            return column.name
    if len(columns) == 3 and not table.named and all(column.kind == "numbers" for column in columns):
        values = columns[2].values
        if ((values >= 0) & (values < MOST_CLASSES) & (values == np.floor(values))).all():
            return columns[2].name
    return ""


def _could_be_classes(column: Column) -> bool:
    whole = column.kind != "numbers" or bool(
        (column.values == np.floor(column.values))[_present(column)].all()
    )
    return column.kinds is not None and (whole or 2 * column.count_kinds < len(column.values))


def _present(column: Column) -> NDArray[np.bool_]:
    return ~np.isnan(column.values)


def cloud_of(table: Table, choice: Choice, name: str = "") -> Cloud:
    """The cloud of the rows in which nothing is missing that the choice uses.

    Args:
        table: at least two rows.
        choice: of its columns.
        name: of the file, for the sentence.

    Returns:
        The cloud, standardised; its note is one sentence on what was done.

    Raises:
        ValueError: a column that is not there or holds no numbers (no classes), or fewer than two different
            points.
    """
    coordinates = _coordinates(table, choice)
    label = None if not choice.label else table.columns[table.place(choice.label)]
    if label is not None and label.codes is None:
        raise ValueError(
            f"The class {label.name!r} has {label.count_kinds:,} kinds; at most {MOST_CLASSES} are classes."
        )
    values, codes = _filled(coordinates, label, choice.fill)
    whole = ~np.isnan(values).any(1) & (codes >= 0)
    if len(np.unique(values[whole], axis=0)) < 2:
        raise ValueError(
            f"Expected at least 2 different points; {int(whole.sum()):,} of {table.count:,} rows have "
            f"{' and '.join(_quoted(column) for column in coordinates)}{_as_class(label)}, "
            "and these are all the same. Choose other columns."
        )
    said, names = Sentence(table, coordinates, label), [short(column.name) for column in coordinates]
    said.left_out(values, codes, whole)
    values, codes, rows = values[whole], codes[whole], table.lines[whole]
    values, names = _varying(values, names, said)
    if choice.x == COMPONENTS:
        values, names = _components(values, said)
    far = far_out(values, names, rows, choice.scale, table.unit)
    if far.leave:
        values, codes = values[far.kept], codes[far.kept]
        said.add(f"{rows_said(int((~far.kept).sum()))} far from the others left out")
        values, names = _varying(values, names, said)
    labels, kinds = _numbered(codes, label)
    cloud = standardised(torch.from_numpy(values), labels, tuple(names))
    note = said.finish(cloud, names, kinds, name)
    return replace(cloud, note=note, warning=far.warning, names=kinds)


def _coordinates(table: Table, choice: Choice) -> list[Column]:
    if choice.x == COMPONENTS:
        columns = [c for c in table.columns if c.kind == "numbers" and c.name != choice.label]
        if len(columns) < 2:
            raise ValueError("Principal components need at least two columns of numbers.")
        return columns
    columns = [table.columns[table.place(name)] for name in (choice.x, choice.y) if name]
    if not columns:
        raise ValueError("x: choose a column of numbers.")
    for column in columns:
        if column.kind not in ("numbers", "row numbers"):
            raise ValueError(f"{_quoted(column)} holds {column.kind}; a coordinate needs numbers.")
    return columns


def _filled(columns: list[Column], label: Column | None, fill: str) -> tuple[Numbers, NDArray[np.int64]]:
    """The coordinates with NaN, and the classes with −1, where the fill stands too."""
    values = np.stack([column.values for column in columns], 1)
    codes = np.zeros(len(values), dtype=np.int64) if label is None or label.codes is None else label.codes
    for word in re.split(r"[;\s]+", fill):
        number = PLAIN.value(word) if PLAIN.value(word) is not None else COMMA.value(word)
        if number is not None:
            values[np.isclose(values, number, rtol=1e-9, atol=0)] = np.nan
        if label is not None and label.kinds is not None and word:
            codes = np.where(codes == (label.kinds.index(word) if word in label.kinds else -2), -1, codes)
    return values, codes


def _varying(values: Numbers, names: list[str], said: Sentence) -> tuple[Numbers, list[str]]:
    """Without the coordinates that are the same everywhere."""
    moving = values.min(0) < values.max(0)
    for k in np.flatnonzero(~moving):
        said.add(f"{names[k]} is {shown(values[0, k])} everywhere and left out")
    return values[:, moving], [name for name, moves in zip(names, moving, strict=True) if moves]


def _components(values: Numbers, said: Sentence) -> tuple[Numbers, list[str]]:
    """Scores of the first two principal components of columns scaled to standard deviation 1."""
    scaled = (values - values.mean(0)) / values.std(0)
    # Column signs: the largest loading is positive, so that the picture does not depend on the solver.
    _, sizes, axes = np.linalg.svd(scaled, full_matrices=False)
    axes = axes[:2] * np.sign(axes[:2][np.arange(len(axes[:2])), np.abs(axes[:2]).argmax(1)])[:, None]
    held = float((sizes[:2] ** 2).sum() / (sizes**2).sum())
    said.add(
        f"principal components of {values.shape[1]} columns, each scaled to standard deviation 1; the first "
        f"{len(axes)} hold {held:.1%} of the variance"
    )
    return scaled @ axes.T, ["component 1", "component 2"][: len(axes)]


def _numbered(codes: NDArray[np.int64], label: Column | None) -> tuple[torch.Tensor | None, tuple[str, ...]]:
    """Classes without gaps, and their names."""
    if label is None or label.kinds is None:
        return None, ()
    found, labels = np.unique(codes, return_inverse=True)
    return torch.from_numpy(labels), tuple(plain(label.kinds[k])[:LONGEST_NAME] for k in found)


def _quoted(column: Column) -> str:
    return repr(short(column.name))


def _as_class(label: Column | None) -> str:
    return f" and the class {_quoted(label)}" if label is not None else ""
