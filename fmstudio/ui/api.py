"""Named endpoints: the same experiments without the page, JSON in and out.

from gradio_client import Client
Client("http://127.0.0.1:7860").predict({"data": "moons"}, api_name="/trajectories")

Each call is an errand (see `fmstudio.ui.errand`): it has a budget, ends when its client leaves or cancels,
and lets the page's visitors go first. Whatever it is given that cannot be is answered in one sentence.
"""

from __future__ import annotations

import json
import reprlib
from collections.abc import Callable
from functools import wraps
from inspect import getdoc
from typing import Any

import gradio as gr

from fmstudio.image.questions.grid import image_grid
from fmstudio.image.settings import ImageSettings
from fmstudio.learn import jobs
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.training.memory import of_images, of_paths, of_sampling, of_training
from fmstudio.note.report import measured, to_json
from fmstudio.studio.line import IMAGES, TRAININGS
from fmstudio.studio.running import Stopped
from fmstudio.ui.errand import budget, check_memory, errand
from fmstudio.ui.report import refusal


def in_words(act: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """The endpoint, with the sentence of what it refuses for the caller."""

    @wraps(act)
    def run(*given: Any) -> dict[str, Any]:
        try:
            return act(*given)
        except ValueError as error:
            raise refusal(error) from error
        except Stopped as error:
            raise refusal("Ended: whoever asked for this has left or cancelled.") from error
        except MemoryError as error:
            raise refusal("The machine has too little memory left for this. Ask for less.") from error

    return run


def points(name: str, content: str, choices: dict[str, Any]) -> dict[str, Any]:
    """Points from a file: a table, a NumPy array or a picture.

    Args:
        name: of the file; its ending says how it is read.
        content: its bytes in base64.
        choices: a JSON object; of a table x, y, label, fill and scale, of a picture invert, threshold, blur
            and colours; the others are as suggested.

    Returns:
        JSON: experiment (as JSON text, which the other endpoints take), note, warning, classes, choices,
        columns.
    """
    data = jobs.bytes_of(_text("content", content))
    return _answer(jobs.points_of(_text("name", name), data, _object(choices)))


def trajectories(experiment: dict[str, Any]) -> dict[str, Any]:
    """Original paths Q of an experiment: fields that are not given keep their defaults.

    Args:
        experiment: a JSON object of experiment fields, e.g. {"data": "moons"}, or its text.

    Returns:
        JSON: experiment (as JSON text), times (T), positions (T × n × d), labels, smooth.
    """
    wanted = _read(experiment)
    check_memory(of_paths(wanted))
    with errand():
        return _answer(jobs.trajectories(wanted))


def train(experiment: dict[str, Any]) -> dict[str, Any]:
    """Train a net on an experiment and return its figures and its checkpoint.

    Args:
        experiment: a JSON object of experiment fields; train_steps bounds the work.

    Returns:
        JSON: experiment (as JSON text), step, loss, floor, excess, energy_distance, seconds, curve, and
        checkpoint: base64 of a safetensors file that /sample takes.
    """
    wanted = _read(experiment)
    check_memory(of_training(wanted))
    with errand(TRAININGS) as work:
        report, checkpoint = jobs.train_net(wanted, work.go_on)
    return _answer(report | {"checkpoint": jobs.packed(checkpoint)})


def sample(experiment: dict[str, Any], checkpoint: str = "") -> dict[str, Any]:
    """Sample an experiment with its solver: the net of a checkpoint, or the exact velocity.

    Args:
        experiment: a JSON object of experiment fields.
        checkpoint: what /train returned; empty for the exact velocity.

    Returns:
        JSON: experiment (as JSON text), field, class that it is the field of (null: all data) and
        guidance, samples (n × d), nfe, seconds, energy_distance to data of that class, times, distance, band.
        A net that knows no class refuses a label.
    """
    wanted, net = _read(experiment), jobs.unpacked(_text("checkpoint", checkpoint))
    check_memory(of_sampling(wanted))
    with errand() as work:
        return _answer(jobs.sample(wanted, net, work.go_on))


def claim(experiment: dict[str, Any], number: str, broken: bool = False) -> dict[str, Any]:
    """Predict and measure one claim of the note on an experiment.

    Args:
        experiment: a JSON object of experiment fields.
        number: of the claim, "C1" to "C10".
        broken: turn the switch that makes it false.

    Returns:
        JSON: experiment (as JSON text), number, refusal (why it does not apply, or null), prediction,
        measurement, verdict, seconds.
    """
    wanted, which = _read(experiment), _text("number", number)
    if not isinstance(broken, bool):
        raise ValueError(f"broken: expected true or false; got {reprlib.repr(broken)}.")
    check_memory(of_training(wanted) + of_sampling(wanted))
    with errand(TRAININGS) as work:
        result = measured(which, wanted, broken, work.go_on)
    return _answer(json.loads(to_json(result)) | {"experiment": wanted.to_dict()})


def images(settings: dict[str, Any]) -> dict[str, Any]:
    """Sample images from a shipped model at several step counts from one noise.

    Args:
        settings: a JSON object with model, steps (list), label (−1 for all classes, −2 for none), guidance,
            solver, shift, tolerances (list, for dopri5), seed, count, bf16; all have defaults.

    Returns:
        JSON: settings, and rows with steps, tolerance, nfe, seconds and images (PNG in base64).
    """
    wanted = ImageSettings.from_dict(_object(settings))
    check_memory(of_images(wanted.count, len(wanted.plans())))
    with errand(IMAGES) as work:
        return image_grid(wanted, work.go_on)


def add_endpoints() -> None:
    """Add the endpoints to the page under construction."""
    allowed = f"A call may work for {budget().seconds:g} s and use {budget().gigabytes:g} GB."
    alone: dict[str, Any] = {"concurrency_limit": 1}
    trains: dict[str, Any] = {"concurrency_id": "training-api", "concurrency_limit": TRAININGS.served}
    for act in (points, trajectories, train, sample, claim, images):
        line = trains if act in (train, claim) else alone
        what = " ".join((getdoc(act) or "").split("\n\n")[0].split())
        gr.api(in_words(act), api_name=act.__name__, api_description=f"{what} {allowed}", **line)


def _answer(report: dict[str, Any]) -> dict[str, Any]:
    """The report with its experiment as JSON text: gradio_client takes an object with a "path" for a file."""
    return report | {"experiment": json.dumps(report["experiment"])}


def _object(given: Any) -> dict[str, Any]:
    """A JSON object, also where it comes as text, as the answers carry their experiment."""
    try:
        values = json.loads(given) if isinstance(given, str) else given
    except (ValueError, RecursionError) as error:
        raise ValueError(f"Expected a JSON object; {error}.") from error
    if not isinstance(values, dict):
        raise ValueError(f"Expected a JSON object of settings; got {type(values).__name__}.")
    return values


def _text(name: str, given: Any) -> str:
    if not isinstance(given, str):
        raise ValueError(f"{name}: expected a text; got {reprlib.repr(given)}.")
    return given


def _read(experiment: Any) -> Experiment:
    if isinstance(experiment, str):
        return Experiment.from_json(experiment)
    return Experiment.from_dict(_object(experiment))
