"""Tiny pipelines, saved to a folder and loaded by the real code, once each."""

import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from fmstudio.image.hub.describe import describe
from fmstudio.image.hub.load import load_model
from fmstudio.image.hub.plan import Placement, Plan
from fmstudio.image.hub.sample import HubModel
from tests.image.hub import tiny

SIDE = 32
ON_PROCESSOR = Plan(Placement.PROCESSOR, "cpu", "float32")


@pytest.fixture(scope="module", autouse=True)
def quick_collections() -> Iterator[None]:
    """A model that is let go has its garbage collected; what was there before need not be searched."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    made: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name not in made:
            made[name] = tiny.save(name, tmp_path_factory.mktemp("hub") / name)
        return made[name]

    return folder


@pytest.fixture(scope="session")
def tiny_model(tiny_folder) -> Callable[[str], HubModel]:
    loaded: dict[str, HubModel] = {}

    def model(name: str) -> HubModel:
        if name not in loaded:
            loaded[name] = load_model(describe(tiny_folder(name)), ON_PROCESSOR)
        return loaded[name]

    return model


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)
