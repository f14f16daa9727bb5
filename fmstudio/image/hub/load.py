"""From a folder and a plan to a model in memory, and who stays there.

One large model at a time, a few small ones, the least recently used leaves first. When memory runs out all
the same, the model is let go and its memory is given back; `fmstudio.image.hub.plan.next_smaller` then names
the next way to run it.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Generator, Hashable
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from fmstudio.image.hub.cards import CARDS
from fmstudio.image.hub.describe import Description, UnsuitableModelError
from fmstudio.image.hub.looks import fit_linear_preview
from fmstudio.image.hub.machine import is_out_of_memory, release_memory
from fmstudio.image.hub.plan import QUANTISABLE, Placement, Plan
from fmstudio.image.hub.sample import HubModel
from fmstudio.image.hub.steps import is_flow_scheduler

_importing = threading.Lock()
"""diffusers and transformers import their classes when asked for one, and do not bear two who ask at once."""

LARGE = 2 * 2**30
"""Bytes of weights from which a model is large."""

SMALL_ONES = 2
"""Small models that may stay beside others."""

INSTAFLOW = "RectifiedFlowPipeline"
"""What InstaFlow's index calls its pipeline: no class of diffusers. The parts are Stable Diffusion's."""


def is_instaflow(description: Description) -> bool:
    """Whether a folder holds InstaFlow: Stable Diffusion's parts under its own pipeline name."""
    parts = {name for name, _ in description.parts}
    return description.pipeline == INSTAFLOW and {"unet", "text_encoder", "vae"} <= parts


def pipeline_class(description: Description) -> type[Any]:
    """diffusers' class for a folder that has all that it needs.

    Raises:
        UnsuitableModelError: diffusers has no such class, or it makes something else than pictures from
            text, or its scheduler is none of flow matching, or a part is missing.
    """
    instaflow = is_instaflow(description)
    name = "StableDiffusionPipeline" if instaflow else description.pipeline
    found = _imported(name)
    if found is None:
        raise UnsuitableModelError(
            f"diffusers {version('diffusers')} has no pipeline {name}. Its own code would be needed, and "
            "only diffusers' classes are run here."
        )
    if not instaflow:
        _check_flow(found, description)
    can_miss = {*found._optional_components, *(part for card in CARDS for part in card.optional)}
    for part in description.missing:
        if part not in can_miss:
            raise UnsuitableModelError(f"The folder lacks the {part}, which {name} needs.")
    return found


def _imported(name: str) -> type[Any] | None:
    """The pipeline of that name in diffusers, if there is one."""
    with _importing:
        import diffusers

        found = getattr(diffusers, name, None)
        known = inspect.isclass(found) and issubclass(found, diffusers.DiffusionPipeline)
        return found if known else None


def _check_flow(pipeline: type[Any], description: Description) -> None:
    """Refuse what is no flow from a prompt to a picture."""
    takes = inspect.signature(pipeline.__call__).parameters
    required = {name for name, parameter in takes.items() if parameter.default is parameter.empty}
    if "prompt" not in takes or "num_inference_steps" not in takes or required - {"self", "prompt"}:
        raise UnsuitableModelError(f"{description.pipeline} does not make pictures from a prompt alone.")
    if "num_frames" in takes:
        raise UnsuitableModelError(f"{description.pipeline} makes films; only pictures are sampled here.")
    if not is_flow_scheduler(description.scheduler, description.scheduler_config):
        raise UnsuitableModelError(
            f"The scheduler {description.scheduler} is none of flow matching, so its steps have no σ on the "
            "linear path. Choose a model whose scheduler is FlowMatchEulerDiscreteScheduler."
        )


def load_model(description: Description, plan: Plan, tiny_folder: Path | None = None) -> HubModel:
    """Load a model as planned, with what its previews need: an `AutoencoderTiny` where a folder has one.

    Raises:
        UnsuitableModelError, ValueError: as `load_pipeline`.
    """
    pipe, tiny = load_pipeline(description, plan), None
    preview = fit_linear_preview(pipe.vae)
    pipe.maybe_free_model_hooks()  # under offloading, the autoencoder goes back to wait
    if tiny_folder is not None:
        from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny

        tiny: Any = AutoencoderTiny.from_pretrained(tiny_folder, use_safetensors=True, local_files_only=True)
        tiny = tiny.eval().requires_grad_(False).to(torch.device(plan.device))
    return HubModel(pipe, plan.dtype, preview, tiny, is_instaflow(description))


def load_pipeline(description: Description, plan: Plan) -> Any:
    """Load a model as planned; it is ready to be called.

    Raises:
        UnsuitableModelError: it cannot be run here.
        ValueError: the plan needs an accelerator, and there is none.
    """
    _check_device(plan)
    loader = pipeline_class(description)
    arguments: dict[str, Any] = {
        "dtype": getattr(torch, plan.dtype),
        "use_safetensors": True,
        "local_files_only": True,
        "trust_remote_code": False,
    }
    if description.variant:
        arguments["variant"] = description.variant
    for name in {*plan.dropped, *description.missing}:
        arguments[name] = None
        arguments[name.replace("text_encoder", "tokenizer")] = None
    if is_instaflow(description):
        arguments |= {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    if plan.quantised:
        arguments["quantization_config"] = _quantisation(description, plan)
    if plan.placement is Placement.BALANCED:
        arguments["device_map"] = "balanced"
    pipe = loader.from_pretrained(str(description.folder), **arguments)
    pipe.set_progress_bar_config(disable=True)
    _place(pipe, plan)
    return pipe


def _check_device(plan: Plan) -> None:
    kind = torch.device(plan.device).type
    there = kind == "cpu" or getattr(torch, kind).is_available()
    if not there:
        raise ValueError(
            f"The plan needs {plan.device}, and this machine has none. Measure again and plan anew."
        )
    if kind == "cpu" and plan.placement is not Placement.PROCESSOR:
        raise ValueError(
            f"{plan.placement} needs an accelerator; on the processor there is nothing to offload."
        )


def _place(pipe: Any, plan: Plan) -> None:
    if plan.tiling and hasattr(pipe.vae, "enable_tiling"):
        pipe.vae.enable_tiling()
    match plan.placement:
        case Placement.MODEL_OFFLOAD:
            pipe.enable_model_cpu_offload(device=plan.device)
        case Placement.GROUP_OFFLOAD:
            pipe.enable_group_offload(
                onload_device=torch.device(plan.device),
                offload_device=torch.device("cpu"),
                offload_type="block_level",
                num_blocks_per_group=1,
                use_stream=plan.device.startswith("cuda"),
                low_cpu_mem_usage=True,
            )
        case Placement.RESIDENT | Placement.PROCESSOR:
            pipe.to(plan.device)
        case Placement.BALANCED:
            pass  # placed while it was loaded


def _quantisation(description: Description, plan: Plan) -> Any:
    from diffusers.quantizers import PipelineQuantizationConfig

    bits = plan.quantised[0]
    settings: dict[str, Any] = {f"load_in_{bits}bit": True}
    if bits == "4":
        settings |= {"bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": getattr(torch, plan.dtype)}
    large = [name for name, count in description.parts if count >= QUANTISABLE and name not in plan.dropped]
    return PipelineQuantizationConfig(
        quant_backend=f"bitsandbytes_{bits}bit", quant_kwargs=settings, components_to_quantize=large
    )


class Shelf:
    """The loaded models of this process.

    One visitor borrows at a time, for all share the same memory.

    Args:
        large: bytes from which a model is large.
    """

    def __init__(self, large: int = LARGE):
        self._large = large
        self._places: dict[Hashable, tuple[HubModel, int]] = {}
        self._lock = threading.Lock()

    @property
    def keys(self) -> list[Hashable]:
        """What is loaded, the least recently used first."""
        return list(self._places)

    @contextmanager
    def borrow(
        self, key: Hashable, size: int, load: Callable[[], HubModel]
    ) -> Generator[HubModel, None, None]:
        """A model to sample with, loaded if it is not there; nobody else borrows until it is given back.

        If the block runs out of memory the model is dropped and the error goes on.

        Args:
            key: what makes it the same model: folder, plan.
            size: bytes of its weights.
            load: makes it.
        """
        with self._lock:
            try:
                if key not in self._places:
                    self._make_room(size)
                    self._places[key] = (load(), size)
                self._places[key] = self._places.pop(key)
                yield self._places[key][0]
            except BaseException as error:
                if is_out_of_memory(error):
                    self._drop(key)
                raise

    def clear(self) -> None:
        """Let all go."""
        with self._lock:
            self._drop(*self._places)

    def _make_room(self, size: int) -> None:
        large = [key for key, (_, other) in self._places.items() if other >= self._large]
        small = [key for key in self._places if key not in large]
        if size >= self._large:
            self._drop(*large, *small[:-SMALL_ONES])
        else:
            self._drop(*small[: 1 - SMALL_ONES])

    def _drop(self, *keys: Hashable) -> None:
        for key in keys:
            if key in self._places:
                model, _ = self._places.pop(key)
                model.wait()
                model.close()
                del model
        release_memory()
