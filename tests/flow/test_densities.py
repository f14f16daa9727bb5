"""Densities: what is sampled is what the formula says."""

import math

import pytest
import torch
from scipy.stats import multivariate_normal

from fmstudio.flow.densities.cloud import PointCloud
from fmstudio.flow.densities.mixture import (
    GaussianMixture,
    eight_gaussians,
    isotropic,
    line_mixture,
    standard_normal,
    two_gaussians,
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def skewed() -> GaussianMixture:
    return GaussianMixture(
        torch.tensor([[-1.5, 0.2], [1.0, 2.0], [0.3, -2.0]], dtype=torch.float64),
        torch.tensor(
            [[[0.2, 0.1], [0.1, 0.4]], [[1.0, -0.6], [-0.6, 0.5]], [[0.05, 0.0], [0.0, 0.9]]],
            dtype=torch.float64,
        ),
        torch.tensor([1.0, 3.0, 2.0], dtype=torch.float64),
        torch.tensor([0, 1, 0]),
    )


MIXTURES = [
    standard_normal(1),
    standard_normal(2),
    standard_normal(5),
    eight_gaussians(),
    two_gaussians(),
    line_mixture(),
    skewed(),
]
each_mixture = pytest.mark.parametrize("mixture", MIXTURES, ids=lambda m: f"K{len(m.means)}d{m.dim}")


def peer_log_density(mixture: GaussianMixture, x: torch.Tensor) -> torch.Tensor:
    terms = [
        math.log(w) + torch.as_tensor(multivariate_normal(m, c).logpdf(x.numpy())).reshape(len(x))
        for m, c, w in zip(
            mixture.means.double().numpy(),
            mixture.covariances.double().numpy(),
            mixture.weights.double().tolist(),
            strict=True,
        )
    ]
    return torch.logsumexp(torch.stack(terms), 0)


@each_mixture
def test_samples_have_the_mean_and_covariance(mixture) -> None:
    n = 40_000
    x = mixture.sample(n, seeded(1)).points.double()
    centred = x - mixture.mean.double()
    products = centred[:, :, None] * centred[:, None, :]
    covariance = mixture.covariance.double()
    # Five standard errors, measured on the sample itself.
    assert (centred.mean(0).abs() <= 5 * x.std(0) / math.sqrt(n)).all()
    assert ((products.mean(0) - covariance).abs() <= 5 * products.std(0) / math.sqrt(n) + 1e-6).all()


@each_mixture
def test_log_density_agrees_with_scipy(mixture) -> None:
    x = 3 * torch.randn(200, mixture.dim, generator=seeded(2), dtype=torch.float64)
    torch.testing.assert_close(mixture.log_density(x), peer_log_density(mixture, x), rtol=1e-6, atol=1e-6)


def test_log_density_is_exact_in_float64() -> None:
    x = 3 * torch.randn(500, 2, generator=seeded(2), dtype=torch.float64)
    torch.testing.assert_close(skewed().log_density(x), peer_log_density(skewed(), x), rtol=1e-12, atol=1e-12)


@each_mixture
def test_log_density_far_away_is_finite(mixture) -> None:
    far = torch.full((1, mixture.dim), 1e4)
    assert mixture.log_density(far).isfinite().all()


def test_narrow_components_far_from_the_origin_keep_their_digits() -> None:
    narrow = isotropic([[1000.0, -1000.0]], 1e-3)
    x = torch.tensor([[1000.0, -1000.0]])
    torch.testing.assert_close(float(narrow.log_density(x)), -math.log(2 * math.pi * 1e-6), rtol=1e-6, atol=0)


@pytest.mark.parametrize("mixture", [eight_gaussians(), two_gaussians(), skewed()])
def test_density_integrates_to_one(mixture) -> None:
    side = torch.linspace(-9, 9, 601, dtype=torch.float64)
    grid = torch.cartesian_prod(side, side)
    total = mixture.log_density(grid).exp().sum() * (side[1] - side[0]) ** 2
    torch.testing.assert_close(float(total), 1.0, rtol=1e-6, atol=0)


def test_density_on_the_line_integrates_to_one() -> None:
    x = torch.linspace(-6, 6, 4001, dtype=torch.float64)
    total = torch.trapezoid(line_mixture().log_density(x[:, None]).exp(), x)
    torch.testing.assert_close(float(total), 1.0, rtol=1e-6, atol=0)


@each_mixture
def test_same_seed_same_samples(mixture) -> None:
    first, again, other = (mixture.sample(50, seeded(s)).points for s in (3, 3, 4))
    assert first.dtype == mixture.means.dtype
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert mixture.sample(0, seeded()).points.shape == (0, mixture.dim)


def test_labels_follow_the_components() -> None:
    samples = eight_gaussians(radius=2.0, std=0.05).sample(4_000, seeded())
    assert samples.labels is not None
    assert samples.labels.dtype == torch.int64
    angle = torch.atan2(samples.points[:, 1], samples.points[:, 0]) / (math.pi / 4)
    assert torch.equal(angle.round().long() % 8, samples.labels)
    counts = samples.labels.bincount(minlength=8)
    assert ((counts - 500).abs() <= 5 * math.sqrt(500)).all()


def test_weights_are_normalised_and_respected() -> None:
    mixture = skewed()
    torch.testing.assert_close(mixture.weights.tolist(), [1 / 6, 1 / 2, 1 / 3])
    labels = mixture.sample(20_000, seeded()).labels
    assert labels is not None
    assert abs(int((labels == 1).sum()) - 10_000) <= 5 * math.sqrt(5_000)


def test_density_given_a_label() -> None:
    mixture = skewed()
    assert mixture.classes == 2
    first = mixture.given(0)
    torch.testing.assert_close(first.weights.tolist(), [1 / 3, 2 / 3])
    assert torch.equal(first.means, mixture.means[[0, 2]])
    # The law of total probability.
    x = torch.randn(100, 2, generator=seeded(), dtype=torch.float64)
    total = torch.logaddexp(
        math.log(0.5) + first.log_density(x), math.log(0.5) + mixture.given(1).log_density(x)
    )
    torch.testing.assert_close(mixture.log_density(x), total)
    with pytest.raises(ValueError, match="No class 7 here; the classes are 0, 1"):
        mixture.given(7)
    with pytest.raises(ValueError, match="has no classes"):
        standard_normal(2).given(0)


def test_in_another_dtype() -> None:
    moved = skewed().to(torch.float32)
    assert moved.sample(3, seeded()).points.dtype == torch.float32
    assert moved.classes == 2


def covariance_named(k: int, bad: list[list[float]]) -> GaussianMixture:
    covariances = torch.eye(2).repeat(4, 1, 1)
    covariances[k] = torch.tensor(bad)
    return GaussianMixture(torch.zeros(4, 2), covariances, torch.ones(4))


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ([[1.0, 2.0], [2.0, 1.0]], "not positive definite"),
        ([[1.0, 1.0], [1.0, 1.0]], "not positive definite"),
        ([[0.0, 0.0], [0.0, 1.0]], "not positive definite"),
        ([[-1.0, 0.0], [0.0, 1.0]], "not positive definite"),
        ([[1.0, 0.3], [0.0, 1.0]], "not symmetric"),
        ([[math.nan, 0.0], [0.0, 1.0]], "not finite"),
        ([[math.inf, 0.0], [0.0, 1.0]], "not finite"),
    ],
)
def test_a_bad_covariance_is_refused_by_name(bad, words) -> None:
    with pytest.raises(ValueError, match=rf"Component 3 of 4: its covariance .* {words}"):
        covariance_named(2, bad)


@pytest.mark.parametrize("weight", [0.0, -1.0, math.nan, math.inf])
def test_a_bad_weight_is_refused_by_name(weight) -> None:
    with pytest.raises(ValueError, match="Component 2 of 2: expected a weight above 0"):
        GaussianMixture(torch.zeros(2, 1), torch.ones(2, 1, 1), torch.tensor([1.0, weight]))


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: GaussianMixture(torch.zeros(2), torch.eye(2), torch.ones(1)), "shape \\(K, d\\)"),
        (lambda: GaussianMixture(torch.zeros(1, 2), torch.eye(2), torch.ones(1)), "covariances of shape"),
        (lambda: GaussianMixture(torch.zeros(1, 2), torch.eye(2)[None], torch.ones(2)), "weights of shape"),
        (
            lambda: GaussianMixture(torch.tensor([[math.nan]]), torch.ones(1, 1, 1), torch.ones(1)),
            "Component 1 of 1: its mean",
        ),
        (
            lambda: GaussianMixture(
                torch.zeros(1, 1), torch.ones(1, 1, 1), torch.ones(1), torch.tensor([-1])
            ),
            "count from 0; got -1",
        ),
        (
            lambda: GaussianMixture(
                torch.zeros(1, 1), torch.ones(1, 1, 1), torch.ones(1), torch.tensor([0.5])
            ),
            "whole-number label",
        ),
        (lambda: eight_gaussians(std=0.0), "above 0; got 0.0"),
        (lambda: eight_gaussians(radius=-1.0), "above 0; got -1.0"),
        (lambda: line_mixture((0.0,), (1.0, 2.0), (1.0,)), "as many means as stds"),
        (lambda: line_mixture((0.0, 1.0), (1.0, 0.0), (1.0, 1.0)), "Component 2 of 2"),
    ],
)
def test_refuses_what_is_no_mixture(build, words) -> None:
    with pytest.raises(ValueError, match=words):
        build()


def test_point_cloud_draws_its_points_evenly_with_replacement() -> None:
    points = torch.arange(20.0).reshape(10, 2)
    cloud = PointCloud(points, torch.arange(10) // 4)
    samples = cloud.sample(20_000, seeded())
    row = (samples.points[:, 0] / 2).long()
    assert torch.equal(samples.points, points[row])
    assert samples.labels is not None
    assert torch.equal(samples.labels, row // 4)
    assert ((row.bincount(minlength=10) - 2_000).abs() <= 5 * math.sqrt(2_000)).all()
    torch.testing.assert_close(cloud.mean, points.mean(0))
    torch.testing.assert_close(cloud.covariance, points.T.cov(correction=0))


def test_point_cloud_given_a_label() -> None:
    cloud = PointCloud(torch.arange(20.0).reshape(10, 2), torch.arange(10) // 4)
    assert (cloud.classes, len(cloud), cloud.dim) == (3, 10, 2)
    assert cloud.given(2).points.tolist() == [[16.0, 17.0], [18.0, 19.0]]
    with pytest.raises(ValueError, match="No class 3"):
        cloud.given(3)
    with pytest.raises(ValueError, match="no classes"):
        PointCloud(torch.zeros(3, 2)).given(0)


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (torch.zeros(0, 2), "N, d ≥ 1"),
        (torch.zeros(3), "shape \\(N, d\\)"),
        (torch.tensor([[0.0, 1.0], [0.0, math.nan]]), "Point 2 is not finite"),
        (torch.tensor([[math.inf, 1.0], [0.0, math.nan]]), "Point 1 is not finite"),
    ],
)
def test_refuses_what_is_no_cloud(points, words) -> None:
    with pytest.raises(ValueError, match=words):
        PointCloud(points)


def test_standard_normal_is_recognised() -> None:
    assert all(standard_normal(dim).is_standard_normal for dim in (1, 2, 5))
    assert standard_normal().to(torch.float64).is_standard_normal
    mean, covariance, one = torch.zeros(1, 2), torch.eye(2)[None], torch.ones(1)
    others = [GaussianMixture(mean + 1, covariance, one), GaussianMixture(mean, 2 * covariance, one)]
    assert not any(other.is_standard_normal for other in [eight_gaussians(), *others])


@pytest.mark.parametrize(
    "density", [eight_gaussians(), PointCloud(torch.zeros(3, 2))], ids=["mixture", "cloud"]
)
def test_no_point_may_be_drawn_but_no_fewer(density) -> None:
    assert density.sample(0, seeded()).points.shape == (0, 2)
    with pytest.raises(ValueError, match="at least 0; got -1"):
        density.sample(-1, seeded())
