"""The recipe of a script: net, training and sampling as one writes them by hand, to be filled in.

The studio trains with every number in its place and samples in chunks; a script says the same in plain
PyTorch. What the recipe calls (path, data, target, coupling, time law, rate) is the studio's own. A line that
ends in ``#? name`` is for the experiments of which that is true.
"""

from __future__ import annotations

import argparse
import base64
import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from string import Template
from typing import Any

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from fmstudio.flow.couplings.coupling import Paired, pair_batches
from fmstudio.flow.densities.density import Samples
from fmstudio.flow.densities.mixture import draw_mixture
from fmstudio.flow.paths.path import Coefficients, Path, affine_coefficients
from fmstudio.flow.regress.objectives import Draw
from fmstudio.flow.regress.translate import applied, terms, v_from_x0, x0_solved
from fmstudio.learn.training.run import learning_rate


def unpack(text: str) -> tuple[Tensor, Tensor | None]:
    """Points from base64: lowest value and step of each coordinate, whole numbers of steps, classes."""
    dim, labelled = int(text[0]), text[1] == "L"
    body = base64.urlsafe_b64decode(text[2:] + "=" * (-(len(text) - 2) % 4))
    n = (len(body) - 8 * dim) // (2 * dim + labelled)
    lowest, step = np.frombuffer(body, "<f4", 2 * dim).reshape(2, dim).astype(float)
    levels = np.frombuffer(body, "<u2", dim * n, 8 * dim).reshape(n, dim)
    points = torch.tensor(lowest + levels * step, dtype=torch.float32)
    return points, torch.tensor([*body[-n:]]) if labelled else None


@dataclass(frozen=True)
class Typed(Path):
    """A path of typed formulas; their derivatives may be infinite at the ends."""

    a: Callable[[Tensor], Tensor]
    b: Callable[[Tensor], Tensor]

    def at(self, t: Tensor) -> Coefficients:
        """a and b of the formulas, a′ and b′ by autograd."""
        with torch.enable_grad():
            t = t.detach().clamp(1e-6, 1 - 1e-6).requires_grad_()
            a, b = self.a(t), self.b(t)
            da, db = (torch.autograd.grad(x.sum(), t)[0] for x in (a, b))
        return affine_coefficients(a.detach(), b.detach(), da, db)


@dataclass(frozen=True)
class Assignment:
    """Optimal transport: the permutation of the mini-batch with the least Σ |x₁ − x₀|²."""

    def pair(self, x0: Tensor, x1: Tensor, generator: torch.Generator) -> Paired:
        """Reorder x₀ to its best partners."""
        del generator
        index = torch.from_numpy(linear_sum_assignment(torch.cdist(x1, x0).square())[1])
        return Paired(x0[index], x1, index)


def energy_distance(x: Tensor, y: Tensor) -> float:
    """2 E|X − Y| − E|X − X′| − E|Y − Y′|: 0 for equal distributions, and about 0 for two samples of one."""
    x, y = x.double(), y.double()
    within = [torch.cdist(z, z).sum() / (len(z) * (len(z) - 1)) for z in (x, y)]
    return float(2 * torch.cdist(x, y).mean() - sum(within))


#: What the names of the recipe mean.
NAMES: Mapping[str, Any] = {
    "__name__": __name__,
    **{"argparse": argparse, "copy": copy, "math": math, "np": np, "nn": nn, "torch": torch},
    **{part.__name__: part for part in (Assignment, Draw, Samples, Typed, pairwise)},
    **{part.__name__: part for part in (applied, draw_mixture, energy_distance, learning_rate, pair_batches)},
    **{part.__name__: part for part in (terms, unpack, v_from_x0, x0_solved)},
}


def filled(section: str, values: Mapping[str, Any]) -> str:
    """A section of the recipe for one experiment.

    Args:
        section: lines, some with ``#? name`` or ``#? not name`` after them, and ``$name`` for a value.
        values: what the names stand for.
    """
    lines = list[str]()
    for line in section.strip("\n").splitlines():
        text, _, name = line.partition("  #? ")
        if not name or bool(values[name.removeprefix("not ")]) != name.startswith("not "):
            lines.append(text)
    return Template("\n".join(lines)).substitute(values)


SAMPLES = '''
def sample_data(n):
    """Draw n data points."""  #? not classes
    """Draw n data points, and the class of each."""  #? classes
$draw  #? draw
    return $points  #? not classes
    return $points, $labels  #? classes
'''

SAMPLES_OF_A_CLASS = '''
def sample_class(n):
    """Draw n data points of the class that the sampler is asked for, however rare it is."""
$draw_class
'''

SOURCE = '''
def sample_source(n):
    """Draw n noise points."""
    return torch.randn(n, $dim)  #? normal
    return draw_mixture(*SOURCE, n)[0]  #? not normal
'''

NET = '''
class Net(nn.Module):
    """A multilayer perceptron on x, t$waves."""

    def __init__(self):
        super().__init__()
        self.register_buffer("space", $space_scale * torch.randn($dim, $fourier))  #? fourier
        self.register_buffer("time", $time_scale * torch.randn(1, $time_frequencies))  #? fourier
        layers = []
        for inputs, outputs in pairwise([$sizes]):
            layers += [nn.Linear(inputs, outputs), nn.SiLU()]
            nn.init.normal_(layers[-2].weight, std=math.sqrt(2 / inputs))
            nn.init.zeros_(layers[-2].bias)
        self.layers = nn.Sequential(*layers[:-1])
        nn.init.zeros_(self.layers[-1].weight)  # the first prediction is 0 everywhere

    def forward(self, x, t):  #? not classes
    def forward(self, x, t, label):  #? classes
        t = t.expand(len(x))[:, None].to(x)
        features = [x, t]  #? not fourier
        angle = 2 * math.pi * torch.cat([x @ self.space, t @ self.time], 1)  #? fourier
        features = [x, t, angle.sin(), angle.cos()]  #? fourier
        features.append(nn.functional.one_hot(label, $classes + 1))  # the last: no class  #? classes
        return self.layers(torch.cat(features, 1))
'''

TRAINING = '''
def train(steps):
    """Regress the net on points of sampled paths; returns the running mean of its weights."""  #? ema
    """Regress the net on points of sampled paths."""  #? not ema
    net = Net()
    mean = copy.deepcopy(net)  #? ema
    optimizer = torch.optim.Adam(net.parameters(), betas=($beta1, $beta2))
    for k in range(steps):
        x0 = sample_data($drawn)  #? not classes
        x0, label = sample_data($drawn)  #? classes
        x1 = sample_source($drawn)
        x0, x1, _ = pair_batches(coupling, x0, x1, None, $coupling_batch, False)  #? paired
        x0, x1, label = pair_batches(coupling, x0, x1, label, $coupling_batch, True)  #? paired_by_class
        x0, x1 = x0[:$batch], x1[:$batch]  #? more_drawn
        t = $times.clamp($first, $last)
        z = torch.randn_like(x0)  #? latent
        z = None  # for paths with a latent  #? no_latent
        xt = path.position(x0, x1, t, z)  #? latent
        xt = path.position(x0, x1, t)  #? not latent
        # The studio regressed on the exact mean of y given x_t; y itself has the same minimiser.  #? mean
        y = $y
        told = torch.rand($batch) >= $label_drop  #? classes
        label = torch.where(told, label[:$batch], $classes)  #? classes
        loss = (net(xt, t) - y).square().sum(1).mean()  #? not classes
        loss = (net(xt, t, label) - y).square().sum(1).mean()  #? classes
        optimizer.zero_grad()
        loss.backward()
        optimizer.param_groups[0]["lr"] = learning_rate(k, steps, $learning_rate, "$schedule")
        optimizer.step()
        with torch.no_grad():  #? ema
            for slow, new in zip(mean.parameters(), net.parameters(), strict=True):  #? ema
                slow.lerp_(new, $pull)  #? ema
        if (k + 1) % max(1, steps // 10) == 0:
            print(f"step {k + 1:,} of {steps:,}: loss {loss.item():.4f}")
    return mean  #? ema
    return net  #? not ema
'''

TRANSLATED = '''
def translated(y, x, t):
    """The velocity that a prediction of y stands for, with its x0 held inside the box."""
    x0 = $data_point
    return v_from_x0(path, $held, x, t)
'''

VELOCITY = '''
def velocity(net, x, t):
    """The velocity u(x, t) that the net predicts, or that its prediction stands for."""
    t = t.clamp($low, $high)  #? clamped
    label = torch.full((len(x),), $asked)  #? classes
    return $told  #? not guided
    free = torch.full_like(label, $classes)  #? guided
    return torch.lerp($free, $told, $guidance)  #? guided
'''

SCORE = '''
def score(u, x, t):
    """The score ∇ log q_t(x) that the velocity implies: s = −(x − a x̂₀)/σ²."""
    c = path.at(t.double())
    one, other = terms(path, c)
    x0 = x0_solved(path, c, one - other, u, x)
    return applied(-1 / c.variance, x - applied(c.a, x0))


def step(net, x, t, h):
    """An Euler–Maruyama step of the SDE with the flow's marginals and the noise g = κ σ_t."""
    g = $sde_noise * path.at(t.double()).variance.sqrt().to(x)
    u = velocity(net, x, t)
    x = x + h * u - h * g**2 / 2 * score(u, x, t)
    return x + g * h.abs().sqrt() * torch.randn_like(x)
'''

STEP = '''
def step(net, x, t, h):
    """A Runge–Kutta step ($solver): k_i = u(x + h Σ_j a_ij k_j, t + c_i h), then x + h Σ_i b_i k_i."""
    # The studio used the adaptive dopri5; so many steps of order 4 are as good here.  #? adaptive
    k = []
    for row, share in zip($a, $c, strict=True):
        k.append(velocity(net, x + h * sum(w * v for w, v in zip(row, k, strict=True)), t + share * h))
    return x + h * sum(w * v for w, v in zip($b, k, strict=True))
'''

SAMPLER = '''
@torch.no_grad()
def sample(net, n):
    """Follow n particles from noise (t = 1) to data (t = 0)."""
    x = sample_source(n)
    for t, then in pairwise(torch.linspace(1, 0, $times_of_steps)):
        x = x + (then - t) * velocity(net, x, t)  #? euler
        x = step(net, x, t, then - t)  #? not euler
    return x
'''

MAIN = '''
def main():
    """Train, sample, and say how far the samples are from the data."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=$train_steps, help="training steps")
    torch.manual_seed($seed)
    net = train(parser.parse_args().steps)
    samples = sample(net, $particles)
    np.save("samples.npy", samples.numpy())
    data, more = sample_data($measured), sample_data($measured)  #? not classes
    (data, _), (more, _) = sample_data($measured), sample_data($measured)  #? all_classes
    data, more = sample_class($measured), sample_class($measured)  #? one_class
    print(f"energy distance to $fresh: {energy_distance(samples[:$measured], data):.4f}")
    print(f"two samples of the data differ by {energy_distance(more, data):.4f}")


if __name__ == "__main__":
    main()
'''
