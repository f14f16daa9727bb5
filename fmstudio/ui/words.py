"""Sentences and formulas that follow from the experiment, and untrusted input from the browser made plain."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable
from typing import Any

import torch

from fmstudio.flow.formulas.custom import Custom
from fmstudio.flow.formulas.readable import unreadable
from fmstudio.flow.regress.objectives import TARGETS
from fmstudio.flow.solve.tableaux import SOLVERS
from fmstudio.folders import sections
from fmstudio.folders import text as text
from fmstudio.learn.build import path_of
from fmstudio.learn.experiment import PATHS, Experiment, domain
from fmstudio.learn.nets.fitting import Note
from fmstudio.learn.nets.net_card import Chosen
from fmstudio.plots.plain import in_html, in_markdown


def path_formula(experiment: Experiment) -> str:
    """The path's formula in one line."""
    return PATHS[experiment.path].formula_for(experiment)


def path_note(experiment: Experiment) -> str:
    """What must be known about this path, or an empty text."""
    notes = sections("path-notes")
    path = path_of(experiment)
    times = unreadable(path) if isinstance(path, Custom) else ""
    told = [notes["unreadable"].format(times=times)] if times else []
    return "\n\n".join([*told, notes.get(experiment.path, "")])


def not_drawn(reasons: Iterable[str], experiment: Experiment) -> str:
    """Why a formula that was typed is not the one that is drawn, over what must be known about the path."""
    told = [f"**Not drawn:** {in_markdown(reason)}" for reason in reasons]
    return "\n\n".join([*told, path_note(experiment)])


def data_note(experiment: Experiment) -> str:
    """What the chosen data are, in a line."""
    return sections("data").get(experiment.data, "")


def sampler_hint(chosen: Chosen, start: float | None = None) -> str:
    """What must be known about the sampler and the field that it follows, or an empty text.

    Args:
        chosen: the field.
        start: by how many nats P starts from the wrong law, or None where it starts from the right one.
    """
    hints, experiment, net = dict(sections("sampler-hints")), chosen.experiment, chosen.card
    hints["adaptive"] = hints["adaptive"].format(solver=experiment.solver)
    guided = chosen.guidance != 1
    held = net is not None and net.learned.target != "v"
    if net is not None and held:
        said = hints[f"target {net.learned.target}"]
        low, high = TARGETS[net.learned.target].times(path_of(net.learned))
        hints["held"] = hints["held"].format(said=said, low=low, high=high)
    if start is not None:
        a1 = float(path_of(experiment).at(torch.tensor(1.0)).a.abs())
        hints["start"] = hints["start"].format(a1=a1, nats=nats(start))
    told = {
        "held": held,
        "start": start is not None,
        "class": chosen.label is not None,
        "guided": guided,
        "straightened": net is not None and net.straightened,
        "noise": experiment.sde_noise > 0 and not guided,
        "guided noise": experiment.sde_noise > 0 and guided,
        "adaptive": SOLVERS[experiment.solver].adaptive and experiment.sde_noise == 0,
    }
    said = [hints[name] for name, holds in told.items() if holds]
    if chosen.left_out:
        what = hints["unknown class"] if net is not None and net.no_class else hints["no class"]
        said.insert(0, f"**{chosen.left_out}** {what}")
    if net is not None and net.caution and (chosen.label is None or guided):
        said.insert(0, net.caution)
    return "\n\n".join(said)


MOST_NOTES = 6
"""Parts of one link that a visitor is told about; of more, only their number."""


def notes(found: Iterable[Note]) -> list[str]:
    """Sentences of what of a link, or of an edit, is not as it was asked for."""
    told = [_note(note) for note in found]
    return told if len(told) <= MOST_NOTES else [*told[:MOST_NOTES], f"And {len(told) - MOST_NOTES} more."]


def _note(note: Note) -> str:
    given = textwrap.shorten(note.given, 40, placeholder="…") or "nothing"
    if note.instead is None:
        return f"The link holds “{textwrap.shorten(note.name, 40, placeholder='…')}”: {note.why}, left out."
    named = domain(note.name)["said"]
    # The sentence of the mathematics may begin with the field's own name.
    why = note.why.removeprefix(f"{note.name}: ")
    instead = textwrap.shorten(note.instead, 40, placeholder="…")
    if note.name == "label" and note.instead == "-1":
        instead = "every class"
    what = {"True": "on", "False": "off", "": "the example"}.get(instead, instead)
    return f"{named[0].upper()}{named[1:]}: {what} instead of {given}, because {why[0].lower()}{why[1:]}."


def lines(sentence: str, width: int = 46) -> str:
    """A sentence broken into lines for a figure, which does not break by itself."""
    return "<br>".join(in_html(line) for line in textwrap.wrap(sentence, width))


def number(value: float, digits: int = 4) -> str:
    """A number with so many decimals and a true minus sign; never a negative zero."""
    return f"{value:z.{digits}f}".replace("-", "−")


def nats(value: float) -> str:
    """A difference of log densities ≥ 0 with three decimals."""
    return "less than 0.001" if value < 1e-3 else f"{value:.3f}"


def mixture_json(components: Any) -> str:
    """Mixture components from the browser as the experiment's text.

    Raises:
        ValueError: not a list of 1 to 16 rows of six numbers.
    """
    try:
        rows = [[round(float(value), 4) for value in row] for row in components]
    except (TypeError, ValueError):
        raise ValueError("mixture: expected rows of six numbers.") from None
    if not 1 <= len(rows) <= 16 or any(len(row) != 6 for row in rows):
        raise ValueError(f"mixture: expected 1 to 16 rows of six numbers; got {len(rows)} rows.")
    return json.dumps(rows)


def strokes(data: Any) -> list[list[tuple[float, float]]]:
    """Strokes of the brush from the browser; none where the board was cleared.

    Raises:
        ValueError: not lists of at most 4,000 pairs of numbers, or an empty stroke.
    """
    try:
        drawn = [[(float(x), float(y)) for x, y in stroke] for stroke in data["strokes"]]
    except (KeyError, TypeError, ValueError):
        raise ValueError("drawing: expected strokes of (x, y) pairs.") from None
    count = sum(map(len, drawn))
    if count > 4_000 or not all(drawn):
        raise ValueError(f"drawing: expected strokes of 1 to 4,000 places of the brush; got {count}.")
    return drawn
