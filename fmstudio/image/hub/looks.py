"""Quick looks at latents: a small decoder where there is one, else the best linear map to colours.

The map is fitted once, when a model is loaded: a mosaic of coloured tiles is encoded by the model's own
autoencoder, and

    colour ≈ W · latent + c,   W, c by least squares over the places of the latents,

says which colour each latent stands for. It shows composition and colours at latent resolution, no detail,
and the page says so.

Pipelines pack latents for their transformers (Flux, Flux.2, Qwen-Image) and scale them for their networks.
The way back from what a scheduler sees to what an autoencoder decodes, `decodable`, is the class's own method
where it has one, and its autoencoder's own numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, interpolate

MOSAIC_SIDE = 256
_SEED = 7


@dataclass(frozen=True)
class LinearPreview:
    """Colours from latents by one matrix.

    Args:
        weights: W and c, shape (channels + 1, 3); the last row is c.
        error: root mean square of what the fit left over on the mosaic, in units where colours span 2.
    """

    weights: Tensor
    error: float

    def __call__(self, latents: Tensor) -> Tensor:
        """Colours in [−1, 1], (batch, 3, height, width), of latents (batch, channels, height, width)."""
        colours = torch.einsum("bchw,cr->brhw", latents, self.weights[:-1])
        return (colours + self.weights[-1].view(1, 3, 1, 1)).clamp(-1, 1)


def mosaic(side: int = MOSAIC_SIDE) -> Tensor:
    """Coloured tiles of 16 and of 32 pixels, in [−1, 1], shape (2, 3, side, side); 32 divides the side."""
    generator = torch.Generator().manual_seed(_SEED)
    tiles = [
        interpolate(
            torch.rand(1, 3, side // size, side // size, generator=generator), size=side, mode="nearest"
        )
        for size in (16, 32)
    ]
    return torch.cat(tiles) * 2 - 1


@torch.no_grad()
def fit_linear_preview(vae: Any, side: int = MOSAIC_SIDE) -> LinearPreview:
    """The best linear map from an autoencoder's latents to colours, by a mosaic of that side in pixels."""
    picture = mosaic(side)
    latents = encode(vae, picture)
    colours = adaptive_avg_pool2d(picture, (latents.shape[-2], latents.shape[-1]))
    inputs = latents.movedim(1, -1).flatten(0, -2)
    inputs = torch.cat([inputs, torch.ones(len(inputs), 1)], dim=1)
    targets = colours.movedim(1, -1).flatten(0, -2)
    # ridge as small as rounding: random or dead channels must not make the matrix singular
    gram = inputs.T @ inputs + 1e-6 * len(inputs) * torch.eye(inputs.shape[1])
    weights = torch.linalg.solve(gram, inputs.T @ targets)
    return LinearPreview(weights, float((inputs @ weights - targets).square().mean().sqrt()))


@torch.no_grad()
def encode(vae: Any, picture: Tensor) -> Tensor:
    """Mean latents, float32 on the CPU, (batch, channels, height, width), of pictures in [−1, 1].

    Args:
        vae: an autoencoder of diffusers, for pictures or for films; run where it is, in its own dtype.
        picture: shape (batch, 3, side, side).
    """
    film = "z_dim" in vae.config  # Qwen-Image's autoencoder takes frames
    # Under offloading the autoencoder waits on the CPU, and its hook moves it, not what it is given.
    place = getattr(getattr(vae, "_hf_hook", None), "execution_device", None) or vae.device
    pixels = picture.to(place, vae.dtype)
    encoded = vae.encode(pixels.unsqueeze(2) if film else pixels)
    latents = encoded.latent_dist.mode() if hasattr(encoded, "latent_dist") else encoded.latent
    return (latents[:, :, 0] if film else latents).to("cpu", torch.float32)


@torch.no_grad()
def decode_tiny(tiny: Any, latents: Tensor) -> Tensor:
    """Pictures in [−1, 1], float32 on the CPU, by an `AutoencoderTiny` from latents `for_tiny_decoder`."""
    return tiny.decode(latents.to(tiny.device, tiny.dtype)).sample.to("cpu", torch.float32).clamp(-1, 1)


def decodable(pipe: Any, x: Tensor, side: int) -> Tensor:
    """Latents as the pipeline's autoencoder expects them, shape (batch, channels, height, width).

    Args:
        pipe: the pipeline.
        x: latents as its scheduler sees them, float32 on the CPU.
        side: of the square pictures, in pixels.
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
