"""What is measured of rows, with a tiny colour model that brings its training images."""

from dataclasses import replace

import pytest
import torch

from fmstudio.image.memorising import find_nearest
from fmstudio.image.models import repository_models
from fmstudio.image.progress import Progress
from fmstudio.image.questions.compare import Comparison, compare
from fmstudio.image.questions.film import Film, film
from fmstudio.image.questions.projection import FlowMap, flow_map
from fmstudio.image.scores import grid as scores
from fmstudio.image.scores.grid import Closest, CopyShare, Distance, Quality
from fmstudio.image.settings import ImageSettings
from tests.image.tiny_colour import NAME, put_in_place, train_on

TWO_STEPS = {"model": NAME, "steps": (2,), "count": 4, "bf16": False}


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    scores.REFERENCES.clear()
    yield put_in_place(tmp_path, monkeypatch)
    scores.REFERENCES.clear()


def compared(settings, **more):
    done = Comparison(settings, (settings.model,))
    events = list(compare(settings, done.models, distances=False, **more))
    for event in events:
        done.take(event)
    return done, events


def test_every_sample_of_a_row_has_its_nearest_training_image(tiny) -> None:
    done, _ = compared(ImageSettings(**TWO_STEPS))
    training = repository_models().training(NAME)
    expected = find_nearest(training, done.rows[0, 0].images)
    assert torch.equal(done.closest[0, 0].images, training.pixels[expected.index])
    assert not done.closest[0, 0].copies.any()
    assert done.copies == {}


def test_a_model_that_repeats_its_training_images_is_found_out(tiny) -> None:
    settings = ImageSettings(**TWO_STEPS)
    before, _ = compared(settings, figures=4)
    assert before.copies[0, 0].value == 0
    training = train_on(tiny, before.rows[0, 0].images)
    done, _ = compared(settings, figures=4)
    assert done.closest[0, 0].copies.all()
    assert torch.equal(done.closest[0, 0].images, done.rows[0, 0].images)
    assert done.copies[0, 0] == CopyShare(0, 0, 1.0, 4, training.real_share)


def test_the_share_of_copies_is_of_as_many_images_as_were_asked_for(tiny) -> None:
    done, events = compared(ImageSettings(**TWO_STEPS), figures=9)
    assert done.copies[0, 0].count == 9
    shares = [event.share for event in events if isinstance(event, Progress)]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)
    assert [event for event in events if isinstance(event, Quality)] == []


def test_the_nearest_images_come_after_the_rows_and_before_all_other_figures(tiny, monkeypatch) -> None:
    monkeypatch.setattr(scores, "REFERENCE", scores.FixedPlan(2))
    settings = replace(ImageSettings(**TWO_STEPS), steps=(1, 2))
    kinds = [type(e).__name__ for e in compare(settings, (NAME,), figures=4)]
    assert kinds.index("Closest") > max(k for k, name in enumerate(kinds) if name == "Row")
    assert kinds.index(Distance.__name__) > max(k for k, name in enumerate(kinds) if name == "Closest")
    left = [type(e) for e in compare(settings, (NAME,), distances=False, nearest=False)]
    assert Closest not in left


def test_models_without_training_images_show_nothing_of_it() -> None:
    done, _ = compared(ImageSettings(steps=(1,), count=2, bf16=False))
    assert done.closest == {}
    assert done.copies == {}


def test_colour_images_are_filmed_and_mapped(tiny) -> None:
    made = [e for e in film(ImageSettings(**TWO_STEPS | {"label": 1})) if isinstance(e, Film)][-1]
    assert made.frames(made.x).shape == (3, 3, 8, 8)
    (flow,) = [e for e in flow_map(ImageSettings(**TWO_STEPS), (NAME,), 12) if isinstance(e, FlowMap)]
    assert flow.frames[0].shape == (3, 12, 3, 8, 8)
    assert flow.plane.axes.shape == (2, 192)
    assert repository_models().entry(NAME).image_shape == (3, 8, 8)
