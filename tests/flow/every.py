"""Every member of each family, for tests that state what must hold for all of them.

The lists come from the catalogue, each member with the experiment's default numbers, so a new one is in all
of these tests; further values that are worth a test stand beside it.
"""

from __future__ import annotations

from fmstudio.flow.couplings.coupling import Coupling
from fmstudio.flow.densities.shapes import Shape
from fmstudio.flow.paths.affine import Linear, VariancePreserving
from fmstudio.flow.paths.latent import Latent
from fmstudio.flow.paths.path import Path
from fmstudio.flow.paths.turning import Bow
from fmstudio.flow.paths.zigzag import ZigZag
from fmstudio.learn.experiment import COUPLINGS, DATA, PATHS, Experiment


def every_path() -> list[Path]:
    """Each path of the catalogue."""
    return [member.make(Experiment()) for member in PATHS.values()]


def every_shape() -> dict[str, Shape]:
    """What draws the points of each shape of the catalogue."""
    return {name: member.shape for name, member in DATA.items() if member.shape}


def every_coupling() -> list[Coupling]:
    """Each coupling of the catalogue, with an entropy that Sinkhorn's rounds settle at soon."""
    return [member.make(Experiment(sinkhorn_reg=0.5)) for member in COUPLINGS.values()]


EVERY_PATH = [*every_path(), Latent(Linear(), 0.5), Latent(Bow(0.5), 0.7), ZigZag(VariancePreserving())]
