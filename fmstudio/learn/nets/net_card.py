"""What a net is, knows and was trained on, and which field a sampler follows: the one place that says it.

Every room, lesson, endpoint, command and caption asks here, so that a field always matches its label. A net
is never asked for a class that it does not know; what is followed instead, and why, is a :class:`Chosen`.
"""

from __future__ import annotations

from dataclasses import dataclass

from fmstudio.flow.oracle.oracle_for import Oracle
from fmstudio.flow.solve.fields import VelocityField
from fmstudio.learn.build import coupling_of, oracle_of
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.nets.shipped import problem, same_velocity
from fmstudio.learn.simulate import conditioned, refuse_noise_after_reflow
from fmstudio.learn.training.checkpoints import Checkpoint

NO_CLOSED_FORM = (
    "With the coupling '{coupling}' x₀ and x₁ are not independent, and the mean velocity has no closed form. "
    "Train a net to see the flow."
)


@dataclass(frozen=True)
class NetCard:
    """What a net is, knows and was trained on.

    Args:
        learned: the experiment of its training.
        step: how many steps it took.
        inputs: classes that it has inputs for.
        straightened: whether it was trained on pairs that a net had made (reflow). It then follows paths of
            its own; only their ends are the experiment's. The pairs have no classes.
    """

    learned: Experiment
    step: int
    inputs: int
    straightened: bool

    @staticmethod
    def of(checkpoint: Checkpoint) -> NetCard:
        """The card of a checkpoint's net."""
        classes = checkpoint.network.shape.classes
        return NetCard(checkpoint.experiment, checkpoint.step, classes, checkpoint.of_pairs)

    @property
    def classes(self) -> int:
        """How many classes it can be asked for; 0 where it was never told one."""
        return 0 if self.no_class else self.inputs

    @property
    def no_class(self) -> str:
        """Why it cannot be asked for a class, or an empty text."""
        if not self.inputs:
            return "This net was trained without classes."
        if self.straightened:
            return "This net was straightened, on pairs without classes."
        return "This net was never told a class: label drop 1." if self.learned.label_drop == 1 else ""

    @property
    def caution(self) -> str:
        """What it was never trained for and answers all the same, or an empty text."""
        if self.classes and self.learned.label_drop == 0:
            return (
                "This net was always told the class (label drop 0): what it answers without one, it never "
                "learned."
            )
        return ""

    def fits(self, experiment: Experiment) -> bool:
        """Whether its flow is the experiment's: the same data, source, path and coupling."""
        return same_velocity(self.learned, experiment)

    def answers(self, experiment: Experiment) -> bool:
        """Whether it is a net of just this experiment, also in what it is told, and was not straightened."""
        return problem(self.learned) == problem(experiment) and not self.straightened

    @property
    def name(self) -> str:
        """What it is called."""
        return "straightened net" if self.straightened else "trained net"


@dataclass(frozen=True, eq=False)
class Chosen:
    """The field that a sampler follows, and what it is the field of.

    Args:
        field: the velocity.
        experiment: what was asked for, without a class that this field does not follow: its samples are to
            be compared with the data of *this* experiment's label.
        card: of the net; None for the exact u.
        left_out: why a class that was asked for is not followed, or an empty text.
        checkpoint: of the net, or None.
    """

    field: VelocityField
    experiment: Experiment
    card: NetCard | None
    left_out: str = ""
    checkpoint: Checkpoint | None = None

    @property
    def label(self) -> int | None:
        """The class that it is the field of; None for all data."""
        return self.experiment.label if self.experiment.label >= 0 else None

    @property
    def guidance(self) -> float:
        """The weight w that pushes it away from the mean of all classes; 1 where nothing does."""
        return 1.0 if self.label is None else self.experiment.guidance


def has_closed_form(experiment: Experiment) -> bool:
    """Whether the oracle knows u: the coupling is independent."""
    return coupling_of(experiment).independent


def exact_field(experiment: Experiment) -> Oracle:
    """The oracle of the experiment, of all data.

    Raises:
        ValueError: the coupling leaves no closed form.
    """
    if not has_closed_form(experiment):
        raise ValueError(NO_CLOSED_FORM.format(coupling=experiment.coupling))
    return oracle_of(experiment)


def choose(experiment: Experiment, checkpoint: Checkpoint | None, *, lenient: bool = False) -> Chosen:
    """The field that the experiment's sampler follows: the net given, else the exact u; of a class if asked.

    Args:
        experiment: with ``label`` (−1 for all data) and ``guidance``; a guidance of 0 leaves the class out.
        checkpoint: of the net to follow, or None for the exact u.
        lenient: leave out a class that the net does not know, and say so; else it is refused.

    Raises:
        ValueError: the net learned another flow, or does not know the class; a straightened net with noise;
            no net is given, and the coupling leaves no closed form.
    """
    card = None if checkpoint is None else NetCard.of(checkpoint)
    if card is not None and not card.fits(experiment):
        learned = card.learned
        raise ValueError(
            f"The net learned {learned.data}, path {learned.path}, source {learned.source}, coupling "
            f"{learned.coupling}; the experiment asks for another flow. Sample the net's own experiment."
        )
    unknown = card is not None and experiment.label >= 0 and card.no_class
    if unknown and not lenient:
        raise ValueError(
            f"label: {unknown} It cannot be asked for class {experiment.label}. Leave the class out (label "
            "−1), or train a net with conditional = true."
        )
    followed, left_out = experiment, ""
    if unknown:
        followed, left_out = experiment.but(label=-1), unknown
    elif experiment.label >= 0 and experiment.guidance == 0:
        followed, left_out = experiment.but(label=-1), "Guidance 0 leaves the class out."
    if checkpoint is None:
        return Chosen(conditioned(exact_field(followed), followed), followed, None, left_out)
    refuse_noise_after_reflow(followed, checkpoint.of_pairs)
    return Chosen(checkpoint.field(followed), followed, card, left_out, checkpoint)
