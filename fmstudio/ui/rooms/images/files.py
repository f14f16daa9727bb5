"""Gallery and files: a grid's images one by one with zoom, as one PNG, and all in a zip."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from pathlib import Path

import gradio as gr

from fmstudio.image.questions.compare import Comparison
from fmstudio.image.questions.gallery import png_of, sheet_of, write_pictures, write_zip
from fmstudio.image.questions.xy import XYGrid
from fmstudio.ui.report import said
from fmstudio.ui.rooms.images.parts import Values, long_action
from fmstudio.ui.wiring import QUIET, Updates

GALLERY_LIMIT = 256
COLUMNS = 8


def files_card(visitor: gr.State, result: gr.State) -> None:
    """Lay the card out; `result` holds the visitor's own grid, or None."""
    with gr.Column(elem_classes=["fm-card"], min_width=0):
        gr.Markdown("#### Gallery and files")
        with gr.Row(elem_classes=["fm-controls"]):
            keep = gr.Button(
                "Show the grid's images one by one", size="sm", elem_classes=["fm-keep"], min_width=120
            )
            sheet = gr.DownloadButton("PNG of the grid", size="sm", interactive=False, min_width=90)
            archive = gr.DownloadButton(
                "Zip of all", size="sm", interactive=False, elem_classes=["fm-zip"], min_width=90
            )
        kept = gr.HTML(
            said("Sample a grid first; then its images can be seen one by one, zoomed and downloaded.")
        )
        gallery = gr.Gallery(
            columns=COLUMNS, height="auto", object_fit="contain", show_label=False, visible=False,
            elem_classes=["fm-pixels"], interactive=False, format="png", buttons=["download", "fullscreen"],
        )  # fmt: skip

    def write(values: Values) -> Generator[Updates]:
        done: Comparison | XYGrid | None = values[result]
        pictures = done.pictures() if done is not None else []
        if done is None or not pictures:
            raise ValueError("There is no grid of yours yet: press Sample first.")
        cache = Path(gallery.GRADIO_CACHE)
        cache.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="images-", dir=cache))
        made = done.settings.to_dict() | {"models": list(done.models)}
        (folder / "grid.png").write_bytes(png_of(sheet_of(done.sheet()), made))
        files = [(str(path), words) for path, words in write_pictures(pictures[:GALLERY_LIMIT], folder)]
        yield {
            kept: said(words_of(len(pictures))),
            gallery: gr.update(value=files, visible=True),
            sheet: gr.update(value=str(folder / "grid.png"), interactive=True),
            archive: gr.update(value=str(write_zip(pictures, made, folder / "images.zip")), interactive=True),
        }

    def another_grid() -> Updates:
        """What is said of a grid that is not shown yet; files of the one before are not offered."""
        off = gr.update(value=None, interactive=False)
        text = "Press the button: the finished images of your grid, to be seen, zoomed and downloaded."
        return {kept: said(text), gallery: gr.update(value=None, visible=False), sheet: off, archive: off}

    shown = [kept, gallery, sheet, archive]
    keep.click(long_action(write, visitor, "files", kept, ""), {visitor, result}, shown, **QUIET)
    result.change(another_grid, None, shown, **QUIET)


def words_of(count: int) -> str:
    """What there is to say of so many images as files."""
    more = f" The gallery shows {GALLERY_LIMIT}; the zip has all." if count > GALLERY_LIMIT else ""
    return (
        f"{count} images. Each PNG holds its settings in a text chunk, as JSON. A row has one seed: "
        "image k comes out again as image k of a row with that seed, not alone (with dopri5 only in a row as "
        f"long, for its steps are chosen for all).{more}"
    )
