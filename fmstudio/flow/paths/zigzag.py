"""The zig-zag: the same marginals with independent noise at every time, so that no velocity exists."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from fmstudio.flow.paths.affine import Spherical, VariancePreserving
from fmstudio.flow.paths.path import Coefficients, Path, Written, draw_like


@dataclass(frozen=True)
class ZigZag(Path):
    """The path of diffusion: the Markov chain with the marginals of another path; continuous, no velocity.

    From data to noise, exactly, Gaussian step by Gaussian step (s < t):

        x_t | x_s ~ N( (a_t/a_s) x_s, (b_t² − (a_t/a_s)² b_s²) I ).

    The step in the note reads x_t = x_{t−dt} + √dt e_t; the transcription shows √(1/n) dt e_t.
    ``at`` gives the coefficients of the marginals, so the oracle, the loss and the flow are those of the
    smooth path with the same marginals. The noise end x₁ belongs to the chain: it is not a free partner.

    Args:
        around: a path with real a, b, no latent, a falling and b/a rising (spherical, variance preserving).

    Source: Ho et al. 2020, arXiv:2006.11239, equation 2; Song et al. 2021, arXiv:2011.13456.
    """

    around: Path = field(default_factory=VariancePreserving)
    smooth = False

    def __post_init__(self) -> None:
        if not isinstance(self.around, Spherical | VariancePreserving):
            raise ValueError("The zig-zag chain is defined around the spherical or variance-preserving path.")

    @property
    def exact_ends(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """As the path it shares its marginals with."""
        return self.around.exact_ends

    def at(self, t: Tensor) -> Coefficients:
        """The coefficients of the marginals."""
        return self.around.at(t)

    def trajectories(self, x0: Tensor, x1: Tensor, times: Tensor, generator: torch.Generator) -> Tensor:
        """Sample the chain on the grid ``times`` from the data end upward; ``x1`` gives only the shape."""
        order = torch.argsort(times)
        c = self.at(times[order])
        x, a, b2 = x0, torch.ones_like(c.a[0]), torch.zeros_like(c.a[0])
        rows = []
        for a_t, b_t in zip(c.a, c.b, strict=True):
            # The same time again is no step, also at t = 1, where a is 0.
            ratio = torch.where(a_t == a, 1.0, a_t / a)
            variance = (b_t**2 - ratio**2 * b2).clamp_min(0)
            x = ratio * x + variance.sqrt() * draw_like(x1, generator)
            a, b2 = a_t, b_t**2
            rows.append(x)
        return torch.stack(rows)[torch.argsort(order)]

    @property
    def written(self) -> Written | None:
        """The coefficients as text."""
        return self.around.written
