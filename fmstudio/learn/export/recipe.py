"""The recipe of a script: the net, its training and its sampling as one writes them by hand.

The studio trains with every number in its place and samples in chunks; a script says the same in plain
PyTorch. What these functions call (path, data, target, coupling, time law, rate) is the studio's own.
"""

from __future__ import annotations

import argparse
import base64
import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from fmstudio.flow.bounds import Box
from fmstudio.flow.couplings.coupling import Coupling, Paired, pair_batches
from fmstudio.flow.densities.cloud import PointCloud
from fmstudio.flow.densities.density import Density, Samples
from fmstudio.flow.densities.mixture import GaussianMixture
from fmstudio.flow.densities.shapes import Shape
from fmstudio.flow.paths.path import Coefficients, Path, affine_coefficients
from fmstudio.flow.regress.objectives import Draw, Target
from fmstudio.flow.regress.time_laws import TimeLaw
from fmstudio.flow.regress.translate import applied, terms, x0_solved
from fmstudio.flow.solve.tableaux import Tableau
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.nets.networks import SPACE_SCALE, TIME_SCALE
from fmstudio.learn.nets.networks import Shape as Sizes
from fmstudio.learn.training.run import learning_rate, pull
from fmstudio.learn.training.step import BETA1, BETA2


@dataclass(frozen=True, eq=False)
class Parts:
    """The objects that a script is made of.

    Args:
        path, density, source, coupling, target, law, box: as in a training.
        shape: draws the data afresh, or None where the density does.
        counts: points of each class in the whole cloud, where the density is a thinned one.
        asked: the density of the class that the sampler is asked for, or None.
        tableau: of the solver.
        sizes: of the net.
        label: the class that the sampler is asked for, −1 for all.
        ends, times: the first and last time that is trained on, and that the net is asked for a velocity.
    """

    path: Path
    density: Density
    source: GaussianMixture
    coupling: Coupling
    target: Target
    law: TimeLaw
    box: Box
    shape: Shape | None
    counts: tuple[int, ...] | None
    asked: Density | None
    tableau: Tableau
    sizes: Sizes
    label: int
    ends: tuple[float, float]
    times: tuple[float, float]


def unpack(text: str) -> tuple[Tensor, Tensor | None]:
    """Points from base64: lowest value and step of each coordinate, whole numbers of steps, classes."""
    dim, labelled = int(text[0]), text[1] == "L"
    body = base64.urlsafe_b64decode(text[2:] + "=" * (-(len(text) - 2) % 4))
    n = (len(body) - 8 * dim) // (2 * dim + labelled)
    lowest, step = np.frombuffer(body, "<f4", 2 * dim).reshape(2, dim).astype(float)
    levels = np.frombuffer(body, "<u2", dim * n, 8 * dim).reshape(n, dim)
    points = torch.tensor(lowest + levels * step, dtype=torch.float32)
    return points, torch.tensor([*body[-n:]]) if labelled else None


def sample_data(e: Experiment, p: Parts, n: int, generator: torch.Generator) -> Any:
    """Draw n data points, for a conditional net with their classes."""
    if p.shape is not None:
        samples = p.shape(n, e.data_noise, generator)
    elif p.counts is not None and isinstance(p.density, PointCloud) and p.density.labels is not None:
        # The classes are as often as among all points, of which these are some.
        weights = torch.tensor(p.counts) / p.density.labels.bincount()
        pick = torch.multinomial(weights[p.density.labels], n, replacement=True, generator=generator)
        samples = Samples(p.density.points[pick], p.density.labels[pick])
    else:
        samples = p.density.sample(n, generator)
    if p.sizes.classes:
        return samples.points, samples.labels
    return samples.points


def sample_class(e: Experiment, p: Parts, n: int, generator: torch.Generator) -> Tensor:
    """Draw n data points of the class that the sampler is asked for, however rare it is."""
    if isinstance(p.density, PointCloud) and p.shape is None:
        own = p.density.points[p.density.labels == p.label]
        return own[torch.randint(len(own), (n,), generator=generator)]
    if p.asked is None:
        points, label = sample_data(e, p, 20 * n, generator)
        return points[label == p.label][:n]
    return p.asked.sample(n, generator).points


def sample_source(p: Parts, n: int, generator: torch.Generator) -> Tensor:
    """Draw n noise points."""
    if p.source.is_standard_normal:
        return torch.randn(n, p.source.dim, generator=generator)
    return p.source.sample(n, generator).points


@dataclass(frozen=True)
class Typed(Path):
    """A path of typed formulas; their derivatives may be infinite at the ends."""

    a: Callable[[Tensor], Tensor]
    b: Callable[[Tensor], Tensor]

    def at(self, t: Tensor) -> Coefficients:
        """a and b of the formulas, a′ and b′ by autograd."""
        t = t.clamp(1e-6, 1 - 1e-6)
        return affine_coefficients(self.a(t), self.b(t), slope(self.a, t), slope(self.b, t))


def slope(formula: Callable[[Tensor], Tensor], t: Tensor) -> Tensor:
    """The derivative of a formula at t."""
    with torch.enable_grad():
        t = t.detach().requires_grad_()
        return torch.autograd.grad(formula(t).sum(), t)[0]


@dataclass(frozen=True)
class Assignment:
    """Optimal transport: the permutation of the mini-batch with the least Σ |x₁ − x₀|²."""

    independent = False

    def pair(self, x0: Tensor, x1: Tensor, generator: torch.Generator) -> Paired:
        """Reorder x₀ to its best partners."""
        del generator
        cost = torch.cdist(x1, x0).square()
        index = torch.from_numpy(linear_sum_assignment(cost)[1])
        return Paired(x0[index], x1, index)


class Net(nn.Module):
    """A multilayer perceptron on x, t, and the sines and cosines of both."""

    space: Tensor
    time: Tensor

    def __init__(self, p: Parts) -> None:
        super().__init__()
        self.sizes = p.sizes
        if p.sizes.fourier:
            self.register_buffer("space", SPACE_SCALE * torch.randn(p.sizes.dim, p.sizes.fourier))
            self.register_buffer("time", TIME_SCALE * torch.randn(1, p.sizes.time_frequencies))
        layers: list[nn.Module] = []
        for outputs, inputs in p.sizes.layers:
            linear = nn.Linear(inputs, outputs)
            nn.init.normal_(linear.weight, std=math.sqrt(2 / inputs))
            nn.init.zeros_(linear.bias)
            layers += [linear, nn.SiLU()]
        self.layers = nn.Sequential(*layers[:-1])
        nn.init.zeros_(self.layers[-1].get_parameter("weight"))  # the first prediction is 0 everywhere

    def forward(self, x: Tensor, t: Tensor, label: Tensor | None = None) -> Tensor:
        """f(x, t) for points (n, d) and times () or (n,)."""
        t = t.expand(len(x))[:, None].to(x)
        parts = [x, t]
        if self.sizes.fourier:
            angle = 2 * math.pi * torch.cat([x @ self.space, t @ self.time], 1)
            parts += [angle.sin(), angle.cos()]
        if self.sizes.classes:
            assert label is not None
            parts.append(nn.functional.one_hot(label, self.sizes.classes + 1))  # the last: no class
        return self.layers(torch.cat(parts, 1))


def train(e: Experiment, p: Parts, steps: int, generator: torch.Generator) -> nn.Module:
    """Regress the net on points of sampled paths; returns the running mean of its weights."""
    net = Net(p)
    mean = copy.deepcopy(net)
    optimizer = torch.optim.Adam(net.parameters(), betas=(BETA1, BETA2))
    for k in range(steps):
        if p.sizes.classes:
            x0, label = sample_data(e, p, drawn(e, p), generator)
        else:
            x0, label = sample_data(e, p, drawn(e, p), generator), None
        x1 = sample_source(p, drawn(e, p), generator)
        if not p.coupling.independent:
            x0, x1, label = pair_batches(
                p.coupling, x0, x1, label, e.coupling_batch, bool(p.sizes.classes), generator
            )
        if drawn(e, p) > e.batch:
            x0, x1 = x0[: e.batch], x1[: e.batch]
        t = p.law.sample(e.batch, generator).clamp(*p.ends)
        z = torch.randn_like(x0) if p.path.has_latent else None
        xt = p.path.position(x0, x1, t, z)
        if e.regression == "sampled":
            y = p.target.sampled(p.path, Draw(x0, x1, z, t, xt, None))
        else:
            # The studio regressed on the exact mean of y given x_t; y itself has the same minimiser.
            y = p.target.sampled(p.path, Draw(x0, x1, z, t, xt, None))
        if p.sizes.classes:
            told = torch.rand(e.batch, generator=generator) >= e.label_drop
            assert label is not None
            label = torch.where(told, label[: e.batch], p.sizes.classes)
            loss = (net(xt, t, label) - y).square().sum(1).mean()
        else:
            loss = (net(xt, t) - y).square().sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.param_groups[0]["lr"] = learning_rate(e.but(train_steps=steps), k)
        optimizer.step()
        if e.ema:
            with torch.no_grad():
                for slow, new in zip(mean.parameters(), net.parameters(), strict=True):
                    slow.lerp_(new, pull(e, k))
        if (k + 1) % max(1, steps // 10) == 0:
            print(f"step {k + 1:,} of {steps:,}: loss {loss.item():.4f}")
    return mean if e.ema else net


def drawn(e: Experiment, p: Parts) -> int:
    """Points of a batch before they are paired."""
    return e.batch if p.coupling.independent else max(e.batch, e.coupling_batch)


def velocity(e: Experiment, p: Parts, net: nn.Module, x: Tensor, t: Tensor) -> Tensor:
    """The velocity u(x, t) that the net predicts, or that its prediction stands for."""
    if p.times != (0.0, 1.0):
        t = t.clamp(*p.times)
    if not p.sizes.classes:
        return p.target.velocity(p.path, net(x, t), x, t, p.box)
    if p.label < 0 or e.guidance == 1:
        label = torch.full((len(x),), p.label if p.label >= 0 else p.sizes.classes)
        return p.target.velocity(p.path, net(x, t, label), x, t, p.box)
    label = torch.full((len(x),), p.label)
    told = p.target.velocity(p.path, net(x, t, label), x, t, p.box)
    free = p.target.velocity(p.path, net(x, t, torch.full_like(label, p.sizes.classes)), x, t, p.box)
    return torch.lerp(free, told, e.guidance)


def score(p: Parts, u: Tensor, x: Tensor, t: Tensor) -> Tensor:
    """The score ∇ log q_t(x) that the velocity implies: s = −(x − a x̂₀)/σ²."""
    c = p.path.at(t.double())
    one, other = terms(p.path, c)
    x0 = x0_solved(p.path, c, one - other, u, x)
    return applied(-1 / c.variance, x - applied(c.a, x0))


def noisy_step(e: Experiment, p: Parts, net: nn.Module, x: Tensor, t: Tensor, h: Tensor) -> Tensor:
    """An Euler–Maruyama step of the SDE with the flow's marginals and the noise g = κ σ_t."""
    g = e.sde_noise * p.path.at(t.double()).variance.sqrt().to(x)
    u = velocity(e, p, net, x, t)
    x = x + h * u - h * g**2 / 2 * score(p, u, x, t)
    return x + g * h.abs().sqrt() * torch.randn_like(x)


def step(e: Experiment, p: Parts, net: nn.Module, x: Tensor, t: Tensor, h: Tensor) -> Tensor:
    """A Runge–Kutta step: k_i = u(x + h Σ_j a_ij k_j, t + c_i h), then x + h Σ_i b_i k_i."""
    a, b, c = p.tableau.floats
    k: list[Tensor] = []
    for row, share in zip(a, c, strict=True):
        moved = sum((w * v for w, v in zip(row, k, strict=True)), torch.zeros_like(x))
        k.append(velocity(e, p, net, x + h * moved, t + share * h))
    return x + h * sum((w * v for w, v in zip(b, k, strict=True)), torch.zeros_like(x))


@torch.no_grad()
def sample(e: Experiment, p: Parts, net: nn.Module, n: int, generator: torch.Generator) -> Tensor:
    """Follow n particles from noise (t = 1) to data (t = 0)."""
    x = sample_source(p, n, generator)
    times = torch.linspace(1, 0, e.sample_steps + 1)
    for t, then in pairwise(times):
        h = then - t
        x = noisy_step(e, p, net, x, t, h) if e.sde_noise else step(e, p, net, x, t, h)
    return x


def energy_distance(x: Tensor, y: Tensor) -> float:
    """2 E|X − Y| − E|X − X′| − E|Y − Y′|: 0 for equal distributions, and about 0 for two samples of one."""
    x, y = x.double(), y.double()
    within = [torch.cdist(z, z).sum() / (len(z) * (len(z) - 1)) for z in (x, y)]
    return float(2 * torch.cdist(x, y).mean() - sum(within))


def main(e: Experiment, p: Parts, generator: torch.Generator) -> None:
    """Train, sample, and say how far the samples are from the data."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=e.train_steps, help="training steps")
    steps = parser.parse_args().steps
    torch.manual_seed(e.seed)
    net = train(e, p, steps, generator)
    samples = sample(e, p, net, e.particles, generator)
    np.save("samples.npy", samples.numpy())
    n = min(e.particles, 2_000)  # as many as the distance is measured on
    if p.label >= 0:
        data, more = sample_class(e, p, n, generator), sample_class(e, p, n, generator)
    elif p.sizes.classes:
        (data, _), (more, _) = sample_data(e, p, n, generator), sample_data(e, p, n, generator)
    else:
        data, more = sample_data(e, p, n, generator), sample_data(e, p, n, generator)
    print(f"energy distance to {fresh(e, p)}: {energy_distance(samples[:n], data):.4f}")
    print(f"two samples of the data differ by {energy_distance(more, data):.4f}")


def fresh(e: Experiment, p: Parts) -> str:
    """What samples are compared with."""
    if p.label < 0:
        return "fresh data"
    away = "" if e.guidance == 1 else f" (guidance {e.guidance!r} leads away from them)"
    return f"fresh data of class {p.label}{away}"
