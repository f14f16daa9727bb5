"""Points from a picture: its background is empty, and what stands out from it becomes points.

A picture is read once to tones; what of them is ink is a :class:`Look` that a person may change.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from scipy.cluster.vq import kmeans2
from scipy.ndimage import gaussian_filter
from torch import Tensor

from fmstudio.image.picture_size import FORMATS, check_size
from fmstudio.learn.clouds.cloud import Cloud
from fmstudio.learn.clouds.ink import drawn, placed, seeded
from fmstudio.learn.clouds.packing import PACKED

LARGEST_IMAGE_FILE = 5_000_000
#: Colours that may become classes, at most.
MOST_COLOURS = 8
#: Pixels of blur, at most.
WIDEST_BLUR = 8.0
_LONGEST_SIDE = 512
#: Grey levels that the darkest and the lightest place differ by, at least.
_LEAST_RANGE = 4
#: A tone is the background where at least this share of the picture has it.
_COMMON = 0.3
_TONES = 64
_HUES = {
    "red": (0.8, 0.1, 0.1), "orange": (0.95, 0.55, 0.1), "yellow": (0.95, 0.9, 0.2), "green": (0.1, 0.6, 0.2),
    "cyan": (0.1, 0.75, 0.8), "blue": (0.1, 0.25, 0.8), "purple": (0.5, 0.1, 0.6), "pink": (0.95, 0.5, 0.7),
    "brown": (0.45, 0.25, 0.1), "black": (0.05, 0.05, 0.05), "grey": (0.5, 0.5, 0.5), "white": (1, 1, 1),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture as it is looked at, of at most 512 pixels a side.

    Args:
        light: shape (height, width), from 0 to 1 between its own darkest and lightest tone; what is
            transparent lies on white, or on black where what is not is mostly light.
        colours: shape (height, width, 3), from 0 to 255.
        dark: whether more than half of it is nearer to its darkest tone than to its lightest.
        deep: whether it has more than 8 bits a tone.
    """

    light: NDArray[np.float32]
    colours: NDArray[np.uint8]
    dark: bool
    deep: bool = False


@dataclass(frozen=True)
class Look:
    """What of a picture is ink.

    Args:
        invert: whether light places become points, on a dark background.
        threshold: from 0 to 0.95, the share of the strongest ink below which there is none.
        blur: standard deviation in pixels, from 0 to 8.
        colours: how many colours of ink become classes, from 1 (none do) to 8.
    """

    invert: bool = False
    threshold: float = 0.05
    blur: float = 0.0
    colours: int = 1

    def __post_init__(self) -> None:
        for name, low, high in (
            ("threshold", 0, 0.95), ("blur", 0, WIDEST_BLUR), ("colours", 1, MOST_COLOURS),
        ):  # fmt: skip
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise ValueError(f"{name}: expected a number in [{low}, {high:g}]; got {value!r}.")
        if not isinstance(self.invert, bool):
            raise ValueError(f"invert: expected true or false; got {self.invert!r}.")
        if self.colours != int(self.colours):
            raise ValueError(f"colours: expected a whole number; got {self.colours!r}.")

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def looked_at(picture: Picture, values: Mapping[str, Any]) -> Look:
    """How a picture is looked at if nothing is said, with what a person chose in its place.

    Raises:
        ValueError: an unknown name, or a value out of bounds.
    """
    for name in values:
        if name not in Look.__dataclass_fields__:
            raise ValueError(f"choices: expected {', '.join(Look.__dataclass_fields__)}; got {name!r}.")
    return replace(Look(invert=picture.dark), **values)


def picture_of(data: bytes) -> Picture:
    """A picture's tones.

    Args:
        data: a PNG, JPEG, GIF, BMP or WebP file of at most 5 MB, its size in pixels as
            :mod:`fmstudio.image.picture_size` allows; above 512 pixels a side it is made smaller. Tones of 16
            bits are taken by the range that they use.

    Raises:
        ValueError: a file that is too large, not a picture, or of one tone everywhere.
    """
    if len(data) > LARGEST_IMAGE_FILE:
        raise ValueError(f"The picture has {len(data):,} bytes; at most {LARGEST_IMAGE_FILE:,} are read.")
    if data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"heim"):
        raise ValueError(HEIC)
    tones, colours, deep = _tones(data)
    low, high = tones.min(), tones.max()
    if high - low < _LEAST_RANGE:
        raise ValueError("The picture has one tone everywhere; what stands out from it becomes points.")
    light = (tones - low) / (high - low)
    return Picture(light.astype(np.float32), colours, bool((light < 0.5).mean() > 0.5), deep)


HEIC = (
    "HEIC pictures are not read: export it as JPEG or PNG (on a Mac in Preview; on an iPhone choose "
    "Settings, Camera, Formats, Most Compatible)."
)


def _tones(data: bytes) -> tuple[NDArray[np.float64], NDArray[np.uint8], bool]:
    """Grey levels as in the file, colours from 0 to 255, and whether the levels are finer than 8 bits."""
    bombs = (Image.DecompressionBombError, Image.DecompressionBombWarning)
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            check_size(picture, _LONGEST_SIDE)
            picture.draft("RGB", (_LONGEST_SIDE, _LONGEST_SIDE))
            upright = ImageOps.exif_transpose(picture)
            deep = upright.mode.startswith("I") or upright.mode == "F"
            upright = _of_floats(np.asarray(upright)) if deep else upright.convert("RGBA")
    except (UnidentifiedImageError, OSError, SyntaxError, EOFError, *bombs):
        raise ValueError(
            "The file is not a picture that can be read; use PNG, JPEG, GIF, BMP or WebP."
        ) from None
    upright.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    if deep:
        tones = np.asarray(upright, dtype=np.float64)
        span = max(float(tones.max() - tones.min()), 1.0)
        grey = (255 * (tones - tones.min()) / span).round().astype(np.uint8)
        return tones, np.repeat(grey[:, :, None], 3, 2), True
    solid = upright
    alpha = np.asarray(upright.getchannel("A"), dtype=np.float64) / 255
    if (alpha < 1).any():
        grey = np.asarray(upright.convert("L"), dtype=np.float64)
        backdrop = "black" if alpha.any() and (grey * alpha).sum() > 127.5 * alpha.sum() else "white"
        solid = Image.alpha_composite(Image.new("RGBA", upright.size, backdrop), upright)
    tones = np.asarray(solid.convert("L"), dtype=np.float64)
    return tones, np.asarray(solid.convert("RGB")), False


def _of_floats(levels: np.ndarray) -> Image.Image:
    """Levels of 16 or 32 bits as a picture that can be made smaller."""
    return Image.fromarray(levels.astype(np.float32))


def cloud_of_picture(
    picture: Picture,
    look: Look,
    name: str = "",
    count: int = PACKED,
    generator: torch.Generator | None = None,
) -> Cloud:
    """Points where a picture has ink.

    Args:
        picture: as read.
        look: what of it is ink.
        name: of the file, for the sentence.
        count: how many points, ≥ 1.
        generator: of the points; None draws with seed 0.

    Returns:
        The cloud; its note is one sentence on what was done.

    Raises:
        ValueError: nothing stands out.
    """
    background, common = _background(picture.light, look.invert)
    ink = _ink(picture, look, background)
    layers, names = _coloured(picture, ink, look.colours)
    layer, places = drawn(layers, count, generator or seeded())
    labels = None
    if names:
        found, labels = layer.unique(return_inverse=True)
        names = tuple(names[int(k)] for k in found)
    tone = "the commonest tone" if common else "the darkest tone" if look.invert else "the lightest tone"
    side = "lighter" if look.invert else "darker"
    said = [f"{count:,} points where {name[:40] or 'the picture'} is {side} than {tone}"]
    said += ["tones taken by the range that the picture uses"] * picture.deep
    said += [f"blurred by {look.blur:g} pixels"] * (look.blur > 0)
    said += [f"nothing below {look.threshold:.0%} of the strongest ink"] * (look.threshold > 0)
    said += [f"{len(names)} colours as classes"] * bool(names)
    return replace(placed(places, ink, labels), note=f"{'; '.join(said)}.", names=names)


def _background(light: NDArray[np.float32], invert: bool) -> tuple[float, bool]:
    """The tone of the background, and whether it is the commonest one of its half; else it is the extreme."""
    grey = 1 - light if invert else light
    counts = np.bincount((grey * (_TONES - 1)).round().astype(int).ravel(), minlength=_TONES)
    # Paper is not one tone in a photograph of it.
    near = np.convolve(counts, np.ones(5), "same")[_TONES // 2 :]
    tone = int(near.argmax())
    if near[tone] < _COMMON * light.size:
        return float(not invert), False
    low, high = (_TONES // 2 + tone - 2.5) / (_TONES - 1), (_TONES // 2 + tone + 2.5) / (_TONES - 1)
    middle = float(np.median(grey[(grey >= low) & (grey <= high)]))
    return 1 - middle if invert else middle, True


def _ink(picture: Picture, look: Look, background: float) -> Tensor:
    """How far each pixel stands out from the background, from 0 to 1, shape (height, width)."""
    side = 1 if look.invert else -1
    ink = np.clip(side * (picture.light.astype(np.float64) - background), 0, None)
    if look.colours > 1:
        # By the channel in which a colour differs most: yellow on white is ink too.
        like = np.abs(picture.light - background) <= 0.04
        paper = np.median(picture.colours[like], axis=0)
        ink = np.abs(picture.colours - paper).max(2) / 255
    if look.blur:
        ink = np.asarray(gaussian_filter(ink, look.blur))
    strongest = ink.max()
    if strongest <= 0:
        raise ValueError(
            f"Nothing is {'lighter' if look.invert else 'darker'} than the background; "
            f"{'do not ' if look.invert else ''}invert the picture."
        )
    ink = np.where(ink >= look.threshold * strongest, ink / strongest, 0)
    return torch.from_numpy(ink).float()


def _coloured(picture: Picture, ink: Tensor, colours: int) -> tuple[Tensor, tuple[str, ...]]:
    """Ink by colour, shape (colours, height, width), and what the colours are called; one has no name."""
    if colours == 1:
        return ink[None], ()
    pixels = torch.from_numpy(picture.colours / 255.0).flatten(0, 1)
    weight = ink.flatten().double()
    pick = torch.multinomial(weight[weight > 0], 4_000, replacement=True, generator=seeded())
    sample = pixels[weight > 0][pick].numpy()
    different = np.unique(sample, axis=0)
    centres, _ = kmeans2(
        sample, min(colours, len(different)), minit="++", rng=np.random.default_rng(0), missing="warn"
    )
    nearest = torch.cdist(pixels, torch.from_numpy(centres)).argmin(1).reshape(ink.shape)
    layers = torch.stack([ink * (nearest == k) for k in range(len(centres))])
    return layers, _called(centres)


def _called(centres: NDArray[np.float64]) -> tuple[str, ...]:
    """The nearest colour word for each; a number makes the second of a kind another."""
    words = list(_HUES)
    nearest = np.linalg.norm(centres[:, None] - np.array(list(_HUES.values()))[None], axis=2).argmin(1)
    names: list[str] = []
    for k in nearest:
        again = sum(name.split(" ")[0] == words[k] for name in names)
        names.append(f"{words[k]} {again + 1}" if again else words[k])
    return tuple(names)
