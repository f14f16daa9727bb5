"""A heat of the note's panels: shades of one colour of the palette, on a light or a dark page."""

from __future__ import annotations

import base64
import hashlib
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fmstudio.note.parts.panel import Heat
from fmstudio.plots.svg.scale import Scale


def heat_svg(heat: Heat, x: Scale, y: Scale) -> str:
    """The heat as a rectangle of its role's colour behind a mask; what is not known has no colour."""
    left, right, bottom, top = (f(v) for f, v in zip((x, x, y, y), heat.bounds, strict=True))
    png = io.BytesIO()
    Image.fromarray(shades(heat)).save(png, "PNG", optimize=True)
    picture = base64.b64encode(png.getvalue()).decode()
    name = f"heat{hashlib.sha1(picture.encode()).hexdigest()[:12]}"
    place = f'x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{bottom - top:.1f}"'
    return (
        f'<mask id="{name}" maskUnits="userSpaceOnUse" {place}><image {place} preserveAspectRatio="none" '
        f'href="data:image/png;base64,{picture}"/></mask>'
        f'<rect class="heat" {place} fill="var(--fm-{heat.role})" mask="url(#{name})"/>'
    )


def shades(heat: Heat) -> NDArray[np.uint8]:
    """Values as bytes, 0 at ``low`` and 255 at ``high``, the upper row first; shape (H, W)."""
    values = np.array([[np.nan if v is None else v for v in row] for row in heat.rows], dtype=np.float64)
    share = np.nan_to_num((values - heat.low) / (heat.high - heat.low), nan=0.0)
    return np.round(255 * share.clip(0, 1)).astype(np.uint8)[::-1]
