"""Sentences that follow from the experiment say what it really holds."""

from __future__ import annotations

from fmstudio.learn import clouds
from fmstudio.learn.experiment import Experiment
from fmstudio.ui import words


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


def test_the_sampler_s_hint_warns_of_a_straightened_net() -> None:
    assert "straightened" in words.sampler_hint(Experiment(), straightened=True)
    assert words.sampler_hint(Experiment()) == ""
