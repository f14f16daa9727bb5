"""Figures of an image model: Fréchet distance, class accuracy, nearest-neighbour recall.

All three are functions of features (and predicted labels) of a classifier; see `classifier`.
They depend on how many samples they see, so that number always stands beside them, with the same figures of
real images against real images.
"""

from __future__ import annotations

import torch
from torch import Tensor


def frechet_distance(first: Tensor, second: Tensor) -> float:
    """Fréchet distance between the Gaussians with the moments of two sets of features.

        |m₁ − m₂|² + tr( C₁ + C₂ − 2 (C₁ C₂)^½ )

    The trace of the root is the nuclear norm of C₁^½ C₂^½, here with symmetric roots in float64.
    With few samples it is biased upwards; compare only figures of equal sample numbers.

    Args:
        first: shape (count, features), count ≥ 2.
        second: shape (other count, features).

    Raises:
        ValueError: fewer than two rows, or different numbers of features.

    Source: Dowson & Landau 1982; Heusel et al. 2017, arXiv:1706.08500, equation 6.
    """
    if len(first) < 2 or len(second) < 2 or first.shape[1:] != second.shape[1:]:
        raise ValueError(
            "A Fréchet distance needs two sets of at least two rows with the same number of features; got"
            f" {tuple(first.shape)} and {tuple(second.shape)}."
        )
    first, second = first.double(), second.double()
    return distance_of_moments(first.mean(dim=0), torch.cov(first.T), second.mean(dim=0), torch.cov(second.T))


def distance_of_moments(mean1: Tensor, covariance1: Tensor, mean2: Tensor, covariance2: Tensor) -> float:
    """The Fréchet distance of two Gaussians, as in `frechet_distance`.

    Args:
        mean1, mean2: shape (features,), float64.
        covariance1, covariance2: shape (features, features), float64.
    """
    root = torch.linalg.svdvals(_symmetric_root(covariance1) @ _symmetric_root(covariance2)).sum()
    gap = (mean1 - mean2).square().sum()
    return float(gap + covariance1.trace() + covariance2.trace() - 2 * root)


def _symmetric_root(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.clamp_min(0).sqrt()) @ vectors.T


def nearest_recall(real: Tensor, generated: Tensor, neighbours: int = 3) -> float:
    """Share of real images that lie in the reach of some generated image.

    The reach of a generated image is its distance to its k-th nearest generated neighbour; a real image is
    covered if it is within the reach of at least one. 0 means nothing of the real set is covered, 1 all of
    it.

    Args:
        real: shape (count, features).
        generated: shape (other count, features), more than `neighbours` rows.
        neighbours: k ≥ 1.

    Raises:
        ValueError: too few generated rows for k neighbours.

    Source: Kynkäänniemi et al. 2019, arXiv:1904.06991, equations 1 and 2.
    """
    if not 1 <= neighbours < len(generated):
        raise ValueError(
            f"Recall with {neighbours} neighbours needs more than {neighbours} generated rows, at least 1"
            f" neighbour; got {len(generated)} rows."
        )
    each = [torch.cdist(part, generated).kthvalue(neighbours + 1).values for part in generated.split(1000)]
    reach = torch.cat(each)
    covered = [(torch.cdist(part, generated) <= reach).any(dim=1) for part in real.split(1000)]
    return float(torch.cat(covered).double().mean())


def class_accuracy(predicted: Tensor, asked: Tensor) -> float:
    """Share of images in which the classifier sees the class that was asked for; both of shape (count,)."""
    if predicted.shape != asked.shape or not len(asked):
        raise ValueError(
            f"Accuracy needs one predicted label per asked one; got {tuple(predicted.shape)} and"
            f" {tuple(asked.shape)}."
        )
    return float((predicted == asked).double().mean())
