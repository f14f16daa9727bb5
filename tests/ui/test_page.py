"""The main job in a real browser: choose a path, train, stop, sample, sample images; links and visitors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LOADED = """([id, loads]) => {
  const player = document.querySelector(id + ' .fm-player');
  return player && player.__player && player.__player.loads >= loads;
}"""
PLAYER = "(id) => ({...document.querySelector(id + ' .fm-player').__player})"
SLOW_MACHINE = 60_000


class Studio:
    """One visitor's page, with everything that went wrong on it."""

    def __init__(self, browser: Any, url: str, query: str = "", width: int = 1440):
        self.page = browser.new_page(viewport={"width": width, "height": 900})
        self.page.set_default_timeout(SLOW_MACHINE)
        self.errors: list[str] = []
        self.outside: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self._requested(request.url, url))
        self.page.goto(url + query)
        self.wait_for_scene("#paths-player")

    def _requested(self, address: str, home: str) -> None:
        if not address.startswith((home, "data:", "blob:")):
            self.outside.append(address)

    def wait_for_scene(self, player: str, loads: int = 1) -> None:
        self.page.wait_for_function(LOADED, arg=[player, loads])

    def player(self, player: str) -> dict[str, Any]:
        return self.page.evaluate(PLAYER, player)

    def open(self, room: str) -> None:
        self.page.get_by_role("tab", name=room, exact=True).click()

    def choose(self, label: str) -> None:
        self.page.locator("#experiment").get_by_text(label, exact=True).click()


@pytest.fixture
def studio(browser: Any, studio_url: str) -> Iterator[Studio]:
    opened = Studio(browser, studio_url)
    yield opened
    opened.page.close()
    assert opened.errors == []
    assert opened.outside == []


def test_the_main_job(browser: Any, studio_url: str) -> None:
    studio = Studio(browser, studio_url, "?train_steps=200000")
    page = studio.page
    # Particles move before any click.
    first = studio.player("#paths-player")["count"]
    page.wait_for_function(
        "(count) => document.querySelector('#paths-player .fm-player').__player.count > count", arg=first
    )

    # A path is chosen: the scene, the link and the drawing follow.
    loads = studio.player("#paths-player")["loads"]
    studio.choose("spherical")
    studio.wait_for_scene("#paths-player", loads + 1)
    page.wait_for_function("location.search.includes('path=spherical')")
    assert "cos" in page.locator(".fm-coefficients").inner_text()

    # A net learns it, and is stopped in the middle.
    studio.open("Train")
    page.locator("#train-start").click()
    page.wait_for_function("document.querySelector('#train-facts').innerText.includes('steps per second')")
    page.locator("#train-stop").click()
    page.wait_for_function("document.querySelector('#train-facts').innerText.includes('trained here')")
    assert page.locator("#train-start").is_enabled()
    page.locator("#draw-error").click()
    page.wait_for_function("document.querySelector('#error-plot .fm-plot').dataset.drawn > 0")

    # Its samples, beside Q.
    studio.open("Sample")
    loads = studio.player("#sample-player")["loads"]
    page.locator("#sample-field").get_by_text("trained net").click()
    page.locator("#sample-go").click()
    studio.wait_for_scene("#sample-player", loads + 1)
    assert "NFE" in page.locator("#sample-facts").inner_text()

    # And images, from one noise.
    studio.open("Images")
    page.get_by_label("step counts, each 1…64").fill("1 2")
    page.locator("#images-go").click()
    page.wait_for_function("document.querySelectorAll('#images-grid img').length === 2")
    page.wait_for_function("document.querySelector('#images-status').innerText.includes('Done')")
    page.close()
    assert studio.errors == []
    assert studio.outside == []


def test_a_click_shows_the_paths_through_a_point(studio: Studio) -> None:
    box = studio.page.locator("#paths-player canvas").first.bounding_box()
    studio.page.mouse.click(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.5)
    studio.page.wait_for_function("document.body.innerText.includes('paths shown')")


def test_settings_survive_the_link_and_a_reload(studio: Studio) -> None:
    page = studio.page
    studio.choose("bow")
    page.wait_for_function("location.search.includes('path=bow')")
    assert parse_qs(urlparse(page.url).query) == {"path": ["bow"]}
    page.reload()
    studio.wait_for_scene("#paths-player")
    page.wait_for_function("document.querySelector('.fm-coefficients').innerText.includes('J(x')")
    assert "path=bow" in page.url


def test_a_wrong_link_and_a_wrong_formula_are_answered_in_words(browser: Any, studio_url: str) -> None:
    studio = Studio(browser, studio_url, "?seed=-5")
    page = studio.page
    page.get_by_text("seed: expected a number in").wait_for()
    studio.choose("custom")
    page.get_by_label("a(t) =").fill("1 - t/2")
    page.get_by_label("a(t) =").press("Enter")
    page.get_by_text("a(1)").first.wait_for()
    page.close()
    assert studio.errors == []


def test_two_visitors_do_not_see_each_other(browser: Any, studio_url: str) -> None:
    first, second = Studio(browser, studio_url), Studio(browser, studio_url)
    first.choose("spiral")
    first.page.wait_for_function("location.search.includes('path=spiral')")
    assert second.page.evaluate("location.search") == ""
    second.choose("polynomial")
    second.page.wait_for_function("location.search.includes('path=polynomial')")
    assert "path=spiral" in first.page.url
    for studio in (first, second):
        studio.page.close()


@pytest.mark.parametrize("width", [1440, 390])
def test_nothing_scrolls_sideways(browser: Any, studio_url: str, width: int) -> None:
    studio = Studio(browser, studio_url, width=width)
    for room in ("Paths", "Train", "Sample", "The note", "Images"):
        studio.open(room)
        studio.page.wait_for_timeout(500)
        assert studio.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 1, room
    studio.page.close()
