"""What a page asks for: the state of every model on this machine, and rows of pictures step by step."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from torch import Tensor

from fmstudio.image.finite import NotFiniteError
from fmstudio.image.hub import consent, store
from fmstudio.image.hub.adapter import Finished, HubModel, Request, load_model
from fmstudio.image.hub.cards import CARDS, EULER, ModelCard, usual_revision
from fmstudio.image.hub.describe import Description, UnsuitableModelError, describe
from fmstudio.image.hub.loading import complete_class
from fmstudio.image.hub.machine import Machine, measure_machine
from fmstudio.image.hub.memory import forget_frames, is_out_of_memory, release_memory
from fmstudio.image.hub.plan import Choice, Plan, Weights, choose_plan, next_smaller, wider
from fmstudio.image.hub.recorder import StepRecord
from fmstudio.image.hub.shelf import Shelf
from fmstudio.image.settings import whole

TINY_FILES = ("config.json", "diffusion_pytorch_model.safetensors")
"""What a small decoder is made of."""


@dataclass(frozen=True)
class Outlook:
    """One model on this machine.

    Args:
        name: its id, or the folder that was named.
        revision: branch, tag or commit.
        card: what is known of it, or None.
        found: where it is, or None if it must be fetched first.
        choice: how it would run here; None for an unknown model that is not here yet.
        bytes_started: of an unfinished download.
    """

    name: str
    revision: str
    card: ModelCard | None
    found: Description | None
    commit: str
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


class OutOfRoomError(RuntimeError):
    """Memory ran out; the model was let go.

    Attributes:
        smaller: the next smaller way to run it, or None.
    """

    def __init__(self, message: str, smaller: Plan | None):
        super().__init__(message)
        self.smaller = smaller


@dataclass(frozen=True)
class Settings:
    """What to sample.

    Args:
        model: a card's id, or, if the owner allows any, a repository or a folder.
        revision: branch, tag or commit; "" for its card's.
        prompt: in words.
        steps: step counts, one row each.
        guidance: as the pipeline counts it.
        solver: a key of `fmstudio.image.hub.schedule.SOLVERS`.
        shift: the time shift, or None for the model's own.
        seed: of the noise that all rows start from: of the first picture's, the others have the next ones.
        side: of the pictures, in pixels.
        count: pictures a row.
        way: title of the plan to run it by, or "" for the fastest that fits.
    """

    model: str
    revision: str = ""
    prompt: str = ""
    steps: tuple[int, ...] = (4,)
    guidance: float = 1.0
    solver: str = EULER
    shift: float | None = None
    seed: int = 0
    side: int = 512
    count: int = 1
    way: str = ""


def made_by(settings: Settings, request: Request, commit: str) -> list[dict[str, Any]]:
    """How each picture of a row is made again alone: the settings, with its own seed.

    Args:
        settings: of all rows.
        request: of the row.
        commit: of the model, or "".
    """
    common = asdict(settings) | {"revision": commit or settings.revision, "count": 1}
    return [common | {"steps": [request.step_count], "seed": seed} for seed in request.seeds]


@dataclass(frozen=True)
class StepShown:
    """A step with a look at it.

    Args:
        step_count: of the row.
        record: the step.
        x_look, x0_look: uint8, (count, 3, height, width), of x and x̂₀ before the step.
    """

    step_count: int
    record: StepRecord
    x_look: Tensor
    x0_look: Tensor


@dataclass(frozen=True)
class Loaded:
    """A model is ready.

    Args:
        plan: how it was loaded.
        preview: how looks at it are made, in words.
        commit: what version it is, or "" for a folder.
    """

    plan: Plan
    preview: str
    commit: str = ""


_shelf = Shelf()
_measuring = threading.Lock()


@cache
def _first_machine() -> Machine:
    return measure_machine(store.downloads_folder())


def this_machine(again: bool = True) -> Machine:
    """This computer.

    Args:
        again: measure it now instead of remembering the first time.
    """
    with _measuring:
        return measure_machine(store.downloads_folder()) if again else _first_machine()


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
    revision = revision.strip() or usual_revision(name)
    card = next((known for known in CARDS if known.id == name), None)
    if card is None and not consent.may_name_any():
        raise ValueError(
            "Only models with a card are run here (--hub any or FMSTUDIO_HUB=any allows others)."
        )
    if card is None and _is_folder(name):
        described = describe(Path(name).expanduser())
        complete_class(described)
        choice = choose_plan(store.weights_of(described), machine, side or 1024, count)
        return Outlook(name, "", None, described, "", choice)
    check_name(name, revision)
    found, choice = _find(name, revision, card, machine, side, count)
    if card is None and found is not None:
        complete_class(found.description)
    return Outlook(
        name,
        revision,
        card,
        found.description if found else None,
        found.commit if found else "",
        choice,
        0 if found else store.bytes_here(name, revision),
    )


def check_name(name: str, revision: str) -> None:
    """Refuse what is no name of a model or of a revision.

    Raises:
        ValueError: with what a name looks like.
    """
    parts = name.split("/")
    if len(parts) != 2 or not all(_is_word(part) for part in parts):
        raise ValueError(f"A model is owner/name, or a folder of this machine that exists; got {name!r}.")
    if not all(_is_word(part) for part in revision.split("/")):
        raise ValueError(f"A revision is a branch, a tag or a commit; got {revision!r}.")


def sample_rows(settings: Settings) -> Iterator[Loaded | StepShown | Finished]:
    """The same noise with several step counts: the loading, every step, then the row's pictures.

    Closing the iterator stops the run; the model stays loaded.

    Raises:
        NotFiniteError: at the first step whose latents are not finite, with the way to take instead.
        OutOfRoomError: memory ran out; the model was let go.
        ValueError: the settings make no sense, or the model cannot be run here.
    """
    requests = [
        Request(
            settings.prompt,
            step_count,
            settings.guidance,
            settings.solver,
            settings.shift,
            settings.seed,
            settings.side,
            settings.count,
        )
        for step_count in settings.steps
    ]
    if not requests:
        raise ValueError("Give at least one step count.")
    whole("seed", settings.seed)
    whole("seed", settings.seed + settings.count - 1)
    seen = outlook(settings.model, this_machine(), settings.revision, settings.side, settings.count)
    if seen.found is None or seen.choice is None:
        raise ValueError(f"{seen.title} is not on this machine yet. Fetch it first.")
    _check_request(settings, seen)
    plan = _plan(seen, settings.way)
    size = seen.found.file_bytes

    def load() -> HubModel:
        assert seen.found is not None
        return load_model(seen.found, plan, seen.title, _tiny_folder(seen.card))

    try:
        with _shelf.borrow((seen.found.folder, plan.title), size, load) as model:
            yield Loaded(plan, model.preview_kind, seen.commit)
            for request in requests:
                yield from _row(model, request)
    except NotFiniteError as error:
        better = wider(plan, seen.choice)
        raise NotFiniteError(f"{error} Here: {better.title}." if better else str(error)) from error
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        forget_frames(error)
        release_memory()
        smaller = next_smaller(plan, seen.choice)
        offer = f"The next smaller way is {smaller.title}." if smaller else "There is no smaller way here."
        raise OutOfRoomError(f"{plan.title} ran out of memory and was let go. {offer}", smaller) from error


def _row(model: HubModel, request: Request) -> Iterator[StepShown | Finished]:
    steps = model.sample(request)
    try:
        for event in steps:
            if isinstance(event, StepRecord):
                looks = (model.look(latents, request.side) for latents in (event.x, event.x0_hat))
                yield StepShown(request.step_count, event, *looks)
            else:
                yield event
    finally:
        steps.close()


def _plan(seen: Outlook, way: str) -> Plan:
    assert seen.choice is not None
    if way:
        for plan in seen.choice.ways:
            if plan.title == way:
                return plan
        raise ValueError(f"{seen.title} cannot be run as {way!r} on this machine; choose another way.")
    if seen.choice.plan is None:
        raise ValueError(seen.choice.verdict)
    return seen.choice.plan


def _check_request(settings: Settings, seen: Outlook) -> None:
    card = seen.card
    if card is None:
        return
    if settings.solver not in card.solvers:
        raise ValueError(f"{card.title} runs with {', '.join(card.solvers)}; got {settings.solver!r}.")
    if settings.guidance < card.least_guidance:
        raise ValueError(
            f"{card.title} takes guidance from {card.least_guidance:g} (none) up; got {settings.guidance:g}."
        )


def _find(
    name: str, revision: str, card: ModelCard | None, machine: Machine, side: int | None, count: int
) -> tuple[store.Found | None, Choice | None]:
    """The model if it is here, and how it runs: its files' sizes where there are files, else its card's."""
    side = side or (card.side if card else 1024)
    found = store.find(name, revision, without=card.optional if card else ())
    weights: Weights | None = None
    if found is not None:
        weights = store.weights_of(found.description, card)
    elif card is not None:
        weights = store.weights_of_card(card)
    return found, choose_plan(weights, machine, side, count) if weights else None


def _tiny_folder(card: ModelCard | None) -> Path | None:
    """The small decoder of a card, if it is on this machine."""
    if card is None or not card.tiny_vae:
        return None
    own = store.folder_of(card.tiny_vae, "main")
    if all((own / name).is_file() for name in TINY_FILES):
        return own
    from huggingface_hub import try_to_load_from_cache

    paths = [try_to_load_from_cache(card.tiny_vae, name) for name in TINY_FILES]
    return Path(paths[0]).parent if all(isinstance(path, str) for path in paths) else None  # type: ignore[arg-type]


def _is_folder(name: str) -> bool:
    return name.startswith(("/", "~", "./", "../")) or Path(name).is_dir()


def _is_word(part: str) -> bool:
    return bool(part) and part not in (".", "..") and all(c.isalnum() or c in "._-" for c in part)


__all__ = [
    "Finished",
    "Loaded",
    "OutOfRoomError",
    "Outlook",
    "Settings",
    "StepShown",
    "UnsuitableModelError",
    "catalogue",
    "outlook",
    "sample_rows",
    "this_machine",
]
