"""Images as files: PNG with the settings inside, strips of several, and a zip of all."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, PngImagePlugin
from torch import Tensor

KEY = "flow-matching-studio"
"""The PNG text chunk that holds the settings as JSON."""

GAP = 2
"""Clear pixels between the images of a strip."""

ENLARGED = 8
"""How many times a saved contact sheet is larger than the model's pixels."""


def picture_of(image: Tensor) -> Image.Image:
    """A uint8 image (channels, height, width), grey or colour, as a Pillow picture."""
    array = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
    return Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array)


def png_of(image: Tensor | Image.Image, settings: Mapping[str, Any] | None = None) -> bytes:
    """A uint8 image (channels, height, width) as PNG, with its settings in a text chunk.

    Args:
        image: the pixels, or a picture.
        settings: written as JSON under `KEY` (a tEXt chunk), so that the picture says how it was made.
    """
    buffer, chunk = io.BytesIO(), None
    if settings is not None:
        chunk = PngImagePlugin.PngInfo()
        # Escaped to ASCII: tEXt holds Latin-1 only.
        chunk.add_text(KEY, json.dumps(dict(settings)))
    picture = picture_of(image) if isinstance(image, Tensor) else image
    picture.save(buffer, "PNG", pnginfo=chunk)
    return buffer.getvalue()


def settings_in(png: bytes) -> dict[str, Any]:
    """The settings inside a PNG that `png_of` wrote.

    Raises:
        ValueError: there are none.
    """
    with Image.open(io.BytesIO(png)) as picture:
        text = picture.info.get(KEY)
    if text is None:
        raise ValueError("This picture holds no settings of the studio.")
    return json.loads(text)


def strip_of(images: Tensor, gap: int = GAP) -> Image.Image:
    """Images (n, channels, height, width) side by side in one picture, ``gap`` clear pixels apart."""
    count, channels, height, width = images.shape
    strip = torch.zeros((channels + 1, height, (width + gap) * count - gap), dtype=torch.uint8)
    for place, image in enumerate(images):
        left = place * (width + gap)
        strip[:-1, :, left : left + width] = image
        strip[-1, :, left : left + width] = 255
    array = np.ascontiguousarray(strip.permute(1, 2, 0).numpy())
    return Image.fromarray(array, "LA" if channels == 1 else "RGBA")


def sheet_of(rows: Sequence[Tensor], gap: int = GAP) -> Image.Image:
    """Rows of images below each other on white, enlarged without smoothing."""
    strips = [strip_of(row, gap).convert("RGBA") for row in rows]
    width = max(strip.width for strip in strips)
    sheet = Image.new("RGBA", (width, sum(s.height + gap for s in strips) - gap), "white")
    top = 0
    for strip in strips:
        sheet.alpha_composite(strip, (0, top))
        top += strip.height + gap
    size = (sheet.width * ENLARGED, sheet.height * ENLARGED)
    return sheet.convert("RGB").resize(size, Image.Resampling.NEAREST)


def data_uri(picture: Image.Image | Tensor) -> str:
    """A picture as the address of an <img>."""
    return "data:image/png;base64," + base64.b64encode(png_of(picture)).decode("ascii")


@dataclass(frozen=True)
class Picture:
    """One image to keep.

    Args:
        name: a file name without its ending.
        caption: what it is, in words.
        image: uint8, shape (channels, height, width).
        settings: how it was made.
    """

    name: str
    caption: str
    image: Tensor
    settings: Mapping[str, Any]

    def png(self) -> bytes:
        """The file."""
        return png_of(self.image, dict(self.settings))


def write_pictures(pictures: Sequence[Picture], folder: Path) -> list[tuple[Path, str]]:
    """Every picture as its own PNG, with its caption; the folder is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for picture in pictures:
        path = folder / f"{picture.name}.png"
        path.write_bytes(picture.png())
        written.append((path, picture.caption))
    return written


def write_zip(pictures: Sequence[Picture], settings: Mapping[str, Any], path: Path) -> Path:
    """All pictures and `settings.json` in one zip file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("settings.json", json.dumps(dict(settings), indent=1) + "\n")
        for picture in pictures:
            archive.writestr(f"{picture.name}.png", picture.png())
    return path
