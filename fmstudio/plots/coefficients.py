"""The sidebar's drawing of a path: a_t and b_t from noise to data, with a dot on each for the clock."""

from __future__ import annotations

import json
from html import escape

import torch

from fmstudio.flow.paths.path import Path

WIDTH, HEIGHT, LEFT, TOP = 208.0, 84.0, 12.0, 10.0
_SAMPLES = 81


def _key(role: str) -> str:
    return f'<i style="background:var(--fm-{role})"></i>'


def coefficients_svg(path: Path, formula: str) -> str:
    """Draw a_t and b_t of a path as an SVG whose dots follow the player's clock.

    A coefficient that turns the plane is drawn by its real part, and the formula beneath says so.

    Args:
        path: any path.
        formula: the path's formula as shown under the drawing, plain text.

    Returns:
        HTML; the curves' values stand in ``data-rows`` for the page's script.
    """
    t = torch.linspace(0, 1, _SAMPLES, dtype=torch.float64)
    c = path.at(t)
    rows = {"a": c.a.real.tolist(), "b": c.b.real.tolist()}
    values = [*rows["a"], *rows["b"], 0.0, 1.0]
    low, high = min(values), max(values)
    bottom = TOP + HEIGHT

    def place(k: int, value: float) -> str:
        x = LEFT + WIDTH * (1 - k / (_SAMPLES - 1))
        return f"{x:.1f},{bottom - (value - low) / (high - low) * HEIGHT:.1f}"

    curves = "".join(
        f'<polyline points="{" ".join(place(k, v) for k, v in enumerate(rows[name]))}" fill="none" '
        f'stroke="var(--fm-{role})" stroke-width="2"/>'
        f'<circle class="dot-{name}" r="4.5" fill="var(--fm-{role})" cx="{LEFT}" cy="{bottom}"/>'
        for name, role in (("a", "data"), ("b", "noise"))
    )
    turned = ' <span title="the real part is drawn">(Re)</span>' if c.a.is_complex() else ""
    data = json.dumps({name: [round(v, 4) for v in row] for name, row in rows.items()})
    return (
        f'<div class="fm-coefficients">'
        f'<svg viewBox="0 0 {WIDTH + 2 * LEFT:.0f} {HEIGHT + TOP + 18:.0f}" role="img" '
        f'aria-label="The path\'s coefficients a and b over time, noise at the left, data at the right" '
        f"data-rows='{data}' data-left='{LEFT}' data-width='{WIDTH}' data-bottom='{bottom}' "
        f"data-height='{HEIGHT}' data-low='{low}' data-high='{high}'>"
        f'<line class="clock" x1="{LEFT}" x2="{LEFT}" y1="{TOP - 4}" y2="{bottom + 3}" '
        f'stroke="var(--fm-ink-soft)" stroke-dasharray="2 3"/>{curves}'
        f'<text x="{LEFT}" y="{bottom + 15}" font-size="10.5" fill="var(--fm-noise)">noise</text>'
        f'<text x="{LEFT + WIDTH}" y="{bottom + 15}" font-size="10.5" fill="var(--fm-data)" '
        f'text-anchor="end">data</text></svg>'
        f'<div class="read"><span>{escape(formula)}{turned}</span><span>'
        f'{_key("data")}a <b class="value-a">0.00</b> {_key("noise")}b <b class="value-b">1.00</b>'
        f"</span></div></div>"
    )
