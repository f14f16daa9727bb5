"""The panel beside the player: velocities of the paths through a point as a fan, their mean, their spread."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

SIZE = 220.0


@dataclass(frozen=True)
class Probe:
    """What is known at a point (x, t): original paths through it, their velocities, the mean, the spread.

    Args:
        x: the point, (d,); t: the time.
        times: S times from 1 to 0.
        paths: K original paths through x at these times, shape (K, S, d).
        velocities: of these paths at t, shape (K, d).
        u, var: the oracle's mean velocity (d,) and spread.
        net: the trained net's velocity (d,), or None.
    """

    x: Tensor
    t: float
    times: Tensor
    paths: Tensor
    velocities: Tensor
    u: Tensor
    var: float
    net: Tensor | None


def probe_html(found: Probe | None, net_name: str = "trained net") -> str:
    """The fan and its numbers as HTML; an invitation to click where nothing was probed yet.

    Args:
        found: the answer, or None.
        net_name: whose velocity ``found.net`` is.
    """
    if found is None:
        return (
            '<p class="fm-note">Click anywhere in a pane. You see the original paths through that point, '
            "their velocities as a fan, and their mean, the velocity u of the flow.</p>"
        )
    v, u = found.velocities, found.u
    count = len(v)
    rows = [
        ("", "x", _point(found.x)),
        ("", "t", f"{found.t:.3f}"),
        ("original", "paths shown", f"{count}"),
        ("exact", "mean u(x, t)", _point(u)),
        *([("learned", net_name, _point(found.net))] if found.net is not None else []),
        ("", "spread var<sub>t</sub>", f"{found.var:.2f}"),
    ]
    table = "".join(f"<tr><td>{_dot(role)}{name}</td><td>{value}</td></tr>" for role, name, value in rows)
    note = "Arrows show −v: where the particle goes as t falls."
    return f'{_fan(v, u, found.net)}<table class="fm-facts">{table}</table><p class="fm-note">{note}</p>'


def _dot(role: str) -> str:
    return f'<span class="dot" style="background:var(--fm-{role})"></span>' if role else ""


def _point(x: Tensor) -> str:
    values = ", ".join(f"{float(value):z.2f}".replace("-", "−") for value in x)
    return f"({values})" if len(x) > 1 else values


def _fan(v: Tensor, u: Tensor, net: Tensor | None) -> str:
    """Velocities from one centre, drawn as −v; a line's velocities spread over the width."""
    if v.shape[1] == 1:
        level = torch.linspace(-0.35, 0.35, len(v))[:, None] * v.abs().max().clamp_min(1e-6)
        v, u = torch.cat([v, level], 1), torch.cat([u, torch.zeros(1)])
        net = None if net is None else torch.cat([net, torch.zeros(1)])
    unit = 0.46 * SIZE / float(v.norm(dim=1).quantile(0.98).clamp_min(1e-6))
    centre = SIZE / 2

    def end(w: Tensor) -> tuple[float, float]:
        return centre - unit * float(w[0]), centre + unit * float(w[1])

    lines = "".join(
        f'<line x1="{centre:.0f}" y1="{centre:.0f}" x2="{x:.1f}" y2="{y:.1f}"/>' for x, y in map(end, v)
    )
    arrows = "".join(
        f'<line x1="{centre:.0f}" y1="{centre:.0f}" x2="{end(w)[0]:.1f}" y2="{end(w)[1]:.1f}" '
        f'stroke="var(--fm-{role})" stroke-width="3.4" stroke-linecap="round"/>'
        f'<circle cx="{end(w)[0]:.1f}" cy="{end(w)[1]:.1f}" r="4.2" fill="var(--fm-{role})"/>'
        for w, role in ((u, "exact"), (net, "learned"))
        if w is not None
    )
    return (
        f'<svg viewBox="0 0 {SIZE:.0f} {SIZE:.0f}" role="img" '
        f'style="width:100%;max-height:{SIZE:.0f}px;overflow:hidden" '
        f'aria-label="Velocities of {len(v)} paths through the point, and their mean">'
        f'<g stroke="var(--fm-original)" stroke-width="0.8" opacity="0.7">{lines}</g>{arrows}'
        f'<circle cx="{centre:.0f}" cy="{centre:.0f}" r="3.5" fill="var(--fm-ink)"/></svg>'
    )
