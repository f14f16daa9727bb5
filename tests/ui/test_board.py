"""The board of a mixture: handles and keys change the experiment, and the picture follows at once."""

from __future__ import annotations

import json
import math
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

pytestmark = pytest.mark.browser

PLAYER = "document.querySelector('#paths-player .fm-player')?.__player"
FIRST = [[0.5, -1.5, 0, 0.15, 0, 0.15], [0.3, 1.5, 1, 0.3, 0.2, 0.3], [0.2, 1, -1.5, 0.1, 0, 0.4]]


class OnBoard:
    """A page with a mixture's board, and what it says."""

    def __init__(self, browser: Any, url: str, width: int = 1280):
        self.page = browser.new_page(
            viewport={"width": width, "height": 900}, reduced_motion="reduce", has_touch=width < 500
        )
        self.page.set_default_timeout(120_000)
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(f"{url}?particles=200&data=mixture")
        self.page.wait_for_function(f"{PLAYER}?.loads > 0")
        if width < 500:
            self.page.get_by_label("Show or hide the experiment").click()
        self.parts = self.page.locator("#board .board-parts button")
        self.parts.first.wait_for()

    def mixture(self) -> list[list[float]]:
        """The components that the link carries, once it differs from what it was."""
        text = parse_qs(urlsplit(self.page.url).query).get("mixture")
        return json.loads(text[0]) if text else FIRST

    def changed(self, act: Any) -> list[list[float]]:
        """What the link carries after an act."""
        before = self.page.url
        act()
        self.page.wait_for_function("(before) => location.href !== before", arg=before)
        return self.mixture()

    def middle(self, locator: Any) -> tuple[float, float]:
        """The middle of an element in the window."""
        locator.scroll_into_view_if_needed()
        box = locator.bounding_box()
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def close(self) -> None:
        """No error was met."""
        self.page.close()
        assert self.errors == []


def test_keys_reach_every_component_and_change_all_of_it(browser: Any, studio_url: str) -> None:
    board = OnBoard(browser, studio_url)
    keyboard = board.page.keyboard
    board.parts.first.focus()
    keyboard.press("Tab")
    name = "document.activeElement.ariaLabel"
    assert board.page.evaluate(name).startswith(
        "Component 2 of 3 at 1.50, 1.00; widths 0.71, 0.32; angle 45°"
    )

    def press(*keys: str) -> Any:
        return lambda: [keyboard.press(key) for key in keys]

    press("ArrowRight", "ArrowUp", "Shift+ArrowUp", "w", "e", "+")()
    # Keys that follow quickly are sent together, on a slow machine in two lots.
    page = board.page
    page.wait_for_function(
        "JSON.parse(new URLSearchParams(location.search).get('mixture'))"
        "?.[1].slice(0, 3).join() === '0.35,1.6,1.12'"
    )
    moved = board.mixture()
    assert page.evaluate(f"{PLAYER}.reworked") > 0
    assert moved[1][3:] != FIRST[1][3:]
    assert math.isclose(sum(row[0] for row in moved), 1)
    assert moved[0][1:] == FIRST[0][1:]
    assert board.changed(press("ArrowLeft"))[1][1] == 1.5
    assert board.changed(press("Control+z")) == moved
    assert board.changed(press("Delete")) == [moved[0], moved[2]]
    # The focus went to the neighbour, and back comes what was removed.
    assert "Component 1 of 2" in page.evaluate(name)
    assert board.changed(press("Control+z")) == moved
    board.close()


@pytest.mark.parametrize("width", [1440, 390])
def test_handles_stretch_and_turn_and_buttons_stand_inside_their_card(
    browser: Any, studio_url: str, width: int
) -> None:
    board = OnBoard(browser, studio_url, width)
    page = board.page
    boxes = [page.locator(f"#board {of}").bounding_box() for of in (
        ".board-plane", ".board-said", ".board-weight", "[data-board=add]", "[data-board=remove]",
        "[data-board=undo]", ".board-hint",
    )]  # fmt: skip
    card = page.locator("#experiment .fm-card", has=page.locator("#board")).first.bounding_box()
    for k, box in enumerate(boxes):
        assert card["x"] <= box["x"]
        assert box["x"] + box["width"] <= card["x"] + card["width"]
        for other in boxes[:k]:
            assert (
                other["x"] + other["width"] <= box["x"] + 0.5
                or other["y"] + other["height"] <= box["y"] + 0.5
            )
    assert all(box["height"] >= 24 for box in boxes[2:6])
    # The tip of the first axis, pulled to the upper right: the ellipse leans that way.
    x, y = board.middle(page.locator("#board .board-tip").first)
    cx, cy = board.middle(board.parts.first)
    far = math.hypot(60, 30)

    def pull() -> None:
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(cx + 60, cy - 30, steps=5)
        if width > 500:  # On a telephone the player is out of sight, and rests.
            page.wait_for_function(f"{PLAYER}?.reworked > 0")
        page.mouse.up()

    weight, mx, my, sxx, sxy, syy = board.changed(pull)[0]
    assert [weight, mx, my] == FIRST[0][:3]
    assert math.isclose(math.atan2(2 * sxy, sxx - syy) / 2, math.atan2(30, 60), abs_tol=0.01)
    scale = boxes[0]["width"] / 7
    assert math.isclose(
        math.sqrt((sxx + syy) / 2 + math.hypot((sxx - syy) / 2, sxy)), (far - 24) / scale, rel_tol=0.03
    )
    # The weight's slider, and the picture's own weights with it.
    slider = page.locator("#board .board-weight input")
    assert math.isclose(board.changed(lambda: slider.fill("80"))[0][0], 0.8)
    page.locator("#board [data-board=undo]").click()
    page.wait_for_function("document.querySelector('#board .board-weight output').innerText === '50 %'")
    board.close()


def test_no_more_components_than_the_experiment_takes(browser: Any, studio_url: str) -> None:
    board = OnBoard(browser, studio_url)
    for _ in range(14):
        board.page.locator("#board [data-board=add]").click()
    board.page.locator("#board .board-said").get_by_text("at most 16 components").wait_for()
    board.page.wait_for_function("decodeURIComponent(location.search).split('],').length === 16")
    assert len(board.mixture()) == board.parts.count() == 16
    board.close()
