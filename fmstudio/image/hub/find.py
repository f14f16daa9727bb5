"""What is already on this machine, and how a model would run here.

Models that this studio fetches lie in ``FMSTUDIO_HUB_FOLDER`` (else ``~/.cache/fmstudio/hub``), one plain
folder a model, so that an interrupted download can be taken up in the middle of a file. Models that diffusers
or the ``hf`` command fetched before are found in the Hub's cache and used from there.

An `Outlook` puts together what is known of a model, what is here of it, and the plan that follows.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from fmstudio.image.hub import consent
from fmstudio.image.hub.cards import CARDS, ModelCard, known_card
from fmstudio.image.hub.describe import Description, UnsuitableModelError, describe
from fmstudio.image.hub.load import pipeline_class
from fmstudio.image.hub.machine import Machine, measure_machine
from fmstudio.image.hub.plan import Choice, Networks, Plan, choose_plan

COMMIT_FILE = "commit.txt"
"""Beside a download's folder: the commit that it is."""

TINY_FILES = ("config.json", "diffusion_pytorch_model.safetensors")
"""What a small decoder is made of."""


def downloads_folder() -> Path:
    """Where this studio's downloads lie."""
    named = os.environ.get("FMSTUDIO_HUB_FOLDER")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "fmstudio" / "hub"


def folder_of(model_id: str, revision: str) -> Path:
    """The folder of a download, there or not."""
    return downloads_folder() / f"{model_id}@{revision}".replace("/", "--")


def find(model_id: str, revision: str = "main", without: tuple[str, ...] = ()) -> Description | None:
    """The model, if all of it is on this machine.

    Args:
        model_id: as ``owner/name``.
        revision: branch, tag or commit.
        without: optional parts that need not be there.
    """
    own = folder_of(model_id, revision)
    fetched = (own / COMMIT_FILE).is_file()
    folder = own if fetched else _in_cache(model_id, ("model_index.json",), revision)
    if folder is None:
        return None
    commit = (own / COMMIT_FILE).read_text("ascii").strip() if fetched else folder.name
    try:
        described = describe(folder)
    except UnsuitableModelError:
        return None
    return replace(described, commit=commit) if set(described.missing) <= set(without) else None


def find_tiny_decoder(card: ModelCard | None) -> Path | None:
    """The folder of a card's small decoder, if it is on this machine."""
    if card is None or not card.tiny_vae:
        return None
    own = folder_of(card.tiny_vae, "main")
    if all((own / name).is_file() for name in TINY_FILES):
        return own
    return _in_cache(card.tiny_vae, TINY_FILES, "main")


def bytes_here(model_id: str, revision: str = "main") -> int:
    """Bytes of an unfinished download."""
    return sum(path.stat().st_size for path in folder_of(model_id, revision).rglob("*") if path.is_file())


def _in_cache(model_id: str, names: tuple[str, ...], revision: str) -> Path | None:
    """The snapshot in the Hub's cache that has all those files."""
    from huggingface_hub import try_to_load_from_cache

    paths = [try_to_load_from_cache(model_id, name, revision=revision) for name in names]
    here = [Path(path) for path in paths if isinstance(path, str)]
    return here[0].parent if len(here) == len(names) else None


def networks_of_card(card: ModelCard) -> Networks:
    """A card's networks, as planned with before any file is here."""
    return Networks(
        tuple((name, int(billions * 1e9)) for name, billions in card.parts), card.optional, card.half
    )


def networks_of(description: Description, card: ModelCard | None = None) -> Networks:
    """A folder's networks, counted; formats and optional parts are its card's where it has one.

    Without a card the folder is taken to work in bfloat16, as flow-matching models are published.
    """
    have = dict(description.parts)
    optional = tuple(name for name in card.optional if name in have) if card else ()
    return Networks(description.parts, optional, card.half if card else ("bfloat16",), measured=True)


@dataclass(frozen=True)
class Outlook:
    """One model on this machine.

    Args:
        name: its id, or the folder that was named.
        revision: branch, tag or commit.
        card: what is known of it, or None.
        found: what is here of it, or None if it must be fetched first.
        choice: how it would run here; None for an unknown model that is not here yet.
        bytes_started: of an unfinished download.
    """

    name: str
    revision: str
    card: ModelCard | None
    found: Description | None
    choice: Choice | None
    bytes_started: int = 0

    @property
    def title(self) -> str:
        """What the page calls it."""
        return self.card.title if self.card else self.name.rstrip("/").split("/")[-1]

    @property
    def ready(self) -> bool:
        """Whether it can be sampled now."""
        return self.found is not None and self.choice is not None and self.choice.plan is not None

    def way(self, title: str = "") -> Plan:
        """The way to run it that has this title; "" for the fastest that fits.

        Raises:
            ValueError: there is none.
        """
        if title:
            for plan in self.choice.ways if self.choice else ():
                if plan.title == title:
                    return plan
            raise ValueError(f"{self.title} cannot be run as {title!r} on this machine; choose another way.")
        if self.choice is None or self.choice.plan is None:
            raise ValueError(self.choice.verdict if self.choice else f"{self.title} is not known here.")
        return self.choice.plan


def this_machine() -> Machine:
    """This computer, measured now."""
    return measure_machine(downloads_folder())


def catalogue(machine: Machine) -> list[Outlook]:
    """Every card on this machine, in the cards' order."""
    return [outlook(card.id, machine) for card in CARDS]


def outlook(
    name: str, machine: Machine, revision: str = "", side: int | None = None, count: int = 1
) -> Outlook:
    """A model on this machine.

    Args:
        name: a card's id; if the owner allows any, also a repository or a folder.
        machine: as measured.
        revision: branch, tag or commit; "" for its card's.
        side, count: of the pictures; None for the side the model is at home with.

    Raises:
        ValueError: nothing of that name may be run here, or the folder cannot be.
    """
    name = name.strip()
    card = known_card(name)
    if card is None and not consent.may_name_any():
        raise ValueError(
            "Only models with a card are run here (--hub any or FMSTUDIO_HUB=any allows others)."
        )
    if card is None and (name.startswith(("/", "~", "./", "../")) or Path(name).is_dir()):
        revision, found = "", describe(Path(name).expanduser())
    else:
        revision = revision.strip() or (card.revision if card else "main")
        _check_name(name, revision)
        found = find(name, revision, without=card.optional if card else ())
    if card is None and found:
        pipeline_class(found)
    networks = networks_of(found, card) if found else networks_of_card(card) if card else None
    side = side or (card.side if card else 1024)
    choice = choose_plan(networks, machine, side, count) if networks else None
    return Outlook(name, revision, card, found, choice, 0 if found else bytes_here(name, revision))


def _check_name(name: str, revision: str) -> None:
    """Refuse what is no name of a model or of a revision.

    Raises:
        ValueError: with what a name looks like.
    """
    parts = name.split("/")
    if len(parts) != 2 or not all(_is_word(part) for part in parts):
        raise ValueError(f"A model is owner/name, or a folder of this machine that exists; got {name!r}.")
    if not all(_is_word(part) for part in revision.split("/")):
        raise ValueError(f"A revision is a branch, a tag or a commit; got {revision!r}.")


def _is_word(part: str) -> bool:
    return bool(part) and part not in (".", "..") and all(c.isalnum() or c in "._-" for c in part)
