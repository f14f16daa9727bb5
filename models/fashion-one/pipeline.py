"""The shipped models as a diffusers pipeline.

This file is copied into every model folder, so it stands alone: it imports nothing of this package, and plain
diffusers runs it with `DiffusionPipeline.from_pretrained(folder, custom_pipeline=folder,
trust_remote_code=True)`.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from diffusers.models.transformers.dit_transformer_2d import DiTTransformer2DModel
from diffusers.models.unets.unet_2d import UNet2DModel
from diffusers.pipelines.pipeline_utils import DiffusionPipeline, ImagePipelineOutput
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
from torch.nn.functional import pixel_shuffle, pixel_unshuffle


class RectifiedFlowPipeline(DiffusionPipeline):
    """Class-conditional rectified flow on pixel blocks: images from noise by Euler steps from t = 1 to t = 0.

        x ← x − (1/n) v,   v = v∅ + w (v_c − v∅)

    Args:
        scheduler: a flow-matching Euler scheduler.
        unet: velocity network on unshuffled blocks; its last class embedding means "no class".
        transformer: velocity network in the place of the U-Net; exactly one of the two is given.
        patch_size: side of the pixel blocks that became channels; 1 where none did.
        class_names: label (as text) to name, such as {"0": "T-shirt/top"}.
    """

    model_cpu_offload_seq = "unet->transformer"
    _optional_components: ClassVar[list[str]] = ["unet", "transformer"]

    def __init__(
        self,
        scheduler: FlowMatchEulerDiscreteScheduler,
        unet: UNet2DModel | None = None,
        transformer: DiTTransformer2DModel | None = None,
        patch_size: int = 2,
        class_names: dict[str, str] | None = None,
    ):
        super().__init__()
        if (unet is None) == (transformer is None):
            raise ValueError("The pipeline takes a unet or a transformer, one of them.")
        self.register_modules(scheduler=scheduler, unet=unet, transformer=transformer)
        self.register_to_config(patch_size=patch_size, class_names=class_names or {})

    @property
    def velocity(self) -> Any:
        """The network that answers v: the U-Net or the transformer."""
        return self.unet if self.transformer is None else self.transformer

    @property
    def no_class(self) -> int:
        """The label that means "no class"."""
        if self.transformer is not None:
            return int(self.transformer.config["num_embeds_ada_norm"])
        return int(self.unet.config["num_class_embeds"]) - 1

    def labels_of(self, names: list[str]) -> list[int]:
        """The labels of class names.

        Raises:
            ValueError: a name is not a class of this model.
        """
        known = {name: int(label) for label, name in self.config["class_names"].items()}
        unknown = [name for name in names if name not in known]
        if unknown:
            raise ValueError(f"{unknown} are no classes of this model; it knows {', '.join(known)}.")
        return [known[name] for name in names]

    @torch.no_grad()
    def __call__(
        self,
        class_labels: int | list[int],
        num_inference_steps: int = 16,
        guidance_scale: float = 1.0,
        generator: torch.Generator | None = None,
        latents: torch.Tensor | None = None,
        output_type: str = "pil",
        return_dict: bool = True,
    ) -> Any:
        """Sample one image per label.

        Args:
            class_labels: labels, 0 … classes − 1; `classes` itself means "no class".
            num_inference_steps: n ≥ 1; every one of them is a real step, at t = 1, 1 − 1/n, …, 1/n.
            guidance_scale: w; 1 is the plain conditional flow and takes half the work of any other value.
            generator: of the noise, on the CPU, so that a seed means the same picture on every device.
            latents: the noise itself, shape (labels, channels, side, side), instead of a generator.
            output_type: "pil", "np" (0 … 1, channels last) or "pt" (0 … 1, channels first).
            return_dict: an `ImagePipelineOutput`, or the tuple (images,).
        """
        labels = [class_labels] if isinstance(class_labels, int) else list(class_labels)
        network, no_class = self.velocity, self.no_class
        if not labels or min(labels) < 0 or max(labels) > no_class:
            raise ValueError(f"Labels lie in 0 … {no_class} ({no_class} means no class); got {labels}.")
        if num_inference_steps < 1:
            raise ValueError(f"Sampling takes at least 1 step; got {num_inference_steps}.")
        patch, device, dtype = int(self.config["patch_size"]), self._execution_device, network.dtype
        side = int(network.config["sample_size"]) * patch
        shape = (len(labels), int(network.config["in_channels"]) // patch**2, side, side)
        if latents is None:
            latents = torch.randn(shape, generator=generator)
        elif tuple(latents.shape) != shape:
            raise ValueError(f"The noise for these labels has shape {shape}; got {tuple(latents.shape)}.")
        x = latents.to(device, torch.float32)
        chosen = torch.tensor(labels, device=device)
        guided = guidance_scale != 1.0
        if guided:
            chosen = torch.cat([chosen, torch.full_like(chosen, no_class)])

        n = num_inference_steps
        self.scheduler.set_timesteps(sigmas=np.linspace(1.0, 1.0 / n, n), device=device)
        for t in self.scheduler.timesteps:
            blocks = pixel_unshuffle(torch.cat([x, x]) if guided else x, patch).to(dtype)
            times = t.expand(len(blocks))
            v = network(blocks, times, class_labels=chosen, return_dict=False)[0].float()
            if guided:
                with_class, without = v.chunk(2)
                v = without + guidance_scale * (with_class - without)
            x = self.scheduler.step(pixel_shuffle(v, patch), t, x, return_dict=False)[0]

        images: Any = (x / 2 + 0.5).clamp(0, 1).cpu()
        if output_type != "pt":
            images = images.permute(0, 2, 3, 1).numpy()
            if output_type == "pil":
                images = self.numpy_to_pil(images)
        self.maybe_free_model_hooks()
        return ImagePipelineOutput(images=images) if return_dict else (images,)
