"""What the browser needs to compute a scene itself: the path as text, and the laws of both ends.

Where data and source are mixtures and the path is smooth, the velocity is a sum over pairs of components. The
end points of the particles it takes from the scene's own first and last frames.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from fmstudio.flow.densities.mixture import GaussianMixture
from fmstudio.flow.paths.path import Path
from fmstudio.flow.solve.tableaux import Tableau


@dataclass(frozen=True)
class Live:
    """A flow that the browser computes.

    Args:
        path: a smooth one.
        data, source: the laws of x₀ and x₁.
        tableau, steps: the solver of P, and its equal steps from t = 1 to 0.

    Raises:
        ValueError: a path without a velocity, or without its coefficients as text.
    """

    path: Path
    data: GaussianMixture
    source: GaussianMixture
    tableau: Tableau
    steps: int

    def __post_init__(self) -> None:
        if not self.path.smooth or self.path.written is None:
            raise ValueError("Live is a path with a velocity and with coefficients as text.")

    def header(self) -> dict[str, Any]:
        """All of it, for JSON."""
        written = self.path.written
        assert written is not None
        return {
            "path": asdict(written),
            "data": components(self.data),
            "source": components(self.source),
            "tableau": {
                "a": [[float(x) for x in row] for row in self.tableau.a],
                "b": [float(x) for x in self.tableau.b],
                "c": [float(x) for x in self.tableau.c],
            },
            "steps": self.steps,
        }


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
