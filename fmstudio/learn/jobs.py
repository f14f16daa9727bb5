"""Whole runs, JSON in and JSON out: what the API and the command line offer of an experiment.

Nothing is kept between two calls: a trained net travels as its checkpoint, in base64 over the API.
"""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fmstudio.device import chosen_device
from fmstudio.flow.metrics import energy_distance
from fmstudio.flow.solve.fields import Counted
from fmstudio.learn import clouds
from fmstudio.learn.clouds.text import LARGEST_FILE
from fmstudio.learn.experiment import PATHS, Experiment
from fmstudio.learn.nets.net_card import choose
from fmstudio.learn.simulate import (
    asked_density,
    distances,
    draw_pairs,
    frame_times,
    fresh_draws,
    generator_of,
    original_paths,
    run_sampler,
)
from fmstudio.learn.training.checkpoints import Checkpoint, load, save
from fmstudio.learn.training.run import Diverged
from fmstudio.learn.training.train import Progress, train

MOST_PARTICLES = 20_000
"""Particles that are sampled at once; their distances take the square of it."""

MOST_POSITIONS = 120_000
"""Positions in one answer: the default 2,000 particles × 60 frames. While a larger one is written, the server
answers nobody else."""


def numbers(values: Tensor, digits: int = 5) -> list[Any]:
    """A tensor as nested lists of rounded numbers, for JSON."""
    return torch.round(values.detach().double().cpu(), decimals=digits).tolist()


def points_of(name: str, data: bytes, choices: Mapping[str, Any]) -> dict[str, Any]:
    """The points that a file makes, for an experiment with the data "points".

    Args:
        name: of the file; its ending says how it is read.
        data: its bytes.
        choices: of a table x, y, label, fill and scale, of a picture invert, threshold, blur and colours; the
            others are as suggested.

    Returns:
        ``experiment`` (the fields ``data`` and ``points``), ``note``, ``warning``, ``classes`` (their names),
        ``choices`` (all of them), and ``columns`` of a table: name, kind, missing.

    Raises:
        ValueError: a file that is not read, with what to do, or a choice that does not fit it.
    """
    made = clouds.made(clouds.read(name, data), choices)
    content = made.brought.content
    columns = content.columns if isinstance(content, clouds.Table) else ()
    return {
        "experiment": {"data": "points", "points": made.points},
        "note": made.cloud.note,
        "warning": made.cloud.warning,
        "classes": list(made.cloud.names),
        "choices": made.choice.to_dict(),
        "columns": [{"name": c.name, "kind": c.kind, "missing": c.missing} for c in columns],
    }


def trajectories(experiment: Experiment) -> dict[str, Any]:
    """The particles' original paths Q.

    Returns:
        ``experiment``, ``times`` (T,), ``positions`` (T, n, d), ``labels`` (n,) or None, ``smooth``.

    Raises:
        ValueError: more than :data:`MOST_POSITIONS`.
    """
    n, frames = experiment.particles, experiment.frames
    if n * frames > MOST_POSITIONS:
        raise ValueError(
            f"particles × frames: an answer holds at most {MOST_POSITIONS:,} positions; got {n:,} × {frames}."
            " Ask for fewer, or take fmstudio.learn.simulate.original_paths in Python."
        )
    times = frame_times(experiment)
    pairs = draw_pairs(experiment, n)
    positions = original_paths(experiment, pairs, times)
    return {
        "experiment": experiment.to_dict(),
        "times": numbers(times),
        "positions": numbers(positions, 4),
        "labels": None if pairs.labels is None else pairs.labels.tolist(),
        "smooth": not PATHS[experiment.path].chain,
    }


def sample(
    experiment: Experiment, checkpoint: Checkpoint | None = None, progress: Callable[[], None] = lambda: None
) -> dict[str, Any]:
    """Follow the net given, or the exact field, with the experiment's sampler.

    Args:
        experiment: what to sample, and how.
        checkpoint: the net to follow; None: the exact field.
        progress: called before every evaluation of the field; what it raises ends the work.

    Returns:
        ``experiment``, ``field`` ("net" or "exact"), ``class`` that it is the field of (None: all data) and
        its ``guidance``, ``samples`` (n, d), ``nfe``, ``seconds``, ``energy_distance`` to fresh data of that
        class, ``times`` (T,) and ``distance`` (T,) of p_t to q_t, ``band`` (T, 2) of what two fresh samples
        differ by. Guided samples (w ≠ 1) are no samples of the class, even of an exact field.

    Raises:
        ValueError: more than :data:`MOST_PARTICLES`, a net of another flow or that does not know the class.
    """
    if experiment.particles > MOST_PARTICLES:
        raise ValueError(
            f"particles: at most {MOST_PARTICLES:,} are sampled at once; got {experiment.particles:,}. "
            "Sample several times with other seeds."
        )
    chosen, times = choose(experiment, checkpoint), frame_times(experiment)
    asked = chosen.experiment
    start = original_paths(asked, draw_pairs(asked, asked.particles, asked=True), times)[0]
    motion = run_sampler(
        asked, Counted(chosen.field, lambda _: progress()), start, times, origin=chosen.field
    )
    progress()
    fresh = asked_density(asked).sample(len(start), generator_of(asked, 61)).points
    measured = distances(motion.positions, *fresh_draws(asked, times, asked=True))
    return {
        "experiment": experiment.to_dict(),
        "field": "exact" if chosen.card is None else "net",
        "class": chosen.label,
        "guidance": chosen.guidance,
        "samples": numbers(motion.positions[-1], 4),
        "nfe": motion.nfe,
        "seconds": round(motion.seconds, 4),
        "energy_distance": float(energy_distance(motion.positions[-1], fresh)),
        "times": numbers(times),
        "distance": numbers(measured.values),
        "band": numbers(measured.band),
    }


def train_net(
    experiment: Experiment, progress: Callable[[Progress], None] = lambda _: None
) -> tuple[dict[str, Any], Checkpoint]:
    """Train a net to the end.

    Returns:
        The report (``experiment``, ``step``, ``loss``, ``floor``, ``excess``, ``energy_distance``,
        ``seconds``, and ``curve`` of [step, loss]), and the net.

    Raises:
        ValueError: settings that do not go together, or a training that diverged.
    """
    last: Progress | None = None
    try:
        for last in train(experiment, device=chosen_device()):
            progress(last)
    except Diverged as error:
        raise ValueError(str(error)) from error
    assert last is not None
    report = {
        "experiment": experiment.to_dict(),
        "step": last.step,
        "loss": last.loss,
        "floor": last.floor,
        "excess": last.excess,
        "energy_distance": last.energy_distance,
        "seconds": round(last.seconds, 3),
        "curve": [[point.step, round(point.loss, 6)] for point in last.checkpoint.curve.points],
    }
    return report, last.checkpoint


def packed(checkpoint: Checkpoint) -> str:
    """A net as base64 text of its checkpoint file, without what a training needs to go on."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "net.safetensors"
        save(checkpoint.net_only(), file)
        return base64.b64encode(file.read_bytes()).decode("ascii")


def bytes_of(text: str) -> bytes:
    """A file that came as base64 text, of at most 5 MB.

    Raises:
        ValueError: text that is not base64, or too much of it.
    """
    if len(text) > 4 * LARGEST_FILE // 3 + 4:
        raise ValueError(f"content: at most {LARGEST_FILE:,} bytes are read.")
    return _decoded("content", text)


def _decoded(name: str, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise ValueError(f"{name}: expected base64 text; {error}.") from error


def unpacked(text: str) -> Checkpoint | None:
    """Read back :func:`packed`; an empty text is no net.

    Raises:
        ValueError: text that is not base64, or not a checkpoint.
    """
    if not text:
        return None
    data = _decoded("checkpoint", text)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "net.safetensors"
        file.write_bytes(data)
        return load(file)
