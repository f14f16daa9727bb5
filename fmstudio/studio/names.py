"""What the classes of the data are called."""

from __future__ import annotations

from fmstudio.learn.experiment import DATA, Experiment


def class_names(experiment: Experiment, count: int) -> list[str]:
    """What the classes of the data are called, ``count`` of them; by number where they have no name."""
    data = DATA[experiment.data]
    names = data.class_names(experiment, count)
    return [names[k] if k < len(names) else f"{data.part} {k}" for k in range(count)]
