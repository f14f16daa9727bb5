"""Shapes: seeded, bounded, of one scale, and on the curve they are named after."""

import math

import pytest
import torch

from fmstudio.flow.densities.shapes import (
    checkerboard,
    moons,
    pinwheel,
    rings,
    swiss_roll,
    two_spirals,
)
from tests.flow.every import every_shape

each_shape = pytest.mark.parametrize("shape", every_shape().values(), ids=every_shape().keys())
CLASSES = {moons: 2, two_spirals: 2, pinwheel: 5, rings: 3}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@each_shape
def test_same_seed_same_points(shape) -> None:
    first, again, other = (shape(100, 0.1, seeded(s)).points for s in (1, 1, 2))
    assert first.shape == (100, 2)
    assert first.dtype == torch.float32
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert shape(0, 0.1, seeded()).points.shape == (0, 2)
    with pytest.raises(ValueError, match="at least 0; got -1"):
        shape(-1, 0.1, seeded())


@each_shape
def test_scale_and_bounds(shape) -> None:
    points = shape(40_000, 0.0, seeded()).points
    assert points.isfinite().all()
    assert points.abs().max() <= 3.2
    assert points.mean(0).abs().max() <= 5 * 1.6 / math.sqrt(40_000)
    assert 0.85 <= float(points.std(0).min()) <= float(points.std(0).max()) <= 1.6
    assert shape(40_000, 0.05, seeded()).points.abs().max() <= 3.5


@each_shape
def test_noise_is_added_in_units_of_the_plane(shape) -> None:
    n = 40_000
    added = shape(n, 0.3, seeded()).points - shape(n, 0.0, seeded()).points
    assert added.mean(0).abs().max() <= 5 * 0.3 / math.sqrt(n)
    assert abs(float(added.std()) - 0.3) <= 5 * 0.3 / math.sqrt(4 * n)


@each_shape
def test_classes(shape) -> None:
    labels = shape(9_000, 0.1, seeded()).labels
    if shape not in CLASSES:
        assert labels is None
        return
    count = CLASSES[shape]
    assert labels.dtype == torch.int64
    assert labels.shape == (9_000,)
    assert ((labels.bincount(minlength=count) - 9_000 / count).abs() <= 5 * math.sqrt(9_000 / count)).all()
    assert len(labels.bincount()) == count


@each_shape
@pytest.mark.parametrize("noise", [-0.1, math.nan, math.inf])
def test_refuses_a_noise_below_zero(shape, noise) -> None:
    with pytest.raises(ValueError, match="noise of at least 0"):
        shape(10, noise, seeded())


def test_moons_are_half_circles() -> None:
    samples = moons(1_000, 0.0, seeded())
    centre = 1.8 * torch.tensor([[-0.5, -0.25], [0.5, 0.25]])[samples.labels]
    arc = samples.points - centre
    torch.testing.assert_close(arc.norm(dim=1), torch.full((1_000,), 1.8))
    upward = 1 - 2 * samples.labels
    assert (upward * arc[:, 1] >= -1e-5).all()


def test_checkerboard_fills_eight_of_sixteen_squares_evenly() -> None:
    n = 16_000
    square = ((checkerboard(n, 0.0, seeded()).points + 2.5) / 1.25).floor().long().clamp_max(3)
    assert ((square[:, 0] + square[:, 1]) % 2 == 0).all()
    counts = (4 * square[:, 0] + square[:, 1]).bincount(minlength=16)
    assert (counts > 0).sum() == 8
    assert ((counts[counts > 0] - n / 8).abs() <= 5 * math.sqrt(n / 8)).all()


def test_two_spirals_turn_with_the_radius_and_differ_by_half_a_turn() -> None:
    samples = two_spirals(1_000, 0.0, seeded())
    radius = samples.points.norm(dim=1)
    angle = 3 * math.pi * radius / 2.8 + math.pi * samples.labels
    expected = radius[:, None] * torch.stack([angle.cos(), angle.sin()], 1)
    torch.testing.assert_close(samples.points, expected, rtol=0, atol=1e-4)


def test_swiss_roll_turns_with_the_radius() -> None:
    turn = 1.5 * math.pi
    spiral = swiss_roll(1_000, 0.0, seeded()).points + torch.tensor([2 / turn, 1 / turn**2])
    radius = spiral.norm(dim=1)
    expected = radius[:, None] * torch.stack([(turn * radius).cos(), (turn * radius).sin()], 1)
    torch.testing.assert_close(spiral, expected, rtol=0, atol=1e-4)
    assert 1 <= float(radius.min()) <= float(radius.max()) <= 3.00001


def test_pinwheel_blades_are_turned_copies() -> None:
    samples = pinwheel(50_000, 0.0, seeded())
    angle = -2 * math.pi / 5 * samples.labels
    cos, sin = angle.cos(), angle.sin()
    x, y = samples.points.unbind(1)
    back = torch.stack([cos * x - sin * y, sin * x + cos * y], 1)
    means = torch.stack([back[samples.labels == k].mean(0) for k in range(5)])
    assert (means - means[0]).abs().max() <= 10 * float(back.std()) / math.sqrt(10_000)


def test_rings_have_three_radii() -> None:
    samples = rings(1_000, 0.0, seeded())
    torch.testing.assert_close(samples.points.norm(dim=1), 0.9 * (samples.labels + 1.0))
