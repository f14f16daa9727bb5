"""The Images room follows the model chosen: its words, its controls, and the nearest training images."""

import gradio as gr
import pytest

from fmstudio.image.card import Card, save_card
from fmstudio.image.models import backbone_names, repository_models
from fmstudio.image.progress import Progress
from fmstudio.image.questions.compare import Comparison, compare
from fmstudio.image.settings import ALL_CLASSES, NO_CLASS, ImageSettings
from fmstudio.studio.session import Visitor
from fmstudio.ui.rooms.images import parts
from fmstudio.ui.rooms.images.grid_html import figure_kind, figures_of, grid_html, summary
from fmstudio.ui.rooms.images.parts import long_action
from fmstudio.ui.rooms.images.sampler import (
    ALL_IN_TURN,
    WITHOUT_CLASS,
    FollowingMenu,
    beside_choices,
    classes_of,
    followed,
    label_of,
    model_choices,
    side_by_side,
)
from fmstudio.ui.rooms.images.source import TEST, sources_of
from fmstudio.ui.rooms.images.words import figures_text, grid_text, map_text, model_text
from tests.image.tiny_colour import NAME, put_in_place, train_on


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    return put_in_place(tmp_path, monkeypatch)


def grid(model, **more):
    done = Comparison(ImageSettings(model=model, steps=(1,), count=3, bf16=False), (model,))
    for event in compare(done.settings, done.models, distances=False, **more):
        done.take(event)
    return done


def test_copies_are_framed_and_counted(tiny) -> None:
    done = grid(NAME, figures=3)
    plain = grid_html(done)
    assert plain.count("fm-near") == 1
    assert "0 of 3 are copies" in plain
    assert "<i style" not in plain
    train_on(tiny, done.rows[0, 0].images[:2])
    done = grid(NAME, figures=3)
    framed = grid_html(done)
    assert framed.count("<i style") == 2
    assert "2 of 3 are copies" in framed
    assert "copies <b>67%</b>" in framed
    assert "67% of 3 samples are copies" in summary(done)


def test_frames_lie_over_their_images(tiny) -> None:
    done = grid(NAME)
    train_on(tiny, done.rows[0, 0].images[1:2])
    # Three images of 8 pixels with 2 clear ones between: 28 wide, the second from 10 to 18.
    assert 'style="left:35.714%;width:28.571%"' in grid_html(grid(NAME))


def test_a_model_without_training_images_shows_nothing_of_it() -> None:
    done = grid("fashion-rf1")
    assert "fm-near" not in grid_html(done)
    assert "copies" not in summary(done)
    assert "copy" not in grid_text("fashion-rf1")
    assert figure_kind("fashion-rf1") == "FD"


def test_the_middle_figure_is_of_copies_where_no_classifier_knows_the_classes(tiny) -> None:
    assert figure_kind(NAME) == "copies"
    _, figure = figures_of(grid(NAME, figures=3))
    assert [trace["name"] for trace in figure["data"]] == ["1-RF", "real images"]
    assert "FD" not in grid_text(NAME)
    assert "half as far" in grid_text(NAME)
    (tiny / "training.safetensors").unlink()
    assert figure_kind(NAME) == ""
    assert "two figures" in figures_text("")


def test_words_follow_the_model(tiny) -> None:
    save_card(tiny, Card("Tiny", "1-RF", "A flow of small squares."))
    told = model_text(NAME)
    assert "A flow of small squares." in told
    assert "8 × 8 colour pictures, 3 classes: top · middle · bottom." in told
    assert "saw only 30 pictures" in told
    assert "2-RF" not in told
    assert "192 dimensions" in map_text(NAME)
    assert TEST not in sources_of(NAME)


@pytest.mark.parametrize("model", backbone_names())
def test_every_shipped_model_has_its_words(model) -> None:
    entry = repository_models().entry(model)
    assert entry.card.introduction in model_text(model)
    width = entry.image_shape[2]
    assert f"{width} × {width}" in model_text(model)
    assert ("copies" in grid_text(model).lower()) == entry.has_training
    assert ("2-RF" in grid_text(model)) == model.startswith("fashion")
    assert "{" not in model_text(model) + grid_text(model) + map_text(model)


def test_a_class_of_the_model_before_means_what_its_menu_will_show() -> None:
    assert label_of("fashion-rf1", "Ankle boot") == 9
    assert label_of("emoji-rf1", "Ankle boot") == ALL_CLASSES
    assert label_of("emoji-rf1", WITHOUT_CLASS) == NO_CLASS
    assert followed(classes_of("fashion-rf2"), "Ankle boot", ALL_IN_TURN)["value"] == "Ankle boot"
    assert followed(classes_of("emoji-rf1"), "Ankle boot", ALL_IN_TURN)["value"] == ALL_IN_TURN


def test_a_menu_that_has_not_followed_yet_refuses_nothing() -> None:
    menu = FollowingMenu(classes_of("emoji-rf1"), value=ALL_IN_TURN)
    assert menu.preprocess("Ankle boot") == "Ankle boot"
    assert menu.get_block_name() == "dropdown"


def test_only_models_of_the_same_classes_stand_side_by_side() -> None:
    assert side_by_side("fashion-rf1", "fashion-rf2") == ("fashion-rf1", "fashion-rf2")
    assert side_by_side("emoji-rf1", "fashion-rf2") == ("emoji-rf1",)
    assert side_by_side("fashion-rf2", "fashion-rf2") == ("fashion-rf2",)
    assert side_by_side("fashion-rf2", "") == ("fashion-rf2",)
    assert followed(beside_choices("fashion-one"), "fashion-rf2", "")["value"] == "fashion-rf2"


def test_menus_name_kind_and_folder() -> None:
    assert ("student · fashion-one", "fashion-one") in model_choices()
    assert ("DiT · fashion-dit", "fashion-dit") in model_choices()


@pytest.mark.slow
def test_an_action_tells_its_place_its_errors_and_its_last_word_in_its_status() -> None:
    with gr.Blocks():
        state, status, picture = gr.State(), gr.HTML(), gr.HTML()

    def works(_):
        yield {status: "at work", picture: "a picture"}
        raise ValueError("too large")

    visitor, other = Visitor(), Visitor()
    handler = long_action(works, state, "grid", status, "It was stopped.")
    running, waiting = handler({state: visitor}), handler({state: other})
    assert next(running) == {status: "at work", picture: "a picture"}
    told = next(waiting)
    assert "One action is before this one" in told[status]
    assert picture not in told
    other.running.halt("grid")
    (last,) = waiting
    assert "It was stopped." in last[status]
    (failed,) = running
    assert "too large" in failed[status]
    assert visitor.running.actions == other.running.actions == []


def test_progress_is_shown_now_and_then_and_always_at_its_end(monkeypatch) -> None:
    monkeypatch.setattr(parts, "YIELD_EVERY", 1e9)
    with gr.Blocks():
        state, status = gr.State(), gr.HTML()

    def works(_):
        yield Progress("begins", 0.0, None)
        yield Progress("goes on", 0.5, 7.0)
        yield Progress("ends", 1.0, 0.0)

    first, last = parts.long_action(works, state, "grid", status, "")({state: Visitor()})
    assert "begins" in first[status]
    assert "ends" in last[status]
    assert 'value="1.000"' in last[status]
