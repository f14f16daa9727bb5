"""Of two quick choices the last counts, with all that follows it, in whatever order they arrive."""

from typing import Any

import gradio as gr

from fmstudio.learn.experiment import Experiment
from fmstudio.studio.session import Rooms, Visitor
from fmstudio.ui.painting import Painting
from fmstudio.ui.room import Room
from fmstudio.ui.wiring import Updates

CHOICES = {"input", "change", "select", "release", "submit", "blur", "upload"}


def test_no_choice_is_left_out_because_another_is_under_way(built: gr.Blocks) -> None:
    events = {event["id"]: event for event in built.config.get("dependencies", []) if event["backend_fn"]}

    def choice(event: dict[str, Any]) -> bool:
        if event["trigger_after"] is not None:
            return event["trigger_after"] in events and choice(events[event["trigger_after"]])
        return any(name in CHOICES for _, name in event["targets"])

    choices = [event for event in events.values() if choice(event)]
    assert len(choices) > 50
    lost = [
        event["targets"] or event["trigger_after"] for event in choices if event["trigger_mode"] == "once"
    ]
    assert lost == []


def test_a_turn_that_arrives_late_is_not_taken() -> None:
    visitor = Visitor()
    assert visitor.browser.turn("room", 0.0)
    assert visitor.browser.turn("room", 20.5)
    assert not visitor.browser.turn("room", 10.0)
    assert not visitor.browser.turn("room", 20.5)
    assert visitor.browser.turn("page", 10.0)


def test_only_the_room_on_screen_is_painted() -> None:
    with gr.Blocks():
        part = gr.HTML()
        painted: list[Experiment] = []

        def repaint(state: Visitor) -> Updates:
            painted.append(state.experiment)
            return {part: "a picture"}

        rooms = {name: Room(repaint=repaint, outputs=[part]) for name in ("Train", "Sample")}
        painting = Painting(rooms, {})
    visitor = Visitor(rooms=Rooms(on_screen="Sample"))
    assert painting.paint(visitor, "Train") == {}
    assert painted == []
    assert painting.paint(visitor, "Sample") == {part: "a picture"}
    assert painting.paint(visitor, "Sample") == {}
    assert painted == [visitor.experiment]
