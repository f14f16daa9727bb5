"""A probed point's answer as the player draws it, in the plane even where the data are on a line."""

from __future__ import annotations

from fmstudio.plots.probe_panel import Probe as Known
from fmstudio.plots.scene.rooms import in_plane
from fmstudio.ui.player import Answer, Probe


def answer_of(point: Probe, known: Known, opens: bool = False) -> Answer:
    """What is known at a point, for the player.

    Args:
        point: where it was pressed.
        known: there.
        opens: whether it comes with a new scene.
    """
    return Answer(
        point,
        in_plane(known.paths),
        known.times,
        in_plane(known.velocities),
        in_plane(known.u),
        None if known.net is None else in_plane(known.net),
        known.var,
        opens=opens,
    )
