"""Tiny networks and image sets, made on the spot."""

import os

import pytest
import torch

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from fmstudio.image.networks import UNetDesign, VelocityNet, build_unet
from fmstudio.image.training.data import ImageSet

torch.set_num_threads(1)

TINY = UNetDesign(size=8, image_channels=1, class_count=3, channels=(16, 16), groups=8)


@pytest.fixture
def tiny_net() -> VelocityNet:
    torch.manual_seed(0)
    return build_unet(TINY).eval().requires_grad_(False)


@pytest.fixture(scope="session")
def tiny_images() -> ImageSet:
    """Three classes, each a band of the square at another height, with a little noise."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(48) % 3
    pixels = torch.randint(0, 40, (48, 1, 8, 8), generator=generator)
    for label in range(3):
        pixels[labels == label, :, 3 * label : 3 * label + 2] += 200
    return ImageSet(pixels.to(torch.uint8), labels, ("top", "middle", "bottom"))
