"""A training run: its settings, its steps, its state.

The run has a budget, in minutes of training or in steps, and its learning rate follows the share of the
budget that is spent: a warm-up, then a cosine to zero. Its state holds all that a resumed run needs, and its
batches are functions of the seed and the step, so a run that was killed and goes on ends with the weights
of one that was not.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast
from torch import Tensor

from fmstudio.device import has_bf16
from fmstudio.image.networks import VelocityNet
from fmstudio.image.training.data import ImageSet
from fmstudio.image.training.objective import TIME_LAWS, Ahead, BatchStream, ReflowPairs, velocity_loss


@dataclass(frozen=True)
class TrainSettings:
    """What a training run is, apart from its data and its first weights.

    Args:
        minutes: the budget in minutes of training over all restarts, or None.
        steps: the budget in steps, or None; exactly one of the two is given.
        batch: images per step, over all processes; a multiple of processes × accumulate.
        accumulate: parts that a process splits its share into, one backward pass each.
        learning_rate: AdamW's highest, after `warmup` steps.
        ema_decay: of the moving average of the weights, reached by a ramp (1 + step) / (10 + step).
        label_drop: share of labels replaced by "no class", for guidance.
        time_law: a name in `TIME_LAWS`.
        seed: of the weights and of every batch.
    """

    minutes: float | None = None
    steps: int | None = None
    batch: int = 64
    accumulate: int = 1
    learning_rate: float = 1e-3
    warmup: int = 100
    ema_decay: float = 0.999
    label_drop: float = 0.1
    clip: float = 1.0
    time_law: str = "mixed"
    seed: int = 0

    def __post_init__(self) -> None:
        if (self.minutes is None) == (self.steps is None):
            raise ValueError(f"Give minutes or steps, one of them; got {self.minutes} and {self.steps}.")
        if (self.minutes or self.steps or 0) <= 0:
            raise ValueError(f"The budget must be positive; got {self.minutes or self.steps}.")
        if self.time_law not in TIME_LAWS:
            raise ValueError(f"The time law is one of {', '.join(TIME_LAWS)}; got {self.time_law!r}.")

    def spent(self, step: int, seconds: float) -> float:
        """The share of the budget that is used up, 0 … 1 and beyond."""
        return seconds / (60 * self.minutes) if self.minutes is not None else step / (self.steps or 1)

    def rate(self, step: int, spent: float) -> float:
        """Learning rate: linear over the warm-up, times (1 + cos(π · spent)) / 2."""
        ramp = min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0
        return self.learning_rate * ramp * (1 + math.cos(math.pi * min(spent, 1.0))) / 2


@dataclass(frozen=True)
class Progress:
    """A line of the log: after `step` steps and `seconds` of training, the mean loss since the last line."""

    step: int
    seconds: float
    spent: float
    loss: float
    rate: float


def choose_precision(cpu: bool = False) -> str:
    """Accelerate's name of the precision to train in: bf16 where it is native, else full float32."""
    device = torch.device("cuda" if torch.cuda.is_available() and not cpu else "cpu")
    return "bf16" if has_bf16(device) else "no"


class Run:
    """A training run: network, moving average, optimiser, step and seconds so far.

    Args:
        net: the network to train, on any device.
        data: images or reflow pairs.
        settings: the recipe.
        accelerator: places the run on its device and processes.
    """

    def __init__(
        self,
        net: VelocityNet,
        data: ImageSet | ReflowPairs,
        settings: TrainSettings,
        accelerator: Accelerator,
    ):
        parts = accelerator.num_processes * settings.accumulate
        if settings.batch % parts:
            raise ValueError(f"The batch of {settings.batch} cannot be split into {parts} equal parts.")
        self.settings, self.accelerator = settings, accelerator
        stream = BatchStream(
            data, settings.batch, settings.seed, TIME_LAWS[settings.time_law], settings.label_drop
        )
        self.batches = Ahead(stream) if accelerator.device.type == "cuda" else stream
        fused = accelerator.device.type in ("cpu", "cuda")
        net.to(accelerator.device)
        optimizer = torch.optim.AdamW(
            net.parameters(), settings.learning_rate, betas=(0.9, 0.99), fused=fused
        )
        self.net, self.optimizer = accelerator.prepare(net, optimizer)
        self.ema = [weight.detach().clone() for weight in self._weights()]
        self.step, self.seconds = 0, 0.0

    def _weights(self) -> list[Tensor]:
        return list(self.accelerator.unwrap_model(self.net).parameters())

    def advance(self) -> Iterator[Progress]:
        """Train until the budget is spent; yields every 50 steps and at the end. Closing it stops the run."""
        losses: list[Tensor] = []
        while (spent := self._spent()) < 1.0:
            started = time.perf_counter()
            rate = self.settings.rate(self.step, spent)
            losses.append(self._one_step(rate))
            self.step += 1
            self.seconds += time.perf_counter() - started
            if self.step % 50 == 0 or self._spent() >= 1.0:
                started = time.perf_counter()
                loss = self.accelerator.gather(torch.stack(losses).mean()[None])
                mean_loss = float(torch.as_tensor(loss).mean())
                if not math.isfinite(mean_loss):
                    raise FloatingPointError(
                        f"The loss is {mean_loss} at step {self.step}. Lower the learning rate (now"
                        f" {self.settings.learning_rate:g}) or train in float32; start from the last state."
                    )
                losses.clear()
                self.seconds += time.perf_counter() - started
                yield Progress(self.step, self.seconds, self._spent(), mean_loss, rate)

    def _spent(self) -> float:
        seconds = self.seconds
        if self.accelerator.num_processes > 1 and self.settings.minutes is not None:
            clock = torch.tensor([seconds], dtype=torch.float64, device=self.accelerator.device)
            seconds = float(torch.as_tensor(broadcast(clock))[0])
        return self.settings.spent(self.step, seconds)

    def _one_step(self, rate: float) -> Tensor:
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        accelerator, parts = self.accelerator, self.settings.accumulate
        share = self.batches(self.step).part(accelerator.process_index, accelerator.num_processes)
        total = torch.zeros((), device=accelerator.device)
        for index in range(parts):
            piece = share.part(index, parts).to(accelerator.device)
            # Processes tell each other their gradients with the last part alone.
            with accelerator.no_sync(self.net) if index < parts - 1 else nullcontext():
                loss = velocity_loss(self.net, piece) / parts
                accelerator.backward(loss)
            total += loss.detach()
        accelerator.clip_grad_norm_(self.net.parameters(), self.settings.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        decay = min(self.settings.ema_decay, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(  # pyright: ignore[reportPrivateUsage]
            self.ema, [weight.detach() for weight in self._weights()], 1 - decay
        )
        return total

    def state(self) -> dict[str, Any]:
        """Everything that a resumed run needs."""
        return {
            "settings": asdict(self.settings),
            "step": self.step,
            "seconds": self.seconds,
            "weights": [weight.detach() for weight in self._weights()],
            "ema": self.ema,
            "optimizer": self.optimizer.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state`; the recipe must be the same, only the budget may differ.

        Raises:
            ValueError: the state was made with another recipe; the message names what differs.
        """
        theirs, ours = state["settings"], asdict(self.settings)
        differing = [
            f"{name} {theirs[name]} there, {ours[name]} here"
            for name in ours
            if name not in ("minutes", "steps") and theirs[name] != ours[name]
        ]
        if differing:
            raise ValueError(f"The saved run has other settings: {'; '.join(differing)}. Use another --out.")
        self.step, self.seconds = state["step"], state["seconds"]
        with torch.no_grad():
            for mine, saved in zip(self._weights() + self.ema, state["weights"] + state["ema"], strict=True):
                mine.copy_(saved)
        self.optimizer.load_state_dict(state["optimizer"])

    def averaged(self) -> VelocityNet:
        """A copy of the network with the averaged weights, in float32 on the CPU."""
        net = self.accelerator.unwrap_model(self.net)
        copy = VelocityNet(type(net.network).from_config(net.network.config), net.patch)
        with torch.no_grad():
            for mine, saved in zip(copy.parameters(), self.ema, strict=True):
                mine.copy_(saved)
        return copy.eval().requires_grad_(False)


def write_atomically(state: dict[str, Any], path: Path) -> None:
    """Save with torch so that `path` is always a whole file: the old one or the new one."""
    partial = path.with_suffix(".partial")
    with partial.open("wb") as handle:
        torch.save(state, handle)
        handle.flush()
        os.fsync(handle.fileno())
    partial.replace(path)
