"""Pictures that people bring: what stands out from the background becomes points."""

import io
import math

import numpy as np
import pytest
import torch
from PIL import Image

from fmstudio.learn import clouds
from fmstudio.learn.clouds.files import INSTEAD, READERS
from tests.learn.brought import from_file, from_image


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def png(pixels: np.ndarray, mode: str = "L", kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8), mode).save(stream, kind)
    return stream.getvalue()


def deep_png(levels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(levels.astype(np.uint16)).save(stream, "PNG")
    assert Image.open(stream).mode == "I;16"
    return stream.getvalue()


def points_of(data: bytes, **values: object) -> clouds.Cloud:
    return clouds.made(clouds.read("a.png", data), values).cloud


def test_dark_is_dense() -> None:
    pixels = np.full((40, 80), 255)
    pixels[:, :40] = 55  # left: ink 200, right: ink 0 …
    pixels[:20, 40:] = 155  # … and upper right: ink 100
    cloud = from_image(png(pixels), 20_000, seeded())
    x, y = cloud.points.unbind(1)
    assert not ((x > 0) & (y < 0)).any()
    upper_right = float(((x > 0) & (y > 0)).double().mean())
    # Areas 2 : 1 with inks 200 : 100.
    assert abs(upper_right - 0.2) <= 5 * math.sqrt(0.2 * 0.8 / 20_000)
    assert float(x.abs().max()) <= 3.0
    assert float(y.abs().max()) <= 1.5
    assert cloud.transform.scale == (80 / 6, 80 / 6)


def test_a_picture_of_16_bits_has_the_ink_of_one_of_8() -> None:
    ramp = np.linspace(0, 255, 60).round().astype(np.uint8)[None].repeat(40, 0)
    stream = io.BytesIO()
    Image.fromarray(ramp.astype(np.uint16) * 257).save(stream, "PNG")
    assert Image.open(stream).mode == "I;16"
    fine, coarse = (from_image(data, 500, seeded()) for data in (stream.getvalue(), png(ramp)))
    assert torch.equal(fine.points, coarse.points)


def test_transparent_is_empty() -> None:
    pixels = np.zeros((30, 30, 4))
    pixels[:15, :, 3] = 255
    points = from_image(png(pixels, "RGBA"), 1_000, seeded()).points
    transform_height = float(points[:, 1].max() - points[:, 1].min())
    assert transform_height <= 3.0


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP"])
def test_every_kind_of_picture(kind) -> None:
    pixels = np.full((50, 60), 255)
    pixels[10:40, 10:50] = 0
    points = from_image(png(pixels, kind=kind), 2_000, seeded()).points
    assert points.shape == (2_000, 2)
    inside = (points[:, 0].abs() <= 3.01) & (points[:, 1].abs() <= 3.01)
    assert inside.all()


def test_large_picture_is_made_smaller() -> None:
    pixels = np.full((2_000, 3_000), 255)
    pixels[500:1_500, 1_000:2_000] = 0
    points = from_image(png(pixels), 4_000, seeded()).points
    assert float(points.abs().max()) <= 3.0
    assert abs(float(points[:, 0].std() / points[:, 1].std()) - 1) <= 0.05


def test_picture_turned_by_its_camera_stands_upright() -> None:
    pixels = np.full((20, 60), 255)
    pixels[:, :20] = 0
    picture = Image.fromarray(pixels.astype(np.uint8))
    exif = picture.getexif()
    exif[0x0112] = 6  # turn by 90° clockwise to show
    stream = io.BytesIO()
    picture.save(stream, "PNG", exif=exif)
    turned, plain = from_image(stream.getvalue()), from_image(png(pixels))
    assert turned.transform.mean == (10.0, 50.0)
    assert plain.transform.mean == (10.0, 10.0)


def too_wide() -> bytes:
    stream = io.BytesIO()
    Image.new("1", (100_000, 300), 1).save(stream, "PNG")
    return stream.getvalue()


def bomb() -> bytes:
    stream = io.BytesIO()
    Image.new("1", (100_000, 2_000), 1).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not a picture"),
        (b"junk", "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture"),
        (png(np.zeros((30, 30)))[:40], "not a picture"),
        (png(np.zeros((30, 30))), "one tone everywhere"),
        (png(np.full((30, 30), 128)), "one tone everywhere"),
        (png(np.zeros((30, 30, 4)), "RGBA"), "one tone everywhere"),
        (bytes(5_000_001), "at most 5,000,000"),
        (too_wide(), "100000 × 300 pixels"),
        (bomb(), "not a picture|pixels"),
    ],
    ids=range(10),
)
def test_picture_refused(data, words) -> None:
    with pytest.raises(ValueError, match=words):
        from_image(data)


@pytest.mark.parametrize("most", [1_023, 4_095, 65_535])
def test_10_12_and_16_bits_are_taken_by_their_own_range(most) -> None:
    """A ramp from black to white: a quarter of the ink lies in its lighter half."""
    ramp = np.linspace(0, most, 256).round()[None].repeat(64, 0)
    cloud = from_image(deep_png(ramp), 20_000, seeded())
    left = float((cloud.transform.undo(cloud.points)[:, 0] < 128).double().mean())
    # Without the threshold 0.75; the tones below 5 % of the ink are 0.0019 of it.
    assert abs(left - 0.75 / (1 - 0.05**2)) <= 4 * math.sqrt(0.75 * 0.25 / 20_000)
    assert "by the range that the picture uses" in cloud.note


def test_the_background_is_the_commonest_tone() -> None:
    """Paper of tone 247 with one white pixel: no point on the paper."""
    pixels = np.full((100, 100), 247)
    pixels[40:45] = 0
    pixels[0, 0] = 255
    cloud = from_image(png(pixels))
    rows = cloud.transform.undo(cloud.points.double())[:, 1]
    assert ((rows >= 55) & (rows <= 60)).all()
    assert "darker than the commonest tone" in cloud.note


def test_paper_with_noise_is_empty() -> None:
    draw = np.random.default_rng(0)
    pixels = np.clip(draw.normal(235, 2, (120, 120)), 0, 255)
    pixels[50:60, 20:100] = 30
    cloud = from_image(png(pixels), 4_000)
    at = cloud.transform.undo(cloud.points.double())
    assert ((at[:, 1] >= 60) & (at[:, 1] <= 70) & (at[:, 0] >= 20) & (at[:, 0] <= 100)).all()


def test_a_dark_picture_inverts_itself() -> None:
    pixels = np.zeros((100, 100))
    pixels[70:72, 10:90] = 255
    cloud = from_image(png(pixels))
    at = cloud.transform.undo(cloud.points.double())
    assert ((at[:, 1] >= 28) & (at[:, 1] <= 30)).all()
    other = points_of(png(pixels), invert=False)
    at = other.transform.undo(other.points.double())
    assert float(((at[:, 1] >= 28) & (at[:, 1] <= 30)).double().mean()) < 0.02
    assert points_of(png(255 - pixels)).note.startswith("5,000 points where a.png is darker")


@pytest.mark.parametrize("tone", [0, 255])
def test_a_figure_without_background_is_seen_whatever_its_tone(tone) -> None:
    pixels = np.full((40, 40, 4), tone)
    pixels[..., 3] = 0
    pixels[10:30, 15:25, 3] = 255
    at = from_image(png(pixels, "RGBA"))
    assert at.transform.mean == (20.0, 20.0)


def test_threshold_and_blur_move_the_points() -> None:
    pixels = np.full((60, 60), 255)
    pixels[20:40, 10:30] = 0
    pixels[20:40, 40:50] = 200

    def faint(**look: float) -> float:
        cloud = points_of(png(pixels), **look)
        return float((cloud.transform.undo(cloud.points)[:, 0] > 35).double().mean())

    assert faint() > 0.05
    assert faint(threshold=0.3) == 0
    sharp, soft = points_of(png(pixels), threshold=0.3), points_of(png(pixels), threshold=0.3, blur=3)
    assert soft.transform.scale[0] > sharp.transform.scale[0]
    assert "blurred by 3 pixels; nothing below 30% of the strongest ink" in soft.note


def test_colours_become_classes_on_request() -> None:
    pixels = np.full((60, 90, 3), 255)
    for k, colour in enumerate(((220, 20, 20), (20, 40, 210), (245, 230, 40))):
        pixels[10:50, 5 + 30 * k : 25 + 30 * k] = colour
    stream = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(stream, "PNG")
    assert points_of(stream.getvalue()).labels is None
    cloud = points_of(stream.getvalue(), colours=3)
    assert sorted(cloud.names) == ["blue", "red", "yellow"]
    assert cloud.labels is not None
    middle = {name: float(cloud.points[cloud.labels == k, 0].mean()) for k, name in enumerate(cloud.names)}
    assert middle["red"] < -1 < middle["blue"] < 1 < middle["yellow"]
    # As many points on each: yellow on white is ink too.
    shares = cloud.labels.bincount() / len(cloud.labels)
    assert float((shares - 1 / 3).abs().max()) < 0.06
    assert torch.equal(cloud.points, points_of(stream.getvalue(), colours=3).points)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"threshold": 1}, r"threshold: expected a number in \[0, 0.95\]"),
        ({"blur": -1}, r"blur: expected a number in \[0, 8\]"),
        ({"colours": 2.5}, "whole number"),
        ({"colours": "3"}, "expected a number"),
        ({"invert": "yes"}, "true or false"),
        ({"x": "y"}, "expected invert, threshold, blur, colours; got 'x'"),
    ],
)
def test_looks_refused(values, words) -> None:
    pixels = np.full((20, 20), 255)
    pixels[5:9] = 0
    with pytest.raises(ValueError, match=words):
        points_of(png(pixels), **values)


# Files.


def test_files_are_read_by_their_ending(tmp_path) -> None:
    pixels = np.full((20, 20), 255)
    pixels[5:15, 5:15] = 0
    stream = io.BytesIO()
    np.save(stream, np.array([[1.0, 2], [3, 5], [5, 1]]))
    files = {
        "a.csv": b"x,y\n1,2\n3,5\n",
        "b.TXT": b"1 2\n3 5\n",
        "c.npy": stream.getvalue(),
        "d.Png": png(pixels),
        "e.jfif": png(pixels, kind="JPEG"),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        cloud = from_file(tmp_path / name)
        assert cloud.points.shape[1] == 2
        assert name in cloud.note
        assert clouds.unpack(clouds.packed(cloud)).note == cloud.note


@pytest.mark.parametrize("ending", INSTEAD)
def test_files_that_are_not_read_say_what_to_do(ending) -> None:
    with pytest.raises(ValueError, match=r": |export it") as refused:
        clouds.read(f"a{ending.upper()}", b"")
    assert ending not in READERS
    assert str(refused.value).endswith(".")


def test_what_a_file_is_counts_and_not_its_name() -> None:
    with pytest.raises(ValueError, match="HEIC pictures are not read: export"):
        clouds.read("a.jpg", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    with pytest.raises(ValueError, match="a spreadsheet or an archive"):
        clouds.read("a.csv", b"PK\x03\x04rest")


def test_files_refused(tmp_path) -> None:
    with pytest.raises(ValueError, match=r"ends in '\.exe'; use one of CSV"):
        clouds.read("a.exe", b"x")
    with (tmp_path / "b.csv").open("wb") as file:
        file.truncate(5_000_001)
    with pytest.raises(ValueError, match="5,000,001 bytes"):
        from_file(tmp_path / "b.csv")
