"""Sentences that follow from the experiment say what it really holds."""

from __future__ import annotations

import pytest
import torch

from fmstudio.learn import clouds
from fmstudio.learn.experiment import Experiment
from fmstudio.ui import words
from fmstudio.ui.experiment_link import check


@pytest.mark.parametrize(
    ("count", "says"), [(4_999, "4,999 points"), (clouds.PACKED + 1, "5,000 of 5,001 points")]
)
def test_an_uploaded_cloud_says_how_many_points_the_experiment_keeps(count: int, says: str) -> None:
    cloud = clouds.from_points(torch.randn(count, 2, generator=torch.Generator().manual_seed(0)))
    assert says in words.cloud_note(cloud)
    kept = len(clouds.unpack(clouds.pack(cloud.points)).points)
    assert f"{kept:,} " in words.cloud_note(cloud)


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
