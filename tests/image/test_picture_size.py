"""A picture that would take much memory is refused by its header, wherever a picture is opened."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from PIL import Image

from fmstudio.image.picture_size import LONGEST_SIDE, check_size
from fmstudio.image.training.data import image_folder
from fmstudio.learn.clouds import made, read
from fmstudio.learn.clouds.pictures import picture_of
from fmstudio.ui.rooms.images.upload import open_picture

READERS: list[Callable[[Path], object]] = [
    lambda file: picture_of(file.read_bytes()),
    lambda file: open_picture(str(file)),
    lambda file: image_folder(file.parent, 8),
]


@cache
def empty(mode: str, size: tuple[int, int]) -> bytes:
    """The PNG of a picture of one tone."""
    data = io.BytesIO()
    Image.new(mode, size).save(data, "PNG")
    return data.getvalue()


@pytest.fixture
def undecoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever decodes a picture fails."""

    def decode(*_: object) -> None:
        raise AssertionError("It was decoded.")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decode)


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    ("size", "mode", "said"),
    [
        ((1, 20_000), "1", "16,384 a side"),
        ((20_000, 1), "P", "16,384 a side"),
        ((5_000, 5_000), "P", "takes 100 MB once it is decoded"),
        ((4_000, 4_000), "I;16", "takes 128 MB once it is decoded"),
    ],
)
def test_a_small_file_of_a_huge_picture_is_refused(
    tmp_path: Path,
    read: Callable[[Path], object],
    size: tuple[int, int],
    mode: str,
    said: str,
    undecoded: None,
) -> None:
    file = tmp_path / "huge.png"
    file.write_bytes(empty(mode, size))
    assert file.stat().st_size < 200_000
    with pytest.raises(ValueError, match=said):
        read(file)


def test_a_camera_s_picture_is_decoded_small() -> None:
    data = io.BytesIO()
    Image.linear_gradient("L").resize((8_000, 6_000)).convert("RGB").save(data, "JPEG", quality=60)
    with Image.open(io.BytesIO(data.getvalue())) as picture:
        check_size(picture, 512)
        assert picture.size == (1_000, 750)
    assert len(made(read("camera.jpg", data.getvalue()), {}).cloud.points) > 100


def test_the_longest_side_is_read() -> None:
    picture = Image.new("1", (LONGEST_SIDE, 2))
    check_size(picture, 512)
    assert picture.size == (LONGEST_SIDE, 2)


def test_other_formats_than_those_named_are_not_opened(tmp_path: Path) -> None:
    file = tmp_path / "letter.png"
    file.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n")
    with pytest.raises(ValueError, match="could not be read as one"):
        open_picture(str(file))
