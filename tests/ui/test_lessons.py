"""Lessons: every step is an experiment and a room, and a step opens both."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from fmstudio.learn.experiment import Experiment
from fmstudio.learn.nets.net_card import NetCard
from fmstudio.learn.nets.shipped import shipped
from fmstudio.learn.training.batches import Problem
from fmstudio.studio import paths, train
from fmstudio.studio.session import SHIPPED, TRAINED, Net, Rooms, Visitor
from fmstudio.ui.lessons import Step, lessons, read_step
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
        {"count": 1},
    ],
)
def test_a_step_from_the_browser_is_checked(data: object) -> None:
    with pytest.raises(ValueError, match=r"query|seed|Unknown"):
        read_step(SimpleNamespace(_data=data))  # pyright: ignore[reportArgumentType]


STEPS = [step for lesson in lessons() for step in lesson.steps if step.room in ("Train", "Sample")]


@pytest.mark.parametrize("own", ["none", "untold", "moons", "straightened"])
@pytest.mark.parametrize("step", STEPS, ids=lambda step: f"{step.room} {step.query}")
def test_a_step_shows_the_net_that_it_speaks_of_whatever_net_is_there(step: Step, own: str) -> None:
    experiment = Experiment.from_query(step.query)
    learned = {"none": None, "moons": Experiment(data="moons")}.get(own, Experiment())
    mine = None if learned is None else shipped(learned)
    if mine is not None:
        mine = replace(mine, of_pairs=own == "straightened")
    state = Visitor(
        experiment,
        Net(mine, TRAINED if mine else SHIPPED),
        rooms=Rooms(use_net=False, view="all three"),
    )
    train.begin_lesson(state, experiment, step.own)
    train.adopt_shipped(state)
    assert state.checkpoint is not None
    assert NetCard.of(state.checkpoint).answers(experiment)
    assert (state.checkpoint is mine) == (step.own and own == "untold")
    assert paths.samples_the_net(state)
    assert paths.followed(state, True).left_out == ""
    assert state.rooms.view == paths.VIEWS[0]
    # Closed, and the visitor's own net is back.
    train.end_lesson(state)
    train.adopt_shipped(state)
    if mine is not None:
        assert state.checkpoint is mine
        assert state.net.origin == TRAINED


@pytest.mark.slow
def test_a_lesson_s_net_goes_with_its_problem_and_a_training_is_the_visitor_s_own() -> None:
    mine = shipped(Experiment(data="moons"))
    asked = Experiment(conditional=True)
    state = Visitor(asked, Net(mine, TRAINED))
    train.begin_lesson(state, asked, own=False)
    # Another class, and more guidance, are still the lesson's.
    state.experiment = asked.but(label=3, guidance=2.0)
    train.adopt_shipped(state)
    assert state.net.origin == SHIPPED
    # Its problem is left.
    state.experiment = Experiment(data="moons")
    train.adopt_shipped(state)
    assert state.checkpoint is mine
    train.begin_lesson(state, state.experiment, own=False)
    state.experiment = state.experiment.but(train_steps=20, width=16, depth=1)
    list(train.start(state))
    train.adopt_shipped(state)
    assert (state.net.origin, state.lesson) == (TRAINED, None)


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
