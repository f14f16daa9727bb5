"""An errand: the work of one API call. It ends with its budget or its client, and lets visitors go first.

Whoever does the work calls :meth:`Errand.go_on` at every step. Memory is estimated and refused beforehand,
seconds are counted; the sentence of either names the bound.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from gradio.context import LocalContext

from fmstudio.studio.line import Line, Place
from fmstudio.studio.running import Stopped

SECONDS, GIGABYTES = "FMSTUDIO_API_SECONDS", "FMSTUDIO_API_MEMORY"
"""The variables that hold the budget; options of app.py set them."""

_LOOK_AGAIN = 0.5


@dataclass(frozen=True)
class Budget:
    """What one API call may use.

    Args:
        seconds: of work, without the time that it waits for others.
        gigabytes: of memory, by an estimate from its settings.
    """

    seconds: float = 900.0
    gigabytes: float = 4.0


def budget() -> Budget:
    """The operator's budget, from the environment.

    Raises:
        ValueError: a variable that is not a number above 0; "inf" is one.
    """
    usual = Budget()
    return Budget(_positive(SECONDS, usual.seconds), _positive(GIGABYTES, usual.gigabytes))


def _positive(name: str, usual: float) -> float:
    given = os.environ.get(name, "")
    try:
        value = float(given) if given else usual
    except ValueError:
        value = 0.0
    if not value > 0:
        raise ValueError(f"{name}: expected a number above 0, or inf for no bound; got {given!r}.")
    return value


def check_memory(needed: float) -> None:
    """Refuse work before it starts.

    Args:
        needed: bytes that it is estimated to take.

    Raises:
        ValueError: more than the budget.
    """
    allowed = budget().gigabytes
    if needed > allowed * 1e9:
        raise ValueError(
            f"This would take about {needed / 1e9:.1f} GB of memory; an API call may use {allowed:g} GB "
            f"({GIGABYTES}). Ask for less, or use python -m fmstudio, which has no such bound."
        )


class Errand:
    """One API call under way.

    Args:
        place: in the line of what it uses, or None where there is no line.
        seconds: that it may work.
    """

    def __init__(self, place: Place | None, seconds: float) -> None:
        self.place, self.seconds = place, seconds
        self._until = time.monotonic() + seconds

    def go_on(self, *_: object) -> None:
        """Come back when the next step may be made; whatever progress it is given is left aside.

        Raises:
            ValueError: the budget is used up.
            Stopped: the client has left or cancelled.
        """
        _check_client()
        if time.monotonic() > self._until:
            raise ValueError(
                f"Ended after {self.seconds:g} seconds of work, all that an API call may use ({SECONDS}). "
                "Ask for less, or use python -m fmstudio, which has no such bound."
            )
        self.wait()

    def wait(self) -> None:
        """Wait for its turn, at first or after stepping aside; the seconds that it waits are no work.

        Raises:
            Stopped: the client has left or cancelled.
        """
        since = time.monotonic()
        while self.place is not None and self.place.ahead():
            _check_client()
            self.place.wait(_LOOK_AGAIN)
        self._until += time.monotonic() - since


@contextmanager
def errand(line: Line | None = None) -> Generator[Errand]:
    """Do an errand, as a guest in a line where there is one, once its turn has come.

    Args:
        line: of what it uses.

    Raises:
        Stopped: the client left before its turn.
    """
    with nullcontext() if line is None else line.join(guest=True) as place:
        work = Errand(place, budget().seconds)
        work.wait()
        yield work


def _check_client() -> None:
    if not client_waits():
        raise Stopped


def client_waits() -> bool:
    """Whether whoever asked for what this thread does is still there; always, outside of a served call.

    Gradio marks an event whose stream was closed as not alive, and lets go of one that was cancelled, but the
    thread that works for it knows nothing of either.
    """
    page, asked = LocalContext.blocks.get(None), LocalContext.event_id.get(None)
    if page is None or asked is None:
        return True
    jobs = [job for job in page._queue.active_jobs if job]  # pyright: ignore[reportPrivateUsage]
    return any(event._id == asked and event.alive for job in jobs for event in job)  # pyright: ignore[reportPrivateUsage]
