"""From controls to the experiment and back: every edit is checked, shown, and written into the link."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

import gradio as gr
from gradio.components import Component

from fmstudio.learn.build import density_of, path_of
from fmstudio.learn.experiment import PATH_FIELDS, Experiment
from fmstudio.learn.nets.fitting import Note, check, edited, read_link, without_leftovers
from fmstudio.plots.coefficients import coefficients_svg
from fmstudio.ui import desk, training, words
from fmstudio.ui.board import board_value
from fmstudio.ui.bringing import Bringing
from fmstudio.ui.lessons import Lessons, read_step
from fmstudio.ui.painting import Painting, Updates
from fmstudio.ui.room import Room
from fmstudio.ui.sidebar import Sidebar, around_options, number_choices, shown_fields
from fmstudio.ui.told import warn
from fmstudio.ui.visitor import Visitor

_WRITE_LINK = "(query) => window.dispatchEvent(new CustomEvent('fm-link', {detail: query}))"
_PICTURE_FIRST = """async (state) => {
  const players = [];
  window.dispatchEvent(new CustomEvent("fm-idle", {detail: players}));
  await Promise.all(players);
  return state;
}"""
_QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
_SEEN: dict[str, Any] = {"show_progress": "minimal", "api_visibility": "private"}
_CHANGES = threading.Lock()
_TOLD = ("regression", "target")
"""What an edit may put back that is not in sight: the visitor is told."""


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

    Args:
        page: the page under construction.
        visitor: the session's state.
        side, rooms, lessons: where the controls are.
        painting: what brings the room on screen up to date.
    """
    controls = dict(side.controls)
    for room in rooms:
        controls |= room.controls
    query = gr.Textbox(visible="hidden")
    parts: dict[str, Component] = {
        "query": query,
        "data note": side.data_note,
        "coefficients": side.coefficients,
        "path note": side.path_note,
        "board": side.board,
        "upload": side.upload,
        **side.desk.parts,
        **controls,
    }

    at_first = {name: {"value": part.value, "visible": part.visible} for name, part in controls.items()}
    offered: dict[str, list[Any]] = {}
    for name, part in controls.items():
        if isinstance(part, gr.Dropdown) and "fm-number" in part.elem_classes:
            offered[name] = [value for _, value in part.choices]
            at_first[name]["choices"] = list(part.choices)

    def accept(state: Visitor, change: Callable[[], tuple[Experiment, list[Note]]]) -> bool:
        """Make the change if it can be; else keep the experiment as it was, and why."""
        try:
            experiment, notes = change()
            check(experiment)
        except ValueError as error:
            state.refused = str(error)
            return False
        state.told += words.notes(note for note in notes if note.name in _TOLD)
        if experiment.path != state.experiment.path:
            state.drafts.clear()
        state.experiment = experiment
        return True

    def edit(name: str) -> Callable[[Visitor, Any], None]:
        def chosen(state: Visitor, value: Any) -> None:
            with _CHANGES:
                state.shown.setdefault(name, dict(at_first[name]))["value"] = value
                if name in state.drafts and state.drafts[name][0] == value:
                    return  # Refused when Enter was pressed, and now it was left.
                state.drafts.pop(name, None)
                taken = accept(state, lambda: edited(state.experiment, name, value))
                if not taken and name in PATH_FIELDS["custom"]:
                    state.drafts[name] = value, state.refused

        return chosen

    def on_lesson(state: Visitor, event: gr.EventData) -> None:
        opened = read_step(event)
        with _CHANGES:
            if not state.turn("lesson", opened.count):
                return
            if opened.experiment is None:
                training.end_lesson(state)
                return
            experiment = opened.experiment
            if accept(state, lambda: (experiment, [])):
                training.begin_lesson(state, experiment, opened.own)

    def on_file(read: Callable[[Any, str], Experiment]) -> Callable[[Visitor, str], None]:
        def opened_file(state: Visitor, file: str) -> None:
            accept(state, lambda: without_leftovers(read(state, file)))

        return opened_file

    def opened(state: Visitor, request: gr.Request) -> None:
        given = {k: v for k, v in dict(request.query_params).items() if not k.startswith("__")}
        state.experiment, notes = read_link(given)
        state.told += words.notes(notes)

    def then_begin(change: Callable[..., None]) -> Callable[..., Updates]:
        """The change; the picture is begun and called for later."""

        @wraps(change)
        def run(state: Visitor, *given: Any, **named: Any) -> Updates:
            change(state, *given, **named)
            painting.begin(state)
            return {visitor: state}

        return run

    def then_paint(change: Callable[..., Updates | None]) -> Callable[..., Updates]:
        """The change and, in the same event, what the room on screen makes of it."""

        @wraps(change)
        def run(state: Visitor, *given: Any, **named: Any) -> Updates:
            updates = change(state, *given, **named) or {}
            return {visitor: state, **updates, **painting.at_once(state)}

        return run

    def settle(state: Visitor) -> Updates:
        """What the browser does not show yet of the experiment, and a call for the room if it lags behind."""
        if state.refused:
            warn(f"Not changed: {state.refused}")
            state.refused = ""
        if state.told:
            warn(" ".join(state.told))
            state.told.clear()
        with _CHANGES:
            now = _shown(state.experiment, list(controls), offered)
            now["board"]["value"] = board_value(state.experiment, state.drawn)
            now |= desk.shown(state.experiment, state.desk)
            for name, (text, _) in state.drafts.items():
                now[name]["value"] = text
            if state.drafts:
                reasons = [why for _, why in state.drafts.values()]
                now["path note"] = {"value": words.not_drawn(reasons, state.experiment), "visible": True}
            before, state.shown = state.shown or at_first, now
        updates: Updates = {}
        for name, part in parts.items():
            changed = {key: v for key, v in now[name].items() if before.get(name, {}).get(key, ...) != v}
            if changed:
                updates[part] = gr.update(**changed)
        return {visitor: state, **updates, **painting.to_come(state)}

    def settles(event: Any) -> Any:
        # One at a time, so that what was last sent is what was last chosen; each has its turn.
        told = [visitor, *parts.values(), *painting.calls.values()]
        order: dict[str, Any] = {"concurrency_limit": 1, "trigger_mode": "multiple"}
        return event.then(settle, visitor, told, js=_PICTURE_FIRST, **order, **_QUIET)

    outputs = [visitor, *painting.outputs]
    last_file: dict[str, Any] = {"trigger_mode": "always_last", **_SEEN}
    # Without the queue, an answer comes back on the request itself: two round trips less. It cannot warn.
    last: dict[str, Any] = {**last_file, "queue": False}
    for name, part in controls.items():
        settles(gr.on(_edited(part), then_paint(edit(name)), [visitor, part], outputs, **last))
    bringing = Bringing(accept)
    for name, part in side.desk.controls.items():
        settles(gr.on(_edited(part), then_paint(bringing.choose(name)), [visitor, part], outputs, **last))
    settles(side.board.input(then_paint(bringing.draw), visitor, outputs, **last))
    read = side.upload.upload(then_paint(bringing.upload), [visitor, side.upload], outputs, **last_file)
    settles(read).then(None, None, side.upload, js="() => null", **_QUIET)  # For another file.
    for button, read in (room.opener for room in rooms if room.opener):
        settles(button.upload(then_begin(on_file(read)), [visitor, button], visitor, **last_file))
    # "always_last" would run a step that was passed quickly with the data of the one before.
    settles(lessons.input(then_begin(on_lesson), visitor, visitor, trigger_mode="multiple", **_QUIET))
    loaded = settles(page.load(then_begin(opened), visitor, visitor, **_QUIET))
    # The address follows; a link that was refused is taken out of it.
    query.change(None, query, None, js=_WRITE_LINK, **_QUIET)
    loaded.then(None, query, None, js=_WRITE_LINK, **_QUIET)


def _shown(
    experiment: Experiment, controls: Sequence[str], offered: Mapping[str, Sequence[float]]
) -> dict[str, dict[str, Any]]:
    """What the sidebar and the rooms' controls show of an experiment, by the part's name.

    Args:
        experiment: what to show.
        controls: the names of all controls.
        offered: the numbers to choose from, by the name of a control that takes others too.
    """
    note = words.path_note(experiment)
    drawn = experiment.data == "points"
    classes = density_of(experiment).classes
    names = words.class_names(experiment, classes)
    values = experiment.to_dict()
    shown: dict[str, dict[str, Any]] = {name: {"value": values[name]} for name in controls}
    for name, seen in shown_fields(experiment, classes).items():
        shown[name]["visible"] = seen
    shown["label"]["choices"] = [("every class", -1), *zip(names, range(classes), strict=True)]
    for name, choices in offered.items():
        shown[name]["choices"] = number_choices(choices, values[name])
    shown["around"]["visible"] = "around" in PATH_FIELDS.get(experiment.path, ())
    shown["around"]["choices"] = list(around_options(experiment))
    return shown | {
        "query": {"value": _link(experiment)},
        "data note": {"value": words.data_note(experiment)},
        "coefficients": {"value": coefficients_svg(path_of(experiment), words.path_formula(experiment))},
        "path note": {"value": note, "visible": bool(note)},
        "board": {"visible": drawn or experiment.data == "mixture"},
        "upload": {"visible": drawn},
    }


def _link(experiment: Experiment) -> str:
    """The query string, without a cloud or a mixture that is put aside: they are long."""
    aside = [name for name in ("points", "mixture") if experiment.data != name]
    return experiment.but(**{name: getattr(Experiment(), name) for name in aside}).to_query()


def _edited(part: Component) -> list[Any]:
    """The events that mean a person has settled on a value: not every pixel of a drag, not every letter."""
    if isinstance(part, gr.Slider):
        return [part.release]
    if isinstance(part, gr.Textbox | gr.Number):
        return [part.submit, part.blur]
    return [part.input]  # pyright: ignore[reportAttributeAccessIssue]
