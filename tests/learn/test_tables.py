"""Tables that people bring: the right columns and rows arrive, and one sentence says what was done."""

import io
import math

import numpy as np
import plotly.express as px
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fmstudio.learn import clouds
from fmstudio.learn.clouds.text import MOST_ROWS
from tests.learn.brought import from_csv, from_npy

CALM = settings(deadline=None, derandomize=True)


def shown(text: str, encoding: str = "utf-8", **values: str) -> clouds.Cloud:
    return from_csv(text.encode(encoding), **values)


def original(cloud: clouds.Cloud) -> list[list[float]]:
    return [[round(x, 4) for x in row] for row in cloud.transform.undo(cloud.points.double()).tolist()]


def labels_of(cloud: clouds.Cloud) -> list[int] | None:
    return None if cloud.labels is None else cloud.labels.tolist()


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
        "% by an instrument\n// of ours\n1.5\t2\n3\t-4\n5\t6.5\n",
        '"x","y"\n"1.5","2"\n"3","-4"\n"5","6.5"\n',
        " x , y \n 1.5 , 2e0\n 3 , -4\n +5 , .65e1\n",
        'x, y\n1.5, "2"\n3, "-4"\n5, "6.5"\n',
        "\ufeffx,y\n1.5,2\n3,-4\n5,6.5\n",
        "my x,my y\n1.5,2\n3,-4\n5,6.5\n",
        "sep=;\nx;y\n1,5;2\n3;-4\n5;6,5\n",
        "sep=\\t\nx\ty\n1.5\t2\n3\t-4\n5\t6.5\n",
        "x,y\n1.5,2\n3,−4\n5,6.5\n",
        "x,y,\n1.5,2,\n3,-4,\n5,6.5,\n",
        "x,y\n1.5,2,\n3,-4,\n5,6.5,\n",
        "1,5 2\n3 -4\n5 6,5\n",
        "depth,mass\nm,kg\n1.5,2\n3,-4\n5,6.5\n",
        "Measured in Bonn\n\nx,y,z\n1.5,2,7\n3,-4,7\n5,6.5,8\n",
        ",x,y\n0,1.5,2\n1,3,-4\n2,5,6.5\n",
        '"x" "y"\n"1" 1.5 2\n"2" 3 -4\n"3" 5 6.5\n',
    ],
    ids=lambda text: repr(text[:12]),
)
def test_tables_of_every_kind(text) -> None:
    cloud = shown(text)
    assert original(cloud) == POINTS
    assert cloud.labels is None


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", ""),
        ("utf-8-sig", ""),
        ("utf-16", "UTF-16"),
        ("cp1252", "Windows-1252"),
        ("utf-32", "UTF-32"),
    ],
)
def test_encodings(encoding, said) -> None:
    cloud = shown("größe,y\n1.5,2\n3,-4\n5,6.5\n", encoding)
    assert original(cloud) == POINTS
    assert "x is größe" in cloud.note
    assert ("read as " in cloud.note) == bool(said)
    assert said in cloud.note


def test_utf_16_of_the_other_end() -> None:
    text = "\ufeffx;y\n1,5;2\n3;-4\n5;6,5"
    assert original(from_csv(text.encode("utf-16-be"))) == POINTS


@pytest.mark.parametrize(
    ("text", "points", "said"),
    [
        (
            'x,y\n"1,234.5",2\n"2,000",3\n7,5\n',
            [[1234.5, 2], [2000, 3], [7, 5]],
            "thousands marked by a comma",
        ),
        ("x;y\n1.234,5;2\n2.000;3\n7;5\n", [[1234.5, 2], [2000, 3], [7, 5]], "decimal comma and thousands"),
        ("x;y\n1 234,5;2\n2 000;3\n7;5\n", [[1234.5, 2], [2000, 3], [7, 5]], "marked by a space"),
        ("x;y\n1'234.5;2\n2'000;3\n7;5\n", [[1234.5, 2], [2000, 3], [7, 5]], "marked by an apostrophe"),
        ("x,y\n10%,2\n20 %,3\n5%,5\n", [[0.1, 2], [0.2, 3], [0.05, 5]], "10 % in x read as 0.1"),
        ("1,5 2,25\n2,5 3,25\n4 5\n", [[1.5, 2.25], [2.5, 3.25], [4, 5]], "decimal comma in Column 1 and"),
        ("x,y\n$1.50,2\n$3.00,3\n-$4,5\n", [[1.5, 2], [3, 3], [-4, 5]], ""),
        # 1.234 is a thousand only where commas mark the decimals.
        ("x;y\n1.234;2,5\n5.678;3,5\n9.000;4\n", [[1234, 2.5], [5678, 3.5], [9000, 4]], "thousands"),
        ("x;y\n1.234;2\n5.678;3\n9.001;4\n", [[1.234, 2], [5.678, 3], [9.001, 4]], ""),
        ("x;y\n1,234;2\n5,678;3\n9,001;4\n", [[1.234, 2], [5.678, 3], [9.001, 4]], "decimal comma in x"),
        ("x\n1,5\n2,25\n4\n", [[1.5], [2.25], [4]], "decimal comma"),
    ],
    ids=lambda x: repr(x)[:24],
)
def test_a_column_of_numbers_under_one_notation_is_never_classes(text, points, said) -> None:
    cloud = shown(text)
    np.testing.assert_allclose(original(cloud), points, rtol=1e-6)
    assert cloud.labels is None
    assert said in cloud.note


def test_the_numbers_of_the_rows_are_left_out() -> None:
    """Kaggle's Iris.csv counts its rows in the first column."""
    iris = px.data.iris()
    iris.insert(0, "Id", range(1, 151))
    text = iris[["Id", "sepal_length", "sepal_width", "petal_length", "petal_width", "species"]].to_csv(
        index=False
    )
    cloud = shown(text)
    assert [round(value, 4) for value in cloud.transform.mean] == [5.8433, 3.054]
    assert cloud.names == ("setosa", "versicolor", "virginica")
    assert torch.equal(cloud.labels.bincount(), torch.tensor([50, 50, 50]))
    assert "Id only counts the rows and is left out" in cloud.note
    assert original(shown(text, x="Id", y="sepal_length"))[2][0] == 3


def test_a_clock_that_counts_is_a_coordinate_where_nothing_else_is_left() -> None:
    assert original(shown("t,y\n0,5\n1,4\n2,7\n"))[2] == [2, 7]
    assert original(shown("index,y\n0,5\n1,4\n2,7\n"))[2] == [7]
    assert original(shown("n\n1\n2\n3\n"))[2] == [3]


def penguins() -> str:
    """Two rows without numbers, as in the ml-basics course; a class in the last column."""
    draw = np.random.default_rng(0)
    rows = [
        f"{a:.1f},{b:.1f},{f:.0f},{m:.0f},{k % 3}"
        for k, (a, b, f, m) in enumerate(draw.normal(size=(342, 4)))
    ]
    rows.insert(3, ",,,,0")
    rows.insert(270, "NaN,NA,n/a,−,2")
    return "CulmenLength,CulmenDepth,FlipperLength,BodyMass,Species\n" + "\n".join(rows)


def test_rows_that_lack_a_used_cell_are_left_out_and_counted() -> None:
    cloud = shown(penguins())
    assert len(cloud.points) == 342
    assert cloud.labels is not None
    assert "2 rows left out where a used column has no value (line 5: CulmenLength is missing)" in cloud.note
    text = "species,x,y,sex\nA,1,2,\nB,,3,male\nA,3,5,\nB,4,4,NA\nA,5,9,female\n"
    cloud = shown(text, label="species")
    # Only what is used counts: the sex is not.
    assert original(cloud) == [[1, 2], [3, 5], [4, 4], [5, 9]]
    assert labels_of(cloud) == [0, 0, 1, 0]
    assert original(shown(text, x="y", label="sex")) == [[3], [9]]


@pytest.mark.parametrize(
    "missing", ["", "NA", "N/A", "NaN", "null", "−", "-", "#N/A", "?", "three", "inf", "1e400", "=1+1"]
)
def test_what_is_no_number_is_left_out(missing) -> None:
    cloud = shown(f"x,y\n1,2\n{missing},4\n5,6\n9,9\n")
    assert original(cloud) == [[1, 2], [5, 6], [9, 9]]
    assert "1 row left out" in cloud.note
    assert "line 3: x is " in cloud.note


def test_short_and_long_rows() -> None:
    cloud = shown("x,y\n1,2\n3\n5,6\n7,8,9\n9,9\n")
    assert original(cloud) == [[1, 2], [5, 6], [9, 9]]
    assert "1 line with more than 2 cells left out (line 5)" in cloud.note
    assert "1 row left out where a used column has no value (line 3: y is missing)" in cloud.note


def test_a_stated_fill_value_is_missing() -> None:
    text = (
        "x,y,kind\n"
        + "".join(f"{k},{k * k % 97},{'ab'[k % 2]}\n" for k in range(1, 60))
        + "-9999,3,a\n5,1,none\n"
    )
    cloud = shown(text, fill="−9999; none")
    assert len(cloud.points) == 59
    assert cloud.names == ("a", "b")
    assert "2 rows left out" in cloud.note


@pytest.mark.parametrize(
    ("text", "labels", "names"),
    [
        ("x,y,label\n1,2,5\n3,4,9\n5,7,5\n", [0, 1, 0], ("5", "9")),
        ("label,x,y\n10,1,2\n9,3,4\n10,5,7\n", [1, 0, 1], ("9", "10")),
        ("x,Class,y\n1,dog,2\n3,cat,4\n5,dog,7\n", [1, 0, 1], ("cat", "dog")),
        ("x,y,kind\n1,2,dog\n3,4,cat\n5,7,dog\n6,6,dog\n8,1,dog\n", [1, 0, 1, 1, 1], ("cat", "dog")),
        ("1,2,0\n3,4,3\n5,7,0\n", [0, 1, 0], ("0", "3")),
        ("1,2,-1\n3,4,3\n5,7,0\n", None, ()),
        ("1,2,0.5\n3,4,3\n5,7,0\n", None, ()),
        ("x,y,z\n1,2,0\n3,4,3\n5,7,0\n", None, ()),
    ],
)
def test_classes(text, labels, names) -> None:
    cloud = shown(text)
    assert cloud.points.shape[1] == 2
    assert labels_of(cloud) == labels
    assert cloud.names == names


def test_a_column_of_times_is_no_class() -> None:
    rows = "".join(f"2026-01-{k + 1:02d}T00:00:00Z,{k % 7 / 3},{k % 5 / 3}\n" for k in range(30))
    cloud = shown("time,latitude,longitude\n" + rows)
    assert cloud.labels is None
    assert "time is no class: 30 kinds in 30 rows" in cloud.note
    assert "x is latitude, y is longitude" in cloud.note
    # Who wants them as classes may.
    assert len(shown("time,latitude,longitude\n" + rows, label="time").names) == 30


def test_a_column_called_label_with_too_many_kinds_is_a_column() -> None:
    rows = "".join(f"{k},{k * k},{k / 7}\n" for k in range(100))
    assert shown("x,y,target\n" + rows).labels is None
    with pytest.raises(ValueError, match="'target' has 100 kinds; at most 64"):
        shown("x,y,target\n" + rows, label="target")


def test_two_header_rows_are_blocks() -> None:
    """As the Datasaurus dozen comes in its wide form: the same moments in every block."""
    draw = np.random.default_rng(1)
    blocks = []
    for _ in range(13):
        x = draw.normal(size=(142, 2))
        x = (x - x.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T))).T
        mix = np.linalg.cholesky([[1, -0.06], [-0.06, 1]])
        blocks.append(x @ mix.T * (16.77, 26.94) + (54.26, 47.83))
    names = [f"set {k}" for k in range(13)]
    head = "\t".join(name for name in names for _ in "xy") + "\n" + "\t".join(["x", "y"] * 13) + "\n"
    text = head + "\n".join("\t".join(map(repr, row)) for row in np.hstack(blocks).tolist())
    cloud = shown(text)
    assert cloud.names == tuple(sorted(names))
    assert "13 blocks of columns put below each other" in cloud.note
    back = cloud.transform.undo(cloud.points.double()).numpy()
    for k in range(13):
        mine = back[cloud.labels.numpy() == k]
        assert mine.shape == (142, 2)
        np.testing.assert_allclose(mine.mean(0), (54.26, 47.83), atol=1e-3)
        np.testing.assert_allclose(mine.std(0, ddof=1), (16.77, 26.94), atol=1e-3)
        assert abs(np.corrcoef(mine.T)[0, 1] + 0.06) < 1e-5


def test_two_principal_components_of_many_columns() -> None:
    iris = px.data.iris()[["sepal_length", "sepal_width", "petal_length", "petal_width", "species"]]
    cloud = shown(iris.to_csv(index=False), x=clouds.COMPONENTS)
    values = iris.iloc[:, :4].to_numpy()
    shares, axes = np.linalg.eigh(np.corrcoef(values.T))
    scores = ((values - values.mean(0)) / values.std(0)) @ axes[:, :-3:-1]
    scores *= np.sign((scores * cloud.points.numpy()).sum(0))
    np.testing.assert_allclose(cloud.points.numpy() * scores.std(0) / 1.3, scores, atol=1e-5)
    assert f"hold {shares[-2:].sum() / 4:.1%} of the variance" in cloud.note
    assert cloud.names == ("setosa", "versicolor", "virginica")


def test_a_point_that_flattens_the_rest_is_told_and_left_out() -> None:
    rows = [(math.sin(k), math.cos(k)) for k in range(999)] + [(1_000_000, 0)]
    text = "x,y\n" + "\n".join(f"{x},{y}" for x, y in rows)
    cloud = shown(text)
    assert len(cloud.points) == 999
    assert float(cloud.points.std(0, correction=0).min()) == pytest.approx(1.3, rel=1e-4)
    assert "x is 1e+06 in line 1001, 31.6 standard deviations" in cloud.warning
    assert "of 1,000 points one can be at most 31.6" in cloud.warning
    assert "1 row far from the others left out" in cloud.note
    whole = shown(text, scale="all points")
    assert len(whole.points) == 1_000
    assert float(whole.points[:-1, 0].std()) == pytest.approx(2.9e-5, rel=0.02)
    assert "“without far points” leaves" in whole.warning
    assert clouds.unpack(clouds.packed(whole)).warning == whole.warning


def test_a_fill_value_that_nobody_stated_is_suspected() -> None:
    draw = np.random.default_rng(0).normal(size=(200, 2))
    draw[::8, 1] = -9999
    cloud = from_npy(npy(draw))
    assert len(cloud.points) == 200
    assert "25 rows have this value: if it stands for a missing one, give it as fill value" in cloud.warning
    again = from_npy(npy(draw), fill="-9999")
    assert (len(again.points), again.warning) == (175, "")


@pytest.mark.parametrize("seed", range(4))
def test_no_warning_for_usual_clouds(seed) -> None:
    draw = np.random.default_rng(seed)
    for values in (
        draw.normal(size=(5_000, 2)),
        draw.exponential(size=(5_000, 2)),
        draw.standard_t(3, size=(500, 2)),
        draw.lognormal(size=(500, 2)),
        np.where(draw.random((900, 1)) < 0.9, 0, 30) + draw.normal(size=(900, 2)),
    ):
        cloud = from_npy(npy(values))
        assert cloud.warning == ""
        assert len(cloud.points) == len(values)


def test_a_column_that_is_the_same_everywhere_is_left_out() -> None:
    cloud = shown("x,y\n1,2\n3,2\n7,2\n")
    assert original(cloud) == [[1], [3], [7]]
    cloud = shown("x,y\n1,2\n3,2\n7,2\n", x="x", y="y")
    assert "y is 2 everywhere and left out" in cloud.note


def test_what_was_done_is_one_sentence() -> None:
    cloud = shown("height\n1\n2\n4\n")
    assert cloud.note == "3 points: x is height; shown as (height − 2.33333)/0.959399."
    table = clouds.table_of_text(b"a,b\n1,2\n3,5\n")
    assert clouds.cloud_of(table, clouds.suggested(table), "a.csv").note.startswith(
        "2 points of a.csv: x is a, "
    )


def test_of_many_points_a_random_5_000_are_kept() -> None:
    cloud = from_npy(npy(np.random.default_rng(0).normal(size=(clouds.PACKED + 1, 2))))
    assert cloud.note.startswith("A random 5,000 of 5,001 points")
    assert len(clouds.unpack(clouds.packed(cloud)).points) == 5_000


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "Expected rows of numbers"),
        (b"x,y\n", "2 to 100,000 rows of points; got 1"),
        (b"x,y\n1,2\n", "rows of points; got 1"),
        (b"a,b\nc,d\ne,f\n", "columns of numbers that differ; found none"),
        (b"x,y\n1,2\n1,2\n", "columns of numbers that differ; found none"),
        (b"x,y\n1,2\n3,\n,4\n", "2 different points; 1 of 3 rows have 'x' and 'y'"),
        (b"x,y\n1,2\0\n3,4\n", "zero bytes"),
        (b"\xff\xfe1\x00,\x002", "damaged"),
        (b'x,y\n1,2\n3,"' + b"4" * 200_000 + b'"\n', "is not CSV"),
        pytest.param(b"1,2\n" * 100_002, "2 to 100,000 rows of points; got 100,002", marks=pytest.mark.slow),
        pytest.param(b"1,2\n" * 200_000, "more than 100,000 rows", marks=pytest.mark.slow),
        (b"1" * 5_000_001, "5,000,001 bytes; at most 5,000,000"),
    ],
    ids=lambda x: repr(x[:20]),
)
def test_tables_refused(data, words) -> None:
    with pytest.raises(ValueError, match=words):
        from_csv(data)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"x": "nowhere"}, "no column 'nowhere'; the columns are x, y, kind"),
        ({"x": "kind"}, "'kind' holds words; a coordinate needs numbers"),
        ({"colour": "x"}, "expected x, y, label, fill, scale; got 'colour'"),
        ({"x": 3}, "expected a text for 'x'"),
        ({"scale": "log"}, "scale: expected one of auto"),
        ({"x": ""}, "choose a column"),
        ({"x": clouds.COMPONENTS, "label": "y"}, "at least two columns"),
    ],
)
def test_choices_refused(values, words) -> None:
    with pytest.raises(ValueError, match=words):
        shown("x,y,kind\n1,2,a\n3,5,b\n5,9,a\n", **values)


@pytest.mark.slow
def test_at_the_row_limit() -> None:
    text = "x,y\n" + "".join(f"{k},{k % 97}\n" for k in range(MOST_ROWS))
    assert shown(text).points.shape == (MOST_ROWS, 2)


@CALM
@given(
    st.one_of(
        st.binary(max_size=100), st.text("xy,;|\t \n\r\"'#0123456789.-einfa%", max_size=120).map(str.encode)
    )
)
def test_any_text_is_a_cloud_or_a_value_error(data) -> None:
    try:
        cloud = from_csv(data)
    except ValueError:
        return
    assert cloud.points.isfinite().all()
    assert cloud.points.shape[1] in (1, 2)
    assert clouds.unpack(clouds.packed(cloud)).note == cloud.note


@CALM
@given(
    arrays(
        np.float64,
        st.tuples(st.integers(2, 12), st.just(2)),
        elements=st.floats(-1e6, 1e6).map(lambda x: round(x, 6)),
    ).filter(lambda x: (x.std(0) > 1e-3).all()),
    st.sampled_from([",", ";", "\t", "|", " "]),
)
def test_round_trip(array, delimiter) -> None:
    text = "\n".join(delimiter.join(map(repr, row)) for row in array.tolist())
    cloud = shown(text, x="Column 1", y="Column 2", scale="all points")
    back = cloud.transform.undo(cloud.points.double()).numpy()
    np.testing.assert_allclose(back, array, rtol=0, atol=1e-6 * np.ptp(array) + 1e-9 * np.abs(array).max())


# NumPy arrays.


def npy(array: np.ndarray, **options: bool) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "int64", "uint16", ">f8", ">i4"])
def test_npy_of_real_numbers(dtype) -> None:
    array = np.array([[1, 2], [3, 4], [5, 9]], dtype=dtype)
    assert original(from_npy(npy(array))) == array.astype(float).tolist()


def test_npy_layouts() -> None:
    assert from_npy(npy(np.arange(5.0) ** 2)).points.shape == (5, 1)
    assert from_npy(npy(np.arange(5.0)[:, None])).points.shape == (5, 1)
    assert original(from_npy(npy(np.array([[1.0, 7], [3, 2], [8, 5]], order="F"))))[2] == [8, 5]
    labelled = from_npy(npy(np.array([[1.0, 2, 9], [3, 5, 4], [7, 7, 9]])))
    assert labels_of(labelled) == [1, 0, 1]
    assert labelled.names == ("4", "9")
    wide = npy(np.random.default_rng(0).normal(size=(9, 4)))
    assert from_npy(wide).note.startswith("9 points: x is Column 1, y is Column 2;")
    assert from_npy(wide, x="Column 3", y="Column 4").points.shape == (9, 2)


def test_npy_of_named_columns() -> None:
    array = np.array(
        [(1.0, 2, True), (3.0, 9, False), (4.0, 1, True)], dtype=[("h", "f4"), ("m", ">i8"), ("class", "?")]
    )
    cloud = from_npy(npy(array))
    assert original(cloud) == [[1, 2], [3, 9], [4, 1]]
    assert labels_of(cloud) == [1, 0, 1]


def test_npy_with_a_constant_column_is_a_cloud_on_the_line() -> None:
    x = np.stack([np.arange(50.0) ** 2, np.full(50, 3.0)], 1)
    np.testing.assert_allclose(original(from_npy(npy(x))), x[:, :1], atol=1e-3)


@pytest.mark.parametrize("step", [1e-3, 1e-6])
def test_npy_far_from_zero_keeps_its_spread(step) -> None:
    x = 1e9 + step * np.random.default_rng(0).permutation(500)
    spread = from_npy(npy(x)).points[:, 0].double().numpy()
    exact = (x - 1e9) - (x - 1e9).mean()
    np.testing.assert_allclose(spread, 1.3 * exact / exact.std(), atol=1e-5)


def test_npy_rows_that_are_not_finite_are_left_out() -> None:
    cloud = from_npy(npy(np.array([[1.0, 2], [np.nan, 5], [3, 4], [np.inf, 1], [8, 5]])))
    assert original(cloud) == [[1, 2], [3, 4], [8, 5]]
    assert "2 rows left out where a used column has no value (row 2: Column 1 is missing)" in cloud.note


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
        (claiming("(5, 2, }"), "header cannot be read"),
        (npy(np.array([1, "a", None], dtype=object), allow_pickle=True), "array of real numbers; got object"),
        (
            npy(np.array([("a", 1)], dtype=[("n", "O"), ("x", float)]), allow_pickle=True),
            "real numbers; got object",
        ),
        (npy(np.array(["a", "b"])), "real numbers; got <U1"),
        (npy(np.zeros((3, 2), dtype=complex)), "real numbers; got complex128"),
        (npy(np.zeros(3, dtype=[("x", float, (2,))])), "real numbers"),
        (npy(np.array(["2020-01-01"] * 2, dtype="datetime64[D]")), "real numbers; got datetime64"),
        (npy(np.array(1.0)), "shape \\(n,\\) or"),
        (npy(np.zeros((2, 2, 2))), "shape \\(n,\\) or"),
        (npy(np.zeros((1, 2))), "rows of points; got 1"),
        (npy(np.zeros((5, 0))), "no columns"),
        (npy(np.zeros((5, 2))), "columns of numbers that differ; found none"),
        (npy(np.zeros((100_001, 1), dtype=np.int8)), "2 to 100,000 rows of points; got 100,001"),
        (npy(np.array([[1.0, np.inf], [np.nan, 4]])), "that differ; found none"),
        (npy(np.zeros((4, 2)))[:-8], "does not hold"),
        (claiming("(99999, 99999999)"), "does not hold"),
        (claiming("(-4, 2)"), "rows of points; got -4"),
        (bytes(5_000_001), "at most 5,000,000"),
    ],
    ids=range(23),
)
def test_npy_refused(data, words) -> None:
    with pytest.raises(ValueError, match=words):
        from_npy(data)


@CALM
@given(st.binary(max_size=80).map(lambda rest: b"\x93NUMPY\x01\x00" + rest))
def test_any_npy_is_a_cloud_or_a_value_error(data) -> None:
    try:
        from_npy(data)
    except ValueError:
        return
