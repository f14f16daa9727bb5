"""From the experiment's names and numbers to the objects of the mathematics.

Strings end here: everything below ``learn`` takes objects. Whatever is costly is built once for equal choices
and then shared, so nobody may change it in place.
"""

from __future__ import annotations

from functools import lru_cache

from fmstudio.flow.couplings.coupling import Coupling
from fmstudio.flow.densities.density import Density
from fmstudio.flow.densities.mixture import GaussianMixture
from fmstudio.flow.oracle.oracle_for import Oracle, oracle_for
from fmstudio.flow.paths.path import Path
from fmstudio.learn.experiment import COUPLINGS, DATA, PATHS, SOURCES, Experiment
from fmstudio.learn.fields import fields_of


def path_of(experiment: Experiment) -> Path:
    """The original trajectories that the experiment names.

    Raises:
        ValueError: a formula or number that makes no path, or a path that turns the plane for data on a line.
    """
    path = PATHS[experiment.path].make(experiment)
    if experiment.dim == 1 and path.turns:
        raise ValueError(
            f"path: the {experiment.path} turns the plane, so it needs data with 2 coordinates; "
            f"the data {experiment.data!r} has 1. Choose another path or other data."
        )
    return path


def density_of(experiment: Experiment) -> Density:
    """The data: a mixture where the density has a formula, else the cloud of the experiment's points.

    A shape or a word is drawn with the seed of the experiment: the same seed, the same cloud.

    Raises:
        ValueError: a mixture, a word or a packed cloud that cannot be read.
    """
    return _density(experiment.only(fields_of("data")))


def source_of(experiment: Experiment) -> GaussianMixture:
    """The noise, of the data's dimension.

    Raises:
        ValueError: eight Gaussians in the plane for data on a line.
    """
    return SOURCES[experiment.source].make(experiment)


def coupling_of(experiment: Experiment) -> Coupling:
    """Who is paired with whom, within a mini-batch."""
    return COUPLINGS[experiment.coupling].make(experiment)


def oracle_of(experiment: Experiment) -> Oracle:
    """The exact answers for the experiment's data, source and path under the independent coupling.

    Other couplings have no closed form; ask ``coupling_of(experiment).independent`` before showing this.

    Raises:
        ValueError: as :func:`path_of`, :func:`density_of` and :func:`source_of`.
    """
    return _oracle(experiment.only(fields_of("data", "source", "path")))


@lru_cache(maxsize=32)
def _density(experiment: Experiment) -> Density:
    return DATA[experiment.data].make(experiment)


@lru_cache(maxsize=32)
def _oracle(experiment: Experiment) -> Oracle:
    return oracle_for(path_of(experiment), density_of(experiment), source_of(experiment))


def class_names(experiment: Experiment, count: int) -> list[str]:
    """What the classes of the data are called, ``count`` of them; by number where they have no name."""
    data = DATA[experiment.data]
    names = data.class_names(experiment, count)
    return [names[k] if k < len(names) else f"{data.part} {k}" for k in range(count)]
