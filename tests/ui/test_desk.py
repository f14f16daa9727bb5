"""What a visitor brings: the board shows what plays, the desk what a file holds and what of it is used."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fmstudio.learn import clouds
from fmstudio.learn.experiment import Experiment
from fmstudio.studio.session import Visitor
from fmstudio.ui import bringing, desk
from fmstudio.ui.board import board_value

TABLE = "Id,height,mass,<b>sex</b>\n" + "".join(
    f"{k},{1.5 + k * k % 7 / 10:.1f},{50 + k * k % 11},{'fm'[k % 2]}\n" for k in range(1, 12)
)


def event(**data: Any) -> Any:
    return SimpleNamespace(_data=data)


@pytest.fixture
def with_table(tmp_path: Path) -> Visitor:
    file, state = tmp_path / "people.csv", Visitor()
    file.write_text(TABLE, "utf-8")
    bringing.upload(state, str(file))
    assert state.browser.refused == ""
    return state


def board(state: Visitor) -> dict[str, Any]:
    return json.loads(board_value(state.experiment, state.drawn))


def test_the_board_shows_what_plays() -> None:
    state, stroke = Visitor(Experiment(data="points")), [[0.0, 0.0], [1.0, 1.0]]
    # Nothing drawn is the example, for the browser too.
    assert board(state) == {"mode": "draw", "strokes": [], "count": 0}
    bringing.draw(state, event(strokes=[stroke], count=1))
    assert board(state) == {"mode": "draw", "strokes": [stroke], "count": 1}
    # After a reload or from a link, the drawing is there as its points are.
    again = Visitor(Experiment.from_query(state.experiment.to_query()))
    assert board(again)["strokes"] == [stroke]
    bringing.draw(state, event(strokes=[], count=2))
    assert state.experiment.points == ""
    # What was sent before it arrives after it, and changes nothing.
    bringing.draw(state, event(strokes=[stroke], count=1))
    assert state.experiment.points == ""
    assert board(state) == {"mode": "draw", "strokes": [], "count": 2}
    # What is refused is answered: the browser shows what plays again.
    bringing.draw(state, event(strokes=[[]], count=3))
    assert board(state)["count"] == 3
    assert "drawing" in state.browser.refused


def test_the_points_of_a_file_come_back_when_the_drawing_over_them_is_undone(with_table: Visitor) -> None:
    points = with_table.experiment.points
    shown = board(with_table)
    assert (shown["mode"], len(shown["points"]), set(shown["labels"])) == ("cloud", 11, {0, 1})
    bringing.draw(with_table, event(strokes=[[[0.0, 0.0]]], count=1))
    bringing.draw(with_table, event(strokes=[[[0.0, 0.0]], [[1.0, 1.0]]], count=2))
    assert not desk.shown(with_table.experiment, with_table.desk)["desk table"]["visible"]
    bringing.draw(with_table, event(back=True, count=3))
    assert with_table.experiment.points == points
    assert desk.shown(with_table.experiment, with_table.desk)["desk table"]["visible"]


def test_choices_redo_the_cloud(with_table: Visitor) -> None:
    def choose(name: str, value: Any) -> dict[str, Any]:
        bringing.choose(name)(with_table, value)
        assert with_table.browser.refused == ""
        assert with_table.desk is not None
        assert with_table.desk.points == with_table.experiment.points
        return with_table.desk.choice.to_dict()

    assert with_table.desk is not None
    assert with_table.desk.choice == clouds.Choice("height", "mass", "<b>sex</b>")
    assert choose("y", "")["y"] == ""
    assert with_table.experiment.dim == 1
    assert choose("y", "mass")["y"] == "mass"
    # The same column twice would be a line: they change places.
    assert (choose("x", "mass")["x"], choose("label", "")["label"]) == ("mass", "")
    assert with_table.desk.choice.to_dict()["y"] == "height"
    assert choose("x", clouds.COMPONENTS)["y"] == ""
    assert "principal components of 2 columns" in clouds.unpack(with_table.experiment.points).note
    assert choose("x", "height") | {"fill": ""} == clouds.Choice("height", "mass").to_dict()
    points = with_table.experiment.points
    bringing.choose("x")(with_table, "<b>sex</b>")
    assert "holds words" in with_table.browser.refused
    assert with_table.experiment.points == points


def test_what_a_file_says_is_text_and_not_html(with_table: Visitor) -> None:
    parts = desk.shown(with_table.experiment, with_table.desk)
    for name in ("desk table", "cloud note"):
        assert "&lt;b&gt;sex" in parts[name]["value"]
        assert "<b>sex" not in parts[name]["value"]
    assert parts["desk x"]["choices"][:3] == [(name, name) for name in ("Id", "height", "mass")]
    assert parts["desk label"]["choices"][0] == ("none", "")
    # A link brings what was done and the classes, but no file to choose from.
    parts = desk.shown(Experiment.from_query(with_table.experiment.to_query()), None)
    assert "11 points of people.csv" in parts["cloud note"]["value"]
    assert not parts["desk table"]["visible"]
    assert not desk.shown(Experiment(), with_table.desk)["cloud note"]["visible"]


def test_the_table_says_what_each_column_holds(with_table: Visitor) -> None:
    assert with_table.desk is not None
    content, choice = with_table.desk.brought.content, with_table.desk.choice
    assert isinstance(content, clouds.Table)
    assert isinstance(choice, clouds.Choice)
    html = desk.table_html(content, choice)
    for said in (
        "row number",
        "numbers",
        "2 kinds",
        "none missing",
        "The first of 11 rows",
        "<b>x</b> height",
    ):
        assert said in html


def test_a_picture_has_its_own_choices(tmp_path: Path) -> None:
    pixels, stream = np.full((40, 40), 255, np.uint8), io.BytesIO()
    pixels[10:20, 10:30] = 0
    pixels[30:35, 10:30] = 180
    Image.fromarray(pixels).save(stream, "PNG")
    file, state = tmp_path / "a.png", Visitor()
    file.write_bytes(stream.getvalue())
    bringing.upload(state, str(file))
    before = state.experiment.points
    bringing.choose("threshold")(state, 0.5)
    assert state.experiment.points != before
    assert "nothing below 50%" in desk.shown(state.experiment, state.desk)["cloud note"]["value"]
    parts = desk.shown(state.experiment, state.desk)
    assert parts["desk blur"] == {"value": 0.0, "visible": True}
    assert not parts["desk x"]["visible"]
    bringing.choose("colours")(state, 2.0)
    assert state.browser.refused == ""


@pytest.mark.browser
def test_draw_undo_bring_a_file_and_choose(browser: Any, studio_url: str, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text(TABLE, "utf-8")
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(120_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{studio_url}?data=points")
    board = page.locator("#board")
    board.get_by_text("Nothing is drawn: this example plays").wait_for()
    box = board.locator("canvas").bounding_box()

    def stroke(*places: tuple[float, float]) -> None:
        for k, (x, y) in enumerate(places):
            page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=4)
            if k == 0:
                page.mouse.down()
        page.mouse.up()

    def link(holds: str) -> None:
        page.wait_for_function(f"location.search.includes('{holds}')")

    stroke((0.2, 0.2), (0.8, 0.2))
    link("points=2D")
    first = page.url
    stroke((0.2, 0.7), (0.8, 0.7))
    page.wait_for_function(f"location.href.length > {len(first)}")
    board.get_by_role("button", name="Undo").click()
    page.wait_for_function(f"location.href === '{first}'")
    page.reload()
    board.get_by_role("button", name="Clear").wait_for()
    board.get_by_role("button", name="Clear").click()
    page.wait_for_function("!location.search.includes('points=2D')")
    board.get_by_text("Nothing is drawn: this example plays").wait_for()
    page.locator("#experiment input[type=file]").set_input_files(tmp_path / "people.csv")
    page.locator("#desk-table").get_by_text("<b>sex</b>").wait_for()
    link("points=2L")
    page.get_by_label("y", exact=True).click()
    page.get_by_role("option", name="none: on a line").click()
    link("points=1L")
    page.locator("#cloud-note").get_by_text("x is height, the class").wait_for()
    assert errors == []
    page.close()
