"""How much of the training set a model merely repeats: `python -m fmstudio.image.memorising MODEL --data …`.

The distance of two images is the root mean square of their differences over pixels and channels, on the
scale 0 … 1. For a training image n let reach(n) be its distance to the nearest other training image. A
sample s whose nearest training image is n is called a **copy** when

    d(s, n) < ½ reach(n).

Then s is nearer to n than to any other training image, by the triangle inequality:
d(s, m) ≥ d(n, m) − d(s, n) > ½ reach(n) > d(s, n). What real images score against the rest of the training
set, each left out in turn, stands beside the share of copies: sets of near-twins score high by themselves.

Pixels see no more than pixels: a shifted copy is missed, and a plain disc may be called one.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from fmstudio.device import chosen_device, has_bf16
from fmstudio.image.folder import ImageModel, load_model
from fmstudio.image.sampling.grid import class_samples
from fmstudio.image.training.data import ImageSet, load_images, to_bytes

TRAINING_FILE = "training.safetensors"
"""The training images in the folder of a model that may have memorised them."""

COPY_SHARE = 0.5
"""A copy is nearer to a training image than this share of that image's reach."""


@dataclass(frozen=True)
class TrainingImages:
    """Training images that samples are compared with.

    Args:
        pixels: uint8, shape (count, channels, height, width).
        labels: int64, shape (count,).
        reach: float32, shape (count,); the distance of each to the nearest other one that is not identical.
        left_out: float32, shape (count,); the ratio that `Nearest` has for each of them when it is left out
            of the training set and compared with the rest.
    """

    pixels: Tensor
    labels: Tensor
    reach: Tensor
    left_out: Tensor

    @property
    def real_share(self) -> float:
        """The share of training images that would be called copies of the others."""
        return float((self.left_out < COPY_SHARE).double().mean())


@dataclass(frozen=True)
class Nearest:
    """The nearest training image of each sample.

    Args:
        index: int64, shape (count,), into the training images.
        distance: float32, shape (count,).
        ratio: the distance divided by the reach of that training image, same shape.
    """

    index: Tensor
    distance: Tensor
    ratio: Tensor

    @property
    def copies(self) -> Tensor:
        """Which samples are copies, bool, shape (count,)."""
        return self.ratio < COPY_SHARE


def _rows(pixels: Tensor) -> Tensor:
    flat = pixels.flatten(1).float() / 255
    return flat / flat.shape[1] ** 0.5


def _nearest(rows: Tensor, known: Tensor, count: int, nearer_is_same: float = 0.0) -> tuple[Tensor, Tensor]:
    """Distances and indices, each (rows, count), of the nearest known rows that are another image."""
    found: list[tuple[Tensor, Tensor]] = []
    for part in rows.split(500):
        apart = torch.cdist(part, known, compute_mode="donot_use_mm_for_euclid_dist")
        apart[apart < nearer_is_same] = torch.inf
        found.append(apart.topk(count, largest=False))
    distances, indices = zip(*found, strict=True)
    return torch.cat(distances), torch.cat(indices)


def prepare(data: ImageSet) -> TrainingImages:
    """Training images with their reach; identical ones count as one.

    Args:
        data: at least three different images. The work grows with the square of their number.
    """
    rows = _rows(data.pixels)
    distances, indices = _nearest(rows, rows, 2, nearer_is_same=1e-4)
    reach = distances[:, 0].contiguous()
    # Without image i its nearest image n has another reach where i was what n was nearest to.
    index = indices[:, 0]
    points_back = indices[index, 0] == torch.arange(len(index))
    without = torch.where(points_back, distances[index, 1], distances[index, 0])
    return TrainingImages(data.pixels, data.labels, reach, reach / without)


def find_nearest(training: TrainingImages, images: Tensor) -> Nearest:
    """The nearest training image of each sample.

    Args:
        training: the training images.
        images: uint8, shape (count, channels, height, width), the size of the training images.

    Raises:
        ValueError: the images have another size.
    """
    if images.shape[1:] != training.pixels.shape[1:]:
        raise ValueError(
            f"The training images have shape {tuple(training.pixels.shape[1:])}; got"
            f" {tuple(images.shape[1:])}."
        )
    distance, index = (found[:, 0] for found in _nearest(_rows(images), _rows(training.pixels), 1))
    return Nearest(index, distance, distance / training.reach[index])


def save_training(path: Path, training: TrainingImages) -> None:
    """Write training images and their reach as one safetensors file."""
    save_file(vars(training), path)


def load_training(path: Path) -> TrainingImages:
    """Read what `save_training` wrote.

    Raises:
        ValueError: the file holds something else.
    """
    tensors = load_file(path)
    if tensors.keys() != {field.name for field in fields(TrainingImages)}:
        raise ValueError(
            f"{path} holds {', '.join(sorted(tensors))}. Make it again: python -m fmstudio.image.memorising "
            f"{path.parent} --data … --save."
        )
    return TrainingImages(**tensors)


def sample_bytes(
    model: ImageModel, count: int, step_count: int, guidance: float, seed: int, bf16: bool
) -> Tensor:
    """`count` samples as bytes, the classes in turn (arguments as in `class_samples`)."""
    return to_bytes(class_samples(model.net, count, step_count, guidance, seed, bf16, batch=100))


def side_by_side(training: TrainingImages, images: Tensor, nearest: Nearest) -> Tensor:
    """One picture: samples above, the nearest training image of each below, uint8 (channels, 2h, count·w)."""
    rows = (images, training.pixels[nearest.index])
    return torch.cat([torch.cat(list(row), dim=2) for row in rows], dim=1)


def main() -> None:
    """The command line: compare samples of a model with its training images, print the table."""
    from fmstudio.image.questions.gallery import picture_of

    parser = argparse.ArgumentParser(prog="python -m fmstudio.image.memorising", description=main.__doc__)
    parser.add_argument("model", type=Path, help="model folder, such as models/emoji-rf1")
    parser.add_argument("--data", type=Path, help="training images (default: the file in the model's folder)")
    parser.add_argument("--labels", type=Path, help="CSV with the columns file,label (else sub-folders)")
    parser.add_argument("--save", action="store_true", help=f"write MODEL/{TRAINING_FILE} from --data")
    parser.add_argument("--count", type=int, default=900, help="samples, the classes in turn")
    parser.add_argument("--steps", type=int, default=16, help="Euler steps")
    parser.add_argument("--guidance", type=float, nargs="+", default=[1.0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--picture", type=Path, help="PNG of 20 samples and their nearest training images")
    parser.add_argument("--threads", type=int, help="CPU threads (default: torch's own choice)")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    device = chosen_device(single_precision=True)
    model = load_model(options.model, device)
    if options.data:
        training = prepare(load_images(options.data, model.net.image_shape[1], options.labels))
        if options.save:
            save_training(options.model / TRAINING_FILE, training)
    else:
        training = load_training(options.model / TRAINING_FILE)
    print(f"{options.count} samples, {options.steps} Euler steps, seed {options.seed}\n")
    print("| images | copies | median ratio | median distance |")
    print("| --- | --- | --- | --- |")
    print(_row("training images, each left out", training.left_out, training.reach), flush=True)
    for guidance in options.guidance:
        images = sample_bytes(model, options.count, options.steps, guidance, options.seed, has_bf16(device))
        nearest = find_nearest(training, images)
        print(_row(f"samples, guidance {guidance:g}", nearest.ratio, nearest.distance), flush=True)
        if options.picture:
            few = Nearest(nearest.index[:20], nearest.distance[:20], nearest.ratio[:20])
            picture_of(side_by_side(training, images[:20], few)).save(options.picture)


def _row(name: str, ratio: Tensor, distance: Tensor) -> str:
    share = (ratio < COPY_SHARE).double().mean()
    return f"| {name} | {share:.1%} | {ratio.median():.2f} | {distance.median():.3f} |"


if __name__ == "__main__":
    main()
