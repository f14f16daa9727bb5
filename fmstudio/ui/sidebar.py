"""The sidebar: the controls that edit the experiment's data, path and pairing, in every room."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from fmstudio.flow.regress.objectives import Target
from fmstudio.flow.solve.tableaux import SOLVERS
from fmstudio.learn.catalogue.member import Member, fields_in
from fmstudio.learn.experiment import COUPLINGS, DATA, FAMILIES, PATHS, Experiment, domain
from fmstudio.ui import desk, words
from fmstudio.ui.board import Board


@dataclass(frozen=True)
class Sidebar:
    """What the sidebar made: controls by the field they edit, its drawings, and its other parts by name."""

    controls: dict[str, Component]
    board: Board
    upload: gr.File
    others: dict[str, Component]


@contextmanager
def card(title: str = "", *classes: str) -> Generator[gr.Column]:
    """A card of the page, to be filled while the context lasts.

    Args:
        title: over its content, in Markdown.
        classes: more of the style sheet.
    """
    with gr.Column(elem_classes=["fm-card", *classes], min_width=0) as column:
        if title:
            gr.Markdown(f"#### {title}")
        yield column


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


def offered(field: str) -> list[tuple[str, str]]:
    """What a field may name: what the page calls it, and the name."""
    members = FAMILIES.get(field, {})
    return [(_label(members.get(name), name), name) for name in domain(field)["options"]]


def _label(member: object, name: str) -> str:
    return (member.label if isinstance(member, Member | Target) else "") or name


def pills(field: str, label: str, *classes: str) -> gr.Radio:
    """One choice of a few, as a row of pills; other ``classes`` of the style sheet lay it out otherwise."""
    return gr.Radio(
        offered(field),
        value=getattr(Experiment(), field),
        label=label,
        elem_id=f"{field}-choice",
        elem_classes=list(classes or ("fm-pills",)),
        container=False,
        show_label=False,
        interactive=True,
    )


def control(field: str) -> Component:
    """The control of a field, of the kind that its domain asks for."""
    limits, value = domain(field), getattr(Experiment(), field)
    if "options" in limits:
        return gr.Dropdown(offered(field), value=value, label=limits["label"], interactive=True)
    if "longest" in limits:
        most = limits["longest"] if limits["cut"] else None
        return gr.Textbox(value, label=limits["label"], max_lines=1, max_length=most, interactive=True)
    if limits["step"] is not None:
        return slider(field, limits["label"], limits["step"])
    return numbers(field, limits["label"], limits["offered"])


def _owned(members: Mapping[str, Member[Any]]) -> list[str]:
    """The fields that belong to some member of a family and have a control: a cloud or a mixture is drawn."""
    return [field for field in fields_in(members) if domain(field)["label"]]


def build() -> Sidebar:
    """Lay the sidebar out inside the current column."""
    controls: dict[str, Component] = {}
    others: dict[str, Component] = {}
    with card("Data"):
        controls["data"] = pills("data", "data", "fm-thumbs")
        others["data note"] = gr.Markdown(words.data_note(Experiment()), elem_classes=["fm-note"])
        controls |= {field: control(field) for field in _owned(DATA)}
        board = Board()
        # Of any kind: one that is not read is answered with what to do.
        upload = gr.File(label="a table, NPY or a picture", height=110, visible=False)
        others |= desk.build()
    with card("Path"):
        controls["path"] = pills("path", "path", "fm-pills", "fm-thirds")
        others["coefficients"] = gr.HTML("")
        controls |= {field: control(field) for field in _owned(PATHS)}
        others["path note"] = gr.Markdown("", elem_classes=["fm-note"], visible=False)
    with card("Source *x₁*"):
        controls["source"] = pills("source", "source")
        gr.Markdown("#### Coupling of *x₀* with *x₁*")
        controls["coupling"] = pills("coupling", "coupling")
        controls |= {field: control(field) for field in _owned(COUPLINGS)}
    with card("Experiment"):
        controls["particles"] = control("particles")
        controls["seed"] = gr.Number(Experiment().seed, label=domain("seed")["label"], interactive=True)
        gr.Markdown(
            "A link, a checkpoint and the command line all carry exactly this.", elem_classes=["fm-note"]
        )
    for name, seen in shown_fields(Experiment()).items():
        if name in controls:
            controls[name].visible = seen
    return Sidebar(controls, board, upload, others)


def around_options(experiment: Experiment) -> list[tuple[str, str]]:
    """What the experiment's path may go around; of one that stands by itself, whatever any may."""
    path = PATHS[experiment.path]
    return [(label, name) for label, name in offered("around") if path.goes_around(name)]


def shown_fields(experiment: Experiment, classes: int = 0) -> dict[str, bool]:
    """For every setting that belongs to some choices only: whether it belongs to the present one.

    Args:
        experiment: what the controls show.
        classes: how many the data have.
    """
    e = experiment
    shown = {*DATA[e.data].fields, *PATHS[e.path].fields, *COUPLINGS[e.coupling].fields}
    every = sorted({*_owned(DATA), *_owned(PATHS), *_owned(COUPLINGS)})
    told = e.conditional and classes > 0
    return {field: field in shown for field in every} | {
        "conditional": classes > 0,
        "label_drop": told,
        "label": told,
        "guidance": told and e.label >= 0,
        "sample_steps": not SOLVERS[e.solver].adaptive or e.sde_noise > 0,
    }
