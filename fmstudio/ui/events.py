"""What a component's script sends with an event: untrusted, so at most a dictionary."""

from __future__ import annotations

from typing import Any

import gradio as gr


def sent(event: gr.EventData) -> dict[str, Any]:
    """The event's data, or nothing where it is no dictionary; its values are still to be checked."""
    data = event._data  # pyright: ignore[reportPrivateUsage]
    return data if isinstance(data, dict) else {}
