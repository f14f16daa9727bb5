"""The note's panels as SVG: scales, marks and words."""

import math
import re
from xml.etree import ElementTree

import pytest

from fmstudio.learn.experiment import Experiment
from fmstudio.note.claim import Expected, Measured, Measurement, Panel, Prediction, series
from fmstudio.note.report import Report, Result
from fmstudio.plots.note_figures import Scale, panel_html, panel_svg, words_html
from fmstudio.plots.note_page import page_html


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
def test_every_mark_is_well_formed_and_finite(log, plane):
    text = panel_svg(_panel(log_x=log, log_y=log, plane=plane and not log))
    root = ElementTree.fromstring(text)
    assert len(root.findall(".//circle")) == 2
    assert len(root.findall(".//rect")) == 3
    assert "nan" not in text
    assert "inf" not in text


def test_a_gap_interrupts_the_line():
    line = re.search(r'<path d="([^"]*)" fill="none"[^>]*dasharray', panel_svg(_panel()))
    assert line is not None
    assert line[1].count("M") == 2


def test_a_logarithmic_scale_places_powers_evenly():
    scale = Scale(0.01, 100.0, 0.0, 400.0, log=True)
    assert [scale(v) for v in (0.01, 0.1, 1.0, 10.0, 100.0)] == pytest.approx([0, 100, 200, 300, 400])
    assert [v for v, _ in scale.ticks()] == pytest.approx([0.01, 0.1, 1.0, 10.0, 100.0])


def test_a_plane_keeps_one_scale_on_both_axes():
    square = series("s", "data", [0.0, 4.0], [0.0, 1.0], mark="points")
    root = ElementTree.fromstring(panel_svg(_panel(series=(square,), plane=True)))
    a, b = [(float(c.get("cx", "")), float(c.get("cy", ""))) for c in root.findall(".//circle")]
    assert (b[0] - a[0]) / (a[1] - b[1]) == pytest.approx(4, rel=0.01)


def test_words_are_escaped_and_subscripts_lowered():
    assert words_html("x_{t−dt} < var_t") == "x<sub>t−dt</sub> &lt; var<sub>t</sub>"
    assert "c &lt; d" in panel_html(_panel())


def test_a_page_holds_the_claim_its_numbers_and_the_broken_run():
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
