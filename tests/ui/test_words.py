"""Sentences that follow from the experiment say what it really holds."""

from __future__ import annotations

import pytest
import torch

from fmstudio.learn import clouds
from fmstudio.learn.experiment import Experiment
from fmstudio.ui import words


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


def test_the_sampler_s_hint_warns_of_a_straightened_net() -> None:
    assert "straightened" in words.sampler_hint(Experiment(), straightened=True)
    assert words.sampler_hint(Experiment()) == ""
