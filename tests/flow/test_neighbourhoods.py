"""Neighbourhoods: every place is answered once, and no point that counts is left out."""

import pytest
import torch

from fmstudio.flow.densities.cloud import PointCloud
from fmstudio.flow.densities.mixture import standard_normal
from fmstudio.flow.densities.shapes import moons
from fmstudio.flow.oracle.neighbourhoods import GROUP, neighbourhoods
from fmstudio.flow.oracle.oracle_for import EmpiricalOracle
from fmstudio.flow.oracle.point_law import PointLaw
from fmstudio.flow.paths.affine import Linear
from fmstudio.flow.paths.latent import Latent
from fmstudio.flow.paths.turning import Spiral


@pytest.mark.parametrize("count", [1, GROUP, 3 * GROUP + 1])
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_no_point_that_weighs_more_than_the_depth_is_left_out(count, dim) -> None:
    generator = torch.Generator().manual_seed(dim)
    places = 30 * torch.randn(count, dim, generator=generator, dtype=torch.float64)
    points = 30 * torch.randn(2_000, dim, generator=generator, dtype=torch.float64)
    seen = []
    for rows, near in neighbourhoods(places, points, depth=20.0):
        square = torch.cdist(places[rows], points).square()
        counts = (square - square.amin(1, keepdim=True) <= 40.0).any(0).nonzero().squeeze(1)
        assert set(counts.tolist()) <= set(near.tolist())
        seen.append(rows)
    assert torch.cat(seen).sort().values.tolist() == list(range(count))


def test_a_narrow_group_sees_few_points() -> None:
    points = torch.linspace(-1000, 1000, 10_001, dtype=torch.float64)[:, None]
    ((_, near),) = neighbourhoods(points[5_000:5_001], points, depth=40.0)
    assert 80 <= len(near) <= 90  # 2 √80 standard deviations, five points in each


@pytest.mark.parametrize(
    "path", [Linear(), Spiral(0.7), Latent(Linear(), 0.3)], ids=lambda p: type(p).__name__
)
@pytest.mark.parametrize("t", [0.05, 1e-2, 1e-3])
@pytest.mark.parametrize("fast", [False, True])
def test_answers_from_near_points_are_those_of_all_points(path, t, fast) -> None:
    generator = torch.Generator().manual_seed(0)
    cloud = PointCloud(moons(1_500, 0.05, generator).points)
    source = standard_normal(2)
    time = torch.tensor([t], dtype=torch.float64)
    x0, x1 = cloud.points[:500].double(), torch.randn(500, 2, generator=generator, dtype=torch.float64)
    x = path.trajectories(x0, x1, time, generator)[0]
    oracle = EmpiricalOracle(path, cloud, source)
    law = PointLaw.at(path, oracle._points, source, x, time)
    lse, first, cov = law.attend(fast)
    true_lse, true_first, true_cov = law.by_differences()
    scale = true_cov.diagonal(dim1=1, dim2=2).sum(-1).sqrt() + t * 1e-3
    assert ((first - true_first).norm(dim=1) / scale).max() < (1e-3 if fast else 1e-6)
    if not fast:
        assert (lse - true_lse).abs().max() < 1e-6
        assert (cov - true_cov).abs().max() < 1e-9
