"""Which points matter to whom: groups of places that lie together, and the points near enough to count.

A Gaussian weight exp(−|y − z|²/2) falls so fast that a place sees few points of a wide cloud. For places in a
ball around c of radius r, every place has a point within r + |c − z*| of it, z* the point nearest to c; so a
point z whose distance from c is more than

    r + √( (r + |c − z*|)² + 2D )

weighs less than e^{−D} times the heaviest one, at every place of the ball.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

#: Places of a group, at most: on a GPU more, which has work for all of them and waits for every new group.
GROUP, GROUP_ON_GPU = 400, 8_192


def neighbourhoods(places: Tensor, points: Tensor, depth: float) -> Iterator[tuple[Tensor, Tensor]]:
    """Groups of places, each with all points that weigh at least e^{−depth} of the heaviest at one of them.

    Args:
        places: y, shape (n, d), in units of the Gaussian's standard deviation.
        points: z, shape (N, d), N ≥ 1, in the same units.
        depth: D > 0.

    Yields:
        Indices of the group's places and of its points; every place is in exactly one group.
    """
    for rows in _groups(places):
        here = places[rows]
        centre = (here.amin(0) + here.amax(0)) / 2
        radius = (here - centre).norm(dim=1).max()
        distance = (points - centre).norm(dim=1)
        reach = radius + ((radius + distance.min()).square() + 2 * depth).sqrt()
        yield rows, (distance <= reach).nonzero().squeeze(1)


def _groups(places: Tensor) -> Iterator[Tensor]:
    """Halve at the median of the widest coordinate until a group is small enough."""
    waiting = [torch.arange(len(places), device=places.device)]
    while waiting:
        rows = waiting.pop()
        if len(rows) <= (GROUP if places.device.type == "cpu" else GROUP_ON_GPU):
            if len(rows):
                yield rows
            continue
        here = places[rows]
        axis = int((here.amax(0) - here.amin(0)).argmax())
        waiting += rows[here[:, axis].argsort()].tensor_split(2)
