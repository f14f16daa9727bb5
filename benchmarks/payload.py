"""The player's payload: bytes and milliseconds of the default scene, against the same frames for Plotly."""

from __future__ import annotations

from itertools import count

import plotly.graph_objects as go

from benchmarks.race import Goal, Result, finish, in_turns
from fmstudio.learn.experiment import Experiment
from fmstudio.plots.scene.file import encode
from fmstudio.plots.scene.scene import Scene
from fmstudio.studio.paths import paths_room
from fmstudio.studio.session import Visitor

QUICK = {"particles": 50, "frames": 4, "rounds": 1}


def plotly_frames(scene: Scene) -> bytes:
    """The particles of all panes as Plotly frames (float32 arrays, never lists), as JSON."""

    def markers(k: int) -> list[go.Scattergl]:
        return [
            go.Scattergl(x=pane.positions[k, :, 0], y=pane.positions[k, :, 1], mode="markers")
            for pane in scene.panes
        ]

    frames = [go.Frame(data=markers(k), name=str(k)) for k in range(len(scene.times))]
    text = go.Figure(data=markers(0), frames=frames).to_json()
    assert text is not None
    return text.encode()


def race(particles: int = 2_000, frames: int = 60, rounds: int = 5) -> Result:
    """Build the Paths room's scene, write it for the player, write its particles for Plotly, in turns.

    Args:
        particles, frames: of the scene.
        rounds: measured, after one to warm up.
    """
    seeds = count(1_000)
    scene = _scene(particles, frames, next(seeds))
    sizes = {"player": len(encode(scene)), "Plotly": len(plotly_frames(scene))}
    times = in_turns(
        {
            # A seed that was never asked for, so that nothing is remembered.
            "scene": lambda: _scene(particles, frames, next(seeds)),
            "player": lambda: encode(scene),
            "Plotly": lambda: plotly_frames(scene),
        },
        rounds,
    )
    click = times["scene"].median + times["player"].median
    return Result(
        "The player's payload",
        f"The default experiment in the Paths room, {particles:,} particles × {frames} frames × two panes, "
        f"{rounds} rounds. The player's file also holds arrows, grey trajectories and curves; Plotly's "
        "frames hold the particles only.",
        ("what", "ms", "bytes", "bytes / player's"),
        (
            ("the scene, from a seed never asked for", times["scene"].milliseconds(), "", ""),
            ("written for the player", times["player"].milliseconds(), f"{sizes['player']:,}", "1.00"),
            (
                "written as Plotly frames", times["Plotly"].milliseconds(), f"{sizes['Plotly']:,}",
                f"{sizes['Plotly'] / sizes['player']:.2f}",
            ),
        ),
        (
            Goal(
                "the server's part of a click to moving particles < 300 ms",
                f"{1e3 * click:.0f} ms",
                click < 0.3,
            ),
        ),
        (
            "The browser's part (transfer, upload to the GPU, first frame) comes on top: see the next race.",
            "The scene of an experiment that was shown before is kept: then only the file's address is sent.",
        ),
    )  # fmt: skip


def _scene(particles: int, frames: int, seed: int) -> Scene:
    return paths_room(Visitor(experiment=Experiment(particles=particles, frames=frames, seed=seed)))


if __name__ == "__main__":
    finish(race, QUICK, __doc__)
