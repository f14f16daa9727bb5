"""The trained image models on this machine: name → folder, loaded once, on first use.

A model is read-only once it is loaded, so all visitors of a page share it. Where one runs, float32 is enough.
Listing models reads a few small json files and imports no deep-learning library beyond torch.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import torch

from fmstudio.device import chosen_device
from fmstudio.folders import MODELS
from fmstudio.image.card import Card, load_card
from fmstudio.image.folder import ImageModel, load_model, names_in
from fmstudio.image.memorising import TRAINING_FILE, TrainingImages, load_training
from fmstudio.image.scores.classifier import FeatureNet, load_classifier
from fmstudio.image.scores.reference import FILE_NAME as REFERENCE_FILE
from fmstudio.image.scores.reference import Reference, load_reference

T = TypeVar("T")

PIPELINE_CLASS = "RectifiedFlowPipeline"


@dataclass(frozen=True)
class ModelEntry:
    """A model that is there but perhaps not loaded.

    Args:
        name: the folder's name, such as "fashion-rf1".
        folder: where it is.
        class_names: the name of each label.
    """

    name: str
    folder: Path
    class_names: tuple[str, ...]

    @property
    def card(self) -> Card:
        """The model's card; where its folder has none, its name stands for its titles."""
        return load_card(self.folder) or Card(self.name, self.name)

    @property
    def has_training(self) -> bool:
        """Whether the folder holds the images that the model was trained on."""
        return (self.folder / TRAINING_FILE).is_file()

    @property
    def part(self) -> str:
        """The network's name among the parts of a diffusers pipeline: unet or transformer."""
        return "transformer" if (self.folder / "transformer").is_dir() else "unet"

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the images, from the folder's json files."""
        index, network = (
            json.loads((self.folder / name).read_text(encoding="utf-8"))
            for name in ("model_index.json", f"{self.part}/config.json")
        )
        patch = int(index["patch_size"])
        side = int(network["sample_size"]) * patch
        return (int(network["in_channels"]) // patch**2, side, side)


class Backbones:
    """The models in one folder, each loaded at most once.

    A name that no model has is a KeyError, whose message names those there are.

    Args:
        folder: its sub-folders with a `model_index.json` of this project's pipeline are models.
        device: where they are loaded to; None chooses.
    """

    def __init__(self, folder: Path = MODELS, device: torch.device | None = None):
        self._folder, self._device = folder, device
        self._lock = threading.Lock()
        self._kept: dict[tuple[Callable[[Path], Any], Path], Any] = {}

    def _once(self, read: Callable[[Path], T], path: Path) -> T:
        with self._lock:
            if (read, path) not in self._kept:
                self._kept[read, path] = read(path)
            return self._kept[read, path]

    @property
    def device(self) -> torch.device:
        """Where models run."""
        return self._device if self._device is not None else chosen_device(single_precision=True)

    def entries(self) -> list[ModelEntry]:
        """The models that can be loaded, sorted by name."""
        found: list[ModelEntry] = []
        for index in sorted(self._folder.glob("*/model_index.json")):
            described = json.loads(index.read_text(encoding="utf-8"))
            if described.get("_class_name") == PIPELINE_CLASS:
                found.append(ModelEntry(index.parent.name, index.parent, names_in(described)))
        return found

    def entry(self, name: str) -> ModelEntry:
        """The model of that name, not loaded."""
        entries = {entry.name: entry for entry in self.entries()}
        if name not in entries:
            known = ", ".join(entries) or "none"
            raise KeyError(f"No image model {name!r} in {self._folder}; there are: {known}.")
        return entries[name]

    def load(self, name: str) -> ImageModel:
        """The model of that name, loaded on the first call."""
        return self._once(self._load, self.entry(name).folder)

    def _load(self, folder: Path) -> ImageModel:
        return load_model(folder, self.device)

    def classifier(self, name: str = "fashion-metric") -> FeatureNet:
        """The metric's classifier in the folder `name`, loaded on the first call, on the CPU.

        Raises:
            FileNotFoundError: there is none.
        """
        return self._once(load_classifier, self._folder / name)

    def reference(self, name: str) -> Reference:
        """The real images of the metric in the folder `name`, loaded on the first call.

        Raises:
            FileNotFoundError: there is none.
            ValueError: it belongs to another classifier.
        """
        return self._once(load_reference, self._folder / name)

    def training(self, name: str) -> TrainingImages | None:
        """The images that a model was trained on, where its folder holds them; read on the first call.

        Raises:
            ValueError: the file holds something else.
        """
        entry = self.entry(name)
        return self._once(load_training, entry.folder / TRAINING_FILE) if entry.has_training else None

    def metric_of(self, name: str) -> str | None:
        """The metric that knows a model's classes: the folder whose classifier has the same ones, or None."""
        names = list(self.entry(name).class_names)
        for config in sorted(self._folder.glob("*/config.json")):
            described = json.loads(config.read_text(encoding="utf-8"))
            if (config.parent / REFERENCE_FILE).is_file() and described.get("class_names") == names:
                return config.parent.name
        return None

    def siblings(self, name: str) -> list[ModelEntry]:
        """The other models of the same classes, which can stand beside this one."""
        names = self.entry(name).class_names
        return [entry for entry in self.entries() if entry.class_names == names and entry.name != name]


@cache
def repository_models() -> Backbones:
    """The models of this repository, shared by everyone in this process."""
    return Backbones()


def backbone_names() -> tuple[str, ...]:
    """Names of the repository's image models, sorted."""
    return tuple(entry.name for entry in repository_models().entries())


def class_names(name: str) -> tuple[str, ...]:
    """The classes of a model of the repository, without loading its weights."""
    return repository_models().entry(name).class_names


def title_of(name: str) -> str:
    """What the column of a model of the repository is headed."""
    return repository_models().entry(name).card.short_title


def backbone(name: str) -> ImageModel:
    """A model of the repository, loaded on the first call."""
    return repository_models().load(name)
