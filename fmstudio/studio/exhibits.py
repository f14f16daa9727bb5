"""What moves in the note's room: identity switching, the probe with a fit beside it, random paths.

They are of the visitor's own experiment, whether or not its claims were run; what does not depend on a net is
worked out once for everybody who asks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import torch

from fmstudio.learn.experiment import Experiment
from fmstudio.note import CLAIMS
from fmstudio.note.claims.c05_mean import TIMES, fit, points_of
from fmstudio.note.parts.moving import drifting, swapping
from fmstudio.note.parts.setting import Setting, column_errors, repeated
from fmstudio.plots.probe_panel import Probe
from fmstudio.plots.scene.note import drifting_scene, swapping_scene
from fmstudio.plots.scene.scene import Scene
from fmstudio.studio import paths
from fmstudio.studio.note import plain
from fmstudio.studio.session import Visitor

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
    return _swaps(plain(visitor.experiment), cell)


@lru_cache(maxsize=16)
def _swaps(experiment: Experiment, cell: str) -> Scene:
    side = CELLS[cell]
    found = swapping(experiment, side)
    rule = f"in cells of side {side:g}" if math.isfinite(side) else "with anyone: they jump"
    return swapping_scene(experiment, found, rule)


def drift_room(visitor: Visitor, picks: str) -> Scene:
    """Random paths beside the flow from the same starts."""
    return _drifts(plain(visitor.experiment), picks)


@lru_cache(maxsize=16)
def _drifts(experiment: Experiment, picks: str) -> Scene:
    count, diffusion = PICKS[picks]
    caption = f"{count} picks, with √dt" if diffusion else f"a path picked at random {count} times"
    return drifting_scene(experiment, drifting(experiment, count, diffusion), caption)


@dataclass(frozen=True)
class Fit:
    """What a fit to sampled paths near a point finds: drift and variance with their standard errors.

    Args:
        drift, drift_error: by coordinate.
        var, var_error: of the velocities.
        caught: paths that passed near.
    """

    drift: list[float]
    drift_error: list[float]
    var: float
    var_error: float
    caught: int


@dataclass(frozen=True)
class Fitted:
    """The probe at a point, with the drift that was fitted to sampled steps in place of a net's.

    Args:
        probe: what the oracle knows; ``net`` is the fitted drift, or None where too few paths pass.
        fit: its figures, or None.
        why_not: the reason where there is no fit.
    """

    probe: Probe
    fit: Fit | None
    why_not: str = ""


def first_point(visitor: Visitor) -> tuple[float, float, float]:
    """The point A of C5: (x, y, t), y = 0 on a line."""
    x = points_of(plain(visitor.experiment))["A"][0].tolist()
    return x[0], x[1] if len(x) > 1 else 0.0, TIMES["A"]


def fitted(visitor: Visitor, x: float, y: float, t: float) -> Fitted:
    """The paths through a point with u and var_t, and what a fit to paths that pass near finds.

    Raises:
        ValueError: a point out of range, or no closed form.
    """
    known = paths.probe(visitor, x, y, t)
    try:
        found = _fit(plain(visitor.experiment), round(x, 3), round(y, 3), round(known.t, 3))
    except ValueError as problem:
        return Fitted(replace(known, net=None), None, str(problem))
    return Fitted(replace(known, net=torch.tensor(found.drift)), found)


@lru_cache(maxsize=64)
def _fit(experiment: Experiment, x: float, y: float, t: float) -> Fit:
    s = Setting(experiment, 5)
    point = torch.tensor([[x, y][: s.dim]])
    found = [fit(s, point, t, s.generator(2_000 + k)) for k in range(REPEATS)]
    drift, drift_error = column_errors(torch.stack([f.drift for f in found]))
    var, var_error, _ = repeated(torch.stack([f.variance for f in found]))
    caught = sum(len(f.velocities) for f in found)
    return Fit(drift.tolist(), drift_error.tolist(), var, var_error, caught)
