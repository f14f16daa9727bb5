"""What a visitor typed comes back as text, from every field of a link and in every room's words."""

from __future__ import annotations

import ast
import json
import uuid
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import gradio as gr
import httpx
import pytest

from fmstudio.learn.experiment import Experiment
from fmstudio.ui import desk, report, words
from fmstudio.ui.rooms.images import words as images_words
from tests.learn.brought import from_csv, from_file

UI = Path(report.__file__).parent
MARKUP = "<img src=//e.x>![a](//e.x)"
"""Short, because errors shorten what they quote."""


def test_only_one_module_speaks_in_toasts() -> None:
    loud = {"Warning", "Info", "Success", "Error"}
    for file in UI.rglob("*.py"):
        if file == Path(report.__file__):
            continue
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            used = isinstance(node, ast.Attribute) and node.attr in loud
            assert not (used and isinstance(node.value, ast.Name) and node.value.id == "gr"), (
                f"{file.name}:{node.lineno}: a toast draws HTML; say it through fmstudio.ui.report."
            )


def test_a_toast_and_a_refusal_are_text(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(gr, "Warning", said.append)
    report.warn(ValueError("got <img src=x>"))
    assert said == ["got &lt;img src=x&gt;"]
    assert report.refusal("got <img src=x>").message == "got &lt;img src=x&gt;"


class Page:
    """A visit without a browser: asks the server what the page's script would ask it."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url, timeout=60)
        config = self.http.get("/config").json()
        self.kinds = {part["id"]: part["type"] for part in config["components"]}
        self.events = {event["id"]: event for event in config["dependencies"]}
        self.chained = {event["trigger_after"]: event for event in self.events.values()}
        self.at_load = [e for e in self.events.values() if [t[1] for t in e["targets"]] == ["load"]]

    def open(self, query: str) -> Iterator[tuple[str, Any]]:
        """What comes while the page opens at a link: the kind of what it is shown in, and the value."""
        visit = uuid.uuid4().hex
        for event in self.at_load:
            chain: Any = event
            while chain is not None:
                if chain["backend_fn"]:
                    yield from self.call(chain, query, visit)
                chain = self.chained.get(chain["id"])

    def call(self, event: dict[str, Any], query: str, visit: str) -> Iterator[tuple[str, Any]]:
        asked = {"data": [None] * len(event["inputs"]), "fn_index": event["id"], "session_hash": visit}
        self.http.post(f"/gradio_api/queue/join?{query}", json=asked).raise_for_status()
        with self.http.stream("GET", "/gradio_api/queue/data", params={"session_hash": visit}) as told_:
            for line in told_.iter_lines():
                message = json.loads(line.removeprefix("data:")) if line.startswith("data:") else {}
                if message.get("msg") == "log":
                    yield "toast", message["log"]
                output = message.get("output") or {}
                if "error" in output:
                    yield "toast", output["error"]
                for part, value in zip(event["outputs"], output.get("data") or [], strict=False):
                    yield self.kinds[part], value


@pytest.fixture(scope="module")
def page(studio_url: str) -> Page:
    return Page(studio_url)


LIVE = {"toast", "html", "markdown"}
"""Where the browser reads what it is sent as HTML or as Markdown."""


LINKS: dict[str, dict[str, str]] = {
    "seed": {},
    "guidance": {},
    "data": {},
    "conditional": {},
    "formula_a": {"path": "custom"},
    "formula_b": {"path": "custom"},
    "mixture": {"data": "mixture"},
    "points": {"data": "points"},
    "word": {"data": "word"},
    MARKUP: {},
}
"""A field of each kind that an experiment has, all its texts, and one that it has not."""


def test_the_fields_are_of_every_kind() -> None:
    kinds = {f.name: (f.type, "options" in f.metadata, "longest" in f.metadata) for f in fields(Experiment)}
    assert {kinds[name] for name in kinds if name in LINKS} == set(kinds.values())
    assert {name for name, kind in kinds.items() if kind[2]} <= set(LINKS)


@pytest.mark.slow
def test_no_field_of_a_link_is_read_as_markup(page: Page) -> None:
    refused = 0
    for name, others in LINKS.items():
        for kind, value in page.open(urlencode(others | {name: MARKUP})):
            refused += kind == "toast"
            text = json.dumps(value)
            assert kind not in LIVE or "<img src=//e" not in text, (name, kind, text)
            assert kind != "markdown" or "](//e" not in text, (name, kind, text)
    assert refused >= 8  # A word may be any text.


def test_columns_and_classes_of_a_file_are_text() -> None:
    cell = f'"{MARKUP}"'
    table = f"{cell},y,label,{cell}b\n1,2,{cell},3\n2,4,b,4\n3,5,{cell},9\n"
    note = desk.note_html(from_csv(table.encode()))
    assert "img" in note
    assert "<img" not in note
    assert "&lt;img" in note


def test_a_file_s_name_is_text(tmp_path: Path) -> None:
    file = tmp_path / "a.<img src=e>"
    file.write_text("1,2\n")
    with pytest.raises(ValueError, match="<img") as refused:
        from_file(file)
    assert "<" not in report.refusal(refused.value).message


def test_rooms_words_are_text() -> None:
    class Entry:
        part, image_shape, class_names = "unet", (1, 28, 28), (MARKUP, "b")

    for shown in (
        words.not_drawn([f"formula: {MARKUP}"], Experiment()),
        words.lines(f"no net of {MARKUP}"),
        report.said(MARKUP).removeprefix('<p class="fm-note">'),
        report.failed(ValueError(MARKUP)).removeprefix('<p class="fm-note fm-warn">'),
        images_words.facts(Entry()),
    ):
        assert "<img" not in shown
    for shown in (words.not_drawn([MARKUP], Experiment()), images_words.facts(Entry())):
        assert "](//" not in shown
