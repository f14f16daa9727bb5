"""Clouds of files that a test has at hand, in one call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from fmstudio.learn.clouds import (
    PACKED,
    Brought,
    Cloud,
    Look,
    cloud_of_picture,
    made,
    picture_of,
    read_file,
    table_of_array,
    table_of_text,
)


def from_file(path: Path, **values: Any) -> Cloud:
    return made(read_file(path), values).cloud


def from_csv(data: bytes, **values: Any) -> Cloud:
    return made(Brought("", table_of_text(data)), values).cloud


def from_npy(data: bytes, **values: Any) -> Cloud:
    return made(Brought("", table_of_array(data)), values).cloud


def from_image(data: bytes, count: int = PACKED, generator: torch.Generator | None = None) -> Cloud:
    """Looked at as the picture suggests itself: dark on light, or light on dark."""
    picture = picture_of(data)
    return cloud_of_picture(picture, Look(invert=picture.dark), "", count, generator)
