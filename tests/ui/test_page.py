"""The main job in a real browser: choose a path, train, stop, sample, sample images; links and visitors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest

from fmstudio.learn.experiment import DATA

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LOADED = """([id, loads]) => {
  const player = document.querySelector(id + ' .fm-player');
  return player && player.__player && player.__player.loads >= loads;
}"""
PLAYER = "(id) => ({...document.querySelector(id + ' .fm-player').__player})"
SLOW_MACHINE = 60_000
ROOMS = ("Paths", "Train", "Sample", "The note", "Images")


class Studio:
    """One visitor's page, with everything that went wrong on it."""

    def __init__(self, browser: Any, url: str, query: str = "", width: int = 1440, moving: bool = False):
        motion = "no-preference" if moving else "reduce"
        self.page = browser.new_page(viewport={"width": width, "height": 900}, reduced_motion=motion)
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

    def data(self, name: str) -> None:
        self.page.locator("#data-choice label").nth(list(DATA).index(name)).click()


@pytest.fixture
def studio(browser: Any, studio_url: str) -> Iterator[Studio]:
    opened = Studio(browser, studio_url)
    yield opened
    opened.page.close()
    assert opened.errors == []
    assert opened.outside == []


def test_the_main_job(browser: Any, studio_url: str, tmp_path: Path) -> None:
    studio = Studio(browser, studio_url, "?train_steps=200000", moving=True)
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
    page.wait_for_function("!document.querySelector('#train-start').disabled")
    # One click hands the net over as a file, and the file opens again.
    with page.expect_download() as saved:
        page.locator("#train-save").click()
    step = page.locator("#train-facts").inner_text().split("step")[1].split()[0].replace(",", "")
    assert saved.value.suggested_filename == f"8-gaussians-{step}.safetensors"
    page.locator("#train-reset").click()
    page.wait_for_function("document.querySelector('#train-facts').innerText.includes('Nothing measured')")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Open a checkpoint").click()
    file = tmp_path / saved.value.suggested_filename
    saved.value.save_as(file)
    chooser.value.set_files(file)
    page.wait_for_function("document.querySelector('#train-facts').innerText.includes('from a file')")
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
    page.get_by_label("step counts, each 1…128").fill("1 2")
    page.locator("#images-go").click()
    page.wait_for_function("document.querySelectorAll('#images-grid figure:not(.pale) img').length === 4")
    # While the rows are being measured, Stop keeps them.
    page.wait_for_function("document.querySelector('#images-status').innerText.includes('reference')")
    page.locator("#images-stop").click()
    page.wait_for_function("document.querySelector('#images-status').innerText.includes('Stopped')")
    assert page.locator("#images-grid figure:not(.pale) img").count() == 4
    page.close()
    assert studio.errors == []
    assert studio.outside == []


def test_a_click_shows_the_paths_through_a_point(studio: Studio) -> None:
    box = studio.page.locator("#paths-player canvas").first.bounding_box()
    studio.page.mouse.click(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.5)
    studio.page.wait_for_function("document.body.innerText.includes('paths shown')")


def test_every_view_of_the_paths_comes_with_what_is_seen_in_it(studio: Studio) -> None:
    page = studio.page
    for view, panes, words in (
        ("one data point", 2, "all sent to one data point"),
        ("all three", 3, "made of clouds like the middle one"),
        ("Q and P", 2, "its particles remember nothing"),
    ):
        page.locator("#paths-view").get_by_text(view, exact=True).click()
        page.get_by_text(words).wait_for()
        page.wait_for_function(f"document.querySelectorAll('#paths-player .fm-pane').length === {panes}")


def test_settings_survive_the_link_and_a_reload(studio: Studio) -> None:
    page = studio.page
    studio.choose("bow")
    page.wait_for_function("location.search.includes('path=bow')")
    assert parse_qs(urlparse(page.url).query) == {"path": ["bow"]}
    page.reload()
    studio.wait_for_scene("#paths-player")
    page.wait_for_function("document.querySelector('.fm-coefficients')?.innerText.includes('J(x')")
    assert "path=bow" in page.url


def test_the_address_names_the_room_and_the_back_button_returns_to_the_last(
    browser: Any, studio_url: str
) -> None:
    studio = Studio(browser, studio_url)
    page = studio.page
    in_room = "(room) => document.body.dataset.room === room && document.querySelector('#rooms').innerText"
    studio.open("Train")
    page.wait_for_function("location.hash === '#train'")
    studio.choose("bow")
    page.wait_for_function("location.search === '?path=bow' && location.hash === '#train'")
    studio.open("The note")
    page.wait_for_function("location.hash === '#the-note'")
    page.go_back()
    page.wait_for_function(in_room, arg="Train")
    page.go_back()
    page.wait_for_function(in_room, arg="Paths")
    # The room went back, the experiment did not, and the address says so.
    page.wait_for_function("location.search === '?path=bow' && location.hash === ''")
    page.goto(f"{studio_url}?sample_steps=2#sample")
    page.reload()
    page.wait_for_function(in_room, arg="Sample")
    page.wait_for_function("document.querySelector('#sample-facts').innerText.includes('NFE')")
    assert page.url.endswith("?sample_steps=2#sample")
    page.close()
    assert studio.errors == []


def test_a_room_is_entered_at_its_top_with_the_experiment_in_sight(studio: Studio) -> None:
    page = studio.page
    studio.data("points")
    page.wait_for_function("location.search.includes('data=points')")
    sinkhorn = page.locator("#experiment").get_by_text("Sinkhorn", exact=True)
    sinkhorn.scroll_into_view_if_needed()
    # The picture stays in sight while the last card of the experiment is.
    assert page.evaluate("scrollY") == 0
    page.evaluate("scrollTo(0, 300)")
    page.wait_for_function("scrollY > 0")
    assert sinkhorn.bounding_box()["y"] < 900
    studio.open("Train")
    page.wait_for_function("scrollY === 0")


def test_an_edit_keeps_the_drawing_of_the_path_at_the_paused_clock(studio: Studio) -> None:
    page = studio.page
    page.locator("#paths-player").get_by_label("Time, from noise to data").fill("0.75")
    page.wait_for_function("document.querySelector('.value-b').innerText === '0.25'")
    studio.choose("spherical")
    page.wait_for_function("document.querySelector('.fm-coefficients').innerText.includes('cos')")
    page.wait_for_function("document.querySelector('.value-b').innerText === '0.38'")


def test_in_a_frame_the_surrounding_page_is_told_the_link(browser: Any, studio_url: str) -> None:
    page = browser.new_page()
    page.set_default_timeout(SLOW_MACHINE)
    page.goto(f"{studio_url}nowhere", wait_until="commit")
    page.evaluate(
        """(address) => {
          window.told = [];
          window.postMessage = (...message) => window.told.push(message);
          document.body.innerHTML = `<iframe src="${address}" style="width: 1400px; height: 800px"></iframe>`;
        }""",
        studio_url,
    )
    frame = page.frame_locator("iframe")
    # The page has read its own link once it plays; what is chosen before is the link's to overwrite.
    frame.locator("#paths-player .fm-strip-title", has_text="distance").wait_for()
    frame.locator("#experiment").get_by_text("bow", exact=True).click()
    page.wait_for_function("told.some(([said]) => said.queryString === 'path=bow')")
    frame.get_by_role("tab", name="Train", exact=True).click()
    page.wait_for_function("told.at(-1)[0].hash === '#train'")
    expected = [{"queryString": "path=bow", "hash": "#train"}, "https://huggingface.co"]
    assert page.evaluate("told.at(-1)") == expected
    page.close()


def test_the_link_is_copied_where_the_clipboard_is_kept_from_pages(studio: Studio) -> None:
    page = studio.page
    page.evaluate(
        """() => {
          Object.defineProperty(navigator, "clipboard", { value: undefined });
          document.addEventListener("copy", () => { window.copied = document.activeElement.value; });
        }"""
    )
    studio.choose("spiral")
    page.wait_for_function("location.search.includes('path=spiral')")
    page.get_by_role("button", name="Copy link").click()
    page.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("window.copied") == page.url


def test_a_wrong_link_and_a_wrong_formula_are_answered_in_words(browser: Any, studio_url: str) -> None:
    studio = Studio(browser, studio_url, "?seed=-5&utm_source=news&path=bow")
    page = studio.page
    told = page.locator(".toast-body").get_by_text("Seed: 0 instead of -5")
    told.wait_for()
    assert "“utm_source”" in told.inner_text()
    # The rest of the link opened.
    page.wait_for_function("location.search === '?path=bow&seed=0'")
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


def test_nothing_scrolls_that_need_not(studio: Studio) -> None:
    """No room sideways; and no paragraph, where a symbol's foot reaches under the last line."""
    for room in ROOMS:
        studio.open(room)
        for width in (390, 1440):
            studio.page.set_viewport_size({"width": width, "height": 900})
            studio.page.wait_for_timeout(500)
            assert studio.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 1, room
        boxes = studio.page.evaluate(
            """() => [...document.querySelectorAll(".fm-card .block:has(.prose), .gr-accordion")]
            .filter((box) => box.offsetParent && getComputedStyle(box).overflowY === "auto")
            .map((box) => box.innerText)"""
        )
        assert boxes == [], room


def test_the_rooms_keep_to_one_line(studio: Studio) -> None:
    """Between the title and the actions, and nothing lies over the tabs of a room."""
    studio.open("Images")
    for width in (1440, 1121, 1000, 861):
        studio.page.set_viewport_size({"width": width, "height": 900})
        boxes = [studio.page.get_by_role("tab", name=room, exact=True).bounding_box() for room in ROOMS]
        assert len({box["y"] for box in boxes}) == 1, width
        ends = [box["x"] + box["width"] for box in boxes]
        title = studio.page.evaluate(
            """() => {
            const text = document.createRange();
            text.selectNodeContents(document.querySelector("#bar .title"));
            return text.getBoundingClientRect().right; }"""
        )
        assert title < boxes[0]["x"], width
        assert ends[-1] < studio.page.get_by_role("button", name="Lessons").bounding_box()["x"], width
        assert all(end <= box["x"] + 0.5 for end, box in zip(ends, boxes[1:], strict=False)), width
        for tab in ("Film strip", "Step grid"):
            studio.page.get_by_role("tab", name=tab).click()


def test_what_the_browser_draws_itself_goes_dark_too(studio: Studio) -> None:
    scheme = "getComputedStyle(document.documentElement).colorScheme"
    assert studio.page.evaluate(scheme) == "normal"
    studio.page.get_by_label("Switch between light and dark").click()
    assert studio.page.evaluate(scheme) == "dark"


def test_a_refused_choice_is_set_back_and_blocks_no_other(studio: Studio) -> None:
    page = studio.page
    seed = page.get_by_label("seed", exact=True)
    seed.fill("-5")
    seed.press("Enter")
    page.get_by_text("seed: expected a number in").first.wait_for()
    page.wait_for_function("document.querySelector('input[aria-label=seed]').value === '3'")
    studio.choose("custom")
    page.wait_for_function("location.search.includes('path=custom')")
    formula = page.get_by_label("a(t) =")
    formula.fill("import os")
    formula.press("Enter")
    page.get_by_text("is not allowed in a formula").first.wait_for()
    page.wait_for_function("document.querySelector('.fm-coefficients').innerText.includes('(1-t)^1.5')")
    # A formula stays to be mended, and what is drawn says that it is not this one.
    told = page.get_by_text("Not drawn: a(t): 'import' is not allowed")
    told.wait_for()
    assert formula.input_value() == "import os"
    page.get_by_label("b(t) =").fill("t")
    page.get_by_label("b(t) =").press("Enter")
    page.wait_for_function("location.search.includes('formula_b=t')")
    assert formula.input_value() == "import os"
    formula.fill("1 - t")
    formula.press("Enter")
    page.wait_for_function("location.search.includes('formula_a=')")
    told.wait_for(state="hidden")
    # A number that is not offered may be typed; nonsense is set back.
    particles = page.get_by_role("combobox", name="particles")
    particles.fill("700")
    particles.press("Enter")
    page.wait_for_function("location.search.includes('particles=700')")
    # What is typed counts, not the first of the list that begins like it; the list counts where arrows went.
    particles.fill("50")
    particles.press("Enter")
    page.wait_for_function("location.search.includes('particles=50') && !location.search.includes('500')")
    particles.fill("5")
    particles.press("ArrowDown")
    particles.press("Enter")
    page.wait_for_function("/particles=50+0/.test(location.search)")
    particles.fill("700")
    particles.press("Enter")
    page.wait_for_function("location.search.includes('particles=700')")
    particles.fill("many")
    particles.press("Enter")
    page.get_by_text("particles: expected a number").first.wait_for()
    page.wait_for_function("document.querySelector('input[aria-label=particles]').value === '700'")


def test_sliders_hear_the_keyboard_and_keep_to_their_ends(studio: Studio) -> None:
    page = studio.page
    slider = page.locator("#experiment input[type=range]").first
    slider.focus()
    slider.press("ArrowRight")
    page.wait_for_function("location.search.includes('data_noise=0.11')")
    number = page.get_by_label("number input for noise")
    number.fill("7")
    number.press("Enter")
    page.wait_for_function("location.search.includes('data_noise=1')")
    assert number.input_value() == "1"


def test_the_experiment_unfolds_on_a_telephone(browser: Any, studio_url: str) -> None:
    studio = Studio(browser, studio_url, width=390)
    page = studio.page
    assert not page.locator("#data-choice").is_visible()
    page.get_by_label("Show or hide the experiment").click()
    page.locator("#data-choice").wait_for(state="visible")
    studio.choose("bow")
    page.wait_for_function("location.search.includes('path=bow')")
    # In a room, too, every control has its place.
    studio.open("Train")
    page.get_by_label("range slider for time t").wait_for(state="visible")
    assert page.get_by_label("range slider for time t").bounding_box()["width"] > 100
    page.close()
    assert studio.errors == []


def test_at_a_large_zoom_the_unfolded_experiment_stands_beside_the_panes(
    browser: Any, studio_url: str
) -> None:
    studio = Studio(browser, studio_url, width=853)
    page = studio.page
    page.evaluate("scrollTo(0, 300)")
    page.get_by_label("Show or hide the experiment").click()
    page.wait_for_function("scrollY === 0")
    side = page.locator("#experiment").bounding_box()
    left, right = (page.locator("#paths-player .fm-view").nth(k).bounding_box() for k in (0, 1))
    assert side["x"] + side["width"] <= left["x"] < left["x"] + left["width"] < right["x"]
    assert left["y"] == right["y"] < 300
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.close()
    assert studio.errors == []


def test_classes_are_offered_by_name_where_the_net_is_told_them(studio: Studio) -> None:
    page = studio.page
    studio.data("moons")
    page.wait_for_function("location.search.includes('data=moons')")
    studio.open("Train")
    page.get_by_label("tell the net the class").check()
    page.wait_for_function("location.search.includes('conditional=True')")
    studio.open("Sample")
    chosen = page.get_by_role("combobox", name="class", exact=True)
    chosen.click()
    page.get_by_role("option", name="lower moon").click()
    page.wait_for_function("location.search.includes('label=1')")
    page.get_by_label("number input for guidance w").wait_for()
    # Data without classes take the choice away, and the class with it.
    studio.data("checkerboard")
    page.wait_for_function("!location.search.includes('label') && !location.search.includes('conditional')")
    chosen.wait_for(state="hidden")


def test_figures_on_demand_are_folded_until_asked_for_and_leave_with_their_field(studio: Studio) -> None:
    page = studio.page
    studio.open("Sample")
    studio.wait_for_scene("#sample-player")
    # The room opens on the flow of the shipped net.
    page.wait_for_function(
        "document.querySelectorAll('#sample-player header p')[1].innerText.includes('trained net')"
    )
    assert not page.locator("#nfe-plot").is_visible()
    page.locator("#measure-solvers").click()
    page.wait_for_function("document.querySelector('#nfe-plot').textContent.includes('dopri5')")
    assert page.locator("#nfe-plot").is_visible()
    studio.choose("spherical")
    page.locator("#nfe-plot").wait_for(state="hidden")


def test_the_error_of_the_field_is_drawn_before_any_click(studio: Studio) -> None:
    studio.open("Train")
    studio.page.wait_for_function("document.querySelector('#error-plot').textContent.includes('t = 0.50')")
    studio.choose("spiral")
    studio.page.wait_for_function(
        "document.querySelector('#error-plot').textContent.includes('no trained net')"
    )


def test_one_file_after_another_becomes_the_data(studio: Studio, tmp_path: Path) -> None:
    page = studio.page
    studio.data("points")
    page.wait_for_function("location.search.includes('data=points')")
    for count in (30, 40):
        file = tmp_path / f"{count}.csv"
        file.write_text("".join(f"{k},{k * k % 7}\n" for k in range(count)), "utf-8")
        page.locator("#experiment input[type=file]").set_input_files(file)
        page.get_by_text(f"{count} points of {count}.csv").first.wait_for()
    # What is drawn is not of the file.
    page.get_by_role("button", name="Draw instead").click()
    board = page.locator("#board canvas").bounding_box()
    page.mouse.move(board["x"] + 40, board["y"] + 60)
    page.mouse.down()
    page.mouse.move(board["x"] + 140, board["y"] + 120, steps=10)
    page.mouse.up()
    page.get_by_text("40 points of 40.csv").first.wait_for(state="hidden")


def test_the_exact_field_is_not_chosen_where_there_is_none(browser: Any, studio_url: str) -> None:
    studio = Studio(browser, studio_url, "?coupling=optimal+transport")
    page = studio.page
    studio.open("Sample")
    page.wait_for_function("document.querySelector('#sample-facts').innerText.includes('NFE')")
    page.locator("#sample-field").get_by_text("exact u").click()
    page.locator(".toast-body").get_by_text("has no closed form. Train a net").wait_for()
    page.wait_for_function("document.querySelector('#sample-field .selected').innerText === 'trained net'")
    page.close()
    assert studio.errors == []


def test_what_is_measured_waits_for_the_picture_that_is_under_way(browser: Any, studio_url: str) -> None:
    studio = Studio(browser, studio_url, "?particles=20000&sample_steps=100&sde_noise=1&solver=euler")
    page = studio.page
    studio.open("Sample")
    page.wait_for_function("!document.querySelector('#sample-stop').disabled")
    page.locator("#draw-likelihood").click()
    page.wait_for_function("document.querySelector('#likelihood-flow .fm-plot').dataset.drawn > 0")
    studio.wait_for_scene("#sample-player")
    page.wait_for_function("document.querySelector('#sample-facts').innerText.includes('20,000')")
    page.close()
    assert studio.errors == []


def test_a_picture_that_takes_its_time_can_be_stopped(browser: Any, studio_url: str) -> None:
    studio = Studio(browser, studio_url, "?particles=20000&sample_steps=200&sde_noise=1&solver=euler")
    page = studio.page
    studio.open("Sample")
    page.locator("#sample-stop").get_by_text("Stop").wait_for()
    page.wait_for_function("!document.querySelector('#sample-stop').disabled")
    page.locator("#sample-stop").click()
    page.wait_for_function("document.querySelector('#sample-stop').disabled")
    # Nothing comes of it, and what is asked for next is drawn.
    page.locator("#sample-go").click()
    page.wait_for_function("document.querySelector('#sample-facts').innerText.includes('20,000')")
    page.close()
    assert studio.errors == []
