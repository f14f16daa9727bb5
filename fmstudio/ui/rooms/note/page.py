"""What every page of the note's room tells the room about itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import gradio as gr
from gradio.components import Component

from fmstudio.studio.session import Visitor
from fmstudio.ui.wiring import Updates


@dataclass(frozen=True)
class Page:
    """One page of the room.

    Args:
        tab: it stands in.
        paint: ``f(visitor)``: updates that fill it.
        outputs: what they fill.
    """

    tab: gr.Tab
    paint: Callable[[Visitor], Updates]
    outputs: list[Component]
