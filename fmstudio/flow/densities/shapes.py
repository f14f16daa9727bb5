"""Shapes: point sets in the plane whose density has no simple formula.

Each shape draws n independent points of a curve or region, already near mean 0 and standard deviation 1…1.6,
inside [−3.2, 3.2]², and then adds Gaussian jitter: x = shape + noise · e with e ~ N(0, I). ``noise`` is
in units of the plane. Where a shape consists of parts, the part is the label.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from fmstudio.flow.densities.density import Samples, check_count

Shape = Callable[[int, float, torch.Generator], Samples]


def moons(n: int, noise: float, generator: torch.Generator) -> Samples:
    """Two half circles that reach into each other; the upper one is class 0.

    Args:
        n: how many points, n ≥ 0.
        noise: standard deviation of the jitter, ≥ 0.
        generator: every random number; the points are on its device.

    Returns:
        Points of shape (n, 2), float32, with labels 0 and 1.

    Raises:
        ValueError: a noise or a number of points below 0.
    """
    label = _pick(n, 2, generator)
    angle = math.pi * _uniform(n, generator)
    side = 1 - 2 * label
    arc = torch.stack([side * (angle.cos() - 0.5), side * (angle.sin() - 0.25)], 1)
    return _jittered(1.8 * arc, label, noise, generator)


def checkerboard(n: int, noise: float, generator: torch.Generator) -> Samples:
    """The eight dark squares of a board of 4 × 4 squares on [−2.5, 2.5]²; no classes.

    Arguments and errors are those of :func:`moons`.
    """
    row = _pick(n, 4, generator)
    column = 2 * _pick(n, 2, generator) + row % 2
    corner = torch.stack([column, row], 1)
    return _jittered(1.25 * (corner - 2 + _uniform((n, 2), generator)), None, noise, generator)


def two_spirals(n: int, noise: float, generator: torch.Generator) -> Samples:
    """Two spiral arms of one turn and a half, even in area; the arms are classes 0 and 1.

    Arguments and errors are those of :func:`moons`.
    """
    label = _pick(n, 2, generator)
    radius = _uniform(n, generator).sqrt()
    arm = 2.8 * _polar(radius, 3 * math.pi * radius + math.pi * label)
    return _jittered(arm, label, noise, generator)


def swiss_roll(n: int, noise: float, generator: torch.Generator) -> Samples:
    """One spiral from radius 1 to 3, uniform in the angle from 1.5π to 4.5π, with mean 0; no classes.

    Arguments and errors are those of :func:`moons`.
    """
    radius = 1 + 2 * _uniform(n, generator)
    turn = 1.5 * math.pi
    centre = torch.tensor([2 / turn, 1 / turn**2], device=radius.device)
    return _jittered(_polar(radius, turn * radius) - centre, None, noise, generator)


def pinwheel(n: int, noise: float, generator: torch.Generator) -> Samples:
    """Five bent blades; blade k is class k.

    A blade is a thin Gaussian along the radius, cut at two and a half standard deviations, and its angle
    grows with the exponential of the radius. Arguments and errors are those of :func:`moons`.
    """
    label = _pick(n, 5, generator)
    # A cut normal by its quantile: Φ⁻¹(p) = √2 erf⁻¹(2p − 1), with |Φ⁻¹| ≤ 2.5.
    quantile = math.erf(2.5 / math.sqrt(2)) * (2 * _uniform((n, 2), generator) - 1)
    along, across = (math.sqrt(2) * torch.erfinv(quantile)).unbind(1)
    radius, width = 1 + 0.3 * along, 0.05 * across
    angle = 2 * math.pi / 5 * label + 0.25 * radius.exp()
    blade = torch.complex(radius, width) * torch.polar(torch.ones_like(angle), angle)
    return _jittered(1.6 * torch.view_as_real(blade), label, noise, generator)


def rings(n: int, noise: float, generator: torch.Generator) -> Samples:
    """Three circles around the origin of radius 0.9, 1.8 and 2.7 with equal mass; ring k is class k.

    Arguments and errors are those of :func:`moons`.
    """
    label = _pick(n, 3, generator)
    circle = _polar(0.9 * (label + 1.0), 2 * math.pi * _uniform(n, generator))
    return _jittered(circle, label, noise, generator)


def _uniform(shape: int | tuple[int, ...], generator: torch.Generator) -> Tensor:
    check_count(shape if isinstance(shape, int) else shape[0])
    return torch.rand(shape, generator=generator, device=generator.device)


def _pick(n: int, count: int, generator: torch.Generator) -> Tensor:
    check_count(n)
    return torch.randint(count, (n,), generator=generator, device=generator.device)


def _polar(radius: Tensor, angle: Tensor) -> Tensor:
    return radius[:, None] * torch.stack([angle.cos(), angle.sin()], 1)


def _jittered(points: Tensor, label: Tensor | None, noise: float, generator: torch.Generator) -> Samples:
    if not (math.isfinite(noise) and noise >= 0):
        raise ValueError(f"Expected a noise of at least 0; got {noise}.")
    jitter = torch.randn(points.shape, generator=generator, device=generator.device)
    return Samples(points + noise * jitter, label)
