"""A step grid at once, as JSON: what the API and the command line answer."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from fmstudio.image.models import backbone
from fmstudio.image.questions.gallery import png_of
from fmstudio.image.sampling.grid import GridRow, grid_row
from fmstudio.image.sampling.sampling import AdaptivePlan, SampleStep
from fmstudio.image.settings import ImageSettings


def image_grid(
    settings: ImageSettings, progress: Callable[[GridRow | SampleStep], None] = lambda _: None
) -> dict[str, Any]:
    """All rows, as JSON: settings, and rows of steps, nfe, seconds and PNG images in base64.

    Args:
        settings: what to sample.
        progress: told every step and every finished row; what it raises ends the work.

    Raises:
        ValueError: a label that the model does not know.
    """
    model = backbone(settings.model)
    field, noise = settings.field(model, settings.labels(model)), settings.noise(model)
    rows: list[dict[str, Any]] = []
    for plan in settings.plans():
        for made in grid_row(plan, plan.run(field, noise)):
            progress(made)
            if isinstance(made, GridRow):
                rows.append(_row(made))
    return {"settings": settings.to_dict(), "rows": rows}


def _row(row: GridRow) -> dict[str, Any]:
    return {
        "steps": row.step_count,
        "tolerance": row.plan.tolerance if isinstance(row.plan, AdaptivePlan) else None,
        "nfe": row.nfe,
        "seconds": round(row.seconds, 4),
        "images": [base64.b64encode(png_of(image)).decode("ascii") for image in row.images],
    }
