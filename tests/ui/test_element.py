"""Elements of the studio's own: what Gradio is told of them, and where their script is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from fmstudio.plots.script import FOLDER, studio_script
from fmstudio.ui.board import Board
from fmstudio.ui.element import Element, preload, script_address
from fmstudio.ui.film_strip import FilmStrip
from fmstudio.ui.lessons import Lessons
from fmstudio.ui.live_plot import LivePlot
from fmstudio.ui.player import Player

ELEMENTS = (Board, FilmStrip, Lessons, LivePlot, Player)


def plain(value: Any) -> bool:
    """Whether a value of a configuration is data through and through."""
    if isinstance(value, dict):
        return all(plain(part) for part in value.values())
    if isinstance(value, list | tuple):
        return all(plain(part) for part in value)
    return value is None or isinstance(value, str | int | float)


@pytest.mark.parametrize("kind", ELEMENTS, ids=lambda kind: kind.__name__)
def test_what_gradio_copies_of_an_element_is_data(kind: type[Element]) -> None:
    """Gradio takes a word in quotes in its script for an event bound to the whole page, and copies it."""
    made = kind()
    assert plain({name: value for name, value in made.get_config().items() if name != "name"})
    for name in made.triggers:
        assert callable(getattr(made, name))
    assert not hasattr(made, "given")


def test_every_element_has_its_module() -> None:
    source = (FOLDER / "studio.js").read_text("utf-8")
    listed = re.search(r"const MODULES = \{ (.+) \};", source)
    assert listed is not None
    assert {kind.module for kind in ELEMENTS} | {"offline"} == set(listed[1].split(", "))


def test_the_script_is_one_file_with_one_address() -> None:
    address = script_address()
    assert address == script_address()
    assert Path(address.partition("file=")[2]).read_text("utf-8") == studio_script()
    for markup in (preload(), LivePlot().head, Player().head):
        assert markup is not None
        assert address in markup
        assert len(markup) < 300
