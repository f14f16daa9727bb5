"""What the Hub's sub-tab does: fetch a model, sample it, and say how far that is."""

from __future__ import annotations

from collections.abc import Generator

from fmstudio.image.hub import consent
from fmstudio.image.hub.fetch import fetch_files, fetch_model
from fmstudio.image.hub.find import TINY_FILES, outlook, this_machine
from fmstudio.image.hub.rows import Loaded, Settings, StepShown, sample_rows
from fmstudio.image.hub.sample import Finished
from fmstudio.image.progress import count_of_steps
from fmstudio.studio.running import Pulse
from fmstudio.ui.report import said
from fmstudio.ui.rooms.hub import html as pieces
from fmstudio.ui.rooms.images.parts import duration

_SHOW_EVERY = 0.4

Shown = dict[str, str]
"""What changes on the page, in HTML: the status, the live look, the rows ("grid"), the schedule ("curve")."""


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


def sampling(settings: Settings) -> Generator[Shown]:
    """Sample row by row; each item is what changes on the page."""
    total, done, pulse = sum(settings.steps), 0, Pulse(_SHOW_EVERY)
    rows: list[Finished] = []
    html: list[str] = []
    strip: list[StepShown] = []
    commit = ""
    yield {"status": said("Loading the model…"), "live": "", "grid": "", "curve": ""}
    for event in sample_rows(settings):
        if isinstance(event, Loaded):
            commit = event.commit
            yield {"status": said(f"Loaded: {event.plan.title}. Previews by {event.preview}.")}
        elif isinstance(event, StepShown):
            done += 1
            strip.append(event)
            if pulse.due():
                left = duration(event.record.seconds * (total - done))
                bar = f'<progress max="{total}" value="{done}"></progress>'
                status = said(f"Step {done} of {total}, about {left} left by the last step") + bar
                yield {"status": status, "live": pieces.live_html(event)}
        else:
            rows.append(event)
            html.append(pieces.row_html(event, strip, settings.each_alone(event.request, commit)))
            strip = []
            yield {
                "status": said(f"{done} of {total} steps"),
                "grid": pieces.rows_html(html),
                "curve": pieces.schedule_html(rows),
            }
    spent = duration(sum(row.seconds for row in rows))
    yield {"status": said(f"Done: {count_of_steps(total)} in {spent}."), "live": ""}
