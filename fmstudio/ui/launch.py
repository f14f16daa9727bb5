"""Serve the page: where, how many may work at once, and what is left behind."""

from __future__ import annotations

import errno
import gc
import os
import socket
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import getproxies_environment

import gradio as gr
from starlette.middleware import Middleware

from fmstudio.device import chosen_device
from fmstudio.image.hub.consent import Permission, permission
from fmstudio.ui import door, element, errand, kept_files, theme, warm
from fmstudio.ui.page import build

WORKERS = 8
"""Short actions that run at once; trainings and image sampling have bounded pools of their own."""

POLL = 0.005
"""Seconds between two looks at the queue. Gradio's own 0.001 cost an idle studio 6 % of a core."""

THREADS = 100
"""Handlers at once; those who wait for their turn in a line keep one each."""

SESSIONS = 400
"""Visits that are remembered, 1 to 2 MB each: the one that was idle for the longest goes first.

Gradio drops a visitor's state an hour after the page was closed, but never what it knows of the page's parts.
"""


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
    reach_itself(host)
    with own_folder() as folder:
        page = build()
        page.launch(
            server_name=host,
            server_port=port,
            inbrowser=browser and is_desktop(),
            share=share,
            prevent_thread_lock=True,
            **options(),
        )
        tune(page)
        # What is here now stays for good: collections from here on need not walk through it.
        gc.freeze()
        gc.enable()
        warm.start()
        kept_files.start(folder, page)
        page.block_thread()


def tune(page: gr.Blocks) -> None:
    """Set what no option of ``Blocks.launch`` sets, on a page that is served."""
    # Requests that skip the queue would skip its bounds too.
    page.api_open = False
    queue = page._queue  # pyright: ignore[reportPrivateUsage]
    queue.sleep_when_free = max(queue.sleep_when_free, POLL)
    page.server.config.h11_max_incomplete_event_size = door.LONGEST_HEAD


def budgeted(seconds: str | None, gigabytes: str | None) -> None:
    """Set what one API call may use; the environment says it where an option is None.

    Args:
        seconds, gigabytes: as typed; "inf" is no bound.

    Raises:
        ValueError: an option or a variable that is not a number above 0.
    """
    for name, given in ((errand.SECONDS, seconds), (errand.GIGABYTES, gigabytes)):
        if given is not None:
            os.environ[name] = given
    errand.budget()


def check(host: str, port: int | None, hub: str | None) -> None:
    """Refuse before anything is built what would fail later, or only in a visitor's hands.

    Args:
        host, port, hub: as in :func:`launch`.

    Raises:
        ValueError: nothing can listen there, or a variable of the studio has a value that it does not know.
    """
    if hub is None:
        permission()
    chosen_device()
    if port is not None and not 1 <= port <= 65_535:
        raise ValueError(f"--port: expected a number from 1 to 65535; got {port}.")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port or 0, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise ValueError(f"--host: no address is known for {host!r} ({error.strerror}).") from error
    with socket.socket(family, kind, protocol) as listener:
        if sys.platform != "win32":  # Elsewhere: a port that was closed a moment ago is free.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError as error:
            raise ValueError(_why_not(error, host, port)) from error


def _why_not(error: OSError, host: str, port: int | None) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"--port: {port} is taken. Without --port the first free one from 7860 is used."
    if error.errno == errno.EACCES:
        return f"--port: this user may not listen at {port}; 1024 and above are open to everybody."
    return f"--host: nothing can listen at {host!r} ({error.strerror}); 0.0.0.0 stands for all its addresses."


@contextmanager
def own_folder() -> Generator[Path, None, None]:
    """Keep what is written for visitors in a folder of this process alone, and delete it at the end.

    Gradio's own choice is one folder for all users of a machine, in which the second user may not write.
    ``GRADIO_TEMP_DIR`` names the folder that this one is made in.
    """
    named = os.environ.get("GRADIO_TEMP_DIR")
    with TemporaryDirectory(prefix="fmstudio-", dir=named, ignore_cleanup_errors=True) as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        try:
            yield Path(folder)
        finally:
            if named is None:
                del os.environ["GRADIO_TEMP_DIR"]
            else:
                os.environ["GRADIO_TEMP_DIR"] = named


def reach_itself(host: str) -> None:
    """Let no proxy of the environment stand between the studio and its own address, which Gradio asks."""
    proxies = getproxies_environment()
    if set(proxies) - {"no"}:
        os.environ["no_proxy"] = ",".join(filter(None, [proxies.get("no"), "localhost", "127.0.0.1", host]))


def options() -> dict[str, Any]:
    """What ``Blocks.launch`` needs to look and behave like the studio, tests included."""
    return {
        "theme": theme.theme(),
        "css": theme.css(),
        "js": theme.script(),
        "head": element.preload(),
        "ssr_mode": False,
        "footer_links": ["api"],
        "max_file_size": "8mb",
        "state_session_capacity": SESSIONS,
        "max_threads": THREADS,
        "show_error": True,
        "app_kwargs": {"middleware": [Middleware(door.Door)]},
    }


def is_desktop() -> bool:
    """Whether somebody sits before this machine's screen."""
    if os.environ.get("SPACE_ID") or os.environ.get("CI"):
        return False
    return sys.platform in ("darwin", "win32") or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )
