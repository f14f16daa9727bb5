"""Train the metric's classifier: `python -m fmstudio.image.train_classifier --data FOLDER --out FOLDER`."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from fmstudio.image.scores.classifier import FeatureNet, save_classifier, train_classifier
from fmstudio.image.training.data import FASHION_FOLDER, fashion_mnist


def main() -> None:
    """The command line: read Fashion-MNIST, train, print the test accuracy after each epoch, save."""
    parser = argparse.ArgumentParser(
        prog="python -m fmstudio.image.train_classifier", description=main.__doc__
    )
    parser.add_argument("--data", type=Path, default=FASHION_FOLDER, help="folder of the four idx files")
    parser.add_argument("--out", type=Path, required=True, help="folder to write the classifier to")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, help="CPU threads (default: torch's own choice)")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    train, test = fashion_mnist(options.data), fashion_mnist(options.data, train=False)
    net = FeatureNet(train.shape[0], len(train.class_names))
    for report in train_classifier(net, train, test, options.epochs, seed=options.seed):
        print(
            f"epoch {report.epoch:3d}  loss {report.loss:.4f}  test accuracy {report.accuracy:.4f}",
            flush=True,
        )
    save_classifier(options.out, net, train.class_names)


if __name__ == "__main__":
    main()
