"""Serve the page: how many may work at once, and where a browser is opened."""

from __future__ import annotations

import gc
import os
import sys
from typing import Any

from fmstudio.image.hub.consent import Permission
from fmstudio.ui import theme, warm
from fmstudio.ui.page import build

WORKERS = 8
"""Short actions that run at once; trainings and image sampling have bounded pools of their own."""


def launch(
    host: str = "127.0.0.1",
    port: int | None = None,
    *,
    browser: bool = True,
    share: bool = False,
    hub: str | None = None,
) -> None:
    """Build the page and serve it until it is stopped.

    Args:
        host, port: where to listen; port None takes the first free one from 7860.
        browser: open one, if this is a desktop.
        share: a public link through Gradio's relay.
        hub: what may be fetched from the Hugging Face Hub and run: "off", "cards" or "any"; None leaves it to
            the variable FMSTUDIO_HUB (see `fmstudio.image.hub.consent`).

    Raises:
        ValueError: another value of `hub`.
    """
    if hub is not None:
        os.environ["FMSTUDIO_HUB"] = Permission(hub)
    # The variable, not page.queue(), which would make the whole web application a second time.
    os.environ.setdefault("GRADIO_DEFAULT_CONCURRENCY_LIMIT", str(WORKERS))
    page = build()
    page.launch(
        server_name=host,
        server_port=port,
        inbrowser=browser and is_desktop(),
        share=share,
        prevent_thread_lock=True,
        **options(),
    )
    # What is here now stays for good: collections from here on need not walk through it.
    gc.freeze()
    gc.enable()
    warm.start()
    page.block_thread()


def options() -> dict[str, Any]:
    """What ``Blocks.launch`` needs to look and behave like the studio, tests included."""
    return {
        "theme": theme.theme(),
        "css": theme.css(),
        "js": theme.script(),
        "ssr_mode": False,
        "footer_links": ["api"],
        "max_file_size": "8mb",
        "show_error": True,
    }


def is_desktop() -> bool:
    """Whether somebody sits before this machine's screen."""
    if os.environ.get("SPACE_ID") or os.environ.get("CI"):
        return False
    return sys.platform in ("darwin", "win32") or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )
