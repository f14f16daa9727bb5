"""While a slider of the path is dragged, the browser computes the picture; the server is told at the end."""

from __future__ import annotations

from collections.abc import Mapping

import gradio as gr
from gradio.components import Component

from fmstudio.learn.fields import fields_of

_SAY = """(value) => {{
  document.dispatchEvent(new CustomEvent("fm-drag", {{ detail: {{ numbers: {{ {name}: value }} }} }}));
}}"""


def wire_dragging(controls: Mapping[str, Component]) -> None:
    """Tell the players of every move of a slider that belongs to a path; no request is made."""
    for name in fields_of("path"):
        slider = controls.get(name)
        if isinstance(slider, gr.Slider):
            slider.input(None, slider, None, js=_SAY.format(name=name), show_progress="hidden")
