"""The binary file of a scene: a JSON header and aligned arrays of int16, made to be put on a GPU as it is.

Layout, little endian::

    uint32   length of the header in bytes (a multiple of 4)
    header   JSON, padded with spaces; an array is {"at", "shape"}, "at" from the end of the header
    arrays   each starts at a multiple of 4

================  ========================================================================
array             value of the integer q
================  ========================================================================
positions         c + h q / 32767 in the box with centre c and half-widths h
lines, points     the same
vectors           scale × q / 32767
labels            the class
================  ========================================================================

The box is twice as wide as the scene's bounds, about the same centre. A position inside it is off by at
most half a step, width / 65534 of the bounds' width per coordinate (1/30 of a pixel on a pane of 2,000
pixels); a position outside is moved to the box's edge, which is never on screen.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fmstudio.plots.scene.scene import Arrows, Curve, Curves, Pane, Scene

VERSION = 2
_STEPS = 32767


class _Writer:
    """Collects arrays behind the header and remembers where they start."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0

    def add(self, array: NDArray[np.int16]) -> dict[str, Any]:
        entry = {"at": self.size, "shape": list(array.shape)}
        data = np.ascontiguousarray(array).astype("<i2", copy=False).tobytes()
        data += bytes(-len(data) % 4)
        self.parts.append(data)
        self.size += len(data)
        return entry


def _box(bounds: tuple[float, float, float, float]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    left, right, bottom, top = bounds
    centre = np.array([(left + right) / 2, (bottom + top) / 2], np.float32)
    return centre, np.array([right - left, top - bottom], np.float32)


def _to_int16(points: NDArray[Any], centre: Any, half: Any) -> NDArray[np.int16]:
    scaled = (points - centre) * (_STEPS / half)
    np.rint(scaled, out=scaled)
    return np.clip(scaled, -_STEPS, _STEPS, out=scaled).astype(np.int16)


def _numbers(values: NDArray[Any]) -> list[float | None]:
    return [float(f"{v:.6g}") if np.isfinite(v) else None for v in values.tolist()]


def encode(scene: Scene) -> bytes:
    """Write a scene as the player's binary file.

    Args:
        scene: any valid scene. 2,000 particles × 60 frames × 2 panes take 0.96 MB.

    Returns:
        The file. Equal scenes give equal bytes.
    """
    out = _Writer()
    centre, half = _box(scene.bounds)
    panes: list[dict[str, Any]] = []
    for pane in scene.panes:
        entry: dict[str, Any] = {"title": pane.title, "caption": pane.caption}
        entry["shows"] = pane.shows
        entry["positions"] = out.add(_to_int16(pane.positions, centre, half))
        if pane.arrows is not None:
            longest = float(np.abs(pane.arrows.vectors).max(initial=0)) or 1.0
            entry["arrows"] = {
                "points": out.add(_to_int16(pane.arrows.points, centre, half)),
                "vectors": out.add(_to_int16(pane.arrows.vectors, 0, longest)),
                "scale": longest,
                "role": pane.arrows.role,
            }
        if pane.lines is not None and pane.lines.size:
            entry["lines"] = out.add(_to_int16(pane.lines, centre, half))
        panes.append(entry)
    header = {
        "format": "fm-scene",
        "version": VERSION,
        "dim": scene.dim,
        "frames": len(scene.times),
        "count": scene.count,
        "times": scene.times.tolist(),
        "a": _numbers(scene.a),
        "b": _numbers(scene.b),
        "bounds": list(scene.bounds),
        "box": [*centre.tolist(), *half.tolist()],
        "panes": panes,
        "labels": None if scene.labels is None else out.add(scene.labels),
        "curves": None if scene.curves is None else _curves_entry(scene.curves),
        "live": None if scene.live is None else scene.live.header(),
    }
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    return b"".join([len(text).to_bytes(4, "little"), text, *out.parts])


def _curves_entry(curves: Curves) -> dict[str, Any]:
    return {
        "label": curves.label,
        "caption": curves.caption,
        "series": [{"name": c.name, "role": c.role, "values": _numbers(c.values)} for c in curves.series],
        "band": None if curves.band is None else [_numbers(edge) for edge in curves.band.T],
        "bandName": curves.band_name,
    }


def decode(data: bytes) -> Scene:
    """Read a file back; positions come back up to the quantisation described above.

    Args:
        data: what :func:`encode` wrote.

    Returns:
        The scene.

    Raises:
        ValueError: the bytes are not a scene file, or of another version.
    """
    length = int.from_bytes(data[:4], "little")
    try:
        header = json.loads(data[4 : 4 + length])
    except ValueError as error:
        raise ValueError("These bytes are not a scene file: no JSON header.") from error
    if header.get("format") != "fm-scene" or header.get("version") != VERSION:
        raise ValueError(f"Expected a scene file of version {VERSION}; got {header.get('version')}.")
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
