"""The sidebar: its choices and controls are those of the catalogue."""

from __future__ import annotations

from collections.abc import Iterator

import gradio as gr
import pytest

from fmstudio.image.settings import ImageSettings
from fmstudio.learn.build import class_names
from fmstudio.learn.experiment import COUPLINGS, DATA, PATHS, SOURCES, Experiment, domain
from fmstudio.plots.figures import nfe_figure, solver_mark
from fmstudio.plots.thumbnails import thumbnail_css
from fmstudio.ui import api, sidebar, words
from fmstudio.ui.page import build
from tests.learn.toys import NAMES, toys_in_the_catalogue


@pytest.fixture
def toys() -> Iterator[None]:
    with toys_in_the_catalogue():
        yield


def choices_of(page: gr.Blocks) -> list[list[tuple[str, str]]]:
    """The choices of every control of the page that has some."""
    return [[tuple(c) for c in part["props"].get("choices") or []] for part in page.config["components"]]


def test_the_page_offers_members_from_outside(toys: None) -> None:
    offered = choices_of(build())
    labels = {"path": "ease", "coupling": "order", "target": "2x₀"}
    for field, name in NAMES.items():
        shown = sidebar.offered(field)
        assert shown[-1] == (labels.get(field, name), name)
        assert shown in offered, field
    assert sum((NAMES["solver"], NAMES["solver"]) in choices for choices in offered) == 2  # Of images too.


def test_the_page_does_not_offer_what_is_not_in_the_catalogue(built: gr.Blocks) -> None:
    named = {name for choices in choices_of(built) for _, name in choices}
    assert named >= {*DATA, *PATHS, *SOURCES, *COUPLINGS}
    assert not named & set(NAMES.values())


def test_the_words_of_a_member_from_outside(toys: None) -> None:
    experiment = Experiment(path=NAMES["path"], data=NAMES["data"], strength=1.5)
    assert words.path_formula(experiment) == "eased by 1.5"
    assert words.path_note(experiment) == ""
    assert words.data_note(experiment) == ""
    assert class_names(experiment, 3) == ["rising", "falling", "class 2"]
    assert thumbnail_css("#x").count("background-image") == len(DATA)
    solvers = domain("solver")["options"]
    assert len(set(map(solver_mark, solvers))) == len(solvers)
    assert nfe_figure({NAMES["solver"]: ([1], [0.1])}, "error")["data"][0]["name"] == NAMES["solver"]


def test_a_member_from_outside_in_the_api(toys: None) -> None:
    answer = api.trajectories({"path": NAMES["path"], "data": NAMES["data"], "particles": 10, "frames": 2})
    assert len(answer["positions"]) == 2
    assert ImageSettings.from_dict({"solver": NAMES["solver"]}).solver == NAMES["solver"]


def test_the_controls_of_a_member_are_shown_with_it(toys: None) -> None:
    toy = sidebar.shown_fields(Experiment(path=NAMES["path"], data=NAMES["data"], coupling=NAMES["coupling"]))
    assert {name for name in toy if toy[name]} == {
        "strength", "data_noise", "data_points", "coupling_batch", "sample_steps",
    }  # fmt: skip


def test_every_field_of_a_member_has_its_control_or_is_drawn() -> None:
    with gr.Blocks():
        controls = sidebar.build().controls
    owned = {f for family in (DATA, PATHS, COUPLINGS) for member in family.values() for f in member.fields}
    assert owned - set(controls) == {"mixture", "points"}
    for name in owned & set(controls):
        assert controls[name].label == domain(name)["label"]
        assert controls[name].visible == (name == "data_noise")


@pytest.mark.parametrize("name", DATA)
def test_every_data_set_has_its_sentence(name: str) -> None:
    assert len(words.data_note(Experiment(data=name))) > 20


@pytest.mark.parametrize("name", PATHS)
def test_every_path_has_its_formula(name: str) -> None:
    assert "=" in words.path_formula(Experiment(path=name))
