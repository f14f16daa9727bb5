"""Components of the mixture are dragged in the picture itself; the board and the server follow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fmstudio.learn.experiment import Experiment
from fmstudio.plots.scene.offline import offline_page
from fmstudio.studio.paths import paths_room
from fmstudio.studio.session import Visitor

STATE = "document.querySelector('#paths-player .fm-player')?.__player"


@pytest.mark.browser
def test_a_component_is_dragged_where_one_looks(browser: Any, studio_url: str) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{studio_url}?particles=200&data=mixture")
    page.wait_for_function(f"{STATE}?.player.scene?.curves", timeout=120_000)
    page.locator("#paths-player").get_by_label("Time, from noise to data").fill("1")
    page.wait_for_function(f"{STATE}.t === 0")
    page.wait_for_function("document.querySelector('#paths-player .fm-holds') !== null")
    view = f"(([x, y]) => {{ const v = {STATE}.player.views[1]; return v.css([x, y], 0); }})"
    box = page.locator("#paths-player .fm-view").nth(1).bounding_box()
    assert box is not None
    law = f"{STATE}.player.scene.live.law.data.map(({{ mean }}) => mean)"
    before, loads = page.evaluate(law), page.evaluate(f"{STATE}.loads")
    target = [before[1][0] - 0.6, before[1][1] + 0.4]
    (x, y), (to_x, to_y) = (page.evaluate(f"{view}({json.dumps(place)})") for place in (before[1], target))
    page.mouse.move(box["x"] + x, box["y"] + y)
    page.mouse.down()
    page.mouse.move(box["x"] + to_x, box["y"] + to_y, steps=4)
    page.wait_for_function(f"{STATE}.reworked > 0", timeout=60_000)
    page.mouse.up()
    page.wait_for_function(f"{STATE}.loads > {loads}", timeout=60_000)
    after = page.evaluate(law)
    assert after[1] == pytest.approx(target, abs=0.05)
    assert [after[0], after[2]] == [before[0], before[2]]
    # It was no question about a point, and the link has it.
    assert page.evaluate(f"{STATE}.answered") is None
    page.wait_for_function("location.search.includes('mixture=')")
    assert errors == []
    page.close()


@pytest.mark.browser
def test_an_offline_page_is_dragged_without_a_network(browser: Any, tmp_path: Path) -> None:
    scene = paths_room(Visitor(Experiment(path="bow", data="mixture", particles=200)))
    file = tmp_path / "offline.html"
    file.write_text(offline_page(scene), "utf-8")
    assert file.stat().st_size < 300_000
    page = browser.new_page(viewport={"width": 1100, "height": 800}, reduced_motion="reduce")
    page.goto(file.as_uri())
    state = "document.querySelector('.fm-player').__player"
    page.wait_for_function(f"{state}?.loads > 0")
    held = f"Array.from({state}.player.scene.panes[1].positions.slice(30 * 400, 31 * 400))"
    before = page.evaluate(held)
    page.locator(".fm-offline label", has_text="bend").locator("input").fill("-1.5")
    page.wait_for_function(f"{state}.reworked > 0")
    assert page.evaluate(f"{state}.player.scene.live.path.numbers.bend") == pytest.approx(-1.5, abs=0.02)
    after = page.evaluate(held)
    assert after != before
    page.locator(".fm-offline label", has_text="steps").locator("input").fill("3")
    page.wait_for_function("document.querySelectorAll('.fm-pane p')[1].innerText.includes('NFE 6')")
    assert page.evaluate(held) != after
    page.close()
