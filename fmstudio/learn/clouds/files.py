"""Files that a person brings, by the ending of their name, and what is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fmstudio.learn.clouds.arrays import table_of_array
from fmstudio.learn.clouds.choice import Choice, chosen, cloud_of
from fmstudio.learn.clouds.cloud import Cloud
from fmstudio.learn.clouds.packing import packed
from fmstudio.learn.clouds.pictures import HEIC, Look, Picture, cloud_of_picture, looked_at, picture_of
from fmstudio.learn.clouds.table import Table, table_of_text
from fmstudio.learn.clouds.text import LARGEST_FILE, check_size

READERS = {
    **dict.fromkeys((".csv", ".tsv", ".txt", ".dat"), table_of_text),
    ".npy": table_of_array,
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".jfif", ".gif", ".bmp", ".webp"), picture_of),
}
"""The reader for each ending of a file's name."""

_SPREADSHEET = "save the sheet as CSV UTF-8 (in Excel: File, Save As)."
INSTEAD = {
    **dict.fromkeys((".heic", ".heif"), HEIC),
    **dict.fromkeys((".xlsx", ".xls", ".ods", ".numbers"), f"Spreadsheets are not read: {_SPREADSHEET}"),
    **dict.fromkeys(
        (".parquet", ".feather", ".arrow"),
        "Parquet and Arrow files are not read: write CSV, with pandas df.to_csv('points.csv', index=False).",
    ),
    ".npz": "An .npz file holds several arrays: save one with numpy.save('points.npy', array).",
    **dict.fromkeys(
        (".pkl", ".pickle", ".pt", ".pth", ".joblib"),
        "Pickled files can run code and are not read: save an array with numpy.save('points.npy', array).",
    ),
    ".mat": "MATLAB files are not read: write CSV, with writematrix(points, 'points.csv').",
    ".json": "JSON is not read: write CSV, with pandas df.to_csv('points.csv', index=False).",
    **dict.fromkeys(
        (".tif", ".tiff", ".avif", ".svg", ".pdf"), "This kind of picture is not read: export it as PNG."
    ),
}
"""What to do with a file that is not read."""


@dataclass(frozen=True, eq=False)
class Brought:
    """A file that was read.

    Args:
        name: of the file.
        content: what it holds.
    """

    name: str
    content: Table | Picture


@dataclass(frozen=True, eq=False)
class Made:
    """What was made of a file.

    Args:
        brought: the file.
        choice: what of it was used.
        cloud: the points, with one sentence on how they came about.
    """

    brought: Brought
    choice: Choice | Look
    cloud: Cloud

    @cached_property
    def points(self) -> str:
        """The cloud as an experiment's ``points``."""
        return packed(self.cloud)


def read(name: str, data: bytes) -> Brought:
    """Read a file by the ending of its name.

    Args:
        name: of a CSV, TSV, TXT, DAT, NPY, PNG, JPEG, JFIF, GIF, BMP or WebP file.
        data: its bytes, at most 5 MB.

    Raises:
        ValueError: another ending, with what to do instead; too large a file; what its reader refuses.
    """
    ending = Path(name).suffix.lower()
    if ending in INSTEAD:
        raise ValueError(INSTEAD[ending])
    reader = READERS.get(ending)
    if reader is None:
        known = ", ".join(known[1:].upper() for known in READERS)
        raise ValueError(f"Cannot read a file that ends in {ending!r}; use one of {known}.")
    check_size(data)
    if data.startswith(b"PK\x03\x04") and reader is table_of_text:
        raise ValueError(f"This is a spreadsheet or an archive, not text: {_SPREADSHEET}")
    return Brought(Path(name).name, reader(data))


def read_file(path: Path) -> Brought:
    """Read a file of this machine.

    Raises:
        ValueError: as :func:`read`; what is too large is not loaded.
    """
    size = path.stat().st_size
    if size > LARGEST_FILE:
        raise ValueError(f"The file has {size:,} bytes; at most {LARGEST_FILE:,} are read.")
    return read(path.name, path.read_bytes())


def made(brought: Brought, values: Mapping[str, Any]) -> Made:
    """The cloud that a file makes.

    Args:
        brought: the file.
        values: of :class:`Choice` for a table or :class:`Look` for a picture, by name; the others are as
            suggested.

    Raises:
        ValueError: a choice that does not fit the file.
    """
    if isinstance(brought.content, Picture):
        look = looked_at(brought.content, values)
        return Made(brought, look, cloud_of_picture(brought.content, look, brought.name))
    choice = chosen(brought.content, values)
    return Made(brought, choice, cloud_of(brought.content, choice, brought.name))
