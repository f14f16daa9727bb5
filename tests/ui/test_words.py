"""Sentences that follow from the experiment say what it really holds."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from fmstudio.learn import clouds
from fmstudio.learn.build import class_names
from fmstudio.learn.experiment import Experiment, domain
from fmstudio.learn.nets.fitting import check, read_link
from fmstudio.learn.nets.net_card import choose
from fmstudio.learn.nets.shipped import shipped
from fmstudio.ui import words
from tests.learn.brought import from_csv


def test_classes_are_called_as_the_file_calls_them() -> None:
    cloud = from_csv(b"x,y,class\n1,2,dog\n3,4,cat\n5,9,dog\n")
    experiment = Experiment(data="points", points=clouds.packed(cloud))
    assert class_names(experiment, 2) == ["cat", "dog"]
    nameless = Experiment(data="points", points=clouds.pack(cloud.points, cloud.labels))
    assert class_names(nameless, 2) == ["class 0", "class 1"]
    assert class_names(Experiment(data="word", word="a b"), 2) == ["a", "b"]


def test_a_number_is_never_a_negative_zero() -> None:
    assert words.number(-0.00001) == "0.0000"
    assert words.number(-0.0012) == "−0.0012"


CROSSED = Experiment(path="custom", formula_a="1 − t − 2sin(πt)", formula_b="T")


def test_what_was_read_of_a_formula_and_where_only_v_can_be_trained_is_on_the_page() -> None:
    assert words.path_formula(CROSSED) == "a = 1-t-2*sin(pi*t), b = t"
    assert "0 at t = 0.3828." in words.path_note(CROSSED)
    assert "v only" in words.path_note(CROSSED)
    assert "v only" not in words.path_note(Experiment(path="custom"))


@pytest.mark.parametrize("target", ["x0", "eps", "score"])
def test_a_target_that_the_path_does_not_allow_is_refused_when_it_is_chosen(target: str) -> None:
    check(CROSSED)
    with pytest.raises(ValueError, match=r"0\.3828|a is 0 or below"):
        check(CROSSED.but(target=target))


def test_the_sampler_s_hint_warns_of_a_straightened_net() -> None:
    net = shipped(Experiment())
    assert net is not None
    assert "straightened" in words.sampler_hint(choose(Experiment(), replace(net, of_pairs=True)))
    assert words.sampler_hint(choose(Experiment(), net)) == ""


def test_the_sampler_s_hint_says_whose_the_field_is() -> None:
    told = Experiment(conditional=True, label=2)
    assert "compared with *Q* of that class" in words.sampler_hint(choose(told, None))
    guided = words.sampler_hint(choose(told.but(guidance=3.0, sde_noise=0.5), None))
    assert "*not* samples of the class" in guided
    assert "same for every η" not in guided.replace("*not* the same for every η", "")
    # A net that knows no class is not said to sample one.
    said = words.sampler_hint(choose(told, shipped(Experiment()), lenient=True))
    assert "trained without classes" in said
    assert "One class is sampled" not in said


@pytest.mark.parametrize("name", [f.name for f in fields(Experiment)])
def test_every_field_has_a_name_of_the_page(name: str) -> None:
    assert "_" not in domain(name)["said"]


def test_what_a_link_asks_for_in_vain_is_told_in_the_page_s_words() -> None:
    _, notes = read_link({"sample_steps": "9999", "utm_source": "x" * 99, "label": "2"})
    unknown, steps, label = sorted(words.notes(notes), reverse=True)
    assert unknown == "The link holds “utm_source”: no setting of the studio, left out."
    assert steps == "Steps of the sampler: 200 instead of 9999, because the most is 200."
    assert label == "Class: every class instead of 2, because only a net that is told it knows one."
