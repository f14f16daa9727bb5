"""The Stop button of a long action."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.components import Component

from fmstudio.ui.halting import halt

# The browser says it at once, and only of work that shows its progress. Said by the server it could come
# after the action's own last word: Gradio keeps the order within one event, not between two.
_STOPPING = """(shown) => shown.includes("<progress") ? '<p class="fm-note">Stopping…</p>' : shown"""


def stoppable(button: gr.Button, visitor: gr.State, status: Component, name: str) -> None:
    """Let a button ask an action to end.

    Args:
        button: the one to press.
        visitor: the session's state.
        status: where the action shows its progress and its last word.
        name: of the action: see :func:`fmstudio.ui.halting.until_halted`.
    """
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    button.click(None, status, status, js=_STOPPING, **quiet)
    button.click(lambda state: halt(state, name), visitor, None, **quiet)
