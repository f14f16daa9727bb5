"""A member of each family that the studio has never heard of, put into the catalogue for one test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction

import pytest
import torch
from torch import Tensor

from fmstudio.flow.couplings.coupling import Coupling, Paired
from fmstudio.flow.densities.density import Samples
from fmstudio.flow.densities.mixture import GaussianMixture, isotropic
from fmstudio.flow.paths.path import Coefficients, Path, affine_coefficients
from fmstudio.flow.regress.objectives import TARGETS, Target
from fmstudio.flow.regress.time_laws import TIME_LAWS
from fmstudio.flow.solve.tableaux import SOLVERS, Tableau
from fmstudio.learn.catalogue.data import shape_member
from fmstudio.learn.catalogue.member import Member
from fmstudio.learn.catalogue.paths import PathMember
from fmstudio.learn.experiment import COUPLINGS, DATA, PATHS, SOURCES

NAMES = {
    "data": "toy cross",
    "source": "toy square",
    "path": "toy ease",
    "coupling": "toy order",
    "target": "toy double",
    "time_law": "toy early",
    "solver": "toy ralston",
}
"""What each toy is called, by the field that may name it."""


@dataclass(frozen=True)
class Ease(Path):
    """a = 1 − b, b = (1−k) t + k t², with k in [0, 1)."""

    k: float

    def at(self, t: Tensor) -> Coefficients:
        b, db = (1 - self.k) * t + self.k * t**2, 1 - self.k + 2 * self.k * t
        return affine_coefficients(1 - b, b, -db, db)


@dataclass(frozen=True)
class ByOrder:
    """Partners by the order of their first coordinates."""

    independent = False

    def pair(self, x0: Tensor, x1: Tensor, generator: torch.Generator) -> Paired:
        index = x0[:, 0].argsort()[x1[:, 0].argsort().argsort()]
        return Paired(x0[index], x1, index)


@dataclass(frozen=True)
class Early:
    """t = s² with s uniform."""

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        return torch.rand(n, generator=generator, device=generator.device).square()

    def quantile(self, share: Tensor) -> Tensor:
        return share.square()


def cross(n: int, noise: float, generator: torch.Generator) -> Samples:
    """Two crossing lines, a class each."""
    label = torch.randint(2, (n,), generator=generator)
    along = 2 * (2 * torch.rand(n, generator=generator) - 1)
    line = torch.stack([along, along * (1 - 2 * label)], 1)
    return Samples(line + noise * torch.randn(n, 2, generator=generator), label)


def square() -> GaussianMixture:
    return isotropic([[x, y] for x in (-1.0, 1.0) for y in (-1.0, 1.0)], 0.3)


RALSTON = Tableau(
    "Ralston",
    a=((), (Fraction(2, 3),)),
    b=(Fraction(1, 4), Fraction(3, 4)),
    c=(Fraction(0), Fraction(2, 3)),
    order=2,
)
DOUBLE = Target(
    NAMES["target"],
    lambda p, d: 2 * d.x0,
    lambda p, m, t: 2 * m.x0_hat,
    lambda p, y, x, t: y / 2,
    label="2x₀",
)


@contextmanager
def toys_in_the_catalogue() -> Iterator[None]:
    """Every toy in its family, at the end of it, until the test is over."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(DATA, NAMES["data"], shape_member(NAMES["data"], cross, "rising", "falling"))
        patch.setitem(SOURCES, NAMES["source"], Member(NAMES["source"], lambda e: square()))
        ease = PathMember(
            NAMES["path"],
            lambda e: Ease(e.strength / 4),
            ("strength",),
            "ease",
            formula=lambda e: f"eased by {e.strength:g}",
        )
        patch.setitem(PATHS, ease.name, ease)
        order: Member[Coupling] = Member(NAMES["coupling"], lambda e: ByOrder(), ("coupling_batch",), "order")
        patch.setitem(COUPLINGS, order.name, order)
        patch.setitem(TARGETS, DOUBLE.name, DOUBLE)
        patch.setitem(TIME_LAWS, NAMES["time_law"], Early())
        patch.setitem(SOLVERS, NAMES["solver"], RALSTON)
        yield
