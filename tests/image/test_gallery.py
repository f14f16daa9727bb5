import io
import json
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from fmstudio.image.questions.gallery import (
    ENLARGED,
    KEY,
    Picture,
    png_of,
    settings_in,
    sheet_of,
    strip_of,
    write_pictures,
    write_zip,
)


def image(channels: int, value: int = 0) -> torch.Tensor:
    pixels = torch.arange(channels * 16, dtype=torch.uint8).reshape(channels, 4, 4)
    return pixels + value


@pytest.mark.parametrize("channels", [1, 3])
def test_a_png_has_the_pixels_and_the_settings_in_a_text_chunk(channels) -> None:
    png = png_of(image(channels), {"class": "Crêpe", "steps": [4]})
    assert b"tEXt" + KEY.encode() in png
    assert settings_in(png) == {"class": "Crêpe", "steps": [4]}
    with Image.open(io.BytesIO(png)) as picture:
        back = torch.from_numpy(np.array(picture.convert("RGB")))
    assert torch.equal(back[:, :, 0], image(channels)[0])


def test_a_png_without_settings_says_so() -> None:
    with pytest.raises(ValueError, match="no settings"):
        settings_in(png_of(image(1)))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_strip_has_clear_gaps(channels) -> None:
    strip = strip_of(torch.stack([image(channels), image(channels, 100)]), gap=2)
    assert strip.size == (10, 4)
    alpha = strip.getchannel("A")
    assert [alpha.getpixel((x, 0)) for x in range(10)] == [255] * 4 + [0] * 2 + [255] * 4
    assert strip.getpixel((6, 0))[0] == 100


def test_a_sheet_holds_rows_of_different_length() -> None:
    sheet = sheet_of([image(1)[None].expand(3, -1, -1, -1), image(1)[None]], gap=1)
    assert sheet.size == (14 * ENLARGED, 9 * ENLARGED)
    assert sheet.getpixel((13 * ENLARGED, 8 * ENLARGED)) == (255, 255, 255)


def test_files_and_zip_hold_every_picture(tmp_path) -> None:
    pictures = [Picture(f"p{k}", f"picture {k}", image(1, k), {"k": k}) for k in range(3)]
    files = write_pictures(pictures, tmp_path / "new")
    assert [caption for _, caption in files] == ["picture 0", "picture 1", "picture 2"]
    assert settings_in(files[2][0].read_bytes()) == {"k": 2}
    with zipfile.ZipFile(write_zip(pictures, {"all": True}, tmp_path / "all.zip")) as archive:
        assert json.loads(archive.read("settings.json")) == {"all": True}
        assert settings_in(archive.read("p1.png")) == {"k": 1}
