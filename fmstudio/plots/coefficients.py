"""The sidebar's drawing of a path: a_t and b_t from noise to data, with a dot on each for the clock."""

from __future__ import annotations

import json
from dataclasses import asdict
from html import escape

from fmstudio.flow.paths.path import Path


def coefficients_html(path: Path, formula: str) -> str:
    """The place of the drawing of a_t and b_t, which the page's script draws, and the formula.

    A coefficient that turns the plane is drawn by its real part, and the line beneath says so.

    Args:
        path: one with its coefficients as text.
        formula: the path's formula as shown under the drawing, plain text.
    """
    written = path.written
    assert written is not None
    turned = ' <span title="the real part is drawn">(Re)</span>' if path.turns else ""
    curves = "".join(
        f'<polyline class="curve-{name}" fill="none" stroke="var(--fm-{role})" stroke-width="2"/>'
        f'<circle class="dot-{name}" r="4.5" fill="var(--fm-{role})"/>'
        for name, role in (("a", "data"), ("b", "noise"))
    )
    return (
        f'<div class="fm-coefficients" data-path="{escape(json.dumps(asdict(written)))}">'
        '<svg viewBox="0 0 232 112" role="img" '
        'aria-label="The path\'s coefficients a and b over time, noise at the left, data at the right">'
        f'<line class="clock" y1="6" y2="97" stroke="var(--fm-ink-soft)" stroke-dasharray="2 3"/>{curves}'
        '<text x="12" y="109" font-size="10.5" fill="var(--fm-noise)">noise</text>'
        '<text x="220" y="109" font-size="10.5" fill="var(--fm-data)" text-anchor="end">data</text></svg>'
        f'<div class="read"><span>{escape(formula)}{turned}</span><span>'
        f'{_key("data")}a <b class="value-a">0.00</b> {_key("noise")}b <b class="value-b">1.00</b>'
        "</span></div></div>"
    )


def _key(role: str) -> str:
    return f'<i style="background:var(--fm-{role})"></i>'
