"""A scene: everything the player shows, as arrays on one clock.

A scene holds T frames at decreasing times, t = 1 (noise) first and t = 0 (data) last, for N particles in
one to three panes. Particle i is the same individual in every pane, so colours can follow it.
:mod:`fmstudio.plots.scene.file` writes a scene as the binary file that the browser plays.

Velocities are stored as v = dx/dt, as everywhere in the studio. The player draws −v, the way a particle
moves on the page while t runs from 1 down to 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fmstudio.plots.palette import ROLES
from fmstudio.plots.scene.live import Live

Floats = NDArray[Any]
"""Held as float32; given as any numeric array or tensor."""
Role = Literal["data", "noise", "exact", "learned", "error", "original"]


def _floats(values: Any, name: str, shape: tuple[int | None, ...], finite: bool = True) -> Floats:
    """Bring an array or tensor to float32 and check its shape; None in ``shape`` means any length."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
    array = np.asarray(values)
    if np.iscomplexobj(array):
        array = np.abs(array)
    array = np.ascontiguousarray(array, dtype=np.float32)
    if array.ndim != len(shape) or any(
        want is not None and want != got for want, got in zip(shape, array.shape, strict=True)
    ):
        wanted = ", ".join("any" if want is None else str(want) for want in shape)
        raise ValueError(f"{name} must have shape ({wanted}); got {array.shape}.")
    if finite and not np.isfinite(array).all():
        bad = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ValueError(f"{name} must be finite; its value at index {bad} is {array[bad]}.")
    return array


@dataclass(frozen=True)
class Arrows:
    """Velocities on a grid of points at every frame.

    Args:
        points: shape (G, 2).
        vectors: v = dx/dt at the points, shape (T, G, 2). All frames share one length scale. None: the
            browser computes them.
        role: whose velocity it is; it sets the colour.
    """

    points: Floats
    vectors: Floats | None
    role: Role = "exact"

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", _floats(self.points, "Arrows.points", (None, 2)))
        if self.vectors is not None:
            shape = (None, len(self.points), 2)
            object.__setattr__(self, "vectors", _floats(self.vectors, "Arrows.vectors", shape))
        _check_role(self.role)


@dataclass(frozen=True)
class Pane:
    """One cloud of particles.

    Args:
        title, caption: heading, and a few words beside it.
        positions: shape (T, N, 2), or (T, N, 1) in a one-dimensional scene; None where the browser
            computes them from the scene's ``live``.
        arrows: velocities on a grid.
        lines: original trajectories to draw in grey, shape (L, S, 2); their S points are at the times
            linspace(1, 0, S).
        shows: what the browser computes: "paths" of the particles, "one" where all end in the first one's
            data point, "flow"; None where it computes nothing.
        traced: of computed positions, how many of the first particles have their trajectories in grey.
    """

    title: str
    caption: str
    positions: Floats | None
    arrows: Arrows | None = None
    lines: Floats | None = None
    shows: Literal["paths", "one", "flow"] | None = None
    traced: int = 0

    def __post_init__(self) -> None:
        if self.positions is None:
            return
        positions = _floats(self.positions, "Pane.positions", (None, None, None))
        frames, count, coordinates = positions.shape
        if coordinates not in (1, 2):
            raise ValueError(f"Pane.positions must have 1 or 2 coordinates; got {coordinates}.")
        if coordinates == 1:
            positions = np.concatenate([positions, np.zeros((frames, count, 1), np.float32)], axis=2)
        object.__setattr__(self, "positions", positions)
        if self.lines is not None:
            object.__setattr__(self, "lines", _floats(self.lines, "Pane.lines", (None, None, 2)))


@dataclass(frozen=True)
class Curve:
    """A number over time, in the colour of its role; NaN leaves a gap. ``values`` has shape (T,)."""

    name: str
    values: Floats
    role: Role

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", _floats(self.values, "Curve.values", (None,), finite=False))
        _check_role(self.role)


@dataclass(frozen=True)
class Curves:
    """The strip under the panes: curves on the scene's clock.

    Args:
        label: what is measured, also the label of the vertical axis.
        caption: one line that says how to read it.
        series: the curves.
        band: lower and upper edge over time, shape (T, 2), e.g. what two fresh samples differ by.
        band_name: what the band is.
    """

    label: str
    caption: str
    series: tuple[Curve, ...]
    band: Floats | None = None
    band_name: str = "floor"

    def __post_init__(self) -> None:
        if self.band is not None:
            object.__setattr__(self, "band", _floats(self.band, "Curves.band", (None, 2)))


@dataclass(frozen=True)
class Scene:
    """Panes of particles on one clock.

    Args:
        times: shape (T,), T ≥ 2, strictly decreasing, in [0, 1]; usually from 1 (noise) to 0 (data).
        panes: one to three, all with the same T and N.
        a, b: the path's coefficients at the times, shape (T,); a complex one is shown by its modulus.
        bounds: what the panes show: (left, right, bottom, top).
        labels: class of each particle, shape (N,), integers ≥ 0, or None.
        curves: the strip under the panes, or None.
        live: what the browser computes panes from, and computes anew while something is dragged, or None.
        awaits: curves that are not there yet come under this name, once the browser asks; empty: none do.
        dim: 1 or 2. In a scene of dimension 1 only the first coordinate counts, and the player opens in
            the space–time view.

    Raises:
        ValueError: shapes that do not fit together, values that are not finite, times out of order.
    """

    times: Floats
    panes: tuple[Pane, ...]
    a: Floats
    b: Floats
    bounds: tuple[float, float, float, float]
    labels: NDArray[np.int16] | None = None
    curves: Curves | None = None
    dim: Literal[1, 2] = 2
    live: Live | None = None
    awaits: str = ""

    def __post_init__(self) -> None:
        times = _floats(self.times, "Scene.times", (None,))
        frames = len(times)
        if frames < 2 or np.any(np.diff(times) >= 0) or times[0] > 1 or times[-1] < 0:
            raise ValueError("Scene.times must hold at least two times that fall strictly within [0, 1].")
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "a", _floats(self.a, "Scene.a", (frames,)))
        object.__setattr__(self, "b", _floats(self.b, "Scene.b", (frames,)))
        object.__setattr__(self, "panes", tuple(self.panes))
        if not 1 <= len(self.panes) <= 3:
            raise ValueError(f"A scene has one to three panes; got {len(self.panes)}.")
        left, right, bottom, top = (float(v) for v in self.bounds)
        if not (np.isfinite([left, right, bottom, top]).all() and left < right and bottom < top):
            raise ValueError(f"Scene.bounds are (left < right, bottom < top); got {self.bounds}.")
        object.__setattr__(self, "bounds", (left, right, bottom, top))
        for pane in self.panes:
            self._check_pane(pane, frames, self.count)
        if self.labels is not None:
            labels = np.asarray(_floats(self.labels, "Scene.labels", (self.count,)), dtype=np.int16)
            object.__setattr__(self, "labels", labels)
        if self.curves is not None:
            lengths = [len(curve.values) for curve in self.curves.series]
            lengths += [len(self.curves.band)] if self.curves.band is not None else []
            if any(length != frames for length in lengths):
                raise ValueError(f"Curves must have one value per frame ({frames}); got {lengths}.")
        if self.dim not in (1, 2):
            raise ValueError(f"Scene.dim is 1 or 2; got {self.dim}.")

    @property
    def count(self) -> int:
        """N, the number of particles in each pane."""
        positions = self.panes[0].positions
        if positions is not None:
            return positions.shape[1]
        if self.live is None:
            raise ValueError("Positions that the browser computes need the scene's live.")
        return len(self.live.x0)

    @staticmethod
    def _check_pane(pane: Pane, frames: int, count: int) -> None:
        if pane.positions is None and pane.shows is None:
            raise ValueError(f"Pane {pane.title!r} has no positions and does not say what it shows.")
        if pane.positions is not None and pane.positions.shape[:2] != (frames, count):
            raise ValueError(
                f"Every pane needs positions of shape ({frames}, {count}, 2), one clock and one set of "
                f"particles; pane {pane.title!r} has {pane.positions.shape}."
            )
        vectors = None if pane.arrows is None else pane.arrows.vectors
        if vectors is not None and len(vectors) != frames:
            length = len(vectors)
            raise ValueError(f"Pane {pane.title!r}: arrows has {length} frames, the scene has {frames}.")


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise ValueError(f"A role is one of {', '.join(ROLES)}; got {role!r}.")


def frame_bounds(points: Any, margin: float = 0.08) -> tuple[float, float, float, float]:
    """A square window that holds nearly all points: the box of their 0.2 and 99.8 percentiles, widened.

    Args:
        points: shape (…, 2), finite.
        margin: added on each side, as a share of the window's width.

    Returns:
        (left, right, bottom, top), of equal width and height; at least 1e-3 wide.
    """
    flat = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    low, high = np.percentile(flat, [0.2, 99.8], axis=0)
    centre = (low + high) / 2
    half = max(float((high - low).max()) / 2, 5e-4) * (1 + 2 * margin)
    return (centre[0] - half, centre[0] + half, centre[1] - half, centre[1] + half)
