import math

import pytest
import torch

from fmstudio.image.scores.metrics import class_accuracy, frechet_distance, nearest_recall


def normal(count: int, size: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def white(x: torch.Tensor) -> torch.Tensor:
    """The same points with mean 0 and covariance I exactly."""
    x = x - x.mean(dim=0)
    return torch.linalg.solve_triangular(torch.linalg.cholesky(torch.cov(x.T)), x.T, upper=False).T


def test_the_distance_of_gaussians_is_its_closed_form() -> None:
    x, scales, shift = (
        white(normal(500, 4)),
        torch.tensor([1.0, 2.0, 0.5, 3.0]),
        torch.tensor([0, 1.0, 0, -2]),
    )
    moved = x * scales + shift
    expected = 5.0 + ((scales - 1) ** 2).sum().item()
    assert frechet_distance(x, moved) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(moved, x) == pytest.approx(expected, rel=1e-9)


def test_the_distance_of_covariances_that_do_not_commute() -> None:
    x = white(normal(500, 2))
    a = torch.tensor([[2.0, 0.5], [0.0, 1.0]], dtype=torch.float64)
    b = torch.tensor([[1.0, 0.0], [-0.7, 3.0]], dtype=torch.float64)
    c1, c2 = a @ a.T, b @ b.T
    product = c1 @ c2  # the root's trace of a 2 × 2 matrix: √(tr + 2 √det)
    root = math.sqrt(product.trace().item() + 2 * math.sqrt(torch.linalg.det(product).item()))
    expected = (c1.trace() + c2.trace()).item() - 2 * root
    assert frechet_distance(x @ a.T, x @ b.T) == pytest.approx(expected, rel=1e-9)


def test_the_distance_is_zero_for_the_same_set_and_bad_input_is_refused() -> None:
    x = normal(100, 8)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-9)
    with pytest.raises(ValueError, match="at least two rows"):
        frechet_distance(x[:1], x)


def test_recall_covers_all_of_the_same_set_and_nothing_far_away() -> None:
    x = normal(200, 3)
    assert nearest_recall(x, x) == 1.0
    assert nearest_recall(x, x + 100) == 0.0
    half = torch.cat([normal(100, 3, 1), normal(100, 3, 2) + 100])
    assert 0.45 < nearest_recall(half, normal(200, 3, 3)) < 0.5
    with pytest.raises(ValueError, match="more than 3"):
        nearest_recall(x, x[:3])


def test_accuracy_is_a_share() -> None:
    assert class_accuracy(torch.tensor([1, 2, 3, 3]), torch.tensor([1, 2, 0, 0])) == 0.5
    with pytest.raises(ValueError, match="one predicted label"):
        class_accuracy(torch.tensor([1]), torch.tensor([1, 2]))
