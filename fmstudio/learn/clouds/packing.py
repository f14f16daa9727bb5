"""The text form of a cloud, for links, JSON and checkpoints.

Points are kept in 16 bits a coordinate between the smallest and the largest value, so that a point moves by
at most 1/131,070 of the cloud's width; a drawing is kept as its strokes, and its points are drawn anew:

    "2P" or "2L" (dimension; points alone, or with labels) + base64 of
    lowest value and step of each coordinate (float32), points (uint16), labels (uint8)

    "2D" + base64 of the length of each stroke (uint16) after their number (uint16), and their places (int16)

    either may be followed by "." + base64 of JSON: note, warning, classes' names
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fmstudio.learn.clouds.cloud import MOST_CLASSES, Cloud, Stroke, checked_labels, thinned, unmoved
from fmstudio.learn.clouds.drawing import MOST_PLACES, from_strokes

#: Points that the text form keeps at most.
PACKED = 5_000
#: Characters of a note, of a warning, and of a class's name that it keeps.
LONGEST_NOTE, LONGEST_NAME = 900, 40
_WIDEST = 1_000.0
_PLACE = 10 / 32_767
_DAMAGED = "points: the packed cloud is damaged; draw or upload it again."


def pack(points: Tensor, labels: Tensor | None = None, seed: int = 0) -> str:
    """A cloud as a short text; of more than 5,000 points a random subset of 5,000 is kept.

    Args:
        points: shape (n, 1) or (n, 2), n ≥ 1, finite, in units of the plane (at most ±1,000).
        labels: shape (n,), whole numbers from 0 to 63, or None.
        seed: of the subset.

    Returns:
        At most 33,400 characters, safe in a link.

    Raises:
        ValueError: points or labels that do not fit.
    """
    if points.ndim != 2 or points.shape[1] not in (1, 2) or not len(points):
        raise ValueError(f"Expected points of shape (n, 1) or (n, 2) with n ≥ 1; got {tuple(points.shape)}.")
    if not (points.abs() <= _WIDEST).all():
        raise ValueError(f"Points must be finite and within ±{_WIDEST:g} to be packed.")
    if labels is not None:
        labels = checked_labels(labels, len(points))
    whole = Cloud(points.detach().cpu(), labels, unmoved(points.shape[1]))
    kept = thinned(whole, PACKED, torch.Generator().manual_seed(seed))
    x = kept.points.double().numpy()
    lowest = x.min(0).astype("<f4")
    step = ((x.max(0) - lowest) / 65_535).astype("<f4")
    levels = np.clip(np.rint((x - lowest) / np.where(step > 0, step, 1)), 0, 65_535).astype("<u2")
    body = lowest.tobytes() + step.tobytes() + levels.tobytes()
    if kept.labels is not None:
        body += kept.labels.numpy().astype(np.uint8).tobytes()
    kind = "P" if kept.labels is None else "L"
    return f"{x.shape[1]}{kind}" + _encoded(body)


def packed(cloud: Cloud, seed: int = 0) -> str:
    """A whole cloud as a short text: a drawing as its strokes, else its points, and what is said of it.

    Args:
        cloud: as the readers make it.
        seed: of the subset that is kept of more than 5,000 points.

    Returns:
        At most 50,000 characters, safe in a link.

    Raises:
        ValueError: as :func:`pack`.
    """
    text = _packed_strokes(cloud.strokes) if cloud.strokes else pack(cloud.points, cloud.labels, seed)
    words: dict[str, Any] = {"note": cloud.note[:LONGEST_NOTE], "warning": cloud.warning[:LONGEST_NOTE]}
    words["names"] = [name[:LONGEST_NAME] for name in cloud.names]
    words = {name: value for name, value in words.items() if value}
    if not words:
        return text
    return f"{text}.{_encoded(json.dumps(words, ensure_ascii=False, separators=(',', ':')).encode())}"


@lru_cache(maxsize=32)
def unpack(text: str) -> Cloud:
    """Read back :func:`pack` and :func:`packed`; nobody may change the cloud in place.

    The points of a file are within half a step of the packed ones, and were not moved; those of a drawing are
    the same.

    Raises:
        ValueError: a text that neither of them wrote.
    """
    form, _, words = text.partition(".")
    read = {"1P": _points, "1L": _points, "2P": _points, "2L": _points, "2D": _drawing}.get(form[:2])
    if read is None:
        raise ValueError("points: this is not a packed cloud; draw or upload it again.")
    cloud = read(form)
    return replace(cloud, **_words(words)) if words else cloud


def _points(text: str) -> Cloud:
    dim, labelled = int(text[0]), text[1] == "L"
    body = _decoded(text[2:])
    head, row = 8 * dim, 2 * dim + labelled
    count, rest = divmod(len(body) - head, row)
    if rest or not 1 <= count <= PACKED:
        raise ValueError("points: the packed cloud is cut off; draw or upload it again.")
    lowest, step = np.frombuffer(body[:head], "<f4").reshape(2, dim).astype(np.float64)
    levels = np.frombuffer(body[head : head + 2 * dim * count], "<u2").reshape(count, dim)
    x = lowest + levels * step
    if not (np.abs(x) <= 2 * _WIDEST).all() or (step < 0).any():
        raise ValueError(_DAMAGED)
    labels = None
    if labelled:
        numbers = np.frombuffer(body[head + 2 * dim * count :], np.uint8).astype(np.int64)
        labels = checked_labels(torch.from_numpy(numbers), count)
    return Cloud(torch.from_numpy(x.astype(np.float32)), labels, unmoved(dim))


def _packed_strokes(strokes: Sequence[Stroke]) -> str:
    lengths = np.array([len(strokes), *map(len, strokes)], "<u2")
    places = np.rint(np.array([place for stroke in strokes for place in stroke]) / _PLACE).astype("<i2")
    return "2D" + _encoded(lengths.tobytes() + places.tobytes())


def _drawing(text: str) -> Cloud:
    body = _decoded(text[2:])
    numbers = np.frombuffer(body[: len(body) // 2 * 2], "<u2")
    lengths = numbers[1 : 1 + int(numbers[0])].astype(int) if len(numbers) else numbers
    total = int(lengths.sum())
    places = numbers[1 + len(lengths) :].view("<i2")
    if len(body) % 2 or not len(lengths) or not (lengths > 0).all() or len(places) != 2 * total:
        raise ValueError("points: the packed drawing is cut off; draw it again.")
    if total > MOST_PLACES:
        raise ValueError(_DAMAGED)
    lines = np.split(places.reshape(-1, 2) * _PLACE, lengths.cumsum()[:-1])
    return from_strokes([[(float(x), float(y)) for x, y in line] for line in lines])


def _words(text: str) -> dict[str, Any]:
    """What is said of a cloud: plain text in one line, whoever wrote it."""
    try:
        words = json.loads(_decoded(text))
    except (ValueError, RecursionError):
        raise ValueError(_DAMAGED) from None
    if not isinstance(words, dict):
        raise ValueError(_DAMAGED)
    note, warning, names = words.get("note", ""), words.get("warning", ""), words.get("names", [])
    if not isinstance(names, list) or len(names) > MOST_CLASSES:
        raise ValueError(_DAMAGED)
    longest = (LONGEST_NOTE, LONGEST_NOTE, *(LONGEST_NAME for _ in names))
    for said, most in zip((note, warning, *names), longest, strict=True):
        if not isinstance(said, str) or len(said) > most or not said.isprintable():
            raise ValueError(_DAMAGED)
    return {"note": note, "warning": warning, "names": tuple(names)}


def _encoded(body: bytes) -> str:
    return base64.urlsafe_b64encode(body).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise ValueError(_DAMAGED) from None
