"""Any of these models, sampled step by step in one way.

The pipeline runs in a thread of its own and puts every step into a queue; whoever reads shows them, and stops
the run by not reading on. The pipelines themselves stay as diffusers wrote them: only the scheduler is one
for this run and is listened to (`steps`).

InstaFlow is Stable Diffusion's pipeline with a network that points the other way: it answers w = x₀ − x₁
(data minus noise) at 1000 t and steps x ← x + w/n. In the notation here v = −w, which its scheduler is told.
Source: Liu, Zhang, Ma, Peng & Liu 2023, arXiv:2309.06380; the timestep 1000 t as in its code.
"""

from __future__ import annotations

import inspect
import queue
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fmstudio.image.finite import check_finite, remedy
from fmstudio.image.hub.cards import EULER
from fmstudio.image.hub.looks import LinearPreview, decodable, decode_tiny, for_tiny_decoder
from fmstudio.image.hub.machine import forget_frames, is_out_of_memory
from fmstudio.image.hub.steps import (
    StepRecord,
    Trajectory,
    make_scheduler,
    measure_trajectory,
    real_steps,
    recorded,
)
from fmstudio.image.training.data import to_bytes


@dataclass(frozen=True)
class Request:
    """What to draw.

    Args:
        prompt: in words.
        step_count: n ≥ 1.
        guidance: as the pipeline counts it.
        solver: a key of `fmstudio.image.hub.steps.SOLVERS`.
        shift: the time shift, or None for the model's own.
        seed: of the first picture's noise, ≥ 0, drawn on the CPU, so it means the same picture on every
            device; picture k has the seed + k, so it comes out alone as among others, to rounding.
        side: of the square pictures, in pixels.
        count: pictures at once.
    """

    prompt: str
    step_count: int = 8
    guidance: float = 1.0
    solver: str = EULER
    shift: float | None = None
    seed: int = 0
    side: int = 1024
    count: int = 1

    def __post_init__(self) -> None:
        if not self.prompt.strip():
            raise ValueError("Say what to draw: the prompt is empty.")
        if not 1 <= self.step_count <= 200:
            raise ValueError(f"Steps lie in 1 … 200; got {self.step_count}.")
        if self.side < 16 or self.side % 16 or self.count < 1:
            raise ValueError(
                f"A side that 16 divides, one picture or more; got {self.side} and {self.count}."
            )

    @property
    def seeds(self) -> range:
        """Each picture's seed."""
        return range(self.seed, self.seed + self.count)


@dataclass(frozen=True)
class Finished:
    """The end of a run.

    Args:
        request: what was asked for.
        pictures: uint8 on the CPU, shape (count, 3, side, side).
        trajectory: its numbers.
    """

    request: Request
    pictures: Tensor
    trajectory: Trajectory

    @property
    def seconds(self) -> float:
        """Spent in steps, without encoding the prompt and decoding."""
        return sum(step.seconds for step in self.trajectory.steps)

    @property
    def nfe(self) -> int:
        """Steps, each one evaluation of the guided velocity."""
        return len(self.trajectory.steps)


class _StoppedError(Exception):
    """Raised inside a pipeline to end it."""


class HubModel:
    """A loaded model.

    Args:
        pipe: the pipeline.
        dtype: what its networks compute in.
        preview: the linear map from its latents to colours, for want of a small decoder.
        tiny: the small decoder, or None.
        instaflow: whether its network points from noise to data.
    """

    def __init__(
        self, pipe: Any, dtype: str, preview: LinearPreview, tiny: Any = None, instaflow: bool = False
    ):
        self.pipe: Any = pipe
        self.tiny: Any = tiny
        self._dtype, self._preview, self._instaflow = dtype, preview, instaflow
        self._scheduler_config = dict(pipe.scheduler.config)
        self._running = threading.Lock()

    @property
    def preview_kind(self) -> str:
        """How looks at x_t and x̂₀ are made, in words."""
        if self.tiny is not None:
            return "a small decoder trained for these latents"
        return "the best linear map from latents to colours: coarse, without detail"

    def look(self, latents: Tensor, side: int) -> Tensor:
        """Latents as small pictures, uint8, shape (batch, 3, height, width).

        Args:
            latents: x or x̂₀ of a `StepRecord`.
            side: of the pictures that are being made.
        """
        usable = decodable(self.pipe, latents, side)
        if self.tiny is not None:
            return to_bytes(decode_tiny(self.tiny, for_tiny_decoder(self.pipe, usable)))
        return to_bytes(self._preview(usable))

    def sample(self, request: Request) -> Generator[StepRecord | Finished, None, None]:
        """Every step as it is taken, then the pictures.

        Closing the iterator asks the run to end: pipelines that know `interrupt` skip their remaining steps,
        others are left at their next step. The model is free again once its thread has ended.

        Raises:
            torch.OutOfMemoryError: as the pipeline raised it.
            NotFiniteError: at the first step whose latents are not finite, or at pictures that are not.
            ValueError: the pipeline refuses the request.
        """
        events: queue.Queue[StepRecord | Finished | BaseException] = queue.Queue()
        stop = threading.Event()
        thread = threading.Thread(
            target=self._work, args=(request, events, stop), name="hub sampling", daemon=True
        )
        thread.start()
        try:
            while True:
                event = events.get()
                if isinstance(event, BaseException):
                    raise event
                yield event
                if isinstance(event, Finished):
                    return
        finally:
            stop.set()

    def wait(self) -> None:
        """Return when no run is under way."""
        with self._running:
            pass

    def close(self) -> None:
        """Let the networks go; nothing can be sampled afterwards."""
        self.pipe.remove_all_hooks()
        self.pipe = self.tiny = None

    def _work(self, request: Request, events: queue.Queue[Any], stop: threading.Event) -> None:
        records: list[StepRecord] = []
        advice = remedy(self._dtype)

        def sink(record: StepRecord) -> None:
            step = f"step {record.index} of {request.step_count} (σ = {record.sigma:.3f})"
            check_finite(record.x_next, step, self._dtype, advice)
            records.append(record)
            events.put(record)
            if stop.is_set() and record.index < request.step_count:
                self._interrupt()

        try:
            with self._running:
                if stop.is_set():
                    return
                pictures = self._run(request, sink)
            check_finite(pictures, "the decoder", self._dtype, advice)
            events.put(Finished(request, to_bytes(pictures * 2 - 1), measure_trajectory(records)))
        except _StoppedError:
            pass
        except BaseException as error:
            if is_out_of_memory(error):
                forget_frames(error)
            events.put(error)

    def _interrupt(self) -> None:
        if not hasattr(type(self.pipe), "interrupt"):
            raise _StoppedError
        self.pipe._interrupt = True

    def _run(self, request: Request, sink: Callable[[StepRecord], None]) -> Tensor:
        own = self.pipe.scheduler
        scheduler = make_scheduler(self._scheduler_config, request.solver, request.step_count, request.shift)
        try:
            self.pipe.scheduler = scheduler
            with real_steps(scheduler, request.step_count), recorded(scheduler, sink):
                if self._instaflow:
                    step, scheduler.init_noise_sigma = scheduler.step, 1.0
                    scheduler.step = lambda w, *rest, **named: step(-w, *rest, **named)
                result = self.pipe(**self._arguments(request))
        finally:
            self.pipe.scheduler = own
            self.pipe.maybe_free_model_hooks()
        return result[0].to("cpu", torch.float32)

    def _arguments(self, request: Request) -> dict[str, Any]:
        """The request in the words of this pipeline."""
        takes = inspect.signature(type(self.pipe).__call__).parameters
        generators = [torch.Generator().manual_seed(seed) for seed in request.seeds]
        arguments: dict[str, Any] = {
            "prompt": request.prompt,
            "num_inference_steps": request.step_count,
            "height": request.side,
            "width": request.side,
            "num_images_per_prompt": request.count,
            "generator": generators,
            "output_type": "pt",
            "return_dict": False,
            "use_resolution_binning": False,
            "clean_caption": False,
        }
        if "true_cfg_scale" in takes and not self._embeds_guidance():
            arguments["true_cfg_scale"] = request.guidance
            if request.guidance > 1:
                arguments["negative_prompt"] = " "
        else:
            arguments["guidance_scale"] = request.guidance
        if self._instaflow:  # by itself it draws in its own format, another picture in each
            side = request.side // self.pipe.vae_scale_factor
            shape = (1, self.pipe.unet.config["in_channels"], side, side)
            noise = torch.cat([torch.randn(shape, generator=generator) for generator in generators])
            arguments["latents"] = noise.to(getattr(torch, self._dtype))
        return {name: value for name, value in arguments.items() if name in takes}

    def _embeds_guidance(self) -> bool:
        """Whether guidance is an input of the network (Flux.1) and not a second forward."""
        return type(self.pipe).__name__.startswith("Flux") or bool(
            self.pipe.transformer.config.get("guidance_embeds")
        )
