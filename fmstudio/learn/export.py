"""Exported code: an experiment as one plain PyTorch script that needs nothing of the studio.

The script draws the data, trains the net and samples it with the experiment's choices, and holds only the
code that these need. It is the same recipe, not the same random numbers.
"""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass

import torch

from fmstudio import __version__
from fmstudio.flow.densities.cloud import PointCloud
from fmstudio.flow.densities.mixture import GaussianMixture
from fmstudio.flow.formulas.readable import check_score
from fmstudio.learn.clouds import unpack
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.export_coupling import coupling_code
from fmstudio.learn.export_data import class_code, data_code, source_code
from fmstudio.learn.export_path import (
    Terms,
    path_code,
    target_code,
    training_range,
    velocity_code,
)
from fmstudio.learn.nets.networks import SPACE_SCALE, TIME_SCALE, Shape
from fmstudio.learn.training.batches import Problem
from fmstudio.learn.training.step import BETA1, BETA2

#: Samples that the energy distance is measured on, at most.
MEASURED = 2_000


def script(experiment: Experiment) -> str:
    """The experiment as a Python script for numpy and torch (and scipy, for optimal transport).

    It takes ``--steps N``, writes ``samples.npy`` and prints the energy distance of the samples to fresh
    data. Its functions can be used without running it.

    Args:
        experiment: any that can be trained.

    Returns:
        The script. Its first two lines are comments: the version, and the changed fields as JSON, with a
        brought cloud left out; the script holds that as ``POINTS``.

    Raises:
        ValueError: choices that do not go together: as a training would say, a class that the data lack or
            the net is not told, or an SDE where the score does not follow from the velocity.

    Limits: shapes are drawn afresh in every batch where the studio draws ``data_points`` of them once; of a
    word or a cloud at most 2,000 points are kept; dopri5 becomes RK4; the closed-form mean becomes sampled
    velocities, which have the same minimiser.
    """
    problem = Problem.of(experiment, None, torch.device("cpu"))
    _check(experiment, problem)
    asked = experiment.label >= 0 and experiment.guidance != 0
    s = _Sections(experiment if asked else experiment.but(label=-1), problem)
    parts = [s.imports(), s.data(), s.source(), s.path(), s.coupling(), s.network(), s.training()]
    parts += [s.field(), s.sampler(), _DISTANCE, s.main()]
    return _header(experiment) + "\n\n".join(part.rstrip("\n") + "\n" for part in parts if part) + _END


def _note(e: Experiment) -> str:
    """What was done to make a brought cloud, as a comment goes on."""
    cloud = unpack(e.points)
    called = f"Classes: {', '.join(f'{k} = {name}' for k, name in enumerate(cloud.names))}." * bool(
        cloud.names
    )
    said = textwrap.wrap(" ".join(filter(None, [cloud.note, called])), 100)
    return "".join(f"\n# {line}" for line in said)


def _check(e: Experiment, problem: Problem) -> None:
    if e.label >= 0 and not problem.classes:
        raise ValueError(
            f"label: this net is not told the class, so it cannot be asked for class {e.label}. Set "
            "conditional to true, or leave the class out (label −1)."
        )
    if e.label >= 0:
        problem.density.given(e.label)
    if e.sde_noise:
        check_score(problem.path)
    if e.sde_noise and not (problem.coupling.independent and problem.source.is_standard_normal):
        raise ValueError(
            "sde_noise: the score follows from the velocity only for x₁ ~ N(0, I) independent of x₀. "
            "Set the noise of the SDE to 0, or choose the standard normal source and independent coupling."
        )


_DISTANCE = '''\
def energy_distance(x, y):
    """2 E|X - Y| - E|X - X'| - E|Y - Y'|: 0 for equal distributions, and about 0 for two samples of one."""
    x, y = x.double(), y.double()
    within = [torch.cdist(z, z).sum() / (len(z) * (len(z) - 1)) for z in (x, y)]
    return float(2 * torch.cdist(x, y).mean() - sum(within))
'''
_END = '\n\nif __name__ == "__main__":\n    main()\n'

_STEPS = {
    "euler": ("Euler steps", ["x = x - h * velocity(net, x, t)"]),
    "midpoint": (
        "midpoint steps",
        ["middle = x - h / 2 * velocity(net, x, t)", "x = x - h * velocity(net, middle, t - h / 2)"],
    ),
    "heun": (
        "Heun steps",
        ["k1 = velocity(net, x, t)", "k2 = velocity(net, x - h * k1, t - h)", "x = x - h / 2 * (k1 + k2)"],
    ),
    "rk4": (
        "Runge-Kutta steps of order 4",
        [
            "k1 = velocity(net, x, t)",
            "k2 = velocity(net, x - h / 2 * k1, t - h / 2)",
            "k3 = velocity(net, x - h / 2 * k2, t - h / 2)",
            "k4 = velocity(net, x - h * k3, t - h)",
            "x = x - h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)",
        ],
    ),
}


def _header(e: Experiment) -> str:
    changed = e.changes()
    carried = changed.pop("points", None) and e.data == "points"
    path = e.path + (f" around the {e.around} one" if e.path in ("latent", "zig-zag") else "")
    return (
        f"# Flow Matching Studio {__version__}, an experiment; fields that differ from the defaults:\n"
        f"# {json.dumps(changed)}\n"
        + (f"# and its points, which are the text POINTS below{_note(e)}\n" if carried else "")
        + f'"""Flow matching from {e.source} to {e.data} in plain PyTorch.\n\n'
        f"Path: {path}. Coupling: {e.coupling}. The net predicts {e.target}.\n"
        "Time t = 0 is data, t = 1 is noise. A particle moves between x0 and x1 as x_t, and the net\n"
        "learns u(x, t), the mean velocity of all that pass x at time t. Following u from t = 1 to 0\n"
        "makes noise into data.\n"
        '"""\n\n'
    )


@dataclass(frozen=True)
class _Sections:
    """The script's sections, each ending with a line break."""

    e: Experiment
    p: Problem

    @property
    def labelled(self) -> bool:
        """Whether data come with their classes: only a conditional net wants them."""
        return self.p.classes > 0

    def imports(self) -> str:
        cloud = isinstance(self.p.density, PointCloud) and self.e.data in ("word", "points")
        lines = ["import argparse"]
        lines += ["import base64"] if cloud else []
        lines += ["import copy"] if self.e.ema else []
        lines += ["import math", "", "import numpy as np", "import torch"]
        lines += ["from scipy.optimize import linear_sum_assignment"] * (
            self.e.coupling == "optimal transport"
        )
        return "\n".join([*lines, "from torch import nn\n"])

    def data(self) -> str:
        assert isinstance(self.p.density, GaussianMixture | PointCloud)
        code = data_code(self.e, self.p.density, self.labelled)
        if self.labelled and self.e.label >= 0:
            code += "\n\n" + class_code(self.e, self.p.density)
        return code

    def source(self) -> str:
        return source_code(self.e, self.p.source)

    def path(self) -> str:
        return path_code(self.e, self.p.path)

    def coupling(self) -> str:
        return coupling_code(self.e, self.labelled)

    def network(self) -> str:
        e, dim = self.e, self.e.dim
        shape = Shape(dim, e.width, e.depth, e.fourier, self.p.classes)
        waves, label = shape.fourier > 0, self.labelled
        what = " and the sines and cosines of both" if waves else ""
        what += ", told a class" if label else ""
        lines = ["super().__init__()"]
        if waves:
            lines += [
                f'self.register_buffer("space", {SPACE_SCALE} * torch.randn({dim}, {shape.fourier}))',
                f'self.register_buffer("time", {TIME_SCALE} * torch.randn(1, {shape.time_frequencies}))',
            ]
        lines += [
            f"sizes = [{shape.features}, {', '.join([str(e.width)] * e.depth)}, {dim}]",
            "layers = []",
            "for inputs, outputs in zip(sizes[:-1], sizes[1:]):",
            "    layers += [nn.Linear(inputs, outputs), nn.SiLU()]",
            "    nn.init.normal_(layers[-2].weight, std=math.sqrt(2 / inputs))",
            "    nn.init.zeros_(layers[-2].bias)",
            "self.layers = nn.Sequential(*layers[:-1])",
            "nn.init.zeros_(self.layers[-1].weight)  # the first prediction is 0 everywhere",
        ]
        features = ["x", "t"]
        forward = []
        if waves:
            forward.append("angle = 2 * math.pi * torch.cat([x @ self.space, t @ self.time], 1)")
            features += ["angle.sin()", "angle.cos()"]
        if label:
            forward.append(
                f"one_hot = nn.functional.one_hot(label, {shape.classes + 1})  # the last: no class"
            )
            features.append("one_hot")
        forward.append(f"return self.layers(torch.cat([{', '.join(features)}], 1))")
        return (
            f'class Net(nn.Module):\n    """A multilayer perceptron on x, t{what}."""\n\n'
            "    def __init__(self):\n"
            + _indented(lines, 8)
            + f"\n    def forward(self, x, t{', label' if label else ''}):\n"
            + _indented(forward, 8)
        )

    def training(self) -> str:
        e, label = self.e, self.labelled
        paired = e.coupling != "independent"
        drawn = max(e.batch, e.coupling_batch) if paired else e.batch
        low, high = training_range(self.p.path)
        time = f"torch.rand({e.batch}, 1)"
        if e.time_law == "logit-normal":
            time = f"torch.sigmoid(torch.randn({e.batch}, 1))"
        rate = f"{e.learning_rate!r} * min(1, (k + 1) / rise)"
        if e.schedule == "cosine":
            rate += " * (1 + math.cos(math.pi * k / steps)) / 2"
        body = [f"{'x0, label' if label else 'x0'} = sample_data({drawn})", f"x1 = sample_source({drawn})"]
        if paired:
            body.append(f"x0 = couple(x0, x1{', label' if label else ''})")
        if drawn > e.batch:
            body.append(f"x0, x1 = x0[:{e.batch}], x1[:{e.batch}]")
            body += [f"label = label[:{e.batch}]"] * label
        body.append(f"t = {time}.clamp({low!r}, {high!r})")
        if e.regression == "closed-form mean":
            body.append(
                "# The studio regressed on the exact mean of y given x_t; y itself has the same minimiser."
            )
        body += target_code(e, Terms.of(self.p.path))
        if label:
            body.append(
                f"label = torch.where(torch.rand({e.batch}) < {e.label_drop!r}, {self.p.classes}, label)"
                "  # drop some"
            )
        body += [
            f"rate = {rate}",
            f"loss = (net(xt, t{', label' if label else ''}) - y).square().sum(1).mean()",
            "optimizer.zero_grad()",
            "loss.backward()",
            'optimizer.param_groups[0]["lr"] = rate',
            "optimizer.step()",
        ]
        if e.ema:
            body += [
                "with torch.no_grad():",
                "    for slow, new in zip(mean.parameters(), net.parameters()):",
                f"        slow.lerp_(new, 1 - min({e.ema!r}, (1 + k) / (10 + k)))",
            ]
        body += [
            "if (k + 1) % max(1, steps // 10) == 0:",
            '    print(f"step {k + 1:,} of {steps:,}: loss {loss.item():.4f}")',
        ]
        kept = "the running mean of its weights" if e.ema else "the net"
        return (
            f'def train(steps):\n    """Regress the net on sampled paths; returns {kept}."""\n'
            "    net = Net()\n"
            + ("    mean = copy.deepcopy(net)\n" if e.ema else "")
            + f"    optimizer = torch.optim.Adam(net.parameters(), betas=({BETA1}, {BETA2}))\n"
            "    rise = min(100, max(1, steps // 10))  # steps in which the learning rate rises\n"
            "    for k in range(steps):\n" + _indented(body, 8) + f"    return {'mean' if e.ema else 'net'}\n"
        )

    def field(self) -> str:
        return velocity_code(self.e, self.p)

    def sampler(self) -> str:
        e = self.e
        solver = "rk4" if e.solver == "dopri5" else e.solver
        what, lines = _STEPS[solver]
        note = "    # The studio used the adaptive dopri5; so many steps of order 4 are as good here.\n"
        note = note if e.solver == "dopri5" else ""
        if e.sde_noise:
            what = "Euler-Maruyama steps of the SDE with the flow's marginals and g = kappa sigma"
            note = f"    kappa = {e.sde_noise!r}\n"
            lines = [
                "u, r, sigma = velocity(net, x, t)",
                "x = x - h * (u + kappa**2 / 2 * r)  # the score is -r / sigma^2",
                "x = x + kappa * sigma * h.sqrt() * torch.randn_like(x)",
            ]
        what = f"From noise to data in {e.sample_steps} {what}."
        return (
            f'@torch.no_grad()\ndef sample(net, n):\n    """{what}"""\n'
            f"    x = sample_source(n)\n    times = torch.linspace(1, 0, {e.sample_steps + 1})\n{note}"
            "    for t, then in zip(times[:-1], times[1:]):\n        h = t - then\n"
            + _indented(lines, 8)
            + "    return x\n"
        )

    def main(self) -> str:
        e = self.e
        n = min(e.particles, MEASURED)
        fresh, text = [f"data, more = sample_data({n}), sample_data({n})"], "fresh data"
        if self.labelled:
            fresh = [f"(data, _), (more, _) = sample_data({n}), sample_data({n})"]
        if self.labelled and e.label >= 0:
            text = f"fresh data of class {e.label}"
            text += "" if e.guidance == 1 else f" (guidance {e.guidance!r} leads away from them)"
            fresh = [f"data, more = sample_class({n}), sample_class({n})"]
        measured = "samples" if n == e.particles else f"samples[:{n}]"
        lines = [
            "parser = argparse.ArgumentParser()",
            f'parser.add_argument("--steps", type=int, default={e.train_steps}, help="training steps")',
            "steps = parser.parse_args().steps",
            f"torch.manual_seed({e.seed})",
            "net = train(steps)",
            f"samples = sample(net, {e.particles})",
            'np.save("samples.npy", samples.numpy())',
            *fresh,
            f'print(f"energy distance to {text}: {{energy_distance({measured}, data):.4f}}")',
            'print(f"two samples of the data differ by {energy_distance(more, data):.4f}")',
        ]
        return "def main():\n" + _indented(lines, 4)


def _indented(lines: list[str], by: int) -> str:
    return "".join(" " * by + line + "\n" for line in lines)
