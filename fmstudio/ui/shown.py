"""What the controls, and the parts beside them, show of an experiment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from fmstudio.learn.build import class_names, density_of, path_of
from fmstudio.learn.experiment import Experiment
from fmstudio.plots.coefficients import coefficients_html
from fmstudio.ui import words
from fmstudio.ui.sidebar import Sidebar, around_options, number_choices, shown_fields


@dataclass(frozen=True)
class Parts:
    """What shows the experiment.

    Args:
        all: by name.
        controls: those of them that edit a field of the experiment.
        query: the hidden link.
        at_first: what the browser shows of the controls before anything was settled.
        offered: the numbers to choose from, by the name of a control that takes others too.
    """

    all: Mapping[str, Component]
    controls: Mapping[str, Component]
    query: gr.Textbox
    at_first: Mapping[str, dict[str, object]]
    offered: Mapping[str, list[Any]]

    @classmethod
    def around(cls, side: Sidebar, controls: Mapping[str, Component]) -> Parts:
        """The sidebar's parts, a hidden link, and the controls of the sidebar and all rooms."""
        query = gr.Textbox(visible="hidden")
        parts: dict[str, Component] = {
            "query": query,
            **side.others,
            "board": side.board,
            "upload": side.upload,
            **controls,
        }
        first: dict[str, dict[str, object]] = {
            name: {"value": part.value, "visible": part.visible} for name, part in controls.items()
        }
        offered: dict[str, list[Any]] = {}
        for name, part in controls.items():
            if isinstance(part, gr.Dropdown) and "fm-number" in part.elem_classes:
                offered[name] = [value for _, value in part.choices]
                first[name]["choices"] = list(part.choices)
        return cls(parts, controls, query, first, offered)


def shown_of(experiment: Experiment, parts: Parts) -> dict[str, dict[str, object]]:
    """What the sidebar and the rooms' controls show of an experiment, by the part's name."""
    note = words.path_note(experiment)
    drawn = experiment.data == "points"
    classes = density_of(experiment).classes
    names = class_names(experiment, classes)
    values = experiment.to_dict()
    shown: dict[str, dict[str, object]] = {name: {"value": values[name]} for name in parts.controls}
    for name, seen in shown_fields(experiment, classes).items():
        shown[name]["visible"] = seen
    shown["label"]["choices"] = [("every class", -1), *zip(names, range(classes), strict=True)]
    for name, choices in parts.offered.items():
        shown[name]["choices"] = number_choices(choices, values[name])
    shown["around"]["choices"] = around_options(experiment)
    of_the_rest: dict[str, dict[str, object]] = {
        "query": {"value": _link(experiment)},
        "data note": {"value": words.data_note(experiment)},
        "coefficients": {"value": coefficients_html(path_of(experiment), words.path_formula(experiment))},
        "path note": {"value": note, "visible": bool(note)},
        "board": {"visible": drawn or experiment.data == "mixture"},
        "upload": {"visible": drawn},
    }
    return shown | of_the_rest


def _link(experiment: Experiment) -> str:
    """The query string, without a cloud or a mixture that is put aside: they are long."""
    aside = [name for name in ("points", "mixture") if experiment.data != name]
    return experiment.but(**{name: getattr(Experiment(), name) for name in aside}).to_query()
