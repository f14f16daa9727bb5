"""What the browser computes while something is dragged is what the server sends when it is let go."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fmstudio.learn.experiment import Experiment, domain

PLACES = """() => {
  const { scene } = document.querySelector('#paths-player .fm-player').__player.player;
  const [cx, cy, hx, hy] = scene.box;
  const place = (q, i) => (i % 2 ? cy + hy * q / 32767 : cx + hx * q / 32767);
  return scene.panes.map((pane) => Array.from(pane.positions, place));
}"""
STATE = "() => document.querySelector('#paths-player .fm-player')?.__player"
PAUSE = "() => document.querySelector('#paths-player .fm-player').__player.player.setPlaying(false)"


def places(page: Any) -> list[NDArray[np.float64]]:
    """Of each pane, shape (frames, particles, 2)."""
    return [np.array(pane).reshape(60, -1, 2) for pane in page.evaluate(PLACES)]


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize(
    ("query", "field", "value"),
    [
        ("path=bow&data=mixture", "bend", "-1.2"),
        ("path=variance+preserving&data=8+gaussians", "beta1", "5"),
        ("path=latent&data=mixture&source=two+gaussians", "strength", "1"),
        ("path=polynomial&data=line+mixture", "power", "4"),
    ],
)
def test_a_dragged_slider_moves_the_picture_without_the_server(
    browser: Any, studio_url: str, query: str, field: str, value: str
) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{studio_url}?particles=200&{query}")
    state = f"({STATE})()"
    page.wait_for_function(f"{state}?.loads > 0", timeout=120_000)
    page.wait_for_timeout(1_000)
    loads, asked = page.evaluate(f"{state}.loads"), []
    before = places(page)
    page.on("request", lambda request: asked.append(request.url))
    slider = page.locator(f"#experiment input[type=range][aria-label*='{domain(field)['label']}']")
    slider.evaluate(
        "(range, value) => {"
        "  range.value = value;"
        "  range.dispatchEvent(new Event('input', { bubbles: true }));"
        "}",
        value,
    )
    page.wait_for_function(f"{state}.reworked > 0", timeout=60_000)
    assert asked == []
    dragged = places(page)
    # Let go.
    slider.dispatch_event("pointerup")
    page.wait_for_function(f"{state}.loads > {loads}", timeout=60_000)
    sent = places(page)
    spread = sent[0].std()
    for moved, end, start in zip(dragged, sent, before, strict=True):
        width = 1 if "line" in query else 2
        inside = (np.abs(end) < 3 * spread).all(axis=2)
        apart = np.abs(moved - end)[..., :width][inside]
        # P is followed in fewer steps while it is dragged.
        assert np.quantile(apart, 0.98) < 0.05 * spread
        assert np.quantile(np.abs(start - end)[..., :width][inside], 0.98) > 0.1 * spread
    assert errors == []
    page.close()


@pytest.mark.browser
def test_a_dragged_component_takes_its_points_along(browser: Any, studio_url: str) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    page.goto(f"{studio_url}?particles=200&data=mixture")
    state = f"({STATE})()"
    page.wait_for_function(f"{state}?.player.scene?.curves", timeout=120_000)
    before = places(page)[0]
    labels = np.array(page.evaluate(f"Array.from({state}.player.scene.labels)"))
    board = page.locator("#board canvas")
    box = board.bounding_box()
    assert box is not None

    def at(x: float, y: float) -> tuple[float, float]:
        span = 3.5  # Of the board, from its middle.
        return box["x"] + box["width"] * (x / span + 1) / 2, box["y"] + box["height"] * (1 - y / span) / 2

    page.mouse.move(*at(1.5, 1))
    page.mouse.down()
    page.mouse.move(*at(0.5, 2))
    page.wait_for_function(f"{state}.reworked > 0", timeout=60_000)
    after = places(page)[0]
    assert page.locator("#paths-player .fm-stale").count() == 1
    shift = (after - before)[-1]
    mine = labels == 1
    np.testing.assert_allclose(shift[mine].mean(axis=0), [-1, 1], atol=0.1)
    np.testing.assert_allclose(shift[~mine], 0, atol=0.01)
    loads = page.evaluate(f"{state}.loads")
    page.mouse.up()
    page.wait_for_function(f"{state}.loads > {loads} && {state}.player.scene.curves", timeout=60_000)
    assert page.locator("#paths-player .fm-stale").count() == 0
    page.close()


@pytest.mark.browser
def test_a_path_that_is_chosen_plays_before_the_server_has_answered(browser: Any, studio_url: str) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    page.goto(f"{studio_url}?particles=200&path=spiral&turn=2")
    state = f"({STATE})()"
    page.wait_for_function(f"{state}?.player.scene?.curves", timeout=120_000)
    drawn = "document.querySelector('.fm-coefficients polyline').getAttribute('points')"
    before, loads = page.evaluate(drawn), page.evaluate(f"{state}.loads")
    first = places(page)[0]
    page.route("**/gradio_api/**", lambda route: route.abort())
    page.locator("#experiment").get_by_text("bow", exact=True).click()
    page.wait_for_function(f"{state}.reworked > 0", timeout=60_000)
    assert page.evaluate(f"{state}.loads") == loads
    assert page.evaluate(f"{state}.player.scene.live.path.numbers") == {"bend": Experiment().bend}
    after = places(page)[0]
    np.testing.assert_allclose(after[[0, -1]], first[[0, -1]], atol=1e-3)
    assert np.abs(after[30] - first[30]).max() > 0.5
    assert page.evaluate(drawn) != before
    page.close()
