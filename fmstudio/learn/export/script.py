"""An experiment as one plain PyTorch script that needs nothing of the studio.

The script draws the data, trains the net and samples it with the experiment's choices, and holds only the
code that these need. It is the same recipe, not the same random numbers.
"""

from __future__ import annotations

import json
import textwrap
from dataclasses import replace
from fractions import Fraction

import torch

from fmstudio import __version__
from fmstudio.flow.couplings.coupling import OptimalTransport
from fmstudio.flow.densities.cloud import PointCloud
from fmstudio.flow.densities.mixture import GaussianMixture
from fmstudio.flow.formulas.custom import Custom, Formula
from fmstudio.flow.formulas.readable import check_score
from fmstudio.flow.regress.objectives import training_times
from fmstudio.flow.solve.tableaux import RK4, SOLVERS, Row, Tableau
from fmstudio.learn import clouds
from fmstudio.learn.clouds import unpack
from fmstudio.learn.clouds.cloud import unmoved
from fmstudio.learn.experiment import DATA, Experiment
from fmstudio.learn.export import recipe
from fmstudio.learn.export.recipe import Assignment, Parts, Typed
from fmstudio.learn.export.sources import Sources
from fmstudio.learn.nets.networks import Shape as Sizes
from fmstudio.learn.training.batches import Problem

#: Points of a word or a brought cloud that a script carries at most.
EMBEDDED = 2_000


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
    e = experiment if asked else experiment.but(label=-1)
    turns = problem.path.at(torch.tensor(0.5)).a.is_complex()
    zero = frozenset(() if problem.path.has_latent else ("gamma", "dgamma", "gamma_dgamma"))
    sources = Sources(facts=(Experiment, Parts, Sizes, Tableau), turns=turns, zero=zero)
    parts = _parts(e, problem, sources)
    known = {"e": e, "p": parts}
    sources.replace(recipe.step, step_text(e, parts.tableau))
    functions = [recipe.sample_data, recipe.sample_source, recipe.train, recipe.velocity]
    functions.insert(1, recipe.sample_class) if parts.label >= 0 else None
    for function in functions:
        sources.add(function, known)
    for function in (recipe.sample, recipe.energy_distance, recipe.main):
        sources.add(function, known)
    return _header(experiment) + sources.text() + '\n\nif __name__ == "__main__":\n    main()\n'


def _parts(e: Experiment, problem: Problem, sources: Sources) -> Parts:
    """The objects of the script; what a script holds in another form than the studio is written here."""
    density, counts = problem.density, None
    shape = DATA[e.data].shape
    asked = density.given(e.label) if e.label >= 0 and shape is None else None
    assert isinstance(density, GaussianMixture | PointCloud)
    if not problem.classes:
        density = replace(density, labels=None)
    if isinstance(density, PointCloud) and shape is None:
        density, counts = _embedded(e, density, sources)
    path, coupling = problem.path, problem.coupling
    low, high = training_times(path)
    if isinstance(path, Custom):
        path = _typed(path, sources)
    if isinstance(coupling, OptimalTransport):
        coupling = Assignment()
    return Parts(
        path=path,
        density=density,
        source=replace(problem.source, labels=None),
        coupling=coupling,  # pyright: ignore[reportArgumentType]
        target=problem.target,
        law=problem.law,
        box=problem.box,
        shape=shape,
        counts=counts,
        asked=asked,
        tableau=RK4 if SOLVERS[e.solver].adaptive else SOLVERS[e.solver],
        sizes=Sizes(e.dim, e.width, e.depth, e.fourier, problem.classes),
        label=e.label,
        ends=(max(low, 1e-6), high),
        times=problem.target.times(problem.path),
    )


def _embedded(
    e: Experiment, density: PointCloud, sources: Sources
) -> tuple[PointCloud, tuple[int, ...] | None]:
    """The cloud that the script carries, and the classes' counts in the whole one where it is thinned."""
    whole = clouds.Cloud(density.points, density.labels, unmoved(density.dim))
    kept = clouds.thinned(whole, EMBEDDED, torch.Generator().manual_seed(e.seed))
    cloud, total = PointCloud(kept.points, kept.labels), len(density)
    which = "all points" if len(cloud) == total else f"a random {len(cloud):,} of the {total:,} points"
    sources.write(f'# The cloud, {which}.\nPOINTS = "{clouds.pack(kept.points, kept.labels)}"')
    code = "unpack(POINTS)[0]" if kept.labels is None else "*unpack(POINTS)"
    sources.embed(cloud, "density", code, recipe.unpack)
    thinned = len(cloud) < total and density.labels is not None
    return cloud, tuple(density.labels.bincount().tolist()) if thinned else None  # pyright: ignore


def _typed(path: Custom, sources: Sources) -> Typed:
    """The path of two formulas, which the script holds as functions."""
    code = {name: bare(Formula(text).code()) for name, text in (("a", path.a), ("b", path.b))}
    for name, expression in code.items():
        sources.write(f"def {name}_of(t):\n    return {expression}")
    typed = Typed(torch.cos, torch.sin)
    sources.embed(typed, "path", "a_of, b_of")
    return typed


def bare(code: str) -> str:
    """An expression without the brackets around the whole of it."""
    depth = 0
    for at, letter in enumerate(code):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return code[1:-1] if letter == ")" and at == len(code) - 1 and code[0] == "(" else code
    return code


def step_text(e: Experiment, tableau: Tableau) -> str:
    """``step`` of the recipe, with the numbers of one tableau written out."""
    lines = [f'"""{"An" if tableau.name[0] in "AEIOU" else "A"} {tableau.name} step of length h."""']
    if SOLVERS[e.solver].adaptive:
        lines.append("# The studio used the adaptive dopri5; so many steps of order 4 are as good here.")
    if len(tableau.b) == 1:
        return "def step(e, p, net, x, t, h):\n" + textwrap.indent(
            "\n".join([*lines, "return x + h * velocity(e, p, net, x, t)"]), "    "
        )
    for k, (row, share) in enumerate(zip(tableau.a, tableau.c, strict=True), 1):
        when = "t" if not share else f"t + {_times(share, 'h')}"
        lines.append(f"k{k} = velocity(e, p, net, {_moved(row)}, {when})")
    lines.append(f"return {_moved(tableau.b)}")
    return "def step(e, p, net, x, t, h):\n" + textwrap.indent("\n".join(lines), "    ")


def _moved(row: Row) -> str:
    """x + h Σ w_i k_i, over one denominator."""
    used = [(w, f"k{k}") for k, w in enumerate(row, 1) if w]
    if not used:
        return "x"
    whole = max(w.denominator for w, _ in used)
    terms = " + ".join(_times(w * whole, k) for w, k in used)
    return f"x + {_times(Fraction(1, whole), 'h')} * {f'({terms})' if len(used) > 1 else terms}"


def _times(number: Fraction, name: str) -> str:
    top = name if number.numerator == 1 else f"{number.numerator} * {name}"
    return top if number.denominator == 1 else f"{top} / {number.denominator}"


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
        "Time t = 0 is data, t = 1 is noise. A particle moves between x0 and x1 as x_t, and the net\n"
        "learns u(x, t), the mean velocity of all that pass x at time t. Following u from t = 1 to 0\n"
        "makes noise into data.\n"
        '"""\n\n'
    )
