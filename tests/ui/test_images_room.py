"""The Images room in a browser: every sub-tab alive before a click; its work done, stopped and refused."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from fmstudio.image.questions.gallery import settings_in

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SLOW_MACHINE = 120_000


class ImagesRoom:
    """One visitor in the room, with everything that went wrong on the page."""

    def __init__(self, browser: Any, url: str):
        self.page = browser.new_page(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
        self.page.set_default_timeout(SLOW_MACHINE)
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(url)
        self.open("Images")

    def open(self, tab: str) -> None:
        self.page.get_by_role("tab", name=tab, exact=True).click()

    def wait(self, condition: str) -> None:
        self.page.wait_for_function(condition)

    def wait_text(self, selector: str, text: str) -> None:
        self.page.wait_for_function(
            "([place, text]) => document.querySelector(place)?.innerText.includes(text)", arg=[selector, text]
        )

    def set_slider(self, label: str, value: int) -> None:
        box = self.page.get_by_role("spinbutton", name=label).locator("visible=true").first
        box.fill(str(value))
        box.press("Enter")


@pytest.fixture
def room(browser: Any, studio_url: str) -> Iterator[ImagesRoom]:
    opened = ImagesRoom(browser, studio_url)
    yield opened
    opened.page.close()
    assert opened.errors == []


def test_the_experiment_steps_aside_in_this_room_only(room: ImagesRoom) -> None:
    room.wait("document.querySelector('#experiment').offsetParent === null")
    assert room.page.locator("#images-model").is_visible()
    room.open("Paths")
    room.wait("document.querySelector('#experiment').offsetParent !== null")


def test_the_card_steps_aside_for_the_hub_at_every_width(room: ImagesRoom) -> None:
    for width in (390, 1440):
        room.page.set_viewport_size({"width": width, "height": 900})
        room.open("Hub models")
        room.wait("document.querySelector('#images-sampler').offsetParent === null")
        room.open("Film strip")
        room.wait("document.querySelector('#images-sampler').offsetParent !== null")


def test_sampling_right_after_another_model_was_chosen(room: ImagesRoom) -> None:
    page = room.page
    page.get_by_label("step counts, each 1…128").fill("1")
    for place, choice in (("class", "Ankle boot"), ("model", "1-RF · emoji-rf1")):
        page.locator(f"#images-{place} input").click()
        page.get_by_role("option", name=choice).click()
    page.locator("#images-go").click()
    room.wait("document.querySelectorAll('#images-grid figure:not(.pale) img').length === 2")
    assert page.locator("#images-class input").input_value() == "all in turn"


def test_every_sub_tab_shows_something_before_a_click(room: ImagesRoom) -> None:
    room.wait("document.querySelectorAll('#images-grid figure img').length === 12")
    room.wait("document.querySelector('#images-error .fm-plot').dataset.drawn > 0")
    room.open("Film strip")
    room.wait("document.querySelector('#film-strip .fm-film')?.__film?.frames === 33")
    room.open("Map of the flow")
    room.wait("document.querySelector('#map-player .fm-player')?.__player?.loads > 0")
    room.open("Interpolate, invert, edit")
    room.wait("document.querySelectorAll('#between-rows img').length === 3")
    room.wait("document.querySelectorAll('#picture-result img').length === 4")
    room.open("X/Y grid")
    room.wait("document.querySelectorAll('#xy-grid td img').length === 50")


def test_wrong_input_is_answered_in_words_and_the_room_goes_on(room: ImagesRoom) -> None:
    page = room.page
    page.get_by_label("step counts, each 1…128").fill("1 2 many")
    page.locator("#images-go").click()
    room.wait_text("#images-status", "steps: expected a whole number")
    page.locator("#images-sampler").get_by_label("seed").fill("-5")
    page.get_by_label("step counts, each 1…128").fill("1 2")
    page.locator("#images-go").click()
    room.wait_text("#images-status", "seed: expected a whole number in [0, 2147483647]; got -5")
    page.locator("#images-sampler").get_by_label("seed").fill("0")
    assert page.locator("#images-grid figure img").count() == 12
    page.locator(".fm-keep").locator("visible=true").click()
    page.get_by_text("There is no grid of yours yet").wait_for()
    room.open("X/Y grid")
    page.get_by_label("its values").locator("visible=true").first.fill("Hat")
    page.locator("#xy-go").click()
    room.wait_text("#xy-status", "class: expected a number below 10")
    room.open("Interpolate, invert, edit")
    page.locator("#picture-strip").wait_for()
    page.get_by_text("your own", exact=True).click()
    page.locator("#picture-upload").wait_for()
    page.locator("#invert-go").click()
    room.wait_text("#picture-status", "No picture yet")
    spoilt = {"name": "words.png", "mimeType": "image/png", "buffer": b"not a picture"}
    page.locator("#picture-upload input[type=file]").set_input_files(spoilt)
    page.locator("#picture-upload img").wait_for(state="attached")
    page.locator("#invert-go").click()
    room.wait_text("#picture-status", "could not be read as one")
    assert page.locator(".toast-body").count() == 0


def test_a_film_of_a_few_steps_and_its_scrubber(room: ImagesRoom) -> None:
    room.open("Film strip")
    room.wait("document.querySelector('#film-strip .fm-film')?.__film?.frames === 33")
    room.set_slider("number input for steps", 4)
    room.page.locator("#film-go").click()
    room.wait("document.querySelector('#film-strip .fm-film').__film.frames === 5")
    room.wait_text("#film-halves", "2 of 4 steps")
    room.page.locator("#film-strip .strip").first.click(position={"x": 3, "y": 3})
    room.wait_text("#film-strip", "noise")


def test_a_grid_of_two_settings_becomes_files_with_their_settings(room: ImagesRoom) -> None:
    page = room.page
    room.open("X/Y grid")
    values = page.get_by_label("its values").locator("visible=true")
    values.nth(0).fill("Sneaker, Bag")
    values.nth(1).fill("1 2")
    page.locator("#xy-go").click()
    room.wait_text("#xy-status", "Done: 4 images.")
    assert page.locator("#xy-grid td img").count() == 4
    page.get_by_text("Press the button: the finished images").locator("visible=true").wait_for()
    page.locator(".fm-keep").locator("visible=true").click()
    page.get_by_text("4 images. Each PNG").wait_for()
    with page.expect_download() as saved:
        page.locator(".fm-zip").locator("visible=true").click()
    with zipfile.ZipFile(saved.value.path()) as archive:
        names = [name for name in archive.namelist() if name.endswith(".png")]
        inside = [settings_in(io.BytesIO(archive.read(name)).getvalue()) for name in names]
    assert sorted((s["label"], s["guidance"]) for s in inside) == [(7, 1), (7, 2), (8, 1), (8, 2)]


def test_stop_keeps_what_is_done_and_the_next_click_works(room: ImagesRoom) -> None:
    page = room.page
    page.get_by_label("step counts, each 1…128").fill("1 128 128")
    page.locator("#images-go").click()
    room.wait("document.querySelectorAll('#images-grid figure:not(.pale)').length === 2")
    room.wait_text("#images-status", "left")
    page.locator("#images-stop").click()
    room.wait_text("#images-status", "Stopped")
    assert page.locator("#images-grid figure:not(.pale) img").count() >= 2
    room.open("Interpolate, invert, edit")
    room.set_slider("number input for images", 3)
    page.locator("#between-go").click()
    room.wait("document.querySelector('#between-rows').closest('.column').innerText.includes('Done.')")


def test_an_adaptive_solver_says_which_settings_it_does_not_take(room: ImagesRoom) -> None:
    page = room.page
    page.locator("#images-solver input").click()
    page.get_by_role("option", name="dopri5").click()
    room.wait_text("#images-sampler", "time shift: dopri5 has its own times")
    room.open("Film strip")
    room.wait_text("#film-steps", "dopri5's own, tolerance 0.03")
    page.locator("#film-go").click()
    room.wait("document.querySelector('#film-strip .fm-film').__film.frames < 20")
    room.wait_text("#film-halves", "An adaptive solver chooses its own steps")
    assert page.locator("#film-steps input[type=range]").is_disabled()


def test_the_gallery_is_as_high_as_its_images_and_hides_none_on_a_phone(room: ImagesRoom) -> None:
    page = room.page
    page.get_by_label("step counts, each 1…128").fill("1")
    page.locator("#images-go").click()
    # The images are there; what takes longer, the measuring, is left out.
    room.wait_text("#images-status", "reference")
    page.locator("#images-stop").click()
    room.wait_text("#images-status", "Stopped")
    page.locator(".fm-keep").locator("visible=true").click()
    page.get_by_text("16 images. Each PNG").wait_for()
    gallery = page.locator(".fm-pixels").locator("visible=true")
    across = """(count) => new Set([...document.querySelectorAll(".fm-pixels .thumbnail-item")]
        .map((item) => Math.round(item.getBoundingClientRect().x))).size === count"""
    for width, columns in ((1440, 8), (390, 3)):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_function(across, arg=columns)
        places = [box.bounding_box() for box in gallery.locator(".thumbnail-item").all()]
        edges = gallery.bounding_box()
        assert len(places) == 16
        assert all(place["x"] + place["width"] <= edges["x"] + edges["width"] for place in places)
        below = edges["y"] + edges["height"] - max(place["y"] + place["height"] for place in places)
        assert below < 40
