"""A running studio and a real browser, one of each for the tests of the page."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from typing import Any

import pytest

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

QUIET_BROWSER = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def built() -> Any:
    """A page that nobody changes."""
    from fmstudio.ui.page import build

    return build()


@pytest.fixture(scope="session")
def studio_url(built: Any) -> Iterator[str]:
    """The address of a studio that serves for the whole session."""
    from fmstudio.ui.launch import options, tune

    page = built
    page.queue(default_concurrency_limit=4)
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, inbrowser=False, **options())
    tune(page)
    yield url
    page.close()
    wait_until_quiet()


def wait_until_quiet(longest: float = 60) -> None:
    """Wait until this process does nothing any more.

    Gradio's handlers run in daemon threads, and what a closed page had asked for is still drawn. A daemon
    thread that is inside torch when the interpreter ends makes C++ say "terminate called without an active
    exception".
    """
    until = time.monotonic() + longest
    while time.monotonic() < until:
        before = time.process_time()
        time.sleep(0.5)
        if time.process_time() - before < 0.05:
            return


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium: the one on the PATH, else Playwright's own."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = shutil.which("chromium") or shutil.which("google-chrome")
        chromium = playwright.chromium.launch(executable_path=path, args=QUIET_BROWSER)
        yield chromium
        chromium.close()
