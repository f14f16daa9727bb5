"""Whole runs: the net that is sampled is the experiment's, and so is the class."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from fmstudio.flow.couplings.coupling import FixedPairs
from fmstudio.learn import jobs
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.training import measure
from fmstudio.learn.training.checkpoints import load, save
from fmstudio.learn.training.train import train


@pytest.fixture(scope="module", autouse=True)
def quick_measurements() -> Iterator[None]:
    """Nothing here asks how well a net learned, so little is drawn to measure it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "FLOOR_POINTS", 2_048)
        patch.setattr(measure, "LAST_SAMPLES", 500)
        yield


SMALL = Experiment(width=24, depth=2, fourier=6, batch=128, train_steps=150, particles=300, frames=4)


@pytest.fixture(scope="module")
def told():
    """A net that is told the class."""
    return jobs.train_net(SMALL.but(conditional=True))[1]


def test_a_net_of_another_flow_is_refused(told) -> None:
    for change in ({"path": "spherical"}, {"data": "moons"}, {"coupling": "optimal transport"}):
        with pytest.raises(ValueError, match="The net learned 8 gaussians"):
            jobs.sample(SMALL.but(conditional=True, **change), told)
    assert jobs.sample(SMALL, told)["field"] == "net"


@pytest.mark.parametrize("exact", [True, False], ids=["exact", "net"])
def test_samples_of_a_class_are_compared_with_the_class(told, exact) -> None:
    asked = SMALL.but(conditional=True, label=3, guidance=1.0, sample_steps=30)
    report = jobs.sample(asked, None if exact else told)
    x, y = (sum(p[k] for p in report["samples"]) / 300 for k in (0, 1))
    assert abs(x + 1.41) + abs(y - 1.41) < (0.1 if exact else 0.8)
    assert report["energy_distance"] < (0.02 if exact else 0.8)
    # One more than the last class is no class.
    with pytest.raises(ValueError, match=r"class in \[0, 7\]; got 8"):
        jobs.sample(asked.but(label=8), told)


def test_a_straightened_net_remembers_it(tmp_path) -> None:
    """In its file too: the SDE is refused, and so is going on without the pairs."""
    g = torch.Generator().manual_seed(0)
    pairs = FixedPairs(torch.randn(200, 2, generator=g), torch.randn(200, 2, generator=g))
    *_, last = train(SMALL, pairs=pairs)
    save(last.checkpoint, tmp_path / "net.safetensors")
    again = load(tmp_path / "net.safetensors")
    assert again.of_pairs
    assert jobs.sample(SMALL, again)["field"] == "net"
    with pytest.raises(ValueError, match="After reflow"):
        jobs.sample(SMALL.but(sde_noise=1.0), again)
    with pytest.raises(ValueError, match="straightened on pairs"):
        train(SMALL.but(train_steps=300), resume=again)


def test_a_net_of_the_default_custom_path_is_sampled_with_noise() -> None:
    """Its a′ is 0 at t = 1, where noise needs the score first."""
    learned = SMALL.but(path="custom", train_steps=20, sde_noise=1.0, sample_steps=10)
    samples = torch.tensor(jobs.sample(learned, jobs.train_net(learned)[1])["samples"])
    assert samples.isfinite().all()


@pytest.mark.parametrize("target", ["x0", "eps", "score"])
def test_where_the_velocity_tells_nothing_else_only_it_is_trained_and_no_noise_sampled(target) -> None:
    """The first: D = 1 + sin(2πt)/2 + π (1 − t) cos 2πt; the second: 1 − 2 sin πt + 2πt cos πt."""
    crossed = SMALL.but(path="custom", formula_a="1-t", formula_b="t+sin(2pi t)/2", target=target)
    with pytest.raises(ValueError, match=r"a b′ − a′b = 0 at t = 0\.3711, 0\.6590"):
        jobs.train_net(crossed)
    if target == "x0":
        lost = crossed.but(formula_a="1-t-2*sin(pi*t)", formula_b="t")
        with pytest.raises(ValueError, match=r"a b′ − a′b = 0 at t = 0\.3828"):
            jobs.train_net(lost)
        net = jobs.train_net(lost.but(target="v", train_steps=20))[1]
        assert jobs.sample(lost, net)["nfe"] == 50
        with pytest.raises(ValueError, match=r"0\.3828: there the velocity does not tell the score"):
            jobs.sample(lost.but(sde_noise=0.5), net)


def test_an_answer_is_as_large_as_asked_for_or_refused() -> None:
    """Never with fewer particles than were asked for."""
    few = Experiment(particles=600, frames=200)
    assert len(jobs.trajectories(few)["positions"][0]) == 600
    with pytest.raises(ValueError, match="at most 120,000 positions; got 601 × 200"):
        jobs.trajectories(few.but(particles=601))
    with pytest.raises(ValueError, match="at most 20,000 are sampled at once; got 20,001"):
        jobs.sample(Experiment(particles=20_001))
