"""A picture that a visitor brings: opened by whoever works on it, so that one that is none is a sentence."""

from __future__ import annotations

from typing import Any

import gradio as gr
from PIL import Image

from fmstudio.image.picture_size import FORMATS, check_size
from fmstudio.ui.element import QuietMeta

NEAR = 512
"""Pixels a side that are enough of a picture for every model of the repository."""


class UploadedPicture(gr.Image, metaclass=QuietMeta):
    """An image field whose value is the uploaded file's path, or None.

    Gradio's own opens the file before the handler runs; one that it cannot read ends the action, whatever
    picture it is to work on, with words for developers.
    """

    def preprocess(self, payload: Any) -> str | None:
        """The path of the file as it came."""
        return None if payload is None else payload.path

    def get_block_name(self) -> str:
        """Gradio draws this as its own image field."""
        return "image"


def open_picture(path: str) -> Image.Image:
    """The picture in a file, decoded.

    Raises:
        ValueError: it is not a picture, is cut off, or is too large to be decoded.
    """
    try:
        picture = Image.open(path, formats=FORMATS)
        check_size(picture, NEAR)
        picture.load()
    except (OSError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(
            "your picture: this file could not be read as one. Choose another PNG, JPEG, WebP or GIF."
        ) from error
    return picture
