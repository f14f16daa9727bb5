"""Points from ink: a drawing, a typed word, a picture. Where there is more ink, there are more points.

A word or a picture is a table of ink, one number from 0 to 1 for each pixel. A point is drawn by picking a
pixel with probability proportional to its ink, and a place in that pixel at random.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont, ImageOps, UnidentifiedImageError
from torch import Tensor

from fmstudio.flow.densities import check_count
from fmstudio.image.data import eight_bit
from fmstudio.image.picture_size import FORMATS, check_size
from fmstudio.learn.cloud import PACKED, Cloud, Transform, unmoved

#: Half the longer side of a word or a picture in the plane.
REACH = 3.0
#: Standard deviation of the brush.
BRUSH = 0.07
MOST_PLACES = 4_000
LARGEST_IMAGE_FILE = 5_000_000
_LONGEST_SIDE = 512
_FONT_SIZE = 96

Stroke = Sequence[tuple[float, float]]


def from_strokes(
    strokes: Sequence[Stroke], count: int = 3_000, generator: torch.Generator | None = None
) -> Cloud:
    """A cloud along drawn lines, left where it was drawn.

    Points are spread evenly over the length of all strokes, with a Gaussian jitter as wide as the brush; a
    stroke shorter than the brush counts as a dot of the brush's width.

    Args:
        strokes: lines as (x, y) places in units of the plane, within ±10; at most 4,000 places in all.
        count: how many points, ≥ 1.
        generator: of the places and the jitter; None draws with seed 0.

    Raises:
        ValueError: nothing drawn, too much drawn, or a place outside the plane.
    """
    lines = [np.asarray(stroke, dtype=np.float64).reshape(-1, 2) for stroke in strokes if len(stroke)]
    places = sum(map(len, lines))
    if not 1 <= places <= MOST_PLACES:
        raise ValueError(f"Expected a drawing of 1 to {MOST_PLACES:,} places of the brush; got {places:,}.")
    if not all((np.abs(line) <= 10).all() for line in lines):
        raise ValueError("The drawing leaves the plane; its places must lie within ±10.")
    check_count(count, 1)
    generator = generator or _seeded()
    travelled = [np.concatenate([[0], np.hypot(*np.diff(line, axis=0).T).cumsum()]) for line in lines]
    lengths = torch.tensor([max(way[-1], BRUSH) for way in travelled], dtype=torch.float64)
    pick = torch.multinomial(lengths, count, replacement=True, generator=generator).numpy()
    along = torch.rand(count, generator=generator, dtype=torch.float64).numpy()
    points = np.empty((count, 2))
    for k, (line, way) in enumerate(zip(lines, travelled, strict=True)):
        mine = pick == k
        for axis in (0, 1):
            points[mine, axis] = np.interp(along[mine] * way[-1], way, line[:, axis])
    jitter = torch.randn(count, 2, generator=generator, dtype=torch.float64)
    return Cloud((torch.from_numpy(points) + BRUSH * jitter).float(), None, unmoved(2))


@lru_cache(maxsize=1)
def example_drawing() -> Cloud:
    """What stands on the board before anything is drawn: a smiling face."""
    angle = np.linspace(0, 2 * math.pi, 120)
    face = [(2.4 * math.cos(a), 2.4 * math.sin(a)) for a in angle]
    smile = [(1.4 * math.cos(a), 1.4 * math.sin(a) - 0.1) for a in np.linspace(1.1, 1.9, 60) * math.pi]
    return from_strokes([face, smile, [(-0.8, 0.8), (-0.8, 0.5)], [(0.8, 0.8), (0.8, 0.5)]])


def from_word(word: str, count: int = PACKED, generator: torch.Generator | None = None) -> Cloud:
    """A cloud that spells a word; every letter is a class, counted from the left.

    Args:
        word: 1 to 12 characters that Pillow's own font can draw, not all blank.
        count: how many points, ≥ 1.
        generator: of the points; None draws with seed 0.

    Raises:
        ValueError: an empty or long word, or a character that the font lacks.
    """
    letters = [(at, letter) for at, letter in enumerate(word) if not letter.isspace()]
    if not letters or len(word) > 12:
        raise ValueError(f"word: expected 1 to 12 characters, not all blank; got {word!r}.")
    font = ImageFont.load_default(_FONT_SIZE)
    for _, letter in letters:
        if not _has(font, letter):
            raise ValueError(f"word: the font has no {letter!r}; use letters, digits and common signs.")
    size = (int(font.getlength(word)) + 2 * _FONT_SIZE, 2 * _FONT_SIZE)
    layers = []
    for at, letter in letters:
        layer = Image.new("L", size)
        place = (_FONT_SIZE / 2 + font.getlength(word[:at]), _FONT_SIZE / 3)
        ImageDraw.Draw(layer).text(place, letter, fill=255, font=font)
        layers.append(torch.from_numpy(np.asarray(layer).copy()))
    ink = torch.stack(layers).float() / 255
    layer, places = _drawn(ink, count, generator or _seeded())
    # A dot may get no point at all; classes have no gaps.
    labels = layer.unique(return_inverse=True)[1] if len(letters) > 1 else None
    return _placed(places, ink.sum(0), labels)


def from_image(data: bytes, count: int = PACKED, generator: torch.Generator | None = None) -> Cloud:
    """A cloud from a picture: dark is dense, the lightest tone and what is transparent are empty.

    Args:
        data: a PNG, JPEG, GIF, BMP or WebP file of at most 5 MB, its size in pixels as
            :mod:`fmstudio.image.picture_size` allows; above 512 pixels a side it is made smaller.
        count: how many points, ≥ 1.
        generator: of the points; None draws with seed 0.

    Raises:
        ValueError: a file that is too large, not a picture, or of one tone everywhere.
    """
    if len(data) > LARGEST_IMAGE_FILE:
        raise ValueError(f"The picture has {len(data):,} bytes; at most {LARGEST_IMAGE_FILE:,} are read.")
    ink = _ink(data)
    _, places = _drawn(ink[None], count, generator or _seeded())
    return _placed(places, ink, None)


def _seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def _ink(data: bytes) -> Tensor:
    """Darkness times opacity of each pixel, from 0 to 1, shape (height, width)."""
    bombs = (Image.DecompressionBombError, Image.DecompressionBombWarning)
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            check_size(picture, _LONGEST_SIDE)
            picture.draft("L", (_LONGEST_SIDE, _LONGEST_SIDE))
            upright = eight_bit(ImageOps.exif_transpose(picture)).convert("RGBA")
    except (UnidentifiedImageError, OSError, SyntaxError, EOFError, *bombs):
        raise ValueError(
            "The file is not a picture that can be read; use PNG, JPEG, GIF, BMP or WebP."
        ) from None
    upright.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    alpha = torch.from_numpy(np.asarray(upright.getchannel("A")).copy()).float() / 255
    light = torch.from_numpy(np.asarray(upright.convert("L")).copy()).float() / 255
    ink = (1 - light) * alpha
    ink = ink - ink.min()
    if ink.max() < 1 / 64:
        raise ValueError("The picture has one tone everywhere; dark places become points.")
    return ink


def _drawn(ink: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Layers (n,) and places (n, 2) drawn from ink of shape (layers, height, width); y points up."""
    check_count(count, 1)
    _, height, width = ink.shape
    # By the cumulative sum: a table of ink may have more cells than multinomial takes.
    total = ink.flatten().double().cumsum(0)
    u = torch.rand(count, generator=generator, dtype=torch.float64) * total[-1]
    cell = torch.searchsorted(total, u, right=True).clamp_max(len(total) - 1)
    layer, pixel = cell // (height * width), cell % (height * width)
    within = torch.rand(count, 2, generator=generator, dtype=torch.float64)
    x, y = pixel % width + within[:, 0], height - pixel // width - within[:, 1]
    return layer, torch.stack([x, y], 1)


def _placed(places: Tensor, ink: Tensor, labels: Tensor | None) -> Cloud:
    """Move places so that the box of the ink is centred and its longer side reaches ±3; shape is kept."""
    height = len(ink)
    rows, columns = ink.sum(1).nonzero(), ink.sum(0).nonzero()
    left, right = float(columns.min()), float(columns.max()) + 1
    top, bottom = height - float(rows.min()), height - float(rows.max()) - 1
    scale = max(right - left, top - bottom) / (2 * REACH)
    transform = Transform(((left + right) / 2, (top + bottom) / 2), (scale, scale))
    return Cloud(transform.apply(places).float(), labels, transform)


def _has(font: ImageFont.FreeTypeFont | ImageFont.ImageFont, letter: str) -> bool:
    """Whether the font has a glyph of its own for the character: not the box that stands for all others."""

    def glyph(character: str) -> np.ndarray:
        picture = Image.new("L", (2 * _FONT_SIZE, 2 * _FONT_SIZE))
        ImageDraw.Draw(picture).text((_FONT_SIZE / 2, _FONT_SIZE / 3), character, fill=255, font=font)
        return np.asarray(picture)

    drawn = glyph(letter)
    return bool(drawn.any()) and not np.array_equal(drawn, glyph("\U0010ffff"))
