"""What one visitor has: an experiment, and a net if one was trained. Nobody else sees it."""

from __future__ import annotations

from dataclasses import dataclass, field

from fmstudio.flow.couplings import FixedPairs
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.train import Progress, Trained


@dataclass
class History:
    """The curves of a training, as far as it got; lists of equal length, one entry a report."""

    steps: list[int] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    excess: list[float] = field(default_factory=list)
    energy_steps: list[int] = field(default_factory=list)
    energy: list[float] = field(default_factory=list)
    floor: float | None = None

    def add(self, progress: Progress) -> None:
        """Take one report of the training in."""
        self.steps.append(progress.step)
        self.loss.append(progress.loss)
        self.floor = progress.floor
        self.excess.append(progress.excess if progress.excess is not None else float("nan"))
        if progress.energy_distance is not None:
            self.energy_steps.append(progress.step)
            self.energy.append(progress.energy_distance)


@dataclass
class Visitor:
    """One visitor's state; it lives in the page's session and nowhere else.

    Attributes:
        experiment: what the sidebar shows.
        trained: the latest net with the experiment it learned, or None; a stopped training leaves one.
        history: the curves of that training.
        pairs: reflow pairs of the latest straightening, or None.
        rounds: how many times this net's flow was straightened.
    """

    experiment: Experiment = field(default_factory=Experiment)
    trained: Trained | None = None
    history: History = field(default_factory=History)
    pairs: FixedPairs | None = None
    rounds: int = 0
