"""Diffusion: random motions with the marginals of a flow, and Langevin dynamics at one time.

Let q_t be carried by dx/dt = u(x, t). Since ∇·(q s) = Δq for the score s = ∇ log q_t, the flow's continuity
equation is also the Fokker–Planck equation of

    dx = (u + ½ g² s) dt + g dW         t rising, data to noise
    dx = (u − ½ g² s) dt + g dW̄         t falling, noise to data

for every noise level g(t) ≥ 0: all have the marginals q_t, and g = 0 is the flow. A step of signed length h,

    x_{t+h} = x_t + u h + ½ g² |h| s + g √|h| e,     e ~ N(0, I),

serves both directions (Euler–Maruyama, weak order 1). As e replaces a random velocity times dt by noise times
√dt, its spread does not vanish when the steps get smaller.

Source: Song et al. 2021, arXiv:2011.13456, section 4.3; Albergo et al. 2023, arXiv:2303.08797, section 2.3.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from fmstudio.flow.formulas.readable import check_score
from fmstudio.flow.oracle.oracle_for import Oracle
from fmstudio.flow.paths.affine import Spherical, VariancePreserving
from fmstudio.flow.paths.path import Path, act, draw_like
from fmstudio.flow.paths.zigzag import ZigZag
from fmstudio.flow.regress.translate import from_v
from fmstudio.flow.solve.fields import Counted, VelocityField
from fmstudio.flow.solve.solvers import Step, Trajectory, check_times, recorded

#: Score(x, t): ∇ log q_t at points (n, d) and a time of shape (), shape (n, d).
Score = Callable[[Tensor, Tensor], Tensor]

#: NoiseLevel(t): g ≥ 0 at a time in [0, 1]. Where it is 0 the score is not asked.
NoiseLevel = Callable[[float], float]


@dataclass(frozen=True)
class Constant:
    """g = level for t > stop, 0 below.

    The score of a point cloud grows like 1/t² near the data, and a step is stable only while
    ½ g² |h| < 2 σ_t²: stop the noise while that still holds. A smooth density allows stop = 0.

    Args:
        level: ≥ 0.
        stop: in [0, 1]; at t ≤ stop there is no noise. Always at t = 0.
    """

    level: float
    stop: float = 0.0

    def __post_init__(self) -> None:
        _check_level(self.level)
        if not 0 <= self.stop <= 1:
            raise ValueError(f"Expected stop in [0, 1]; got {self.stop}.")

    def __call__(self, t: float) -> float:
        """The level, or 0 at t ≤ stop."""
        return self.level if t > self.stop else 0.0


@dataclass(frozen=True)
class Proportional:
    """g = level · σ_t with σ_t the standard deviation of x_t given x₀.

    The noise fades as the data come near, at the rate at which the score grows: ½ g² |h|/σ_t² is
    ½ level² |h| at every t, so one step size is stable for all of them (below 2), also for point clouds.

    Args:
        path: gives σ_t² = |b|² + γ².
        level: ≥ 0.
    """

    path: Path
    level: float

    def __post_init__(self) -> None:
        _check_level(self.level)

    def __call__(self, t: float) -> float:
        """level · σ_t; 0 at t = 0."""
        variance = self.path.at(torch.tensor(t, dtype=torch.float64)).variance
        return self.level * math.sqrt(float(variance))


@dataclass(frozen=True)
class ChainNoise:
    """The g of the zig-zag chain: with it the process from data to noise is the Markov chain itself.

        g² = 2 b b′ − 2 (a′/a) b²,        so that u + ½ g² s = (a′/a) x

    For the variance-preserving path g² = β(t). The rate is infinite where a = 0 (spherical, t = 1): leave
    that end out.

    Args:
        path: spherical, variance preserving, or a zig-zag chain around one.

    Source: Song et al. 2021, arXiv:2011.13456, equation 11; Kingma et al. 2021, arXiv:2107.00630,
    equation 20.
    """

    path: Path

    def __post_init__(self) -> None:
        if not isinstance(self._around, Spherical | VariancePreserving):
            raise ValueError("The zig-zag chain is defined for the spherical or variance-preserving path.")

    @property
    def _around(self) -> Path:
        return self.path.around if isinstance(self.path, ZigZag) else self.path

    def __call__(self, t: float) -> float:
        """g(t).

        Raises:
            ValueError: a = 0 at this time.
        """
        around = self._around
        if isinstance(around, VariancePreserving):
            return math.sqrt(around.beta0 + t * (around.beta1 - around.beta0))
        c = around.at(torch.tensor(t, dtype=torch.float64))
        if float(c.a) <= 0:
            raise ValueError(f"The chain's noise level is infinite at t = {t:g} (a = 0). Use t ≤ 0.999.")
        return math.sqrt(float(2 * c.b * c.db - 2 * c.da / c.a * c.b**2))


def score_from_velocity(path: Path, field: VelocityField, *, score_is_exact: bool) -> Score:
    """The score that a velocity implies, for N(0, I) noise independent of the data.

    Args:
        path: what the field was learned on.
        field: u(x, t).
        score_is_exact: whether x₁ ~ N(0, I) independent of x₀; False after optimal transport or reflow.

    Returns:
        (x, t) -> ∇ log q_t(x) by :func:`fmstudio.flow.regress.translate.from_v`, singular where that is.

    Raises:
        ValueError: the score is not exact, or cannot be read at a time between the ends.
    """
    if not score_is_exact:
        raise ValueError(
            "The score follows from the velocity only for x₁ ~ N(0, I) independent of x₀; this field was "
            "learned on paired x₀ and x₁ (optimal transport, Sinkhorn or reflow) or another source. "
            "Sample with the ODE."
        )
    check_score(path)

    def score(x: Tensor, t: Tensor) -> Tensor:
        return from_v(path, field(x, t), x, t).score

    return score


def sde_steps(
    field: VelocityField,
    score: Score,
    x: Tensor,
    times: Tensor,
    noise: NoiseLevel,
    generator: torch.Generator,
) -> Iterator[Step]:
    """Take one Euler–Maruyama step for each interval of ``times`` and hand out the state after each.

    Args, raises: as :func:`integrate_sde`.

    Yields:
        T − 1 states; ``nfe`` counts the field (the score is asked as often where g > 0).
    """
    times = check_times(times, x)
    if float(times.min()) < 0 or float(times.max()) > 1:
        raise ValueError("Expected times in [0, 1].")
    counted, on_device = Counted(field), times.to(x.device)

    def states(x: Tensor) -> Iterator[Step]:
        for k, (t, then) in enumerate(pairwise(times.tolist())):
            level, h = noise(t) if t > 0 else 0.0, then - t
            _check_level(level, f" at t = {t:g}")
            with torch.no_grad():
                moved = torch.add(x, counted(x, on_device[k]), alpha=h)
                if level > 0:
                    moved.add_(score(x, on_device[k]), alpha=level**2 * abs(h) / 2)
                    moved.add_(draw_like(x, generator), alpha=level * math.sqrt(abs(h)))
            x = moved
            yield Step(k + 1, then, x, counted.nfe)

    return states(x.detach())


def integrate_sde(
    field: VelocityField,
    score: Score,
    x: Tensor,
    times: Tensor,
    noise: NoiseLevel,
    generator: torch.Generator,
    *,
    record: bool = True,
) -> Trajectory:
    """Follow the SDE with the marginals of the flow through ``times``.

    Args:
        field: u(x, t).
        score: s(x, t) = ∇ log q_t(x): the oracle's, or :func:`score_from_velocity`.
        x: positions at times[0], drawn from q there, shape (n, d).
        times: shape (T,), strictly rising or strictly falling, in [0, 1].
        noise: g(t), taken at the start of each step.
        generator: of the noise.
        record: keep all positions; otherwise only the first and the last.

    Returns:
        The trajectory.

    Raises:
        ValueError: times outside their domain, or a noise level that is negative or not finite.

    Limits: at t = 0 the score of a point cloud is infinite, so a step that starts there is taken without
    noise, as if g(0) = 0, and without asking for the score. The bias of the marginals is O(dt), with a
    constant that grows with g² and with the slope of the score.
    """
    return recorded(sde_steps(field, score, x, times, noise, generator), x, times, record)


def langevin_step(x: Tensor, score: Tensor, step: float, noise: Tensor) -> Tensor:
    """One step of unadjusted Langevin dynamics, x + (ε/2) s + √ε e; all of shape (n, d), ε = ``step``."""
    return x + step / 2 * score + step**0.5 * noise


@torch.no_grad()
def langevin(
    score: Score, x: Tensor, t: Tensor, step: float, count: int, generator: torch.Generator
) -> Tensor:
    """Unadjusted Langevin dynamics at a fixed time, x ← x + (ε/2) s(x, t) + √ε e.

    It keeps q_t in the limit ε → 0; the bias of its marginal is O(ε).

    Args:
        score: ∇ log q_t, or a random function with that mean (:func:`conditional_score`).
        x: starts, shape (n, d).
        t: the time, shape ().
        step: ε > 0; stable below 4 times the smallest variance of q_t.
        count: how many steps, ≥ 0.
        generator: of the noise e.

    Returns:
        Positions after the last step, shape (n, d).

    Raises:
        ValueError: step or count outside its domain.

    Source: Roberts & Tweedie 1996, Exponential convergence of Langevin distributions.
    """
    if not 0 < step < math.inf or count < 0:
        raise ValueError(f"Expected step > 0 and count ≥ 0; got step = {step}, count = {count}.")
    for _ in range(count):
        x = langevin_step(x, score(x, t), step, draw_like(x, generator))
    return x


def conditional_score(oracle: Oracle, generator: torch.Generator) -> Score:
    """The score given a freshly drawn x₀ ~ w(x, t): −(x − a x₀)/σ², with mean s(x, t).

    Langevin dynamics may use it in place of the marginal score: each step adds (ε/2)(s(x | x₀) − s(x)), of
    mean 0 and size ε, whose sum over a fixed time falls like √ε.

    Args:
        oracle: of a path with N(0, I) source; draws the x₀.
        generator: of the draws.

    Returns:
        (x, t) -> ∇ log q_t(x | x₀); a fresh draw at every call. Infinite at t = 0.

    Raises:
        ValueError: the source is not N(0, I).

    Source: Wu & Lizarraga, About Flow Matching, 2024, section 3; Vincent 2011, A connection between score
    matching and denoising autoencoders.
    """
    if not oracle.source.is_standard_normal:
        raise ValueError("The score given x₀ is −(x − a x₀)/σ² only for the source N(0, I).")

    def score(x: Tensor, t: Tensor) -> Tensor:
        c = oracle.path.at(t.to(x.dtype))
        x0 = oracle.draw(x, t, 1, generator).x0[:, 0]
        return (act(c.a, x0) - x) / c.variance

    return score


def _check_level(level: float, when: str = "") -> None:
    if not 0 <= level < math.inf:
        raise ValueError(f"Expected a finite noise level g ≥ 0; got {level}{when}.")
