import pytest
import torch

from fmstudio.folders import MODELS
from fmstudio.image.scores.classifier import (
    FeatureNet,
    judge,
    load_classifier,
    save_classifier,
    train_classifier,
)
from fmstudio.image.training.data import FASHION_FOLDER, fashion_mnist


def test_the_classifier_learns_and_survives_its_file(tiny_images, tmp_path) -> None:
    torch.manual_seed(0)
    net = FeatureNet(1, 3)
    reports = list(train_classifier(net, tiny_images, tiny_images, epochs=10, batch=16))
    assert reports[-1].loss < reports[0].loss
    assert reports[-1].accuracy > 0.95
    save_classifier(tmp_path, net, tiny_images.class_names)
    images = tiny_images.images(torch.arange(48))
    mine, read = judge(net, images), judge(load_classifier(tmp_path), images, batch=7)
    assert torch.allclose(mine.features, read.features, atol=1e-5)
    assert torch.equal(mine.predicted, read.predicted)
    assert mine.features.shape == (48, 128)


def test_training_takes_at_least_an_epoch(tiny_images) -> None:
    with pytest.raises(ValueError, match="at least 1 epoch"):
        next(train_classifier(FeatureNet(1, 3), tiny_images, tiny_images, epochs=0))


@pytest.mark.skipif(not FASHION_FOLDER.is_dir(), reason="needs the package dataset-fashion-mnist")
def test_the_shipped_classifier_is_right_nine_times_in_ten() -> None:
    test = fashion_mnist(train=False)
    rows = torch.arange(1000)
    judged = judge(load_classifier(MODELS / "fashion-metric"), test.images(rows))
    assert (judged.predicted == test.labels[rows]).double().mean() > 0.9
