"""An experiment as one plain PyTorch script that needs nothing of the studio.

The script draws the data, trains the net and samples it with the experiment's choices, and holds only the
code that these need. It is the same recipe, not the same random numbers.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import torch

from fmstudio import __version__
from fmstudio.flow.bounds import Box
from fmstudio.flow.couplings.coupling import OptimalTransport
from fmstudio.flow.formulas.custom import Custom, Formula
from fmstudio.flow.formulas.readable import check_score
from fmstudio.flow.paths.zigzag import ZigZag
from fmstudio.flow.regress.objectives import V, training_times
from fmstudio.flow.solve.tableaux import RK4, SOLVERS, Row
from fmstudio.learn.clouds import unpack
from fmstudio.learn.experiment import DATA, Experiment
from fmstudio.learn.export import recipe
from fmstudio.learn.export.data import data_sections, source_sections, tensor_text
from fmstudio.learn.export.sources import assembled, inlined
from fmstudio.learn.nets.networks import SPACE_SCALE, TIME_SCALE, Shape
from fmstudio.learn.training.batches import Problem
from fmstudio.learn.training.run import pull
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
    return _header(experiment) + _Script(experiment if asked else experiment.but(label=-1), problem).text()


class _Script:
    """The sections of one script.

    Args:
        experiment: asks for no class where the answer does not depend on it.
        problem: its objects.
    """

    def __init__(self, experiment: Experiment, problem: Problem) -> None:
        self._e, self._p = experiment, problem
        self._names = dict(recipe.NAMES)
        shape = DATA[experiment.data].shape
        if shape is not None:
            self._names[shape.__name__] = shape
        self._told, self._one_class = problem.classes > 0, experiment.label >= 0
        made = self._of_the_net() | self._of_the_training() | self._of_the_sampler()
        self._values = experiment.to_dict() | made

    def text(self) -> str:
        """All of it, after the header."""
        sde, euler = self._e.sde_noise > 0, self._values["euler"]
        return assembled(
            [
                *data_sections(self._e, self._p),
                *source_sections(self._p.source),
                self._filled(recipe.NET),
                *self._path(),
                *self._coupling(),
                *self._law(),
                self._filled(recipe.TRAINING),
                *self._target(),
                self._filled(recipe.VELOCITY),
                *([self._filled(recipe.SCORE)] if sde else [] if euler else [self._filled(recipe.STEP)]),
                self._filled(recipe.SAMPLER),
                self._filled(recipe.MAIN),
            ],
            self._names,
            self._facts(),
        )

    def _facts(self) -> dict[str, bool]:
        """Conditions in the sources whose answer the experiment gives."""
        latent, told = self._p.path.has_latent, self._told
        return {
            "is_complex()": self._p.path.turns,
            "has_latent": latent,
            "z is None": not latent,
            "draw.z is not None": latent,
            "within_classes and labels is not None": told,
            "labels is not None": told,
            "schedule == 'constant'": self._e.schedule == "constant",
        }

    def _filled(self, section: str, **more: Any) -> str:
        return recipe.filled(section, self._values | more)

    def _object(self, name: str, value: Any) -> str:
        """The line that makes an object as the studio's is made."""
        self._names.update({kind.__name__: kind for kind in _kinds(value)})
        return f"{name} = {value!r}"

    # The net, and what it is trained on.

    def _of_the_net(self) -> dict[str, Any]:
        e, p = self._e, self._p
        shape = Shape(e.dim, e.width, e.depth, e.fourier, p.classes)
        return {
            "waves": ", and the sines and cosines of both" if e.fourier else "",
            "space_scale": SPACE_SCALE,
            "time_scale": TIME_SCALE,
            "time_frequencies": shape.time_frequencies,
            "sizes": ", ".join(map(str, [shape.features, *[e.width] * e.depth, e.dim])),
            "classes": p.classes,
            "dim": e.dim,
        }

    def _of_the_training(self) -> dict[str, Any]:
        e, p = self._e, self._p
        paired = not p.coupling.independent
        drawn = max(e.batch, e.coupling_batch) if paired else e.batch
        low, high = training_times(p.path)
        y = self._inlined(p.target.sampled, "path", "")
        y = y or f"{self._function(p.target.sampled)}(path, Draw(x0, x1, z, t, xt, None))"
        return {
            "beta1": BETA1,
            "beta2": BETA2,
            "drawn": drawn,
            "paired": paired and not self._told,
            "paired_by_class": paired and self._told,
            "more_drawn": drawn > e.batch,
            "times": self._inlined(p.law.sample, str(e.batch)) or f"law.sample({e.batch})",
            "first": max(low, 1e-6),
            "last": high,
            "latent": p.path.has_latent,
            "mean": e.regression != "sampled",
            "y": y,
            "no_latent": not p.path.has_latent and re.search(r"\bz\b", y),
            "pull": inlined(pull, repr(e.ema), "k"),
        }

    def _inlined(self, function: Any, *arguments: str) -> str | None:
        """The function's expression, whose other names are those of its module."""
        self._names = {**function.__globals__, **self._names}
        return inlined(function, *arguments)

    def _function(self, function: Any) -> str:
        self._names[function.__name__] = function
        return function.__name__

    def _path(self) -> Iterator[str]:
        path = self._p.path
        if isinstance(path, ZigZag):
            # The chain has no velocity. The net learns the smooth path with the same marginals.
            path = path.around
        if not isinstance(path, Custom):
            yield self._object("path", path)
            return
        a, b = (f"    lambda t: {bare(Formula(text).code())},\n" for text in (path.a, path.b))
        yield f"path = Typed(\n{a}{b})"

    def _coupling(self) -> Iterator[str]:
        if isinstance(self._p.coupling, OptimalTransport):
            yield self._object("coupling", recipe.Assignment())
        elif not self._p.coupling.independent:
            yield self._object("coupling", self._p.coupling)

    def _law(self) -> Iterator[str]:
        if self._values["times"].startswith("law."):
            yield self._object("law", self._p.law)

    # The field and the sampler.

    def _of_the_sampler(self) -> dict[str, Any]:
        e, p = self._e, self._p
        guided = self._one_class and e.guidance != 1
        tableau = RK4 if SOLVERS[e.solver].adaptive else SOLVERS[e.solver]
        low, high = p.target.times(p.path)
        measured = min(e.particles, MEASURED)
        away = "" if e.guidance == 1 else f" (guidance {e.guidance!r} leads away from them)"
        return {
            "clamped": (low, high) != (0.0, 1.0),
            "low": low,
            "high": high,
            "asked": e.label if self._one_class else p.classes,
            "guided": guided,
            "told": self._velocity("label"),
            "free": self._velocity("free"),
            "euler": len(tableau.b) == 1 and not e.sde_noise,
            "adaptive": SOLVERS[e.solver].adaptive,
            "solver": tableau.name,
            "a": f"[{', '.join(map(_shares, tableau.a))}]",
            "b": _shares(tableau.b),
            "c": _shares(tableau.c),
            "times_of_steps": e.sample_steps + 1,
            "measured": measured,
            "all_classes": self._told and not self._one_class,
            "one_class": self._one_class,
            "fresh": f"fresh data of class {e.label}{away}" if self._one_class else "fresh data",
        }

    def _velocity(self, label: str) -> str:
        said = f"net(x, t, {label})" if self._told else "net(x, t)"
        return said if self._p.target is V else f"translated({said}, x, t)"

    def _target(self) -> Iterator[str]:
        target, box = self._p.target, self._p.box
        if target is not V:
            yield f"low, high = {tensor_text(box.low)}, {tensor_text(box.high)}  # the box of the data"
            point = self._inlined(target.data_point, "path", "y", "x", "t")
            point = point or f"{self._function(target.data_point)}(path, y, x, t)"
            yield self._filled(recipe.TRANSLATED, data_point=point, held=inlined(Box.hold, "", "x0"))


def _kinds(value: Any) -> Iterator[type]:
    """The classes of an object and of its fields."""
    if is_dataclass(value):
        yield type(value)
        for f in fields(value):
            yield from _kinds(getattr(value, f.name))


def _shares(row: Row) -> str:
    return f"[{', '.join(map(str, row))}]"


def bare(code: str) -> str:
    """An expression without the brackets around the whole of it."""
    depth = 0
    for at, letter in enumerate(code):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return code[1:-1] if letter == ")" and at == len(code) - 1 and code[0] == "(" else code
    return code


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
        "Time t = 0 is data, t = 1 is noise. A particle moves between x0 and x1 as x_t, and the net learns "
        "u(x, t),\nthe mean velocity of all that pass x at time t. "
        "Following u from t = 1 to 0 makes noise into data.\n"
        '"""\n\n'
    )
