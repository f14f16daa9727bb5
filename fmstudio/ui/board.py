"""The board: a canvas on which a person draws a cloud of points or drags the components of a mixture."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch

from fmstudio.learn import clouds
from fmstudio.learn.catalogue.data import MOST_COMPONENTS
from fmstudio.learn.experiment import Experiment
from fmstudio.ui.element import Element

SHOWN = 1_500
"""Points of a file that the board shows."""

_HTML = """
<div class="fm-board">
  <div class="board-plane">
    <canvas role="img" aria-label="The board"></canvas>
    <div class="board-parts" role="application" aria-label="Components of the mixture"
      aria-describedby="board-keys"></div>
    <span class="board-tip"></span><span class="board-tip"></span>
  </div>
  <p class="board-said" role="status"></p>
  <label class="board-weight">weight <input type="range" min="1" max="99" step="1"><output></output></label>
  <div class="board-row">
  <button type="button" data-board="add">+ component</button>
  <button type="button" data-board="remove">− component</button>
  <button type="button" data-board="draw">Draw instead</button>
  <button type="button" data-board="undo">Undo</button>
  <button type="button" data-board="clear">Clear</button></div>
  <p class="board-hint"></p>
  <p class="board-keys" id="board-keys">
  <span><kbd>arrows</kbd> move,</span>
  <span><kbd>D</kbd> <kbd>A</kbd> wider, narrower,</span>
  <span><kbd>W</kbd> <kbd>S</kbd> taller, flatter,</span>
  <span><kbd>Q</kbd> <kbd>E</kbd> turn,</span>
  <span><kbd>+</kbd> <kbd>−</kbd> weight,</span>
  <span><kbd>Shift</kbd> finer,</span>
  <span><kbd>Del</kbd> removes,</span>
  <span><kbd>Ctrl Z</kbd> undoes</span>
  </p>
</div>
"""


class Board(Element):
    """A canvas whose ``input`` event carries strokes or mixture components.

    The event's data is ``{"strokes": [[[x, y], …], …]}``, without any where the board was cleared,
    ``{"components": [[w, mx, my, sxx, sxy, syy], …]}``, or ``{"back": true}`` where a drawing that took the
    place of other points was undone; in units of the plane; and ``count``, of all that was sent. It comes
    from the browser: check it before use.
    """

    if TYPE_CHECKING:
        input: Callable[..., Any]
        """``board.input(fn, inputs, outputs)``: a stroke ended or a component was let go."""

    module = "board"
    triggers = ("input",)

    def __init__(self, value: str | None = None, *, visible: bool = False, **_: Any):
        super().__init__(
            value=value or board_value(Experiment()),
            html=_HTML,
            given={"example": rounded(clouds.example_drawing().strokes), "most": MOST_COMPONENTS},
            visible=visible,
            elem_id="board",
        )


def board_value(experiment: Experiment, count: int = 0) -> str:
    """What the board shows: the mixture, a drawing (none is the example), or the points of a file.

    Args:
        experiment: whose data it shows.
        count: of what the board has sent, up to what the experiment knows of it.
    """
    shown: dict[str, Any] = {"mode": "draw", "strokes": [], "count": count}
    if experiment.data == "mixture":
        shown |= {"mode": "mixture", "components": json.loads(experiment.mixture)}
    elif experiment.data == "points" and experiment.points:
        cloud = clouds.unpack(experiment.points)
        if cloud.strokes:
            shown["strokes"] = rounded(cloud.strokes)
        else:
            few = clouds.thinned(cloud, SHOWN, torch.Generator().manual_seed(0))
            line = torch.zeros(len(few.points), 2 - few.points.shape[1])
            shown |= {
                "mode": "cloud",
                "points": torch.cat([few.points, line], 1).double().round(decimals=2).tolist(),
            }
            shown["labels"] = None if few.labels is None else few.labels.tolist()
    return json.dumps(shown)


def rounded(strokes: Sequence[Sequence[tuple[float, float]]]) -> list[list[list[float]]]:
    """Strokes for the browser."""
    return [[[round(x, 3), round(y, 3)] for x, y in stroke] for stroke in strokes]
