"""The Train room: start, resume, straighten, stop, save and open a net; which net is on screen."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from fmstudio.device import chosen_device
from fmstudio.flow.metrics import straightness
from fmstudio.flow.regress.reflow import pairs as reflow_pairs
from fmstudio.flow.solve.solvers import integrate, path_times
from fmstudio.flow.solve.tableaux import HEUN, MIDPOINT
from fmstudio.learn.build import density_of, source_of
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.nets.net_card import NetCard
from fmstudio.learn.nets.shipped import problem, shipped
from fmstudio.learn.simulate import generator_of
from fmstudio.learn.training import checkpoints
from fmstudio.learn.training.checkpoints import Checkpoint
from fmstudio.learn.training.run import Diverged
from fmstudio.learn.training.train import Progress, train
from fmstudio.studio.paths import VIEWS, fitting, fitting_net
from fmstudio.studio.session import OPENED, SHIPPED, TRAINED, Lesson, Net, Visitor

TRAINING = "training"
"""What a Stop button calls it."""

SHOWN = 1_000
"""Samples of the net that are drawn beside data."""

REFLOW_PAIRS = 20_000


def start(visitor: Visitor) -> Generator[Progress]:
    """Train a new net on the visitor's experiment."""
    visitor.lesson = None  # The visitor makes a net of their own: it takes the place of any other.
    visitor.net = replace(visitor.net, pairs=None, straightness=())
    yield from _run(visitor, train(visitor.experiment, device=chosen_device()))


def resume(visitor: Visitor) -> Generator[Progress]:
    """Go on with the visitor's net where it stopped; one that is done takes as many steps again.

    Raises:
        ValueError: there is no net, it cannot be resumed, or it was trained for another experiment.
    """
    checkpoint, pairs, experiment = visitor.net.checkpoint, visitor.net.pairs, visitor.experiment
    if checkpoint is None:
        raise ValueError("There is nothing to resume: start a training first.")
    if checkpoint.step >= experiment.train_steps:
        raise ValueError(
            f"This training is done: it took all {checkpoint.step:,} steps. Raise the steps to train on."
        )
    work = train(experiment, resume=checkpoint, pairs=pairs, device=chosen_device())
    visitor.lesson = None
    last = yield from _run(visitor, work)
    if pairs is not None:
        _straightened(visitor, last)


def straighten(visitor: Visitor) -> Generator[Progress]:
    """Reflow: pair noise with where the net takes it, and train the net again on these pairs.

    Raises:
        ValueError: there is no net of this experiment's size, or the loss wants a mean that is not known.
    """
    checkpoint, experiment = fitting_net(visitor), visitor.experiment
    if checkpoint is None:
        raise ValueError("There is no net to straighten: start a training first.")
    if experiment.regression != "sampled":
        raise ValueError(
            "The mean velocity of a straightened flow has no closed form: choose 'sampled' under Net and "
            "objective, then straighten."
        )
    visitor.lesson = None
    if not visitor.net.straightness:
        _straightened(visitor, checkpoint)
    generator = generator_of(experiment, 70 + len(visitor.net.straightness))
    pairs = reflow_pairs(checkpoint.net, source_of(experiment), REFLOW_PAIRS, MIDPOINT, 30, generator)
    if visitor.running.halted(TRAINING):
        return
    visitor.own = replace(visitor.own, pairs=pairs)
    work = train(experiment, start=checkpoint.network, pairs=pairs, device=chosen_device())
    _straightened(visitor, (yield from _run(visitor, work)))


def _run(visitor: Visitor, work: Iterator[Progress]) -> Generator[Progress, None, Checkpoint]:
    """Hand reports on, keeping the net of each: a stopped training leaves a usable one. Returns the last."""
    last: Progress | None = None
    try:
        for last in work:
            visitor.own = replace(visitor.own, checkpoint=last.checkpoint, origin=TRAINED)
            yield last
    except Diverged as error:
        raise ValueError(str(error)) from error
    assert last is not None
    return last.checkpoint


def _straightened(visitor: Visitor, checkpoint: Checkpoint) -> None:
    """Measure how straight a net's flow is, and note it."""
    told = (*visitor.own.straightness, measure_straightness(checkpoint))
    visitor.own = replace(visitor.own, straightness=told)


def stop(visitor: Visitor) -> None:
    """Ask the visitor's training to end and wait until it has."""
    visitor.running.end(TRAINING)


def reset(visitor: Visitor) -> None:
    """Forget the net and everything measured of it."""
    visitor.lesson, visitor.net = None, Net(origin=visitor.net.origin)


def adopt_shipped(visitor: Visitor) -> None:
    """Take a net that came with the studio, where the visitor has none of their own or a lesson shows one.

    A lesson ends where the experiment asks for another net than its step does.
    """
    if visitor.lesson is not None and problem(visitor.lesson.experiment) != problem(visitor.experiment):
        end_lesson(visitor)
    net = visitor.net
    if visitor.lesson is None and net.checkpoint is not None and net.origin != SHIPPED:
        return
    checkpoint = shipped(visitor.experiment)
    if checkpoint is not net.checkpoint or net.origin != SHIPPED:
        visitor.net = replace(net, checkpoint=checkpoint, origin=SHIPPED)


def begin_lesson(visitor: Visitor, experiment: Experiment, own: bool) -> None:
    """Show what a lesson's step speaks of: a net that came with the studio, or the visitor's where it may be.

    Args:
        visitor: whose net is put aside until the lesson ends; the Sample room follows the net again.
        experiment: of the step.
        own: whether the visitor's own net will do, if it is one of this experiment.
    """
    end_lesson(visitor)
    visitor.rooms.use_net, visitor.rooms.view = None, VIEWS[0]
    net = visitor.net
    if net.checkpoint is None or net.origin == SHIPPED:
        return
    if not (own and NetCard.of(net.checkpoint).answers(experiment)):
        visitor.lesson, visitor.net = Lesson(experiment, net), Net()


def end_lesson(visitor: Visitor) -> None:
    """Bring the visitor's own net back."""
    if visitor.lesson is not None:
        visitor.lesson, visitor.net = None, visitor.lesson.aside


@torch.no_grad()
def measure_straightness(checkpoint: Checkpoint, count: int = 2_000) -> float:
    """S of a net's flow, of all data: 0 exactly when every particle goes straight at constant speed."""
    learned, field = checkpoint.experiment, checkpoint.net
    start_at = source_of(learned).sample(count, generator_of(learned, 81)).points
    trajectory = integrate(field, start_at, path_times(64), HEUN)
    return float(straightness(trajectory, field))


@torch.no_grad()
def clouds(experiment: Experiment, net: Checkpoint | None) -> dict[str, tuple[Tensor, str]]:
    """Data points, and samples of the net where there is one, for a picture: name → (points, role).

    Both are of all data, whatever class the sampler is asked for.
    """
    shown = {"data": (density_of(experiment).sample(SHOWN, generator_of(experiment, 91)).points, "data")}
    net = fitting(experiment, net)
    if net is not None:
        noise = source_of(experiment).sample(SHOWN, generator_of(experiment, 92)).points
        samples = integrate(net.net, noise, path_times(20), MIDPOINT, record=False).positions[-1]
        shown["samples of the net"] = (samples, "learned")
    return shown


def save(visitor: Visitor, cache: Path) -> str:
    """Write the visitor's net to a file of its own in the cache, to download and to resume.

    Raises:
        ValueError: there is no net.
    """
    if visitor.checkpoint is None:
        raise ValueError("There is no net to save: start a training first.")
    cache.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="net-", dir=cache))
    name = visitor.checkpoint.experiment.data.replace(" ", "-")
    file = folder / f"{name}-{visitor.checkpoint.step}.safetensors"
    checkpoints.save(visitor.checkpoint, file)
    return str(file)


def open_file(visitor: Visitor, file: str) -> Experiment:
    """Take a checkpoint file as the visitor's net; returns the experiment that it learned.

    Raises:
        ValueError: the file is no checkpoint.
    """
    checkpoint = checkpoints.load(file)
    stop(visitor)  # A training that runs would put its own net in the place of this one.
    visitor.lesson, visitor.net = None, Net(checkpoint, OPENED)
    return checkpoint.experiment
