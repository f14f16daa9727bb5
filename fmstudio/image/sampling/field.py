"""The velocity field that images follow: a net, its class and its guidance."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from fmstudio.image.networks import VelocityNet
from fmstudio.image.sampling.graphs import graphed
from fmstudio.image.training.objective import generator_of


def draw_noise(shape: tuple[int, ...], seed: int) -> Tensor:
    """Standard normal noise on the CPU: a seed means the same picture on every device.

    A row has one seed. Image k of it is the same in every row of more than k images (of a multiple of 16
    numbers each, as all shipped models have them); alone, with that seed or another, it cannot be had.

    Args:
        shape: of the noise.
        seed: ≥ 0.
    """
    return torch.randn(shape, generator=generator_of(seed))


class GuidedField:
    """v(x, t) for one label per image, with classifier-free guidance in one batched forward.

        v = v∅ + w (v_c − v∅)

    Guidance 1 is the plain conditional flow and is evaluated without the second half of the batch. On a CUDA
    device the forward pass is a captured graph.

    Args:
        net: the velocity network.
        labels: int64, shape (batch,); `net.no_class` for no class.
        guidance: w, any number; 0 is the unconditional flow.
        bf16: compute the network in bfloat16 (autocast); positions and velocities stay float32.

    Source: Ho & Salimans 2022, arXiv:2207.12598, for velocities.
    """

    def __init__(self, net: VelocityNet, labels: Tensor, guidance: float = 1.0, bf16: bool = False):
        if labels.ndim != 1 or not len(labels):
            raise ValueError(
                f"Guidance needs one label per image; got labels of shape {tuple(labels.shape)}."
            )
        if int(labels.min()) < 0 or int(labels.max()) > net.no_class:
            raise ValueError(f"Labels lie in 0 … {net.no_class} ({net.no_class} means no class).")
        self._net, self._guidance, self._bf16 = net, guidance, bf16
        self._guided = guidance != 1.0
        labels = labels.to(net.device)
        self._labels = torch.cat([labels, torch.full_like(labels, net.no_class)]) if self._guided else labels

    @property
    def dtype(self) -> str:
        """What the network computes in."""
        return "bfloat16" if self._bf16 else "float32"

    def _precision(self) -> AbstractContextManager[object]:
        return torch.autocast(self._net.device.type, torch.bfloat16) if self._bf16 else nullcontext()

    @torch.no_grad()
    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        """The velocity at x of shape (batch, channels, side, side) and t of shape (), without gradients."""
        if x.device.type != "cuda":
            return self.recorded(x, t)
        return self._guide(graphed(self._net)(self._asked(x), t, self._labels, self._bf16))

    def prepare(self, x: Tensor) -> None:
        """Capture the graph for x on a CUDA device, so that no step waits for it."""
        if x.device.type == "cuda":
            graphed(self._net).prepare(self._asked(x), self._bf16)

    def recorded(self, x: Tensor, t: Tensor) -> Tensor:
        """The same velocity, which autograd can follow back to x."""
        with self._precision():
            v = self._net(self._asked(x), t, self._labels)
        return self._guide(v)

    def _asked(self, x: Tensor) -> Tensor:
        return torch.cat([x, x]) if self._guided else x

    def _guide(self, v: Tensor) -> Tensor:
        v = v.float()
        if self._guided:
            with_class, without = v.chunk(2)
            v = torch.lerp(without, with_class, self._guidance)
        return v
