"""Interpolate, invert, edit, and the likelihood of a picture: the flow run both ways."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any

import gradio as gr

from fmstudio.folders import ASSETS
from fmstudio.image.models import class_names
from fmstudio.image.progress import Progress
from fmstudio.image.questions.bits import Bits, bits_per_dimension
from fmstudio.image.questions.inversion import (
    BETWEEN_TOLERANCE,
    INVERSION_TOLERANCE,
    Edit,
    Interpolation,
    Inversion,
    edit,
    interpolate,
    invert,
)
from fmstudio.image.settings import NO_CLASS, ImageSettings, whole
from fmstudio.ui import words
from fmstudio.ui.report import failed, said
from fmstudio.ui.rooms.images.parts import POOLED, QUIET, Pulse, go_and_stop, guarded, progress_html
from fmstudio.ui.rooms.images.results import bits_html, edit_html, interpolation_html, inversion_html
from fmstudio.ui.rooms.images.sampler import (
    WITHOUT_CLASS,
    FollowingMenu,
    FollowingPills,
    Sampler,
    chosen_class,
    classes_of,
    followed,
    label_of,
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
from fmstudio.ui.stop import stoppable

OPENING = ASSETS / "pictures" / "images-between.html"
"""An interpolation with the default settings, made by ``scripts/pictures.py``."""

OPENING_INVERSION = ASSETS / "pictures" / "images-inversion.html"
"""The inversion of a test picture with the default settings, by the same script."""

SHOWN_STEPS, SHOWN_POINTS, SHOWN_OTHER = 16, 9, 1
SHOWN_DRAWS = 8
LATEX = [{"left": "$$", "right": "$$", "display": True}, {"left": "$", "right": "$", "display": False}]


def build(visitor: gr.State, sampler: Sampler) -> None:
    """Lay the sub-tab out."""
    _between(visitor, sampler)
    _picture(visitor, sampler)


def _between(visitor: gr.State, sampler: Sampler) -> None:
    with gr.Column(elem_classes=["fm-card"], min_width=0):
        gr.Markdown("#### Between two noises")
        with gr.Row(elem_classes=["fm-controls"]):
            other = gr.Number(SHOWN_OTHER, label="second seed", precision=0, interactive=True, min_width=90)
            points = gr.Slider(
                3, 13, value=SHOWN_POINTS, step=1, label="images", interactive=True, min_width=120
            )
            steps = gr.Slider(
                1, 64, value=SHOWN_STEPS, step=1, label="steps", interactive=True, min_width=120
            )
            go, stop = go_and_stop("Interpolate", "between")
        status = gr.HTML(said("Shown: seeds 0 and 1 of the default settings, sampled beforehand."))
        rows = gr.HTML(OPENING.read_text("utf-8") if OPENING.exists() else "", elem_id="between-rows")
        gr.Markdown(words.text("images-between"))

    def draw(other_: float, points_: float, steps_: float, *rest: Any) -> Iterator[Any]:
        settings = sampler.read(rest)
        label = _label(settings)
        yield [progress_html(Progress("Loading the model", 0.0, None)), gr.skip()]
        pulse = Pulse()
        for event in interpolate(settings, whole("seed", other_ or 0), label, int(points_), int(steps_)):
            if isinstance(event, Interpolation):
                yield [said("Done."), interpolation_html(event)]
            elif pulse.due():
                yield [progress_html(event), gr.skip()]

    inputs = [visitor, other, points, steps, *sampler.inputs]
    drawing = guarded(draw, 2, "between", "Stopped. The images before stay.")
    go.click(drawing, inputs, [status, rows], **POOLED)
    stoppable(stop, visitor, status, "between")
    remind(sampler, status, "Interpolate")
    steps_follow(sampler, steps, BETWEEN_TOLERANCE)


def _picture(visitor: gr.State, sampler: Sampler) -> None:
    default = ImageSettings()
    with gr.Column(elem_classes=["fm-card"], min_width=0):
        gr.Markdown("#### A picture, its noise, and back")
        with gr.Row(elem_classes=["fm-controls"]):
            source = FollowingPills(
                sources_of(default.model), value=TEST, label="picture", interactive=True,
                elem_classes=["fm-pills"], min_width=360,
            )  # fmt: skip
            number = gr.Slider(
                0, 19, value=15, step=1, label="test picture", interactive=True, min_width=130,
                elem_id="picture-number",
            )  # fmt: skip
            steps = gr.Slider(4, 128, value=32, step=1, label="steps", interactive=True, min_width=130)
            target = FollowingMenu(
                classes_of(default.model)[1:], value=class_names(default.model)[-1], label="edit into",
                interactive=True, min_width=120,
            )  # fmt: skip
        strip = gr.HTML(test_strip(default.model), elem_id="picture-strip")
        with gr.Row(elem_classes=["fm-controls"]):
            upload = UploadedPicture(
                label="your picture", type="filepath", height=180, visible=False,
                sources=["upload", "clipboard"], interactive=True, elem_id="picture-upload",
            )  # fmt: skip
            kind = FollowingMenu(
                classes_of(default.model)[1:], value=WITHOUT_CLASS, label="what it is", visible=False,
                interactive=True, min_width=120,
            )  # fmt: skip
            negative = gr.Checkbox(
                False, label="swap light and dark", visible=False, interactive=True, min_width=140
            )
        warning = gr.HTML(visible=False, elem_id="picture-warning")
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
        shown = gr.HTML(
            OPENING_INVERSION.read_text("utf-8") if OPENING_INVERSION.exists() else "",
            elem_id="picture-result",
        )
    with gr.Column(elem_classes=["fm-card"], min_width=0):
        gr.Markdown(words.text("images-picture"), latex_delimiters=LATEX)

    chosen = [source, number, upload, kind, negative]

    def started(values: tuple[Any, ...]) -> tuple[ImageSettings, Source]:
        name, number_, picture, kind_, negative_, *rest = values
        settings = sampler.read(rest, count=1)
        sources = sources_of(settings.model)
        known = name if name in sources else sources[0]
        label = label_of(settings.model, kind_, NO_CLASS)
        return settings, Source(known, int(number_), picture, label, bool(negative_))

    def do_invert(steps_: float, *values: Any) -> Iterator[Any]:
        settings, given = started(values)
        yield [progress_html(Progress("Loading the model", 0.0, None)), gr.skip()]
        image, label = yield from _showing(obtain(settings, given))
        result = yield from _showing(invert(settings, image, label, int(steps_)))
        if isinstance(result, Inversion):
            yield [said("Done."), inversion_html(result)]

    def do_edit(steps_: float, target_: str, *values: Any) -> Iterator[Any]:
        settings, given = started(values)
        yield [progress_html(Progress("Loading the model", 0.0, None)), gr.skip()]
        image, label = yield from _showing(obtain(settings, given))
        last = len(class_names(settings.model)) - 1
        goal = _label(ImageSettings(model=settings.model, label=label_of(settings.model, target_, last)))
        result = yield from _showing(edit(settings, image, label, goal, int(steps_)))
        if isinstance(result, Edit):
            yield [said("Done."), edit_html(result, image)]

    def do_bits(steps_: float, dequantise_: bool, *values: Any) -> Iterator[Any]:
        settings, given = started(values)
        yield [progress_html(Progress("Loading the model", 0.0, None)), gr.skip()]
        image, label = yield from _showing(obtain(settings, given))
        work = bits_per_dimension(settings, image, label, int(steps_), SHOWN_DRAWS, bool(dequantise_))
        result = yield from _showing(work)
        if isinstance(result, Bits):
            yield [said("Done."), bits_html(result, image, int(steps_), settings)]

    outputs, rest = [status, shown], [*chosen, *sampler.inputs]
    actions: tuple[tuple[gr.Button, Callable[..., Iterator[Any]], list[Any]], ...] = (
        (to_noise, do_invert, [steps]),
        (change, do_edit, [steps, target]),
        (likely, do_bits, [steps, dequantise]),
    )
    for button, work, own in actions:
        doing = guarded(work, 2, "picture", "Stopped. The result before stays.")
        button.click(doing, [visitor, *own, *rest], outputs, **POOLED)
    stoppable(stop, visitor, status, "picture")

    def choose(name: str) -> list[Any]:
        own = gr.update(visible=name == UPLOAD)
        test = gr.update(visible=name == TEST)
        return [test, test, own, own, own]

    def warn(name: str, model: str, file: str | None, negative_: bool) -> Any:
        told = upload_warning(model, file, bool(negative_)) if name == UPLOAD else ""
        return gr.update(value=failed(ValueError(told)) if told else "", visible=bool(told))

    source.change(choose, source, [number, strip, upload, kind, negative], **QUIET)
    last: dict[str, Any] = {"trigger_mode": "always_last", **QUIET}
    for asked in (source.change, upload.change, negative.change, sampler.model.change):
        asked(warn, [source, sampler.model, upload, negative], warning, **last)
    remind(sampler, status, "a button")
    steps_follow(sampler, steps, INVERSION_TOLERANCE)

    def other_model(model: str, source_: str, target_: str, kind_: str) -> list[Any]:
        classes, sources = classes_of(model)[1:], sources_of(model)
        return [
            followed(sources, source_, sources[0]),
            test_strip(model),
            followed(classes, target_, class_names(model)[-1]),
            followed(classes, kind_, WITHOUT_CLASS),
        ]

    following = [sampler.model, source, target, kind]
    sampler.model.change(other_model, following, [source, strip, target, kind], **QUIET)


def _showing(events: Iterator[Any]) -> Generator[Any, None, Any]:
    """Pass progress on to the page now and then; returns what comes last."""
    pulse, last = Pulse(), None
    for event in events:
        if isinstance(event, Progress):
            if pulse.due():
                yield [progress_html(event), gr.skip()]
        else:
            last = event
    return last


def _label(settings: ImageSettings) -> int:
    """The one label of an action that has one class."""
    label = chosen_class(settings)
    return len(class_names(settings.model)) if label == NO_CLASS else label
