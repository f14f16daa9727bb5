"""A tiny colour model that brings its training images, in place of the repository's models."""

from pathlib import Path

import torch

from fmstudio.image.card import Card, save_card
from fmstudio.image.folder import save_model
from fmstudio.image.memorising import TRAINING_FILE, TrainingImages, load_training, prepare, save_training
from fmstudio.image.models import repository_models
from fmstudio.image.networks import UNetDesign, build_unet
from fmstudio.image.training.data import ImageSet

NAME = "tiny-rf1"
CLASSES = ("top", "middle", "bottom")


def put_in_place(folder: Path, monkeypatch) -> Path:
    """Let the repository hold this one model; returns its folder."""
    torch.manual_seed(0)
    net = build_unet(UNetDesign(size=8, image_channels=3, class_count=3, channels=(16, 16), groups=8))
    save_model(folder / NAME, net.eval(), CLASSES)
    save_card(folder / NAME, Card("Tiny", "1-RF"))
    models = repository_models()
    for name, value in (("_folder", folder), ("_kept", {})):
        monkeypatch.setattr(models, name, value)
    train_on(folder / NAME, torch.zeros(0, 3, 8, 8, dtype=torch.uint8))
    return folder / NAME


def train_on(folder: Path, images: torch.Tensor) -> TrainingImages:
    """Say that the model was trained on these images and 30 random ones."""
    generator = torch.Generator().manual_seed(3)
    others = torch.randint(0, 256, (30, 3, 8, 8), generator=generator).byte()
    pixels = torch.cat([images, others])
    training = prepare(ImageSet(pixels, torch.arange(len(pixels)) % 3, CLASSES))
    save_training(folder / TRAINING_FILE, training)
    repository_models()._kept.pop((load_training, folder / TRAINING_FILE), None)
    return training
