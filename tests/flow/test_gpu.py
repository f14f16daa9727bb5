"""The exact answers on a CUDA device are those of the CPU."""

from __future__ import annotations

import pytest
import torch

from fmstudio.flow.densities.cloud import PointCloud
from fmstudio.flow.densities.mixture import eight_gaussians, standard_normal
from fmstudio.flow.densities.shapes import moons
from fmstudio.flow.metrics import energy_distance
from fmstudio.flow.oracle.oracle_for import oracle_for
from fmstudio.flow.paths.path import Path
from fmstudio.flow.solve.likelihood import log_likelihood
from fmstudio.flow.solve.solvers import integrate, path_times
from fmstudio.flow.solve.tableaux import HEUN
from tests.flow.every import EVERY_PATH

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

TIMES = (1.0, 0.7, 0.1, 0.01, 1e-3)
DENSITIES = {
    "mixture": eight_gaussians(),
    "cloud": PointCloud(moons(3_000, 0.05, torch.Generator().manual_seed(0)).points),
}


def places(n: int = 300) -> torch.Tensor:
    return 1.5 * torch.randn(n, 2, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("path", [p for p in EVERY_PATH if p.smooth], ids=str)
@pytest.mark.parametrize("density", DENSITIES.values(), ids=list(DENSITIES))
@pytest.mark.parametrize("source", [standard_normal(), eight_gaussians()], ids=["normal", "8 gaussians"])
def test_the_oracle_says_what_it_says_on_the_cpu(path: Path, density, source) -> None:
    here = oracle_for(path, density, source)
    there = oracle_for(path, density.to("cuda"), source.to("cuda"))
    x = places().double()
    for when in TIMES:
        t = torch.tensor(when, dtype=torch.float64)
        mine, theirs = here.moments(x, t), there.moments(x.cuda(), t.cuda())
        for name in ("u", "var", "score"):
            a, b = getattr(mine, name), getattr(theirs, name).cpu()
            torch.testing.assert_close(b, a, rtol=1e-6, atol=1e-9 + 1e-6 * float(a.abs().max()))
        quick, u = there(x.float().cuda(), t.float().cuda()).cpu(), here(x, t)
        assert (quick - u).norm(dim=1).div(u.norm(dim=1) + 1e-6).max() <= 1e-3


@pytest.mark.parametrize("density", DENSITIES.values(), ids=list(DENSITIES))
def test_the_exact_flow_ends_where_it_ends_on_the_cpu(density) -> None:
    x1 = places()
    ends = []
    for device in ("cpu", "cuda"):
        u = oracle_for(EVERY_PATH[0], density.to(device), standard_normal().to(device))
        start = x1.to(device)
        ends.append(integrate(u, start, path_times(20).to(start), HEUN, record=False).end.cpu())
    # A cloud's flow has edges between its points, at which rounding decides.
    apart = (ends[0] - ends[1]).norm(dim=1)
    assert (apart < 1e-3).float().mean() >= 0.99


def test_likelihood_and_distance_agree() -> None:
    x = places(200)
    found = []
    for device in ("cpu", "cuda"):
        u = oracle_for(EVERY_PATH[0], eight_gaussians().to(device), standard_normal().to(device))
        at = x.to(device)
        log_p = log_likelihood(u, at, 20, HEUN, standard_normal().to(device)).cpu()
        found.append((log_p, energy_distance(at, at.flip(1))))
    torch.testing.assert_close(found[0][0], found[1][0], rtol=1e-3, atol=1e-3)
    assert found[0][1] == pytest.approx(found[1][1], abs=1e-6)
