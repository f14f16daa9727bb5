"""What the Sample room says of samples: distances with what chance would say, and what is to blame."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from fmstudio.flow.solve.fields import VelocityField
from fmstudio.flow.solve.likelihood import log_likelihood
from fmstudio.flow.solve.solvers import integrate, path_times
from fmstudio.flow.solve.tableaux import RK4
from fmstudio.learn.build import density_of, oracle_of, path_of, source_of
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.nets.net_card import choose
from fmstudio.learn.nets.shipped import shipped
from fmstudio.learn.simulate import draw_pairs, frame_times, generator_of, original_paths, run_sampler
from fmstudio.studio import sample
from fmstudio.studio.quality import heun_instead, quality_of, start_gap, wrong_start
from fmstudio.ui import words


def test_a_few_particles_far_out_move_sliced_w2_and_not_the_energy_distance() -> None:
    experiment = Experiment(data="moons")
    samples = density_of(experiment).sample(2_000, generator_of(experiment, 5)).points
    whole = quality_of(experiment, samples)
    samples[:5] *= 30
    thrown = quality_of(experiment, samples)
    for found in (whole, thrown):
        assert abs(found.energy) < 4 * found.energy_chance
    # The law of sliced W₂ is skewed: two fresh samples may be twice its mean apart, not ten times.
    allowed = 2 * whole.sliced_chance.mean
    assert whole.sliced < allowed < thrown.sliced / 2
    assert thrown.farthest > 20 > whole.data_farthest


def moved(experiment: Experiment, field: VelocityField):
    times = frame_times(experiment)
    start = original_paths(experiment, draw_pairs(experiment, experiment.particles), times)[0]
    return run_sampler(experiment, field, start, times)


def test_heun_is_offered_where_euler_is_at_fault_and_only_there() -> None:
    coarse = Experiment(sample_steps=8, particles=600, frames=5)
    net = shipped(coarse)
    assert net is not None
    found = heun_instead(choose(coarse, net), moved(coarse, net.net))
    assert found is not None
    heun = moved(coarse.but(solver="heun"), net.net).positions[-1]
    gain = quality_of(coarse, moved(coarse, net.net).positions[-1]).energy - quality_of(coarse, heun).energy
    assert found.gain == pytest.approx(gain, rel=1e-3)
    for other in ({"sample_steps": 100}, {"solver": "midpoint"}, {"sde_noise": 0.5}):
        e = coarse.but(**other)
        assert heun_instead(choose(e, net), moved(e, net.net)) is None
    exact = choose(coarse, None)
    assert heun_instead(exact, moved(coarse, exact.field)) is None


def test_the_exact_flow_keeps_what_its_start_is_wrong_by() -> None:
    """log p₀ − log q₀ at a data point is log p₁ − log q₁ where it came from."""
    e = Experiment(path="variance preserving", beta1=1.0)
    oracle, density = oracle_of(e), density_of(e)
    x0 = density.sample(100, generator_of(e, 5)).points
    p0 = log_likelihood(oracle, x0, 30, RK4, source_of(e))
    q0 = density.log_density(x0)  # pyright: ignore[reportAttributeAccessIssue]
    x1 = integrate(oracle, x0, path_times(30, 0.0, 1.0), RK4, record=False).end
    gap = start_gap(e, x1)
    assert gap is not None
    torch.testing.assert_close(gap, p0 - q0, atol=0.02, rtol=0)
    start = wrong_start(e)
    assert start is not None
    error = float(gap.abs().std()) / 10
    assert abs(start - float(gap.abs().mean())) < 4 * error


def test_only_a_path_that_ends_short_of_the_noise_starts_wrong() -> None:
    for path in ("linear", "spherical", "latent", "bow"):
        assert wrong_start(Experiment(path=path)) is None
    whole = Experiment(path="variance preserving", beta1=1.0, conditional=True)
    one = wrong_start(whole.but(label=2))
    assert one is not None
    assert one > (wrong_start(whole) or 0)
    assert wrong_start(whole.but(coupling="optimal transport")) is None
    assert float(path_of(whole).at(torch.tensor(1.0)).a) > 0.5


def test_the_room_says_by_how_much_it_starts_wrong_and_what_is_held() -> None:
    e = Experiment(path="variance preserving", beta1=5.0)
    assert "differ by 0.063 nats" in words.sampler_hint(choose(e, None), wrong_start(e))
    assert words.sampler_hint(choose(Experiment(), None)) == ""
    net = shipped(Experiment())
    assert net is not None
    assert words.sampler_hint(choose(Experiment(), net)) == ""
    of_noise = replace(net, experiment=net.experiment.but(target="eps"))
    told = words.sampler_hint(choose(Experiment(), of_noise))
    assert "predicts *ε*" in told
    assert "0.01 and 0.952" in told
    found = sample.likelihood_map(choose(e, None))
    assert found.exact is not None
    gap = float((found.flow - found.exact)[found.exact > -8].abs().mean())
    assert found.wrong_start == pytest.approx(gap, abs=0.02)
    assert sample.likelihood_map(choose(Experiment(), None), 8, 4).wrong_start is None
