"""The figures of a model card: `python -m fmstudio.image.evaluate models/fashion-rf1`.

For each guidance and number of Euler steps: Fréchet distance to the test images, class accuracy, recall,
each the mean over seeds ± the standard deviation between them. Labels are the classes in turn. The first
line is what the same count of real training images gets against the same test images: no model can be
expected to do better. With `--card` the table goes into the model's card.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import torch
from torch import Tensor

from fmstudio.device import chosen_device, has_bf16
from fmstudio.folders import MODELS
from fmstudio.image.card import Card, Figure, Row, Table, Value, header, line, load_card, save_card
from fmstudio.image.folder import ImageModel, load_model
from fmstudio.image.sampling.grid import class_samples, grid_labels
from fmstudio.image.scores.classifier import FeatureNet, Judgement, judge, load_classifier
from fmstudio.image.scores.metrics import class_accuracy, frechet_distance, nearest_recall
from fmstudio.image.training.data import FASHION_FOLDER, ImageSet, fashion_mnist
from fmstudio.image.training.objective import generator_of


@dataclass(frozen=True)
class Figures:
    """What one set of images scores.

    Args:
        distance: Fréchet distance in the classifier's features.
        accuracy: share of images whose class is the one that was asked for.
        recall: share of real images within reach of a generated one, 3 neighbours.
    """

    distance: float
    accuracy: float
    recall: float


def score(judged: Judgement, asked: Tensor, real: Tensor) -> Figures:
    """The figures of judged images.

    Args:
        judged: the classifier's features and predictions of the images.
        asked: the class that each should have, shape (count,).
        real: features of real images to compare with.
    """
    return Figures(
        frechet_distance(judged.features, real),
        class_accuracy(judged.predicted, asked),
        nearest_recall(real[: len(asked)], judged.features),
    )


def score_model(
    model: ImageModel,
    classifier: FeatureNet,
    real: Tensor,
    step_count: int,
    guidance: float,
    count: int,
    seed: int,
    bf16: bool = False,
    batch: int = 250,
) -> Figures:
    """Sample `count` images by Euler steps and score them.

    Args:
        model: the model, on its device.
        classifier: the metric's classifier, on the CPU.
        real: features of real images.
        step_count: Euler steps.
        guidance: w.
        count: images, the classes in turn.
        seed: of the noise.
        bf16: compute the network in bfloat16.
        batch: images at a time.
    """
    made = class_samples(model.net, count, step_count, guidance, seed, bf16, batch)
    labels = grid_labels(range(model.net.no_class), count)
    return score(judge(classifier, made.clamp(-1, 1)), labels, real)


def score_real(images: ImageSet, classifier: FeatureNet, real: Tensor, count: int, seed: int) -> Figures:
    """What `count` real images, drawn without replacement, score in the place of generated ones."""
    rows = torch.randperm(len(images), generator=generator_of(seed))[:count]
    return score(judge(classifier, images.images(rows)), images.labels[rows], real)


def score_table(
    model: ImageModel,
    classifier: FeatureNet,
    real: Tensor,
    steps: Sequence[int],
    guidances: Sequence[float],
    count: int,
    seeds: Sequence[int],
    bf16: bool,
) -> Iterator[tuple[float, int, list[Figures]]]:
    """Guidance, step count and the figures of every seed, row by row (arguments as in `score_model`)."""
    for guidance, step_count in itertools.product(guidances, steps):
        figures = [
            score_model(model, classifier, real, step_count, guidance, count, seed, bf16) for seed in seeds
        ]
        yield guidance, step_count, figures


def over_seeds(figures: Sequence[Figures]) -> Figure:
    """The mean over seeds, and with more than one the standard deviation between them."""

    def value(numbers: tuple[float, ...]) -> Value:
        column = torch.tensor(numbers, dtype=torch.float64)
        mean = round(float(column.mean()), 4)
        return (mean, round(float(column.std()), 4)) if len(numbers) > 1 else (mean,)

    return Figure(*map(value, zip(*map(astuple, figures), strict=True)))


def main() -> None:
    """The command line: print the table in Markdown as it is measured."""
    parser = argparse.ArgumentParser(prog="python -m fmstudio.image.evaluate", description=main.__doc__)
    parser.add_argument("model", type=Path, help="model folder, such as models/fashion-rf1")
    parser.add_argument("--classifier", type=Path, default=MODELS / "fashion-metric")
    parser.add_argument("--data", type=Path, default=FASHION_FOLDER, help="folder of the four idx files")
    parser.add_argument("--count", type=int, default=1000, help="samples per cell")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32])
    parser.add_argument("--guidance", type=float, nargs="+", default=[1.0, 1.5, 3.0])
    parser.add_argument("--float32", action="store_true", help="no bfloat16 even where it is native")
    parser.add_argument("--card", action="store_true", help="keep the table in MODEL/card.json and README.md")
    parser.add_argument("--threads", type=int, help="CPU threads (default: torch's own choice)")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    device = chosen_device(single_precision=True)
    bf16 = has_bf16(device) and not options.float32
    model, classifier = load_model(options.model, device), load_classifier(options.classifier)
    test = fashion_mnist(options.data, train=False)
    real = judge(classifier, test.images(torch.arange(len(test)))).features
    train = fashion_mnist(options.data)
    precision = "bfloat16" if bf16 else "float32"
    print(f"{options.count} samples, seeds {options.seeds}, {device.type}, {precision}\n")
    print(*header(), sep="\n")
    reals = over_seeds([score_real(train, classifier, real, options.count, seed) for seed in options.seeds])
    print(line("real images", "", reals), flush=True)
    rows: list[Row] = []
    started = time.monotonic()
    cells = score_table(
        model, classifier, real, options.steps, options.guidance, options.count, options.seeds, bf16
    )
    for guidance, step_count, figures in cells:
        rows.append(Row(guidance, step_count, over_seeds(figures)))
        print(line(f"{guidance:g}", str(step_count), rows[-1].figure), flush=True)
    print(f"\n{(time.monotonic() - started) / 60:.1f} minutes")
    if options.card:
        name = options.model.resolve().name
        card = load_card(options.model) or Card(name, name)
        table = Table(name, options.count, tuple(options.seeds), precision, reals, tuple(rows))
        save_card(options.model, card.with_table(table))


if __name__ == "__main__":
    main()
