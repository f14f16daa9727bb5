"""The data desk: what a file holds that was brought, and what of it becomes points."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import Any

import gradio as gr
from gradio.components import Component

from fmstudio.learn.clouds import (
    COMPONENTS,
    Choice,
    Cloud,
    Column,
    Look,
    Made,
    Table,
    made,
    suggested,
    unpack,
)
from fmstudio.learn.clouds.pictures import MOST_COLOURS, WIDEST_BLUR
from fmstudio.learn.experiment import Experiment
from fmstudio.plots.palette import CLASSES

CHOICES = ("x", "y", "label", "fill", "scale", "invert", "threshold", "blur", "colours")
"""What of a table and of a picture can be chosen, each by the part "desk NAME"."""

_COLUMNS, _CELL = 24, 14
_NAMED = 12


def build() -> dict[str, Component]:
    """Lay the desk out inside the current column, hidden until a file was read; returns its parts by name."""
    table = gr.HTML("", visible=False, elem_id="desk-table")
    seen: dict[str, Any] = {"visible": False, "interactive": True}
    small: dict[str, Any] = {**seen, "min_width": 100}
    # Below each other: a column's name needs the room.
    controls: dict[str, Component] = {
        "x": gr.Dropdown([], label="x", **small),
        "y": gr.Dropdown([], label="y", **small),
    }
    with gr.Row(elem_classes=["fm-pair", "fm-desk"]):
        controls["label"] = gr.Dropdown([], label="class", **small)
        controls["fill"] = gr.Textbox("", label="fill value", placeholder="e.g. −9999", max_lines=1, **small)
    scales = ["auto", "all points", "without far points"]
    controls["scale"] = gr.Dropdown(scales, value="auto", label="scale", **seen)
    controls["invert"] = gr.Checkbox(False, label="light on dark", **seen)
    controls["threshold"] = gr.Slider(0, 0.95, 0.05, step=0.01, label="threshold of ink", **seen)
    controls["blur"] = gr.Slider(0, WIDEST_BLUR, 0, step=0.1, label="blur (pixels)", **seen)
    controls["colours"] = gr.Slider(1, MOST_COLOURS, 1, step=1, label="colours as classes (1: none)", **seen)
    note = gr.HTML("", visible=False, elem_id="cloud-note")
    chosen = {f"desk {name}": part for name, part in controls.items()}
    return {"desk table": table, "cloud note": note, **chosen}


def changed(desk: Made, name: str, value: Any) -> Made:
    """What the file makes with one choice changed; the others follow where they would contradict it.

    Raises:
        ValueError: a choice that does not fit the file.
    """
    choice = desk.choice
    if isinstance(choice, Look):
        return made(desk.brought, {**choice.to_dict(), name: int(value) if name == "colours" else value})
    assert isinstance(desk.brought.content, Table)
    new = replace(choice, **{name: value or ""})
    if new.x == COMPONENTS:
        new = replace(new, y="")
    elif choice.x == COMPONENTS and name == "x":
        usual = suggested(desk.brought.content)
        new = replace(new, y=usual.y if usual.y != new.x else usual.x)
    elif new.x == new.y:
        new = replace(new, **({"y": choice.x} if name == "x" else {"x": choice.y or choice.x, "y": ""}))
    return made(desk.brought, new.to_dict())


def shown(experiment: Experiment, desk: Made | None) -> dict[str, dict[str, Any]]:
    """What every part of the desk shows, by its name.

    Args:
        experiment: whose points play; another's are not those of the desk.
        desk: what was made of a file, if one was brought.
    """
    own = experiment.data == "points"
    cloud = unpack(experiment.points) if own and experiment.points else None
    said = "" if cloud is None else note_html(cloud)
    parts: dict[str, dict[str, Any]] = {"cloud note": {"value": said, "visible": bool(said)}}
    parts |= {f"desk {name}": {"visible": False} for name in ("table", *CHOICES)}
    if desk is None or not own or desk.points != experiment.points:
        return parts
    choice, content = desk.choice, desk.brought.content
    parts |= {f"desk {name}": {"value": value, "visible": True} for name, value in choice.to_dict().items()}
    if isinstance(content, Table) and isinstance(choice, Choice):
        parts["desk table"] = {"value": table_html(content, choice), "visible": True}
        numbers = [c.name for c in content.columns if c.kind in ("numbers", "row numbers")]
        several = [(COMPONENTS, COMPONENTS)] * (sum(c.kind == "numbers" for c in content.columns) > 2)
        parts["desk x"]["choices"] = [*((name, name) for name in numbers), *several]
        parts["desk y"]["choices"] = [("none: on a line", ""), *((name, name) for name in numbers)]
        parts["desk y"]["visible"] = choice.x != COMPONENTS
        able = [c.name for c in content.columns if c.kinds is not None and c.count_kinds > 1]
        parts["desk label"]["choices"] = [("none", ""), *((name, name) for name in able)]
    return parts


def table_html(table: Table, choice: Choice) -> str:
    """The columns with what they are used for, what they hold, what is missing, and the first rows."""
    columns = table.columns[:_COLUMNS]
    more = f" Of {len(table.columns):,} columns the first {_COLUMNS}." * (len(table.columns) > _COLUMNS)
    head = "".join(f"<th scope='col'>{_use(c, choice)}{escape(c.name)}</th>" for c in columns)
    kinds = "".join(f"<td>{_kind(column)}</td>" for column in columns)
    missing = "".join(f"<td>{column.missing or 'none'} missing</td>" for column in columns)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(_cut(column.head[k]))}</td>" for column in columns) + "</tr>"
        for k in range(len(columns[0].head))
    )
    return (
        f'<div class="desk-scroll" tabindex="0"><table class="desk-table"><thead><tr>{head}</tr></thead>'
        f'<tbody><tr class="kind">{kinds}</tr>{rows}<tr class="kind">{missing}</tr></tbody></table></div>'
        f'<p class="desk-note">The first of {table.count:,} rows.{more}</p>'
    )


def note_html(cloud: Cloud) -> str:
    """What was done to make a cloud, what to know about it, and its classes in their colours."""
    parts = [f'<p class="desk-note">{escape(cloud.note)}</p>'] if cloud.note else []
    if cloud.warning:
        parts.insert(0, f'<p class="desk-note desk-warn" role="status">{escape(cloud.warning)}</p>')
    if cloud.names:
        dots = "".join(
            f'<span><i style="background:var(--fm-class-{k % len(CLASSES)})"></i>{escape(name)}</span>'
            for k, name in enumerate(cloud.names[:_NAMED])
        )
        more = f"<span>and {len(cloud.names) - _NAMED} more</span>" * (len(cloud.names) > _NAMED)
        parts.append(f'<p class="desk-legend">{dots}{more}</p>')
    return "".join(parts)


def _cut(cell: str) -> str:
    return cell if len(cell) <= _CELL else f"{cell[: _CELL - 1]}…"


def _use(column: Column, choice: Choice) -> str:
    uses = {choice.x: "x", choice.y: "y", choice.label: "class"}
    component = choice.x == COMPONENTS and column.kind == "numbers" and column.name != choice.label
    use = "x, y" if component else uses.get(column.name)
    return f"<b>{use}</b> " if use else ""


def _kind(column: Column) -> str:
    if column.kind == "words":
        return f"{column.count_kinds:,} kinds" if column.count_kinds != 1 else "1 kind"
    return {"row numbers": "row number"}.get(column.kind, column.kind)
