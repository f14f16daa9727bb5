"""What the browser computes a scene from: the path as text, end points, and what P follows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from fmstudio.flow.densities.cloud import PointCloud
from fmstudio.flow.densities.mixture import GaussianMixture
from fmstudio.flow.paths.path import Path
from fmstudio.flow.solve.tableaux import SOLVERS
from fmstudio.plots.scene.live_net import LiveNet


@dataclass(frozen=True)
class Exact:
    """The exact velocity between a mixture or points and a mixture, pushed towards a class if asked.

    Args:
        data, source: the laws of x₀ and x₁.
        told: the part of the data of one class, which the velocity u_c is of: u = u∅ + w (u_c − u∅).
        guidance: w.
    """

    data: GaussianMixture | PointCloud
    source: GaussianMixture
    told: GaussianMixture | PointCloud | None = None
    guidance: float = 1.0

    @property
    def of_points(self) -> bool:
        """Whether it is a sum over points: too long for every frame of a drag."""
        return isinstance(self.data, PointCloud)

    def header(self) -> dict[str, Any]:
        """All but points, for JSON."""
        law: dict[str, Any] = {"source": components(self.source)}
        if isinstance(self.data, PointCloud):
            return law | {"kind": "cloud"} | ({} if self.told is None else {"guidance": self.guidance})
        law |= {"kind": "mixture", "data": components(self.data)}
        if isinstance(self.told, GaussianMixture):
            law |= {"told": components(self.told), "guidance": self.guidance}
        return law

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The points by name, shape (n, 2)."""
        laws = {"data": self.data, "told": self.told}
        return {name: _plane(law.points) for name, law in laws.items() if isinstance(law, PointCloud)}


@dataclass(frozen=True)
class Live:
    """Particles that the browser moves: along their own paths, and along the mean velocity where it is known.

    Args:
        path: a smooth one.
        x0, x1, z: end points of the particles, shape (n, d); the latent of a path that has one, or None.
        law: what P follows; None where it stays as it is.
        solver, steps: of P: its name in ``SOLVERS``, and equal steps from t = 1 to 0.
        judged: whether its distance to a fine solution is told.

    Raises:
        ValueError: a path without a velocity, or without its coefficients as text.
    """

    path: Path
    x0: Tensor
    x1: Tensor
    z: Tensor | None
    law: Exact | LiveNet | None
    solver: str
    steps: int
    judged: bool = False

    def __post_init__(self) -> None:
        if not self.path.smooth or self.path.written is None:
            raise ValueError("Live is a path with a velocity and with coefficients as text.")

    def header(self) -> dict[str, Any]:
        """All but end points and arrays of the law, for JSON."""
        written = self.path.written
        assert written is not None
        return {
            "path": asdict(written),
            "law": self.law and self.law.header(),
            "solver": solver_header(self.solver),
            "steps": self.steps,
            "judge": solver_header("rk4") if self.judged else None,
        }

    def ends(self) -> dict[str, NDArray[np.float32] | None]:
        """The end points by name, shape (n, 2); on a line the second coordinate is 0."""
        return {"x0": _plane(self.x0), "x1": _plane(self.x1), "z": None if self.z is None else _plane(self.z)}


def solver_header(name: str) -> dict[str, Any]:
    """A solver of equal steps for JSON."""
    tableau = SOLVERS[name]
    return {
        "name": name,
        "a": [[float(x) for x in row] for row in tableau.a],
        "b": [float(x) for x in tableau.b],
        "c": [float(x) for x in tableau.c],
    }


def _plane(points: Tensor) -> NDArray[np.float32]:
    array = points.detach().cpu().numpy().astype(np.float32)
    return array if array.shape[1] == 2 else np.column_stack([array, np.zeros_like(array)])


def components(mixture: GaussianMixture) -> list[dict[str, Any]]:
    """The components of a mixture for the browser; on a line the second coordinate is 0, of variance 1."""
    rows = zip(mixture.weights.tolist(), mixture.means.tolist(), mixture.covariances.tolist(), strict=True)
    return [
        {
            "weight": weight,
            "mean": [*mean, 0.0][:2],
            "covariance": [c[0][0], c[0][1], c[1][0], c[1][1]]
            if len(mean) == 2
            else [c[0][0], 0.0, 0.0, 1.0],
        }
        for weight, mean, c in rows
    ]
