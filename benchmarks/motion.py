"""From a click to moving particles: the default experiment in the Paths room, in a real browser."""

from __future__ import annotations

from typing import Any

from benchmarks.browser import BUSY, opened, served, three, within
from benchmarks.race import Result, finish

QUICK = {"particles": 500, "rounds": 1}
PLAYER = "document.querySelector('#paths-player .fm-player')?.__player"
#: Milliseconds after which a scene that has not come is an error.
PATIENCE = 60_000

#: Resolves with the milliseconds from the next click to the second frame drawn of the scene that it brings.
WATCH = """() => { window.moved = new Promise((done, fail) => {
  setTimeout(() => fail(new Error("The scene did not come in time.")), PATIENCE);
  document.addEventListener("click", () => {
    const clicked = performance.now(), loads = PLAYER.loads;
    let drawn = null;
    const look = () => {
      if (PLAYER.loads > loads && drawn === null) drawn = PLAYER.count;
      if (drawn !== null && PLAYER.count >= drawn + 2) done(performance.now() - clicked);
      else requestAnimationFrame(look);
    };
    look();
  }, { capture: true, once: true });
}); }""".replace("PLAYER", PLAYER.replace("?", "")).replace("PATIENCE", str(PATIENCE))


def race(particles: int = 2_000, rounds: int = 7) -> Result:
    """Click a path of the default experiment, whose scenes are drawn ahead, and of seeds never asked for.

    Args:
        particles: of the scene; it has 60 frames.
        rounds: measured, after one to warm up.
    """
    from fmstudio.learn.experiment import Experiment
    from fmstudio.ui import warm

    default = Experiment(particles=particles)
    warm.draw_ahead([default, default.but(path="spherical")])
    ahead, new = served(lambda chromium, url: _drive(chromium, url, particles, rounds))
    return Result(
        "A click to moving particles",
        f"The Paths room in Chromium with its software renderer, {particles:,} particles × 60 frames × two "
        f"panes, {rounds} rounds: milliseconds of wall time from the click on a path to the second frame "
        "drawn of its scene, with the server, the browser and its drawing on one machine.",
        ("what", "median, ms", "fastest", "slowest"),
        tuple(
            (name, *three(t))
            for name, t in (("the default experiment", ahead), ("a seed never asked for", new))
        ),
        (within("click to moving particles ≤ 300 ms", 300, ahead, "default experiment: "),),
        (
            "What one click makes of the default experiment is drawn ahead while nobody waits"
            " (`fmstudio/ui/warm.py`); a seed never asked for is drawn after its click.",
            BUSY,
        ),
    )


def _drive(chromium: Any, url: str, particles: int, rounds: int) -> tuple[list[float], list[float]]:
    """Milliseconds of the clicks on scenes drawn ahead, and on scenes never asked for."""
    ahead: list[float] = []
    new: list[float] = []
    for k in range(rounds + 1):
        tab = _open(chromium, f"{url}?particles={particles}", particles)
        known = [_click(tab, "spherical"), _click(tab, "straight")]
        tab.close()
        tab = _open(chromium, f"{url}?particles={particles}&seed={9_000 + k}", particles)
        unknown = _click(tab, "spherical")
        tab.close()
        if k:
            ahead += known
            new.append(unknown)
    return ahead, new


def _open(chromium: Any, address: str, particles: int) -> Any:
    """A page whose scene has come and whose controls are up to date."""
    tab = opened(chromium, address, PATIENCE)
    tab.wait_for_function(f"{PLAYER}?.loads > 0 && {PLAYER}.particles == {particles}")
    tab.wait_for_timeout(1_000)
    return tab


def _click(tab: Any, path: str) -> float:
    tab.evaluate(WATCH)
    tab.locator(".fm-pills label", has_text=path).first.click()
    return float(tab.evaluate("window.moved"))


if __name__ == "__main__":
    finish(race, QUICK, __doc__)
