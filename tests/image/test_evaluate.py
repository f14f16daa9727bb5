import torch

from fmstudio.image.evaluate import score_model, score_real, score_table
from fmstudio.image.folder import ImageModel
from fmstudio.image.scores.classifier import FeatureNet, judge


def judged_setting(tiny_net, tiny_images):
    torch.manual_seed(1)
    classifier = FeatureNet(1, 3).eval().requires_grad_(False)
    real = judge(classifier, tiny_images.images(torch.arange(48))).features
    return ImageModel(tiny_net, tiny_images.class_names), classifier, real


def test_real_images_score_best(tiny_net, tiny_images) -> None:
    model, classifier, real = judged_setting(tiny_net, tiny_images)
    reals = score_real(tiny_images, classifier, real, 48, seed=0)
    assert abs(reals.distance) < 1e-6
    assert reals.recall == 1.0
    assert score_model(model, classifier, real, 2, 1.0, 24, seed=0).distance > reals.distance


def test_the_table_is_the_same_for_the_same_seeds_whatever_the_batch(tiny_net, tiny_images) -> None:
    model, classifier, real = judged_setting(tiny_net, tiny_images)
    rows = list(score_table(model, classifier, real, [1, 2], [1.0, 2.0], 24, [0, 1], False))
    assert [(guidance, steps) for guidance, steps, _ in rows] == [(1.0, 1), (1.0, 2), (2.0, 1), (2.0, 2)]
    again = score_model(model, classifier, real, 2, 2.0, 24, seed=1, batch=10)
    assert abs(again.distance - rows[3][2][1].distance) < 1e-3 * again.distance
    assert again.accuracy == rows[3][2][1].accuracy
