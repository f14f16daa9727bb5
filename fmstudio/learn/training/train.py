"""Training: a generator that takes steps and, now and then, says how it goes.

    for progress in train(experiment):
        ...                                  # progress.net samples, progress.checkpoint saves

Steps run between two reports without a word; reports come by the clock, at most some ten a second, and at the
end. When they come changes nothing that is learned. Closing the generator (or leaving the loop) stops the
work; the last report's net stays as it was.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from fmstudio.capture import cuda_graph
from fmstudio.device import on_one_core
from fmstudio.flow.couplings.coupling import FixedPairs
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.fields import fields_of
from fmstudio.learn.nets.net_field import NetField
from fmstudio.learn.nets.networks import Network, Shape
from fmstudio.learn.training.batches import Batches, Problem
from fmstudio.learn.training.checkpoints import Checkpoint, Curve, Point, Resumable
from fmstudio.learn.training.measure import Ruler
from fmstudio.learn.training.step import Moments, Steps

#: Seconds between two reports.
INTERVAL = 0.1
#: Share of the time that measuring the energy distance may take.
MEASURING_SHARE = 0.1
#: Steps over which the reported loss is averaged, at least.
LOSS_STEPS = 100

#: Fields that say how long to train, or what to do with the net, not what it becomes at a step.
AFTER_TRAINING = frozenset({"train_steps", *fields_of("sampling", "view")})


class Diverged(ArithmeticError):
    """The loss or a weight is not finite any more; the message says what to try."""


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


def learning_rate(experiment: Experiment, step: int) -> float:
    """The rate of a step: a short rise from 0, then the experiment's rate, falling as a cosine or constant.

    Args:
        experiment: with ``learning_rate``, ``schedule`` and ``train_steps``.
        step: counted from 0.
    """
    steps = experiment.train_steps
    rise = min(100, max(1, steps // 10))
    rate = experiment.learning_rate * min(1.0, (step + 1) / rise)
    if experiment.schedule == "constant":
        return rate
    return rate * 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps)))


def pull(experiment: Experiment, step: int) -> float:
    """Weight of the newest weights in their running mean: 1 − ema, and more in the first steps."""
    return 1 - min(experiment.ema, (1 + step) / (10 + step))


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
    return on_one_core(_train(experiment, problem, network.to(where), draws, ruler, resume, interval))


def _train(
    experiment: Experiment,
    problem: Problem,
    network: Network,
    draws: torch.Generator,
    ruler: Ruler | None,
    resume: Checkpoint | None,
    interval: float,
) -> Generator[Progress, None, None]:
    began = last = time.perf_counter()
    batches = Batches(experiment, problem, draws)
    moments = Moments.start(network.flat)
    recent: deque[Tensor] = deque(maxlen=math.ceil(LOSS_STEPS / batches.block))
    step, curve = 0, Curve()
    if resume is not None and resume.resumable is not None:
        step, curve = resume.step, resume.curve
        network.flat.copy_(resume.resumable.flat)
        moments.copy_(resume.resumable.moments)
        draws.set_state(resume.resumable.draws)
        recent.extend(resume.resumable.recent.to(network.flat))
    if ruler is not None and ruler.floor is not None:
        curve = replace(curve, floor=ruler.floor.mean, floor_error=ruler.floor.error)
    capture = cuda_graph if network.flat.is_cuda else None
    steps = Steps(network, experiment.batch, batches.block, moments, capture=capture)
    pace = _Pace(network.flat.device)
    seconds, measuring, total = curve.seconds, 0.0, experiment.train_steps
    reported, distance = step, None

    while True:
        taken = min(batches.block, total - step)
        if taken > 0:
            steps.load(*batches.draw())
            coming = range(step, step + taken)
            steps.run([learning_rate(experiment, k) for k in coming], [pull(experiment, k) for k in coming])
            recent.append(steps.losses[:taken].mean())
            step += taken
            pace.wait()
        now = time.perf_counter()
        done = step >= total
        if not done and now - last < interval:
            continue

        loss = float(torch.stack(list(recent)).mean()) if recent else math.nan
        _check_finite(experiment, step, loss, network, moments)
        since, work = now - last, seconds + now - began
        kept = network.with_weights(moments.mean)
        excess = measured = None
        if ruler is not None:
            net = NetField(kept, problem.path, problem.target, problem.box)
            excess = ruler.excess(net)
            if done or measuring <= MEASURING_SHARE * (now - began):
                asked = time.perf_counter()
                measured = distance = ruler.energy_distance(net, last=done)
                measuring += time.perf_counter() - asked
        work = seconds + time.perf_counter() - began
        point = Point(step, loss, excess, measured)
        curve = curve.then(point, work)
        resumable = Resumable(
            network.flat.clone(), moments.clone(), draws.get_state(), torch.stack(list(recent)).cpu()
        )
        of_pairs = isinstance(problem.coupling, FixedPairs)
        checkpoint = Checkpoint(experiment, kept, step, curve, resumable, of_pairs)
        pause = time.perf_counter()
        yield Progress(
            step,
            total,
            loss,
            curve.floor,
            curve.floor_error,
            excess,
            learning_rate(experiment, max(step - 1, 0)),
            (step - reported) / max(since, 1e-9),
            work,
            distance,
            checkpoint,
            done,
        )
        if done:
            return
        # The time that the caller took does not count as training.
        last = time.perf_counter()
        began += last - pause
        reported = step


class _Pace:
    """Keeps the CPU from queueing more than two blocks ahead of a GPU, so that reports are prompt."""

    def __init__(self, device: torch.device) -> None:
        self._events: deque[torch.cuda.Event] | None = deque() if device.type == "cuda" else None

    def wait(self) -> None:
        """Wait for the block before the last."""
        if self._events is None:
            return
        event = torch.cuda.Event()
        event.record()
        self._events.append(event)
        if len(self._events) > 2:
            self._events.popleft().synchronize()


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


def _check_finite(experiment: Experiment, step: int, loss: float, network: Network, moments: Moments) -> None:
    if math.isfinite(loss) and network.flat.isfinite().all() and moments.mean.isfinite().all():
        return
    rate = experiment.learning_rate
    raise Diverged(
        f"The loss is not finite before step {step}: the steps are too long. Lower the learning rate "
        f"(now {rate:g}; try {rate / 10:g}), and start again or resume from an earlier checkpoint."
    )
