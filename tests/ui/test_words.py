"""Sentences that follow from the experiment say what it really holds."""

from __future__ import annotations

import pytest

from fmstudio.learn import clouds
from fmstudio.learn.experiment import Experiment
from fmstudio.ui import words
from fmstudio.ui.experiment_link import check


def test_classes_are_called_as_the_file_calls_them() -> None:
    cloud = clouds.from_csv(b"x,y,class\n1,2,dog\n3,4,cat\n5,9,dog\n")
    experiment = Experiment(data="points", points=clouds.packed(cloud))
    assert words.class_names(experiment, 2) == ["cat", "dog"]
    nameless = Experiment(data="points", points=clouds.pack(cloud.points, cloud.labels))
    assert words.class_names(nameless, 2) == ["class 0", "class 1"]
    assert words.class_names(Experiment(data="word", word="a b"), 2) == ["a", "b"]


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
    assert "straightened" in words.sampler_hint(Experiment(), straightened=True)
    assert words.sampler_hint(Experiment()) == ""
