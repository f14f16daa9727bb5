"""Exported code of the data and of the source: functions that draw points, written out for one density."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from fmstudio.flow.densities.cloud import PointCloud
from fmstudio.flow.densities.mixture import GaussianMixture
from fmstudio.learn import clouds
from fmstudio.learn.catalogue.data import GAUSSIAN_STD
from fmstudio.learn.clouds.cloud import unmoved
from fmstudio.learn.experiment import Experiment

#: Points of a word or a brought cloud that a script carries at most.
EMBEDDED = 2_000

#: For each shape: what it is, the lines that draw it, and whether these draw a label.
SHAPE_CODE: dict[str, tuple[str, str, bool]] = {
    "moons": (
        "Two half circles that reach into each other.",
        """\
label = torch.randint(2, (n,))
angle = math.pi * torch.rand(n)
side = 1 - 2 * label
x0 = 1.8 * torch.stack([side * (angle.cos() - 0.5), side * (angle.sin() - 0.25)], 1)""",
        True,
    ),
    "checkerboard": (
        "The eight dark squares of a board of 4 x 4.",
        """\
row = torch.randint(4, (n,))
column = 2 * torch.randint(2, (n,)) + row % 2
x0 = 1.25 * (torch.stack([column, row], 1) - 2 + torch.rand(n, 2))""",
        False,
    ),
    "two spirals": (
        "Two spiral arms of one turn and a half.",
        """\
label = torch.randint(2, (n,))
radius = torch.rand(n).sqrt()
angle = 3 * math.pi * radius + math.pi * label
x0 = 2.8 * radius[:, None] * torch.stack([angle.cos(), angle.sin()], 1)""",
        True,
    ),
    "swiss roll": (
        "One spiral from radius 1 to 3, moved so that its mean is 0.",
        """\
radius = 1 + 2 * torch.rand(n)
turn = 1.5 * math.pi
x0 = radius[:, None] * torch.stack([(turn * radius).cos(), (turn * radius).sin()], 1)
x0 = x0 - torch.tensor([2 / turn, 1 / turn**2])""",
        False,
    ),
    "pinwheel": (
        "Five blades, thin Gaussians bent by an angle that grows with the radius.",
        """\
label = torch.randint(5, (n,))
cut = math.erf(2.5 / math.sqrt(2)) * (2 * torch.rand(n, 2) - 1)  # normal, but never beyond 2.5
along, across = (math.sqrt(2) * torch.erfinv(cut)).unbind(1)
radius, width = 1 + 0.3 * along, 0.05 * across
angle = 2 * math.pi / 5 * label + 0.25 * radius.exp()
x = radius * angle.cos() - width * angle.sin()
y = radius * angle.sin() + width * angle.cos()
x0 = 1.6 * torch.stack([x, y], 1)""",
        True,
    ),
    "rings": (
        "Three circles of radius 0.9, 1.8 and 2.7.",
        """\
label = torch.randint(3, (n,))
angle = 2 * math.pi * torch.rand(n)
x0 = 0.9 * (label[:, None] + 1) * torch.stack([angle.cos(), angle.sin()], 1)""",
        True,
    ),
}


def data_code(experiment: Experiment, density: GaussianMixture | PointCloud, labelled: bool) -> str:
    """``sample_data(n)``: n data points, and their classes for a conditional net.

    Args:
        experiment: names the data.
        density: as built for it.
        labelled: whether to return classes beside the points.
    """
    if experiment.data in SHAPE_CODE:
        what, lines, knows = SHAPE_CODE[experiment.data]
        jitter = f" + {experiment.data_noise!r} * torch.randn(n, 2)" if experiment.data_noise else ""
        return _function("sample_data", what, lines, f"x0{jitter}", labelled and knows)
    if isinstance(density, PointCloud):
        return _cloud(experiment, density, labelled)
    if experiment.data == "8 gaussians":
        return _eight("sample_data", 2.0, math.hypot(GAUSSIAN_STD, experiment.data_noise), labelled)
    return _mixture("sample_data", density, labelled)


def class_code(experiment: Experiment, density: GaussianMixture | PointCloud) -> str:
    """``sample_class(n)``: n data points of the class that the sampler is asked for, however rare it is."""
    label = experiment.label
    if isinstance(density, GaussianMixture):
        return _mixture("sample_class", density.given(label), False)
    if experiment.data in SHAPE_CODE:
        # A shape has at most five classes, all as likely.
        lines, points = "points, label = sample_data(20 * n)", f"points[label == {label}][:n]"
    else:
        lines = f"own = CLOUD[CLASSES == {label}]"
        points = "own[torch.randint(len(own), (n,))]"
    return _function("sample_class", f"Data of class {label}.", lines, points, False)


def source_code(experiment: Experiment, source: GaussianMixture) -> str:
    """``sample_source(n)``: n noise points."""
    if experiment.source == "standard normal":
        normal = f"torch.randn(n, {source.dim})"
        return _function("sample_source", "The standard normal distribution.", "", normal, False)
    if experiment.source == "8 gaussians":
        return _eight("sample_source", 2.0, 0.15, False)
    return _mixture("sample_source", source, False)


def _function(name: str, what: str, lines: str, points: str, labelled: bool) -> str:
    body = "".join(f"    {line}\n" for line in lines.splitlines())
    result = f"{points}, label" if labelled else points
    return f'def {name}(n):\n    """{what}"""\n{body}    return {result}\n'


def _eight(name: str, radius: float, std: float, labelled: bool) -> str:
    lines = """\
label = torch.randint(8, (n,))
angle = 2 * math.pi / 8 * label"""
    points = f"{radius!r} * torch.stack([angle.cos(), angle.sin()], 1) + {std:.9g} * torch.randn(n, 2)"
    return _function(name, "Eight round Gaussians on a circle.", lines, points, labelled)


def _mixture(name: str, density: GaussianMixture, labelled: bool) -> str:
    """Any mixture of Gaussians, with its numbers in the function."""
    dim, kinds = density.dim, len(density.means)
    stds = density.covariances[:, 0, 0].sqrt()
    round_ = bool((density.covariances == stds.square()[:, None, None] * torch.eye(dim)).all()) or dim == 1
    lines = [
        f"weights = torch.tensor({_numbers(density.weights)})",
        f"means = torch.tensor({_numbers(density.means)})",
    ]
    if round_:
        lines.append(f"stds = torch.tensor({_numbers(stds[:, None])})")
        jitter = f"stds[label] * torch.randn(n, {dim})"
    else:
        lines.append(f"covariances = torch.tensor({_numbers(density.covariances)})")
        lines.append("factors = torch.linalg.cholesky(covariances)")
        jitter = f"(factors[label] @ torch.randn(n, {dim}, 1))[:, :, 0]"
    lines.append("label = torch.multinomial(weights, n, replacement=True)")
    what = "A Gaussian." if kinds == 1 else f"A mixture of {kinds} Gaussians."
    return _function(name, what, "\n".join(lines), f"means[label] + {jitter}", labelled)


def _numbers(x: Tensor) -> str:
    """A tensor as nested lists, every number with the fewest digits that give its float32 back."""
    if x.ndim:
        return "[" + ", ".join(_numbers(row) for row in x) + "]"
    return repr(float(str(np.float32(x.item()))))


def _cloud(experiment: Experiment, density: PointCloud, labelled: bool) -> str:
    labels = density.labels if labelled else None
    whole = clouds.Cloud(density.points, labels, unmoved(density.dim))
    kept = clouds.thinned(whole, EMBEDDED, torch.Generator().manual_seed(experiment.seed))
    count, total, dim = len(kept.points), len(density.points), density.dim
    which = "all points" if count == total else f"a random {count:,} of the {total:,} points"
    row = 2 * dim + labelled
    and_classes = " and their classes (8 bits)" if labelled else ""
    text = f"""\
# The cloud, {which}: for each coordinate the lowest value and a step
# (float32), then the points as whole numbers of steps (16 bits){and_classes}, in base64.
POINTS = "{clouds.pack(kept.points, kept.labels)}"


def unpack(text):
    \"\"\"Points of shape (n, {dim}){", and their classes" if labelled else ""}.\"\"\"
    body = base64.urlsafe_b64decode(text[2:] + "=" * (-(len(text) - 2) % 4))
    lowest, step = np.frombuffer(body, "<f4", {2 * dim}).reshape(2, {dim})
    n = (len(body) - {8 * dim}) // {row}
    levels = np.frombuffer(body, "<u2", {dim} * n, {8 * dim}).reshape(n, {dim})
"""
    points = "torch.tensor(lowest + levels * step, dtype=torch.float32)"
    if labelled:
        text += f"    classes = np.frombuffer(body, np.uint8, n, {8 * dim} + {2 * dim} * n)\n"
        text += (
            f"    return {points}, torch.tensor(classes).long()\n\n\nCLOUD, CLASSES = unpack(POINTS)\n\n\n"
        )
    else:
        text += f"    return {points}\n\n\nCLOUD = unpack(POINTS)\n\n\n"
    what, pick = "Points of the cloud, each as likely.", "pick = torch.randint(len(CLOUD), (n,))"
    if labelled:
        pick += "\nlabel = CLASSES[pick]"
    if labelled and count < total:
        assert density.labels is not None
        what = "Points of the cloud, the classes as often as among all its points."
        pick = f"""\
share = torch.tensor({density.labels.bincount().tolist()}) / {total}
pick = torch.multinomial((share / CLASSES.bincount())[CLASSES], n, replacement=True)
label = CLASSES[pick]"""
    return text + _function("sample_data", what, pick, "CLOUD[pick]", labelled)
