"""What one visitor has: an experiment, a net, what the rooms are set to, and what is under way.

Nobody else sees it.
"""

from __future__ import annotations

import weakref
from collections.abc import Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

from fmstudio.flow.couplings.coupling import FixedPairs
from fmstudio.learn.clouds import Made
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.training.checkpoints import Checkpoint
from fmstudio.note.lineage import Lineage
from fmstudio.note.report import Result
from fmstudio.studio.running import Running

SHIPPED, TRAINED, OPENED = "shipped", "trained here", "from a file"
"""Where a net can come from."""

NetMark = weakref.ref[Checkpoint]
"""A net as it was at one moment: kept alive by no mark, and never taken for a later net as its id may be."""


@dataclass(frozen=True, eq=False)
class Net:
    """A net, with what belongs to it.

    Args:
        checkpoint: the latest, with the experiment that it learned, or None; a stopped training leaves one.
        origin: where it came from, as the page says it; another may take a shipped one's place.
        pairs: reflow pairs that it was trained on, or None.
        straightness: of the flow before the first straightening, and after each.
    """

    checkpoint: Checkpoint | None = None
    origin: str = SHIPPED
    pairs: FixedPairs | None = None
    straightness: tuple[float, ...] = ()

    def mark(self) -> NetMark | None:
        """The net as it is now."""
        return None if self.checkpoint is None else weakref.ref(self.checkpoint)


@dataclass(frozen=True, eq=False)
class Lesson:
    """A lesson's step that shows the studio's own net.

    Args:
        experiment: of the step.
        aside: the visitor's net meanwhile.
    """

    experiment: Experiment
    aside: Net


@dataclass(frozen=True)
class Measured:
    """What the Sample room's figures on demand were measured on.

    Args:
        experiment: without what only concerns how its field is sampled and shown.
        net: the visitor's.
        use_net: whether its field was sampled.
    """

    experiment: Experiment
    net: NetMark | None
    use_net: bool


@dataclass
class Rooms:
    """What the rooms are set to, beside the experiment.

    Attributes:
        on_screen: the room that the visitor is in.
        view: what the Paths room puts side by side.
        error_time: the t of the Train room's map of the error.
        use_net: whether the visitor asked the Sample room for the net's field or for the exact one; None
            leaves it to the room, which takes the net where there is one.
        measured: what the Sample room's figures on demand are of.
        page: what the note's room is opened at.
        claims: the visitor's own results in the note's room, by the claim's number and whether it was broken.
        lineage: the visitor's own table of the lineage, and what of the experiment it is of.
    """

    on_screen: str = "Paths"
    view: str = "Q and P"
    error_time: float = 0.5
    use_net: bool | None = None
    measured: Measured | None = None
    page: str = "overview"
    claims: dict[tuple[str, bool], Result] = field(default_factory=dict)
    lineage: tuple[Lineage, dict[str, object]] | None = None


@dataclass(frozen=True)
class Painted:
    """What a room shows.

    Args:
        look: the room, the experiment, and all else that another picture would be of; no step of a training.
        net: as it was when the picture was begun, or None where the picture depends on none.
    """

    look: Hashable
    net: NetMark | None


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture of a room under way: what it will show, and the updates to come of the room's outputs."""

    shows: Painted
    coming: Future[object]


@dataclass
class Browser:
    """What the visitor's browser shows, and what it is still to be told.

    Attributes:
        shown: of the experiment, by part and property.
        painted: by room; pages: the experiment of each page of the note's room.
        pending: the picture under way; called: how often the browser was told to ask for a picture.
        refused: why the last edit was not taken, until the visitor is told; told: what was changed besides.
        drafts: formulas that were refused and stay to be mended, by field: what was typed, and why not.
        latest: when in the browser's own count each kind of turn was last taken: see :meth:`turn`.
    """

    shown: dict[str, dict[str, object]] = field(default_factory=dict)
    painted: dict[str, Painted] = field(default_factory=dict)
    pages: dict[str, Experiment] = field(default_factory=dict)
    pending: Picture | None = None
    called: int = 0
    refused: str = ""
    told: list[str] = field(default_factory=list)
    drafts: dict[str, tuple[str, str]] = field(default_factory=dict)
    latest: dict[str, float] = field(default_factory=dict)

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


@dataclass
class Visitor:
    """One visitor's state; it lives in the page's session and nowhere else.

    Attributes:
        experiment: what the sidebar shows.
        net: the one on screen; lesson: the one that shows another than the visitor's own meanwhile.
        rooms: what they are set to.
        browser: what it shows.
        running: the long actions under way.
        desk: what was made of the file that was brought last, or None; it shows while its points play.
        put_aside: the points whose place a drawing has taken, for its undoing.
        drawn: how often the board has sent something.
    """

    experiment: Experiment = field(default_factory=Experiment)
    net: Net = Net()
    lesson: Lesson | None = None
    rooms: Rooms = field(default_factory=Rooms)
    browser: Browser = field(default_factory=Browser)
    running: Running = field(default_factory=Running)
    desk: Made | None = None
    put_aside: str = ""
    drawn: int = 0

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The net on screen."""
        return self.net.checkpoint

    @property
    def own(self) -> Net:
        """The visitor's own net, which waits aside while a lesson shows another."""
        return self.net if self.lesson is None else self.lesson.aside

    @own.setter
    def own(self, net: Net) -> None:
        if self.lesson is None:
            self.net = net
        else:
            self.lesson = replace(self.lesson, aside=net)
