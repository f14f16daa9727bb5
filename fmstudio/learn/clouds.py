"""Clouds of points that a person brings: drawn, typed, or uploaded as a picture, a table or an array.

Every reader gives a :class:`Cloud`; :func:`pack` makes it a text that a link can carry.
"""

from __future__ import annotations

from pathlib import Path

from fmstudio.learn.cloud import PACKED, Cloud, Transform, from_points, pack, standardised, thinned, unpack
from fmstudio.learn.pictures import example_drawing, from_image, from_strokes, from_word
from fmstudio.learn.tables import LARGEST_FILE, from_csv, from_npy

__all__ = [
    "PACKED",
    "READERS",
    "Cloud",
    "Transform",
    "example_drawing",
    "from_csv",
    "from_file",
    "from_image",
    "from_npy",
    "from_points",
    "from_strokes",
    "from_word",
    "pack",
    "standardised",
    "thinned",
    "unpack",
]

READERS = {
    **dict.fromkeys((".csv", ".tsv", ".txt"), from_csv),
    ".npy": from_npy,
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp"), from_image),
}
"""The reader for each ending of a file's name."""


def from_file(path: Path) -> Cloud:
    """A cloud from a file, by the ending of its name.

    Args:
        path: of a CSV, TSV, TXT, NPY, PNG, JPEG, GIF, BMP or WebP file of at most 5 MB.

    Raises:
        ValueError: another ending, a file that is too large, or what its reader refuses.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        known = ", ".join(ending[1:].upper() for ending in READERS)
        raise ValueError(f"Cannot read a file that ends in {path.suffix!r}; use one of {known}.")
    size = path.stat().st_size
    if size > LARGEST_FILE:
        raise ValueError(f"The file has {size:,} bytes; at most {LARGEST_FILE:,} are read.")
    return reader(path.read_bytes())
