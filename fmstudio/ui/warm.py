"""Scenes and image models that most visitors ask for first are there before they ask, by a quiet thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable

from fmstudio.learn.experiment import DATA, PATHS, Experiment
from fmstudio.studio.paths import paths_room
from fmstudio.studio.session import Visitor
from fmstudio.ui.rooms.images.parts import warm_models

SETTLED = 3.0
"""Seconds after the page is served before the first scene is drawn: the first visitor goes first."""

PAUSE = 0.5
"""Seconds between two scenes, so that a small machine stays free for its visitors."""


def first_clicks() -> list[Experiment]:
    """The default experiment, and what one click on a data set or a path makes of it."""
    changed = [Experiment(data=data) for data in DATA if data != "points"]
    changed += [Experiment(path=path) for path in PATHS if path != "custom"]
    return list(dict.fromkeys(changed))


def draw_ahead(experiments: Iterable[Experiment]) -> None:
    """Draw the Paths room of each experiment; it is kept for everybody who asks."""
    for experiment in experiments:
        time.sleep(PAUSE)
        paths_room(Visitor(experiment=experiment))


def start() -> None:
    """Draw the first clicks and load the first image models in the background.

    The thread ends with them, or with the process.
    """

    def work() -> None:
        time.sleep(SETTLED)
        draw_ahead(first_clicks())
        warm_models()

    threading.Thread(target=work, name="scenes ahead", daemon=True).start()
