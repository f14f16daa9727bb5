"""Small pictures of the data sets, drawn from the data sets themselves as style rules."""

from __future__ import annotations

from functools import cache
from urllib.parse import quote

import torch

from fmstudio.flow.densities.cloud import PointCloud
from fmstudio.learn.build import density_of
from fmstudio.learn.experiment import DATA, Experiment


def thumbnail_css(selector: str) -> str:
    """One background picture per data set, in the order of ``DATA``, for the labels under ``selector``."""
    rules = []
    for place, name in enumerate(DATA, start=1):
        picture = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100">{_marks(name)}</svg>'
        rules.append(
            f"{selector} label:nth-of-type({place}) {{ "
            f'background-image: url("data:image/svg+xml,{quote(picture)}"); }}'
        )
    return "\n".join(rules)


@cache
def _marks(name: str) -> str:
    if DATA[name].picture:
        look = 'fill="none" stroke="#e07b39" stroke-width="5" stroke-linejoin="round"'
        return f"<g {look}>{DATA[name].picture}</g>"
    experiment = Experiment(data=name, data_noise=0.04, data_points=400)
    density = density_of(experiment)
    count = 150 if isinstance(density, PointCloud) else 110
    points = density.sample(count, torch.Generator().manual_seed(1)).points
    if points.shape[1] == 1:
        spread = torch.histc(points[:, 0], 24, -3.5, 3.5)
        heights = (72 * spread / spread.max()).tolist()
        bars = "".join(
            f"<rect x='{4 + 3.9 * k:.1f}' y='{88 - h:.0f}' width='3' height='{h:.0f}'/>"
            for k, h in enumerate(heights)
        )
        return f"<g fill='#e07b39'>{bars}</g>"
    points = points - points.mean(0)
    points = (50 + points * (44 / points.abs().max())).tolist()
    return (
        "<g fill='#e07b39'>"
        + "".join(f"<circle cx='{x:.0f}' cy='{100 - y:.0f}' r='2'/>" for x, y in points)
        + "</g>"
    )
