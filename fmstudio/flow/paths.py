"""Paths: how a particle travels between a data point x₀ (t = 0) and a noise point x₁ (t = 1).

Every path of the studio is linear in its end points and an optional latent z ~ N(0, I):

    x_t = a_t x₀ + b_t x₁ + γ_t z,        v_t = dx_t/dt = a′_t x₀ + b′_t x₁ + γ′_t z.

The coefficients are numbers. In the plane they may be *complex* numbers, which turn as well as stretch:
a complex number acts on (x, y) as it acts on x + iy. So a bow and a spiral are affine paths too, |b|² is
the conditional variance of every path, and each formula downstream is written once.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor


def act(coefficient: Tensor, x: Tensor) -> Tensor:
    """Apply a path coefficient to points: multiply, and turn if the coefficient is complex.

    Args:
        coefficient: real or complex, shape () or (n,).
        x: points, shape (n, d); d must be 2 where the coefficient is complex.

    Returns:
        The points c·x, shape (n, d), real.

    Raises:
        ValueError: a complex coefficient meets points that are not in the plane.
    """
    if coefficient.is_complex():
        if x.shape[-1] != 2:
            raise ValueError(
                f"This path turns the plane, so it needs points with 2 coordinates; got {x.shape[-1]}. "
                "Use a path with real coefficients."
            )
        return torch.view_as_real(coefficient * torch.view_as_complex(x.contiguous()))
    return coefficient.unsqueeze(-1) * x if coefficient.ndim else coefficient * x


@dataclass(frozen=True)
class Coefficients:
    """A path's coefficients and their time derivatives at some times: one record, all of one shape.

    Args:
        a, b: weights of x₀ and x₁, real or complex, shape of t.
        gamma: weight of the latent z, real, shape of t; zero for a path without a latent.
        da, db, dgamma: derivatives with respect to t. ``dgamma`` is ±inf at t = 0 and 1 for √(t(1−t)).
        gamma_dgamma: γ γ′ as its own limit, finite everywhere.
    """

    a: Tensor
    b: Tensor
    gamma: Tensor
    da: Tensor
    db: Tensor
    dgamma: Tensor
    gamma_dgamma: Tensor

    @property
    def variance(self) -> Tensor:
        """σ² = |b|² + γ², the variance of x_t given x₀ under N(0, I) noise (real, shape of t)."""
        return _square(self.b) + self.gamma**2

    @property
    def determinant(self) -> Tensor:
        """D = a b′ − a′ b; the pair (x_t, v) determines (x₀, x₁) where D ≠ 0 (no latent)."""
        return self.a * self.db - self.da * self.b


def _square(c: Tensor) -> Tensor:
    return c.real**2 + c.imag**2 if c.is_complex() else c**2


class Path(ABC):
    """A choice of trajectories: coefficients a_t, b_t, γ_t for t in [0, 1].

    Attributes:
        smooth: whether one trajectory has a velocity. The zig-zag chain has none.
        exact_ends: whether a₁ = 0, so that x₁ is pure noise (not so for variance preserving).
    """

    smooth: bool = True
    exact_ends: bool = True

    @abstractmethod
    def at(self, t: Tensor) -> Coefficients:
        """Coefficients and derivatives at times t in [0, 1], shape () or (batch,)."""

    def position(self, x0: Tensor, x1: Tensor, t: Tensor, z: Tensor | None = None) -> Tensor:
        """x_t = a x₀ + b x₁ + γ z for points of shape (n, d) and t of shape () or (n,)."""
        c = self.at(t)
        xt = act(c.a, x0) + act(c.b, x1)
        return xt if z is None else xt + act(c.gamma, z)

    def velocity(self, x0: Tensor, x1: Tensor, t: Tensor, z: Tensor | None = None) -> Tensor:
        """v = a′ x₀ + b′ x₁ + γ′ z, the velocity of the original path, shape (n, d)."""
        c = self.at(t)
        v = act(c.da, x0) + act(c.db, x1)
        return v if z is None else v + act(c.dgamma, z)

    @property
    def has_latent(self) -> bool:
        """Whether trajectories carry a latent z beside their end points."""
        return False

    def latent(self, x: Tensor, generator: torch.Generator) -> Tensor | None:
        """Draw a latent for each of the points, shape (n, d), or None where the path has none."""
        return draw_like(x, generator) if self.has_latent else None

    def trajectories(self, x0: Tensor, x1: Tensor, times: Tensor, generator: torch.Generator) -> Tensor:
        """Positions of the particles at all times: the rows of Q.

        Args:
            x0, x1: end points, shape (n, d).
            times: shape (T,), in any order, in [0, 1].
            generator: draws the latent, where the path has one.

        Returns:
            Shape (T, n, d).
        """
        z = self.latent(x0, generator)
        return torch.stack([self.position(x0, x1, t, z) for t in times])


def draw_like(x: Tensor, generator: torch.Generator) -> Tensor:
    """Standard normal numbers of x's shape, dtype and device from the generator (which may be elsewhere)."""
    noise = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=generator.device)
    return noise.to(x.device)


def _affine(a: Tensor, b: Tensor, da: Tensor, db: Tensor) -> Coefficients:
    zero = torch.zeros_like(a.real if a.is_complex() else a)
    return Coefficients(a, b, zero, da, db, zero, zero)


@dataclass(frozen=True)
class Linear(Path):
    """The straight path: a = 1 − t, b = t.

    Source: rectified flow, Liu et al. 2022, arXiv:2209.03003.
    """

    def at(self, t: Tensor) -> Coefficients:
        """a = 1 − t, b = t, a′ = −1, b′ = 1."""
        one = torch.ones_like(t)
        return _affine(1 - t, t, -one, one)


@dataclass(frozen=True)
class Spherical(Path):
    """The arc: a = cos(πt/2), b = sin(πt/2); a circle's arc when |x₀| = |x₁| and x₀ ⊥ x₁.

    Source: v-prediction, Salimans & Ho 2022, arXiv:2202.00512; their v is dx/dφ with φ = πt/2.
    """

    def at(self, t: Tensor) -> Coefficients:
        """a = cos(πt/2), b = sin(πt/2), a′ = −(π/2) b, b′ = (π/2) a."""
        half = math.pi / 2
        cos, sin = torch.cos(half * t), torch.sin(half * t)
        # cos(π/2) rounds to ±1e-8; the end value is 0 exactly.
        cos = torch.where(t == 1, torch.zeros_like(cos), cos)
        return _affine(cos, sin, -half * sin, half * cos)


@dataclass(frozen=True)
class VariancePreserving(Path):
    """The diffusion schedule: a = exp(−t²(β₁−β₀)/4 − tβ₀/2), b = √(1 − a²).

    At t = 1 a ≈ 0.0066, not 0: the last marginal is N(0, I) only approximately.

    Args:
        beta0, beta1: noise rates at t = 0 and t = 1, 0 < β₀ ≤ β₁.

    Source: Song et al. 2021, arXiv:2011.13456, equation 33.
    """

    beta0: float = 0.1
    beta1: float = 20.0
    exact_ends = False

    def __post_init__(self) -> None:
        if not 0 < self.beta0 <= self.beta1:
            raise ValueError(f"Expected 0 < beta0 ≤ beta1; got beta0 = {self.beta0}, beta1 = {self.beta1}.")

    def at(self, t: Tensor) -> Coefficients:
        """a′ = −a β(t)/2 and b′ = a² β(t)/(2b) with β(t) = β₀ + t(β₁−β₀); b′ is inf at t = 0."""
        log_a = -(t**2) * (self.beta1 - self.beta0) / 4 - t * self.beta0 / 2
        rate = self.beta0 + t * (self.beta1 - self.beta0)
        a = torch.exp(log_a)
        b = torch.sqrt(-torch.expm1(2 * log_a))
        return _affine(a, b, -a * rate / 2, a**2 * rate / (2 * b))


@dataclass(frozen=True)
class Polynomial(Path):
    """A straight chord at uneven speed: a = 1 − tⁿ, b = tⁿ.

    Args:
        power: n ≥ 1; n = 1 is the straight path at constant speed.

    Source: Lipman et al. 2024, arXiv:2412.06264, section 4.
    """

    power: float = 2.0

    def __post_init__(self) -> None:
        if not 1 <= self.power <= 8:
            raise ValueError(f"Expected a power in [1, 8]; got {self.power}.")

    def at(self, t: Tensor) -> Coefficients:
        """a = 1 − tⁿ, b = tⁿ, a′ = −n tⁿ⁻¹ = −b′."""
        b = t**self.power
        db = self.power * t ** (self.power - 1)
        return _affine(1 - b, b, -db, db)


@dataclass(frozen=True)
class Bow(Path):
    """A bent chord: x_t = (1−t) x₀ + t x₁ + κ sin(πt) J (x₁ − x₀), J the rotation by 90° (plane only).

    Args:
        bend: κ in [−2, 2]; 0 is the straight path.
    """

    bend: float = 0.5

    def __post_init__(self) -> None:
        if not -2 <= self.bend <= 2:
            raise ValueError(f"Expected a bend in [−2, 2]; got {self.bend}.")

    def at(self, t: Tensor) -> Coefficients:
        """b = t + iκ sin(πt), a = 1 − b."""
        b = torch.complex(t, self.bend * torch.sin(math.pi * t))
        db = torch.complex(torch.ones_like(t), self.bend * math.pi * torch.cos(math.pi * t))
        return _affine(1 - b, b, -db, db)


@dataclass(frozen=True)
class Spiral(Path):
    """A turning chord: x_t = R(κ sin(πt)) [(1−t) x₀ + t x₁], R the rotation of the plane (plane only).

    Args:
        turn: κ in radians, in [−2π, 2π]; 0 is the straight path.
    """

    turn: float = 1.5

    def __post_init__(self) -> None:
        if not -2 * math.pi <= self.turn <= 2 * math.pi:
            raise ValueError(f"Expected a turn in [−2π, 2π] radians; got {self.turn}.")

    def at(self, t: Tensor) -> Coefficients:
        """a = e^{iθ}(1−t), b = e^{iθ} t, θ = κ sin(πt)."""
        angle = self.turn * torch.sin(math.pi * t)
        speed = self.turn * math.pi * torch.cos(math.pi * t)
        turn = torch.polar(torch.ones_like(t), angle)
        spin = torch.complex(torch.zeros_like(t), speed)
        a, b = turn * (1 - t), turn * t
        return _affine(a, b, spin * a - turn, spin * b + turn)


@dataclass(frozen=True)
class Latent(Path):
    """A stochastic interpolant: x_t = a x₀ + b x₁ + γ z with γ = κ √(t(1−t)) around another smooth path.

    Args:
        around: the path that gives a and b.
        strength: κ in [0, 2].

    Source: Albergo, Boffi & Vanden-Eijnden 2023, arXiv:2303.08797, definition 2.1.
    """

    around: Path = Linear()
    strength: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 2:
            raise ValueError(f"Expected a strength in [0, 2]; got {self.strength}.")
        if self.around.has_latent or not self.around.smooth:
            raise ValueError("A latent goes around a smooth path that has none yet.")

    @property
    def has_latent(self) -> bool:
        """True, unless the strength is 0."""
        return self.strength > 0

    def at(self, t: Tensor) -> Coefficients:
        """γ = κ√(t(1−t)), γ′ = κ(1−2t)/(2√(t(1−t))), γγ′ = κ²(1−2t)/2."""
        c = self.around.at(t)
        root = torch.sqrt(t * (1 - t))
        tilt = (1 - 2 * t) / 2
        if self.strength == 0:
            return c
        return Coefficients(
            c.a,
            c.b,
            self.strength * root,
            c.da,
            c.db,
            self.strength * tilt / root,
            self.strength**2 * tilt,
        )


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

    around: Path = VariancePreserving()
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
