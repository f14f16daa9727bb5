"""Data and noise of a script: where its points come from, and the numbers that it carries for that."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from fmstudio.flow.densities.cloud import PointCloud
from fmstudio.flow.densities.mixture import GaussianMixture
from fmstudio.learn import clouds
from fmstudio.learn.clouds.cloud import unmoved
from fmstudio.learn.experiment import DATA, Experiment
from fmstudio.learn.export.recipe import SAMPLES, SAMPLES_OF_A_CLASS, SOURCE, filled
from fmstudio.learn.training.batches import Problem

#: Points of a word or a brought cloud that a script carries at most.
EMBEDDED = 2_000


def data_sections(e: Experiment, p: Problem) -> Iterator[str]:
    """What ``sample_data`` draws from, and it; with a class that is asked for, ``sample_class`` too."""
    density, shape = p.density, DATA[e.data].shape
    if shape is not None:
        draw = f"samples = {shape.__name__}(n, {e.data_noise!r})"
        points, labels = "samples.points", "samples.labels"
        asked = f"samples, label = sample_data(20 * n)\nreturn samples[label == {e.label}][:n]"
    elif isinstance(density, GaussianMixture):
        yield _mixture("DATA", density)
        if p.classes and density.labels is not None:
            yield f"LABELS = {tensor_text(density.labels)}"
        if e.label >= 0:
            yield _mixture("ASKED", density.given(e.label))
        draw = "points, pick = draw_mixture(*DATA, n)" if p.classes else ""
        points, labels = "points" if p.classes else "draw_mixture(*DATA, n)[0]", "LABELS[pick]"
        asked = "return draw_mixture(*ASKED, n)[0]"
    else:
        assert isinstance(density, PointCloud)
        packed, draw = _embedded(e, density, density.labels if p.classes else None)
        yield packed
        yield "density = Samples(*unpack(POINTS))"
        points, labels = "density.points[pick]", "density.labels[pick]"
        asked = f"own = density.points[density.labels == {e.label}]\n"
        asked += "return own[torch.randint(len(own), (n,))]"
    draw, asked = textwrap.indent(draw, "    "), textwrap.indent(asked, "    ")
    yield filled(SAMPLES, {"draw": draw, "points": points, "labels": labels, "classes": p.classes})
    if e.label >= 0:
        yield filled(SAMPLES_OF_A_CLASS, {"draw_class": asked})


def _embedded(e: Experiment, density: PointCloud, labels: Tensor | None) -> tuple[str, str]:
    """The cloud that the script carries, and how a point of it is picked."""
    whole = clouds.Cloud(density.points, labels, unmoved(density.dim))
    kept = clouds.thinned(whole, EMBEDDED, torch.Generator().manual_seed(e.seed))
    count, total = len(kept.points), len(density)
    which = "all points" if count == total else f"a random {count:,} of the {total:,} points"
    packed = f'# The cloud, {which}.\nPOINTS = "{clouds.pack(kept.points, kept.labels)}"'
    if labels is None or count == total:
        return packed, "pick = torch.randint(len(density.points), (n,))"
    return packed, (
        "# The classes are as often as among all points, of which these are some.\n"
        f"weights = torch.tensor({labels.bincount().tolist()}) / density.labels.bincount()\n"
        "pick = torch.multinomial(weights[density.labels], n, replacement=True)"
    )


def source_sections(source: GaussianMixture) -> Iterator[str]:
    """What ``sample_source`` draws from, and it."""
    if not source.is_standard_normal:
        yield _mixture("SOURCE", source)
    yield filled(SOURCE, {"normal": source.is_standard_normal, "dim": source.dim})


def _mixture(name: str, mixture: GaussianMixture) -> str:
    """Its numbers, as ``draw_mixture`` takes them."""
    numbers = (mixture.means, mixture.factors, mixture.weights)
    inside = ",\n".join(textwrap.indent(tensor_text(x), "    ") for x in numbers)
    return f"{name} = (  # means, Cholesky factors of the covariances, weights\n{inside},\n)"


def tensor_text(x: Tensor) -> str:
    """A tensor as an expression of torch, every number with the fewest digits that give its float32 back."""
    if not x.is_floating_point():
        whole = torch.equal(x, torch.arange(len(x)))
        return f"torch.arange({len(x)})" if whole else f"torch.tensor({x.tolist()})"
    if len(x) > 2 and bool((x == x[0]).all()):
        again = ", ".join(map(str, [len(x), *[1] * (x.ndim - 1)]))
        return f"{tensor_text(x[:1])}.repeat({again})"
    if x.ndim > 1:
        # What only rounding left of 0 is 0.
        x = torch.where(x.abs() < 1e-6 * x.abs().max(), 0.0, x)
    numbers = textwrap.fill(_numbers(x), 94, break_long_words=False)
    return f"torch.tensor({textwrap.indent(numbers, '    ').strip()})"


def _numbers(x: Tensor) -> str:
    if x.ndim:
        return "[" + ", ".join(map(_numbers, x)) + "]"
    return repr(float(str(np.float32(x.item()))))
