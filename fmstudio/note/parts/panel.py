"""What a claim draws, as plain numbers: figures, JSON and tests share one form. Nothing here draws.

A :class:`Panel` holds :class:`Series` that share their axes, or a :class:`Heat` over the plane. Panels of one
title that differ in their ``stage`` are one picture in several stages, of which a reader sees one at a time.
A claim says once what its panels are; its prediction is drawn in them, its measurement over that.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

Numbers = Tensor | Sequence[float] | Sequence[float | None]
Mark = Literal["line", "dashes", "points", "bars", "band"]


@dataclass(frozen=True)
class Series:
    """One curve, cloud or row of bars.

    Args:
        name: what the legend says.
        role: its colour: data, noise, exact, learned, error, original; class-0 to class-9 for what is none
            of these.
        x, y: numbers, or None where a line is interrupted.
        error: half-width of the error bar or of the band at each x, in units of y; None for none.
        mark: how it is drawn.
    """

    name: str
    role: str
    x: tuple[float | None, ...]
    y: tuple[float | None, ...]
    error: tuple[float | None, ...] | None = None
    mark: Mark = "line"


@dataclass(frozen=True)
class Heat:
    """A number at every place of a rectangle of the plane, drawn in shades of one colour.

    Args:
        name: what the legend says.
        role: its colour.
        bounds: (left, right, bottom, top) of the rectangle.
        rows: H rows of W numbers at the centres of equal cells; row 0 lies at the bottom.
        low, high: the values that are drawn with no colour and with the full colour.
    """

    name: str
    role: str
    bounds: tuple[float, ...]
    rows: tuple[tuple[float | None, ...], ...]
    low: float
    high: float


@dataclass(frozen=True)
class Panel:
    """Series that share their axes, over a heat or alone.

    Args:
        title: short; prediction and measurement meet in the panel of the same title and stage.
        caption: one line that says what it shows.
        x_label, y_label: of the axes.
        series: drawn in this order.
        log_x, log_y: logarithmic axes.
        plane: whether x and y are two coordinates of one plane, with one scale.
        ticks: words in place of the numbers 0, 1, 2, … of the x axis.
        stage: which of several pictures under one title this is: "× 10", "640 steps".
        heat: what lies under the series.
    """

    title: str
    caption: str = ""
    x_label: str = ""
    y_label: str = ""
    series: tuple[Series, ...] = ()
    log_x: bool = False
    log_y: bool = False
    plane: bool = False
    ticks: tuple[str, ...] = ()
    stage: str = ""
    heat: Heat | None = None

    def drawn(self, *curves: Series) -> Panel:
        """The panel with these series in it."""
        return replace(self, series=curves)

    def over(self, *curves: Series) -> Panel:
        """These series alone, to be drawn over what the panel already holds."""
        return Panel(self.title, series=curves, stage=self.stage)


def motion(dim: int, title: str, caption: str, stage: str = "") -> Panel:
    """A panel for :func:`ways` in ``dim`` coordinates: the plane, or place against time."""
    labels = ("x", "y") if dim > 1 else ("t", "x")
    return Panel(title, caption, *labels, plane=dim > 1, stage=stage)


def ways(times: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Trajectories (T, n, d) as x and y of :func:`motion`, each of shape (T, n)."""
    if rows.shape[-1] > 1:
        return rows[..., 0], rows[..., 1]
    return times[:, None].expand(rows.shape[:2]), rows[..., 0]


def cloud(points: Tensor) -> tuple[Tensor, Tensor]:
    """Points (n, d) as x and y; on a line the second coordinate only spreads them out."""
    return points[:, 0], points[:, 1] if points.shape[1] > 1 else torch.linspace(0, 1, len(points))


def series(
    name: str, role: str, x: Numbers, y: Numbers, error: Numbers | None = None, mark: Mark = "line"
) -> Series:
    """A :class:`Series` from tensors or lists; numbers keep six digits, NaN interrupts a line."""
    bars = None if error is None else plain(error)
    return Series(name, role, plain(x), plain(y), bars, mark)


def lines(name: str, role: str, x: Tensor, y: Tensor, mark: Mark = "line", digits: int = 4) -> Series:
    """Several curves as one series with gaps between them: columns of x and y, each of shape (T, n)."""
    gap = torch.full((1, x.shape[1]), torch.nan)
    x, y = (torch.cat([values, gap.to(values)]).T for values in (x, y))
    return Series(name, role, plain(x, digits), plain(y, digits), None, mark)


def heat(
    name: str, role: str, values: Tensor, bounds: tuple[float, float, float, float], low: float, high: float
) -> Heat:
    """A :class:`Heat` from a tensor of shape (H, W); numbers keep three digits."""
    return Heat(name, role, bounds, tuple(plain(row, 3) for row in values), low, high)


def plain(values: Numbers, digits: int = 6) -> tuple[float | None, ...]:
    """Numbers as Python floats of so many digits; what is not finite becomes None."""
    rows: Iterable[float | None] = (
        values.detach().double().flatten().tolist() if isinstance(values, Tensor) else values
    )
    return tuple(None if v is None or not math.isfinite(v) else float(f"{v:.{digits}g}") for v in rows)
