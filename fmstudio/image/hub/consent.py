"""What the owner of this studio allows, and what a person must do before a gated model can be fetched.

The variable ``FMSTUDIO_HUB``, or ``app.py --hub``, says what may be fetched and run:

| value | meaning |
| --- | --- |
| off | only models that are already on this machine |
| cards | also fetch the models that have a card |
| any | also any other repository, and any folder of this machine, by name |

Without it a studio on a Space is "off", for visitors would fill its disk, and everywhere else "cards". With
``HF_HUB_OFFLINE`` nothing is fetched whatever it says.
"""

from __future__ import annotations

import errno
import os
from enum import StrEnum

from fmstudio.image.hub.cards import ModelCard, known_card

_OFFLINE = "This studio runs offline (HF_HUB_OFFLINE is set); unset it to fetch models."


class Permission(StrEnum):
    """What may be fetched and run."""

    OFF = "off"
    CARDS = "cards"
    ANY = "any"


def permission() -> Permission:
    """What the owner allows, from the environment.

    Raises:
        ValueError: ``FMSTUDIO_HUB`` has another value.
    """
    named = os.environ.get("FMSTUDIO_HUB", "")
    if not named:
        return Permission.OFF if os.environ.get("SPACE_ID") else Permission.CARDS
    try:
        return Permission(named)
    except ValueError as error:
        raise ValueError(f"FMSTUDIO_HUB: expected {', '.join(Permission)}; got {named!r}.") from error


def may_fetch(model_id: str) -> str:
    """Why a model (``owner/name``) may not be fetched, in one sentence; "" if it may."""
    from huggingface_hub import constants

    allowed = permission()
    if allowed is Permission.OFF:
        return "The owner of this studio allows no downloads (--hub cards or FMSTUDIO_HUB=cards allows them)."
    if allowed is Permission.CARDS and known_card(model_id) is None:
        return "Only models with a card may be fetched here (--hub any or FMSTUDIO_HUB=any allows others)."
    if constants.is_offline_mode():
        return _OFFLINE
    return ""


def may_name_any() -> bool:
    """Whether visitors may name repositories without a card, and folders of this machine."""
    return permission() is Permission.ANY


def how_to_pass_the_gate(card: ModelCard) -> str:
    """What to do before a gated model can be fetched, as Markdown; "" if it is not gated."""
    from huggingface_hub import get_token

    if not card.gated:
        return ""
    steps = [f"Open [{card.id}]({card.url}), log in, read its terms and accept them."]
    if get_token():
        steps.append("A token is on this machine already; it must be of the same account.")
    else:
        steps.append(
            "Make a token that may read at "
            "[huggingface.co/settings/tokens](https://huggingface.co/settings/tokens)."
        )
        steps.append(
            "On the machine where this studio runs: `hf auth login`, or start it with `HF_TOKEN=…`. "
            "Never type a token into this page."
        )
    return "\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1))


def explain(error: BaseException, model_id: str) -> str:
    """What went wrong with the Hub, and what to do, in one or two sentences.

    Args:
        error: as huggingface_hub, its client or the file system raised it.
        model_id: what was asked for.
    """
    from huggingface_hub import errors

    short = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    short = short[:120].rstrip(".")
    said: dict[type[BaseException], str] = {  # the narrower errors first
        errors.GatedRepoError: (
            f"{model_id} is gated: accept its terms at https://huggingface.co/{model_id}, then run "
            "`hf auth login` with the same account where this studio runs."
        ),
        errors.RevisionNotFoundError: (
            f"{model_id} has no such revision. Use main, or a commit from its page."
        ),
        errors.RepositoryNotFoundError: (
            f"The Hub knows no model {model_id} that this machine may see. Check the name and the login."
        ),
        errors.EntryNotFoundError: f"{model_id} is no diffusers model: a file is missing ({short}).",
        errors.OfflineModeIsEnabled: _OFFLINE,
        errors.HFValidationError: f"{model_id!r} is no name of a model; names are owner/name.",
    }
    for kind, sentence in said.items():
        if isinstance(error, kind):
            return sentence
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "The disk is full. What was fetched so far is kept; make room and go on."
    return (
        f"The Hub could not be reached or did not answer ({short}). What was fetched so far is kept; "
        "try again later."
    )
