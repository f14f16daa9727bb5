"""One list of every path, for tests that state what must hold for all of them."""

from __future__ import annotations

from fmstudio.flow.formulas.custom import Custom
from fmstudio.flow.paths.affine import Linear, Polynomial, Spherical, VariancePreserving
from fmstudio.flow.paths.latent import Latent
from fmstudio.flow.paths.path import Path
from fmstudio.flow.paths.turning import Bow, Spiral
from fmstudio.flow.paths.zigzag import ZigZag

EVERY_PATH: list[Path] = [
    Linear(),
    Spherical(),
    VariancePreserving(),
    Polynomial(2.0),
    Custom("(1 - t)**1.5", "sin(pi*t/2)"),
    Bow(0.5),
    Spiral(1.5),
    Latent(Linear(), 0.5),
    Latent(Bow(0.5), 0.7),
    ZigZag(VariancePreserving()),
    ZigZag(Spherical()),
]
