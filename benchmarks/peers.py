"""The peers' two-dimensional examples as they publish them: their nets, batches, rates, classes.

flow_matching 1.0.10: ``standalone_flow_matching.ipynb`` (64 × 3 ELU, Adam 1e-2, batch 256) and
``2d_flow_matching.ipynb`` (512 × 4 Swish, Adam 1e-3, batch 4096). torchcfm 1.0.7: the Flow Matching tutorial
(its MLP, 64 × 3 SELU, Adam 1e-3, batch 256, σ = 0.1). Both run time from noise (0) to data (1).

The loops are written here and call the libraries' public classes. Learning rates stay constant and nothing
is averaged, as in the examples. Data come from a fast sampler, so that its cost is no peer's fault; the one
sampler that is part of an example, torchcfm's own eight Gaussians, can be asked for.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any
from unittest.mock import patch

import torch
from flow_matching.path import AffineProbPath
from flow_matching.path.scheduler import CondOTScheduler
from flow_matching.solver import ODESolver
from flow_matching.utils import ModelWrapper
from torch import Tensor, nn
from torchcfm.conditional_flow_matching import (
    ConditionalFlowMatcher,
    ExactOptimalTransportConditionalFlowMatcher,
)
from torchcfm.models import MLP
from torchdiffeq import odeint

Sampler = Callable[[int], Tensor]


def standard(n: int) -> Tensor:
    """n points of N(0, I) in the plane."""
    return torch.randn(n, 2)


def one(answer: Any) -> Tensor:
    """An answer that is one tensor, where a signature allows several."""
    assert isinstance(answer, Tensor)
    return answer


@dataclass(frozen=True)
class Trainee:
    """A net in training.

    Args:
        name: what and whose.
        step: takes one training step.
        sample: draws n points from the net as it is now.
    """

    name: str
    step: Callable[[], None]
    sample: Sampler


class RowNet(nn.Module):
    """A plain multilayer perceptron on (x, t): equal hidden layers with one activation between.

    Args:
        width, depth: hidden units and hidden layers.
        activation: module between the layers.
    """

    def __init__(self, width: int, depth: int, activation: Callable[[], nn.Module]) -> None:
        super().__init__()
        sizes = [3, *[width] * depth]
        hidden = [
            part for inputs, outputs in pairwise(sizes) for part in (nn.Linear(inputs, outputs), activation())
        ]
        self.layers = nn.Sequential(*hidden, nn.Linear(width, 2))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """The velocity at points (n, 2) and times () or (n,)."""
        return self.layers(torch.cat([x, t.reshape(-1, 1).expand(len(x), 1)], 1))


class Swish(nn.Module):
    """x σ(x) in two calls, as the notebook has it."""

    def forward(self, x: Tensor) -> Tensor:
        """x σ(x)."""
        return torch.sigmoid(x) * x


class Wrapped(ModelWrapper):
    """A net as flow_matching's solver wants it."""

    def forward(self, x: Tensor, t: Tensor, **extras: object) -> Tensor:
        """The net's velocity."""
        return self.model(x, t)


def meta_notebook(
    data: Sampler,
    width: int = 512,
    depth: int = 4,
    batch: int = 4096,
    rate: float = 1e-3,
    compiled: bool = False,
    device: torch.device | str = "cpu",
) -> Trainee:
    """flow_matching's ``2d_flow_matching.ipynb``; ``data`` draws on ``device``."""
    net = RowNet(width, depth, Swish).to(device)
    return _affine("flow_matching, 2-D notebook", net, data, batch, rate, 0.1, compiled)


def meta_standalone(data: Sampler) -> Trainee:
    """flow_matching's ``standalone_flow_matching.ipynb``, with the library's path in place of its formula."""
    return _affine("flow_matching, standalone", RowNet(64, 3, nn.ELU), data, 256, 1e-2, 0.05)


def _affine(
    name: str,
    net: RowNet,
    data: Sampler,
    batch: int,
    rate: float,
    sampling_step: float,
    compiled: bool = False,
) -> Trainee:
    path = AffineProbPath(scheduler=CondOTScheduler())
    optimizer = torch.optim.Adam(net.parameters(), lr=rate)
    solver = ODESolver(velocity_model=Wrapped(net))
    answer = torch.compile(net) if compiled else net

    def step() -> None:
        optimizer.zero_grad()
        x1 = data(batch)
        at = path.sample(t=torch.rand(batch, device=x1.device), x_0=torch.randn_like(x1), x_1=x1)
        (answer(at.x_t, at.t) - at.dx_t).square().mean().backward()
        optimizer.step()

    def sample(n: int) -> Tensor:
        return one(solver.sample(x_init=standard(n), step_size=sampling_step, method="midpoint"))

    return Trainee(name, step, sample)


def cfm_tutorial(
    data: Sampler, source: Sampler = standard, name: str = "torchcfm, tutorial", optimal: bool = False
) -> Trainee:
    """torchcfm's Flow Matching tutorial; ``optimal`` for its second half, by mini-batch optimal transport."""
    net = MLP(dim=2, time_varying=True)
    optimizer = torch.optim.Adam(net.parameters())
    kind = ExactOptimalTransportConditionalFlowMatcher if optimal else ConditionalFlowMatcher
    matcher = kind(sigma=0.1)

    def step() -> None:
        optimizer.zero_grad()
        t, xt, ut = matcher.sample_location_and_conditional_flow(source(256), data(256))[:3]
        loss = (net(torch.cat([xt, t[:, None]], 1)) - ut).square().mean()
        loss.backward()
        optimizer.step()

    def velocity(t: Tensor, x: Tensor) -> Tensor:
        return net(torch.cat([x, t.expand(len(x), 1)], 1))

    def sample(n: int) -> Tensor:
        with torch.no_grad():
            return one(odeint(velocity, source(n), torch.tensor([0.0, 1.0]), rtol=1e-4, atol=1e-4)[-1])

    return Trainee(name, step, sample)


def cfm_loop(
    data: Sampler, width: int, depth: int, batch: int, compiled: bool, device: torch.device
) -> Trainee:
    """The tutorial's loop around a net of any size, with its activation; ``data`` draws on ``device``."""
    net = RowNet(width, depth, nn.SELU).to(device)
    optimizer = torch.optim.Adam(net.parameters())
    matcher = ConditionalFlowMatcher(sigma=0.1)
    answer = torch.compile(net) if compiled else net

    def step() -> None:
        optimizer.zero_grad()
        x1 = data(batch)
        t, xt, ut = matcher.sample_location_and_conditional_flow(torch.randn_like(x1), x1)[:3]
        (answer(xt, t) - ut).square().mean().backward()
        optimizer.step()

    def sample(n: int) -> Tensor:
        raise NotImplementedError("This loop is raced for its speed only.")

    return Trainee("torchcfm, tutorial's loop", step, sample)


@cache
def cfm_eight_gaussians() -> Callable[..., Tensor]:
    """torchcfm's own sampler of eight Gaussians, ``eight_normal_sample(n, dim, scale, var)``.

    Its module imports plotting and torchdyn for other functions; empty modules stand in for them here.
    """
    names = ("matplotlib", "matplotlib.pyplot", "torchdyn", "torchdyn.datasets")
    absent: dict[str, types.ModuleType] = {name: types.ModuleType(name) for name in names}
    vars(absent["torchdyn.datasets"])["generate_moons"] = None
    vars(absent["matplotlib"])["pyplot"] = absent["matplotlib.pyplot"]
    with patch.dict(sys.modules, absent):
        from torchcfm.utils import eight_normal_sample
    return eight_normal_sample


def cfm_source(n: int) -> Tensor:
    """The tutorial's source, drawn as the tutorial draws it: one point after the other in Python."""
    return cfm_eight_gaussians()(n, 2, scale=5, var=0.1).float()
