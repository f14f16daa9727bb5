"""InstaFlow's own loop: Stable Diffusion's parts, Euler steps, and a network that points the other way.
 InstaFlow counts from noise to data: its network answers w = x₀ − x₁ (data minus noise) at 1000 t, and
its step is x ← x + w/n. In the notation here v = x₁ − x₀ = −w, so

    x ← x − v/n,   v = −(w∅ + g (w_c − w∅)),   t = 1, 1 − 1/n, …, 1/n.

Source: Liu, Zhang, Ma, Peng & Liu 2023, arXiv:2309.06380; the timestep 1000 t as in its code.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from fmstudio.image.hub.recorder import StepRecord


@torch.no_grad()
def sample_instaflow(
    pipe: Any,
    prompt: str,
    step_count: int,
    guidance: float,
    noise: Tensor,
    sink: Callable[[StepRecord], None],
) -> Tensor:
    """Pictures in [0, 1], float32 on the CPU, shape (batch, 3, side, side).

    Args:
        pipe: a `StableDiffusionPipeline` with InstaFlow's parts.
        prompt: what to draw.
        step_count: n ≥ 1.
        guidance: g; up to 1 only the conditional network is run.
        noise: x at t = 1, shape (batch, channels, side / 8, side / 8).
        sink: called with each step; an exception from it ends the run.
    """
    guided = guidance > 1.0
    embeds, negative = pipe.encode_prompt(
        prompt,
        device=pipe._execution_device,
        num_images_per_prompt=len(noise),
        do_classifier_free_guidance=guided,
        negative_prompt="" if guided else None,
    )[:2]
    condition = torch.cat([negative, embeds]) if guided else embeds
    x = noise.to(pipe._execution_device, embeds.dtype)
    started = time.perf_counter()
    for index in range(step_count):
        t, t_next = 1 - index / step_count, 1 - (index + 1) / step_count
        inputs = torch.cat([x, x]) if guided else x
        times = torch.full((len(inputs),), 1000 * t, device=x.device)
        w = pipe.unet(inputs, times, encoder_hidden_states=condition, return_dict=False)[0]
        if guided:
            without, with_prompt = w.chunk(2)
            w = without + guidance * (with_prompt - without)
        x_next = x + w / step_count
        now = time.perf_counter()
        before, after, v = (tensor.detach().to("cpu", torch.float32, copy=True) for tensor in (x, x_next, -w))
        sink(StepRecord(index + 1, t, t_next, before, v, after, now - started))
        x, started = x_next, time.perf_counter()
    pictures = pipe.vae.decode(x / pipe.vae.config["scaling_factor"], return_dict=False)[0]
    pipe.maybe_free_model_hooks()
    return (pictures.to("cpu", torch.float32) / 2 + 0.5).clamp(0, 1)
