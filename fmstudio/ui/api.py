"""Named endpoints: the same experiments without the page, JSON in and out.

from gradio_client import Client
Client("http://127.0.0.1:7860").predict({"data": "moons"}, api_name="/trajectories")
"""

from __future__ import annotations

import json
from typing import Any

import gradio as gr

from fmstudio.image.jobs import image_grid
from fmstudio.learn import jobs
from fmstudio.learn.experiment import Experiment
from fmstudio.note.report import measured, to_json
from fmstudio.ui.line import IMAGES, TRAININGS


def trajectories(experiment: dict[str, Any]) -> dict[str, Any]:
    """Original paths Q of an experiment: fields that are not given keep their defaults.

    Args:
        experiment: a JSON object of experiment fields, e.g. {"data": "moons"}, or its text.

    Returns:
        JSON: experiment (as JSON text), times (T), positions (T × n × d), labels, smooth.
    """
    return _answer(jobs.trajectories(_read(experiment)))


def train(experiment: dict[str, Any]) -> dict[str, Any]:
    """Train a net on an experiment and return its figures and its checkpoint.

    Args:
        experiment: a JSON object of experiment fields; train_steps bounds the work.

    Returns:
        JSON: experiment (as JSON text), step, loss, floor, excess, energy_distance, seconds, curve, and
        checkpoint: base64 of a safetensors file that /sample takes.
    """
    with TRAININGS.turn():
        report, checkpoint = _tell(lambda: jobs.train_net(_read(experiment)))
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
    return _answer(_tell(lambda: jobs.sample(_read(experiment), jobs.unpacked(checkpoint))))


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
    with TRAININGS.turn():
        result = _tell(lambda: measured(number, _read(experiment), broken))
    return _answer(json.loads(to_json(result)) | {"experiment": _read(experiment).to_dict()})


def images(settings: dict[str, Any]) -> dict[str, Any]:
    """Sample images from a shipped model at several step counts from one noise.

    Args:
        settings: a JSON object with model, steps (list), label (−1 for all classes, −2 for none), guidance,
            solver, shift, tolerances (list, for dopri5), seed, count, bf16; all have defaults.

    Returns:
        JSON: settings, and rows with steps, tolerance, nfe, seconds and images (PNG in base64).
    """
    with IMAGES.turn():
        return _tell(lambda: image_grid(_object(settings)))


def add_endpoints() -> None:
    """Add the endpoints to the page under construction."""
    gr.api(trajectories, api_name="trajectories")
    gr.api(train, api_name="train", concurrency_id="training-api", concurrency_limit=TRAININGS.served)
    gr.api(sample, api_name="sample")
    gr.api(claim, api_name="claim", concurrency_id="training-api", concurrency_limit=TRAININGS.served)
    gr.api(images, api_name="images", concurrency_id="images-api", concurrency_limit=1)


def _answer(report: dict[str, Any]) -> dict[str, Any]:
    """The report with its experiment as JSON text: gradio_client takes an object with a "path" for a file."""
    return report | {"experiment": json.dumps(report["experiment"])}


def _object(given: Any) -> dict[str, Any]:
    """A JSON object, also where it comes as text, as the answers carry their experiment."""
    try:
        values = json.loads(given) if isinstance(given, str) else given
    except (ValueError, RecursionError) as error:
        raise gr.Error(f"Expected a JSON object; {error}.", print_exception=False) from error
    if not isinstance(values, dict):
        kind = type(values).__name__
        raise gr.Error(f"Expected a JSON object of settings; got {kind}.", print_exception=False)
    return values


def _read(experiment: Any) -> Experiment:
    if isinstance(experiment, str):
        return _tell(lambda: Experiment.from_json(experiment))
    return _tell(lambda: Experiment.from_dict(_object(experiment)))


def _tell(act: Any) -> Any:
    """Run, and hand the sentence of a ValueError to the caller."""
    try:
        return act()
    except ValueError as error:
        raise gr.Error(str(error), print_exception=False) from error
