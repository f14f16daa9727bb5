"""Small nets, trained in a second or two, for the claims that are about learned fields."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

from fmstudio.flow.couplings.coupling import FixedPairs
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.nets.net_field import NetField
from fmstudio.learn.nets.networks import Network
from fmstudio.learn.training.train import train

Outcome = TypeVar("Outcome")


def small(experiment: Experiment, steps: int = 2_000, **changes: object) -> Experiment:
    """The experiment with a net that trains in a second or two: 64 × 3, 16 waves, batches of 256."""
    return experiment.but(
        **{
            "width": 64,
            "depth": 3,
            "fourier": 16,
            "batch": 256,
            "train_steps": steps,
            "learning_rate": 3e-3,
            "schedule": "cosine",
            "ema": 0.99,
            "conditional": False,
            "regression": "sampled",
            **changes,
        }
    )


def learned(
    experiment: Experiment, pairs: FixedPairs | None = None, start: Network | None = None
) -> Generator[float, None, NetField]:
    """Train the experiment's net and return its field, reporting the finished share.

    Args:
        experiment: as :func:`small` makes it.
        pairs: end points to train on in place of the coupling (reflow).
        start: weights to start from.
    """
    for progress in train(experiment, pairs=pairs, start=start, measure=False):
        if progress.done:
            return progress.net
        yield progress.step / progress.steps
    raise RuntimeError("The training ended without a last report.")


def shares(
    work: Generator[float, None, Outcome], start: float, end: float
) -> Generator[float, None, Outcome]:
    """Report a work's share as the part from ``start`` to ``end`` of a whole, and return what it returns."""
    try:
        while True:
            yield start + (end - start) * next(work)
    except StopIteration as done:
        return done.value
    finally:
        work.close()
