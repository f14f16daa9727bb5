"""A net that predicts ε or the score keeps its particles: its x̂₀ is held inside the data's box."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from fmstudio.flow.bounds import Box
from fmstudio.flow.densities.cloud import PointCloud
from fmstudio.flow.densities.mixture import isotropic
from fmstudio.flow.metrics import energy_distance, sliced_w2
from fmstudio.flow.oracle.oracle_for import oracle_for
from fmstudio.flow.paths.affine import Linear
from fmstudio.flow.solve.solvers import integrate, path_times
from fmstudio.flow.solve.tableaux import SOLVERS
from fmstudio.learn.build import density_of, source_of
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.nets.net_field import NetField
from fmstudio.learn.training.train import train


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def learned(data: str, target: str) -> NetField:
    *_, last = train(Experiment(data=data, target=target, train_steps=500, batch=256), measure=False)
    return last.net


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "target", "solver"), [("moons", "eps", "heun"), ("checkerboard", "score", "euler")]
)
def test_no_particle_is_thrown_away(data: str, target: str, solver: str) -> None:
    experiment, net = Experiment(data=data), learned(data, target)
    points = density_of(experiment).sample(3_000, generator()).points
    noise = source_of(experiment).sample(3_000, generator(1)).points
    far, distance = {}, {}
    for name, field in (("held", net), ("free", replace(net, box=None))):
        with torch.no_grad():
            end = integrate(field, noise, path_times(50), SOLVERS[solver], record=False).end
        far[name] = float(end.abs().max()) - float(points.abs().max())
        distance[name] = sliced_w2(end, points, generator(2))
        # The distance that was shown alone sees neither.
        assert abs(energy_distance(end, points)) < 0.01
    # Two clouds of 3,000 points are 0.05 apart; so short a training leaves 0.11 and 0.13, and 1.8 and 1.3
    # where the particles go free.
    assert far["held"] < 0.15
    assert distance["held"] < 0.2
    assert far["free"] > 20
    assert distance["free"] > 0.8


def test_the_exact_data_point_is_in_the_box_of_a_cloud() -> None:
    cloud = PointCloud(torch.randn(300, 2, generator=generator()))
    box, oracle = Box.around(cloud), oracle_for(Linear(), cloud, source_of(Experiment()))
    assert bool(box.holds(cloud.points).all())
    x = 6 * torch.randn(500, 2, generator=generator(1))
    exact = oracle.moments(x, torch.full((500,), 0.3)).x0_hat
    assert float((box.hold(exact) - exact).abs().max()) < 1e-6
    # So a prediction only comes nearer.
    said = exact + 3 * torch.randn(500, 2, generator=generator(2))
    before, after = (said - exact).norm(dim=1), (box.hold(said) - exact).norm(dim=1)
    assert bool((after <= before + 1e-6).all())
    assert float((after < before).double().mean()) > 0.5


def test_the_box_of_a_mixture_holds_all_but_a_millionth() -> None:
    mixture = isotropic([[-1.0, 0.0], [2.0, 1.0]], 0.4)
    box = Box.around(mixture)
    assert box.low.tolist() == pytest.approx([-3.0, -2.0], abs=1e-5)
    assert box.high.tolist() == pytest.approx([4.0, 3.0], abs=1e-5)
