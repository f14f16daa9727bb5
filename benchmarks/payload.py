"""The player's payload: bytes and milliseconds of the default scene, against the same frames for Plotly."""

from __future__ import annotations

from itertools import count

import plotly.graph_objects as go

from benchmarks.race import Goal, Result, finish, in_turns
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.nets.net_card import exact_field
from fmstudio.learn.simulate import draw_pairs, follow, frame_times, original_paths
from fmstudio.plots.scene.file import encode
from fmstudio.plots.scene.scene import Scene
from fmstudio.studio.paths import paths_room
from fmstudio.studio.session import Visitor

QUICK = {"particles": 50, "frames": 4, "rounds": 1}


def plotly_frames(experiment: Experiment) -> bytes:
    """The particles of both panes as Plotly frames (float32 arrays, never lists), as JSON."""
    times, pairs = frame_times(experiment), draw_pairs(experiment, experiment.particles)
    original = original_paths(experiment, pairs, times)
    heun = experiment.but(solver="heun", sample_steps=experiment.frames - 1)
    flow = follow(exact_field(experiment), original[0], heun, times).positions

    def markers(k: int) -> list[go.Scattergl]:
        panes = (original[k].numpy(), flow[k].numpy())
        return [go.Scattergl(x=at[:, 0], y=at[:, 1], mode="markers") for at in panes]

    frames = [go.Frame(data=markers(k), name=str(k)) for k in range(len(times))]
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
    first = _experiment(particles, frames, next(seeds))
    scene = _room(first)
    sizes = {"player": len(encode(scene)), "Plotly": len(plotly_frames(first))}
    times = in_turns(
        {
            # A seed that was never asked for, so that nothing is remembered.
            "scene": lambda: _room(_experiment(particles, frames, next(seeds))),
            "player": lambda: encode(scene),
            "Plotly": lambda: plotly_frames(_experiment(particles, frames, next(seeds))),
        },
        rounds,
    )
    click = times["scene"].median + times["player"].median
    return Result(
        "The player's payload",
        f"The default experiment in the Paths room, {particles:,} particles × {frames} frames × two panes, "
        f"{rounds} rounds. The player's file holds end points and laws, and the browser makes the frames; "
        "for Plotly the server makes them, which its time includes.",
        ("what", "ms", "bytes", "bytes / player's"),
        (
            ("the scene, from a seed never asked for", times["scene"].milliseconds(), "", ""),
            ("written for the player", times["player"].milliseconds(), f"{sizes['player']:,}", "1.00"),
            (
                "made and written as Plotly frames", times["Plotly"].milliseconds(), f"{sizes['Plotly']:,}",
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
            "The browser's part (transfer, frames, the first one drawn) comes on top: see the next race.",
            "The scene of an experiment that was shown before is kept: then only the file's address is sent.",
        ),
    )  # fmt: skip


def _experiment(particles: int, frames: int, seed: int) -> Experiment:
    return Experiment(particles=particles, frames=frames, seed=seed)


def _room(experiment: Experiment) -> Scene:
    return paths_room(Visitor(experiment=experiment))


if __name__ == "__main__":
    finish(race, QUICK, __doc__)
