"""The sidebar: the controls that edit the experiment's data, path and pairing, in every room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import gradio as gr
from gradio.components import Component

from fmstudio.learn.experiment import (
    COUPLING_FIELDS,
    COUPLINGS,
    DATA,
    PATH_FIELDS,
    PATHS,
    SOURCES,
    Experiment,
    domain,
)
from fmstudio.ui import desk, words
from fmstudio.ui.board import Board
from fmstudio.ui.desk import Desk

DATA_FIELDS = {
    "word": ("word",),
    "mixture": (),
    "points": (),
    "line mixture": (),
    "8 gaussians": ("data_noise",),
}
"""Which settings belong to which data; a shape has its noise and its number of points."""

DATA_LABELS = {
    "mixture": "your mixture", "word": "a word", "points": "draw or upload", "line mixture": "on a line",
}  # fmt: skip
"""What the data sets are called where their name in the experiment would puzzle."""

_SHAPE_FIELDS = ("data_noise", "data_points")
_PATH_LABELS = {"linear": "straight", "variance preserving": "VP"}
_LABELS = {
    "data_noise": "noise",
    "data_points": "points in the data set",
    "word": "word (Enter to draw it)",
    "power": "power n",
    "bend": "bend κ",
    "turn": "turn κ (radians)",
    "strength": "strength κ of γ = κ√(t(1−t))",
    "around": "around the path",
    "beta0": "β₀",
    "beta1": "β₁",
    "formula_a": "a(t) =",
    "formula_b": "b(t) =",
    "coupling_batch": "pairs matched at a time",
    "sinkhorn_reg": "entropic regularisation",
    "particles": "particles",
    "seed": "seed",
}


@dataclass(frozen=True)
class Sidebar:
    """What the sidebar made: the controls by the field they edit, and its drawings."""

    controls: dict[str, Component]
    board: Board
    upload: gr.File
    data_note: gr.Markdown
    desk: Desk
    coefficients: gr.HTML
    path_note: gr.Markdown


def slider(field: str, label: str, step: float) -> gr.Slider:
    """A slider over a field's whole domain."""
    limits = domain(field)
    default = getattr(Experiment(), field)
    return gr.Slider(limits["low"], limits["high"], value=default, step=step, label=label, interactive=True)


def numbers(field: str, label: str, offered: Sequence[float]) -> gr.Dropdown:
    """A field whose values spread over magnitudes: a few round ones to choose from, any other to type."""
    value = getattr(Experiment(), field)
    return gr.Dropdown(
        number_choices(offered, value),
        value=value,
        label=label,
        allow_custom_value=True,
        interactive=True,
        elem_classes=["fm-number"],
    )


def number_choices(offered: Sequence[float], value: float) -> list[tuple[str, float]]:
    """The numbers to choose from, and the present one: Gradio cannot edit one that is not among them."""
    return [(f"{number:.12g}", number) for number in sorted({*offered, value})]


def pills(
    field: str,
    options: tuple[str, ...],
    label: str,
    names: dict[str, str] | None = None,
    *,
    thirds: bool = False,
) -> gr.Radio:
    """One choice of a few, as a row of pills; ``thirds`` lays them out three in a row."""
    choices = [((names or {}).get(option, option), option) for option in options]
    return gr.Radio(
        choices,
        value=getattr(Experiment(), field),
        label=label,
        elem_classes=["fm-pills", *(["fm-thirds"] if thirds else [])],
        container=False,
        show_label=False,
        interactive=True,
    )


def build() -> Sidebar:
    """Lay the sidebar out inside the current column."""
    controls: dict[str, Component] = {}
    with gr.Column(elem_classes=["fm-card"], min_width=0):
        gr.Markdown("#### Data")
        controls["data"] = gr.Radio(
            [(DATA_LABELS.get(name, name), name) for name in DATA],
            value=Experiment().data,
            elem_id="data-choice",
            elem_classes=["fm-thumbs"],
            container=False,
            show_label=False,
            interactive=True,
        )
        data_note = gr.Markdown(words.data_note(Experiment()), elem_classes=["fm-note"])
        controls["data_noise"] = slider("data_noise", _LABELS["data_noise"], 0.01)
        controls["data_points"] = numbers(
            "data_points", _LABELS["data_points"], (100, 1_000, 5_000, 20_000, 50_000, 100_000)
        )
        controls["word"] = gr.Textbox(
            Experiment().word, label=_LABELS["word"], max_lines=1, max_length=12, interactive=True
        )
        board = Board()
        # Of any kind: one that is not read is answered with what to do.
        upload = gr.File(label="a table, NPY or a picture", height=110, visible=False)
        data_desk = desk.build()
    with gr.Column(elem_classes=["fm-card"], min_width=0):
        gr.Markdown("#### Path")
        controls["path"] = pills("path", PATHS, "path", _PATH_LABELS, thirds=True)
        coefficients = gr.HTML("")
        controls["around"] = gr.Dropdown(
            list(domain("around")["options"]), value="spherical", label=_LABELS["around"], interactive=True
        )
        for field, step in (
            ("power", 0.1), ("bend", 0.05), ("turn", 0.05), ("strength", 0.05), ("beta0", 0.01),
            ("beta1", 0.5),
        ):  # fmt: skip
            controls[field] = slider(field, _LABELS[field], step)
        for field in ("formula_a", "formula_b"):
            controls[field] = gr.Textbox(
                getattr(Experiment(), field), label=_LABELS[field], max_lines=1, interactive=True
            )
        path_note = gr.Markdown("", elem_classes=["fm-note"], visible=False)
    with gr.Column(elem_classes=["fm-card"], min_width=0):
        gr.Markdown("#### Source *x₁*")
        controls["source"] = pills(
            "source",
            SOURCES,
            "source",
            {"standard normal": "N(0, I)", "two gaussians": "2 gaussians"},
        )
        gr.Markdown("#### Coupling of *x₀* with *x₁*")
        controls["coupling"] = pills(
            "coupling",
            COUPLINGS,
            "coupling",
            {"optimal transport": "OT", "sinkhorn": "Sinkhorn"},
        )
        controls["coupling_batch"] = numbers(
            "coupling_batch", _LABELS["coupling_batch"], (16, 64, 128, 512, 1_024)
        )
        controls["sinkhorn_reg"] = numbers("sinkhorn_reg", _LABELS["sinkhorn_reg"], (0.01, 0.2, 1, 10))
    with gr.Column(elem_classes=["fm-card"], min_width=0):
        gr.Markdown("#### Experiment")
        controls["particles"] = numbers(
            "particles", _LABELS["particles"], (500, 1_000, 5_000, 10_000, 20_000, 100_000)
        )
        controls["seed"] = gr.Number(Experiment().seed, label=_LABELS["seed"], interactive=True)
        gr.Markdown(
            "A link, a checkpoint and the command line all carry exactly this.", elem_classes=["fm-note"]
        )
    for name, seen in shown_fields(Experiment()).items():
        if name in controls:
            controls[name].visible = seen
    return Sidebar(controls, board, upload, data_note, data_desk, coefficients, path_note)


def around_options(experiment: Experiment) -> tuple[str, ...]:
    """What a latent or a zig-zag may go around."""
    options: tuple[str, ...] = domain("around")["options"]
    return options[1:] if experiment.path == "zig-zag" else options


def shown_fields(experiment: Experiment, classes: int = 0) -> dict[str, bool]:
    """For every setting that belongs to some choices only: whether it belongs to the present one.

    Args:
        experiment: what the controls show.
        classes: how many the data have.
    """
    data = DATA_FIELDS.get(experiment.data, _SHAPE_FIELDS)
    path, coupling = PATH_FIELDS.get(experiment.path, ()), COUPLING_FIELDS.get(experiment.coupling, ())
    shown = {*data, *path, *coupling}
    owned = (*PATH_FIELDS.values(), *COUPLING_FIELDS.values())
    every = {*_SHAPE_FIELDS, "word", *(field for fields in owned for field in fields)}
    told = experiment.conditional and classes > 0
    return {field: field in shown for field in sorted(every)} | {
        "conditional": classes > 0,
        "label_drop": told,
        "label": told,
        "guidance": told and experiment.label >= 0,
        "sample_steps": experiment.solver != "dopri5" or experiment.sde_noise > 0,
    }
