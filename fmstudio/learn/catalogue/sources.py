"""The sources that an experiment may choose, of the data's dimension."""

from __future__ import annotations

from fmstudio.flow.densities.mixture import (
    GaussianMixture,
    eight_gaussians,
    line_mixture,
    standard_normal,
    two_gaussians,
)
from fmstudio.learn.catalogue.data import DATA
from fmstudio.learn.catalogue.member import Member, family
from fmstudio.learn.fields import Fields


def _dim(e: Fields) -> int:
    return DATA[e.data].dim(e)


def _eight(e: Fields) -> GaussianMixture:
    if _dim(e) != 2:
        raise ValueError(
            f"source: the 8 gaussians lie in the plane; the data {e.data!r} has 1 coordinate. "
            "Choose 'standard normal' or 'two gaussians'."
        )
    return eight_gaussians()


def _two(e: Fields) -> GaussianMixture:
    return two_gaussians() if _dim(e) == 2 else line_mixture((-1.5, 1.5), (0.4, 0.4), (0.5, 0.5))


SOURCES: dict[str, Member[GaussianMixture]] = family(
    Member[GaussianMixture]("standard normal", lambda e: standard_normal(_dim(e)), label="N(0, I)"),
    Member[GaussianMixture]("8 gaussians", _eight),
    Member[GaussianMixture]("two gaussians", _two, label="2 gaussians"),
)
