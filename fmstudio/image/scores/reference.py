"""What generated images are compared with: moments of real features, and a few real pictures to work on.

A metric's folder (`models/fashion-metric`) holds, beside the classifier, a file `reference.safetensors`:
mean and covariance of the features of the 10,000 test images, features of real training images that take the
place of generated ones, and two test pictures of each class. So a page can measure a Fréchet distance, and
what real images get at the same number, without the data set.

Written by `python -m fmstudio.image.scores.reference`.
"""

from __future__ import annotations

import argparse
import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from fmstudio.folders import MODELS
from fmstudio.image.scores.classifier import FeatureNet, judge, load_classifier
from fmstudio.image.scores.metrics import distance_of_moments
from fmstudio.image.training.data import FASHION_FOLDER, ImageSet, fashion_mnist
from fmstudio.image.training.objective import generator_of

FILE_NAME = "reference.safetensors"
REAL_FEATURES = 2000
PICTURES_PER_CLASS = 2


@dataclass(frozen=True)
class Reference:
    """Real images in a classifier's eyes.

    Args:
        mean: of the test images' features, shape (features,).
        covariance: of the same, shape (features, features).
        real: features of training images, shape (count, features), the classes in turn.
        pictures: uint8 test images, shape (n, channels, side, side).
        labels: their classes, shape (n,).
        classifier: SHA-256 of the classifier's weights that the features belong to.
    """

    mean: Tensor
    covariance: Tensor
    real: Tensor
    pictures: Tensor
    labels: Tensor
    classifier: str

    def distance(self, features: Tensor) -> float:
        """Fréchet distance of features (count, features) to the test images; biased upwards where few.

        Raises:
            ValueError: fewer than two rows.
        """
        if len(features) < 2:
            raise ValueError(f"A Fréchet distance needs at least two images; got {len(features)}.")
        features = features.double()
        return distance_of_moments(
            features.mean(dim=0), torch.cov(features.T), self.mean.double(), self.covariance.double()
        )

    def real_distance(self, count: int) -> float:
        """What `count` real training images get in the place of generated ones.

        Raises:
            ValueError: more than there are.
        """
        if count > len(self.real):
            raise ValueError(f"There are features of {len(self.real)} real images; got {count}.")
        return self.distance(self.real[:count].float())


def make_reference(classifier: FeatureNet, digest: str, train: ImageSet, test: ImageSet) -> Reference:
    """Judge the test images and some training images, and pick pictures.

    Args:
        classifier: the metric's.
        digest: SHA-256 of its weights' file.
        train: real images that take the place of generated ones.
        test: real images to compare with.
    """
    features = judge(classifier, test.images(torch.arange(len(test)))).features.double()
    rows = _classes_in_turn(train, REAL_FEATURES)
    of_each = [(test.labels == k).nonzero()[:PICTURES_PER_CLASS, 0] for k in range(len(test.class_names))]
    kept = torch.cat(of_each)
    return Reference(
        features.mean(dim=0).float(),
        torch.cov(features.T).float(),
        judge(classifier, train.images(rows)).features.half(),
        test.pixels[kept].contiguous(),
        test.labels[kept],
        digest,
    )


def _classes_in_turn(images: ImageSet, count: int) -> Tensor:
    """Rows of `count` random images whose labels run 0, 1, 2, … over and over, as those of samples do."""
    order = torch.randperm(len(images), generator=generator_of(11))
    classes = len(images.class_names)
    each = -(-count // classes)
    columns = [order[images.labels[order] == label][:each] for label in range(classes)]
    return torch.stack(columns, dim=1).flatten()[:count]


def weights_digest(folder: Path) -> str:
    """SHA-256 of the classifier's weights in a metric's folder."""
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def save_reference(folder: Path, reference: Reference) -> None:
    """Write `reference.safetensors` into the metric's folder."""
    tensors = {name: value for name, value in vars(reference).items() if name != "classifier"}
    save_file(tensors, folder / FILE_NAME, {"classifier": reference.classifier})


def load_reference(folder: Path) -> Reference:
    """Read what `save_reference` wrote.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it belongs to other weights than the classifier's beside it.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        raise FileNotFoundError(
            f"No {FILE_NAME} in {folder}. Make it with python -m fmstudio.image.scores.reference."
        )
    with safe_open(path, "pt") as file:
        digest = file.metadata()["classifier"]
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    if digest != weights_digest(folder):
        raise ValueError(
            f"{path} was made with another classifier. Make it again: "
            "python -m fmstudio.image.scores.reference."
        )
    return Reference(**tensors, classifier=digest)


def main() -> None:
    """Write the reference of a metric's classifier from Fashion-MNIST."""
    parser = argparse.ArgumentParser(
        prog="python -m fmstudio.image.scores.reference", description=main.__doc__
    )
    parser.add_argument("--metric", type=Path, default=MODELS / "fashion-metric")
    parser.add_argument("--data", type=Path, default=FASHION_FOLDER, help="folder of the four idx files")
    options = parser.parse_args()
    train, test = (fashion_mnist(options.data, train=half) for half in (True, False))
    made = make_reference(load_classifier(options.metric), weights_digest(options.metric), train, test)
    save_reference(options.metric, made)
    for count in (10, 100, 1000, REAL_FEATURES):
        print(f"{count} real training images: FD {made.real_distance(count):.3f}")


if __name__ == "__main__":
    main()
