"""From the latents that a scheduler sees to those that an autoencoder decodes.
 Pipelines pack latents for their transformers (Flux, Flux.2, Qwen-Image) and scale them for their
networks. The way back is the class's own method where it has one, and its autoencoder's own numbers.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def decodable(pipe: Any, x: Tensor, side: int) -> Tensor:
    """Latents as the pipeline's autoencoder expects them, shape (batch, channels, height, width).

    Args:
        pipe: the pipeline.
        x: latents as its scheduler sees them, float32 on the CPU.
        side: of the square picture, in pixels.
    """
    if hasattr(pipe, "_unpack_latents_with_ids"):  # Flux.2
        return _flux2(pipe, x, side)
    if x.ndim == 3:  # (batch, tokens, channels): packed
        x = pipe._unpack_latents(x, side, side, pipe.vae_scale_factor)
    settings = pipe.vae.config
    mean, std = settings.get("latents_mean"), settings.get("latents_std")
    if mean is not None and std is not None:  # Qwen-Image: one frame of a film
        shape = (1, -1) + (1,) * (x.ndim - 2)
        x = x * torch.tensor(std).view(shape) + torch.tensor(mean).view(shape)
    else:
        x = x / (settings.get("scaling_factor") or 1.0) + (settings.get("shift_factor") or 0.0)
    return x[:, :, 0] if x.ndim == 5 else x


def for_tiny_decoder(pipe: Any, latents: Tensor) -> Tensor:
    """Decodable latents as an `AutoencoderTiny` expects them: scaled as the network sees them."""
    settings = pipe.vae.config
    return (latents - (settings.get("shift_factor") or 0.0)) * (settings.get("scaling_factor") or 1.0)


def _flux2(pipe: Any, x: Tensor, side: int) -> Tensor:
    tokens = side // (pipe.vae_scale_factor * 2)
    ids = pipe._prepare_latent_ids(torch.empty(x.shape[0], 1, tokens, tokens))
    x = pipe._unpack_latents_with_ids(x, ids, tokens, tokens)
    norm = pipe.vae.bn
    mean = norm.running_mean.view(1, -1, 1, 1).to("cpu", torch.float32)
    std = (norm.running_var.to("cpu", torch.float32) + pipe.vae.config["batch_norm_eps"]).sqrt()
    return pipe._unpatchify_latents(x * std.view(1, -1, 1, 1) + mean)
