"""Train a rectified flow on images: `python -m fmstudio.image.train --data FOLDER --out FOLDER --minutes 55`.

Every two minutes the whole state goes to OUT/state.pt in one atomic rename, so a run that was killed goes on
where it was with the same command; minutes already trained count. OUT/model is the moving average of the
weights as a diffusers folder; OUT/log.jsonl has a line every 50 steps. Every ten minutes there is a picture
of samples, OUT/samples-STEP.png, and with `--metric` their Fréchet distance in OUT/metrics.jsonl; trackers
get the same numbers and pictures (`--report-to`).

Under `accelerate launch` each process takes its share of every batch; batches do not depend on how many
there are.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.tracking import get_available_trackers
from accelerate.utils import LoggerType, set_seed
from torch import Tensor

from fmstudio.image.folder import load_model, save_model
from fmstudio.image.networks import TransformerDesign, UNetDesign, VelocityNet, build_transformer, build_unet
from fmstudio.image.publish import push_model, write_card
from fmstudio.image.questions.gallery import picture_of
from fmstudio.image.reflow import load_pairs
from fmstudio.image.sampling.grid import class_samples
from fmstudio.image.scores.classifier import FeatureNet, judge, load_classifier
from fmstudio.image.scores.metrics import frechet_distance
from fmstudio.image.training.data import ImageSet, load_images, to_bytes
from fmstudio.image.training.loop import Progress, Run, TrainSettings, choose_precision, write_atomically
from fmstudio.image.training.objective import TIME_LAWS, ReflowPairs


@dataclass(frozen=True)
class Meter:
    """The Fréchet distance of samples to the training images, in a classifier's features, as a run goes.

    Args:
        classifier: gives the features.
        reference: features of training images, shape (count, 128).
        count: samples, the classes in turn, the same noise every time.
        step_count: Euler steps.
    """

    classifier: FeatureNet
    reference: Tensor
    count: int = 500
    step_count: int = 8

    def __call__(self, net: VelocityNet) -> float:
        """The distance of `count` samples of the network; few samples make it larger than many would."""
        made = class_samples(net, self.count, self.step_count)
        features = judge(self.classifier, made.clamp(-1, 1)).features
        return frechet_distance(features, self.reference)


def build_meter(folder: Path, data: ImageSet | ReflowPairs, most: int = 5000) -> Meter:
    """A meter with the classifier in `folder` and the first `most` images of the data as reference."""
    rows = torch.arange(min(most, len(data)))
    images = data.x0[rows].float() if isinstance(data, ReflowPairs) else data.images(rows)
    classifier = load_classifier(folder)
    return Meter(classifier, judge(classifier, images).features)


def train(
    run: Run,
    out: Path,
    class_names: tuple[str, ...],
    save_every: float = 120.0,
    grid_every: float = 600.0,
    meter: Meter | None = None,
) -> Iterator[Progress]:
    """Carry a run to the end of its budget, saving and reporting as it goes.

    Args:
        run: the run; OUT/state.pt is restored first if it exists.
        out: the folder of the run.
        class_names: written into the exported model.
        save_every: seconds of training between two saves of the state and the model.
        grid_every: seconds of training between two looks at samples, OUT/samples-STEP.png.
        meter: measures the samples at each look; None measures nothing.

    Yields:
        A `Progress` every 50 steps.
    """
    out.mkdir(parents=True, exist_ok=True)
    main = run.accelerator.is_main_process
    if (out / "state.pt").is_file():
        run.restore(torch.load(out / "state.pt", map_location="cpu", weights_only=True))
    saved_at = looked_at = run.seconds
    for progress in run.advance():
        if main:
            _append(out / "log.jsonl", asdict(progress))
            if run.seconds - saved_at >= save_every:
                save_run(run, out, class_names)
                saved_at = run.seconds
            if run.seconds - looked_at >= grid_every:
                look_at_samples(run, out, meter)
                looked_at = run.seconds
        run.accelerator.log({"loss": progress.loss, "rate": progress.rate}, step=progress.step)
        yield progress
    run.accelerator.wait_for_everyone()
    if main:
        save_run(run, out, class_names)
        look_at_samples(run, out, meter)


def _append(path: Path, line: dict[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def save_run(run: Run, out: Path, class_names: tuple[str, ...]) -> None:
    """Write OUT/state.pt, from which the run goes on, and OUT/model, which samples."""
    write_atomically(run.state(), out / "state.pt")
    save_model(out / "model", run.averaged(), class_names)


def look_at_samples(run: Run, out: Path, meter: Meter | None) -> None:
    """Draw samples of the averaged weights, measure them, tell the trackers."""
    net = run.averaged().to(run.accelerator.device)
    picture = draw_samples(net)
    picture_of(picture).save(out / f"samples-{run.step:07d}.png")
    for tracker in run.accelerator.trackers:
        if hasattr(tracker, "log_images"):  # not every tracker keeps pictures
            tracker.log_images({"samples": np.asarray(picture.permute(1, 2, 0))[None]}, step=run.step)
    if meter is not None:
        distance = meter(net)
        _append(out / "metrics.jsonl", {"step": run.step, "seconds": run.seconds, "distance": distance})
        for tracker in run.accelerator.trackers:
            tracker.log({"distance": distance}, step=run.step)


def draw_samples(net: VelocityNet, columns: int = 10) -> Tensor:
    """One picture, uint8 (channels, height, width): rows of 1, 4 and 16 Euler steps, the classes in turn."""
    made = [to_bytes(class_samples(net, columns, step_count)) for step_count in (1, 4, 16)]
    return torch.cat([torch.cat(list(row), dim=2) for row in made], dim=1)


def checked_tracker(name: str) -> str | None:
    """The tracker's name for accelerate; None for "none".

    Raises:
        ValueError: accelerate does not know it, or its package is not installed.
    """
    if name == "none":
        return None
    known = sorted(str(kind) for kind in LoggerType if kind != LoggerType.ALL)
    if name not in known:
        raise ValueError(f"--report-to knows none, {', '.join(known)}; got {name}.")
    if name not in [str(kind) for kind in get_available_trackers()]:
        raise ValueError(f"--report-to {name} needs its package: pip install {name}.")
    return name


RECIPE = {
    "batch": "images per step, over all processes",
    "accumulate": "backward passes per step and process",
    "learning_rate": "AdamW's highest",
    "ema_decay": "of the moving average of the weights",
    "label_drop": "share of labels dropped, for guidance",
    "seed": "of the weights and of every batch",
}
"""Options that are settings of the run, with its defaults."""


def _arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m fmstudio.image.train", description="Train a rectified flow on a folder of images."
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", type=Path, help="folder of Fashion-MNIST's idx files or of pictures")
    source.add_argument("--pairs", type=Path, help="reflow pairs made by python -m fmstudio.image.reflow")
    parser.add_argument("--labels", type=Path, help="CSV with the columns file,label (else sub-folders)")
    parser.add_argument("--size", type=int, help="side of the images in pixels (idx files know theirs)")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    budget = parser.add_mutually_exclusive_group(required=True)
    budget.add_argument("--minutes", type=float, help="budget in minutes of training, over all restarts")
    budget.add_argument("--steps", type=int, help="budget in steps")
    parser.add_argument("--init", type=Path, help="model folder to start from (default: random weights)")
    parser.add_argument("--network", choices=("unet", "dit"), default="unet", help="U-Net or transformer")
    parser.add_argument("--channels", type=int, nargs="+", default=[64, 128], help="U-Net: width per level")
    parser.add_argument("--layers", type=int, help="U-Net: blocks per level (1); transformer: blocks (8)")
    parser.add_argument("--width", type=int, default=192, help="transformer: width of a token")
    parser.add_argument("--heads", type=int, default=3, help="transformer: attention heads")
    parser.add_argument("--patch", type=int, default=4, help="transformer: side of a token in pixels")
    for name, words in RECIPE.items():
        default = getattr(TrainSettings, name)
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default, help=words)
    parser.add_argument("--time-law", choices=sorted(TIME_LAWS), default=TrainSettings.time_law)
    parser.add_argument("--threads", type=int, help="CPU threads (default: torch's own choice)")
    parser.add_argument("--cpu", action="store_true", help="train on the CPU even where there is a GPU")
    parser.add_argument("--save-every", type=float, default=120.0, help="seconds between saved states")
    parser.add_argument("--look-every", type=float, default=600.0, help="seconds between pictures of samples")
    parser.add_argument("--metric", type=Path, help="classifier folder: Fréchet distance at each picture")
    parser.add_argument("--report-to", default="none", help="tensorboard, trackio, wandb … or none")
    parser.add_argument(
        "--push-to-hub", metavar="REPO", help="upload OUT/model to this Hub repository at the end"
    )
    parser.add_argument("--private", action="store_true", help="make the Hub repository private")
    return parser.parse_args(given)


def _first_weights(options: argparse.Namespace, data: ImageSet | ReflowPairs) -> VelocityNet:
    if options.init:
        return load_model(options.init).net.float().train().requires_grad_(True)
    channels, height, width = data.shape
    if height != width:
        raise ValueError(f"The network works on squares; the images are {height} × {width}.")
    shape, layers = (height, channels, len(data.class_names)), options.layers
    if options.network == "dit":
        design = TransformerDesign(*shape, options.patch, options.width, layers or 8, options.heads)
        return build_transformer(design)
    return build_unet(UNetDesign(*shape, channels=tuple(options.channels), layers=layers or 1))


def main(given: list[str] | None = None) -> None:
    """The command line: read the data, train, print the log."""
    options = _arguments(given)
    if options.threads:
        torch.set_num_threads(options.threads)
    recipe = {f.name: getattr(options, f.name) for f in fields(TrainSettings) if f.name in options}
    settings = TrainSettings(**recipe)
    accelerator = Accelerator(
        mixed_precision=choose_precision(options.cpu),
        cpu=options.cpu,
        log_with=checked_tracker(options.report_to),
        project_dir=options.out,
    )
    if options.data:
        data = load_images(options.data, options.size, options.labels)
    else:
        data = load_pairs(options.pairs)
    set_seed(options.seed)
    run = Run(_first_weights(options, data), data, settings, accelerator)
    accelerator.init_trackers(
        "fmstudio", {name: value for name, value in asdict(settings).items() if value is not None}
    )
    meter = build_meter(options.metric, data) if options.metric else None
    for progress in train(run, options.out, data.class_names, options.save_every, options.look_every, meter):
        accelerator.print(
            f"step {progress.step:6d}  {progress.seconds / 60:6.2f} min  loss {progress.loss:.4f}"
            f"  rate {progress.rate:.2e}",
            flush=True,
        )
    accelerator.end_training()
    if options.push_to_hub and accelerator.is_main_process:
        command = shlex.join(["python", "-m", "fmstudio.image.train", *(given or sys.argv[1:])])
        write_card(options.out / "model", run, data, command)
        accelerator.print(push_model(options.out / "model", options.push_to_hub, options.private), flush=True)


if __name__ == "__main__":
    main()
