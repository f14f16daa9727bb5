"""Static and live Plotly figures: one look, colours by meaning, every figure says in one line what it shows.

Colours are written as ``var(--fm-…)``; the page fills them in, so that light and dark need no second figure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fmstudio.flow.solve.tableaux import SOLVERS

Figure = dict[str, Any]
"""A Plotly figure as JSON: traces and layout."""

INK, SOFT, LINE = "var(--fm-ink)", "var(--fm-ink-soft)", "var(--fm-border)"
_FONT = "ui-sans-serif, system-ui, -apple-system, Segoe UI, Roboto, sans-serif"

# Plotly checks colours when a figure object is built and knows no CSS variables, so figures stay plain
# dictionaries until they are drawn.


def ink(role: str) -> str:
    """The CSS variable of a colour role: data, noise, exact, learned, error, original."""
    return f"var(--fm-{role})"


def figure(
    traces: Sequence[Mapping[str, Any]], *, height: int = 280, x: str = "", y: str = "", **layout: Any
) -> Figure:
    """A figure in the studio's look, as a Plotly JSON object.

    Args:
        traces: Plotly traces as mappings.
        height: pixels.
        x, y: axis titles.
        layout: further layout entries; ``xaxis`` and ``yaxis`` are merged into the look's.
    """
    axis = {
        "gridcolor": LINE,
        "zeroline": False,
        "linecolor": LINE,
        "tickfont": {"size": 11, "color": SOFT},
        "automargin": True,
    }
    xaxis = {**axis, "title": {"text": x, "font": {"size": 12, "color": SOFT}}, **layout.pop("xaxis", {})}
    yaxis = {**axis, "title": {"text": y, "font": {"size": 12, "color": SOFT}}, **layout.pop("yaxis", {})}
    return {
        "data": [dict(trace) for trace in traces],
        "layout": {
            "height": height,
            "autosize": True,
            "margin": {"l": 46, "r": 12, "t": 22, "b": 40},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"family": _FONT, "size": 12, "color": INK},
            "hovermode": "closest",
            "legend": {"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0, "font": {"size": 11.5}},
            "xaxis": xaxis,
            "yaxis": yaxis,
            "uirevision": "keep",
            **layout,
        },
    }


def line(x: ArrayLike, y: ArrayLike, name: str, role: str, **more: Any) -> Figure:
    """One curve in the colour of its role; NaN and infinity leave gaps."""
    style = {"color": ink(role), "width": more.pop("width", 2)}
    style |= {"dash": more.pop("dash")} if "dash" in more else {}
    style |= more.pop("line", {})
    trace = {"type": "scatter", "mode": "lines", "x": numbers(x), "y": numbers(y), "name": name}
    return trace | {"line": style} | more


def numbers(values: ArrayLike, digits: int = 5) -> list[float | None]:
    """Values as JSON numbers of ``digits`` significant digits; what is not finite becomes a gap."""
    flat = np.asarray(values, dtype=float).ravel()
    return [float(f"{v:.{digits}g}") if np.isfinite(v) else None for v in flat]


def loss_figure(steps: ArrayLike, loss: ArrayLike, floor: float | None) -> Figure:
    """The training loss over steps, above its exact floor.

    The floor is E var_t for sampled velocities, 0 for their mean, and None where there is no closed form.
    """
    values = np.asarray(loss, dtype=float)
    x = np.asarray(steps, dtype=float)
    traces = [line(x, values, "loss", "learned", width=1.8)]
    if floor is not None and x.size:
        name = "exact floor E var" if floor else "exact floor 0"
        traces.append(line([0, max(x[-1], 1)], [floor, floor], name, "exact", dash="dash"))
    shown = values[np.isfinite(values)]
    yaxis: dict[str, Any] = {"rangemode": "normal"}
    if shown.size:
        low = min(float(shown.min()), floor if floor is not None else float(shown.min()))
        high = float(np.quantile(shown, 0.97))
        pad = 0.08 * max(high - low, 1e-6)
        yaxis = {"range": [low - pad, high + 3 * pad]}
    return figure(traces, height=280, x="training step", y="loss", yaxis=yaxis)


def excess_figure(
    steps: ArrayLike, excess: Sequence[float | None], measured: Sequence[tuple[int, float]]
) -> Figure:
    """What is left to learn: loss above the floor, and the samples' energy distance to data, log scale."""
    left = np.array(excess, dtype=float)  # None, where nothing was measured, becomes a gap.
    traces = []
    if np.isfinite(left).any():
        traces.append(line(steps, _above_zero(left), "excess loss", "error", width=1.6))
    if measured:
        at, values = zip(*measured, strict=True)
        style = {"mode": "lines+markers", "marker": {"size": 4}}
        traces.append(line(at, _above_zero(values), "energy distance of samples", "learned", **style))
    powers = range(round(math.log10(LEAST_DRAWN)), 7)
    words = [f"≤ 10<sup>{powers[0]}</sup>", *(f"10<sup>{k}</sup>" for k in powers[1:])]
    ticks = {"tickvals": [10.0**k for k in powers], "ticktext": words}
    return figure(traces, height=280, x="training step", yaxis={"type": "log", **ticks})


LEAST_DRAWN = 1e-4
"""Where a logarithmic axis of errors ends: what is smaller, or below zero by chance, is drawn there."""


def _above_zero(values: ArrayLike, least: float = LEAST_DRAWN) -> np.ndarray:
    """Values for a logarithmic axis: an unbiased estimate of nearly nothing may fall below zero."""
    return np.clip(np.asarray(values, dtype=float), least, None)


def cloud_figure(clouds: Mapping[str, tuple[ArrayLike, str]], span: float) -> Figure:
    """Point clouds over each other: name → (points (n, 2), role)."""
    traces = []
    for name, (points, role) in clouds.items():
        xy = np.asarray(points, dtype=float)
        traces.append({
            "type": "scattergl" if len(xy) > 20_000 else "scatter", "mode": "markers", "name": name,
            "x": numbers(xy[:, 0], 4), "y": numbers(xy[:, 1], 4),
            "marker": {"size": 3, "color": ink(role), "opacity": 0.65}, "hoverinfo": "skip",
        })  # fmt: skip
    return figure(traces, height=360, **_square(span, 26))


def _square(span: float, top: int) -> dict[str, Any]:
    """The layout of a square of the plane from −span to span, under so many pixels."""
    axis = {"range": [-span, span], "constrain": "domain"}
    margin = {"l": 30, "r": 10, "t": top, "b": 26}
    return {"xaxis": axis, "yaxis": {**axis, "scaleanchor": "x"}, "margin": margin}


def histogram_figure(clouds: Mapping[str, tuple[ArrayLike, str]], span: float) -> Figure:
    """Clouds on a line as densities, over each other: name → (points (n, 1), role)."""
    edges = np.linspace(-span, span, 61)
    traces = []
    for name, (points, role) in clouds.items():
        share, _ = np.histogram(np.asarray(points, dtype=float).ravel(), edges, density=True)
        traces.append(line(edges[:-1], share, name, role, line={"shape": "hv"}))
    return figure(traces, height=360, x="x", y="density", yaxis={"rangemode": "tozero"})


def profile_figure(
    curves: Mapping[str, tuple[ArrayLike, str]], span: float, title: str, y: str, height: int = 320
) -> Figure:
    """Functions on the line, sampled evenly from −span to span: name → (values, role)."""
    traces = [
        line(np.linspace(-span, span, len(np.asarray(values))), values, name, role)
        for name, (values, role) in curves.items()
    ]
    return figure(
        traces, height=height, title=_title(title), x="x", y=y, yaxis={"rangemode": "tozero"},
        margin={"l": 46, "r": 12, "t": 52 if len(traces) > 1 else 34, "b": 40},
        showlegend=len(traces) > 1,
    )  # fmt: skip


def empty_figure(sentence: str, height: int = 280) -> Figure:
    """Nothing but the sentence that says what will be here, or why it is not; "<br>" breaks the line."""
    hidden = {"visible": False, "range": [0, 1], "fixedrange": True}
    said = {
        "text": sentence, "x": 0.5, "y": 0.5, "xref": "paper", "yref": "paper", "showarrow": False,
        "font": {"size": 13, "color": SOFT},
    }  # fmt: skip
    return figure([], height=height, xaxis=hidden, yaxis=hidden, annotations=[said], uirevision=sentence)


def _title(text: str) -> dict[str, Any]:
    return {"text": text, "font": {"size": 12.5, "color": SOFT}, "x": 0.02}


def heat_figure(values: ArrayLike, span: float, title: str, role: str, height: int = 320) -> Figure:
    """A scalar over the plane, (H, W) with row 0 at the lower edge, from the page's colour to the role's."""
    grid = np.asarray(values, dtype=float)
    edge = span * (1 - 1 / grid.shape[0])
    axis = np.linspace(-edge, edge, grid.shape[0])
    rows = [numbers(row, 4) for row in grid]
    traces: list[Figure] = [{
        "type": "heatmap", "x": numbers(axis, 4), "y": numbers(axis, 4), "z": rows,
        "colorscale": [[0, "var(--fm-card)"], [1, ink(role)]], "zmin": 0, "zsmooth": "best",
        "colorbar": {"thickness": 9, "outlinewidth": 0, "tickfont": {"size": 10, "color": SOFT}},
        "hovertemplate": "(%{x:.2f}, %{y:.2f}): %{z:.3g}<extra></extra>",
    }]  # fmt: skip
    return figure(traces, height=height, title=_title(title), **_square(span, 34))


_MARKS = (
    ("solid", "circle"), ("dash", "square"), ("dot", "diamond"), ("dashdot", "triangle-up"),
    ("longdash", "x"), ("longdashdot", "cross"), ("solid", "star"), ("dash", "hexagon"),
)  # fmt: skip


def solver_mark(name: str) -> tuple[str, str]:
    """Dash and symbol of a solver, by its place among them: colours tell whose field it is."""
    return _MARKS[list(SOLVERS).index(name) % len(_MARKS)]


def nfe_figure(curves: Mapping[str, tuple[ArrayLike, ArrayLike]], y: str, role: str = "exact") -> Figure:
    """Error against the number of function evaluations, one curve a solver, both axes logarithmic."""
    traces = [
        line(nfe, _above_zero(error, 1e-8), name, role, mode="lines+markers",
             dash=dash, marker={"size": 7, "symbol": symbol})
        for name, (nfe, error) in curves.items()
        for dash, symbol in [solver_mark(name)]
    ]  # fmt: skip
    log = {"type": "log", "exponentformat": "power", "dtick": 1}
    return figure(
        traces, height=320, x="function evaluations (NFE)", y=y, xaxis=log | {"dtick": 1}, yaxis=log
    )
