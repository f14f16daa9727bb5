"""Checkpoints: a trained net on disk, with the experiment that made it, as one safetensors file.

The metadata of the file says all that is needed to use it: the experiment as JSON, the sizes of the net, the
step, the curve of the training. The tensors are the net's weights (their running mean, which is what samples
are drawn with) and its frequencies; a resumable checkpoint also holds the last weights, the optimizer's
moments and the state of the random numbers, so that a resumed run equals one that was never interrupted.
"""

from __future__ import annotations

import json
import math
import os
import reprlib
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from fmstudio.flow.bounds import Box
from fmstudio.flow.regress.objectives import TARGETS
from fmstudio.flow.solve.fields import Guided, VelocityField
from fmstudio.learn.build import density_of, path_of
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.nets.net_field import NetField
from fmstudio.learn.nets.networks import Network, Shape
from fmstudio.learn.training.step import AdamMoments

FORMAT = "fmstudio net 1"
#: Points that a curve holds at most, an even number.
MOST_POINTS = 600
MOST_CLASSES = 64


@dataclass(frozen=True)
class Point:
    """One point of a training curve.

    Args:
        step: steps taken.
        loss: mean squared error of the batches just before it.
        excess: what of it a net could still lose, or None where the floor is not known.
        energy_distance: between samples of the net and data, where it was measured.
    """

    step: int
    loss: float
    excess: float | None = None
    energy_distance: float | None = None


def _fuller(first: Point, second: Point) -> Point:
    """The one of two points that says more."""
    return second if first.energy_distance is None and second.energy_distance is not None else first


@dataclass(frozen=True)
class Curve:
    """How a training went.

    Args:
        points: in the order of steps.
        floor: of the loss, and ``floor_error`` its standard error; None where it is not known.
        seconds: of training, up to the last point.
    """

    points: tuple[Point, ...] = ()
    floor: float | None = None
    floor_error: float | None = None
    seconds: float = 0.0

    def then(self, point: Point, seconds: float) -> Curve:
        """The curve with one more point; when they are too many, one of two stays: the fuller one."""
        points = self.points
        if len(points) == MOST_POINTS:
            pairs = zip(points[1::2], points[2::2], strict=False)
            points = (points[0], *(_fuller(a, b) for a, b in pairs), points[-1])
        points = (*points, point)
        return replace(self, points=points, seconds=seconds)


@dataclass(frozen=True, eq=False)
class Resumable:
    """What a training needs to go on as if it had never stopped.

    Args:
        flat: the weights after the last step; the net's own are their running mean.
        moments: of the optimizer.
        draws: state of the generator of the batches.
        recent: losses of the last blocks, for the loss that is reported.
    """

    flat: Tensor
    moments: AdamMoments
    draws: Tensor
    recent: Tensor


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A net, the experiment that it was trained for, and how far.

    Args:
        experiment: of the training.
        network: with the running mean of the weights.
        step: steps taken.
        curve: of the training so far.
        resumable: None for a net that is only to be used.
        of_pairs: whether it was trained on given pairs (reflow), which the experiment does not hold. Its x₀
            and x₁ are not independent, so no score follows from its velocity.
    """

    experiment: Experiment
    network: Network
    step: int
    curve: Curve = Curve()
    resumable: Resumable | None = None
    of_pairs: bool = False

    def net_only(self) -> Checkpoint:
        """The same without what a training needs to go on: a quarter of the size."""
        return replace(self, resumable=None)

    @property
    def net(self) -> NetField:
        """The net as a velocity field: on the path, with the target, in the box of its experiment's data."""
        e = self.experiment
        return NetField(self.network, path_of(e), TARGETS[e.target], Box.around(density_of(e)))

    def field(self, experiment: Experiment) -> VelocityField:
        """The net's field with an experiment's label and guidance; ``learn.net_card`` says whether it fits.

        Args:
            experiment: with ``label`` (−1 for every class) and ``guidance``.

        Raises:
            ValueError: a label that the net does not know.
        """
        net = self.net
        if experiment.label < 0:
            return net
        told = net.given(experiment.label)
        return told if experiment.guidance == 1 else Guided(net, told, experiment.guidance)


def save(checkpoint: Checkpoint, path: str | Path) -> None:
    """Write a checkpoint, whole or not at all: the file appears under its name once it is complete.

    Args:
        checkpoint: what to write.
        path: of the file; its folder must exist.
    """
    path = Path(path)
    metadata = {
        "format": FORMAT,
        "experiment": checkpoint.experiment.to_json(),
        "classes": str(checkpoint.network.shape.classes),
        "step": str(checkpoint.step),
        "curve": json.dumps(asdict(checkpoint.curve)),
        "of_pairs": json.dumps(checkpoint.of_pairs),
    }
    tensors = {f"net.{name}": x for name, x in checkpoint.network.state_dict().items()}
    if checkpoint.resumable is not None:
        r = checkpoint.resumable
        tensors |= {
            "training.flat": r.flat,
            "training.first": r.moments.first,
            "training.second": r.moments.second,
            "training.count": r.moments.count,
            "training.mean": r.moments.mean,
            "training.draws": r.draws,
            "training.recent": r.recent,
        }
    tensors = {name: x.detach().cpu().contiguous() for name, x in tensors.items()}
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    os.close(handle)
    try:
        save_file(tensors, draft, metadata=metadata)
        os.chmod(draft, 0o644)
        os.replace(draft, path)
    finally:
        Path(draft).unlink(missing_ok=True)


def load(path: str | Path, device: torch.device | str = "cpu") -> Checkpoint:
    """Read a checkpoint.

    Args:
        path: of the file.
        device: where its tensors go.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a checkpoint of this studio, or a part of it is missing or does not fit.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"No checkpoint at {path}.")
    try:
        with safe_open(path, framework="pt", device=str(device)) as file:
            metadata: dict[str, str] = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path.name} is not a safetensors file: {error}.") from error
    if metadata.get("format") != FORMAT:
        raise ValueError(
            f"{path.name} is not a net of this studio: its format is {metadata.get('format')!r}, "
            f"expected {FORMAT!r}."
        )
    try:
        return _assemble(metadata, tensors, torch.device(device))
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{path.name} cannot be read as a checkpoint: {error}") from error


def _assemble(metadata: dict[str, str], tensors: dict[str, Tensor], device: torch.device) -> Checkpoint:
    experiment = Experiment.from_json(metadata["experiment"])
    # The sizes come from the experiment, whose bounds hold, and not from the file's own word.
    classes = int(metadata["classes"])
    if not 0 <= classes <= MOST_CLASSES:
        raise ValueError(f"expected classes in [0, {MOST_CLASSES}]; got {classes}.")
    shape = Shape(experiment.dim, experiment.width, experiment.depth, experiment.fourier, classes)
    network = Network(shape, torch.Generator(device))
    network.load_state_dict({k.removeprefix("net."): x for k, x in tensors.items() if k.startswith("net.")})
    if not all(x.isfinite().all() for x in (network.flat, network.space, network.time)):
        raise ValueError("a weight is not finite.")
    parts = {k.removeprefix("training."): x for k, x in tensors.items() if k.startswith("training.")}
    resumable = None
    if parts:
        flat, moments = parts["flat"], AdamMoments(*(parts[k] for k in ("first", "second", "count", "mean")))
        _check_parts(parts, shape.weights)
        resumable = Resumable(flat, moments, parts["draws"].cpu(), parts["recent"].cpu())
    step, of_pairs = int(metadata["step"]), metadata.get("of_pairs", "false") == "true"
    if step < 0:
        raise ValueError(f"expected a step ≥ 0; got {step}.")
    return Checkpoint(experiment, network, step, _curve(metadata["curve"]), resumable, of_pairs)


def _check_parts(parts: dict[str, Tensor], weights: int) -> None:
    """Refuse what a training could not go on from: other shapes, or other kinds of numbers."""
    sizes = dict.fromkeys(("flat", "first", "second", "mean"), (weights,)) | {"count": ()}
    sizes |= {name: (parts[name].numel(),) for name in ("draws", "recent")}
    for name, size in sizes.items():
        found, kind = parts[name], torch.uint8 if name == "draws" else torch.float32
        if tuple(found.shape) != size or found.dtype != kind:
            raise ValueError(f"{name}: expected {size}, {kind}; got {tuple(found.shape)}, {found.dtype}.")


def _curve(text: str) -> Curve:
    values: dict[str, Any] = json.loads(text)
    points = tuple(Point(**point) for point in values.pop("points"))
    if len(points) > MOST_POINTS + 1:
        raise ValueError(f"expected a curve of at most {MOST_POINTS + 1} points; got {len(points)}.")
    curve = Curve(points, **values)
    known = [value for point in points for value in (point.step, point.loss)] + [curve.seconds]
    maybe = [value for point in points for value in (point.excess, point.energy_distance)]
    maybe += [curve.floor, curve.floor_error]
    for value in (*known, *(value for value in maybe if value is not None)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError(f"expected a curve of finite numbers; got {reprlib.repr(value)}.")
    return curve
