"""The binary file of a scene: a JSON header and aligned arrays, made to be put on a GPU as they are.

Layout, little endian::

    uint32   length of the header in bytes (a multiple of 4)
    header   JSON, padded with spaces; an array is {"at", "shape"}, "at" from the end of the header
    arrays   each starts at a multiple of 4; int16, but those of a live scene, which are float32 or float16

================  ========================================================================
array             value of the integer q
================  ========================================================================
positions         c + h q / 32767 in the box with centre c and half-widths h
lines, points     the same
vectors           scale × q / 32767
labels            the class
x0, x1, z         themselves, and so are points and the numbers of a net
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

from fmstudio.plots.scene.live import Live
from fmstudio.plots.scene.scene import Curves, Pane, Scene

VERSION = 3
_STEPS = 32767


class _Writer:
    """Collects arrays behind the header and remembers where they start."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0

    def add(self, array: NDArray[Any]) -> dict[str, Any]:
        entry = {"at": self.size, "shape": list(array.shape)}
        data = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
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
        scene: any valid scene. 2,000 particles × 60 frames × 2 panes take 0.96 MB; computed by the browser,
            40 kB.

    Returns:
        The file. Equal scenes give equal bytes.
    """
    out = _Writer()
    centre, half = _box(scene.bounds)
    panes = [_pane_entry(pane, out, centre, half) for pane in scene.panes]
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
        "curves": None if scene.curves is None else curves_entry(scene.curves),
        "live": None if scene.live is None else _live_entry(scene.live, out),
        "awaits": scene.awaits,
    }
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    return b"".join([len(text).to_bytes(4, "little"), text, *out.parts])


def _pane_entry(pane: Pane, out: _Writer, centre: Any, half: Any) -> dict[str, Any]:
    entry: dict[str, Any] = {"title": pane.title, "caption": pane.caption, "shows": pane.shows}
    entry["traced"] = pane.traced
    if pane.positions is not None:
        entry["positions"] = out.add(_to_int16(pane.positions, centre, half))
    if pane.arrows is not None:
        arrows = {"points": out.add(_to_int16(pane.arrows.points, centre, half)), "role": pane.arrows.role}
        if pane.arrows.vectors is not None:
            longest = float(np.abs(pane.arrows.vectors).max(initial=0)) or 1.0
            arrows |= {"vectors": out.add(_to_int16(pane.arrows.vectors, 0, longest)), "scale": longest}
        entry["arrows"] = arrows
    if pane.lines is not None and pane.lines.size:
        entry["lines"] = out.add(_to_int16(pane.lines, centre, half))
    return entry


def _live_entry(live: Live, out: _Writer) -> dict[str, Any]:
    entry = live.header()
    entry |= {name: None if points is None else out.add(points) for name, points in live.ends().items()}
    if live.law is not None:
        entry["law"] |= {name: out.add(array) for name, array in live.law.arrays().items()}
    return entry


def curves_entry(curves: Curves) -> dict[str, Any]:
    """The strip under the panes, for JSON; what is not finite is a gap."""
    return {
        "label": curves.label,
        "caption": curves.caption,
        "series": [{"name": c.name, "role": c.role, "values": _numbers(c.values)} for c in curves.series],
        "band": None if curves.band is None else [_numbers(edge) for edge in curves.band.T],
        "bandName": curves.band_name,
    }
