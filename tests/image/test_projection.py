import pytest
import torch

from fmstudio.image.models import backbone
from fmstudio.image.progress import Progress
from fmstudio.image.questions.projection import FlowMap, flow_map, principal_plane
from fmstudio.image.sampling.field import GuidedField, draw_noise
from fmstudio.image.sampling.sampling import sample
from fmstudio.image.settings import ImageSettings
from fmstudio.plots.scene.image import map_scene

SETTINGS = ImageSettings(steps=(2,), seed=4, bf16=False)
MODELS = ("fashion-rf1", "fashion-rf2")


def test_the_plane_is_that_of_the_singular_value_decomposition() -> None:
    generator = torch.Generator().manual_seed(0)
    scale = torch.linspace(3, 0.1, 40)
    points = torch.randn(300, 40, generator=generator) * scale + 5
    plane = principal_plane(points)
    _, values, axes = torch.linalg.svd(points - points.mean(dim=0), full_matrices=False)
    assert torch.allclose(plane.axes @ plane.axes.T, torch.eye(2), atol=1e-5)
    assert torch.allclose((plane.axes * axes[:2]).sum(dim=1).abs(), torch.ones(2), atol=1e-3)
    shares = (values.square() / values.square().sum())[:2]
    assert plane.share == pytest.approx(shares.tolist(), rel=1e-3)


def test_a_flat_cloud_is_kept_whole() -> None:
    generator = torch.Generator().manual_seed(1)
    points = torch.randn(50, 2, generator=generator) @ torch.randn(2, 30, generator=generator)
    plane = principal_plane(points)
    assert sum(plane.share) == pytest.approx(1.0, abs=1e-5)
    seen = plane.project(points.reshape(50, 1, 5, 6))
    exact = {"compute_mode": "donot_use_mm_for_euclid_dist"}
    gaps = torch.cdist(points, points, **exact)
    assert torch.allclose(torch.cdist(seen, seen, **exact), gaps, atol=1e-3)


def test_no_plane_through_one_place_or_two_points() -> None:
    with pytest.raises(ValueError, match="All points are alike"):
        principal_plane(torch.ones(5, 4))
    with pytest.raises(ValueError, match="three points"):
        principal_plane(torch.randn(2, 4))


@pytest.fixture(scope="module")
def made() -> FlowMap:
    return [event for event in flow_map(SETTINGS, MODELS, 12) if isinstance(event, FlowMap)][-1]


def test_a_map_holds_every_step_of_every_image_of_both_models(made) -> None:
    assert made.times.tolist() == pytest.approx([1.0, 0.5, 0.0])
    assert made.labels.tolist() == [*range(10), 0, 1]
    assert all(positions.shape == (3, 12, 2) for positions in made.positions)
    assert torch.equal(made.positions[0][0], made.positions[1][0])
    model = backbone("fashion-rf2")
    noise = draw_noise((12, 1, 28, 28), 4)
    ends = sample(GuidedField(model.net, made.labels), noise, 2)
    assert torch.allclose(made.positions[1][-1], made.plane.project(ends), atol=1e-3)


def test_a_click_finds_the_nearest_image(made) -> None:
    x, y = made.positions[1][2, 5].tolist()
    assert made.nearest(1, x, y, 0.1) == (2, 5)


def test_the_scene_plays_what_was_projected(made) -> None:
    scene = map_scene(made)
    assert [pane.title for pane in scene.panes] == ["1-RF", "2-RF"]
    assert scene.count == 12
    assert scene.labels.tolist() == made.labels.tolist()
    lines = torch.from_numpy(scene.panes[0].lines)
    assert torch.allclose(lines[:, 1], made.positions[0][-1, : len(lines)])


def test_a_map_says_how_far_it_is_and_refuses_what_it_cannot_draw() -> None:
    shares = [e.share for e in flow_map(SETTINGS, MODELS[:1], 10) if isinstance(e, Progress)]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)
    with pytest.raises(ValueError, match="dopri5"):
        next(flow_map(ImageSettings(solver="dopri5"), MODELS, 20))
    with pytest.raises(ValueError, match="10 to 1000"):
        next(flow_map(SETTINGS, MODELS, 5))
