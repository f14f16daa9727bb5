"""From the click on Sample to the first row of images: the Images room's step grid in a real browser."""

from __future__ import annotations

from typing import Any

from benchmarks.browser import BUSY, opened, served, three, within
from benchmarks.race import Result, finish

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
    cold, warm = served(lambda chromium, url: _drive(chromium, url, rounds))
    return Result(
        "A click to the first row of images",
        "The step grid of the Images room in Chromium with the default settings (two models, 8 images a row, "
        f"FD on 100 images), {rounds} seeds: milliseconds of wall time from the click on Sample to the frame "
        "in which the first row, one step, is drawn. The rest is stopped then.",
        ("what", "median, ms", "fastest", "slowest"),
        (
            ("models loaded, as they are soon after the start", *three(warm)),
            ("the first click, as soon as the room is open in a fresh process", *three([cold])),
        ),
        (within("first row on screen ≤ 1 s after the click", 1000, warm),),
        (
            "The first click of a fresh process waits for the import of diffusers. The page starts it by "
            "itself once it is served, and when the room is opened.",
            BUSY,
        ),
    )


def _drive(chromium: Any, url: str, rounds: int) -> tuple[float, list[float]]:
    """Milliseconds of the first click of all, and of those with the models loaded."""
    tab = opened(chromium, url, PATIENCE)
    tab.get_by_role("tab", name="Images", exact=True).click()
    tab.wait_for_function(LOADED)
    times = []
    for seed in range(1, rounds + 2):  # Seed 0 makes the images that are there before a click.
        tab.get_by_label("seed", exact=True).locator("visible=true").first.fill(str(seed))
        times.append(_click(tab))
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
