"""Clouds: what was brought arrives, moved as the transform says; what cannot be read says why and where."""

import base64
import io
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from fmstudio.learn import clouds, tables
from fmstudio.learn.cloud import SPREAD
from fmstudio.learn.experiment import Experiment, domain

CALM = settings(deadline=None, derandomize=True)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(n: int, d: int = 2) -> torch.Tensor:
    return torch.randn(n, d, generator=seeded())


def npy(array: np.ndarray, **options: bool) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


def png(pixels: np.ndarray, mode: str = "L", kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8), mode).save(stream, kind)
    return stream.getvalue()


# Packing.


@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("n", [1, 2, 999, 5_000])
@pytest.mark.parametrize("labelled", [False, True])
def test_pack_round_trip(d, n, labelled):
    points = normal(n, d)
    labels = torch.arange(n) % 64 if labelled else None
    text = clouds.pack(points, labels)
    assert len(text) <= 33_400 <= domain("points")["longest"]
    again = clouds.unpack(text)
    width = points.amax(0) - points.amin(0)
    # Half a step of 1/65,535, and the rounding of float32.
    assert ((again.points - points).abs() <= width / 131_070 * 1.01 + 1e-6).all()
    assert again.points.dtype == torch.float32
    if labels is None:
        assert again.labels is None
    else:
        assert torch.equal(again.labels, labels)
    assert Experiment(data="points", points=text).dim == d


@CALM
@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 20), st.sampled_from([1, 2])),
        elements=st.floats(-999, 999, width=32),
    )
)
def test_pack_any_points(array):
    points = torch.from_numpy(array)
    again = clouds.unpack(clouds.pack(points)).points
    width = points.double().amax(0) - points.double().amin(0)
    assert ((again - points).abs() <= width / 131_070 * 1.01 + 2e-4).all()


def test_pack_keeps_a_seeded_subset_with_every_class():
    points, labels = normal(20_000), torch.zeros(20_000, dtype=torch.int64)
    labels[777] = 1
    first, again, other = (clouds.pack(points, labels, seed) for seed in (0, 0, 1))
    assert first == again != other
    cloud = clouds.unpack(first)
    assert len(cloud.points) == clouds.PACKED == 5_000
    assert cloud.labels is not None
    assert int(cloud.labels.sum()) == 1
    torch.testing.assert_close(cloud.points[cloud.labels == 1], points[777:778], rtol=0, atol=1e-4)
    nearest = torch.cdist(cloud.points[:50], points).amin(1)
    assert nearest.max() <= 1e-3


@pytest.mark.parametrize(
    ("points", "labels", "words"),
    [
        (torch.zeros(0, 2), None, "n ≥ 1"),
        (torch.zeros(3, 3), None, "shape \\(n, 1\\) or \\(n, 2\\)"),
        (torch.zeros(3), None, "shape"),
        (torch.tensor([[math.nan, 0.0]]), None, "finite"),
        (torch.tensor([[1001.0, 0.0]]), None, "within"),
        (torch.zeros(2, 2), torch.tensor([0, 64]), "from 0 to 63"),
        (torch.zeros(2, 2), torch.tensor([0, -1]), "from 0 to 63"),
        (torch.zeros(2, 2), torch.tensor([0.0, 0.5]), "whole numbers"),
        (torch.zeros(2, 2), torch.tensor([0]), "one for each point"),
    ],
)
def test_pack_refuses(points, labels, words):
    with pytest.raises(ValueError, match=words):
        clouds.pack(points, labels)


def hostile_header() -> str:
    body = np.array([0, math.nan], "<f4").tobytes() + np.array([7], "<u2").tobytes()
    return "1P" + base64.urlsafe_b64encode(body).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "2P",
        "3Pabcd",
        "2Pabcde",
        "2P!!!!",
        "2Pé",
        "2P" + "A" * 59_998,
        "1LAAAA",
        hostile_header(),
        clouds.pack(normal(9))[:-3],
        clouds.pack(normal(9)) + "AAAA",
        "2L" + clouds.pack(normal(9))[2:],
    ],
    ids=lambda text: text[:8],
)
def test_unpack_refuses_what_pack_did_not_write(text):
    with pytest.raises(
        ValueError, match=r"points: (this is not|the packed cloud is)|whole numbers from 0 to 63"
    ):
        clouds.unpack(text)


@CALM
@given(st.text(alphabet="12PLab_-9=+/ é", max_size=60))
def test_unpack_any_text(text):
    try:
        cloud = clouds.unpack(text)
    except ValueError:
        return
    assert cloud.points.isfinite().all()


# Points.


def test_points_are_standardised_and_the_transform_undoes_it():
    points = normal(500) * torch.tensor([30.0, 0.01]) + torch.tensor([1e4, -5.0])
    cloud = clouds.from_points(points, torch.arange(500) % 2 * 7)
    torch.testing.assert_close(cloud.points.mean(0), torch.zeros(2), rtol=0, atol=1e-4)
    torch.testing.assert_close(cloud.points.std(0, correction=0), torch.full((2,), SPREAD), rtol=1e-4, atol=0)
    back = cloud.transform.undo(cloud.points.double())
    torch.testing.assert_close(back, points.double(), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(cloud.transform.apply(back).float(), cloud.points)
    assert cloud.labels is not None
    assert cloud.labels.unique().tolist() == [0, 1]


@pytest.mark.parametrize("scale", [1e-300, 1e-45, 1e-20, 1e20, 1e29, 1e300])
def test_points_of_any_size_become_the_same_cloud(scale):
    points = normal(200).double()
    usual, cloud = clouds.from_points(points), clouds.from_points(scale * points)
    torch.testing.assert_close(cloud.points, usual.points)
    if scale < 1e30:
        torch.testing.assert_close(clouds.from_npy(npy((scale * points).numpy())).points, usual.points)
    if 1e-38 < scale < 1e38:
        torch.testing.assert_close(clouds.from_points((scale * points).float()).points, usual.points)


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (torch.zeros(1, 2), "n ≥ 2"),
        (torch.zeros(3, 3), "shape"),
        (torch.tensor([[0.0, 1.0], [1.0, math.inf]]), "Row 2 is not finite"),
        (torch.tensor([[0.0, 1.0], [1.0, 1.0]]), "y is 1 everywhere"),
        (torch.tensor([[1.7e308], [1.7e308], [-1.7e308]], dtype=torch.float64), "x are too large"),
    ],
)
def test_points_refused(points, words):
    with pytest.raises(ValueError, match=words):
        clouds.from_points(points)


# CSV.


def shown(text: str, encoding: str = "utf-8") -> clouds.Cloud:
    return clouds.from_csv(text.encode(encoding))


def original(cloud: clouds.Cloud) -> list[list[float]]:
    return [[round(x, 4) for x in row] for row in cloud.transform.undo(cloud.points.double()).tolist()]


POINTS = [[1.5, 2.0], [3.0, -4.0], [5.0, 6.5]]


@pytest.mark.parametrize(
    "text",
    [
        "x,y\n1.5,2\n3,-4\n5,6.5\n",
        "1.5,2\n3,-4\n5,6.5",
        "x;y\r\n1,5;2\r\n3;-4\r\n5;6,5\r\n",
        "x\ty\n1.5\t2\n3\t-4\n5\t6.5\n",
        "x|y\n1.5|2\n3|-4\n5|6.5\n",
        "1.5 2\n3   -4\n5 6.5 \n",
        "# made by hand\nx,y\n\n1.5,2\n\n3,-4\n# half way\n5,6.5\n",
        '"x","y"\n"1.5","2"\n"3","-4"\n"5","6.5"\n',
        " x , y \n 1.5 , 2e0\n 3 , -4\n +5 , .65e1\n",
        "\ufeffx,y\n1.5,2\n3,-4\n5,6.5\n",
        "my x,my y\n1.5,2\n3,-4\n5,6.5\n",
    ],
    ids=lambda text: text[:12],
)
def test_csv_of_every_kind(text):
    cloud = shown(text)
    assert original(cloud) == POINTS
    assert cloud.labels is None


def test_csv_with_one_column():
    cloud = shown("height\n1\n2\n4\n")
    assert original(cloud) == [[1.0], [2.0], [4.0]]
    assert cloud.note == "Coordinates: height."


def test_csv_with_many_columns_says_which_were_taken():
    cloud = shown("id,x,name,y,z\n1,2,a,3,9\n2,3,b,5,7\n3,7,a,1,8\n")
    assert original(cloud) == [[1.0, 2.0], [2.0, 3.0], [3.0, 7.0]]
    assert cloud.labels is not None
    assert cloud.labels.tolist() == [0, 1, 0]
    assert cloud.note == "Coordinates: id and x. Classes from name: a = 0, b = 1. Left out: y, z."


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("x,y,label\n1,2,5\n3,4,9\n5,7,5\n", [0, 1, 0]),
        ("label,x,y\n10,1,2\n9,3,4\n10,5,7\n", [1, 0, 1]),
        ("x,Class,y\n1,dog,2\n3,cat,4\n5,dog,7\n", [1, 0, 1]),
        ("x,y,kind\n1,2,dog\n3,4,cat\n5,7,dog\n", [1, 0, 1]),
        ("1,2,0\n3,4,3\n5,7,0\n", [0, 1, 0]),
        ("1,2,-1\n3,4,3\n5,7,0\n", None),
        ("1,2,0.5\n3,4,3\n5,7,0\n", None),
        ("x,y,z\n1,2,0\n3,4,3\n5,7,0\n", None),
    ],
)
def test_csv_labels(text, labels):
    cloud = shown(text)
    assert cloud.points.shape == (3, 2)
    assert (None if cloud.labels is None else cloud.labels.tolist()) == labels


def test_csv_column_called_label_with_too_many_kinds_is_a_column():
    rows = "".join(f"{k},{k * k},{k / 7}\n" for k in range(100))
    cloud = shown("x,y,target\n" + rows)
    assert cloud.labels is None
    assert "Left out: target" in cloud.note


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "at least 2 rows of points; got 0"),
        (b"x,y\n", "at least 2 rows"),
        (b"x,y\n1,2\n", "2 to 100,000 rows of points; got 1"),
        (b"x,y\n1,2\n3,4\n5,nan\n", "Line 4: y is nan; every number must be finite"),
        (b"x,y\n1,2\ninf,4\n5,6\n", "Line 3: x is inf"),
        (b"x,y\n\n# note\n1,2\n-Infinity,4\n5,6\n", "Line 5: x is -Infinity"),
        (b"x,y\n1,2\n1e400,4\n5,6\n", "Line 3: x is 1e400"),
        (b"x,y\n1,2\n1e31,4\n5,6\n", "Line 3: x is 1e31"),
        (b"x,y\n1,2\n,4\n5,6\n", "Line 3: x is empty"),
        (b"x,y\n1,2\nthree,4\n5,6\n", "Line 3: x is 'three'; expected a number"),
        (b"x,y\n1,2\n=1+1,4\n5,6\n", "Line 3: x is '=1\\+1'"),
        (b"x,y\n1,2\n3\n5,6\n", "Line 3 has 1 columns; expected 2"),
        (b"x,y\n1,2\n3,4,5\n", "Line 3 has 3 columns; expected 2"),
        (b"x,y,label\n1,2,a\n3,4,\n5,6,b\n", "Line 3: the label in label is empty"),
        (b"a,b\nc,d\ne,f\n", "columns of numbers; found none"),
        (b"x,y\n1,2\n1,3\n", "x is 1 everywhere"),
        (b"\xff\xfe1\x00,\x002\x00", "not UTF-8"),
        (b"x,y\n1,2\0\n3,4\n", "zero bytes"),
        (b'x,y\n1,2\n3,"' + b"4" * 200_000 + b'"\n', "is not CSV"),
        (b"1,2\n" * 100_002, "more than 100,000 rows"),
        (b"1" * 5_000_001, "5,000,001 bytes; at most 5,000,000"),
    ],
    ids=lambda x: repr(x[:20]),
)
def test_csv_refused(data, words):
    with pytest.raises(ValueError, match=words):
        clouds.from_csv(data)


def test_csv_at_the_row_limit():
    x = np.arange(tables.MOST_ROWS)
    cloud = shown("x,y\n" + "".join(f"{k},{k % 97}\n" for k in x))
    assert cloud.points.shape == (tables.MOST_ROWS, 2)


@CALM
@given(
    st.one_of(
        st.binary(max_size=100), st.text("xy,;|\t \n\r\"'#0123456789.-einfa", max_size=120).map(str.encode)
    )
)
def test_any_csv_is_a_cloud_or_a_value_error(data):
    try:
        cloud = clouds.from_csv(data)
    except ValueError:
        return
    assert cloud.points.isfinite().all()
    assert cloud.points.shape[1] in (1, 2)


@CALM
@given(
    arrays(
        np.float64,
        st.tuples(st.integers(2, 12), st.just(2)),
        elements=st.floats(-1e6, 1e6).map(lambda x: round(x, 6)),
    ).filter(lambda x: (x.std(0) > 1e-3).all()),
    st.sampled_from([",", ";", "\t", "|", " "]),
)
def test_csv_round_trip(array, delimiter):
    text = "\n".join(delimiter.join(map(repr, row)) for row in array.tolist())
    cloud = shown(text)
    back = cloud.transform.undo(cloud.points.double()).numpy()
    np.testing.assert_allclose(back, array, rtol=0, atol=1e-6 * np.ptp(array) + 1e-9 * np.abs(array).max())


# NumPy arrays.


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "int64", "uint16", ">f8"])
def test_npy_of_real_numbers(dtype):
    array = np.array([[1, 2], [3, 4], [5, 9]], dtype=dtype)
    assert original(clouds.from_npy(npy(array))) == array.astype(float).tolist()


def test_npy_layouts():
    assert clouds.from_npy(npy(np.arange(5.0))).points.shape == (5, 1)
    assert clouds.from_npy(npy(np.arange(10.0).reshape(5, 2, order="F"))).points.shape == (5, 2)
    labelled = clouds.from_npy(npy(np.array([[1.0, 2, 9], [3, 5, 4], [7, 7, 9]])))
    assert labelled.labels is not None
    assert labelled.labels.tolist() == [1, 0, 1]
    wide = clouds.from_npy(npy(np.random.default_rng(0).normal(size=(9, 4))))
    assert wide.points.shape == (9, 2)
    assert wide.note == "The first two of 4 columns were taken."


def claiming(shape: str) -> bytes:
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + bytes(16)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not a .npy file"),
        (b"PK\x03\x04", "not a .npy file"),
        (b"\x93NUMPY", "header cannot be read"),
        (b"\x93NUMPY\x09\x00", "header cannot be read"),
        (b"\x93NUMPY\x01\x00\xff\xff{", "header cannot be read"),
        (npy(np.array([1, "a", None], dtype=object), allow_pickle=True), "array of real numbers; got object"),
        (npy(np.array(["a", "b"])), "real numbers"),
        (npy(np.zeros((3, 2), dtype=complex)), "real numbers; got complex128"),
        (npy(np.zeros(3, dtype=[("x", float)])), "real numbers"),
        (npy(np.array(["2020-01-01"] * 2, dtype="datetime64[D]")), "real numbers"),
        (npy(np.array(1.0)), "shape \\(n,\\) or"),
        (npy(np.zeros((2, 2, 2))), "shape \\(n,\\) or"),
        (npy(np.zeros((1, 2))), "rows of points; got 1"),
        (npy(np.zeros((5, 0))), "no columns"),
        (npy(np.zeros((100_001, 1), dtype=np.int8)), "2 to 100,000 rows of points; got 100,001"),
        (npy(np.array([[1.0, 2], [3, 4], [np.nan, 5]])), "Row 3: .* every number must be finite"),
        (npy(np.array([[1.0, np.inf], [3, 4]])), "Row 1"),
        (npy(np.array([[1.0, 2], [1, 4]])), "Column 1 is 1 everywhere"),
        (npy(np.zeros((4, 2)))[:-8], "does not hold"),
        (claiming("(99999, 99999999)"), "does not hold"),
        (claiming("(-4, 2)"), "rows of points; got -4"),
        (bytes(5_000_001), "at most 5,000,000"),
    ],
    ids=range(22),
)
def test_npy_refused(data, words):
    with pytest.raises(ValueError, match=words):
        clouds.from_npy(data)


@CALM
@given(st.binary(max_size=80).map(lambda rest: b"\x93NUMPY\x01\x00" + rest))
def test_any_npy_is_a_cloud_or_a_value_error(data):
    try:
        clouds.from_npy(data)
    except ValueError:
        return


# Drawings, words, pictures.


def test_strokes_stay_where_they_were_drawn():
    cloud = clouds.from_strokes([[(-2.0, 1.0), (2.0, 1.0)], [(0.0, -2.0)]], generator=seeded())
    assert cloud.points.shape == (3_000, 2)
    assert cloud.transform == clouds.Transform((0.0, 0.0), (1.0, 1.0))
    line = cloud.points[cloud.points[:, 1] > 0]
    dot = cloud.points[cloud.points[:, 1] < 0]
    assert len(line) > 40 * len(dot) > 0
    assert abs(float(line[:, 0].mean())) <= 5 * 4 / math.sqrt(12 * 2_900)
    assert abs(float(line[:, 0].std()) - 4 / math.sqrt(12)) <= 0.06
    assert float((dot - torch.tensor([0.0, -2.0])).norm(dim=1).max()) <= 0.4
    assert torch.equal(clouds.from_strokes([[(0.0, 0.0)]]).points, clouds.from_strokes([[(0.0, 0.0)]]).points)


@pytest.mark.parametrize(
    ("strokes", "words"),
    [
        ([], "1 to 4,000 places of the brush; got 0"),
        ([[]], "got 0"),
        ([[(0.0, 0.0)] * 4_001], "got 4,001"),
        ([[(0.0, 11.0)]], "within ±10"),
        ([[(0.0, math.nan)]], "within ±10"),
    ],
)
def test_strokes_refused(strokes, words):
    with pytest.raises(ValueError, match=words):
        clouds.from_strokes(strokes)


def test_word_has_a_class_for_every_letter_from_left_to_right():
    cloud = clouds.from_word("a bc", 4_000, seeded())
    assert cloud.labels is not None
    centres = [float(cloud.points[cloud.labels == k][:, 0].mean()) for k in range(3)]
    assert centres == sorted(centres)
    assert int(cloud.labels.max()) == 2
    assert 2.8 <= float(cloud.points[:, 0].max()) <= 3.0
    assert -3.0 <= float(cloud.points[:, 0].min()) <= -2.8
    assert clouds.from_word("o", 100, seeded()).labels is None


@pytest.mark.parametrize("count", [0, -1])
def test_no_points_are_refused(count):
    for draw in (lambda: clouds.from_strokes([[(0.0, 0.0)]], count), lambda: clouds.from_word("a", count)):
        with pytest.raises(ValueError, match=f"at least 1; got {count}"):
            draw()


def test_word_stands_upright():
    points = clouds.from_word("L", 8_000, seeded()).points
    low = (points[:, 1] < points[:, 1].mean()).double().mean()
    assert low > 0.55
    assert float(points[points[:, 1] < -2.5, 0].std()) > 2 * float(points[points[:, 1] > 0, 0].std())


@pytest.mark.parametrize("word", ["", "   ", "thirteenchars", "日", "🙂", "a\u200bb", "\n"])
def test_word_refused(word):
    with pytest.raises(ValueError, match=r"^word: "):
        clouds.from_word(word)


def test_dark_is_dense():
    pixels = np.full((40, 80), 255)
    pixels[:, :40] = 55  # left: ink 200, right: ink 0 …
    pixels[:20, 40:] = 155  # … and upper right: ink 100
    cloud = clouds.from_image(png(pixels), 20_000, seeded())
    x, y = cloud.points.unbind(1)
    assert not ((x > 0) & (y < 0)).any()
    upper_right = float(((x > 0) & (y > 0)).double().mean())
    # Areas 2 : 1 with inks 200 : 100.
    assert abs(upper_right - 0.2) <= 5 * math.sqrt(0.2 * 0.8 / 20_000)
    assert float(x.abs().max()) <= 3.0
    assert float(y.abs().max()) <= 1.5
    assert cloud.transform.scale == (80 / 6, 80 / 6)


def test_a_picture_of_16_bits_has_the_ink_of_one_of_8():
    ramp = np.linspace(0, 255, 60).round().astype(np.uint8)[None].repeat(40, 0)
    stream = io.BytesIO()
    Image.fromarray(ramp.astype(np.uint16) * 257).save(stream, "PNG")
    assert Image.open(stream).mode == "I;16"
    fine, coarse = (clouds.from_image(data, 500, seeded()) for data in (stream.getvalue(), png(ramp)))
    assert torch.equal(fine.points, coarse.points)


def test_transparent_is_empty():
    pixels = np.zeros((30, 30, 4))
    pixels[:15, :, 3] = 255
    points = clouds.from_image(png(pixels, "RGBA"), 1_000, seeded()).points
    transform_height = float(points[:, 1].max() - points[:, 1].min())
    assert transform_height <= 3.0


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP"])
def test_every_kind_of_picture(kind):
    pixels = np.full((50, 60), 255)
    pixels[10:40, 10:50] = 0
    points = clouds.from_image(png(pixels, kind=kind), 2_000, seeded()).points
    assert points.shape == (2_000, 2)
    inside = (points[:, 0].abs() <= 3.01) & (points[:, 1].abs() <= 3.01)
    assert inside.all()


def test_large_picture_is_made_smaller():
    pixels = np.full((2_000, 3_000), 255)
    pixels[500:1_500, 1_000:2_000] = 0
    points = clouds.from_image(png(pixels), 4_000, seeded()).points
    assert float(points.abs().max()) <= 3.0
    assert abs(float(points[:, 0].std() / points[:, 1].std()) - 1) <= 0.05


def test_picture_turned_by_its_camera_stands_upright():
    pixels = np.full((20, 60), 255)
    pixels[:, :20] = 0
    picture = Image.fromarray(pixels.astype(np.uint8))
    exif = picture.getexif()
    exif[0x0112] = 6  # turn by 90° clockwise to show
    stream = io.BytesIO()
    picture.save(stream, "PNG", exif=exif)
    turned, plain = clouds.from_image(stream.getvalue()), clouds.from_image(png(pixels))
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
def test_picture_refused(data, words):
    with pytest.raises(ValueError, match=words):
        clouds.from_image(data)


# Files.


def test_files_are_read_by_their_ending(tmp_path: Path):
    pixels = np.full((20, 20), 255)
    pixels[5:15, 5:15] = 0
    files = {
        "a.csv": b"x,y\n1,2\n3,5\n",
        "b.TXT": b"1 2\n3 5\n",
        "c.npy": npy(np.eye(2)),
        "d.Png": png(pixels),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        cloud = clouds.from_file(tmp_path / name)
        assert cloud.points.shape[1] == 2
        assert clouds.unpack(clouds.pack(cloud.points, cloud.labels)).points.isfinite().all()


def test_files_refused(tmp_path: Path):
    (tmp_path / "a.exe").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"ends in '\.exe'; use one of CSV"):
        clouds.from_file(tmp_path / "a.exe")
    with (tmp_path / "b.csv").open("wb") as file:
        file.truncate(5_000_001)
    with pytest.raises(ValueError, match="5,000,001 bytes"):
        clouds.from_file(tmp_path / "b.csv")


@pytest.mark.parametrize("top", ["1,2x", "NA,2", ",2"])
def test_a_first_line_that_is_no_header_is_refused_like_any_other(top):
    with pytest.raises(ValueError, match="Line 1: "):
        shown(f"{top}\n1,3\n4,5\n6,7")


def test_the_numbers_of_the_rows_are_no_coordinate():
    """As pandas writes a table: the index first, without a name."""
    cloud = shown(",x,y\n0,1,3\n1,4,5\n2,6,9")
    assert cloud.note.startswith("Coordinates: x and y.")


def test_a_header_that_breaks_off_is_a_sentence():
    text = b"{'descr': '<f8', 'fortran_order': False, 'shape': (5, 2, }"
    header = text.ljust(118 - 1) + b"\n"
    with pytest.raises(ValueError, match="header cannot be read"):
        clouds.from_npy(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
