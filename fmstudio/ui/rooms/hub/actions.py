"""What the Hub's sub-tab does: fetch a model, sample it, and say how far that is."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from typing import Any

import gradio as gr

from fmstudio.image.hub import consent
from fmstudio.image.hub.fetch import fetch_files, fetch_model
from fmstudio.image.hub.jobs import (
    TINY_FILES,
    Loaded,
    Settings,
    StepShown,
    made_by,
    outlook,
    sample_rows,
    this_machine,
)
from fmstudio.image.hub.sample import Finished
from fmstudio.image.progress import count_of_steps
from fmstudio.image.settings import parse_steps
from fmstudio.ui.line import HUB
from fmstudio.ui.report import said
from fmstudio.ui.rooms.hub import html as pieces

AUTO = "the fastest that fits"
"""The way to run a model that the plan chooses."""

_SHOW_EVERY = 0.4


def fetching(model: str, revision: str, lean: bool) -> Generator[str]:
    """Fetch a model and its small decoder, telling how far it is.

    Args:
        model: a card's id or a repository.
        revision: branch, tag or commit; "" for its card's.
        lean: whether to leave out the parts that the pipeline can do without.

    Raises:
        ValueError: it may not be fetched, or cannot be run.
    """
    refused = consent.may_fetch(model)
    if refused:
        raise ValueError(refused)
    seen = outlook(model, this_machine(), revision)
    known = seen.card
    if seen.found:
        yield said("It is on this machine already.")
        return
    without = known.optional if known and lean else ()
    for progress in fetch_model(seen.name, seen.revision, without):
        yield pieces.fetching_html(progress, seen.title)
    note = ""
    if known and known.tiny_vae:
        try:
            for progress in fetch_files(known.tiny_vae, TINY_FILES):
                yield pieces.fetching_html(progress, "small decoder for previews")
        except Exception as error:
            why = consent.explain(error, known.tiny_vae)
            note = f" Not so its small decoder for previews; a linear map takes its place. {why}"
    yield f'<p class="fm-note">Fetched.{note}</p>'


def settings_of(
    model: str,
    revision: str,
    prompt: str,
    steps: str,
    guidance: float | None,
    solver: str,
    shift: float | None,
    seed: float | None,
    side: float,
    count: float,
    way: str,
) -> Settings:
    """Settings from the values of the controls.

    Raises:
        ValueError: step counts that are none.
    """
    return Settings(
        model=(model or "").strip(),
        revision=revision.strip(),
        prompt=prompt,
        steps=parse_steps(steps),
        guidance=float(guidance or 0.0),
        solver=solver,
        shift=shift or None,
        seed=int(seed or 0),
        side=int(side),
        count=int(count),
        way="" if way == AUTO else way,
    )


def drawing(settings: Settings) -> Generator[tuple[Any, ...]]:
    """Sample row by row in turn; each item is status, live look, rows, schedule, and the way to run it."""
    same = gr.skip()
    yield from HUB.serve(lambda: _sampling(settings), lambda words: (said(words), same, same, same, same))


def _sampling(settings: Settings) -> Iterator[tuple[Any, ...]]:
    total, done, shown_at = sum(settings.steps), 0, 0.0
    rows: list[Finished] = []
    html: list[str] = []
    strip: list[StepShown] = []
    commit = ""
    same = gr.skip()
    yield said("Loading the model…"), "", "", "", same
    for event in sample_rows(settings):
        if isinstance(event, Loaded):
            commit = event.commit
            yield said(f"Loaded: {event.plan.title}. Previews by {event.preview}."), same, same, same, same
        elif isinstance(event, StepShown):
            done += 1
            strip.append(event)
            if time.monotonic() - shown_at >= _SHOW_EVERY:
                shown_at = time.monotonic()
                left = event.record.seconds * (total - done)
                words_ = f"Step {done} of {total}, about {pieces.duration(left)} left by the last step"
                bar = f'<progress max="{total}" value="{done}"></progress>'
                yield said(words_) + bar, pieces.live_html(event), same, same, same
        else:
            rows.append(event)
            html.append(pieces.row_html(event, strip, made_by(settings, event.request, commit)))
            strip = []
            told = said(f"{done} of {total} steps")
            yield told, same, pieces.rows_html(html), pieces.schedule_html(rows), same
    spent = sum(row.seconds for row in rows)
    yield said(f"Done: {count_of_steps(total)} in {pieces.duration(spent)}."), "", same, same, same
