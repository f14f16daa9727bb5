from dataclasses import replace

import pytest
import torch

from fmstudio.flow.solve.tableaux import HEUN
from fmstudio.image.models import backbone, repository_models
from fmstudio.image.questions import compare as module
from fmstudio.image.questions.compare import Comparison, Distance, Preview, Progress, Quality, Row, compare
from fmstudio.image.questions.gallery import settings_in
from fmstudio.image.sampling.field import GuidedField
from fmstudio.image.sampling.sampling import AdaptivePlan, FixedPlan, sample
from fmstudio.image.scores import grid as scores
from fmstudio.image.scores.classifier import judge
from fmstudio.image.settings import ImageSettings

SETTINGS = ImageSettings(steps=(1, 3), count=2, seed=7, bf16=False)
MODELS = ("fashion-rf1", "fashion-rf2")


@pytest.fixture(autouse=True)
def short_reference(monkeypatch):
    """Two steps are reference enough for a test of the plumbing."""
    monkeypatch.setattr(scores, "REFERENCE", FixedPlan(2, HEUN))
    scores.REFERENCES.clear()
    yield
    scores.REFERENCES.clear()


def kinds(events, kind):
    return [event for event in events if isinstance(event, kind)]


def test_rows_come_one_by_one_side_by_side_from_one_noise() -> None:
    events = list(compare(SETTINGS, MODELS, distances=False))
    rows = kinds(events, Row)
    assert [(row.place, row.side) for row in rows] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert [row.made.nfe for row in rows] == [1, 1, 3, 3]
    for row in rows:
        model = backbone(MODELS[row.side])
        field = GuidedField(model.net, SETTINGS.labels(model))
        alone = sample(field, SETTINGS.noise(model), row.made.step_count)
        assert torch.allclose(row.made.ends, alone, atol=1e-5)


def test_distances_are_to_the_reference_of_the_same_model() -> None:
    done = Comparison(SETTINGS, MODELS)
    for event in compare(SETTINGS, MODELS):
        done.take(event)
    model = backbone("fashion-rf2")
    field = GuidedField(model.net, SETTINGS.labels(model))
    exact = sample(field, SETTINGS.noise(model), 2, HEUN)
    expected = (done.rows[1, 1].ends - exact).square().mean().sqrt()
    assert done.distances[1, 1] == pytest.approx(float(expected), rel=1e-4)
    assert [nfe for nfe, _ in done.curve(0, "distance")] == [1, 3]


def test_a_reference_is_worked_out_once_for_all_solvers_and_step_counts() -> None:
    list(compare(SETTINGS, MODELS[:1]))
    changed = replace(SETTINGS, solver="heun", steps=(1,), shift=3.0)
    said = [event.what for event in compare(changed, MODELS[:1]) if isinstance(event, Progress)]
    assert said
    assert not any("reference" in text for text in said)
    other = [
        event.what for event in compare(replace(SETTINGS, seed=8), MODELS[:1]) if isinstance(event, Progress)
    ]
    assert any("reference" in text for text in other)


def test_quality_is_the_frechet_distance_beside_real_images_at_the_same_number() -> None:
    settings = replace(SETTINGS, steps=(1,), count=3)
    (quality,) = kinds(compare(settings, MODELS[:1], distances=False, figures=12), Quality)
    assert quality.count == 12
    reference = repository_models().reference("fashion-metric")
    assert quality.real == pytest.approx(reference.real_distance(12))
    assert quality.value > 0
    (own,) = kinds(compare(settings, MODELS[:1], distances=False, figures=3), Quality)
    row = kinds(compare(settings, MODELS[:1], distances=False), Row)[0].made
    features = judge(repository_models().classifier(), row.ends.clamp(-1, 1)).features
    assert own.value == pytest.approx(reference.distance(features), rel=1e-3)


@pytest.mark.slow
def test_an_adaptive_solver_has_a_row_for_each_tolerance() -> None:
    settings = replace(SETTINGS, solver="dopri5", tolerances=(0.5, 0.01))
    done = Comparison(settings, MODELS[:1])
    for event in compare(settings, MODELS[:1]):
        done.take(event)
    assert done.rows[0, 0].nfe < done.rows[1, 0].nfe
    assert done.distances.keys() == {(0, 0), (1, 0)}


@pytest.mark.slow
def test_what_an_adaptive_row_may_cost_is_guessed_from_its_tolerance() -> None:
    tolerances = (0.3, 0.1, 0.03, 0.01, 0.001)
    settings = replace(SETTINGS, solver="dopri5", tolerances=tolerances)
    rows = kinds(compare(settings, MODELS[:1], distances=False), Row)
    for row, tolerance in zip(rows, tolerances, strict=True):
        assert 0.5 < AdaptivePlan(tolerance).evaluations / row.made.nfe < 2


def test_a_curve_of_rows_that_cost_the_same_keeps_their_order() -> None:
    done = Comparison(SETTINGS, MODELS[:1])
    for event in compare(replace(SETTINGS, steps=(2, 2)), MODELS[:1], distances=False):
        done.take(event)
    done.distances = {(1, 0): 0.1, (0, 0): 0.2}
    assert done.curve(0, "distance") == [(2, 0.2), (2, 0.1)]


def test_progress_falls_to_nothing_left_and_previews_are_expected_images() -> None:
    events = list(compare(SETTINGS, MODELS[:1], distances=False))
    shares = [event.share for event in kinds(events, Progress)]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)
    assert kinds(events, Progress)[-1].left == pytest.approx(0.0, abs=1e-6)
    first = kinds(events, Preview)[0].step
    assert torch.allclose(first.x0_hat, first.x, atol=1e-5)


def test_a_closed_comparison_stops_the_work() -> None:
    calls = []
    hook = backbone("fashion-rf1").net.register_forward_hook(lambda *_: calls.append(1))
    running = compare(replace(SETTINGS, steps=(100,)), MODELS[:1])
    next(running)
    running.close()
    hook.remove()
    assert len(calls) == 1


def test_every_picture_says_how_it_was_made() -> None:
    done = Comparison(SETTINGS, MODELS[:1])
    for event in compare(SETTINGS, MODELS[:1], distances=False):
        done.take(event)
    pictures = done.pictures()
    assert len({picture.name for picture in pictures}) == len(pictures) == 4
    inside = settings_in(pictures[3].png())
    assert inside["steps"] == [3]
    assert inside["image"] == 1
    assert inside["class"] == "Trouser"
    assert inside["seed"] == 7


def test_the_files_of_rows_that_took_as_many_steps_have_names_of_their_own() -> None:
    for settings in (
        replace(SETTINGS, steps=(2, 2)),
        replace(SETTINGS, solver="dopri5", tolerances=(0.5, 0.4)),
    ):
        done = Comparison(settings, MODELS[:1])
        for event in compare(settings, MODELS[:1], distances=False):
            done.take(event)
        pictures = done.pictures()
        assert len({picture.name for picture in pictures}) == len(pictures)
    inside = settings_in(pictures[0].png())
    assert inside["tolerances"] == [0.5]


def test_models_of_other_shapes_are_not_put_side_by_side(monkeypatch) -> None:
    def loaded(name):
        class Net:
            image_shape = (1, 8, 8) if name == "fashion-rf1" else (3, 8, 8)

        class Model:
            net = Net()

        return Model()

    monkeypatch.setattr(module, "backbone", loaded)
    with pytest.raises(ValueError, match="one shape"):
        next(compare(SETTINGS, MODELS))


def test_the_distance_of_a_row_to_itself_is_zero() -> None:
    settings = replace(SETTINGS, solver="heun", steps=(2,))
    (gap,) = kinds(compare(settings, MODELS[:1]), Distance)
    assert gap.value == pytest.approx(0.0, abs=1e-6)
