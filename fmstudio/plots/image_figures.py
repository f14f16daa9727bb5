"""Figures of the Images room: error and Fréchet distance against NFE, and published ones beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fmstudio.plots.figures import figure, line

_LOG: dict[str, Any] = {
    "type": "log",
    "tickvals": [m * 10**e for e in range(-4, 3) for m in (1, 2, 5)],
    "tickformat": "~g",
}
_NFE: dict[str, Any] = {"type": "log", "tickvals": [1, 2, 4, 8, 16, 32, 64, 128, 256], "tickformat": "d"}
_MARKERS: dict[str, Any] = {"mode": "lines+markers", "marker": {"size": 6}}
_HEIGHT = 270
SIDES = ("noise", "learned", "data", "exact")
"""Colours of the models, left to right."""

PLAIN_FLOW = ((1, 313.54), (2, 146.24), (4, 64.27), (8, 20.63), (200, 2.60))
"""FID on CIFAR-10 of plain flow matching by Euler steps (Ai, He et al. 2025, arXiv:2512.02636)."""

DISTILLED = ((6.18, "1-RF"), (4.85, "2-RF"), (5.21, "3-RF"))
"""FID on CIFAR-10 of rectified flows distilled to one step (Liu et al., gnobitab/RectifiedFlow)."""

BEST_RUNGE_KUTTA = (50, 2.07)
"""FID on CIFAR-10 at NFE 50 with heun2 (README of facebookresearch/flow_matching)."""


@dataclass(frozen=True)
class NfeCurve:
    """One model's figure at several costs.

    Args:
        name: of the model.
        points: (NFE, value), by NFE.
        side: its column, from 0; sets the colour.
        faint: drawn dotted and thin, as what it is compared with.
    """

    name: str
    points: Sequence[tuple[int, float]]
    side: int = 0
    faint: bool = False

    def trace(self) -> dict[str, Any]:
        """The Plotly trace."""
        style = {"dash": "dot", "width": 1.4, "opacity": 0.75} if self.faint else {}
        nfe, values = zip(*self.points, strict=True) if self.points else ((), ())
        return line(nfe, values, self.name, SIDES[self.side % len(SIDES)], **_MARKERS, **style)


def distance_figure(curves: Sequence[NfeCurve], real: float | None = None) -> dict[str, Any]:
    """A distance against NFE, both logarithmic, with the line that real images reach where it is known."""
    traces = [*(curve.trace() for curve in curves), *_real_line(curves, real)]
    values = [value for curve in curves for _, value in curve.points] + ([] if real is None else [real])
    return figure(traces, height=_HEIGHT, x="NFE", y="", xaxis=_NFE, yaxis=_LOG | _between_ticks(values))


def _real_line(curves: Sequence[NfeCurve], real: float | None) -> list[dict[str, Any]]:
    """The line that real images reach, a little longer than the curves: it is seen beside a single point."""
    every = [nfe for curve in curves for nfe, _ in curve.points]
    if real is None or not every:
        return []
    ends = [min(every) / 1.3, max(every) * 1.3]
    return [line(ends, [real, real], "real images", "exact", dash="dash")]


def _between_ticks(values: Sequence[float]) -> dict[str, Any]:
    """The range of a logarithmic axis from the tick below all values to the one above: both are seen."""
    positive = [value for value in values if value > 0]
    if not positive:
        return {}
    low = max((tick for tick in _LOG["tickvals"] if tick <= min(positive)), default=min(positive))
    high = min((tick for tick in _LOG["tickvals"] if tick >= max(positive)), default=max(positive))
    return {"range": [math.log10(low) - 0.03, math.log10(high) + 0.03]}


def copies_figure(curves: Sequence[NfeCurve], real: float | None) -> dict[str, Any]:
    """Share of copies against NFE, with the line of the training images, each left out in turn."""
    traces = [*(curve.trace() for curve in curves), *_real_line(curves, real)]
    shares = [value for curve in curves for _, value in curve.points] + [real or 0.0]
    share: dict[str, Any] = {"tickformat": "~%", "range": [0, max(0.1, 1.1 * max(shares))]}
    return figure(traces, height=_HEIGHT, x="NFE", y="", xaxis=_NFE, yaxis=share)


def published_figure() -> dict[str, Any]:
    """FID against NFE on CIFAR-10, from the literature."""
    nfe, values = zip(*PLAIN_FLOW, strict=True)
    points = {"mode": "markers", "marker": {"size": 8, "symbol": "diamond"}}
    one = [1] * len(DISTILLED)
    traces = [
        line(nfe, values, "flow matching, Euler", "original", **_MARKERS),
        line(
            one, [fid for fid, _ in DISTILLED], "rectified flow, distilled", "learned", **points,
            text=[name for _, name in DISTILLED], hovertemplate="%{text}: FID %{y}<extra></extra>",
        ),
        line([BEST_RUNGE_KUTTA[0]], [BEST_RUNGE_KUTTA[1]], "flow matching, heun2", "exact", **points),
    ]  # fmt: skip
    return figure(traces, height=_HEIGHT, x="NFE", y="", xaxis=_NFE, yaxis=_LOG)
