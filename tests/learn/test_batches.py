"""The stream of batches: what is made ahead is what would have been made in turn."""

from __future__ import annotations

import gc
import threading
import time

import pytest
import torch

from fmstudio.flow.couplings.coupling import Independent
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.training.batches import Batches, Problem

PAIRED = Experiment(batch=64, coupling_batch=32, data="moons", data_points=500)


@pytest.mark.slow
@pytest.mark.parametrize("coupling", ["optimal transport", "sinkhorn"])
@pytest.mark.parametrize("conditional", [False, True])
def test_blocks_made_ahead_are_those_made_in_turn(coupling: str, conditional: bool) -> None:
    experiment = PAIRED.but(coupling=coupling, conditional=conditional)
    problem = Problem.of(experiment, None, torch.device("cpu"))
    ahead = Batches(experiment, problem, torch.Generator().manual_seed(5))
    in_turn = Batches(experiment, problem, torch.Generator().manual_seed(5))
    in_turn._worker = None
    for _ in range(3):
        for ours, theirs in zip(ahead.draw(), in_turn.draw(), strict=True):
            assert (ours is None) == (theirs is None)
            assert ours is None or theirs is None or torch.equal(ours, theirs)
        # A checkpoint keeps this state: it must not run ahead with the blocks.
        assert torch.equal(ahead.generator.get_state(), in_turn.generator.get_state())


def test_the_thread_ends_with_its_training() -> None:
    experiment = PAIRED.but(coupling="optimal transport")
    batches = Batches(experiment, Problem.of(experiment, None, torch.device("cpu")), torch.Generator())
    batches.draw()
    mine = [thread for thread in threading.enumerate() if thread.name.startswith("pairing")]
    assert mine
    del batches
    gc.collect()
    until = time.monotonic() + 20
    while any(thread.is_alive() for thread in mine) and time.monotonic() < until:
        time.sleep(0.02)
    assert not any(thread.is_alive() for thread in mine)


def test_independent_pairs_need_no_thread() -> None:
    problem = Problem.of(PAIRED, None, torch.device("cpu"))
    assert isinstance(problem.coupling, Independent)
    assert Batches(PAIRED, problem, torch.Generator())._worker is None
