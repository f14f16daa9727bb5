"""Scenes check their shapes, and their files give them back up to the documented quantisation."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from fmstudio.folders import ASSETS
from fmstudio.plots.palette import CLASSES, ROLES, Colour, css_variables
from fmstudio.plots.scene.file import encode
from fmstudio.plots.scene.offline import offline_page
from fmstudio.plots.scene.scene import Arrows, Curve, Curves, Pane, Scene, frame_bounds
from fmstudio.plots.script import studio_script
from tests.plots.scene_reader import decode


def make_scene(frames: int = 7, count: int = 11, dim: int = 2, seed: int = 0) -> Scene:
    random = np.random.default_rng(seed)
    times = np.linspace(1, 0, frames)
    first = Pane(
        "Original paths Q",
        "each keeps its partner",
        random.uniform(-3, 3, (frames, count, dim)),
        lines=random.uniform(-3, 3, (4, 5, 2)),
    )
    second = Pane(
        "The flow P",
        "follows u — ε̂",
        random.uniform(-3, 3, (frames, count, dim)),
        arrows=Arrows(random.uniform(-3, 3, (10, 2)), random.normal(size=(frames, 10, 2)), "learned"),
    )
    curves = Curves(
        "distance between p_t and q_t",
        "energy distance",
        (
            Curve("exact", random.uniform(0, 1, frames), "exact"),
            Curve("gap", [np.nan] + [0.5] * (frames - 1), "error"),
        ),
        np.stack([np.zeros(frames), np.ones(frames)], axis=1),
        "two fresh samples",
    )
    labels = random.integers(0, 3, count)
    return Scene(times, (first, second), 1 - times, times, (-3.0, 3.0, -2.0, 4.0), labels, curves, dim)  # type: ignore[arg-type]


@pytest.mark.parametrize("dim", [1, 2])
def test_round_trip_within_quantisation(dim: int) -> None:
    scene = make_scene(dim=dim)
    back = decode(encode(scene))
    step = 6.0 / 65534  # half a quantisation step for bounds 6 wide
    for pane, again in zip(scene.panes, back.panes, strict=True):
        assert np.abs(again.positions - pane.positions).max() <= step * 1.01
        assert (pane.title, pane.caption) == (again.title, again.caption)
    first, second = back.panes
    assert first.lines is not None
    assert np.abs(first.lines - scene.panes[0].lines).max() <= step * 1.01
    vectors = scene.panes[1].arrows.vectors  # type: ignore[union-attr]
    assert np.abs(second.arrows.vectors - vectors).max() <= np.abs(vectors).max() / 65534 * 1.01  # type: ignore[union-attr]
    assert second.arrows.role == "learned"  # type: ignore[union-attr]
    assert np.allclose(back.times, scene.times)
    assert np.array_equal(back.labels, scene.labels)  # type: ignore[arg-type]
    assert back.curves is not None
    assert np.allclose(back.curves.series[0].values, scene.curves.series[0].values, rtol=1e-5)  # type: ignore[union-attr]
    assert np.isnan(back.curves.series[1].values[0])
    assert back.curves.band_name == "two fresh samples"
    assert back.dim == dim


def test_positions_outside_the_box_stop_at_its_edge() -> None:
    positions = np.zeros((2, 1, 2))
    positions[1] = [500.0, -500.0]
    scene = Scene([1.0, 0.0], (Pane("", "", positions),), [0, 1], [1, 0], (-1.0, 1.0, -1.0, 1.0))  # type: ignore[arg-type]
    assert decode(encode(scene)).panes[0].positions[1, 0].tolist() == pytest.approx([2.0, -2.0])


def test_arrays_are_aligned_and_the_size_is_what_was_promised() -> None:
    scene = make_scene(frames=60, count=2000)
    data = encode(scene)
    length = int.from_bytes(data[:4], "little")
    header = json.loads(data[4 : 4 + length])
    assert length % 4 == 0
    assert header["panes"][0]["positions"]["at"] % 4 == 0
    assert header["panes"][1]["positions"]["at"] % 4 == 0
    positions = 2 * 60 * 2000 * 2 * 2
    assert positions < len(data) < positions + 60_000
    assert encode(scene) == data


def test_tensors_and_complex_coefficients_are_accepted() -> None:
    x = torch.zeros(3, 4, 2, dtype=torch.float64, requires_grad=True)
    coefficient = torch.tensor([3 + 4j, 0j, 1 + 0j])
    times = torch.tensor([1.0, 0.5, 0.0])
    scene = Scene(times, (Pane("", "", x),), coefficient, times, (-1, 1, -1, 1))  # type: ignore[arg-type]
    assert scene.a.tolist() == [5.0, 0.0, 1.0]
    assert scene.panes[0].positions.dtype == np.float32


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"times": np.linspace(0, 1, 7)}, "strictly"),
        ({"times": np.linspace(1.5, 0, 7)}, "strictly"),
        ({"bounds": (1.0, -1.0, 0.0, 1.0)}, "left < right"),
        ({"panes": ()}, "one to three"),
        ({"labels": np.zeros(3)}, "labels"),
        ({"a": np.zeros(3)}, "Scene.a"),
    ],
)
def test_a_scene_that_does_not_fit_together_is_refused(change: dict, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        replace(make_scene(), **change)


def test_panes_must_share_clock_and_particles() -> None:
    scene = make_scene()
    with pytest.raises(ValueError, match="one clock"):
        replace(scene, panes=(scene.panes[0], make_scene(count=5).panes[1]))
    positions = np.zeros((3, 4, 2))
    positions[1, 2, 0] = np.nan
    with pytest.raises(ValueError, match=r"finite.*\(1, 2, 0\)"):
        Pane("", "", positions)
    with pytest.raises(ValueError, match="role"):
        Curve("x", np.ones(3), "green")  # type: ignore[arg-type]


def test_frame_bounds_hold_nearly_all_points_in_a_square() -> None:
    points = np.random.default_rng(0).normal(size=(5000, 2)) * [3, 1] + [10, 0]
    left, right, bottom, top = frame_bounds(points)
    assert right - left == pytest.approx(top - bottom)
    inside = (points[:, 0] > left) & (points[:, 0] < right) & (points[:, 1] > bottom) & (points[:, 1] < top)
    assert inside.mean() > 0.99
    assert right - left < 8 * 3


def test_offline_page_is_one_file() -> None:
    page = offline_page(make_scene(), "A <title>")
    assert "<title>A &lt;title&gt;</title>" in page
    # Two scripts run, one block is data: the player's own strings must not close its script.
    assert page.count("</script>") == 3
    for outside in ("http://", "src=", "@import", "<link"):
        assert outside not in page.replace("http://www.w3.org", "")


def test_player_takes_every_colour_from_the_palette() -> None:
    variables = css_variables()
    for name in ROLES:
        assert variables.count(f"--fm-{name}:") == 2
    assert f"--fm-class-{len(CLASSES) - 1}:" in variables
    import re

    script = studio_script().split("const OFFLINE_PAGE")[1]
    assert not re.findall(r"#[0-9a-f]{6}\b", script)
    with pytest.raises(ValueError, match="rrggbb"):
        Colour("red", "#000000")


def test_the_scene_that_is_kept_with_the_studio_is_of_this_version() -> None:
    scene = decode((ASSETS / "pictures" / "images-map.bin").read_bytes())
    assert [pane.positions is not None for pane in scene.panes] == [True, True]
