"""What the races in a real browser share: a page served by this process, a Chromium, times of clicks."""

from __future__ import annotations

import os
import shutil
import statistics
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

from benchmarks.race import Goal

QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
T = TypeVar("T")

BUSY = "Wall time grows while other programs have the processor: see the load average below."


def served(drive: Callable[[Any, str], T]) -> T:
    """Serve the studio, open a browser, and let ``drive(chromium, url)`` use both."""
    from playwright.sync_api import sync_playwright

    from fmstudio.ui.launch import options
    from fmstudio.ui.page import build

    def alone() -> T:
        with sync_playwright() as playwright:
            path = shutil.which("chromium") or shutil.which("google-chrome")
            chromium = playwright.chromium.launch(executable_path=path, args=QUIET)
            try:
                return drive(chromium, url)
            finally:
                chromium.close()

    page = build()
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, inbrowser=False, **options())
    try:
        # A thread of its own: where a browser is open already, its loop has the present one.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(alone).result()
    finally:
        page.close()


def opened(chromium: Any, address: str, patience: int) -> Any:
    """A tab of usual size; what does not come within so many milliseconds is an error."""
    tab = chromium.new_page(viewport={"width": 1440, "height": 900})
    tab.set_default_timeout(patience)
    tab.goto(address)
    return tab


def three(times: Sequence[float]) -> tuple[str, str, str]:
    """Median, fastest and slowest, whole milliseconds."""
    return f"{statistics.median(times):.0f}", f"{min(times):.0f}", f"{max(times):.0f}"


def within(goal: str, limit: float, times: Sequence[float], what: str = "") -> Goal:
    """Met by the median; missed if not even the fastest met it; on a busy machine not decided in between."""
    middle, best = statistics.median(times), min(times)
    met = True if middle <= limit else (None if best <= limit else False)
    return Goal(goal, f"{what}median {middle:.0f} ms, fastest {best:.0f} ms", met)
