"""A run: net, optimizer and draws between two blocks of steps."""

from __future__ import annotations

import math
from collections import deque

import torch
from torch import Tensor

from fmstudio.capture import cuda_graph
from fmstudio.flow.couplings.coupling import FixedPairs
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.nets.net_field import NetField
from fmstudio.learn.nets.networks import Network
from fmstudio.learn.training.batches import Batches, Problem
from fmstudio.learn.training.checkpoints import Checkpoint, Curve, Resumable
from fmstudio.learn.training.step import AdamMoments, Steps

#: Steps over which the reported loss is averaged, at least.
LOSS_STEPS = 100


class Diverged(ArithmeticError):
    """The loss or a weight is not finite any more; the message says what to try."""


def learning_rate(step: int, steps: int, highest: float, schedule: str) -> float:
    """The rate of a step: a short rise from 0, then the highest rate, falling as a cosine or constant.

    Args:
        step, steps: counted from 0, of so many.
        highest: rate.
        schedule: "cosine" or "constant".
    """
    rise = min(100, max(1, steps // 10))
    rate = highest * min(1.0, (step + 1) / rise)
    if schedule == "constant":
        return rate
    return rate * 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps)))


def pull(ema: float, step: int) -> float:
    """Weight of the newest weights in their running mean: 1 − ema, and more in the first steps."""
    return 1 - min(ema, (1 + step) / (10 + step))


class Run:
    """Net, optimizer and draws between two blocks of steps.

    Args:
        experiment, problem: what to learn.
        network: where it starts; its weights are changed in place.
        draws: of the batches.
        resume: what to go on from, or None.
    """

    def __init__(
        self,
        experiment: Experiment,
        problem: Problem,
        network: Network,
        draws: torch.Generator,
        resume: Checkpoint | None,
    ) -> None:
        self.experiment, self.total = experiment, experiment.train_steps
        self._problem, self._network, self._draws = problem, network, draws
        self._batches = Batches(experiment, problem, draws)
        self._moments = AdamMoments.start(network.flat)
        self._recent: deque[Tensor] = deque(maxlen=math.ceil(LOSS_STEPS / self._batches.block))
        self.step = 0
        if resume is not None and resume.resumable is not None:
            self.step = resume.step
            network.flat.copy_(resume.resumable.flat)
            self._moments.copy_(resume.resumable.moments)
            draws.set_state(resume.resumable.draws)
            self._recent.extend(resume.resumable.recent.to(network.flat))
        capture = cuda_graph if network.flat.is_cuda else None
        self._steps = Steps(network, experiment.batch, self._batches.block, self._moments, capture=capture)
        self._pace = _Pace(network.flat.device)

    @property
    def done(self) -> bool:
        """Whether all steps are taken."""
        return self.step >= self.total

    @property
    def net(self) -> NetField:
        """The velocity field with the running mean of the weights."""
        problem = self._problem
        return NetField(self._mean(), problem.path, problem.target, problem.box)

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        e = self.experiment
        return learning_rate(step, e.train_steps, e.learning_rate, e.schedule)

    def take_block(self) -> None:
        """A block of steps, or what is left of one."""
        taken = min(self._batches.block, self.total - self.step)
        if taken <= 0:
            return
        self._steps.load(*self._batches.draw())
        coming = range(self.step, self.step + taken)
        self._steps.run([self.rate(k) for k in coming], [pull(self.experiment.ema, k) for k in coming])
        self._recent.append(self._steps.losses[:taken].mean())
        self.step += taken
        self._pace.wait()

    def checked_loss(self) -> float:
        """Mean loss of the recent steps.

        Raises:
            Diverged: it, or a weight, is not finite.
        """
        loss = float(torch.stack(list(self._recent)).mean()) if self._recent else math.nan
        _check_finite(self.experiment, self.step, loss, self._network, self._moments)
        return loss

    def checkpoint(self, curve: Curve) -> Checkpoint:
        """All that a training needs to go on."""
        resumable = Resumable(
            self._network.flat.clone(),
            self._moments.clone(),
            self._draws.get_state(),
            torch.stack(list(self._recent)).cpu(),
        )
        of_pairs = isinstance(self._problem.coupling, FixedPairs)
        return Checkpoint(self.experiment, self._mean(), self.step, curve, resumable, of_pairs)

    def _mean(self) -> Network:
        return self._network.with_weights(self._moments.mean)


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


def _check_finite(
    experiment: Experiment, step: int, loss: float, network: Network, moments: AdamMoments
) -> None:
    if math.isfinite(loss) and network.flat.isfinite().all() and moments.mean.isfinite().all():
        return
    rate = experiment.learning_rate
    raise Diverged(
        f"The loss is not finite before step {step}: the steps are too long. Lower the learning rate "
        f"(now {rate:g}; try {rate / 10:g}), and start again or resume from an earlier checkpoint."
    )
