"""How the page's events are wired: settings that many share, and the buttons of a long action."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.blocks import BlockContext
from gradio.components import Component

from fmstudio.studio.line import MOST_WAITING

Part = Component | BlockContext
"""What an event can change: a component, or a tab."""

Updates = dict[Part, Any]
"""What an event changes: new values, or properties, by component. What is not named stays as it is."""

QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
"""An event of the page alone, whose progress is not shown."""

SEEN: dict[str, Any] = {"show_progress": "minimal", "api_visibility": "private"}
"""The same, with a sign that something is on its way."""

LAST: dict[str, Any] = {"trigger_mode": "always_last", **QUIET}
"""Of quick choices the last counts."""

LATEX = [
    {"left": "$$", "right": "$$", "display": True},
    {"left": "$", "right": "$", "display": False},
]
"""What a Markdown part takes for a formula."""

NOW = "(state) => [state, performance.now()]"
"""The script of an event whose inputs are the visitor and the moment: see `Visitor.turn`."""

# The browser says it at once, and only of work that shows its progress. Said by the server it could come
# after the action's own last word: Gradio keeps the order within one event, not between two.
_STOPPING = """(shown) => shown.includes("<progress") ? '<p class="fm-note">Stopping…</p>' : shown"""


def sent(event: gr.EventData) -> dict[str, Any]:
    """What a component's script sends, or nothing where it is no dictionary; its values are to be checked."""
    data = event._data  # pyright: ignore[reportPrivateUsage]
    return data if isinstance(data, dict) else {}


def pooled(name: str) -> dict[str, Any]:
    """A long action's event: so many of this name are under way or told their place in line."""
    return QUIET | {"concurrency_id": name, "concurrency_limit": MOST_WAITING}


TRAINS = pooled("training")
"""What stands in the line :data:`~fmstudio.studio.line.TRAININGS`."""


@dataclass(frozen=True)
class Buttons:
    """The buttons of a long action.

    Args:
        starts: they begin it, or one like it.
        stop: asks it to end.
    """

    starts: Sequence[gr.Button]
    stop: gr.Button

    def set(self, busy: bool) -> Updates:
        """While it runs, or while nothing does."""
        starts: Updates = {button: gr.update(interactive=not busy) for button in self.starts}
        return starts | {self.stop: gr.update(interactive=busy)}

    @property
    def parts(self) -> list[Part]:
        """All of them."""
        return [*self.starts, self.stop]


def stoppable(button: gr.Button, visitor: gr.State, status: Component, name: str) -> None:
    """Let a button ask an action to end.

    Args:
        button: the one to press.
        visitor: the session's state.
        status: where the action shows its progress and its last word.
        name: of the action: see :meth:`fmstudio.studio.running.Running.run`.
    """
    button.click(None, status, status, js=_STOPPING, **QUIET)
    button.click(lambda state: state.running.halt(name), visitor, None, **QUIET)
