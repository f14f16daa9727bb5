"""A picture, its noise, and back; edits from in between; and how likely the picture is."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.blocks import Block

from fmstudio.folders import ASSETS
from fmstudio.image.models import class_names
from fmstudio.image.progress import Progress
from fmstudio.image.questions.bits import Bits, bits_per_dimension
from fmstudio.image.questions.inversion import INVERSION_TOLERANCE, Edit, Inversion, edit, invert
from fmstudio.image.settings import NO_CLASS, ImageSettings
from fmstudio.ui import words
from fmstudio.ui.report import failed, said
from fmstudio.ui.rooms.images.parts import LOADING, POOLED, Values, long_action
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
    remind,
    steps_follow,
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


@dataclass(frozen=True)
class Choice:
    """Which picture, and what is done with it: the controls above the buttons."""

    source: FollowingPills
    number: gr.Slider
    steps: gr.Slider
    target: FollowingMenu
    strip: gr.HTML
    upload: UploadedPicture
    kind: FollowingMenu
    negative: gr.Checkbox
    warning: gr.HTML


def build(visitor: gr.State, sampler: Sampler) -> None:
    """Lay the card out."""
    with gr.Column(elem_classes=["fm-card"], min_width=0):
        gr.Markdown("#### A picture, its noise, and back")
        choice = _choice()
        with gr.Row(elem_classes=["fm-controls"]):
            to_noise = gr.Button("Invert and back", variant="primary", elem_id="invert-go", min_width=130)
            change = gr.Button("Edit from t = 0.3 … 0.9", elem_id="edit-go", min_width=160)
            likely = gr.Button("Bits per dimension", elem_id="bits-go", min_width=140)
            dequantise = gr.Checkbox(True, label="dequantise", interactive=True, min_width=110)
            stop = gr.Button("Stop", elem_id="picture-stop", min_width=70)
        status = gr.HTML(
            said("Shown: a test picture with the default settings, computed beforehand. Choose a picture."),
            elem_id="picture-status",
        )
        shown = gr.HTML(OPENING.read_text("utf-8") if OPENING.exists() else "", elem_id="picture-result")
    with gr.Column(elem_classes=["fm-card"], min_width=0):
        gr.Markdown(words.text("images-picture"), latex_delimiters=LATEX)
    _follow(choice, sampler)
    work = Work(choice, sampler, dequantise, status, shown)
    inputs: set[Block] = {
        visitor,
        choice.source,
        choice.number,
        choice.steps,
        choice.target,
        choice.upload,
        choice.kind,
    }
    inputs |= {choice.negative, dequantise, *sampler.inputs}
    for button, ask in ((to_noise, work.invert), (change, work.edit), (likely, work.bits)):
        doing = long_action(ask, visitor, "picture", status, "Stopped. The result before stays.")
        button.click(doing, inputs, [status, shown], **POOLED)
    stoppable(stop, visitor, status, "picture")
    remind(sampler, status, "a button")


def _choice() -> Choice:
    model = ImageSettings().model
    classes = classes_of(model)[1:]
    with gr.Row(elem_classes=["fm-controls"]):
        source = FollowingPills(
            sources_of(model), value=TEST, label="picture", interactive=True, elem_classes=["fm-pills"],
            min_width=360,
        )  # fmt: skip
        number = gr.Slider(
            0, 19, value=15, step=1, label="test picture", interactive=True, min_width=130,
            elem_id="picture-number",
        )  # fmt: skip
        steps = gr.Slider(4, 128, value=32, step=1, label="steps", interactive=True, min_width=130)
        target = FollowingMenu(
            classes, value=class_names(model)[-1], label="edit into", interactive=True, min_width=120
        )
    strip = gr.HTML(test_strip(model), elem_id="picture-strip")
    with gr.Row(elem_classes=["fm-controls"]):
        upload = UploadedPicture(
            label="your picture", type="filepath", height=180, visible=False,
            sources=["upload", "clipboard"], interactive=True, elem_id="picture-upload",
        )  # fmt: skip
        kind = FollowingMenu(
            classes, value=WITHOUT_CLASS, label="what it is", visible=False, interactive=True, min_width=120
        )
        negative = gr.Checkbox(
            False, label="swap light and dark", visible=False, interactive=True, min_width=140
        )
    warning = gr.HTML(visible=False, elem_id="picture-warning")
    return Choice(source, number, steps, target, strip, upload, kind, negative, warning)


@dataclass(frozen=True)
class Work:
    """The three questions to a picture.

    Args:
        choice, sampler, dequantise: controls.
        status, shown: where the progress and the result stand.
    """

    choice: Choice
    sampler: Sampler
    dequantise: gr.Checkbox
    status: gr.HTML
    shown: gr.HTML

    def invert(self, values: Values) -> Generator[Progress | Updates]:
        """To noise and back."""
        settings, image, label = yield from self._picture(values)
        result = yield from _last(invert(settings, image, label, self._steps(values)))
        if isinstance(result, Inversion):
            yield self._done(inversion_html(result))

    def edit(self, values: Values) -> Generator[Progress | Updates]:
        """Part of the way to noise, and down into another class."""
        settings, image, label = yield from self._picture(values)
        last = len(class_names(settings.model)) - 1
        wanted = label_of(settings.model, values[self.choice.target], last)
        goal = one_label(ImageSettings(model=settings.model, label=wanted))
        result = yield from _last(edit(settings, image, label, goal, self._steps(values)))
        if isinstance(result, Edit):
            yield self._done(edit_html(result, image))

    def bits(self, values: Values) -> Generator[Progress | Updates]:
        """Its likelihood, in bits per dimension."""
        settings, image, label = yield from self._picture(values)
        steps, dequantise = self._steps(values), bool(values[self.dequantise])
        work = bits_per_dimension(settings, image, label, steps, SHOWN_DRAWS, dequantise)
        result = yield from _last(work)
        if isinstance(result, Bits):
            yield self._done(bits_html(result, image, steps, settings))

    def _steps(self, values: Values) -> int:
        return int(values[self.choice.steps])

    def _done(self, html: str) -> Updates:
        return {self.status: said("Done."), self.shown: html}

    def _picture(self, values: Values) -> Generator[Progress | Updates, None, tuple[ImageSettings, Any, int]]:
        """Returns the settings, the picture and its label."""
        chosen, settings = self.choice, self.sampler.read(values, count=1)
        name, sources = values[chosen.source], sources_of(settings.model)
        source = Source(
            name=name if name in sources else sources[0],
            number=int(values[chosen.number]),
            picture=values[chosen.upload],
            label=label_of(settings.model, values[chosen.kind], NO_CLASS),
            negative=bool(values[chosen.negative]),
        )
        yield LOADING
        image, label = yield from _last(obtain(settings, source))
        return settings, image, label


def _last(events: Iterator[Any]) -> Generator[Progress, None, Any]:
    """Pass progress on; returns what comes last."""
    last = None
    for event in events:
        if isinstance(event, Progress):
            yield event
        else:
            last = event
    return last


def _follow(choice: Choice, sampler: Sampler) -> None:
    """Let the controls follow the source of the picture, and the model."""

    def choose(name: str) -> Updates:
        test, own = gr.update(visible=name == TEST), gr.update(visible=name == UPLOAD)
        return {
            choice.number: test, choice.strip: test,
            choice.upload: own, choice.kind: own, choice.negative: own,
        }  # fmt: skip

    def warn(name: str, model: str, file: str | None, negative: bool) -> Any:
        told = upload_warning(model, file, bool(negative)) if name == UPLOAD else ""
        return gr.update(value=failed(ValueError(told)) if told else "", visible=bool(told))

    def other_model(model: str, source: str, target: str, kind: str) -> Updates:
        classes, sources = classes_of(model)[1:], sources_of(model)
        return {
            choice.source: followed(sources, source, sources[0]),
            choice.strip: test_strip(model),
            choice.target: followed(classes, target, class_names(model)[-1]),
            choice.kind: followed(classes, kind, WITHOUT_CLASS),
        }

    shown = [choice.number, choice.strip, choice.upload, choice.kind, choice.negative]
    choice.source.change(choose, choice.source, shown, **QUIET)
    told_by = [choice.source, sampler.model, choice.upload, choice.negative]
    changes: tuple[Callable[..., Any], ...] = (
        choice.source.change, choice.upload.change, choice.negative.change, sampler.model.change,
    )  # fmt: skip
    for asked in changes:
        asked(warn, told_by, choice.warning, **LAST)
    sampler.model.change(
        other_model,
        [sampler.model, choice.source, choice.target, choice.kind],
        [choice.source, choice.strip, choice.target, choice.kind],
        **QUIET,
    )
    steps_follow(sampler, choice.steps, INVERSION_TOLERANCE)
