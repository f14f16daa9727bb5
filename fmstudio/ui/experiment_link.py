"""From controls to the experiment and back: every edit is checked, shown, and written into the link."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from fmstudio.learn import clouds
from fmstudio.learn.build import density_of, path_of
from fmstudio.learn.experiment import Experiment
from fmstudio.plots.coefficients import coefficients_svg
from fmstudio.ui import words
from fmstudio.ui.board import board_value
from fmstudio.ui.events import sent
from fmstudio.ui.lessons import Lessons, read_step
from fmstudio.ui.painting import Painter
from fmstudio.ui.room import Room
from fmstudio.ui.sidebar import PATH_FIELDS, Sidebar, around_options, shown_fields
from fmstudio.ui.visitor import Visitor

_WRITE_LINK = "(query) => { history.replaceState(null, '', query ? '?' + query : location.pathname); }"
_QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
_SEEN: dict[str, Any] = {"show_progress": "minimal", "api_visibility": "private"}

Updates = dict[Component, Any]


def check(experiment: Experiment) -> None:
    """Build what the experiment names, so that an impossible choice is refused before anything is drawn.

    Raises:
        ValueError: the sentence of whatever cannot be built.
    """
    path_of(experiment)
    density_of(experiment)


def wire_experiment(
    page: gr.Blocks, visitor: gr.State, side: Sidebar, rooms: Sequence[Room], lessons: Lessons, paint: Painter
) -> None:
    """Connect all controls of the sidebar and the rooms with the visitor's experiment.

    Args:
        page: the page under construction.
        visitor: the session's state.
        side, rooms, lessons: where the controls are.
        paint: what brings the room on screen up to date after an edit.
    """
    controls = dict(side.controls)
    for room in rooms:
        controls |= room.controls
    fields, parts = list(controls), list(controls.values())
    query = gr.Textbox(visible="hidden")

    def shown(experiment: Experiment) -> Updates:
        """Everything in the sidebar that follows from the experiment, the controls' values aside."""
        note = words.path_note(experiment)
        board = board_value("mixture" if experiment.data == "mixture" else "draw", experiment.mixture)
        drawn = experiment.data == "points"
        classes = density_of(experiment).classes
        names = words.class_names(experiment, classes)
        fields_shown = shown_fields(experiment, classes)
        return {
            query: _link(experiment),
            side.data_note: words.data_note(experiment),
            side.coefficients: coefficients_svg(path_of(experiment), words.path_formula(experiment)),
            side.path_note: gr.update(value=note, visible=bool(note)),
            side.board: gr.update(visible=drawn or experiment.data == "mixture", value=board),
            side.upload: gr.update(visible=drawn),
            side.cloud_note: gr.update(visible=drawn),
            **{controls[name]: gr.update(visible=seen) for name, seen in fields_shown.items()},
            controls["label"]: gr.update(
                visible=fields_shown["label"],
                choices=[("every class", -1), *zip(names, range(classes), strict=True)],
                value=experiment.label,
            ),
            controls["conditional"]: gr.update(
                visible=fields_shown["conditional"], value=experiment.conditional
            ),
            controls["around"]: gr.update(
                visible="around" in PATH_FIELDS.get(experiment.path, ()),
                choices=list(around_options(experiment)),
                value=experiment.around,
            ),
        }

    def adopt(state: Visitor, change: Callable[[], Experiment]) -> Updates:
        """Take an experiment from elsewhere, all controls with it."""
        updates = accept(state, change)
        for control, update in settled(state.experiment).items():
            updates[control] = {**update, **updates.get(control, {})}
        return updates

    def settled(experiment: Experiment) -> Updates:
        """Every control at the experiment's own value."""
        values = experiment.to_dict()
        return {control: gr.update(value=values[name]) for name, control in controls.items()}

    def accept(state: Visitor, change: Callable[[], Experiment]) -> Updates:
        """Make the change if it can be built; else say why and set every control back to what it was."""
        try:
            experiment = change()
            check(experiment)
        except ValueError as error:
            gr.Warning(str(error), title="Not changed")
            return {visitor: state, **settled(state.experiment)}
        state.experiment = experiment
        return {visitor: state, **shown(experiment)}

    def edit(state: Visitor, *values: Any) -> Updates:
        chosen = dict(zip(fields, values, strict=True))
        return accept(state, lambda: _without_leftovers(state.experiment, chosen))

    def on_board(state: Visitor, event: gr.EventData) -> Updates:
        data = sent(event)
        if "components" in data:
            return accept(state, lambda: state.experiment.but(mixture=words.mixture_json(data["components"])))
        return accept(state, lambda: _with_cloud(state, clouds.from_strokes(words.strokes(data))))

    def on_upload(state: Visitor, file: str | None) -> Updates:
        if file is None:
            return {visitor: state}
        read: list[clouds.Cloud] = []

        def change() -> Experiment:
            read.append(clouds.from_file(Path(file)))
            return _with_cloud(state, read[0])

        updates = accept(state, change)
        return (
            updates | {side.cloud_note: gr.update(value=words.cloud_note(read[0]), visible=True)}
            if query in updates
            else updates
        )

    def on_lesson(state: Visitor, event: gr.EventData) -> Updates:
        return adopt(state, lambda: read_step(event))

    def on_file(read: Callable[[Any, str], Experiment]) -> Callable[[Visitor, str], Updates]:
        def opened_file(state: Visitor, file: str) -> Updates:
            return adopt(state, lambda: read(state, file))

        return opened_file

    def opened(state: Visitor, request: gr.Request) -> Updates:
        given = {k: v for k, v in dict(request.query_params).items() if not k.startswith("__")}
        updates = adopt(state, lambda: Experiment.from_dict(given))
        if query not in updates:
            updates = adopt(state, Experiment)
        return updates

    def painting(change: Callable[..., Updates]) -> Callable[..., Iterator[Updates]]:
        """Show the change at once and then, in the same event, what the room on screen makes of it."""

        @wraps(change)
        def run(*given: Any, **named: Any) -> Iterator[Updates]:
            updates = change(*given, **named)
            yield updates
            yield paint(updates[visitor])

        return run

    painted = [part for room in rooms for part in room.outputs]
    edited = [
        visitor,
        query,
        side.data_note,
        side.coefficients,
        side.path_note,
        side.board,
        side.upload,
        side.cloud_note,
        *parts,
    ]
    outputs = list(dict.fromkeys([*edited, *painted]))
    last: dict[str, Any] = {"trigger_mode": "always_last", **_SEEN, "show_progress_on": painted}
    once: dict[str, Any] = {**_SEEN, "show_progress_on": painted}
    for button, read in (room.opener for room in rooms if room.opener):
        button.upload(painting(on_file(read)), [visitor, button], outputs, **once)
    gr.on(
        [event for part in parts for event in _edited(part)],
        painting(edit),
        [visitor, *parts],
        outputs,
        **last,
    )
    # "always_last" would run a step that was passed quickly with the data of the one before.
    lessons.input(painting(on_lesson), visitor, outputs, **(once | {"trigger_mode": "multiple"}))
    side.board.input(painting(on_board), visitor, outputs, **last)
    side.upload.upload(painting(on_upload), [visitor, side.upload], outputs, **once)
    # The address follows at once, before the picture is drawn; a link that was refused is taken out of it.
    query.change(None, query, None, js=_WRITE_LINK, **_QUIET)
    page.load(painting(opened), visitor, outputs, **once).then(None, query, None, js=_WRITE_LINK, **_QUIET)


def _link(experiment: Experiment) -> str:
    """The query string, without a cloud or a mixture that is put aside: they are long."""
    aside = [name for name in ("points", "mixture") if experiment.data != name]
    return experiment.but(**{name: getattr(Experiment(), name) for name in aside}).to_query()


def _without_leftovers(experiment: Experiment, chosen: dict[str, Any]) -> Experiment:
    """The experiment with what was chosen, and without what another choice has left behind."""
    if chosen["path"] == "zig-zag" and chosen["around"] == "linear":
        # From the latent path; a chain has no straight path to go around.
        chosen["around"] = "spherical"
    changed = experiment.but(**chosen)
    classes = density_of(changed).classes
    if changed.label >= classes or not (classes and changed.conditional):
        changed = changed.but(label=-1)
    return changed if classes else changed.but(conditional=False)


def _with_cloud(state: Visitor, cloud: clouds.Cloud) -> Experiment:
    return state.experiment.but(data="points", points=clouds.pack(cloud.points, cloud.labels))


def _edited(part: Component) -> list[Any]:
    """The events that mean a person has settled on a value: not every pixel of a drag, not every letter."""
    if isinstance(part, gr.Slider):
        return [part.release]
    if isinstance(part, gr.Textbox | gr.Number):
        return [part.submit, part.blur]
    return [part.input]  # pyright: ignore[reportAttributeAccessIssue]
