"""What every claim starts from: the experiment's path, densities, oracle, generators; small statistics."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from fmstudio.flow.densities.density import Density
from fmstudio.flow.densities.mixture import GaussianMixture
from fmstudio.flow.oracle.oracle_for import Oracle
from fmstudio.flow.paths.path import Path
from fmstudio.flow.paths.zigzag import ZigZag
from fmstudio.flow.regress.objectives import training_times
from fmstudio.flow.solve.solvers import path_times
from fmstudio.learn.build import density_of, oracle_of, path_of, source_of
from fmstudio.learn.experiment import PATHS, Experiment
from fmstudio.learn.simulate import Pairs

#: Points of a shape's empirical distribution that the claims use at most; more only cost time.
CLOUD = 1_000
#: How far from an infinite velocity the claims stay.
GAP = 0.05


@dataclass(frozen=True)
class Setting:
    """An experiment's objects, built when first used.

    Args:
        experiment: as the sidebar has it; a shape is cut to ``CLOUD`` points.
        claim: number of the claim, 1 … 10; each has random streams of its own.
    """

    experiment: Experiment
    claim: int

    @cached_property
    def path(self) -> Path:
        """The original trajectories."""
        return path_of(self.experiment)

    @cached_property
    def cut(self) -> Experiment:
        """The experiment with at most ``CLOUD`` data points."""
        return self.experiment.but(data_points=min(self.experiment.data_points, CLOUD))

    @cached_property
    def density(self) -> Density:
        """The data."""
        return density_of(self.cut)

    @cached_property
    def source(self) -> GaussianMixture:
        """The noise."""
        return source_of(self.cut)

    @cached_property
    def oracle(self) -> Oracle:
        """Exact for the independent coupling."""
        return oracle_of(self.cut)

    @property
    def dim(self) -> int:
        """d, the number of coordinates."""
        return self.experiment.dim

    def generator(self, stream: int) -> torch.Generator:
        """The generator of one stream; streams from 0 belong to measurements, from 1,000 to predictions."""
        seed = self.experiment.seed * 1_000_003 + self.claim * 10_007 + stream
        return torch.Generator().manual_seed(seed)

    def times(self, count: int) -> Tensor:
        """``count`` + 1 times, falling, from end to end of the path's :func:`window`."""
        low, high = window(self.path)
        return path_times(count, high, low)

    def mean_squares(self) -> tuple[Tensor, Tensor]:
        """E|x₀|² and E|x₁|², float64."""
        ends = [(end.mean.double(), end.covariance.double()) for end in (self.density, self.source)]
        first, second = (covariance.trace() + mean @ mean for mean, covariance in ends)
        return first, second

    def pairs(self, n: int, generator: torch.Generator) -> Pairs:
        """Draw n independent end points."""
        samples = self.density.sample(n, generator)
        return Pairs(samples.points, self.source.sample(n, generator).points, samples.labels)

    def snapshot(self, n: int, t: float | Tensor, generator: torch.Generator) -> Tensor:
        """Draw n particles of q_t, shape (n, d), from their original paths (so no oracle is involved)."""
        pairs = self.pairs(n, generator)
        time = torch.as_tensor(t, dtype=pairs.x0.dtype)
        return self.path.position(pairs.x0, pairs.x1, time, self.path.latent(pairs.x0, generator))


def independent(experiment: Experiment) -> str | None:
    """None for the independent coupling, else why the oracle does not know the paths through a point."""
    if experiment.coupling != "independent":
        return (
            f"With the {experiment.coupling} coupling x₀ and x₁ are not independent, and the paths through a "
            "point have no closed form to compare with. Choose the independent coupling."
        )
    return None


def smooth(experiment: Experiment) -> str | None:
    """None for independent ends and a path with a velocity, else the reason."""
    if PATHS[experiment.path].chain:
        return (
            "A zig-zag trajectory has no velocity, so there is no mean of velocities to follow. "
            "Choose a smooth path."
        )
    return independent(experiment)


def normal_source(experiment: Experiment) -> str | None:
    """None where x₁ ~ N(0, I) independently of x₀, else the reason."""
    if experiment.source != "standard normal":
        return (
            f"With the source “{experiment.source}” the posterior of x_t given x₀ is no Gaussian, so these "
            "formulas do not hold. Choose the standard normal source."
        )
    return independent(experiment)


def window(path: Path) -> tuple[float, float]:
    """The times [low, high] at which single velocities have a variance one can average: all of [0, 1], but
    ``GAP`` away from an end where a′, b′ or γ′ is infinite (a latent; variance preserving at t = 0)."""
    low, high = training_times(path)
    return GAP if low > 0 else 0.0, 1 - GAP if high < 1 else 1.0


def marginal_path(path: Path) -> Path:
    """The smooth path with the same marginals: what a zig-zag goes around, else the path itself."""
    return path.around if isinstance(path, ZigZag) else path


def repeated(values: Tensor) -> tuple[float, float, int]:
    """Mean, standard error and degrees of freedom of repeats, shape (repeats ≥ 2,), as in a ``Measured``."""
    v = values.double()
    return float(v.mean()), float(v.std() / math.sqrt(len(v))), len(v) - 1


def jackknife(statistic: Callable[[Tensor], Tensor], blocks: Tensor) -> tuple[float, float, int]:
    """A statistic of the mean over blocks, its standard error and degrees of freedom.

    Args:
        statistic: of a mean, shape (…) -> ().
        blocks: independent, shape (blocks, …).

    Source: Efron & Stein 1981, The jackknife estimate of variance.
    """
    n = len(blocks)
    without = (blocks.sum(0) - blocks) / (n - 1)
    left = torch.stack([statistic(mean) for mean in without]).double()
    return float(statistic(blocks.mean(0))), float(left.std() * (n - 1) / math.sqrt(n)), n - 1


def blocks(values: Tensor, count: int) -> Tensor:
    """Numbers of particles, shape (n,), as ``count`` repeats of n/count each, float64."""
    return values.double().view(count, -1)


def column_errors(values: Tensor) -> tuple[Tensor, Tensor]:
    """Means and standard errors over the first axis, shape (repeats, k) -> two of shape (k,)."""
    v = values.double()
    return v.mean(0), v.std(0) / math.sqrt(len(v))


def slopes(x: Tensor, values: Tensor) -> Tensor:
    """Slopes of log y against log x by least squares, one for each repeat: (repeats, k) -> (repeats,)."""
    lx, ly = x.double().log(), values.double().clamp_min(1e-300).log()
    centred = lx - lx.mean()
    return (ly - ly.mean(1, keepdim=True)) @ centred / centred.square().sum()
