"""A step: the times it is taken at, what it did, and how straight all of them together are.

**Times.** A pipeline asks its scheduler for n steps, and schedulers answer in their own ways. Flow-matching
Euler, left to itself, ends at σ ≈ 0.001 and then 0, so its last step moves almost nothing: two steps are one.
Some pipelines hand over σ = 1, 1 − 1/n, …, 1/n themselves, others (PRX, OmniGen, Kandinsky) have no argument
for it. So the one place that all of them pass, `scheduler.set_timesteps`, is where the σ are put in:

    σ_k = 1 − k/n,  k = 0 … n − 1,  then the model's time shift  σ ↦ s σ / (1 + (s − 1) σ),  and σ_n = 0.

The shift keeps 1 and 0 where they are and is strictly increasing, so every step has a length.

**What a step did.** diffusers hands `scheduler.step` a network's answer v (with guidance: the guided one) and
the latents x, and knows σ. On the linear path x = (1 − σ) x₀ + σ x₁ and v = x₁ − x₀, so

    x̂₀ = x − σ v,      x̂₁ = x + (1 − σ) v.

Pipelines whose networks point the other way (Z-Image, Lumina) turn the sign before they call the step, so
this holds for all of them; a scheduler with inverted σ (OmniGen) counts s = 1 − σ from 0 to 1 with
v = x₀ − x₁, and is turned back here.
"""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fmstudio.device import finish
from fmstudio.image.hub.cards import EULER, UNIPC

SOLVERS: dict[str, str] = {EULER: "Euler", UNIPC: "UniPC (order 2)"}
"""Solver key to its name on the page.

Heun and DPM++ fail on packed latents, and DEIS ends on a wrong σ in this version of diffusers: not offered.
"""

_MU_SETTINGS = ("base_image_seq_len", "max_image_seq_len", "base_shift", "max_shift")


def is_flow_scheduler(class_name: str, settings: Mapping[str, Any]) -> bool:
    """Whether a model with such a scheduler is a flow on the linear path: it answers a velocity at σ."""
    if class_name.startswith("FlowMatch"):
        return True
    return bool(settings.get("use_flow_sigmas")) and settings.get("prediction_type") == "flow_prediction"


def make_scheduler(
    settings: Mapping[str, Any], solver: str = EULER, step_count: int = 8, shift: float | None = None
) -> Any:
    """A scheduler for one run of n steps.

    The time shift is the model's own unless one is given. A final stretch of the schedule
    (``shift_terminal`` e, which ends it at σ = e) is kept where it leaves the last step at least 1/n long and
    dropped where it would waste it; at n = 1 it would divide by zero.

    Args:
        settings: the model's own scheduler settings.
        solver: a key of `SOLVERS`.
        step_count: n ≥ 1.
        shift: s > 0 instead of the model's own; 1 is no shift.

    Raises:
        ValueError: an unknown solver, a shift that is not positive, no steps.
    """
    if solver not in SOLVERS:
        raise ValueError(f"solver: expected one of {', '.join(SOLVERS)}; got {solver!r}.")
    if step_count < 1:
        raise ValueError(f"Sampling takes at least 1 step; got {step_count}.")
    if shift is not None and not 0 < shift < float("inf"):
        raise ValueError(f"The time shift is a positive number (1: none); got {shift}.")
    from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
    from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler

    own_shift = float(settings.get("shift", settings.get("flow_shift", 1.0)) or 1.0)
    dynamic = bool(settings.get("use_dynamic_shifting")) and shift is None
    terminal = settings.get("shift_terminal")
    common: dict[str, Any] = {
        "num_train_timesteps": settings.get("num_train_timesteps", 1000),
        "use_dynamic_shifting": dynamic,
        "time_shift_type": settings.get("time_shift_type", "exponential"),
        "shift_terminal": terminal if terminal and shift is None and terminal * step_count >= 1 else None,
    }
    static = shift if shift is not None else own_shift
    mu = {name: settings[name] for name in _MU_SETTINGS if name in settings}
    if solver == EULER:
        return FlowMatchEulerDiscreteScheduler(
            shift=static, invert_sigmas=bool(settings.get("invert_sigmas")), **common, **mu
        )
    if settings.get("invert_sigmas"):
        raise ValueError("UniPC does not run on a schedule with inverted σ; take Euler.")
    scheduler = UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=static, **common
    )
    scheduler.register_to_config(**mu)  # pipelines read these to work out the shift
    return scheduler


def even_sigmas(step_count: int) -> np.ndarray:
    """σ = 1, 1 − 1/n, …, 1/n, before any shift."""
    return np.linspace(1.0, 1.0 / step_count, step_count)


@contextmanager
def real_steps(scheduler: Any, step_count: int) -> Generator[None, None, None]:
    """While this is open, `scheduler.set_timesteps` makes n steps at `even_sigmas`, whatever it is asked for.

    Raises:
        RuntimeError: inside, when the schedule that comes out has not n steps of some length each.
    """
    original = scheduler.set_timesteps
    signature = inspect.signature(original)

    @functools.wraps(original)
    def set_timesteps(*arguments: Any, **named: Any) -> None:
        asked = signature.bind(*arguments, **named).arguments
        for replaced in ("num_inference_steps", "timesteps", "sigmas"):
            asked.pop(replaced, None)
        original(sigmas=even_sigmas(step_count), **asked)
        sigmas = scheduler.sigmas.double().cpu().numpy()
        lengths = np.abs(np.diff(sigmas))
        if len(lengths) != step_count or not np.all(lengths > 1e-5):
            raise RuntimeError(
                f"{type(scheduler).__name__} made a schedule of {len(lengths)} steps with σ = "
                f"{np.array2string(sigmas, precision=4)} instead of {step_count} steps."
            )

    scheduler.set_timesteps = set_timesteps
    try:
        yield
    finally:
        del scheduler.set_timesteps


@dataclass(frozen=True)
class StepRecord:
    """What one step did. Tensors are float32 on the CPU, in the pipeline's own (perhaps packed) layout.

    Args:
        index: steps taken, 1 … n.
        sigma, sigma_next: t before and after.
        x: latents before the step.
        v: the velocity there, x₁ − x₀ in expectation.
        x_next: latents after the step.
        seconds: since the end of the step before, or since the run began.
    """

    index: int
    sigma: float
    sigma_next: float
    x: Tensor
    v: Tensor
    x_next: Tensor
    seconds: float

    @property
    def x0_hat(self) -> Tensor:
        """The data expected from here: x − σ v."""
        return self.x - self.sigma * self.v


@contextmanager
def recorded(scheduler: Any, sink: Callable[[StepRecord], None]) -> Generator[None, None, None]:
    """While this is open, every `scheduler.step` is handed to `sink` after it was taken.

    What the pipeline gets back is untouched. An exception from `sink` passes through the pipeline, in whose
    thread it is called.
    """
    original = scheduler.step
    inverted = bool(scheduler.config.get("invert_sigmas"))
    last = time.perf_counter()

    @functools.wraps(original)
    def step(model_output: Tensor, timestep: Any, sample: Tensor, *arguments: Any, **named: Any) -> Any:
        nonlocal last
        result = original(model_output, timestep, sample, *arguments, **named)
        after = result[0] if isinstance(result, tuple) else result.prev_sample
        index = int(scheduler.step_index)  # already counted up
        sigma, sigma_next = (float(scheduler.sigmas[k]) for k in (index - 1, index))
        finish(sample.device)
        now = time.perf_counter()
        v = _plain(model_output)
        sink(
            StepRecord(
                index=index,
                sigma=1 - sigma if inverted else sigma,
                sigma_next=1 - sigma_next if inverted else sigma_next,
                x=_plain(sample),
                v=-v if inverted else v,
                x_next=_plain(after),
                seconds=now - last,
            )
        )
        last = time.perf_counter()
        return result

    scheduler.step = step
    try:
        yield
    finally:
        del scheduler.step


def _plain(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", torch.float32, copy=True)


@dataclass(frozen=True)
class StepMeasures:
    """One step in numbers.

    Args:
        sigma, sigma_next: t before and after.
        speed: root mean square of v over all numbers of the latents.
        bend: |(Z₁ − Z₀) − v|² / |Z₁ − Z₀|² at this step; 0 on a straight line at constant speed.
        seconds: what it took.
    """

    sigma: float
    sigma_next: float
    speed: float
    bend: float
    seconds: float


@dataclass(frozen=True)
class Trajectory:
    """A finished run in numbers.

    Args:
        steps: in the order they were taken.
        straightness: Σ (σ_k − σ_{k+1}) bend_k: the relative form of
            S = ∫₀¹ |(Z₁ − Z₀) − v(Z_t, t)|² dt over |Z₁ − Z₀|², by the rectangle rule of the steps
            themselves. 0 is a straight line; one step is 0 by construction, for Z₀ is then x̂₀.
    """

    steps: tuple[StepMeasures, ...]
    straightness: float


def measure_trajectory(records: Sequence[StepRecord]) -> Trajectory:
    """The numbers of a run that reached t = 0.

    Args:
        records: all its steps, at least one.

    Source of S: Liu, Gong & Liu 2022, arXiv:2209.03003, equation (5), divided here by |Z₁ − Z₀|².
    """
    if not records:
        raise ValueError("A trajectory has at least one step.")
    chord = records[0].x - records[-1].x_next
    length = float(chord.square().sum().clamp_min(1e-30))
    steps = tuple(
        StepMeasures(
            sigma=record.sigma,
            sigma_next=record.sigma_next,
            speed=float(record.v.square().mean().sqrt()),
            bend=float((chord - record.v).square().sum()) / length,
            seconds=record.seconds,
        )
        for record in records
    )
    return Trajectory(steps, sum((step.sigma - step.sigma_next) * step.bend for step in steps))
