"""The flow of many images seen in a plane: their trajectories on their first two principal components.

All points of all trajectories of the first model, at every step, are one cloud in as many dimensions as an
image has pixels. The plane is the one that keeps most of its variance:

    y = (x − m) Aᵀ,   the rows of A orthonormal,   maximising tr(A C Aᵀ)

A second model's trajectories are shown in the same plane.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from fmstudio.image.models import backbone, title_of
from fmstudio.image.progress import Pace, Progress
from fmstudio.image.sampling.field import draw_noise
from fmstudio.image.sampling.sampling import paced, shifted_times
from fmstudio.image.settings import ImageSettings
from fmstudio.image.training.data import to_bytes
from fmstudio.image.training.objective import generator_of

BATCH = 50
MOST_SAMPLES = 1000


@dataclass(frozen=True)
class Plane:
    """A plane in the space of images.

    Args:
        mean: m, shape (pixels,).
        axes: A, shape (2, pixels), orthonormal rows, the first with the larger variance.
        share: of the cloud's variance along each axis.
    """

    mean: Tensor
    axes: Tensor
    share: tuple[float, float]

    def project(self, x: Tensor) -> Tensor:
        """Coordinates in the plane of images (…, channels, side, side): shape (…, 2)."""
        return (x.flatten(-3) - self.mean) @ self.axes.T


def principal_plane(points: Tensor, rounds: int = 60, tolerance: float = 1e-5) -> Plane:
    """The plane of the first two principal components, by subspace iteration.

    Needs no covariance matrix: points (n, d) are multiplied, never dᵀd.

    Args:
        points: shape (n, d), n ≥ 3, not all in one place.
        rounds: most iterations.
        tolerance: stop when the captured share of variance changes by less.

    Raises:
        ValueError: fewer than three points, or all alike.

    Limits: where the second and the third variance are equal the second axis is any of theirs.
    """
    if len(points) < 3:
        raise ValueError(f"A plane needs at least three points; got {len(points)}.")
    mean = points.mean(dim=0)
    centred = points - mean
    total = centred.square().sum()
    if not float(total) > 0:
        raise ValueError("All points are alike: there is no plane to see.")
    width = min(8, *points.shape)
    start = torch.randn(points.shape[1], width, generator=generator_of(5), dtype=points.dtype)
    basis = torch.linalg.qr(start.to(points.device)).Q
    captured = 0.0
    for _ in range(rounds):
        image = centred @ basis
        now = float(image.square().sum() / total)
        basis = torch.linalg.qr(centred.T @ image).Q
        if abs(now - captured) < tolerance:
            break
        captured = now
    image = centred @ basis
    values, turn = torch.linalg.eigh(image.T @ image)
    axes = (basis @ turn.flip(1)[:, :2]).T
    # A sign of its own for every axis, so that the same cloud gives the same picture.
    axes = axes * axes.sum(dim=1, keepdim=True).sign()
    first, second = (float(value / total) for value in values.flip(0)[:2])
    return Plane(mean, axes, (first, second))


@dataclass(frozen=True)
class FlowMap:
    """Trajectories of many images in one plane.

    Args:
        settings: of the samples; its first step count.
        models: one for each of `positions`.
        times: shape (T,), from 1 to 0.
        positions: for each model shape (T, N, 2).
        labels: shape (N,); no class has the number after the last.
        class_names: of the labels.
        frames: uint8, for each model x at every time, shape (T, N, channels, side, side).
        expected: uint8, the same for x̂₀.
        plane: that they are seen in.
    """

    settings: ImageSettings
    models: tuple[str, ...]
    times: Tensor
    positions: tuple[Tensor, ...]
    labels: Tensor
    class_names: tuple[str, ...]
    frames: tuple[Tensor, ...]
    expected: tuple[Tensor, ...]
    plane: Plane

    def nearest(self, pane: int, x: float, y: float, t: float) -> tuple[int, int]:
        """(frame, sample) nearest to a point of a pane at a time."""
        frame = int((self.times - t).abs().argmin())
        gap = self.positions[pane][frame] - torch.tensor([x, y])
        return frame, int(gap.square().sum(dim=1).argmin())


def flow_map(settings: ImageSettings, models: Sequence[str], samples: int) -> Iterator[Progress | FlowMap]:
    """Follow many noises to their images and project every step.

    Args:
        settings: how; the first of its step counts. A label of −1 means all classes in turn.
        models: one pane each, from the same noises, in the plane of the first.
        samples: how many, in [10, 1000].

    Yields:
        Progress at every step, then the map.

    Raises:
        ValueError: an adaptive solver, whose steps differ from model to model, or too many samples.
    """
    if settings.adaptive:
        raise ValueError(
            "The map needs the same step times for all samples; choose a solver other than dopri5."
        )
    if not 10 <= samples <= MOST_SAMPLES:
        raise ValueError(f"samples: expected 10 to {MOST_SAMPLES}; got {samples}.")
    plan = settings.plans()[0]
    loaded = [backbone(name) for name in models]
    if len({tuple(model.net.image_shape) for model in loaded}) != 1:
        raise ValueError(f"Models side by side need images of one shape; {', '.join(models)} differ.")
    labels = settings.labels(loaded[0], samples)
    noise = draw_noise((samples, *loaded[0].net.image_shape), settings.seed)
    pace = Pace({"images": float(samples * len(models))})
    runs: list[Tensor] = []
    hats: list[Tensor] = []
    for name, model in zip(models, loaded, strict=True):
        parts: list[Tensor] = []
        expected: list[Tensor] = []
        for some, start in zip(labels.split(BATCH), noise.split(BATCH), strict=True):
            frames, means = [start], list[Tensor]()
            field = replace(settings, model=name).field(model, some)
            way = plan.run(field, start.to(model.net.device))
            for step in paced(pace, way, len(some), "images"):
                frames.append(step.x.float().cpu())
                means.append(step.x0_hat.float().cpu())
                yield pace.now(f"{title_of(name)}, {len(parts) * BATCH + len(some)} of {samples} images")
            parts.append(torch.stack(frames))
            expected.append(torch.stack([*means, frames[-1]]))
        runs.append(torch.cat(parts, dim=1))
        hats.append(to_bytes(torch.cat(expected, dim=1)))
    yield Progress("looking for the plane in which they spread most", 1.0, None)
    plane = principal_plane(runs[0].flatten(0, 1).flatten(1))
    yield FlowMap(
        settings,
        tuple(models),
        shifted_times(settings.steps[0], settings.shift),
        tuple(plane.project(run) for run in runs),
        labels,
        loaded[0].class_names,
        tuple(to_bytes(run) for run in runs),
        tuple(hats),
        plane,
    )
