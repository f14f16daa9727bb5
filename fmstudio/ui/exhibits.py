"""What moves in the note's room: identity switching, the probe with a fit beside it, random paths. No gradio.

They are of the visitor's own experiment, whether or not its claims were run; what does not depend on a net is
worked out once for everybody who asks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from html import escape

import torch

from fmstudio.learn.experiment import Experiment
from fmstudio.note import CLAIMS
from fmstudio.note.claim import quantity
from fmstudio.note.claims.c05_mean import RADIUS, TIMES, fit, points_of
from fmstudio.note.parts.moving import drifting, swapping
from fmstudio.note.parts.setting import Setting, column_errors, mean_error
from fmstudio.plots.probe_panel import Probe, probe_html
from fmstudio.plots.scene.note import drifting_scene, swapping_scene
from fmstudio.plots.scene.scene import Scene
from fmstudio.ui import actions, claims
from fmstudio.ui.visitor import Visitor

CELLS: dict[str, float] = {"0.4": 0.4, "0.2": 0.2, "0.1": 0.1, "0.05": 0.05, "anyone, anywhere": math.inf}
"""Sides of the cells in which particles swap; the last one breaks the claim."""

PICKS: dict[str, tuple[int, bool]] = {
    "10": (10, False),
    "40": (40, False),
    "160": (160, False),
    "640": (640, False),
    "640, with √dt": (640, True),
}
"""How often particles pick a path, and whether the random part is that of a diffusion."""

REPEATS = 6


def refusal(visitor: Visitor, number: str) -> str | None:
    """Why there is nothing to see for the visitor's experiment, or None."""
    return CLAIMS[number].applies(visitor.experiment)


def swap_room(visitor: Visitor, cell: str) -> Scene:
    """Original paths beside particles that swap within cells of a side."""
    return _swaps(claims.plain(visitor.experiment), cell)


@lru_cache(maxsize=16)
def _swaps(experiment: Experiment, cell: str) -> Scene:
    side = CELLS[cell]
    found = swapping(experiment, side)
    rule = f"in cells of side {side:g}" if math.isfinite(side) else "with anyone: they jump"
    return swapping_scene(experiment, found, rule)


def drift_room(visitor: Visitor, picks: str) -> Scene:
    """Random paths beside the flow from the same starts."""
    return _drifts(claims.plain(visitor.experiment), picks)


@lru_cache(maxsize=16)
def _drifts(experiment: Experiment, picks: str) -> Scene:
    count, diffusion = PICKS[picks]
    caption = f"{count} picks, with √dt" if diffusion else f"a path picked at random {count} times"
    return drifting_scene(experiment, drifting(experiment, count, diffusion), caption)


@dataclass(frozen=True)
class Fitted:
    """The probe at a point, with the drift that was fitted to sampled steps in place of a net's.

    Args:
        probe: what the oracle knows; ``net`` is the fitted drift, or None where too few paths pass.
        html: the panel under the player.
    """

    probe: Probe
    html: str


def first_point(visitor: Visitor) -> tuple[float, float, float]:
    """The point A of C5: (x, y, t), y = 0 on a line."""
    x = points_of(Setting(claims.plain(visitor.experiment), 5))["A"][0].tolist()
    return x[0], x[1] if len(x) > 1 else 0.0, TIMES["A"]


def fitted(visitor: Visitor, x: float, y: float, t: float) -> Fitted:
    """The paths through a point with u and var_t, and what a fit to paths that pass near finds.

    Raises:
        ValueError: a point out of range, or no closed form.
    """
    known = actions.probe(visitor, x, y, t)
    try:
        drift, drift_error, var, var_error, caught = _fit(
            claims.plain(visitor.experiment), round(x, 3), round(y, 3), round(known.t, 3)
        )
    except ValueError as problem:
        table = f'<p class="fm-note fm-warn">{escape(str(problem))}</p>'
        return Fitted(replace(known, net=None), _panel(replace(known, net=None), table))
    found = replace(known, net=torch.tensor(drift))
    axes = ("x", "y")[: len(drift)]
    rows = [
        *(
            _row(f"drift, {axis}", float(u), value, error)
            for axis, u, value, error in zip(axes, known.u, drift, drift_error, strict=True)
        ),
        _row("variance", known.var, var, var_error),
    ]
    table = (
        '<table class="note-checks"><tr><th></th><th>exact</th><th>fitted</th></tr>'
        f"{''.join(rows)}</table>"
        f'<p class="fm-note">Fitted by maximum likelihood to the steps of {caught:,} sampled paths that '
        f"passed within {RADIUS} of the point, in {REPEATS} repeats; the oracle was not asked.</p>"
    )
    return Fitted(found, _panel(found, table))


def _row(name: str, exact: float, value: float, error: float) -> str:
    return f"<tr><td>{name}</td><td>{quantity(exact)}</td><td>{quantity(value, error)}</td></tr>"


def _panel(found: Probe, table: str) -> str:
    return f'<div class="note-probe"><div>{probe_html(found, "fitted drift")}</div><div>{table}</div></div>'


@lru_cache(maxsize=64)
def _fit(
    experiment: Experiment, x: float, y: float, t: float
) -> tuple[list[float], list[float], float, float, int]:
    s = Setting(experiment, 5)
    point = torch.tensor([[x, y][: s.dim]])
    found = [fit(s, point, t, s.generator(2_000 + k)) for k in range(REPEATS)]
    drift, drift_error = column_errors(torch.stack([f.drift for f in found]))
    var, var_error = mean_error(torch.stack([f.variance for f in found]))
    caught = sum(len(f.velocities) for f in found)
    return drift.tolist(), drift_error.tolist(), var, var_error, caught
