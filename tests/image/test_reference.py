import pytest
import torch

from fmstudio.folders import MODELS
from fmstudio.image.scores import reference as module
from fmstudio.image.scores.classifier import FeatureNet, judge, save_classifier
from fmstudio.image.scores.metrics import frechet_distance
from fmstudio.image.scores.reference import load_reference, make_reference, save_reference, weights_digest


@pytest.fixture
def made(tiny_images, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "REAL_FEATURES", 30)
    torch.manual_seed(0)
    classifier = FeatureNet(1, 3).eval()
    save_classifier(tmp_path, classifier, tiny_images.class_names)
    reference = make_reference(classifier, weights_digest(tmp_path), tiny_images, tiny_images)
    save_reference(tmp_path, reference)
    return classifier, tmp_path


def test_the_distance_is_that_of_all_real_features(made, tiny_images) -> None:
    classifier, folder = made
    reference = load_reference(folder)
    features = judge(classifier, tiny_images.images(torch.arange(48))).features
    some = features[:20]
    assert reference.distance(some) == pytest.approx(frechet_distance(some, features), rel=1e-3, abs=1e-6)
    assert reference.distance(features) == pytest.approx(0.0, abs=1e-4)


def test_real_features_and_pictures_run_through_the_classes(made, tiny_images) -> None:
    reference = load_reference(made[1])
    assert reference.real.shape == (30, 128)
    assert reference.labels.tolist() == [0, 0, 1, 1, 2, 2]
    rows = module._classes_in_turn(tiny_images, 7)
    assert tiny_images.labels[rows].tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert len(rows.unique()) == 7


def test_too_few_or_too_many_images_are_refused(made) -> None:
    reference = load_reference(made[1])
    with pytest.raises(ValueError, match="at least two"):
        reference.distance(torch.zeros(1, 128))
    with pytest.raises(ValueError, match="30 real images"):
        reference.real_distance(31)


def test_another_classifier_is_noticed(made, tiny_images) -> None:
    save_classifier(made[1], FeatureNet(1, 3), tiny_images.class_names)
    with pytest.raises(ValueError, match="another classifier"):
        load_reference(made[1])


def test_a_missing_reference_says_how_it_is_made(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match=r"fmstudio\.image\.scores\.reference"):
        load_reference(tmp_path)


def test_the_shipped_reference_belongs_to_the_shipped_classifier() -> None:
    reference = load_reference(MODELS / "fashion-metric")
    assert reference.pictures.shape == (20, 1, 28, 28)
    assert reference.real_distance(1000) < 0.15 < reference.real_distance(100)
