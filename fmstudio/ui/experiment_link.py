"""From controls to the experiment and back: every edit is checked, shown, and written into the link."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any

import gradio as gr
from gradio.components import Component

from fmstudio.learn.experiment import PATHS, Experiment
from fmstudio.learn.nets.fitting import edited, read_link, without_leftovers
from fmstudio.studio import train
from fmstudio.studio.session import Browser, Visitor
from fmstudio.ui import bringing, desk, words
from fmstudio.ui.board import board_value
from fmstudio.ui.bringing import accept
from fmstudio.ui.lessons import Lessons, read_step
from fmstudio.ui.painting import Painting
from fmstudio.ui.report import warn
from fmstudio.ui.room import Room
from fmstudio.ui.shown import Parts, shown_of
from fmstudio.ui.sidebar import Sidebar
from fmstudio.ui.wiring import QUIET, SEEN, Updates

_WRITE_LINK = "(query) => window.dispatchEvent(new CustomEvent('fm-link', {detail: query}))"
_PICTURE_FIRST = """async (state) => {
  const players = [];
  window.dispatchEvent(new CustomEvent("fm-idle", {detail: players}));
  await Promise.all(players);
  return state;
}"""
_CHANGES = threading.Lock()


def wire_experiment(
    page: gr.Blocks,
    visitor: gr.State,
    side: Sidebar,
    rooms: Sequence[Room],
    lessons: Lessons,
    painting: Painting,
) -> None:
    """Connect all controls of the sidebar and the rooms with the visitor's experiment.

    An edit is two events. The first takes the choice and brings the picture, so that nothing that is not
    needed for it stands in its way; the second brings the controls up to date, with what differs from what
    the browser has. An experiment from elsewhere, a link, a file or a lesson, shows in the controls first.
    """
    controls = dict(side.controls)
    for room in rooms:
        controls |= room.controls
    link = _Link(visitor, Parts.around(side, controls), painting)
    outputs = [visitor, *painting.outputs]
    last_file: dict[str, Any] = {"trigger_mode": "always_last", **SEEN}
    # Without the queue, an answer comes back on the request itself: two round trips less. It cannot warn.
    last: dict[str, Any] = {**last_file, "queue": False}
    edits = [(part, link.edit(name)) for name, part in controls.items()]
    edits += [(side.others[f"desk {name}"], bringing.choose(name)) for name in desk.CHOICES]
    for part, change in edits:
        link.settles(
            gr.on(_edited(part), link.then(change, painting.at_once), [visitor, part], outputs, **last)
        )
    # "always_last" would run what follows quickly with the data of the one before.
    each = last | {"trigger_mode": "multiple"}
    link.settles(side.board.input(link.then(bringing.draw, painting.at_once), visitor, outputs, **each))
    read = side.upload.upload(
        link.then(bringing.upload, painting.at_once), [visitor, side.upload], outputs, **last_file
    )
    link.settles(read).then(None, None, side.upload, js="() => null", **QUIET)  # For another file.
    for button, read in (room.opener for room in rooms if room.opener):
        link.settles(
            button.upload(link.then(_on_file(read), painting.begin), [visitor, button], visitor, **last_file)
        )
    step = lessons.input(
        link.then(_on_lesson, painting.begin), visitor, visitor, trigger_mode="multiple", **QUIET
    )
    link.settles(step)
    loaded = link.settles(page.load(link.then(_opened, painting.begin), visitor, visitor, **QUIET))
    # The address follows; a link that was refused is taken out of it.
    query = link.parts.query
    query.change(None, query, None, js=_WRITE_LINK, **QUIET)
    loaded.then(None, query, None, js=_WRITE_LINK, **QUIET)


@dataclass(frozen=True, eq=False)
class _Link:
    """The events of an edit: its change, the room's picture, and what follows in the controls."""

    visitor: gr.State
    parts: Parts
    painting: Painting

    def edit(self, name: str) -> Callable[[Visitor, Any], None]:
        """Take the choice of one control."""

        def chosen(state: Visitor, value: Any) -> None:
            browser = state.browser
            with _CHANGES:
                browser.shown.setdefault(name, dict(self.parts.at_first[name]))["value"] = value
                if name in browser.drafts and browser.drafts[name][0] == value:
                    return  # Refused when Enter was pressed, and now it was left.
                browser.drafts.pop(name, None)
                taken = accept(state, lambda: edited(state.experiment, name, value))
                if not taken and name in PATHS["custom"].fields:
                    browser.drafts[name] = value, browser.refused

        return chosen

    def then(
        self, change: Callable[..., None], paint: Callable[[Visitor], Updates | None]
    ) -> Callable[..., Updates]:
        """The change and, in the same event, what is painted or begun of the room on screen."""

        @wraps(change)
        def run(state: Visitor, *given: Any, **named: Any) -> Updates:
            change(state, *given, **named)
            return {self.visitor: state, **(paint(state) or {})}

        return run

    def settles(self, event: Any) -> Any:
        """After an event, what the browser does not show yet of the experiment."""
        # One at a time, so that what was last sent is what was last chosen; each has its turn.
        told = [self.visitor, *self.parts.all.values(), *self.painting.calls.values()]
        order: dict[str, Any] = {"concurrency_limit": 1, "trigger_mode": "multiple"}

        def settle(state: Visitor) -> Updates:
            _tell(state.browser)
            return {self.visitor: state, **self._behind(state), **self.painting.to_come(state)}

        return event.then(settle, self.visitor, told, js=_PICTURE_FIRST, **order, **QUIET)

    def _behind(self, state: Visitor) -> Updates:
        """What differs from what the browser shows; from now on it shows it."""
        browser = state.browser
        with _CHANGES:
            now = shown_of(state.experiment, self.parts)
            now["board"]["value"] = board_value(state.experiment, state.drawn)
            now |= desk.shown(state.experiment, state.desk)
            for name, (text, _) in browser.drafts.items():
                now[name]["value"] = text
            if browser.drafts:
                reasons = [why for _, why in browser.drafts.values()]
                now["path note"] = {"value": words.not_drawn(reasons, state.experiment), "visible": True}
            before, browser.shown = browser.shown or self.parts.at_first, now
        updates: Updates = {}
        for name, part in self.parts.all.items():
            known = before.get(name, {})
            changed: dict[str, Any] = {key: v for key, v in now[name].items() if known.get(key, ...) != v}
            if changed:
                updates[part] = gr.update(**changed)
        return updates


def _tell(browser: Browser) -> None:
    """Say why an edit was refused, and what was changed besides."""
    if browser.refused:
        warn(f"Not changed: {browser.refused}")
        browser.refused = ""
    if browser.told:
        warn(" ".join(browser.told))
        browser.told.clear()


def _on_lesson(state: Visitor, event: gr.EventData) -> None:
    """Show what a lesson's step shows, or what was there before it."""
    opened = read_step(event)
    with _CHANGES:
        if not state.browser.turn("lesson", opened.count):
            return
        if opened.experiment is None:
            train.end_lesson(state)
            return
        experiment = opened.experiment
        if accept(state, lambda: (experiment, [])):
            train.begin_lesson(state, experiment, opened.own)


def _on_file(read: Callable[[Visitor, str], Experiment]) -> Callable[[Visitor, str], None]:
    """Take the experiment of a file."""

    def opened_file(state: Visitor, file: str) -> None:
        accept(state, lambda: without_leftovers(read(state, file)))

    return opened_file


def _opened(state: Visitor, request: gr.Request) -> None:
    """Take the experiment of the link that the page was opened by."""
    given = {k: v for k, v in dict(request.query_params).items() if not k.startswith("__")}
    state.experiment, notes = read_link(given)
    state.browser.told += words.notes(notes)


def _edited(part: Component) -> list[Any]:
    """The events that mean a person has settled on a value: not every pixel of a drag, not every letter."""
    if isinstance(part, gr.Slider):
        return [part.release]
    if isinstance(part, gr.Textbox | gr.Number):
        return [part.submit, part.blur]
    return [part.input]  # pyright: ignore[reportAttributeAccessIssue]
