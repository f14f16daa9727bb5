"""A link opens with all of it that can be; an edit that cannot be is refused where it is made."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from fmstudio.learn.experiment import Experiment, domain
from fmstudio.learn.nets.fitting import check, edited, read_link


@pytest.mark.parametrize("name", ["utm_source", "fbclid", "Path", ""])
def test_what_is_no_field_is_left_out_and_told(name: str) -> None:
    experiment, notes = read_link({"path": "bow", name: "x", "seed": "7"})
    assert experiment == Experiment(path="bow", seed=7)
    assert [(note.name, note.instead) for note in notes] == [(name, None)]


@pytest.mark.parametrize("name", [f.name for f in fields(Experiment) if "low" in f.metadata])
def test_a_number_beyond_its_bounds_becomes_the_bound_and_the_rest_opens(name: str) -> None:
    for end, beyond in (("low", -1e9), ("high", 1e12)):
        experiment, notes = read_link({name: str(beyond), "word": "two"})
        assert experiment.word == "two"
        note = next(note for note in notes if note.name == name)
        assert float(str(note.instead)) == domain(name)[end]
        if name != "label":  # No class is asked for without a net that is told it.
            assert getattr(experiment, name) == domain(name)[end]


@pytest.mark.parametrize(
    ("asked", "opened", "at_fault"),
    [
        ({"data": "nope", "seed": "4"}, {"seed": 4}, ["data"]),
        ({"seed": "3.5", "path": "bow"}, {"path": "bow"}, ["seed"]),
        ({"ema": "nan", "path": "bow"}, {"path": "bow"}, ["ema"]),
        ({"conditional": "maybe", "path": "bow"}, {"path": "bow"}, ["conditional"]),
        ({"data": "line mixture", "path": "bow"}, {"data": "line mixture"}, ["path"]),
        ({"data": "line mixture", "source": "8 gaussians"}, {"data": "line mixture"}, ["source"]),
        ({"path": "zig-zag", "around": "linear"}, {"path": "zig-zag"}, ["around"]),
        ({"path": "zig-zag", "coupling": "sinkhorn"}, {"path": "zig-zag"}, ["coupling"]),
        ({"path": "custom", "formula_a": "<b>x</b>"}, {"path": "custom"}, ["formula_a"]),
        ({"data": "points", "points": "zzz", "seed": "4"}, {"data": "points", "seed": 4}, ["points"]),
        ({"data": "mixture", "mixture": "[]"}, {"data": "mixture"}, ["mixture"]),
        ({"label": "2"}, {}, ["label"]),
        ({"conditional": "1", "label": "8"}, {"conditional": True}, ["label"]),
        ({"data": "swiss roll", "conditional": "1"}, {"data": "swiss roll"}, ["conditional"]),
        (
            {"coupling": "sinkhorn", "regression": "closed-form mean"},
            {"coupling": "sinkhorn"},
            ["regression"],
        ),
        (
            {"path": "bow", "data": "line mixture", "mixture": "x", "coupling": "a", "seed": "4"},
            {"data": "line mixture", "mixture": "x", "seed": 4},
            ["coupling", "path"],
        ),
    ],
)
def test_what_cannot_be_goes_and_the_rest_opens(
    asked: dict[str, str], opened: dict[str, Any], at_fault: list[str]
) -> None:
    experiment, notes = read_link(asked)
    assert experiment == Experiment(**opened)
    assert [note.name for note in notes] == at_fault
    check(experiment)


def test_a_link_that_can_be_opens_as_it_is() -> None:
    asked = Experiment(data="moons", conditional=True, label=1, guidance=2.5, path="latent", around="linear")
    experiment, notes = read_link({name: str(value) for name, value in asked.changes().items()})
    assert experiment == asked
    assert notes == []


@pytest.mark.parametrize(
    ("before", "name", "value", "why"),
    [
        ({"coupling": "optimal transport"}, "regression", "closed-form mean", "independent coupling only"),
        ({"source": "two gaussians"}, "target", "score", "score target needs"),
        ({"data": "line mixture"}, "path", "spiral", "turns the plane"),
        ({"source": "8 gaussians"}, "data", "line mixture", "lie in the plane"),
    ],
)
def test_a_choice_that_cannot_be_is_refused_with_the_reason(
    before: dict[str, Any], name: str, value: str, why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        edited(Experiment(**before), name, value)


def test_another_choice_puts_back_what_only_concerns_the_training() -> None:
    before = Experiment(regression="closed-form mean", target="score", conditional=True, label=2)
    after, notes = edited(before, "coupling", "optimal transport")
    assert after == Experiment(coupling="optimal transport", conditional=True, label=2)
    assert [(note.name, note.instead) for note in notes] == [("regression", "sampled"), ("target", "v")]
    # And what belonged to the data goes with them.
    assert edited(before.but(target="v"), "data", "checkerboard")[0] == Experiment(
        data="checkerboard", regression="closed-form mean"
    )
    assert edited(Experiment(path="latent", around="linear"), "path", "zig-zag")[0].around == "spherical"
