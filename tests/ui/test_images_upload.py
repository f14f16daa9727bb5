"""An uploaded picture: whatever the file holds, the action answers with its image or with one sentence."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from fmstudio.image import picture_size
from fmstudio.image.settings import NO_CLASS, ImageSettings
from fmstudio.ui.rooms.images.source import (
    TEST,
    UPLOAD,
    Source,
    backdrop_of,
    obtain,
    strange_backdrop,
    upload_warning,
)
from fmstudio.ui.rooms.images.upload import UploadedPicture, open_picture
from tests.image.tiny_colour import NAME, put_in_place


def obtained(file: Path, model: str = "fashion-rf1", negative: bool = False) -> torch.Tensor:
    source = Source(UPLOAD, 0, str(file), NO_CLASS, negative)
    image, label = list(obtain(ImageSettings(model=model), source))[-1]
    assert label == 10
    return image


def test_the_field_hands_on_the_file_whatever_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "words.png").write_text("not a picture")
    field = UploadedPicture()
    assert field.preprocess(None) is None
    assert field.preprocess(SimpleNamespace(path=str(tmp_path / "words.png"))) == str(tmp_path / "words.png")
    assert field.get_block_name() == "image"


def test_a_file_that_is_no_picture_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "words.png").write_text("not a picture")
    Image.effect_noise((60, 60), 90).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:1000])
    (tmp_path / "drawing.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    for name in ("words.png", "cut.png", "drawing.svg"):
        with pytest.raises(ValueError, match=r"could not be read as one\. Choose another"):
            open_picture(str(tmp_path / name))


def test_a_huge_picture_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("L", (40, 30)).save(tmp_path / "huge.png")
    monkeypatch.setattr(picture_size, "MOST_DECODED", 1000)
    with pytest.raises(ValueError, match="40 × 30 pixels takes"):
        open_picture(str(tmp_path / "huge.png"))


def test_a_spoilt_upload_does_not_stand_in_the_way_of_another_source(tmp_path: Path) -> None:
    (tmp_path / "words.png").write_text("not a picture")
    source = Source(TEST, 15, str(tmp_path / "words.png"), NO_CLASS, False)
    image, label = list(obtain(ImageSettings(), source))[-1]
    assert (image.shape, label) == ((1, 28, 28), 7)


def test_transparent_parts_become_what_lies_behind_the_models_own_pictures(tmp_path: Path) -> None:
    Image.new("RGBA", (30, 30), (90, 90, 90, 0)).save(tmp_path / "clear.png")
    assert backdrop_of("fashion-rf1") == "black"
    assert backdrop_of("emoji-rf1") == "white"
    for negative in (False, True):
        assert obtained(tmp_path / "clear.png", negative=negative).max() == -1


@pytest.mark.parametrize(("model", "known"), [("fashion-rf1", 0), ("emoji-rf1", 255)])
def test_a_background_that_the_model_never_saw_is_told_before_anything_is_done(
    tmp_path: Path, model: str, known: int
) -> None:
    for tone in (0, 255):
        picture = Image.new("RGB", (60, 40), (tone,) * 3)
        picture.paste((255 - tone,) * 3, (22, 12, 38, 28))
        picture.save(tmp_path / f"{tone}.png")
    ours, other = (str(tmp_path / f"{tone}.png") for tone in (known, 255 - known))
    assert upload_warning(model, None, False) == ""
    assert upload_warning(model, ours, False) == upload_warning(model, other, True) == ""
    told = upload_warning(model, other, False)
    assert ("light" if known == 0 else "dark") in told
    assert "Tick “swap light and dark”" in told
    (tmp_path / "words.png").write_text("not a picture")
    assert "could not be read" in upload_warning(model, str(tmp_path / "words.png"), False)


def test_a_model_of_many_backgrounds_warns_of_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_in_place(tmp_path, monkeypatch)
    for tone in (-1.0, 1.0):
        assert strange_backdrop(NAME, torch.full((3, 8, 8), tone)) == ""


def test_a_model_without_pictures_has_black_behind_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (put_in_place(tmp_path, monkeypatch) / "training.safetensors").unlink()
    assert backdrop_of(NAME) == "black"
