"""The small classifier whose features and answers the figures of the image models are made of.

It plays the part that Inception plays in FID, at 0.14 million weights and for one set of images. A Fréchet
distance in its features compares models with each other on this set; it is not comparable to any FID.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pixel_unshuffle

from fmstudio.image.training.data import ImageSet
from fmstudio.image.training.objective import generator_of


class FeatureNet(nn.Module):
    """Five 3 × 3 convolutions on 2 × 2 pixel blocks, batch norm and ReLU after each, mean over positions,
    linear.

    Args:
        channels: of the images.
        class_count: number of classes.
    """

    def __init__(self, channels: int, class_count: int):
        super().__init__()
        self.channels = channels
        widths, strides = (4 * channels, 32, 32, 64, 64, 128), (1, 1, 2, 1, 2)
        blocks: list[nn.Module] = []
        for before, after, stride in zip(widths[:-1], widths[1:], strides, strict=True):
            blocks += [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        self.trunk = nn.Sequential(*blocks)
        self.head = nn.Linear(widths[-1], class_count)

    def features(self, images: Tensor) -> Tensor:
        """128 non-negative numbers per image in [−1, 1], shape (batch, channels, height, width)."""
        return self.trunk(pixel_unshuffle(images, 2)).mean(dim=(2, 3))

    def forward(self, images: Tensor) -> Tensor:
        """Logits, shape (batch, class_count)."""
        return self.head(self.features(images))


@dataclass(frozen=True)
class Judgement:
    """What the classifier says of a set of images: features (count, 128) and predicted labels (count,)."""

    features: Tensor
    predicted: Tensor


def judge(net: FeatureNet, images: Tensor, batch: int = 500) -> Judgement:
    """Features and predicted labels of images in [−1, 1], in batches, without gradients.

    Args:
        net: a trained classifier.
        images: shape (count, channels, height, width).
        batch: images per forward pass.
    """
    net.eval()
    features, predicted = [], []
    with torch.inference_mode():
        for part in images.split(batch):
            feature = net.features(part)
            features.append(feature)
            predicted.append(net.head(feature).argmax(dim=1))
    return Judgement(torch.cat(features), torch.cat(predicted))


@dataclass(frozen=True)
class EpochReport:
    """After an epoch: its number from 1, the mean training loss, the accuracy on the test images."""

    epoch: int
    loss: float
    accuracy: float


def train_classifier(
    net: FeatureNet, train: ImageSet, test: ImageSet, epochs: int, batch: int = 128, seed: int = 0
) -> Iterator[EpochReport]:
    """Train with AdamW under a one-cycle learning rate (highest 4e-3), one `EpochReport` per epoch.

    Args:
        net: fresh weights; trained in place.
        train: the images to learn from.
        test: the images to report on; they are not used to choose anything.
        epochs: passes over the training images, at least 1.
        batch: images per step.
        seed: of the order of the images.
    """
    if epochs < 1:
        raise ValueError(f"Training takes at least 1 epoch; got {epochs}.")
    steps = -(-len(train) // batch)
    optimizer = torch.optim.AdamW(net.parameters(), 4e-3, weight_decay=0.02)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, epochs=epochs, steps_per_epoch=steps)
    test_images = test.images(torch.arange(len(test)))
    for epoch in range(epochs):
        net.train()
        total = 0.0
        for rows in torch.randperm(len(train), generator=generator_of(seed, epoch)).split(batch):
            loss = cross_entropy(net(train.images(rows)), train.labels[rows], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            cycle.step()
            total += loss.item() * len(rows)
        right = judge(net, test_images).predicted == test.labels
        yield EpochReport(epoch + 1, total / len(train), right.double().mean().item())


def save_classifier(folder: Path, net: FeatureNet, class_names: tuple[str, ...]) -> None:
    """Write weights (safetensors) and their description (json) into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    described = {"channels": net.channels, "class_names": list(class_names)}
    (folder / "config.json").write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
    save_file(net.state_dict(), folder / "model.safetensors")


def load_classifier(folder: Path) -> FeatureNet:
    """The classifier that `save_classifier` wrote, ready to judge."""
    described = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    net = FeatureNet(described["channels"], len(described["class_names"]))
    net.load_state_dict(load_file(folder / "model.safetensors"))
    return net.eval().requires_grad_(False)
