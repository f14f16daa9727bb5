"""The note's panels as SVG: scales, marks and words."""

import base64
import io
import math
import re
from xml.etree import ElementTree

import pytest
import torch
from PIL import Image

from fmstudio.learn.experiment import Experiment
from fmstudio.note.claim import Expected, Measured, Measurement, Prediction
from fmstudio.note.parts.panel import Panel, heat, series
from fmstudio.note.report import Report, Result
from fmstudio.plots.svg.figures import figures_html, panel_html, panel_svg, words_html
from fmstudio.plots.svg.heat import shades
from fmstudio.plots.svg.page import page_html
from fmstudio.plots.svg.scale import Scale


def _panel(**changes):
    curves = (
        series("band", "original", [1.0, 2.0, 4.0], [1.0, 1.0, 1.0], [0.5, 0.5, 0.5], "band"),
        series("bars", "data", [1.0, 2.0, 4.0], [1.0, 2.0, 0.5], [0.1, 0.1, 0.1], "bars"),
        series("line", "exact", [1.0, 2.0, math.nan, 4.0], [1.0, 2.0, math.nan, 1.0], mark="dashes"),
        series("points", "learned", [1.0, 4.0], [3.0, 0.2], [0.2, 0.1], "points"),
    )
    values = {"title": "p", "caption": "c < d", "x_label": "x_t", "y_label": "y", "series": curves}
    return Panel(**{**values, **changes})


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("plane", [False, True])
def test_every_mark_is_well_formed_and_finite(log, plane) -> None:
    text = panel_svg(_panel(log_x=log, log_y=log, plane=plane and not log))
    root = ElementTree.fromstring(text)
    assert len(root.findall(".//circle")) == 2
    assert len(root.findall(".//rect")) == 3
    assert "nan" not in text
    assert "inf" not in text


def test_a_gap_interrupts_the_line() -> None:
    line = re.search(r'<path d="([^"]*)" fill="none"[^>]*dasharray', panel_svg(_panel()))
    assert line is not None
    assert line[1].count("M") == 2


def test_a_logarithmic_scale_places_powers_evenly() -> None:
    scale = Scale(0.01, 100.0, 0.0, 400.0, log=True)
    assert [scale(v) for v in (0.01, 0.1, 1.0, 10.0, 100.0)] == pytest.approx([0, 100, 200, 300, 400])
    assert [v for v, _ in scale.ticks()] == pytest.approx([0.01, 0.1, 1.0, 10.0, 100.0])


def test_a_plane_keeps_one_scale_on_both_axes() -> None:
    square = series("s", "data", [0.0, 4.0], [0.0, 1.0], mark="points")
    root = ElementTree.fromstring(panel_svg(_panel(series=(square,), plane=True)))
    a, b = [(float(c.get("cx", "")), float(c.get("cy", ""))) for c in root.findall(".//circle")]
    assert (b[0] - a[0]) / (a[1] - b[1]) == pytest.approx(4, rel=0.01)


def _heat():
    return heat("p", "exact", torch.tensor([[0.0, 1.0], [2.0, math.nan]]), (-1.0, 3.0, 0.0, 2.0), 0.0, 2.0)


def test_a_heat_is_a_picture_of_its_values_with_the_upper_row_first() -> None:
    assert shades(_heat()).tolist() == [[255, 0], [0, 128]]
    png = re.search(r"base64,([^\"]+)", panel_svg(_panel(heat=_heat())))
    assert png is not None
    picture = Image.open(io.BytesIO(base64.b64decode(png[1])))
    assert [[picture.getpixel((x, y)) for x in (0, 1)] for y in (0, 1)] == [[255, 0], [0, 128]]


def test_a_heat_fills_its_bounds_on_the_panels_axes() -> None:
    corners = series("corners", "data", [-1.0, 3.0], [0.0, 2.0], mark="points")
    root = ElementTree.fromstring(panel_svg(_panel(series=(corners,), plane=True, heat=_heat())))
    rect = next(r for r in root.iter("rect") if r.get("class") == "heat")
    left, top, width, height = (float(rect.get(k, "")) for k in ("x", "y", "width", "height"))
    low, high = [(float(c.get("cx", "")), float(c.get("cy", ""))) for c in root.findall(".//circle")]
    assert (left, top + height) == pytest.approx(low, abs=0.11)
    assert (left + width, top) == pytest.approx(high, abs=0.11)


def test_panels_of_one_title_are_stages_of_one_figure_with_one_switch() -> None:
    stages = [_panel(stage=f"× {k}", caption=f"caption {k}") for k in (1, 10, 100)]
    text = figures_html([*stages, _panel(title="another")], "C4")
    assert text.count("<figure") == 2
    assert text.count('type="radio"') == 3
    assert len(set(re.findall(r'name="(stage[^"]*)"', text))) == 1
    assert text.count(" checked") == 1
    assert all(f"caption {k}" in text for k in (1, 10, 100))
    assert 'name="stageC4-broken-0"' in figures_html(stages, "C4-broken")


def test_stages_of_the_plane_share_one_scale() -> None:
    def at(reach, **more):
        dots = series("s", "data", [-reach, reach], [0.0, 0.0], mark="points")
        return _panel(series=(dots,), plane=True, **more)

    small, large = at(1.0, stage="a"), at(4.0, stage="b")
    alone = re.findall(r'cx="([^"]*)"', panel_svg(small))
    shared = re.findall(r'cx="([^"]*)"', panel_svg(small, scaled_by=[small, large]))
    widths = [float(right) - float(left) for left, right in (alone, shared)]
    assert widths[0] / widths[1] == pytest.approx(4, rel=0.01)


def test_words_are_escaped_and_subscripts_lowered() -> None:
    assert words_html("x_{t−dt} < var_t") == "x<sub>t−dt</sub> &lt; var<sub>t</sub>"
    assert "c &lt; d" in panel_html(_panel())


def test_a_page_holds_the_claim_its_numbers_and_the_broken_run() -> None:
    prediction = Prediction((Expected("slope", 1.0),), (_panel(),))
    measurement = Measurement((Measured("slope", 1.01, 0.1),))
    from fmstudio.note import CLAIMS

    verdict = CLAIMS["C6"].verdict(prediction, measurement)
    result = Result("C6", {}, False, None, prediction, measurement, verdict, 1.0)
    broken = Result("C6", {}, True, None, prediction, measurement, verdict, 1.0)
    page = page_html(Report(Experiment().changes(), (result, broken), None))
    assert "Random drift averages out" in page
    assert "1.01 ± 0.1" in page
    assert "What would break it" in page
    assert "<script" not in page
    assert "http" not in page.replace("http://www.w3.org", "")
