"""What the browser sends with an event."""

from __future__ import annotations

from typing import Any

import gradio as gr

NOW = "(state) => [state, performance.now()]"
"""The script of an event whose inputs are the visitor and the moment: see `Visitor.turn`."""


def sent(event: gr.EventData) -> dict[str, Any]:
    """What a component's script sends, or nothing where it is no dictionary; its values are to be checked."""
    data = event._data  # pyright: ignore[reportPrivateUsage]
    return data if isinstance(data, dict) else {}
