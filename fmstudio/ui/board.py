"""The board: a canvas on which a person draws a cloud of points or drags the components of a mixture."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from fmstudio.ui.player import QuietMeta

_JS = (Path(__file__).resolve().parents[2] / "assets" / "board.js").read_text("utf-8")
_HTML = """
<div class="fm-board">
  <canvas aria-label="Board: draw data, or drag the components of the mixture" role="img"></canvas>
  <div class="board-row"><span class="board-hint"></span>
  <button type="button" data-board="add">+ component</button>
  <button type="button" data-board="clear">Clear</button></div>
</div>
"""


class Board(gr.HTML, metaclass=QuietMeta):
    """A canvas whose ``input`` event carries strokes or mixture components.

    The event's data is ``{"strokes": [[[x, y], …], …]}`` or
    ``{"components": [[w, mx, my, sxx, sxy, syy], …]}``, in units of the plane.
    It comes from the browser: check it before use.
    """

    if TYPE_CHECKING:
        input: Callable[..., Any]
        """``board.input(fn, inputs, outputs)``: a stroke ended or a component was let go."""

    def __init__(self, value: str | None = None, *, visible: bool = False, **_: Any):
        super().__init__(
            value=value,
            html_template=_HTML,
            js_on_load=f"{_JS}\nwindow.fmBoard(element, props, trigger, watch); // trigger('input')",
            apply_default_css=False,
            visible=visible,
            elem_id="board",
        )

    def get_block_name(self) -> str:
        """Gradio draws this as its own HTML component."""
        return "html"


def board_value(mode: str, mixture: str) -> str:
    """What the board shows: ``mode`` "draw" or "mixture", and the mixture's components."""
    return json.dumps({"mode": mode, "components": json.loads(mixture) if mode == "mixture" else []})
