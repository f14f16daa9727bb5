"""The Hub's sub-tab: what it says with nothing at hand, and what it does with a model."""

import base64
import re
import shutil
from types import SimpleNamespace

import gradio as gr
import huggingface_hub
import pytest

from fmstudio.image.hub.cards import CARDS, card
from fmstudio.image.hub.fetch import DownloadProgress
from fmstudio.image.hub.find import COMMIT_FILE, Outlook, catalogue, folder_of, outlook
from fmstudio.image.hub.machine import GIB, Accelerator, Machine
from fmstudio.image.hub.rows import AUTO, SHELF, Settings
from fmstudio.image.questions.gallery import settings_in
from fmstudio.studio.line import HUB
from fmstudio.studio.session import Visitor
from fmstudio.ui.rooms.hub import html as pieces
from fmstudio.ui.rooms.hub.actions import fetching, sampling
from fmstudio.ui.rooms.hub.controls import FIRST
from fmstudio.ui.rooms.hub.room import picked
from fmstudio.ui.rooms.images.parts import long_action
from tests.image.hub import tiny

SMALL = Machine(8 * GIB, 8 * GIB, 50 * GIB)
GPU = Machine(64 * GIB, 64 * GIB, 500 * GIB, (Accelerator("cuda", 0, "A card", 24 * GIB, 23 * GIB, True),))
SD3 = "stabilityai/stable-diffusion-3-medium-diffusers"


@pytest.fixture(autouse=True)
def empty_store(tmp_path, monkeypatch):
    monkeypatch.setenv("FMSTUDIO_HUB_FOLDER", str(tmp_path))
    monkeypatch.delenv("FMSTUDIO_HUB", raising=False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_, **__: None)
    return tmp_path


def test_with_nothing_at_hand_every_card_is_there_with_what_to_do() -> None:
    html = pieces.models_html(catalogue(SMALL), FIRST)
    for known in CARDS:
        assert known.title in html
        assert f'data-model="{known.id}"' in html
    assert html.count('aria-pressed="true"') == 1
    assert "too large for this machine" in html
    assert "to fetch; would run: processor" in html  # InstaFlow fits even there
    assert "gated" in html
    assert "not commercial" in html


@pytest.mark.parametrize("model", CARDS, ids=lambda model: model.title)
def test_a_card_says_how_it_would_run_and_what_was_not_checked(model) -> None:
    seen = outlook(model.id, GPU, model.revision)
    html = pieces.card_html(seen)
    assert seen.choice.plan is not None
    assert "On this machine" in html
    assert "A card" in html
    assert "All ways that were considered" in html
    assert ("†" in html) == bool(model.unchecked)
    assert ("Accept its terms" in pieces.next_step(seen)) == model.gated


def test_the_next_step_follows_from_the_state(monkeypatch) -> None:
    small = outlook("Qwen/Qwen-Image", SMALL)
    assert "does not fit" in pieces.next_step(small)
    klein = outlook("black-forest-labs/FLUX.2-klein-4B", GPU)
    assert pieces.next_step(klein).startswith("Fetch it first")
    folder = folder_of(klein.name, klein.revision)
    folder.mkdir(parents=True)
    (folder / "x.part").write_bytes(b"0" * 1000)
    assert "earlier attempt" in pieces.next_step(outlook(klein.name, GPU))
    monkeypatch.setenv("FMSTUDIO_HUB", "off")
    assert "allows no downloads" in pieces.next_step(klein)


def test_fetching_says_how_far_it_is() -> None:
    html = pieces.fetching_html(DownloadProgress("vae/x", 3 * GIB, 4 * GIB, GIB, 10.0), "SD3")
    assert "3.00 of 4.00 GiB" in html
    assert "102.4 MiB/s" in html
    assert "about 10 s left" in html
    assert 'value="0.7500"' in html


def test_what_may_not_be_fetched_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(ValueError, match="Only models with a card"):
        next(fetching("some/other", "main", False))


def settings(**changes):
    values = {
        "model": SD3,
        "revision": "",
        "prompt": "a red fox",
        "steps": "1 3",
        "guidance": 1.0,
        "solver": "euler",
        "shift": 0,
        "seed": 0,
        "side": 32,
        "count": 1,
        "way": AUTO,
    }
    return Settings.from_form(values | changes)


def test_controls_become_settings() -> None:
    made = settings(steps="1, 2 4", shift=3.0, way="processor on cpu, float32")
    assert made.steps == (1, 2, 4)
    assert made.shift == 3.0
    assert made.way == "processor on cpu, float32"
    assert settings().shift is None
    assert settings().way == ""
    with pytest.raises(ValueError, match="steps"):
        settings(steps="none")


@pytest.mark.slow
def test_rows_with_their_film_strips(empty_store) -> None:
    folder = tiny.save("SD3", folder_of(SD3, card(SD3).revision))
    (folder / COMMIT_FILE).write_text("a" * 40)
    updates = list(sampling(settings(count=2, seed=4)))
    SHELF.clear()
    assert "Done: 4 steps" in updates[-1]["status"]
    assert updates[-1]["live"] == ""
    grids = [update["grid"] for update in updates if update.get("grid")]
    assert len(grids) == 2
    assert grids[-1].count('class="hub-row"') == 2
    assert grids[-1].count("<figure data-t=") == 4
    assert grids[-1].count('type="range"') == 1  # one step needs no slider
    assert "straightness" in grids[-1]
    # Each picture says its own seed, on the page and in its file.
    files = re.findall('data:image/png;base64,([^"]+)', grids[-1])
    made = [settings_in(base64.b64decode(file)) for file in files]
    assert [(how["seed"], how["count"], how["steps"]) for how in made] == [
        (seed, 1, [n]) for n in (1, 3) for seed in (4, 5)
    ]
    assert {how["revision"] for how in made} == {"a" * 40}
    assert grids[-1].count("<figcaption>seed 5</figcaption>") == 2
    curves = [update["curve"] for update in updates if update.get("curve")]
    assert curves[-1].count("<polyline") == 2
    shutil.rmtree(folder)
    with pytest.raises(ValueError, match="Fetch it first"):
        list(sampling(settings()))


def test_a_press_chooses_a_card_and_nothing_else() -> None:
    known = card(SD3).id
    assert picked(SimpleNamespace(_data={"model": known})) == known
    for data in ({"model": "some/other"}, {}, None):
        assert picked(SimpleNamespace(_data=data)) != "some/other"


def test_names_from_outside_are_escaped(monkeypatch) -> None:
    monkeypatch.setenv("FMSTUDIO_HUB", "any")
    seen = Outlook("<b>x</b>/y", "<i>", None, None, None)
    html = pieces.card_html(seen) + pieces.models_html([seen], "")
    assert "<b>x" not in html
    assert "<i>" not in html


@pytest.mark.browser
def test_a_visitor_finds_the_models_and_what_this_machine_can_run(studio_url, browser) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    page.goto(studio_url)
    page.get_by_role("tab", name="Images").click(timeout=60_000)
    page.get_by_role("tab", name="Hub models").click(timeout=60_000)
    page.wait_for_selector("#hub-detail h3", timeout=60_000)
    assert page.locator("[data-model]").count() == len(CARDS)
    page.click('[data-model="black-forest-labs/FLUX.1-dev"]')
    page.wait_for_selector("#hub-detail h3:has-text('FLUX.1 dev')", timeout=60_000)
    page.wait_for_selector("#hub-gate >> text=hf auth login", timeout=60_000)
    page.click("#hub-go")
    page.wait_for_selector("#hub-status .fm-warn >> text=Fetch it first", timeout=60_000)
    page.close()


def test_a_second_visitor_hears_who_is_before() -> None:
    with gr.Blocks():
        state, status, said = gr.State(), gr.HTML(), gr.Textbox()
    handler = long_action(
        lambda values: ({status: values[said]} for _ in range(1)), state, "hub", status, "", line=HUB
    )
    first, second = (handler({state: Visitor(), said: word}) for word in ("first", "second"))
    assert next(first)[status] == "first"
    assert "One action is before this one" in next(second)[status]
    assert list(first) == []
    assert next(second)[status] == "second"
    second.close()
