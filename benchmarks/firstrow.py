"""From the click on Sample to the first row of images: the Images room's step grid in a real browser."""

from __future__ import annotations

import os
import shutil
import statistics
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

from benchmarks.motion import QUIET
from benchmarks.race import Goal, Result, finish

QUICK = {"rounds": 1}
#: Milliseconds after which a row that has not come is an error.
PATIENCE = 300_000
LOADED = "document.querySelectorAll('#images-grid figure img').length == 12"
STOPPED = "document.querySelector('#images-status').innerText.includes('Stopped')"

#: Resolves with the milliseconds from the next click to the frame in which a finished row is drawn.
WATCH = """() => { window.rowShown = new Promise((done, fail) => {
  setTimeout(() => fail(new Error("No row came in time.")), PATIENCE);
  document.addEventListener("click", () => {
    const clicked = performance.now(), before = document.querySelector("#images-grid img").src;
    const look = () => {
      const first = document.querySelector("#images-grid figure:not(.pale) img");
      if (!first || first.src === before || !first.complete) return requestAnimationFrame(look);
      requestAnimationFrame(() => done(performance.now() - clicked));
    };
    look();
  }, { capture: true, once: true });
}); }""".replace("PATIENCE", str(PATIENCE))


def race(rounds: int = 7) -> Result:
    """Press Sample with the default settings: once at once in a fresh process, then when all is loaded.

    Args:
        rounds: measured with the models loaded, each from a seed of its own.
    """
    from fmstudio.ui.launch import options
    from fmstudio.ui.page import build

    page = build()
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, inbrowser=False, **options())
    try:
        # A thread of its own: where a browser is open already, its loop has the present one.
        with ThreadPoolExecutor(1) as alone:
            cold, warm = alone.submit(_drive, url, rounds).result()
    finally:
        page.close()
    middle = statistics.median(warm)
    return Result(
        "A click to the first row of images",
        "The step grid of the Images room in Chromium with the default settings (two models, 8 images a row, "
        f"FD on 100 images), {rounds} seeds: milliseconds of wall time from the click on Sample to the frame "
        "in which the first row, one step, is drawn. The rest is stopped then.",
        ("what", "median, ms", "fastest", "slowest"),
        (
            ("models loaded, as they are soon after the start", *_three(warm)),
            ("the first click, as soon as the room is open in a fresh process", *_three([cold])),
        ),
        (
            Goal(
                "first row on screen ≤ 1 s after the click",
                f"median {middle:.0f} ms, fastest {min(warm):.0f} ms",
                True if middle <= 1000 else (None if min(warm) <= 1000 else False),
            ),
        ),
        (
            "The first click of a fresh process waits for the import of diffusers. The page starts it by "
            "itself once it is served, and when the room is opened.",
            "Wall time grows while other programs have the processor: see the load average below.",
        ),
    )


def _three(times: list[float]) -> tuple[str, str, str]:
    return f"{statistics.median(times):.0f}", f"{min(times):.0f}", f"{max(times):.0f}"


def _drive(url: str, rounds: int) -> tuple[float, list[float]]:
    """Milliseconds of the first click of all, and of those with the models loaded."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = shutil.which("chromium") or shutil.which("google-chrome")
        chromium = playwright.chromium.launch(executable_path=path, args=QUIET)
        tab = chromium.new_page(viewport={"width": 1440, "height": 900})
        tab.set_default_timeout(PATIENCE)
        tab.goto(url)
        tab.get_by_role("tab", name="Images", exact=True).click()
        tab.wait_for_function(LOADED)
        times = []
        for seed in range(1, rounds + 2):  # Seed 0 makes the images that are there before a click.
            tab.get_by_label("seed", exact=True).locator("visible=true").first.fill(str(seed))
            times.append(_click(tab))
        chromium.close()
    return times[0], times[1:]


def _click(tab: Any) -> float:
    tab.evaluate(WATCH)
    tab.locator("#images-go").click()
    spent = float(tab.evaluate("window.rowShown"))
    tab.locator("#images-stop").click()
    tab.wait_for_function(STOPPED)
    # Its next step ends it.
    tab.wait_for_timeout(1000)
    return spent


if __name__ == "__main__":
    finish(race, QUICK, __doc__)
