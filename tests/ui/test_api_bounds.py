"""Calls beyond every bound: each is answered in one sentence that names what is wrong."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from typing import Any

import httpx
import pytest

from fmstudio.image.settings import LIMITS
from fmstudio.learn.experiment import Experiment

STRANGE: list[Any] = [
    None, 5, -1, 10**400, float("nan"), float("inf"), "", "<b>", [], {}, {"path": "x"}, True,
]  # fmt: skip


def ask(url: str, endpoint: str, *given: Any) -> str:
    """What a program is told that calls as raw HTTP: the error's words, or "" for an answer."""
    # As Python writes JSON: NaN and numbers of hundreds of digits, which stricter writers refuse.
    body = json.dumps({"data": given})
    head = {"content-type": "application/json"}
    asked = httpx.post(f"{url}gradio_api/call/{endpoint}", content=body, headers=head, timeout=60)
    if asked.status_code != 200:
        return asked.text
    text = httpx.get(f"{url}gradio_api/call/{endpoint}/{asked.json()['event_id']}", timeout=120).text
    event, data = text.strip().rsplit("\n\n")[-1].splitlines()[:2]
    return json.loads(data.removeprefix("data: "))["error"] if event == "event: error" else ""


def is_one_sentence(said: str) -> bool:
    """Words for a person, without a trace of Python."""
    traces = re.search(r"\w(Error|Exception)\b|Traceback|object at 0x", said)
    return 10 < len(said) < 700 and "\n" not in said and traces is None


def beyond() -> list[tuple[str, Any]]:
    """A field and a value that it does not take, for every field of an experiment."""
    found: list[tuple[str, Any]] = []
    for field in fields(Experiment):
        limits = field.metadata
        if "high" in limits:
            found += [(field.name, limits["high"] * 1000), (field.name, limits["low"] - 1)]
        found += [(field.name, value) for value in ([], {}, None, 10**400, float("nan"))]
    return found


def test_every_field_beyond_its_bounds_is_refused_by_its_name() -> None:
    for name, value in beyond():
        with pytest.raises(ValueError, match=f"^{name}: ") as refused:
            Experiment.from_dict({name: value})
        assert is_one_sentence(str(refused.value)), (name, value)


@pytest.mark.parametrize("value", STRANGE, ids=repr)
def test_what_is_no_experiment_is_refused(studio_url: str, value: Any) -> None:
    if value == {}:
        return  # The default experiment.
    said = ask(studio_url, "trajectories", value)
    assert is_one_sentence(said), said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("endpoint", "given"),
    [
        ("trajectories", [{"particles": 10**6}]),
        ("trajectories", [{"seed": -1}]),
        ("trajectories", [{"particles": 100_000, "frames": 200}]),
        ("train", [{"train_steps": 10**9}]),
        ("train", [{"batch": float("nan")}]),
        ("train", [{"target": {"path": "/etc/passwd"}}]),
        ("sample", [{"sample_steps": 1000}, ""]),
        ("sample", [{"particles": 100_000}, ""]),
        *[("sample", [{}, value]) for value in (5, [], {}, "AAAA", "no net")],
        *[("claim", [{}, value, False]) for value in (None, 6, {}, "C11", "")],
        ("claim", [{}, "C6", "yes"]),
        ("claim", [{}, "C6", None]),
        *[("images", [{name: value}]) for name in LIMITS if name != "tolerance" for value in (-9, 1e12)],
        *[("images", [{"steps": value}]) for value in (5, None, {}, "12", [[]], [10**400], [0.5], [1] * 9)],
        *[("images", [{"model": value}]) for value in (None, {}, "../x")],
        ("images", [{"seed": 10**400}]),
        ("images", [{"label": 99}]),
        ("images", [{"tolerances": [0]}]),
    ],
    ids=str,
)
def test_calls_beyond_the_bounds_are_refused(studio_url: str, endpoint: str, given: list[Any]) -> None:
    said = ask(studio_url, endpoint, *given)
    assert is_one_sentence(said), said
