"""How large a picture from outside may be, judged by its header, before a pixel of it is decoded.

A file of a few kilobytes can claim any number of pixels. What it takes is decided by what it becomes: four
bytes a pixel, as everything is drawn with transparency somewhere, or more where its own tones have more.
"""

from __future__ import annotations

from PIL import Image

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP")
"""What is read. Pillow knows more, but some of those run other programs or hold many pictures."""

LONGEST_SIDE = 16_384
MOST_DECODED = 80_000_000
"""Bytes: 20 million pixels. A JPEG is decoded at a smaller scale, so that a camera's picture stays below."""

MOST_PIXELS = 100_000_000
"""Of a JPEG before it is made smaller: a progressive one is held as a whole while it is read."""

_WIDE = {"I": 4, "F": 4, "I;16": 4, "I;16B": 4, "I;16L": 4}


def check_size(picture: Image.Image, near: int) -> None:
    """Refuse a picture that would take too much memory; let a JPEG be decoded at a scale that is enough.

    Args:
        picture: as opened, not loaded.
        near: the side in pixels that is wanted of it, at least.

    Raises:
        ValueError: a side, or what it becomes when decoded, is too large.
    """
    width, height = picture.size
    if max(width, height) > LONGEST_SIDE or width * height > MOST_PIXELS:
        raise ValueError(
            f"The picture has {width} × {height} pixels; at most {LONGEST_SIDE:,} a side and "
            f"{MOST_PIXELS // 10**6} million in all are read. Make it smaller."
        )
    picture.draft(None, (near, near))  # pyright: ignore[reportArgumentType]
    decoded = picture.width * picture.height * (4 + _WIDE.get(picture.mode, 0))
    if decoded > MOST_DECODED:
        raise ValueError(
            f"The picture of {width} × {height} pixels takes {decoded / 1e6:,.0f} MB once it is decoded; "
            f"at most {MOST_DECODED / 1e6:.0f} MB are taken. Make it smaller."
        )
