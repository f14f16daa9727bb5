"""The player as a Gradio component: a scene goes in as a file, a click comes back as a probe."""

from __future__ import annotations

import hashlib
import math
import os
import tempfile
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
import numpy as np
from gradio.data_classes import FileData, GradioModel

from fmstudio.plots.scene.file import curves_entry, encode
from fmstudio.plots.scene.scene import Curves, Scene
from fmstudio.ui.element import Element
from fmstudio.ui.wiring import sent


class PlayerData(GradioModel):
    """What the component's value is on the wire: the scene's file."""

    scene: FileData | None = None


_SCHEMA = PlayerData.model_json_schema()


@dataclass(frozen=True)
class Probe:
    """A point that was clicked: pane number, place, time."""

    pane: int
    x: float
    y: float
    t: float


@dataclass(frozen=True)
class Answer:
    """What the studio knows about a probed point; the player draws it, the fields that are None are left out.

    Args:
        probe: the point.
        paths: trajectories of Q through the point, shape (K, S, 2), drawn grey in ``path_pane``.
        times: times of the S path points, decreasing; linspace(1, 0, S) if None.
        fan: velocities v of those paths at the point, shape (K, 2).
        u: the exact mean velocity, shape (2,), a green arrow.
        net: the trained net's velocity, shape (2,), a violet arrow.
        var: var_t(x), carried along for other views.
        path_pane: the pane that shows the paths; the others show the fan.
        opens: whether it comes with a new scene, which then opens at the probe's time.

    All velocities are dx/dt; the player draws them as −v, the way particles move while t falls.
    """

    probe: Probe
    paths: Any = None
    times: Any = None
    fan: Any = None
    u: Any = None
    net: Any = None
    var: float | None = None
    path_pane: int = 0
    opens: bool = False

    def to_json(self) -> dict[str, Any]:
        """The answer as the browser reads it; numbers rounded to four decimals."""
        out: dict[str, Any] = {
            "pane": self.probe.pane,
            "x": self.probe.x,
            "y": self.probe.y,
            "t": self.probe.t,
            "pathPane": self.path_pane,
            "opens": self.opens,
        }
        for name in ("paths", "times", "fan", "u", "net", "var"):
            value = getattr(self, name)
            if value is not None:
                out[name] = _rounded(value, name)
        return out


def _rounded(value: Any, name: str) -> Any:
    array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value, dtype=np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"Answer.{name} must be finite.")
    return np.round(array, 4).tolist()


class Player(Element):
    """Plays a :class:`~fmstudio.plots.scene.scene.Scene`.

    As an output it takes a Scene (or the bytes of a scene file). ``Player(overlay=answer.to_json())``
    returned for the same output shows the answer to a probe and leaves the scene alone;
    ``Player(overlay={})`` takes it away. ``Player(measured=…)`` brings the curves that a scene awaits.

    Args:
        value: the first scene, or None.
        layers: what is switched on at first: "particles", "trails", "lines", "field", "arrows".
        colour: "class", "start", "end", "identity" or "plain".
        panes: how many panes to make room for before the first scene is there.
        curves: whether to keep room for the strip of curves when a scene has none.
        height: largest height of a pane in CSS pixels.
        follow: particles whose trajectories are drawn from the start; a click then follows the particle
            there (the last two clicked) and asks nothing. None: a click probes.
        names: other names of layers, such as {"lines": "the flow's lines"}.
        overlay: the answer to a probe, from :meth:`Answer.to_json`.
        measured: curves that came later, from :func:`later`.
        backend: "canvas2d" draws without WebGL, "webgl2" with it even where it runs on the CPU; None decides
            in the browser.

    The window event ``fm-clock`` carries {t, a, b, frame, id} on every frame drawn; the element of the class
    fm-player holds {frame, count, loads, backend, t, playing, …} in ``__player`` for tests.
    """

    module = "player"
    triggers = ("probe", "rest")
    data_model = PlayerData

    def __init__(
        self,
        value: Scene | bytes | None = None,
        *,
        layers: Sequence[str] = ("particles", "trails", "field"),
        colour: str = "end",
        panes: int = 2,
        curves: bool = False,
        height: int = 460,
        follow: Sequence[int] | None = None,
        names: dict[str, str] | None = None,
        overlay: dict[str, Any] | None = None,
        measured: dict[str, Any] | None = None,
        backend: str | None = None,
        visible: bool = True,
        elem_id: str | None = None,
        elem_classes: list[str] | str | None = None,
        render: bool = True,
    ):
        options = {
            "layers": list(layers),
            "colour": colour,
            "panes": panes,
            "curves": curves,
            "height": height,
            "follow": None if follow is None else list(follow),
            "names": names or {},
            "backend": backend,
            "id": elem_id,
        }
        super().__init__(
            value=value,
            html='<div class="fm-player"></div>',
            # Not a prop: Gradio replaces all props by those of an update, and gr.skip() is one without any.
            given=options,
            visible=visible,
            elem_id=elem_id,
            elem_classes=elem_classes,
            render=render,
            overlay=overlay,
            measured=measured,
        )

    if TYPE_CHECKING:
        probe: Callable[..., Any]
        """``player.probe(fn, inputs, outputs)``: a point was clicked; read it with :func:`read_probe`."""
        rest: Callable[..., Any]
        """``player.rest(fn, inputs, outputs)``: a scene awaits its curves; read it with :func:`read_rest`."""

    def preprocess(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, payload: PlayerData | None
    ) -> PlayerData | None:
        """Hand the value on as it is; handlers rarely need it."""
        return payload

    def postprocess(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, value: Scene | bytes | PlayerData | None
    ) -> PlayerData | None:
        """Write a scene into Gradio's cache and send its address."""
        if value is None or isinstance(value, PlayerData):
            return value
        data = encode(value) if isinstance(value, Scene) else value
        path = cache_scene(data, Path(self.GRADIO_CACHE))
        return PlayerData(scene=FileData(path=str(path), mime_type="application/octet-stream"))

    def example_payload(self) -> Any:
        """Nothing: a scene is a file."""
        return None

    def example_value(self) -> Any:
        """Nothing: a scene is a file."""
        return None

    def api_info(self) -> dict[str, Any]:
        """The schema of the value, for the API page."""
        # Gradio asks dozens of times while it builds the page, and pydantic would work it out each time.
        return deepcopy(_SCHEMA)


def cache_scene(data: bytes, folder: Path) -> Path:
    """Store a scene file under its own hash; the same scene is stored once, and leaves no folder behind.

    Args:
        data: the bytes of a scene file.
        folder: Gradio's cache.

    Returns:
        The file's path. Written under another name and moved into place, so no reader sees half a file.
    """
    target = folder / f"scene-{hashlib.sha256(data).hexdigest()}.bin"
    if target.exists():
        os.utime(target)
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    os.replace(name, target)
    return target


def later(name: str, curves: Curves) -> dict[str, Any]:
    """The curves that the scene of this name awaits, for ``Player(measured=…)``."""
    return {"of": name, "curves": curves_entry(curves)}


def read_rest(event: gr.EventData) -> str:
    """The name of what a scene awaits."""
    return str(sent(event).get("awaits", ""))


def read_probe(event: gr.EventData, panes: int = 3) -> Probe:
    """Read a probe event. It comes from a browser, so it is checked.

    Args:
        event: the event of ``player.probe``.
        panes: how many panes there are.

    Returns:
        The probe, with t in [0, 1] and a place within ±1e6.

    Raises:
        ValueError: a field is missing, not a number, or out of its range.
    """
    data = sent(event)
    numbers = []
    for name in ("x", "y", "t"):
        value = data.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError(f"A probe needs a finite number {name}; got {value!r}.")
        numbers.append(float(value))
    x, y, t = numbers
    pane = data.get("pane")
    if isinstance(pane, bool) or not isinstance(pane, int) or not 0 <= pane < panes:
        raise ValueError(f"A probe's pane is 0 … {panes - 1}; got {pane!r}.")
    if not 0 <= t <= 1 or abs(x) > 1e6 or abs(y) > 1e6:
        raise ValueError(f"A probe lies at t in [0, 1], within ±1e6; got x = {x}, y = {y}, t = {t}.")
    return Probe(pane, x, y, t)
