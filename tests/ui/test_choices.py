"""Of two quick choices the last counts, with all that follows it."""

from typing import Any

from fmstudio.ui.page import build

CHOICES = {"input", "change", "select", "release", "submit", "blur", "upload"}


def test_no_choice_is_left_out_because_another_is_under_way():
    events = {event["id"]: event for event in build().config.get("dependencies", []) if event["backend_fn"]}

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
