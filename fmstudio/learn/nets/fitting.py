"""Choices that go together: what cannot be built or trained, and what another choice has left behind.

The page refuses an edit that cannot be; a link opens with all of it that can, and says what could not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from fmstudio.learn.build import density_of, path_of
from fmstudio.learn.experiment import PATHS, Experiment, taken
from fmstudio.learn.simulate import check_chain
from fmstudio.learn.training.batches import check_training


@dataclass(frozen=True)
class Note:
    """What of a link or of an edit is not as it was asked for.

    Args:
        name: the field's; or of a part of a link that is no field.
        given: what was asked for, as text.
        instead: what is taken; None for what is no field, and is left out.
        why: the reason, without a full stop.
    """

    name: str
    given: str
    instead: str | None
    why: str


def check(experiment: Experiment) -> None:
    """Build what the experiment names, so that an impossible choice is refused before anything is drawn.

    Raises:
        ValueError: the sentence of whatever cannot be built or trained.
    """
    path_of(experiment)
    density_of(experiment)
    check_chain(experiment)
    check_training(experiment)


def edited(experiment: Experiment, name: str, value: Any) -> tuple[Experiment, list[Note]]:
    """The experiment with one choice changed, and without what that leaves no room for.

    Raises:
        ValueError: the choice cannot be, and why.
    """
    changes = {name: value}
    path = PATHS.get(value) if name == "path" and isinstance(value, str) else None
    if path is not None and not path.goes_around(experiment.around):
        # From a path that goes around others: the latent's straight one is none for a chain.
        changes["around"] = path.around[0]
    changed, notes = without_leftovers(experiment.but(**changes), name)
    check(changed)
    return changed, notes


def without_leftovers(experiment: Experiment, chosen: str = "") -> tuple[Experiment, list[Note]]:
    """The experiment without what its other choices leave no room for.

    A class goes where the data have none or the net is not told it; what only concerns the training goes back
    to its default where it cannot be trained, unless it is what was chosen.

    Args:
        experiment: as it was asked for; it can be built.
        chosen: the field that was edited, if one was.
    """
    notes: list[Note] = []

    def put(field: str, value: Any, why: str) -> None:
        nonlocal experiment
        notes.append(Note(field, _text(getattr(experiment, field)), _text(value), why))
        experiment = experiment.but(**{field: value})

    classes = density_of(experiment).classes
    if experiment.conditional and not classes:
        put("conditional", False, "the data have no classes")
    if experiment.label >= 0 and not (experiment.conditional and experiment.label < classes):
        known = (
            f"the data have {classes}" if experiment.conditional else "only a net that is told it knows one"
        )
        put("label", -1, known)
    for field, value in (("regression", "sampled"), ("target", "v")):
        if field != chosen and getattr(experiment, field) != value:
            try:
                check_training(experiment)
            except ValueError as error:
                put(field, value, str(error).rstrip("."))
    return experiment, notes


def read_link(values: Mapping[str, str]) -> tuple[Experiment, list[Note]]:
    """The experiment of a link: all of it that can be, and a note for each part that cannot.

    What is no field is left out. A number beyond its bounds becomes the bound, any other value that a field
    cannot take its default. Of choices that cannot go together the later in the experiment's order goes.

    Args:
        values: the parts of the query string.
    """
    known = [f.name for f in fields(Experiment)]
    notes = [
        Note(name, value, None, "no setting of the studio")
        for name, value in values.items()
        if name not in known
    ]
    asked: dict[str, Any] = {}
    for name in known:
        if name in values:
            asked[name], why = taken(name, values[name])
            if why:
                notes.append(Note(name, values[name], _text(asked[name]), why))
    experiment, dropped = _together(asked)
    for name, why in dropped:
        notes.append(Note(name, _text(asked[name]), _text(getattr(experiment, name)), why))
    experiment, more = without_leftovers(experiment)
    return experiment, notes + more


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _together(asked: dict[str, Any]) -> tuple[Experiment, list[tuple[str, str]]]:
    """The experiment of these choices without those that stand in the way, each with the reason."""
    why = _trouble(asked)
    if not why:
        return Experiment(**asked), []
    for name in reversed(asked):
        rest = {other: value for other, value in asked.items() if other != name}
        if not _trouble(rest):
            return Experiment(**rest), [(name, why)]
    *rest, last = asked
    experiment, dropped = _together({name: asked[name] for name in rest})
    return experiment, [(last, why), *dropped]


def _trouble(asked: dict[str, Any]) -> str:
    """Why these choices cannot be built; an empty text where they can."""
    try:
        experiment, _ = without_leftovers(Experiment(**asked))
        check(experiment)
    except ValueError as error:
        return str(error).rstrip(".")
    return ""
