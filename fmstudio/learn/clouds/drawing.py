"""Points along drawn lines, and points that spell a word."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from fmstudio.flow.densities.density import check_count
from fmstudio.learn.clouds.cloud import Cloud, Stroke, unmoved
from fmstudio.learn.clouds.ink import drawn, placed, seeded

#: Points of a word.
WORD_POINTS = 5_000
#: Standard deviation of the brush.
BRUSH = 0.07
MOST_PLACES = 4_000
_FONT_SIZE = 96


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
    generator = generator or seeded()
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
    kept = tuple(tuple((float(x), float(y)) for x, y in line) for line in lines)
    return Cloud((torch.from_numpy(points) + BRUSH * jitter).float(), None, unmoved(2), strokes=kept)


@lru_cache(maxsize=1)
def example_drawing() -> Cloud:
    """What stands on the board before anything is drawn: a smiling face."""
    angle = np.linspace(0, 2 * math.pi, 120)
    face = [(2.4 * math.cos(a), 2.4 * math.sin(a)) for a in angle]
    smile = [(1.4 * math.cos(a), 1.4 * math.sin(a) - 0.1) for a in np.linspace(1.1, 1.9, 60) * math.pi]
    return from_strokes([face, smile, [(-0.8, 0.8), (-0.8, 0.5)], [(0.8, 0.8), (0.8, 0.5)]])


def from_word(word: str, count: int = WORD_POINTS, generator: torch.Generator | None = None) -> Cloud:
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
    layer, places = drawn(ink, count, generator or seeded())
    # A dot may get no point at all; classes have no gaps.
    labels = layer.unique(return_inverse=True)[1] if len(letters) > 1 else None
    return placed(places, ink.sum(0), labels)


def _has(font: ImageFont.FreeTypeFont | ImageFont.ImageFont, letter: str) -> bool:
    """Whether the font has a glyph of its own for the character: not the box that stands for all others."""

    def glyph(character: str) -> np.ndarray:
        picture = Image.new("L", (2 * _FONT_SIZE, 2 * _FONT_SIZE))
        ImageDraw.Draw(picture).text((_FONT_SIZE / 2, _FONT_SIZE / 3), character, fill=255, font=font)
        return np.asarray(picture)

    drawn = glyph(letter)
    return bool(drawn.any()) and not np.array_equal(drawn, glyph("\U0010ffff"))
