"""A picture, its noise, and back; edits from in between; and how likely the picture is."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import gradio as gr
from torch import Tensor

from fmstudio.folders import ASSETS
from fmstudio.image.models import class_names
from fmstudio.image.progress import Progress
from fmstudio.image.questions.bits import bits_per_dimension
from fmstudio.image.questions.inversion import INVERSION_TOLERANCE, edit, invert
from fmstudio.image.settings import NO_CLASS, ImageSettings
from fmstudio.ui import words
from fmstudio.ui.report import failed, said
from fmstudio.ui.rooms.images.parts import LOADING, POOLED, Values, long_action, outcome
from fmstudio.ui.rooms.images.results import bits_html, edit_html, inversion_html
from fmstudio.ui.rooms.images.sampler import (
    WITHOUT_CLASS,
    FollowingMenu,
    FollowingPills,
    Sampler,
    classes_of,
    followed,
    label_of,
    one_label,
)
from fmstudio.ui.rooms.images.source import (
    TEST,
    UPLOAD,
    Source,
    obtain,
    sources_of,
    test_strip,
    upload_warning,
)
from fmstudio.ui.rooms.images.upload import UploadedPicture
from fmstudio.ui.wiring import LAST, LATEX, QUIET, Updates, stoppable

OPENING = ASSETS / "pictures" / "images-inversion.html"
"""The inversion of a test picture with the default settings, made by ``scripts/pictures.py``."""

SHOWN_DRAWS = 8


class PictureCard:
    """The card: which picture, the three questions to it, and the answer."""

    def __init__(self, visitor: gr.State, sampler: Sampler):
        self.sampler = sampler
        with gr.Column(elem_classes=["fm-card"], min_width=0):
            gr.Markdown("#### A picture, its noise, and back")
            self._choice()
            with gr.Row(elem_classes=["fm-controls"]):
                to_noise = gr.Button("Invert and back", variant="primary", elem_id="invert-go", min_width=130)
                change = gr.Button("Edit from t = 0.3 … 0.9", elem_id="edit-go", min_width=160)
                likely = gr.Button("Bits per dimension", elem_id="bits-go", min_width=140)
                self.dequantise = gr.Checkbox(True, label="dequantise", interactive=True, min_width=110)
                stop = gr.Button("Stop", elem_id="picture-stop", min_width=70)
            shown = "Shown: a test picture with the default settings, computed beforehand. Choose a picture."
            self.status = gr.HTML(said(shown), elem_id="picture-status")
            self.shown = gr.HTML(OPENING.read_text("utf-8"), elem_id="picture-result")
        with gr.Column(elem_classes=["fm-card"], min_width=0):
            gr.Markdown(words.text("images-picture"), latex_delimiters=LATEX)
        self._follow()
        inputs = {
            visitor, self.source, self.number, self.steps, self.target, self.upload, self.kind,
            self.negative, self.dequantise, *sampler.inputs,
        }  # fmt: skip
        for button, ask in ((to_noise, self._invert), (change, self._edit), (likely, self._bits)):
            doing = long_action(ask, visitor, "picture", self.status, "Stopped. The result before stays.")
            button.click(doing, inputs, [self.status, self.shown], **POOLED)
        stoppable(stop, visitor, self.status, "picture")
        sampler.remind(self.status, "a button")

    def _choice(self) -> None:
        model = ImageSettings().model
        classes = classes_of(model)[1:]
        with gr.Row(elem_classes=["fm-controls"]):
            self.source = FollowingPills(
                sources_of(model), value=TEST, label="picture", interactive=True, elem_classes=["fm-pills"],
                min_width=360,
            )  # fmt: skip
            self.number = gr.Slider(
                0, 19, value=15, step=1, label="test picture", interactive=True, min_width=130,
                elem_id="picture-number",
            )  # fmt: skip
            self.steps = self.sampler.steps(4, 128, 32, 130, INVERSION_TOLERANCE)
            self.target = FollowingMenu(
                classes, value=class_names(model)[-1], label="edit into", interactive=True, min_width=120
            )
        self.strip = gr.HTML(test_strip(model), elem_id="picture-strip")
        with gr.Row(elem_classes=["fm-controls"]):
            self.upload = UploadedPicture(
                label="your picture", type="filepath", height=180, visible=False,
                sources=["upload", "clipboard"], interactive=True, elem_id="picture-upload",
            )  # fmt: skip
            self.kind = FollowingMenu(
                classes, value=WITHOUT_CLASS, label="what it is", visible=False, interactive=True,
                min_width=120,
            )  # fmt: skip
            self.negative = gr.Checkbox(
                False, label="swap light and dark", visible=False, interactive=True, min_width=140
            )
        self.warning = gr.HTML(visible=False, elem_id="picture-warning")

    def _invert(self, values: Values) -> Generator[Progress | Updates]:
        settings, image, label = yield from self._picture(values)
        made = yield from outcome(invert(settings, image, label, int(values[self.steps])))
        yield self._done(inversion_html(made))

    def _edit(self, values: Values) -> Generator[Progress | Updates]:
        settings, image, label = yield from self._picture(values)
        last = len(class_names(settings.model)) - 1
        wanted = label_of(settings.model, values[self.target], last)
        goal = one_label(ImageSettings(model=settings.model, label=wanted))
        made = yield from outcome(edit(settings, image, label, goal, int(values[self.steps])))
        yield self._done(edit_html(made, image))

    def _bits(self, values: Values) -> Generator[Progress | Updates]:
        settings, image, label = yield from self._picture(values)
        steps, dequantise = int(values[self.steps]), bool(values[self.dequantise])
        work = bits_per_dimension(settings, image, label, steps, SHOWN_DRAWS, dequantise)
        made = yield from outcome(work)
        yield self._done(bits_html(made, image, steps, settings))

    def _done(self, html: str) -> Updates:
        return {self.status: said("Done."), self.shown: html}

    def _picture(
        self, values: Values
    ) -> Generator[Progress | Updates, None, tuple[ImageSettings, Tensor, int]]:
        """Returns the settings, the picture and its label."""
        settings = self.sampler.read(values, count=1)
        name, sources = values[self.source], sources_of(settings.model)
        source = Source(
            name=name if name in sources else sources[0],
            number=int(values[self.number]),
            picture=values[self.upload],
            label=label_of(settings.model, values[self.kind], NO_CLASS),
            negative=bool(values[self.negative]),
        )
        yield LOADING
        image, label = yield from outcome(obtain(settings, source))
        return settings, image, label

    def _follow(self) -> None:
        """Let the controls follow the source of the picture, and the model."""
        model, source = self.sampler.model, self.source
        of_test, of_own = [self.number, self.strip], [self.upload, self.kind, self.negative]

        def choose(name: str) -> Updates:
            shown: Updates = {part: gr.update(visible=name == TEST) for part in of_test}
            return shown | {part: gr.update(visible=name == UPLOAD) for part in of_own}

        def warn(name: str, model: str, file: str | None, negative: bool) -> Any:
            told = upload_warning(model, file, bool(negative)) if name == UPLOAD else ""
            return gr.update(value=failed(ValueError(told)) if told else "", visible=bool(told))

        def other_model(model: str, source: str, target: str, kind: str) -> Updates:
            classes, sources = classes_of(model)[1:], sources_of(model)
            return {
                self.source: followed(sources, source, sources[0]),
                self.strip: test_strip(model),
                self.target: followed(classes, target, class_names(model)[-1]),
                self.kind: followed(classes, kind, WITHOUT_CLASS),
            }

        source.change(choose, source, [*of_test, *of_own], **QUIET)
        told_by = [source, model, self.upload, self.negative]
        for changed in (source.change, self.upload.change, self.negative.change, model.change):
            changed(warn, told_by, self.warning, **LAST)
        given, outputs = [source, self.target, self.kind], [source, self.strip, self.target, self.kind]
        model.change(other_model, [model, *given], outputs, **QUIET)
