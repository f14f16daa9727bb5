"""A Plotly figure that updates in place: no remount, no lost zoom, nothing fetched from outside.

``gr.Plot`` mounts a new plot for every payload. Here the figure travels as JSON and the browser calls
``Plotly.react`` on one plot, once per animation frame at most.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import plotly

from fmstudio.ui.element import Element

PLOTLY_JS = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
"""The library as the plotly wheel ships it; served from this machine by ``gr.set_static_paths``."""

_ADDRESS = f"/gradio_api/file={PLOTLY_JS.as_posix()}"


class LivePlot(Element):
    """A Plotly figure in the page; its value is a figure, drawn in place.

    Args:
        figure: the first figure, or None for an empty place of ``height`` pixels.
        height: pixels kept free while there is no figure, so that nothing jumps; 0 for one that is asked for.
        elem_id: for tests and style sheets.
    """

    module = "plot"

    def __init__(
        self,
        figure: Mapping[str, Any] | None = None,
        *,
        height: int = 300,
        elem_id: str | None = None,
        **_: Any,
    ):
        super().__init__(
            value=figure_json(figure) if figure is not None else None,
            html=f'<div class="fm-plot" style="min-height:{height}px"></div>',
            given=_ADDRESS,
            elem_id=elem_id,
        )


def figure_json(figure: Mapping[str, Any]) -> str:
    """The figure as the text that travels to the browser."""
    return json.dumps(figure, separators=(",", ":"))
