"""What a reader watches of C3 and C6 is the claims' own process: same snapshots, same law of drift."""

import math

import pytest
import torch

from fmstudio.learn.experiment import Experiment
from fmstudio.note.parts.moving import DRIFTERS, drifting, swapping


@pytest.mark.parametrize("cell", [0.1, math.inf])
def test_swapping_leaves_every_snapshot_and_one_particle_ends_on_the_others_path(cell) -> None:
    found = swapping(Experiment(), cell)
    assert found.mismatch == 0
    for before, after in zip(found.original[::10], found.swapped[::10], strict=True):
        assert torch.equal(before[before[:, 0].argsort()], after[after[:, 0].argsort()])
    assert torch.equal(found.swapped[-1, 0], found.original[-1, 1])
    assert torch.equal(found.original[0], found.swapped[0])


def test_memory_is_lost_along_paths_and_kept_along_swaps_below_the_flow() -> None:
    original, swapped, flow = swapping(Experiment(), 0.05).memories[:, -1].tolist()
    # Independent ends: M scatters by about 1/n around 0.
    assert original < 0.01
    assert 0.5 < swapped < flow
    assert swapping(Experiment(), math.inf).memories[1, -1] < 0.01


def test_the_drift_that_gathers_is_the_one_of_the_formula() -> None:
    found = drifting(Experiment(), 40)
    assert found.expected is not None
    # |Σ e dt|² of one particle scatters by about its mean.
    room = 4 * float(found.expected[-1]) / DRIFTERS**0.5
    assert abs(float(found.drift[-1] - found.expected[-1])) < room
    assert len(found.times) == len(found.random) == len(found.flow) == 41
    assert torch.equal(found.random[0], found.flow[0])


@pytest.mark.slow
def test_with_the_root_of_dt_the_drift_stays() -> None:
    fine, coarse = drifting(Experiment(), 80, diffusion=True), drifting(Experiment(), 20, diffusion=True)
    assert fine.expected is None
    assert 0.5 < float(fine.drift[-1] / coarse.drift[-1]) < 2
