"""Points from ink: where there is more ink, there are more points.

A word or a picture is a table of ink, one number ≥ 0 for each pixel. A point is drawn by picking a pixel with
probability proportional to its ink, and a place in that pixel at random.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fmstudio.flow.densities.density import check_count
from fmstudio.learn.clouds.cloud import Cloud, Transform

#: Half the longer side of a word or a picture in the plane.
REACH = 3.0


def seeded() -> torch.Generator:
    """Of the points of a picture, a word or a drawing where no other is given."""
    return torch.Generator().manual_seed(0)


def drawn(ink: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Layers (n,) and places (n, 2) drawn from ink of shape (layers, height, width); y points up."""
    check_count(count, 1)
    _, height, width = ink.shape
    # By the cumulative sum: a table of ink may have more cells than multinomial takes.
    total = ink.flatten().double().cumsum(0)
    u = torch.rand(count, generator=generator, dtype=torch.float64) * total[-1]
    cell = torch.searchsorted(total, u, right=True).clamp_max(len(total) - 1)
    layer, pixel = cell // (height * width), cell % (height * width)
    within = torch.rand(count, 2, generator=generator, dtype=torch.float64)
    x, y = pixel % width + within[:, 0], height - pixel // width - within[:, 1]
    return layer, torch.stack([x, y], 1)


def placed(places: Tensor, ink: Tensor, labels: Tensor | None) -> Cloud:
    """Move places so that the box of the ink is centred and its longer side reaches ±3; shape is kept."""
    height = len(ink)
    rows, columns = ink.sum(1).nonzero(), ink.sum(0).nonzero()
    left, right = float(columns.min()), float(columns.max()) + 1
    top, bottom = height - float(rows.min()), height - float(rows.max()) - 1
    scale = max(right - left, top - bottom) / (2 * REACH)
    transform = Transform(((left + right) / 2, (top + bottom) / 2), (scale, scale))
    return Cloud(transform.apply(places).float(), labels, transform)
