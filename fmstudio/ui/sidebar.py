"""The sidebar: the controls that edit the experiment's data, path and pairing, in every room."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr
from gradio.components import Component

from fmstudio.learn.experiment import COUPLINGS, DATA, PATHS, SOURCES, Experiment, domain
from fmstudio.ui.board import Board

PATH_FIELDS = {
    "polynomial": ("power",),
    "bow": ("bend",),
    "spiral": ("turn",),
    "latent": ("strength", "around"),
    "zig-zag": ("around",),
    "variance preserving": ("beta0", "beta1"),
    "custom": ("formula_a", "formula_b"),
}
"""Which numbers belong to which path; the others are not shown."""

DATA_FIELDS = {
    "word": ("word",),
    "mixture": (),
    "points": (),
    "line mixture": (),
    "8 gaussians": ("data_noise",),
}
"""Which settings belong to which data; a shape has its noise and its number of points."""

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
    "coupling_batch": "mini-batch that is matched",
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
    cloud_note: gr.Markdown
    coefficients: gr.HTML
    path_note: gr.Markdown


def slider(field: str, label: str, step: float, value: float | None = None) -> gr.Slider:
    """A slider over a field's whole domain."""
    limits = domain(field)
    default = getattr(Experiment(), field) if value is None else value
    return gr.Slider(limits["low"], limits["high"], value=default, step=step, label=label, interactive=True)


def pills(field: str, options: tuple[str, ...], label: str, names: dict[str, str] | None = None) -> gr.Radio:
    """One choice of a few, as a row of pills."""
    choices = [((names or {}).get(option, option), option) for option in options]
    return gr.Radio(
        choices,
        value=getattr(Experiment(), field),
        label=label,
        elem_classes=["fm-pills"],
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
            list(DATA),
            value=Experiment().data,
            elem_id="data-choice",
            elem_classes=["fm-thumbs"],
            container=False,
            show_label=False,
            interactive=True,
        )
        controls["data_noise"] = slider("data_noise", _LABELS["data_noise"], 0.01)
        controls["data_points"] = slider("data_points", _LABELS["data_points"], 100)
        controls["word"] = gr.Textbox(
            Experiment().word, label=_LABELS["word"], max_lines=1, max_length=12, interactive=True
        )
        board = Board()
        upload = gr.File(
            label="CSV, NPY or picture",
            file_types=[".csv", ".txt", ".npy", ".png", ".jpg", ".jpeg", ".webp"],
            height=110,
            visible=False,
        )
        cloud_note = gr.Markdown("", elem_classes=["fm-note"], visible=False)
    with gr.Column(elem_classes=["fm-card"], min_width=0):
        gr.Markdown("#### Path")
        controls["path"] = pills("path", PATHS, "path", _PATH_LABELS)
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
        gr.Markdown("#### Source x₁")
        controls["source"] = pills(
            "source", SOURCES, "source", {"standard normal": "N(0, I)", "two gaussians": "2 gaussians"}
        )
        gr.Markdown("#### Coupling of x₀ with x₁")
        controls["coupling"] = pills(
            "coupling", COUPLINGS, "coupling", {"optimal transport": "OT", "sinkhorn": "Sinkhorn"}
        )
        controls["coupling_batch"] = slider("coupling_batch", _LABELS["coupling_batch"], 16)
        controls["sinkhorn_reg"] = slider("sinkhorn_reg", _LABELS["sinkhorn_reg"], 0.001)
    with gr.Column(elem_classes=["fm-card"], min_width=0):
        gr.Markdown("#### Experiment")
        controls["particles"] = gr.Dropdown(
            [500, 1_000, 2_000, 5_000, 10_000, 20_000, 100_000],
            value=Experiment().particles,
            label=_LABELS["particles"],
            allow_custom_value=False,
            interactive=True,
        )
        controls["seed"] = gr.Number(
            Experiment().seed, label=_LABELS["seed"], precision=0, minimum=0, interactive=True
        )
        gr.Markdown(
            "A link, a checkpoint and the command line all carry exactly this.", elem_classes=["fm-note"]
        )
    for name, seen in shown_fields(Experiment()).items():
        controls[name].visible = seen
    return Sidebar(controls, board, upload, cloud_note, coefficients, path_note)


def shown_fields(experiment: Experiment) -> dict[str, bool]:
    """For every setting that belongs to some choices only: whether it belongs to the present one."""
    data = DATA_FIELDS.get(experiment.data, _SHAPE_FIELDS)
    path = PATH_FIELDS.get(experiment.path, ())
    coupling = {
        "independent": (),
        "optimal transport": ("coupling_batch",),
        "sinkhorn": ("coupling_batch", "sinkhorn_reg"),
    }
    shown = {*data, *path, *coupling[experiment.coupling]}
    every = {
        *_SHAPE_FIELDS,
        "word",
        *(f for fields in PATH_FIELDS.values() for f in fields),
        "coupling_batch",
        "sinkhorn_reg",
    }
    return {field: field in shown for field in sorted(every)}
