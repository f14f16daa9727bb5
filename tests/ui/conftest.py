"""A running studio and a real browser, one of each for the tests of the page."""

from __future__ import annotations

import os
import shutil
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
def studio_url() -> Iterator[str]:
    """The address of a studio that serves for the whole session."""
    from fmstudio.ui.launch import options
    from fmstudio.ui.page import build

    page = build()
    page.queue(default_concurrency_limit=4)
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, inbrowser=False, **options())
    yield url
    page.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium: the one on the PATH, else Playwright's own."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = shutil.which("chromium") or shutil.which("google-chrome")
        chromium = playwright.chromium.launch(executable_path=path, args=QUIET_BROWSER)
        yield chromium
        chromium.close()
