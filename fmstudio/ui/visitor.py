"""What one visitor has: an experiment, and a net if one was trained. Nobody else sees it."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from fmstudio.flow.couplings.coupling import FixedPairs
from fmstudio.learn.clouds import Made
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.training.checkpoints import Checkpoint
from fmstudio.note.lineage import Lineage
from fmstudio.note.report import Result

SHIPPED, TRAINED, OPENED = "shipped", "trained here", "from a file"
"""Where a net can come from."""


@dataclass(eq=False)
class Action:
    """A long action under way.

    Args:
        name: what its Stop button calls it.
        halted: whether it has been asked to end.
    """

    name: str
    halted: bool = False


@dataclass(frozen=True)
class Picture:
    """A picture of a room under way.

    Args:
        wanted: what it was asked for: room, experiment, view, and which net.
        shows: the same with the state of that net when it was begun.
        coming: the updates of the room's outputs.
    """

    wanted: tuple[Any, ...]
    shows: tuple[Any, ...]
    coming: Future[Any]


@dataclass(frozen=True)
class OwnNet:
    """A visitor's own net while a lesson shows another, with what belongs to it."""

    checkpoint: Checkpoint
    net_from: str
    pairs: FixedPairs | None
    straightness: list[float]


@dataclass
class Visitor:
    """One visitor's state; it lives in the page's session and nowhere else.

    Attributes:
        experiment: what the sidebar shows.
        checkpoint: the latest net with the experiment it learned, or None; a stopped training leaves one.
        net_from: where that net came from, as the page says it; another may take a shipped one's place.
        pairs: reflow pairs that the net was trained on, or None.
        lesson: the experiment of a lesson's step that shows the studio's own net, or None; aside: the
            visitor's net meanwhile.
        use_net: whether the visitor asked the Sample room for the net's field or for the exact one; None
            leaves it to the room, which takes the net where there is one.
        work: a number that grows when the Sample room starts or stops something: what is older has to end.
        error_time: the t of the Train room's map of the error.
        measured: what the Sample room's figures on demand were measured on.
        room: the one on screen; view: what the Paths room puts side by side; painted: what each room shows.
        shown: what the browser shows of the experiment, by part; pending: the picture under way; called: how
            often the browser was told to ask for a picture.
        refused: why the last edit was not taken, until the visitor is told; told: what was changed besides.
        drafts: formulas that were refused and stay to be mended, by field: what was typed, and why not.
        latest: when in the browser's own count each kind of turn was last taken: see :meth:`turn`.
        claims: the visitor's own results in the note's room, by the claim's number and whether it was broken.
        lineage: the visitor's own table of the lineage with what it is of, or None.
        page: what the note's room is opened at.
        running: the long actions that are under way: see :mod:`fmstudio.ui.halting`.
        straightness: of the flow before the first straightening, and after each.
        desk: what was made of the file that was brought last, or None; it shows while its points play.
        put_aside: the points whose place a drawing has taken, for its undoing.
        drawn: how often the board has sent something.
    """

    experiment: Experiment = field(default_factory=Experiment)
    checkpoint: Checkpoint | None = None
    net_from: str = SHIPPED
    pairs: FixedPairs | None = None
    lesson: Experiment | None = None
    aside: OwnNet | None = None
    use_net: bool | None = None
    work: int = 0
    error_time: float = 0.5
    measured: tuple[Any, ...] | None = None
    room: str = "Paths"
    view: str = "Q and P"
    painted: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    shown: dict[str, dict[str, Any]] = field(default_factory=dict)
    pending: Picture | None = None
    called: int = 0
    refused: str = ""
    told: list[str] = field(default_factory=list)
    drafts: dict[str, tuple[str, str]] = field(default_factory=dict)
    latest: dict[str, float] = field(default_factory=dict)
    straightness: list[float] = field(default_factory=list)
    claims: dict[tuple[str, bool], Result] = field(default_factory=dict)
    lineage: tuple[dict[str, Any], Lineage] | None = None
    page: str = "overview"
    running: list[Action] = field(default_factory=list)
    desk: Made | None = None
    put_aside: str = ""
    drawn: int = 0

    def turn(self, kind: str, moment: float) -> bool:
        """Whether this turn is the latest of its kind. Turns that follow quickly may arrive in any order.

        Args:
            kind: what is turned: a room, a page, a lesson.
            moment: of the turn, in any count that only grows in the browser.
        """
        if moment <= self.latest.get(kind, -1.0):
            return False
        self.latest[kind] = moment
        return True
