"""Figures are Plotly objects that Plotly accepts, in both themes, with gaps where nothing is known."""

from __future__ import annotations

import json

import numpy as np
import plotly.graph_objects as go
import pytest

from fmstudio.plots import figures
from fmstudio.plots.palette import ROLES, SURFACES

COLOURS = {name: colour.light for name, colour in (ROLES | SURFACES).items()}
STEPS = [1, 10, 100]

EVERY = {
    "loss": figures.loss_figure(STEPS, [3.0, 2.0, 1.5], 1.4),
    "loss without a floor": figures.loss_figure(STEPS, [3.0, 2.0, 1.5], None),
    "loss before the first step": figures.loss_figure([], [], None),
    "excess": figures.excess_figure(STEPS, [1.0, float("nan"), -1e-3], [(10, 0.2), (100, 0.01)]),
    "clouds": figures.cloud_figure(
        {"data": (np.zeros((5, 2)), "data"), "others": (np.ones((5, 2)), "noise")}, 3.0
    ),
    "heat": figures.heat_figure(np.eye(8), 2.0, "title", "error"),
    "nfe": figures.nfe_figure({"euler": ([1, 2, 4], [1.0, 0.5, 0.0])}, "error"),
}


@pytest.mark.parametrize("name", EVERY)
def test_plotly_accepts_every_figure(name: str) -> None:
    text = json.dumps(EVERY[name])
    for role, colour in COLOURS.items():
        text = text.replace(f"var(--fm-{role})", colour)
    drawn = go.Figure(json.loads(text))
    assert drawn.layout.height == EVERY[name]["layout"]["height"]
    assert "var(--" not in str(drawn.to_json())


def test_what_is_not_finite_is_a_gap() -> None:
    assert figures.numbers([1.0, float("nan"), float("inf"), 2.0]) == [1.0, None, None, 2.0]


def test_the_floor_is_drawn_only_where_it_is_known() -> None:
    assert len(EVERY["loss"]["data"]) == 2
    assert len(EVERY["loss without a floor"]["data"]) == 1
    zero = figures.loss_figure(STEPS, [3.0, 2.0, 1.5], 0.0)["data"][1]
    assert (zero["name"], zero["y"]) == ("exact floor 0", [0, 0])


def test_an_excess_that_was_never_measured_is_not_in_the_legend() -> None:
    never = figures.excess_figure(STEPS, [float("nan")] * 3, [(10, 0.2)])
    assert [trace["name"] for trace in never["data"]] == ["energy distance of samples"]
    assert len(EVERY["excess"]["data"]) == 2


def test_a_logarithmic_axis_never_gets_a_value_at_or_below_zero() -> None:
    for name in ("excess", "nfe"):
        values = [v for trace in EVERY[name]["data"] for v in trace["y"] if v is not None]
        assert min(values) > 0
