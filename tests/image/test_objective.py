import math

import pytest
import torch

from fmstudio.image.training.objective import (
    TIME_LAWS,
    Batch,
    BatchStream,
    ReflowPairs,
    generator_of,
    velocity_loss,
)


def stream(data, seed=0, batch=8, label_drop=0.1):
    return BatchStream(data, batch, seed, TIME_LAWS["mixed"], label_drop)


def same(first: Batch, second: Batch) -> bool:
    return all(
        torch.equal(getattr(first, name), getattr(second, name)) for name in ("x0", "x1", "t", "labels")
    )


def test_a_batch_depends_on_seed_and_step_alone(tiny_images) -> None:
    first, second = stream(tiny_images), stream(tiny_images)
    for step in range(20):
        second(step)
    assert same(first(3), second(3))
    assert not same(first(3), first(4))
    assert not same(first(3), stream(tiny_images, seed=1)(3))


def test_an_epoch_sees_every_image_once(tiny_images) -> None:
    batches = stream(tiny_images, batch=20)
    seen = torch.cat([batches(step).x0 for step in range(12)])
    every = tiny_images.images(torch.arange(48))
    counts = (seen[:, None] == every[None]).flatten(2).all(dim=2).sum(dim=0)
    assert counts.tolist() == [5] * 48


def test_parts_make_the_whole(tiny_images) -> None:
    whole = stream(tiny_images)(0)
    parts = [whole.part(index, 4) for index in range(4)]
    assert torch.equal(torch.cat([part.x1 for part in parts]), whole.x1)
    assert torch.equal(torch.cat([part.labels for part in parts]), whole.labels)


def test_labels_are_dropped_at_their_rate(tiny_images) -> None:
    batches = stream(tiny_images, batch=200, label_drop=0.25)
    labels = torch.cat([batches(step).labels for step in range(20)])
    share = (labels == 3).double().mean().item()
    assert abs(share - 0.25) < 4 * math.sqrt(0.25 * 0.75 / len(labels))


def test_pairs_keep_their_noise() -> None:
    generator = torch.Generator().manual_seed(0)
    x1 = torch.randn(16, 1, 8, 8, generator=generator).half()
    pairs = ReflowPairs(2 * x1, x1, torch.zeros(16, dtype=torch.int64), ("all",))
    batch = stream(pairs)(5)
    assert torch.equal(batch.x0, 2 * batch.x1)


def logistic(t: torch.Tensor) -> torch.Tensor:
    return 0.7 * torch.special.ndtr(torch.logit(t)) + 0.3 * t


def cosh_law(t: torch.Tensor) -> torch.Tensor:
    return 0.5 + torch.sinh(4 * (t - 0.5)) / (2 * math.sinh(2.0))


def test_a_student_of_one_step_is_mostly_asked_at_the_noise() -> None:
    times = TIME_LAWS["noise"](20_000, generator_of(7)).double()
    assert times.eq(1).double().mean() == pytest.approx(0.75, abs=0.015)
    others = times[times < 1].sort().values
    expected = torch.arange(1, len(others) + 1) / len(others)
    assert (cosh_law(others) - expected).abs().max() < 0.03


@pytest.mark.parametrize(("name", "distribution"), [("mixed", logistic), ("ends", cosh_law)])
def test_time_laws_have_their_distribution_function(name, distribution) -> None:
    count = 20_000
    times = TIME_LAWS[name](count, generator_of(7)).double().sort().values
    assert times.min() >= 0
    assert times.max() <= 1
    gap = (distribution(times) - (torch.arange(count) + 0.5) / count).abs().max().item()
    assert gap < 1.95 / math.sqrt(count)  # Kolmogorov–Smirnov at 0.1 %


def test_the_loss_is_zero_at_the_velocity_and_one_away_from_it(tiny_images) -> None:
    batch = stream(tiny_images)(0)
    assert velocity_loss(lambda x, t, labels: batch.x1 - batch.x0, batch) == 0
    off = velocity_loss(lambda x, t, labels: batch.x1 - batch.x0 + 1, batch)
    assert off.item() == pytest.approx(1.0, abs=1e-5)


def test_the_network_is_asked_on_the_straight_path(tiny_images) -> None:
    batch, asked = stream(tiny_images)(0), []

    def net(x, t, labels):
        asked.append((x, t, labels))
        return x

    velocity_loss(net, batch)
    x, t, labels = asked[0]
    s = t[:, None, None, None]
    assert torch.allclose(x, (1 - s) * batch.x0 + s * batch.x1, atol=1e-6)
    assert torch.equal(labels, batch.labels)
