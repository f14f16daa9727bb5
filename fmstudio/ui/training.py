"""A visitor's training: start, resume, straighten, save; what the Train room shows of it. No gradio here."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

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
from fmstudio.ui.actions import fitting_net
from fmstudio.ui.halting import halt, halted, runs
from fmstudio.ui.visitor import OPENED, SHIPPED, TRAINED, OwnNet, Visitor
from fmstudio.ui.words import number

TRAINING = "training"
"""What a Stop button calls it."""

SHOWN = 1_000
"""Samples of the net that are drawn beside data."""

REFLOW_PAIRS = 20_000


def start(visitor: Visitor) -> Iterator[Progress]:
    """Train a new net on the visitor's experiment."""
    _own(visitor)
    visitor.pairs, visitor.straightness = None, []
    yield from _run(visitor, train(visitor.experiment, device=chosen_device()))


def resume(visitor: Visitor) -> Iterator[Progress]:
    """Go on with the visitor's net where it stopped; one that is done takes as many steps again.

    Raises:
        ValueError: there is no net, it cannot be resumed, or it was trained for another experiment.
    """
    checkpoint = visitor.checkpoint
    if checkpoint is None:
        raise ValueError("There is nothing to resume: start a training first.")
    experiment = visitor.experiment
    if checkpoint.step >= experiment.train_steps:
        raise ValueError(
            f"This training is done: it took all {checkpoint.step:,} steps. Raise the steps to train on."
        )
    device = chosen_device()
    pairs, told = visitor.pairs, visitor.straightness
    work = train(experiment, resume=checkpoint, pairs=pairs, device=device)
    _own(visitor)
    last = yield from _run(visitor, work)
    if pairs is not None:
        told.append(measure_straightness(last))


def straighten(visitor: Visitor) -> Iterator[Progress]:
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
    _own(visitor)
    told = visitor.straightness = visitor.straightness or [measure_straightness(checkpoint)]
    generator = generator_of(experiment, 70 + len(told))
    pairs = reflow_pairs(checkpoint.net, source_of(experiment), REFLOW_PAIRS, MIDPOINT, 30, generator)
    if halted(visitor, TRAINING):
        return
    _keep(visitor, pairs=pairs)
    work = train(experiment, start=checkpoint.network, pairs=pairs, device=chosen_device())
    told.append(measure_straightness((yield from _run(visitor, work))))


def _run(visitor: Visitor, work: Iterator[Progress]) -> Generator[Progress, None, Checkpoint]:
    """Hand reports on, keeping the net of each, so that a stopped training leaves a usable one.

    Returns:
        The last report's net.
    """
    last: Progress | None = None
    try:
        for last in work:
            _keep(visitor, checkpoint=last.checkpoint, net_from=TRAINED)
            yield last
    except Diverged as error:
        raise ValueError(str(error)) from error
    assert last is not None
    return last.checkpoint


def _keep(visitor: Visitor, **what: Any) -> None:
    """Take what the visitor's own training makes; it waits aside while a lesson shows another net."""
    if visitor.aside is not None:
        visitor.aside = replace(visitor.aside, **what)
        return
    for name, value in what.items():
        setattr(visitor, name, value)


def stop(visitor: Visitor, patience: float = 3.0) -> None:
    """Ask the visitor's training to end and wait until it has.

    Args:
        patience: seconds to wait at most; the training ends at its next report, ten of which come a second.
    """
    halt(visitor, TRAINING)
    until = time.monotonic() + patience
    while runs(visitor, TRAINING) and time.monotonic() < until:
        time.sleep(0.02)


def reset(visitor: Visitor) -> None:
    """Forget the net and everything measured of it."""
    _own(visitor)
    visitor.checkpoint, visitor.pairs, visitor.straightness = None, None, []


def adopt_shipped(visitor: Visitor) -> None:
    """Take a net that came with the studio, where the visitor has none of their own or a lesson shows one.

    A lesson ends where the experiment asks for another net than its step does.
    """
    if visitor.lesson is not None and problem(visitor.lesson) != problem(visitor.experiment):
        end_lesson(visitor)
    if visitor.lesson is None and visitor.checkpoint is not None and visitor.net_from != SHIPPED:
        return
    visitor.checkpoint, visitor.net_from = shipped(visitor.experiment), SHIPPED


def begin_lesson(visitor: Visitor, experiment: Experiment, own: bool) -> None:
    """Show what a lesson's step speaks of: a net that came with the studio, or the visitor's where it may be.

    Args:
        visitor: whose net is put aside until the lesson ends; the Sample room follows the net again.
        experiment: of the step.
        own: whether the visitor's own net will do, if it is one of this experiment.
    """
    end_lesson(visitor)
    visitor.use_net, visitor.view = None, "Q and P"
    net = visitor.checkpoint
    if net is None or visitor.net_from == SHIPPED or (own and NetCard.of(net).answers(experiment)):
        return
    visitor.aside = OwnNet(net, visitor.net_from, visitor.pairs, visitor.straightness)
    visitor.lesson, visitor.checkpoint = experiment, None
    visitor.net_from, visitor.pairs, visitor.straightness = SHIPPED, None, []


def end_lesson(visitor: Visitor) -> None:
    """Bring the visitor's own net back."""
    aside, visitor.aside, visitor.lesson = visitor.aside, None, None
    if aside is not None:
        visitor.checkpoint, visitor.net_from = aside.checkpoint, aside.net_from
        visitor.pairs, visitor.straightness = aside.pairs, aside.straightness


def _own(visitor: Visitor) -> None:
    """The visitor makes a net of their own: it takes the place of any other."""
    visitor.aside = visitor.lesson = None


@torch.no_grad()
def measure_straightness(checkpoint: Checkpoint, count: int = 2_000) -> float:
    """S of a net's flow, of all data: 0 exactly when every particle goes straight at constant speed."""
    learned, field = checkpoint.experiment, checkpoint.net
    start_at = source_of(learned).sample(count, generator_of(learned, 81)).points
    trajectory = integrate(field, start_at, path_times(64), HEUN)
    return float(straightness(trajectory, field))


@torch.no_grad()
def clouds(visitor: Visitor) -> dict[str, tuple[Tensor, str]]:
    """Data points, and samples of the net where there is one, for a picture: name → (points, role).

    Both are of all data, whatever class the sampler is asked for.
    """
    experiment = visitor.experiment
    shown = {"data": (density_of(experiment).sample(SHOWN, generator_of(experiment, 91)).points, "data")}
    net = fitting_net(visitor)
    if net is not None:
        noise = source_of(experiment).sample(SHOWN, generator_of(experiment, 92)).points
        samples = integrate(net.net, noise, path_times(20), MIDPOINT, record=False).positions[-1]
        shown["samples of the net"] = (samples, "learned")
    return shown


def save(visitor: Visitor, cache: Path) -> str:
    """Write the visitor's net to a file of its own, to download and to resume.

    Args:
        visitor: whose net.
        cache: the folder of files that are deleted after a while.

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
    _own(visitor)
    visitor.checkpoint, visitor.net_from = checkpoint, OPENED
    visitor.pairs, visitor.straightness = None, []
    return checkpoint.experiment


def status(progress: Progress) -> list[tuple[str, str]]:
    """The figures of a report, as names and values."""
    rows = [
        ("step", f"{progress.step:,} of {progress.steps:,}"),
        ("loss", f"{progress.loss:.4f}"),
        *_floor_rows(progress.floor, progress.floor_error, progress.excess),
        ("steps per second", f"{progress.steps_per_second:,.0f}"),
        ("learning rate", f"{progress.learning_rate:.2e}"),
        ("time", f"{progress.seconds:.1f} s"),
    ]
    if progress.energy_distance is not None:
        rows.insert(-3, ("energy distance", number(progress.energy_distance)))
    return rows


def stray(visitor: Visitor) -> list[tuple[str, str]]:
    """What the visitor's net learned, where that is not what the sidebar shows; else empty."""
    checkpoint = visitor.checkpoint
    if checkpoint is None or NetCard.of(checkpoint).fits(visitor.experiment):
        return []
    learned = checkpoint.experiment
    return [("net", f"of another experiment ({learned.data}, {learned.path})")]


def net_words(visitor: Visitor) -> str:
    """Where the visitor's net comes from, and what it is."""
    assert visitor.checkpoint is not None
    card = NetCard.of(visitor.checkpoint)
    told = ["straightened"] * card.straightened + ["told the class"] * bool(card.classes)
    return ", ".join([visitor.net_from, *told])


def summary(visitor: Visitor) -> list[tuple[str, str]]:
    """The figures of the visitor's net at rest; empty without one."""
    checkpoint = visitor.checkpoint
    if checkpoint is None:
        return []
    curve = checkpoint.curve
    rows = stray(visitor) or [("net", net_words(visitor))]
    rows += [("your own net", "back when the lesson is closed")] if visitor.aside else []
    rows.append(("step", f"{checkpoint.step:,}"))
    if curve.points:
        last = curve.points[-1]
        rows += [("loss", f"{last.loss:.4f}"), *_floor_rows(curve.floor, curve.floor_error, last.excess)]
        measured = [p.energy_distance for p in curve.points if p.energy_distance is not None]
        rows += [("energy distance", number(measured[-1]))] if measured else []
    rows.append(("time", f"{curve.seconds:.1f} s"))
    return rows


def _floor_rows(floor: float | None, error: float | None, excess: float | None) -> list[tuple[str, str]]:
    if floor is None or error is None:
        return [("exact floor", "not known")]
    rows = [("exact floor", f"{floor:.4f} ± {error:.4f}" if floor else "0")]
    return rows if excess is None else [*rows, ("excess", f"{excess:.4f}")]


def straightness_html(visitor: Visitor, report: Progress | None = None) -> str:
    """Straightness before and after each straightening, as a table.

    Args:
        visitor: whose net.
        report: of a straightening that is under way, which has a row of its own.
    """
    told = [f"S = {value:.4f}" for value in visitor.straightness]
    if told and report is not None and not report.done:
        told.append(f"step {report.step:,} of {report.steps:,}")
    if not told:
        return ""
    rows = "".join(f"<tr><td>{k + 1}-rectified flow</td><td>{text}</td></tr>" for k, text in enumerate(told))
    return f'<table class="fm-facts">{rows}</table>'
