"""A small net trained on the steps of the 2015 chain, under one of three regression targets.

The net sees (x_t, t) and predicts (x_s − x_t)/√β, so every step of the chain has about the same size. The
targets are the sampled x_s, its mean μ̃ given x_t and x₀, and its mean f* given x_t alone: one minimiser, and
less variance each time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from fmstudio.flow.densities.density import Density
from fmstudio.learn.nets.networks import Network, Shape
from fmstudio.learn.training.step import AdamMoments, Steps
from fmstudio.note.parts.chain import Chain

Estimator = Literal["sampled", "closed form", "exact mean"]
ESTIMATORS: tuple[Estimator, ...] = ("sampled", "closed form", "exact mean")
BATCH, BLOCK, RATE = 256, 40, 3e-3
STEPS = 400


@dataclass(frozen=True)
class ChainReport:
    """After ``step`` steps and ``seconds`` of computing: the net."""

    step: int
    seconds: float
    net: Network


def train_on_chain(
    chain: Chain,
    density: Density,
    estimator: Estimator,
    generator: torch.Generator,
    steps: int = STEPS,
    depth: int = 2,
) -> Iterator[ChainReport]:
    """Train from the generator's seed; the batches of every estimator come from the same draws.

    Args:
        chain, density: what to learn.
        estimator: the regression target.
        generator: of the first weights and the batches.
        steps: a multiple of ``BLOCK``.
        depth: hidden layers of 64 units.

    Yields:
        A report after every block.
    """
    first = Network(Shape(density.dim, 64, depth, 16), generator)
    moments = AdamMoments.start(first.flat)
    worker = Steps(first, BATCH, BLOCK, moments)
    seconds = 0.0
    for block in range(steps // BLOCK):
        began = time.process_time()
        worker.load(*_block(chain, density, estimator, generator))
        done = range(block * BLOCK, (block + 1) * BLOCK)
        rates = [RATE * 0.5 * (1 + math.cos(math.pi * k / steps)) for k in done]
        worker.run(rates, [1 - min(0.98, (1 + k) / (10 + k)) for k in done])
        seconds += time.process_time() - began
        yield ChainReport(done[-1] + 1, seconds, first.with_weights(moments.mean))


def _block(
    chain: Chain, density: Density, estimator: Estimator, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """x_t, t and the target of a block's batches, as many of each step of the chain, shuffled."""
    rows = BATCH * BLOCK
    each = -(-rows // len(chain))
    order = torch.randperm(each * len(chain), generator=generator)[:rows]
    parts: list[tuple[Tensor, Tensor, Tensor]] = []
    for k in range(len(chain)):
        x0, xt, xs = neighbours(chain, k, density, each, generator)
        if estimator == "sampled":
            y = xs
        else:
            y = chain.mean(k, xt, x0) if estimator == "closed form" else chain.best(k, xt)
        t = torch.full((each,), float(chain.times[k + 1]))
        parts.append((xt, t, (y - xt) / float(chain.forward[k]) ** 0.5))
    xt, t, y = (torch.cat(column)[order] for column in zip(*parts, strict=True))
    return xt, t, y


def neighbours(
    chain: Chain, k: int, density: Density, n: int, generator: torch.Generator, widen: float = 1.0
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw x₀, x_t ~ q(·|x₀) and x_s ~ q(·|x_t, x₀) of step k; ``widen`` multiplies the variance β̃."""
    x0 = density.sample(n, generator).points
    c = chain.path.at(chain.times[k + 1])
    xt = float(c.a) * x0 + float(c.b) * torch.randn(x0.shape, generator=generator)
    noise = torch.randn(x0.shape, generator=generator)
    return x0, xt, chain.mean(k, xt, x0) + (widen * float(chain.posterior[k])) ** 0.5 * noise


@torch.no_grad()
def model_mean(chain: Chain, net: Network, k: int, xt: Tensor) -> Tensor:
    """f_θ(x_t) of step k."""
    return xt + float(chain.forward[k]) ** 0.5 * net(xt, chain.times[k + 1].float())
