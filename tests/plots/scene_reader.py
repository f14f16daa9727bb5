"""Reads a scene's file back, up to its rounding."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fmstudio.plots.scene.file import VERSION
from fmstudio.plots.scene.scene import Arrows, Curve, Curves, Pane, Scene

_STEPS = 32767


def decode(data: bytes) -> Scene:
    """The scene that :func:`encode` wrote, without what the browser computes."""
    length = int.from_bytes(data[:4], "little")
    header = json.loads(data[4 : 4 + length])
    assert (header["format"], header["version"]) == ("fm-scene", VERSION)
    start = 4 + length
    cx, cy, hx, hy = header["box"]
    centre, half = np.array([cx, cy], np.float32), np.array([hx, hy], np.float32)

    def raw(entry: dict[str, Any]) -> NDArray[Any]:
        array = np.frombuffer(data, "<i2", int(np.prod(entry["shape"])), start + entry["at"])
        return array.reshape(entry["shape"]).astype(np.float32)

    def points(entry: dict[str, Any]) -> NDArray[Any]:
        return centre + half * raw(entry) / _STEPS

    def pane(entry: dict[str, Any]) -> Pane:
        arrows = None
        if "arrows" in entry:
            grid = entry["arrows"]
            vectors = raw(grid["vectors"]) * (grid["scale"] / _STEPS)
            arrows = Arrows(points(grid["points"]), vectors, grid["role"])
        lines = points(entry["lines"]) if "lines" in entry else None
        return Pane(entry["title"], entry["caption"], points(entry["positions"]), arrows, lines)

    curves = None
    if header["curves"] is not None:
        entry = header["curves"]
        band = entry["band"]
        curves = Curves(
            entry["label"],
            entry["caption"],
            tuple(Curve(c["name"], np.array(c["values"], np.float32), c["role"]) for c in entry["series"]),
            None if band is None else np.array(band, np.float32).T,
            entry["bandName"],
        )
    return Scene(
        times=np.array(header["times"], np.float32),
        panes=tuple(pane(entry) for entry in header["panes"]),
        a=np.array(header["a"], np.float32),
        b=np.array(header["b"], np.float32),
        bounds=tuple(header["bounds"]),
        labels=None if header["labels"] is None else raw(header["labels"]).astype(np.int16),
        curves=curves,
        dim=header["dim"],
    )
