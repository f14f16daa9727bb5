"""Training: a generator that takes steps and, now and then, says how it goes.

    for progress in train(experiment):
        ...                                  # progress.net samples, progress.checkpoint saves

Steps run between two reports without a word; reports come by the clock, at most some ten a second, and at the
end. When they come changes nothing that is learned. Closing the generator (or leaving the loop) stops the
work; the last report's net stays as it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import torch

from fmstudio.device import on_one_core
from fmstudio.flow.couplings.coupling import FixedPairs
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.fields import fields_of
from fmstudio.learn.nets.net_field import NetField
from fmstudio.learn.nets.networks import Network, Shape
from fmstudio.learn.training.batches import Problem
from fmstudio.learn.training.checkpoints import Checkpoint, Curve, Point
from fmstudio.learn.training.measure import Ruler
from fmstudio.learn.training.run import Run

#: Seconds between two reports.
INTERVAL = 0.1

#: Share of the time that measuring the energy distance may take.
MEASURING_SHARE = 0.1

#: Fields that say how long to train, or what to do with the net, not what it becomes at a step.
AFTER_TRAINING = frozenset({"train_steps", *fields_of("sampling", "view")})


@dataclass(frozen=True, eq=False)
class Progress:
    """How a training goes.

    Args:
        step, steps: taken, and to take.
        loss: mean squared error over about the last hundred steps, in the target's units.
        floor: the least loss any net can reach, and ``floor_error`` its Monte-Carlo error; None where the
            coupling leaves no closed form.
        excess: E |f − E[y|x_t]|² of ``net``, measured against the oracle at fixed points: the part of its
            loss that is above the floor. None as ``floor``.
        learning_rate: of the last step.
        steps_per_second: since the last report.
        seconds: of training so far, a resumed run's earlier ones too.
        energy_distance: between samples of ``net`` and data, as last measured; None before.
        checkpoint: to save, to resume from; it holds the net with the running mean of the weights.
        done: whether this is the last report.
    """

    step: int
    steps: int
    loss: float
    floor: float | None
    floor_error: float | None
    excess: float | None
    learning_rate: float
    steps_per_second: float
    seconds: float
    energy_distance: float | None
    checkpoint: Checkpoint
    done: bool

    @property
    def net(self) -> NetField:
        """The velocity field of the checkpoint's net, with the running mean of the weights."""
        return self.checkpoint.net


def train(
    experiment: Experiment,
    *,
    resume: Checkpoint | None = None,
    start: Network | None = None,
    pairs: FixedPairs | None = None,
    device: torch.device | str | None = None,
    measure: bool = True,
    interval: float = INTERVAL,
) -> Iterator[Progress]:
    """Train the experiment's net.

    Args:
        experiment: what to learn, and how.
        resume: a resumable checkpoint to go on from. Its experiment may differ only in how long to train and
            in what is no part of the training.
        start: a net to start from, with a new optimizer (reflow trains the net that drew the pairs).
        pairs: end points (x₀, x₁) to train on in place of the experiment's coupling (reflow).
        device: where to train; the CPU by default.
        measure: whether reports hold ``excess``, ``floor`` and ``energy_distance``.
        interval: least seconds between two reports; 0 reports after every block of steps.

    Yields:
        :class:`Progress`, the last one with ``done``.

    Raises:
        ValueError: choices that do not go together, or a checkpoint that does not fit.
        Diverged: the loss is not finite.
    """
    where = torch.device("cpu" if device is None else device)
    problem = Problem.of(experiment, pairs, where)
    first, draws, points = generators(experiment.seed, where)
    shape = Shape(experiment.dim, experiment.width, experiment.depth, experiment.fourier, problem.classes)
    if resume is not None:
        check_resume(experiment, shape, resume, draws)
        if resume.of_pairs and pairs is None:
            raise ValueError(
                "This net was straightened on pairs that its file does not hold. Straighten it again, or "
                "start a new training."
            )
        start = resume.network
    if start is not None and start.shape != shape:
        raise ValueError(f"Expected a net of {shape}; got one of {start.shape}.")
    network = Network(shape, first) if start is None else start.with_weights(start.flat)
    ruler = Ruler(experiment, problem, points) if measure else None
    curve = Curve() if resume is None or resume.resumable is None else resume.curve
    start_run = partial(Run, experiment, problem, network.to(where), draws, resume)
    return on_one_core(_train(start_run, ruler, curve, interval))


def _train(
    start_run: Callable[[], Run], ruler: Ruler | None, curve: Curve, interval: float
) -> Generator[Progress, None, None]:
    clock = _Clock(curve.seconds)
    run = start_run()
    if ruler is not None and ruler.floor is not None:
        curve = replace(curve, floor=ruler.floor.mean, floor_error=ruler.floor.error)
    reported, distance = run.step, None
    while True:
        run.take_block()
        since = clock.since_report
        if not run.done and since < interval:
            continue
        loss = run.checked_loss()
        excess = measured = None
        if ruler is not None:
            net = run.net
            excess = ruler.excess(net)
            if run.done or clock.may_measure:
                with clock.measuring():
                    measured = distance = ruler.energy_distance(net, last=run.done)
        seconds = clock.seconds
        curve = curve.then(Point(run.step, loss, excess, measured), seconds)
        progress = Progress(
            step=run.step,
            steps=run.total,
            loss=loss,
            floor=curve.floor,
            floor_error=curve.floor_error,
            excess=excess,
            learning_rate=run.rate(max(run.step - 1, 0)),
            steps_per_second=(run.step - reported) / max(since, 1e-9),
            seconds=seconds,
            energy_distance=distance,
            checkpoint=run.checkpoint(curve),
            done=run.done,
        )
        with clock.stopped():
            yield progress
        if run.done:
            return
        reported = run.step


class _Clock:
    """Seconds of training: those that the caller takes between two reports do not count.

    Args:
        earlier: seconds of the run that this one goes on from.
    """

    def __init__(self, earlier: float) -> None:
        self._earlier, self._measured = earlier, 0.0
        self._began = self._reported = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Of all training so far."""
        return self._earlier + time.perf_counter() - self._began

    @property
    def since_report(self) -> float:
        """Since the caller gave the work back."""
        return time.perf_counter() - self._reported

    @property
    def may_measure(self) -> bool:
        """Whether measuring has taken no more than its share so far."""
        return self._measured <= MEASURING_SHARE * (time.perf_counter() - self._began)

    @contextmanager
    def measuring(self) -> Generator[None]:
        """Count what is done inside as measuring."""
        asked = time.perf_counter()
        yield
        self._measured += time.perf_counter() - asked

    @contextmanager
    def stopped(self) -> Generator[None]:
        """Do not count what is done inside."""
        pause = time.perf_counter()
        yield
        self._reported = time.perf_counter()
        self._began += self._reported - pause


def generators(seed: int, device: torch.device) -> Sequence[torch.Generator]:
    """Three generators of one seed: of the first weights (on the CPU), the batches, and the measuring."""
    master = torch.Generator().manual_seed(seed)
    seeds = torch.randint(2**62, (3,), generator=master).tolist()
    places = (torch.device("cpu"), device, torch.device("cpu"))
    return [torch.Generator(place).manual_seed(s) for place, s in zip(places, seeds, strict=True)]


def check_resume(
    experiment: Experiment, shape: Shape, checkpoint: Checkpoint, draws: torch.Generator
) -> None:
    """Refuse to go on from a checkpoint that another training made.

    Raises:
        ValueError: it cannot be resumed, or a field that the training depends on differs.
    """
    if checkpoint.resumable is None:
        raise ValueError(
            "This checkpoint holds the net only; pass its network as `start` to train it further."
        )
    if len(checkpoint.resumable.draws) != len(draws.get_state()):
        raise ValueError("This checkpoint was trained on another kind of device; resume it there.")
    old = checkpoint.experiment.to_dict()
    for name, value in experiment.to_dict().items():
        if name not in AFTER_TRAINING and old[name] != value:
            raise ValueError(
                f"{name}: the checkpoint was trained with {old[name]!r}, the experiment asks for {value!r}. "
                "Start a new training."
            )
    if checkpoint.network.shape != shape:
        raise ValueError(f"Expected a net of {shape}; the checkpoint has {checkpoint.network.shape}.")
