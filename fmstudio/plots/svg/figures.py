"""Panels of the note as inline SVG: light enough for a page of forty, the same in the room and in the report.

Colours are CSS variables of the palette, so one drawing serves a light and a dark page. The prediction is
dashed, what was measured has marks and error bars.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from itertools import pairwise

from fmstudio.note.parts.panel import Panel, Series
from fmstudio.plots.svg.heat import heat_svg
from fmstudio.plots.svg.scale import Scale

WIDTH, HEIGHT, SQUARER = 440, 270, 350
LEFT, RIGHT, TOP, BOTTOM = 70, 10, 10, 40


_BELOW = re.compile(r"(?<=[A-Za-ẑ̃γβ])_(?:\{([^}]*)\}|([A-Za-z0-9θ]))")


def words_html(text: str) -> str:
    """Plain words with subscripts as ``x_t`` or ``x_{t−dt}``, as HTML."""
    return _BELOW.sub(lambda m: f"<sub>{m[1] or m[2]}</sub>", escape(text))


def _words_svg(text: str) -> str:
    shifted = '<tspan dy="3" font-size="80%">{}</tspan><tspan dy="-3">\u200b</tspan>'
    return _BELOW.sub(lambda m: shifted.format(m[1] or m[2]), escape(text))


def figures_html(panels: Iterable[Panel], key: str = "") -> str:
    """Panels as <figure>s in their order; those of one title are stages of one figure.

    Args:
        panels: what to draw.
        key: tells the switches of these figures from others on the same page.
    """
    groups: dict[str, list[Panel]] = {}
    for panel in panels:
        groups.setdefault(panel.title, []).append(panel)
    figures = [
        panel_html(group[0]) if len(group) == 1 else _stages_html(group, f"{key}-{k}")
        for k, group in enumerate(groups.values())
    ]
    return f'<div class="note-panels">{"".join(figures)}</div>'


def panel_html(panel: Panel) -> str:
    """A panel as one <figure>: title, caption, drawing, legend."""
    return (
        f'<figure class="note-panel"><figcaption><b>{words_html(panel.title)}</b> {words_html(panel.caption)}'
        f"</figcaption>{panel_svg(panel)}{_legend(panel)}</figure>"
    )


def _stages_html(stages: list[Panel], key: str) -> str:
    """Several panels in one <figure>, one on screen at a time; radio buttons choose, without any script."""
    picks, views = [], []
    for k, panel in enumerate(stages):
        checked = " checked" if k == 0 else ""
        picks.append(
            f'<label class="pick"><input type="radio" name="stage{escape(key, quote=True)}"{checked}>'
            f"<span>{words_html(panel.stage)}</span></label>"
        )
        caption = f'<p class="caption">{words_html(panel.caption)}</p>'
        views.append(
            f'<div class="stage">{caption}{panel_svg(panel, scaled_by=stages)}{_legend(panel)}</div>'
        )
    title = words_html(stages[0].title)
    return (
        f'<figure class="note-panel note-stages"><figcaption><b>{title}</b></figcaption>'
        f'<div class="picks" role="radiogroup" aria-label="{escape(stages[0].title, quote=True)}">'
        f'{"".join(picks)}</div><div class="stages">{"".join(views)}</div></figure>'
    )


def _legend(panel: Panel) -> str:
    marks = [(s.mark, s.role, s.name) for s in panel.series]
    marks += [("heat", panel.heat.role, panel.heat.name)] if panel.heat else []
    entries = "".join(
        f'<span><i class="{mark}" style="--c:{_ink(role)}"></i>{words_html(name)}</span>'
        for mark, role, name in marks
    )
    return f'<div class="legend">{entries}</div>'


def panel_svg(
    panel: Panel, width: int = WIDTH, height: int | None = None, scaled_by: Sequence[Panel] = ()
) -> str:
    """The drawing alone, an <svg> of the given size in pixels that scales with its container.

    Args:
        panel: what to draw.
        width, height: of the drawing; None for the height that suits the panel.
        scaled_by: stages that a panel of the plane shares its scale with.
    """
    height = (SQUARER if panel.plane else HEIGHT) if height is None else height
    x, y = _scales(scaled_by if panel.plane and scaled_by else (panel,), width, height)
    bars = [s for s in panel.series if s.mark == "bars"]
    drawn = "" if panel.heat is None else heat_svg(panel.heat, x, y)
    drawn += "".join(_draw(s, panel, x, y, bars) for s in sorted(panel.series, key=_depth))
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(panel.title, quote=True)}">'
        f"{_axes(panel, x, y, width, height)}"
        f'<svg x="{LEFT}" y="{TOP - 4}" width="{width - LEFT - RIGHT}" height="{height - TOP - BOTTOM + 8}" '
        f'viewBox="{LEFT} {TOP - 4} {width - LEFT - RIGHT} {height - TOP - BOTTOM + 8}">{drawn}</svg></svg>'
    )


def thumbnail_svg(points: Series, size: int = 96, reach: float = 3.0) -> str:
    """A cloud of points in a small square about the origin, without axes; what lies outside is left out."""
    scale = size / (2 * reach)
    dots = "".join(
        f"M{size / 2 + scale * x:.1f} {size / 2 - scale * y:.1f}h0"
        for x, y in zip(points.x, points.y, strict=True)
        if x is not None and y is not None and max(abs(x), abs(y)) < reach
    )
    return (
        f'<svg class="thumb" viewBox="0 0 {size} {size}" width="{size}" height="{size}" role="img" '
        f'aria-label="samples, {escape(points.name, quote=True)}"><path d="{dots}" '
        f'stroke="{_ink(points.role)}" stroke-width="1.7" stroke-linecap="round" stroke-opacity="0.6"/></svg>'
    )


def _depth(s: Series) -> int:
    return {"band": 0, "bars": 1, "line": 2, "points": 3, "dashes": 4}[s.mark]


def _ink(role: str) -> str:
    return f"var(--fm-{role})"


def _scales(panels: Sequence[Panel], width: int, height: int) -> tuple[Scale, Scale]:
    panel = panels[0]
    every = [s for p in panels for s in p.series]
    xs = [v for s in every for v in s.x if v is not None and (v > 0 or not panel.log_x)]
    ys = [v for s in every for _, b, e in _known(s) for v in (b, b - e, b + e) if v > 0 or not panel.log_y]
    for heat in (p.heat for p in panels if p.heat is not None):
        xs += heat.bounds[:2]
        ys += heat.bounds[2:]
    bars = any(s.mark == "bars" for s in every)
    if bars and not panel.log_y:
        ys.append(0.0)
    x = _range(xs, panel.log_x, _bar_width(panel) if bars else 0.0)
    y = _range(ys, panel.log_y)
    left, right, top, bottom = LEFT, width - RIGHT, TOP, height - BOTTOM
    if panel.plane:
        scale = max((x[1] - x[0]) / (right - left), (y[1] - y[0]) / (bottom - top))
        x = _around(x, scale * (right - left))
        y = _around(y, scale * (bottom - top))
    return Scale(*x, left, right, panel.log_x), Scale(*y, bottom, top, panel.log_y)


def _range(values: list[float], log: bool, pad: float = 0.0) -> tuple[float, float]:
    if not values:
        return (0.1, 1.0) if log else (0.0, 1.0)
    low, high = min(values) - pad, max(values) + pad
    if log:
        # What is far below all else is noise around 0: it lies at the lower end.
        low = max(low, high * 1e-4)
        spread = max(high / low, 1.5) ** 0.06
        return low / spread, high * spread
    if high - low < 1e-12 * max(abs(low), abs(high), 1e-12):
        return low - 0.5 * max(abs(low), 1), high + 0.5 * max(abs(high), 1)
    margin = 0.04 * (high - low)
    return low - (margin if low else 0), high + margin


def _around(interval: tuple[float, float], span: float) -> tuple[float, float]:
    centre = sum(interval) / 2
    return centre - span / 2, centre + span / 2


def _bar_width(panel: Panel) -> float:
    xs = sorted({v for s in panel.series if s.mark == "bars" for v in s.x if v is not None})
    gaps = [b - a for a, b in pairwise(xs)]
    return 0.4 * min(gaps, default=1.0)


def _axes(panel: Panel, x: Scale, y: Scale, width: int, height: int) -> str:
    grid, words = [], []
    ticks = list(enumerate(panel.ticks)) if panel.ticks else x.ticks()
    for value, word in ticks:
        if panel.ticks or x.low <= value <= x.high:
            grid.append(f"M{x(value):.1f} {y.start}V{y.stop}")
            words.append(_word(x(value), y.start + 13, str(word)))
    for value, word in y.ticks():
        if y.low <= value <= y.high:
            grid.append(f"M{x.start} {y(value):.1f}H{x.stop}")
            words.append(_word(x.start - 5, y(value) + 3.5, str(word), "end"))
    centre = (y.start + y.stop) / 2
    words.append(_word((x.start + x.stop) / 2, height - 7, panel.x_label, kind="axis"))
    words.append(
        f'<text class="axis" text-anchor="middle" transform="translate(11 {centre}) rotate(-90)">'
        f"{_words_svg(panel.y_label)}</text>"
    )
    return f'<path class="grid" d="{"".join(grid)}"/>{"".join(words)}'


def _word(x: float, y: float, text: str, anchor: str = "middle", kind: str = "tick") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{_words_svg(text)}</text>'


def _draw(s: Series, panel: Panel, x: Scale, y: Scale, bars: list[Series]) -> str:
    ink = _ink(s.role)
    if s.mark == "bars":
        return _bars(s, panel, x, y, bars)
    if s.mark == "band":
        return _band(s, x, y, ink)
    if s.mark == "points":
        many = len(s.x) > 60
        radius, opacity = (1.4, 0.55) if many else (3.2, 1.0)
        dots = "".join(f'<circle cx="{x(a):.1f}" cy="{y(b):.1f}" r="{radius}"/>' for a, b, _ in _known(s))
        return f'<g fill="{ink}" fill-opacity="{opacity}">{dots}</g>{_error_bars(s, x, y, ink)}'
    style = 'stroke-dasharray="6 4"' if s.mark == "dashes" else ""
    pieces, pen = [], "M"
    for a, b in zip(s.x, s.y, strict=True):
        if a is None or b is None:
            pen = "M"
            continue
        pieces.append(f"{pen}{x(a):.1f} {y(b):.1f}")
        pen = "L"
    breaks = sum(v is None for v in s.x)
    thin = 0.7 if breaks > 10 else 1.8
    return (
        f'<path d="{"".join(pieces)}" fill="none" stroke="{ink}" stroke-width="{thin}" {style} '
        f'stroke-linejoin="round"/>{_error_bars(s, x, y, ink)}'
    )


def _known(s: Series) -> list[tuple[float, float, float]]:
    """x, y and the error, 0 for none, at the places that are not gaps."""
    rows = zip(s.x, s.y, s.error or (0.0,) * len(s.y), strict=True)
    return [(a, b, e or 0.0) for a, b, e in rows if a is not None and b is not None]


def _error_bars(s: Series, x: Scale, y: Scale, ink: str, aside: float = 0.0) -> str:
    if s.error is None:
        return ""
    rows = (f"M{x(a + aside):.1f} {y(b - e):.1f}V{y(b + e):.1f}" for a, b, e in _known(s))
    return f'<path d="{"".join(rows)}" stroke="{ink}" stroke-width="1.3" fill="none"/>'


def _band(s: Series, x: Scale, y: Scale, ink: str) -> str:
    rows = _known(s)
    top = [f"{x(a):.1f} {y(b + e):.1f}" for a, b, e in rows]
    bottom = [f"{x(a):.1f} {y(b - e):.1f}" for a, b, e in reversed(rows)]
    return f'<path d="M{"L".join(top + bottom)}Z" fill="{ink}" fill-opacity="0.16"/>'


def _bars(s: Series, panel: Panel, x: Scale, y: Scale, bars: list[Series]) -> str:
    half, place = _bar_width(panel), bars.index(s)
    each = 2 * half / len(bars)
    base = y(0.0) if not panel.log_y else y.start
    rects = []
    for a, b, _ in _known(s):
        left, right = x(a - half + place * each), x(a - half + (place + 1) * each)
        top, low = sorted((y(b), base))
        size = f'width="{max(right - left - 1, 1):.1f}" height="{low - top:.1f}"'
        rects.append(f'<rect x="{left:.1f}" y="{top:.1f}" {size}/>')
    drawn = f'<g fill="{_ink(s.role)}" fill-opacity="0.75">{"".join(rects)}</g>'
    return drawn + _error_bars(s, x, y, _ink("ink"), (place + 0.5) * each - half)
