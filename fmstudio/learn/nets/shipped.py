"""The nets that come with the studio: which one answers for an experiment.

A net answers for every experiment with the same problem: the same data, source, path, coupling, target and
classes. How it was trained, for how long, and with which seed, does not change what it stands for.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from safetensors import safe_open

from fmstudio.folders import MODELS
from fmstudio.learn.experiment import COUPLINGS, DATA, PATHS, Experiment
from fmstudio.learn.training.checkpoints import Checkpoint, load

FOLDER = MODELS / "nets"


def problem(experiment: Experiment) -> dict[str, Any]:
    """The fields on which the marginal velocity depends, and what a net says of it.

    A zig-zag chain has the velocity of the smooth path with its marginals, so it is the same problem.

    >>> problem(Experiment(path="zig-zag")) == problem(Experiment(path="spherical"))
    True
    >>> problem(Experiment(train_steps=7, power=3)) == problem(Experiment())
    True
    """
    e = experiment
    path = PATHS[e.around if PATHS[e.path].chain else e.path]
    around = PATHS[e.around].fields if path.around else ()
    names = {"source", "coupling", "target", "conditional", "data"}
    names.update(DATA[e.data].fields, COUPLINGS[e.coupling].fields, path.fields, around)
    names.discard("data_points")  # Of a shape's density, however many points are drawn of it.
    return {name: getattr(e, name) for name in sorted(names)} | {"path": path.name}


def same_velocity(one: Experiment, other: Experiment) -> bool:
    """Whether two experiments have one marginal velocity, whatever a net predicts to know it.

    A coupling that is not independent pairs each class by itself for a conditional net: another flow.

    >>> same_velocity(Experiment(target="x0", seed=5), Experiment())
    True
    >>> same_velocity(Experiment(conditional=True), Experiment())
    True
    >>> same_velocity(Experiment(data="moons"), Experiment())
    False
    """
    of_the_net = ("target", "conditional") if one.coupling == "independent" else ("target",)
    left, right = (
        {name: value for name, value in problem(e).items() if name not in of_the_net} for e in (one, other)
    )
    return left == right


def shipped(experiment: Experiment) -> Checkpoint | None:
    """The shipped net for an experiment's problem, or None. It is shared: nobody may change it in place."""
    wanted = problem(experiment)
    for file, solved in _catalogue():
        if solved == wanted:
            return _loaded(file)
    return None


@lru_cache(maxsize=1)
def _catalogue() -> tuple[tuple[Path, dict[str, Any]], ...]:
    found = []
    for file in sorted(FOLDER.glob("*.safetensors")):
        with safe_open(file, framework="pt") as opened:
            found.append((file, problem(Experiment.from_dict(json.loads(opened.metadata()["experiment"])))))
    return tuple(found)


@lru_cache(maxsize=32)
def _loaded(file: Path) -> Checkpoint:
    return load(file)
