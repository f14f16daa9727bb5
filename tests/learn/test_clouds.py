"""Clouds: what was brought arrives, moved as the transform says; what cannot be read says why and where."""

import base64
import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from fmstudio.learn import clouds
from fmstudio.learn.clouds.cloud import SPREAD
from fmstudio.learn.experiment import Experiment, domain
from tests.learn.brought import from_csv, from_file, from_npy

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
def test_pack_round_trip(d, n, labelled) -> None:
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
def test_pack_any_points(array) -> None:
    points = torch.from_numpy(array)
    again = clouds.unpack(clouds.pack(points)).points
    width = points.double().amax(0) - points.double().amin(0)
    assert ((again - points).abs() <= width / 131_070 * 1.01 + 2e-4).all()


def test_pack_keeps_a_seeded_subset_with_every_class() -> None:
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
def test_pack_refuses(points, labels, words) -> None:
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
def test_unpack_refuses_what_pack_did_not_write(text) -> None:
    with pytest.raises(
        ValueError, match=r"points: (this is not|the packed cloud is)|whole numbers from 0 to 63"
    ):
        clouds.unpack(text)


@CALM
@given(st.text(alphabet="12PLab_-9=+/ é", max_size=60))
def test_unpack_any_text(text) -> None:
    try:
        cloud = clouds.unpack(text)
    except ValueError:
        return
    assert cloud.points.isfinite().all()


def test_what_is_said_of_a_cloud_is_packed_with_it() -> None:
    cloud = from_csv(b"x,y,kind\n1,2,Gr\xc3\xb6\xc3\x9fe\n3,4,b\n5,7,b\n6,1,b\n8,8,b\n")
    again = clouds.unpack(clouds.packed(cloud))
    assert (again.note, again.warning, again.names) == (cloud.note, "", ("Größe", "b"))
    assert again.labels is not None
    assert again.labels.tolist() == [0, 1, 1, 1, 1]
    assert Experiment(data="points", points=clouds.packed(cloud)).dim == 2


def test_the_longest_text_fits_an_experiment() -> None:
    points, labels = normal(9_000), torch.arange(9_000) % 64
    names = tuple("ü" * 40 for _ in range(64))
    cloud = clouds.Cloud(points, labels, clouds.Transform((0, 0), (1, 1)), "ü" * 2_000, "ü" * 2_000, names)
    text = clouds.packed(cloud)
    assert len(text) <= 50_000 <= domain("points")["longest"]
    assert len(clouds.unpack(text).note) == 900


def saying(**words: object) -> str:
    said = base64.urlsafe_b64encode(json.dumps(words).encode()).decode().rstrip("=")
    return f"{clouds.pack(normal(9))}.{said}"


@pytest.mark.parametrize(
    "words",
    [
        {"note": "a\nimport os"},
        {"note": "a\u2028b"},
        {"note": 3},
        {"note": "a" * 901},
        {"names": ["\x00"]},
        {"names": "ab"},
        {"names": ["a"] * 65},
        {"names": ["a" * 41]},
    ],
    ids=lambda words: repr(words)[:20],
)
def test_what_is_said_of_a_cloud_is_a_line_of_text(words) -> None:
    with pytest.raises(ValueError, match="damaged"):
        clouds.unpack(saying(**words))
    assert clouds.unpack(saying(note="<b>")).note == "<b>"


def test_a_drawing_is_packed_as_its_strokes() -> None:
    strokes = [[(-2.0, 1.0), (2.0, 1.25), (3.0, -3.5)], [(0.0, -2.0)]]
    cloud = clouds.from_strokes(strokes)
    text = clouds.packed(cloud)
    assert len(text) < 60
    again = clouds.unpack(text)
    torch.testing.assert_close(again.points, cloud.points, rtol=0, atol=1e-3)
    for line, back in zip(strokes, again.strokes, strict=True):
        np.testing.assert_allclose(back, line, atol=2e-4)
    # What is packed once is the same for ever.
    assert clouds.packed(again) == text
    assert torch.equal(clouds.unpack(clouds.packed(again)).points, again.points)
    assert Experiment(data="points", points=text).dim == 2


@CALM
@given(st.binary(max_size=40).map(lambda body: "2D" + base64.urlsafe_b64encode(body).decode().rstrip("=")))
def test_any_packed_drawing_is_a_cloud_or_a_value_error(text) -> None:
    try:
        cloud = clouds.unpack(text)
    except ValueError:
        return
    assert cloud.points.isfinite().all()
    assert cloud.strokes


# Points.


def test_points_are_standardised_and_the_transform_undoes_it() -> None:
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
def test_points_of_any_size_become_the_same_cloud(scale) -> None:
    points = normal(200).double()
    usual, cloud = clouds.from_points(points), clouds.from_points(scale * points)
    torch.testing.assert_close(cloud.points, usual.points)
    if scale < 1e30:
        torch.testing.assert_close(from_npy(npy((scale * points).numpy())).points, usual.points)
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
def test_points_refused(points, words) -> None:
    with pytest.raises(ValueError, match=words):
        clouds.from_points(points)


# Drawings, words, pictures.


def test_strokes_stay_where_they_were_drawn() -> None:
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
def test_strokes_refused(strokes, words) -> None:
    with pytest.raises(ValueError, match=words):
        clouds.from_strokes(strokes)


def test_word_has_a_class_for_every_letter_from_left_to_right() -> None:
    cloud = clouds.from_word("a bc", 4_000, seeded())
    assert cloud.labels is not None
    centres = [float(cloud.points[cloud.labels == k][:, 0].mean()) for k in range(3)]
    assert centres == sorted(centres)
    assert int(cloud.labels.max()) == 2
    assert 2.8 <= float(cloud.points[:, 0].max()) <= 3.0
    assert -3.0 <= float(cloud.points[:, 0].min()) <= -2.8
    assert clouds.from_word("o", 100, seeded()).labels is None


@pytest.mark.parametrize("count", [0, -1])
def test_no_points_are_refused(count) -> None:
    for draw in (lambda: clouds.from_strokes([[(0.0, 0.0)]], count), lambda: clouds.from_word("a", count)):
        with pytest.raises(ValueError, match=f"at least 1; got {count}"):
            draw()


def test_word_stands_upright() -> None:
    points = clouds.from_word("L", 8_000, seeded()).points
    low = (points[:, 1] < points[:, 1].mean()).double().mean()
    assert low > 0.55
    assert float(points[points[:, 1] < -2.5, 0].std()) > 2 * float(points[points[:, 1] > 0, 0].std())


@pytest.mark.parametrize("word", ["", "   ", "thirteenchars", "日", "🙂", "a\u200bb", "\n"])
def test_word_refused(word) -> None:
    with pytest.raises(ValueError, match=r"^word: "):
        clouds.from_word(word)


# Files.


def test_files_are_read_by_their_ending(tmp_path: Path) -> None:
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
        cloud = from_file(tmp_path / name)
        assert cloud.points.shape[1] == 2
        assert clouds.unpack(clouds.pack(cloud.points, cloud.labels)).points.isfinite().all()


def test_files_refused(tmp_path: Path) -> None:
    (tmp_path / "a.exe").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"ends in '\.exe'; use one of CSV"):
        from_file(tmp_path / "a.exe")
    with (tmp_path / "b.csv").open("wb") as file:
        file.truncate(5_000_001)
    with pytest.raises(ValueError, match="5,000,001 bytes"):
        from_file(tmp_path / "b.csv")
