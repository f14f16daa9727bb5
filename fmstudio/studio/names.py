"""What the classes of the data are called."""

from __future__ import annotations

from fmstudio.learn.clouds import unpack
from fmstudio.learn.experiment import Experiment

_CLASSES = {
    "moons": ("upper moon", "lower moon"),
    "rings": ("inner ring", "middle ring", "outer ring"),
}
_PARTS = {
    "8 gaussians": "bump", "two spirals": "arm", "pinwheel": "blade", "mixture": "component",
    "line mixture": "component",
}  # fmt: skip


def class_names(experiment: Experiment, count: int) -> list[str]:
    """What the classes of the data are called, ``count`` of them; by number where they have no name."""
    names = _CLASSES.get(experiment.data, ())
    if experiment.data == "points" and experiment.points:
        names = unpack(experiment.points).names
    if experiment.data == "word":
        letters = tuple(letter for letter in experiment.word if not letter.isspace())
        names = letters if len(letters) == count else ()
    return [
        names[k] if k < len(names) else f"{_PARTS.get(experiment.data, 'class')} {k}" for k in range(count)
    ]
