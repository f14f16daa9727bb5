"""What a net is asked for is what it knows, and its samples are compared with the data of just that."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from fmstudio.flow.solve.fields import Guided
from fmstudio.learn import jobs
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.nets.net_card import NetCard, choose
from fmstudio.learn.nets.shipped import shipped
from fmstudio.learn.simulate import asked_density

TOLD = Experiment(conditional=True, particles=400, frames=4, solver="heun", sample_steps=20)
UNTOLD = TOLD.but(conditional=False)


def net(experiment):
    found = shipped(experiment)
    assert found is not None
    return found


def test_a_net_that_knows_no_class_is_never_asked_for_one() -> None:
    asked = TOLD.but(label=2, guidance=3.0)
    with pytest.raises(ValueError, match=r"trained without classes\. It cannot be asked for class 2"):
        choose(asked, net(UNTOLD))
    with pytest.raises(ValueError, match="trained without classes"):
        jobs.sample(asked, net(UNTOLD))
    chosen = choose(asked, net(UNTOLD), lenient=True)
    assert (chosen.label, chosen.guidance) == (None, 1)
    assert chosen.left_out == "This net was trained without classes."
    # Its samples are compared with all data.
    assert asked_density(chosen.experiment).classes == 8


@pytest.mark.parametrize("exact", [True, False], ids=["exact", "net"])
@pytest.mark.parametrize("conditional", [True, False], ids=["told", "of another training"])
def test_one_class_is_scored_against_that_class(exact, conditional) -> None:
    """Also where the experiment itself would train a net without classes."""
    report = jobs.sample(TOLD.but(conditional=conditional, label=2), None if exact else net(TOLD))
    assert (report["class"], report["guidance"]) == (2, 1)
    angle = torch.atan2(*torch.tensor(report["samples"]).flip(1).unbind(1))
    assert float((angle - torch.pi / 2).abs().mean()) < 0.15
    assert report["energy_distance"] < 0.05
    assert max(report["distance"]) < 0.1


def test_every_class_is_scored_against_all_data() -> None:
    report = jobs.sample(TOLD, net(TOLD))
    assert report["class"] is None
    assert report["energy_distance"] < 0.05


def test_guidance_0_is_the_field_of_all_data_and_scored_so() -> None:
    asked = TOLD.but(label=2, guidance=0.0)
    assert choose(asked, None).left_out == "Guidance 0 leaves the class out."
    assert jobs.sample(asked, None)["class"] is None
    assert jobs.sample(asked, net(TOLD))["energy_distance"] < 0.05


def test_a_guided_field_says_so_and_one_that_is_not_is_the_class_s_own() -> None:
    assert isinstance(choose(TOLD.but(label=2, guidance=3.0), None).field, Guided)
    assert choose(TOLD.but(label=2, guidance=3.0), None).guidance == 3
    assert not isinstance(choose(TOLD.but(label=2), None).field, Guided)


def test_what_a_net_was_never_taught_it_is_not_asked_for() -> None:
    card = NetCard.of(net(TOLD))
    assert (card.classes, card.no_class, card.caution) == (8, "", "")
    assert NetCard.of(replace(net(TOLD), of_pairs=True)).classes == 0
    never = replace(card, learned=card.learned.but(label_drop=1.0))
    assert never.classes == 0
    assert "never told a class" in never.no_class
    assert "always told" in replace(card, learned=card.learned.but(label_drop=0.0)).caution


def test_a_net_answers_for_its_own_problem_only() -> None:
    card = NetCard.of(net(UNTOLD))
    assert card.fits(TOLD)
    assert not card.answers(TOLD)
    assert card.answers(UNTOLD.but(train_steps=7, seed=1))
    assert not replace(card, straightened=True).answers(UNTOLD)
    assert not card.fits(UNTOLD.but(path="spherical"))


def test_a_straightened_net_takes_no_noise() -> None:
    with pytest.raises(ValueError, match="After reflow"):
        choose(UNTOLD.but(sde_noise=1.0), replace(net(UNTOLD), of_pairs=True))
