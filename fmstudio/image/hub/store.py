"""What is already on this machine: the studio's own downloads, and the cache that other programs share.

Models that this studio fetches lie in ``FMSTUDIO_HUB_FOLDER`` (else ``~/.cache/fmstudio/hub``), one
plain folder a model, so that an interrupted download can be taken up in the middle of a file. Models that
diffusers or the ``hf`` command fetched before are found in the Hub's cache and used from there.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from fmstudio.image.hub.cards import ModelCard
from fmstudio.image.hub.describe import (
    Description,
    UnsuitableModelError,
    components,
    describe,
    has_weights,
    read_index,
)
from fmstudio.image.hub.plan import Weights

COMMIT_FILE = "commit.txt"
"""Beside a download's folder: the commit that it is."""


@dataclass(frozen=True)
class Found:
    """A model on this machine.

    Args:
        description: what it is.
        commit: the commit that it is, or "" for a folder of the user's.
    """

    description: Description
    commit: str = ""


def downloads_folder() -> Path:
    """Where this studio's downloads lie."""
    named = os.environ.get("FMSTUDIO_HUB_FOLDER")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "fmstudio" / "hub"


def folder_of(model_id: str, revision: str, root: Path | None = None) -> Path:
    """The folder of a download, there or not.

    Args:
        model_id: as ``owner/name``.
        revision: as asked for.
        root: instead of `downloads_folder`.
    """
    safe = revision.replace("/", "--")
    return (root or downloads_folder()) / f"{model_id.replace('/', '--')}@{safe}"


def find(
    model_id: str, revision: str = "main", without: tuple[str, ...] = (), root: Path | None = None
) -> Found | None:
    """The model, if all of it is on this machine.

    Args:
        model_id: as ``owner/name``.
        revision: branch, tag or commit.
        without: optional parts that need not be there.
        root: instead of `downloads_folder`.
    """
    own = folder_of(model_id, revision, root)
    if (own / COMMIT_FILE).is_file():
        commit = (own / COMMIT_FILE).read_text("ascii").strip()
        return _complete(own, commit, without)
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(model_id, "model_index.json", revision=revision)
    if isinstance(cached, str):
        folder = Path(cached).parent
        return _complete(folder, folder.name, without)
    return None


def bytes_here(model_id: str, revision: str = "main", root: Path | None = None) -> int:
    """Bytes of an unfinished download."""
    own = folder_of(model_id, revision, root)
    return sum(path.stat().st_size for path in own.rglob("*") if path.is_file())


def _complete(folder: Path, commit: str, without: tuple[str, ...]) -> Found | None:
    """The model in a folder if every component that its index names is there."""
    try:
        index = read_index(folder)
        described = describe(folder)
    except UnsuitableModelError:
        return None
    networks = {name for name, (_, kind) in components(index).items() if has_weights(kind)}
    have = {name for name, _ in described.parts}
    return Found(described, commit) if networks - set(without) <= have else None


def weights_of_card(card: ModelCard) -> Weights:
    """A card's networks, as planned with before any file is here."""
    return Weights(
        tuple((name, int(billions * 1e9)) for name, billions in card.parts), card.optional, card.half
    )


def weights_of(description: Description, card: ModelCard | None = None) -> Weights:
    """A folder's networks, counted; formats and optional parts are its card's where it has one.

    Without a card the folder is taken to work in bfloat16, as flow-matching models are published.
    """
    have = {name for name, _ in description.parts}
    return Weights(
        description.parts,
        tuple(name for name in card.optional if name in have) if card else (),
        card.half if card else ("bfloat16",),
        measured=True,
    )
