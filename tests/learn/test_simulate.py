"""Particles along Q and along a field, and the distance between their clouds."""

from __future__ import annotations

import pytest
import torch

from fmstudio.flow.metrics import energy_distance, transport_cost
from fmstudio.flow.regress.objectives import draw_paths
from fmstudio.learn.build import oracle_of, path_of
from fmstudio.learn.experiment import PATHS, Experiment
from fmstudio.learn.simulate import (
    distances,
    draw_pairs,
    follow,
    follow_noisily,
    frame_times,
    fresh_draws,
    original_paths,
)
from fmstudio.learn.training.batches import Problem

SMALL = Experiment(particles=200, frames=12)


@pytest.mark.parametrize("path", PATHS)
def test_original_paths_end_at_their_data_points(path: str) -> None:
    experiment = SMALL.but(path=path)
    pairs = draw_pairs(experiment, 50)
    times = frame_times(experiment)
    positions = original_paths(experiment, pairs, times)
    assert positions.shape == (12, 50, 2)
    torch.testing.assert_close(positions[-1], pairs.x0, atol=1e-5, rtol=0)
    if experiment.path not in ("variance preserving", "zig-zag"):
        torch.testing.assert_close(positions[0], pairs.x1, atol=1e-5, rtol=0)


@pytest.mark.parametrize("around", ["spherical", "variance preserving"])
def test_a_zig_zag_and_the_flow_beside_it_end_in_one_noise_and_other_noise_is_refused(around: str) -> None:
    chain = Experiment(path="zig-zag", around=around, particles=1_000, frames=10)
    times = frame_times(chain)
    smooth = chain.but(path=around)
    noise = [original_paths(e, draw_pairs(e, 1_000), times)[0] for e in (chain, smooth)]
    assert float(energy_distance(*noise)) < 0.02
    for other in ({"source": "two gaussians"}, {"coupling": "optimal transport"}):
        with pytest.raises(ValueError, match=f"'{next(iter(other.values()))}' has no part in it"):
            original_paths(chain.but(**other), draw_pairs(chain, 10), times)


@pytest.mark.parametrize("coupling", ["optimal transport", "sinkhorn"])
def test_a_coupling_shortens_the_way_and_carries_the_labels(coupling: str) -> None:
    free = draw_pairs(SMALL, 200)
    bound = draw_pairs(SMALL.but(coupling=coupling, coupling_batch=64), 200)
    assert transport_cost(bound.x0, bound.x1) < 0.8 * transport_cost(free.x0, free.x1)
    assert bound.labels is not None
    # On the ring of 8 gaussians a class is a direction: the label must have moved with its point.
    angle = torch.atan2(bound.x0[:, 1], bound.x0[:, 0])
    nearest = torch.round(angle / (torch.pi / 4)).long() % 8
    assert len({(int(n), int(k)) for n, k in zip(nearest, bound.labels, strict=True)}) == 8


@pytest.mark.slow
def test_a_velocity_on_the_default_custom_path_is_followed_with_noise_too() -> None:
    """From t = 1 on, where a′ = 0; the same marginal as without, within four standard errors of E = 0."""
    experiment = Experiment(path="custom", sample_steps=150, particles=1_000, frames=2, sde_noise=1.0)
    oracle, times = oracle_of(experiment), frame_times(experiment)
    start = original_paths(experiment, draw_pairs(experiment, 1_000), times)[0]
    end = follow_noisily(lambda x, t: oracle.moments(x, t).u, start, experiment, times).positions[-1]
    chance = [
        float(energy_distance(one[-1], other[-1]))
        for one, other in (fresh_draws(experiment.but(seed=s), times, 1_000) for s in range(8))
    ]
    spread = torch.tensor(chance).square().mean().sqrt()
    assert abs(float(energy_distance(end, fresh_draws(experiment, times, 1_000)[0][-1]))) < 4 * spread + 2e-3


def test_frames_between_steps_lie_on_the_solver_s_lines() -> None:
    experiment = SMALL.but(solver="euler", sample_steps=1, frames=5)
    start = torch.randn(10, 2, generator=torch.Generator().manual_seed(0))
    motion = follow(oracle_of(experiment), start, experiment, frame_times(experiment))
    assert motion.nfe == 1
    torch.testing.assert_close(motion.positions[2], (motion.positions[0] + motion.positions[-1]) / 2)


@pytest.mark.parametrize("solver", ["euler", "midpoint", "heun", "rk4", "dopri5"])
def test_the_exact_flow_stays_inside_the_band_of_two_fresh_samples(solver: str) -> None:
    experiment = Experiment(particles=1_000, frames=10, solver=solver, sample_steps=60)
    times = frame_times(experiment)
    start = original_paths(experiment, draw_pairs(experiment, 1_000), times)[0]
    motion = follow(oracle_of(experiment), start, experiment, times)
    measured = distances(motion.positions, *fresh_draws(experiment, times))
    assert measured.values.shape == (10,)
    assert measured.count == 400
    assert measured.inside
    assert bool((measured.band[:, 0] < 0).all())
    # A cloud a step behind is far out.
    late = motion.positions.roll(3, dims=0)
    behind = distances(late, *fresh_draws(experiment, times))
    assert not behind.inside
    assert float(behind.values.max()) > 0.03


@pytest.mark.slow
def test_two_fresh_samples_leave_the_band_in_two_of_a_hundred_seeds() -> None:
    """The whole curve of 12 points, not each point: over 150 seeds at most 10 (a chance of 4e-4)."""
    times, outside = torch.linspace(1, 0, 12), 0
    for seed in range(150):
        e = Experiment(seed=seed, data="moons")
        third = original_paths(e, draw_pairs(e, 60, 71), times, 72)
        outside += not distances(third, *fresh_draws(e, times, 60), every=1).inside
    assert outside <= 10


def test_the_same_seed_draws_the_same_and_another_does_not() -> None:
    first, again, other = (draw_pairs(SMALL.but(seed=seed), 30).x0 for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.slow
@pytest.mark.parametrize("coupling", ["optimal transport", "sinkhorn"])
def test_paths_that_are_shown_are_those_that_are_trained_on(coupling: str) -> None:
    """A conditional net is trained on pairs within classes, and they are what the rooms show."""
    e = Experiment(conditional=True, coupling=coupling, coupling_batch=64, batch=64)
    pairs = draw_pairs(e, 2000)
    problem = Problem.of(e, None, torch.device("cpu"))
    made = draw_paths(
        problem.path, problem.density, problem.source, problem.coupling, problem.law, 2000,
        torch.Generator().manual_seed(1), coupling_batch=64, within_classes=True,
    )  # fmt: skip
    shown, trained = (
        (path_of(e).position(p.x0, p.x1, torch.full((2000,), 0.5), None)) for p in (pairs, made)
    )
    assert abs(float(energy_distance(shown, trained))) < 0.01
    across = draw_pairs(e.but(conditional=False), 2000)
    other = path_of(e).position(across.x0, across.x1, torch.full((2000,), 0.5), None)
    assert float(energy_distance(other, trained)) > 0.03


@pytest.mark.parametrize(("at_most", "every"), [(1, 5), (-1, 5), (400, 0), (400, -1)])
def test_a_distance_needs_particles_and_frames(at_most: int, every: int) -> None:
    cloud = torch.zeros(5, 9, 2)
    with pytest.raises(ValueError, match="a count of at least"):
        distances(cloud, cloud, cloud, at_most, every)
