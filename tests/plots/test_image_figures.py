"""Figures of the Images room keep a readable axis whatever was measured."""

import math

import pytest

from fmstudio.plots.image_figures import NfeCurve, copies_figure, distance_figure


@pytest.mark.parametrize("values", [(0.402, 0.339), (0.2, 0.2), (30.0, 0.001)])
def test_a_logarithmic_axis_shows_a_tick_at_each_end(values) -> None:
    figure = distance_figure([NfeCurve("a", list(zip((1, 2), values, strict=True)))])
    axis = figure["layout"]["yaxis"]
    low, high = axis["range"]
    seen = [tick for tick in axis["tickvals"] if low <= math.log10(tick) <= high]
    assert seen[0] <= min(values)
    assert seen[-1] >= max(values)


def test_the_real_images_line_is_within_the_axis() -> None:
    low, high = distance_figure([NfeCurve("a", [(1, 3.0), (2, 2.5)])], 0.67)["layout"]["yaxis"]["range"]
    assert low < math.log10(0.67) < high


@pytest.mark.parametrize(("points", "top"), [([], 0.1), ([(1, 0.0)], 0.1), ([(1, 0.5)], 0.55)])
def test_a_share_of_copies_starts_at_nothing(points, top) -> None:
    assert copies_figure([NfeCurve("a", points)], None)["layout"]["yaxis"]["range"] == [0, pytest.approx(top)]


@pytest.mark.parametrize("figure", [distance_figure, copies_figure])
def test_the_real_images_line_is_seen_beside_a_single_point(figure) -> None:
    line = figure([NfeCurve("a", [(4, 0.5)])], 0.1)["data"][-1]
    assert line["name"] == "real images"
    assert line["x"][0] < 4 < line["x"][1]
