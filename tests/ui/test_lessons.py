"""Lessons: every step is an experiment and a room, and a step opens both."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from fmstudio.learn.batches import Problem
from fmstudio.learn.experiment import Experiment
from fmstudio.ui.lessons import lessons, read_step
from fmstudio.ui.page import TABS


def test_every_step_is_an_experiment_that_can_be_trained_and_a_room() -> None:
    rooms = {name for name, _ in TABS}
    assert lessons()
    for lesson in lessons():
        assert len(lesson.steps) >= 3, lesson.title
        for step in lesson.steps:
            assert step.room in rooms
            assert "*" not in step.html
            Problem.of(Experiment.from_query(step.query), None, torch.device("cpu"))


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"query": "seed=1"},
        {"count": 1, "query": 3},
        {"count": 1, "query": "seed=-1"},
        {"count": 1, "query": "no=such"},
    ],
)
def test_a_step_from_the_browser_is_checked(data: object) -> None:
    with pytest.raises(ValueError, match=r"query|seed|Unknown"):
        read_step(SimpleNamespace(_data=data))  # pyright: ignore[reportArgumentType]


@pytest.mark.browser
@pytest.mark.slow
def test_a_step_sets_the_experiment_and_opens_its_room(browser: Any, studio_url: str) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.set_default_timeout(60_000)
    page.goto(studio_url)
    playing = "document.querySelector('#sample-player .fm-player')?.__player?.playing"
    page.get_by_role("tab", name="Sample").click()
    page.wait_for_function(playing.replace("playing", "loads"))
    page.locator("#sample-player").get_by_label("Pause").click()
    page.wait_for_function(f"!{playing}")
    page.locator("[data-fm=lessons]").click()
    page.get_by_role("button", name="Classes and guidance").click()
    page.wait_for_function(playing)
    page.get_by_role("button", name="Next", exact=True).click()
    page.get_by_role("button", name="Next", exact=True).click()
    # Steps that are passed quickly all arrive, the last one last.
    page.wait_for_function("location.search.includes('guidance=4')")
    assert page.get_by_role("tab", name="Sample").get_attribute("aria-selected") == "true"
    page.get_by_label("number input for guidance w").wait_for()
    page.get_by_label("Close the lessons").click()
    page.locator(".fm-lesson").wait_for(state="hidden")
    page.close()
