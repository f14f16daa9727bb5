"""Exported scripts: they stand alone, say what the studio computes, and learn."""

from __future__ import annotations

import ast
import builtins
import json
import math
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from itertools import product
from pathlib import Path as File
from typing import Any

import numpy as np
import pytest
import torch

from fmstudio import __version__
from fmstudio.flow.couplings.coupling import Sinkhorn
from fmstudio.flow.densities.cloud import PointCloud
from fmstudio.flow.metrics import energy_distance
from fmstudio.flow.paths.path import Coefficients, Path, affine_coefficients
from fmstudio.flow.regress.objectives import TARGETS, Draw
from fmstudio.flow.regress.time_laws import Uniform
from fmstudio.flow.regress.translate import from_v
from fmstudio.flow.solve.solvers import integrate, path_times
from fmstudio.flow.solve.tableaux import SOLVERS as TABLEAUX
from fmstudio.learn import clouds
from fmstudio.learn.build import coupling_of, density_of, path_of, source_of
from fmstudio.learn.experiment import COUPLINGS, DATA, PATHS, SOURCES, TIME_LAWS, Experiment
from fmstudio.learn.export.script import script
from fmstudio.learn.export.sources import assembled, inlined
from fmstudio.learn.nets.networks import Network, Shape
from fmstudio.learn.training.batches import Problem
from tests.flow.every import every_shape
from tests.learn.brought import from_csv

CPU = torch.device("cpu")
STANDARD = {"argparse", "base64", "collections", "copy", "dataclasses", "itertools", "math", "typing"}
CLASSES = ("8 gaussians", "moons", "two spirals", "pinwheel", "rings", "mixture", "word", "line mixture")


def functions(experiment: Experiment) -> dict[str, Any]:
    """What the script defines, without running it."""
    names: dict[str, Any] = {"__name__": "exported"}
    exec(compile(script(experiment), "exported.py", "exec", dont_inherit=True), names)
    return names


def stands_alone(text: str) -> None:
    compile(text, "exported.py", "exec")
    imported = set(re.findall(r"^(?:import|from) (\w+)", text, re.MULTILINE))
    assert imported <= {*STANDARD, "numpy", "torch", "scipy"}
    assert "fmstudio" not in text
    for name in re.findall(r"^(?:import|from) .*?(\w+(?:, \w+)*)$", text, re.MULTILINE):
        for one in name.split(", "):
            assert len(re.findall(rf"\b{one}\b", text)) > 1, f"{one} is imported and not used"
    assert undefined(ast.parse(text)) == set()


def undefined(tree: ast.AST) -> set[str]:
    """Names that a script reads and that nothing in it, and no builtin, defines."""
    defined = set(vars(builtins)) | {"__name__"}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            defined.add(node.name)
        elif isinstance(node, ast.alias):
            defined.add(node.asname or node.name)
        elif isinstance(node, ast.arg):
            defined.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            defined.add(node.id)
    return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} - defined


@pytest.mark.parametrize("data", DATA)
def test_every_choice_makes_a_script_that_compiles_and_stands_alone(data: str) -> None:
    couplings = ("independent", "optimal transport", "sinkhorn")
    paths, targets = ("linear", "custom", "spiral", "zig-zag"), ("v", "x0", "eps")
    # Every two of these choices meet.
    for (k, path), (m, target) in product(enumerate(paths), enumerate(targets)):
        coupling = couplings[(k + m) % 3]
        experiment = Experiment(data=data, path=path, coupling=coupling, target=target)
        if experiment.dim == 1 and path == "spiral":
            continue
        text = script(experiment)
        stands_alone(text)
        assert len(text.splitlines()) <= 330


@pytest.mark.parametrize("path", PATHS)
def test_every_path_with_every_target_and_noise_compiles(path: str) -> None:
    for target, noise in product(TARGETS, (0.0, 0.7)):
        stands_alone(script(Experiment(path=path, target=target, sde_noise=noise)))


@pytest.mark.parametrize("coupling", COUPLINGS)
@pytest.mark.parametrize("law", TIME_LAWS)
def test_every_coupling_and_time_law_trains_and_samples(coupling: str, law: str) -> None:
    for conditional in (False, True):
        experiment = Experiment(
            data="moons",
            coupling=coupling,
            time_law=law,
            conditional=conditional,
            batch=32,
            coupling_batch=16,
        )
        names = functions(experiment)
        before = torch.get_rng_state()
        assert script(experiment)
        assert torch.equal(torch.get_rng_state(), before), "to write a script draws nothing"
        assert names["sample"](names["train"](2), 20).isfinite().all()


@dataclass(frozen=True)
class Late(Path):
    """A path of a guest: b = t³."""

    power: float = 3.0

    def at(self, t: torch.Tensor) -> Coefficients:
        """a = 1 − b, b = t³."""
        b, db = t**self.power, self.power * t ** (self.power - 1)
        return affine_coefficients(1 - b, b, -db, db)


def test_a_path_of_a_guest_needs_nothing_in_the_exporter() -> None:
    use = "def moved(x0, x1, t):\n    return path.position(x0, x1, t)"
    text = assembled([f"path = {Late()!r}", use], {"Late": Late})
    names: dict[str, Any] = {"__name__": "exported"}
    exec(compile(text, "exported.py", "exec", dont_inherit=True), names)
    x0, x1, t = torch.randn(3, 2), torch.randn(3, 2), torch.tensor(0.5)
    torch.testing.assert_close(names["moved"](x0, x1, t), 0.875 * x0 + 0.125 * x1)
    assert "fmstudio" not in text


@dataclass(frozen=True)
class Steep:
    """A time law of a guest."""

    power: float

    def sample(self, n: int, generator: torch.Generator) -> torch.Tensor:
        return torch.rand(n, generator=generator) ** self.power


def test_what_needs_its_object_is_called_and_not_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert inlined(Uniform().sample, "8") == "torch.rand(8)"
    assert inlined(Steep(2.0).sample, "8") is None
    monkeypatch.setitem(TIME_LAWS, "steep", Steep(2.0))
    text = script(Experiment(time_law="steep"))
    stands_alone(text)
    assert "law = Steep(power=2.0)" in text


def test_the_default_is_a_page_or_two() -> None:
    assert len(script(Experiment()).splitlines()) <= 190
    assert max(map(len, script(Experiment()).splitlines())) <= 110


def test_the_first_lines_are_the_experiment() -> None:
    experiment = Experiment(data="moons", path="bow", bend=0.25, word='a"\n', seed=11)
    lines = script(experiment).splitlines()
    assert lines[0].startswith("#")
    assert __version__ in lines[0]
    assert Experiment.from_json(lines[1].removeprefix("# ")) == experiment


def test_a_brought_cloud_is_in_the_script() -> None:
    points = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    experiment = Experiment(data="points", points=clouds.pack(points, torch.arange(50) % 3), conditional=True)
    names = functions(experiment)
    density = density_of(experiment)
    assert torch.allclose(names["density"].points, density.points, atol=1e-4)  # pyright: ignore
    assert torch.equal(names["density"].labels, density.labels)  # pyright: ignore
    text = script(experiment)
    assert json.loads(text.splitlines()[1].removeprefix("# ")) == {"data": "points", "conditional": True}


def test_what_was_done_to_a_file_is_in_the_script() -> None:
    cloud = from_csv(b"x,y,kind\n1,2,a\n3,NA,b\n4,7,a\n5,1,b\n6,6,b\n8,3,b\n")
    text = script(Experiment(data="points", points=clouds.packed(cloud)))
    comments = " ".join(line.removeprefix("# ") for line in text.split('"""')[0].splitlines())
    assert cloud.note in comments
    assert "Classes: 0 = a, 1 = b." in comments


def test_a_large_cloud_is_thinned_with_every_class_kept() -> None:
    names = functions(Experiment(data="word", word="flow", conditional=True))
    assert len(names["density"].points) == 2_000
    assert names["density"].labels.unique().tolist() == [0, 1, 2, 3]
    whole = density_of(Experiment(data="word", word="flow"))
    # Every point is one of the studio's, to the 16 bits it is kept in.
    assert float(torch.cdist(names["density"].points, whole.points).min(1).values.max()) < 2e-3  # pyright: ignore


def unequal_cloud() -> Experiment:
    """4,999 points of class 0, none of class 1, and 1 of class 2."""
    points = torch.randn(5_000, 2, generator=torch.Generator().manual_seed(0))
    labels = 2 * (torch.arange(5_000) < 1).long()
    packed = clouds.pack(points + 4 * labels[:, None], labels)
    return Experiment(data="points", points=packed, conditional=True, label=2)


def test_classes_are_as_likely_as_in_the_studio_however_unequal() -> None:
    density = density_of(unequal_cloud())
    assert isinstance(density, PointCloud)
    assert density.labels is not None
    share = float((density.labels == 2).double().mean())
    torch.manual_seed(0)
    _, label = functions(unequal_cloud())["sample_data"](400_000)
    error = math.sqrt(share * (1 - share) / 400_000)
    assert abs(float((label == 2).double().mean()) - share) < 4 * error


@pytest.mark.parametrize(
    "experiment",
    [
        unequal_cloud(),
        Experiment(data="mixture", mixture="[[1000000,-2,0,1,0,1],[0.000001,3,1,0.5,0.2,0.1]]", label=1),
        *(Experiment(data=data, label=1) for data in CLASSES),
    ],
    ids=lambda e: f"{e.data}-{len(e.points + e.mixture)}",
)
def test_a_class_is_compared_with_the_class_however_rare(experiment: Experiment) -> None:
    own = (
        density_of(experiment).given(experiment.label).sample(2_000, torch.Generator().manual_seed(1)).points
    )
    torch.manual_seed(0)
    drawn = functions(experiment.but(conditional=True))["sample_class"](2_000)
    assert len(drawn) == 2_000
    # Two samples of 2,000 points differ by 0.004 at most.
    assert energy_distance(drawn, own) < 0.01


@pytest.mark.parametrize("data", DATA)
def test_the_data_are_those_of_the_studio(data: str) -> None:
    experiment = Experiment(data=data, conditional=data in CLASSES)
    density = density_of(experiment)
    torch.manual_seed(0)
    drawn = functions(experiment)["sample_data"](3_000)
    generator = torch.Generator().manual_seed(1)
    points = drawn[0] if experiment.conditional else drawn
    assert points.dtype == torch.float32
    # Two samples of 3,000 points of one of these differ by less than 0.004.
    assert energy_distance(points, density.sample(3_000, generator).points) < 0.006
    if experiment.conditional:
        assert drawn[1].unique().tolist() == list(range(density.classes))
        for label in range(density.classes):
            own = density.given(label).sample(1_000, generator).points
            assert energy_distance(points[drawn[1] == label], own) < 0.03


@pytest.mark.parametrize("data", [*every_shape(), "mixture", "line mixture"])
def test_the_same_random_numbers_give_the_points_of_the_studio(data: str) -> None:
    experiment = Experiment(data=data, data_noise=0.07, conditional=data in CLASSES)
    torch.manual_seed(5)
    drawn = functions(experiment)["sample_data"](500)
    generator = torch.Generator().manual_seed(5)
    exact = (
        every_shape()[data](500, 0.07, generator)
        if data in every_shape()
        else density_of(experiment).sample(500, generator)
    )
    points, labels = drawn if experiment.conditional else (drawn, None)
    torch.testing.assert_close(points, exact.points, rtol=1e-5, atol=1e-5)
    assert labels is None or torch.equal(labels, exact.labels)


def test_each_of_the_eight_gaussians_has_its_mean_and_width() -> None:
    experiment = Experiment(data_noise=0.2, conditional=True)
    torch.manual_seed(0)
    points, labels = functions(experiment)["sample_data"](40_000)
    density = density_of(experiment)
    for k in range(8):
        own, exact = points[labels == k], density.given(k)
        # About 5,000 points each: standard errors of 0.003 and 0.002.
        assert float((own.mean(0) - exact.mean).abs().max()) < 0.015
        assert float((own.std(0) - exact.covariance.diagonal().sqrt()).abs().max()) < 0.01


@pytest.mark.parametrize(
    ("source", "data"), [*((s, "moons") for s in SOURCES), ("two gaussians", "line mixture")]
)
def test_the_source_is_that_of_the_studio(source: str, data: str) -> None:
    experiment = Experiment(source=source, data=data)
    torch.manual_seed(0)
    points = functions(experiment)["sample_source"](3_000)
    exact = source_of(experiment).sample(3_000, torch.Generator().manual_seed(1)).points
    assert energy_distance(points, exact) < 0.006


EVERY_PATH = [
    *(Experiment(path=path) for path in PATHS),
    Experiment(path="polynomial", power=3.5),
    Experiment(path="variance preserving", beta0=0.5, beta1=12.0),
    Experiment(path="custom", formula_a="1 - max(t^2, t/3 + min(0, t))*(1-(1-t)/1)", formula_b="sqrt(t)"),
    Experiment(path="custom", formula_a="(1-t)*(1+t)", formula_b="log(1 + t*(e - 1))"),
    Experiment(path="bow", bend=-1.5),
    Experiment(path="spiral", turn=-3.0),
    *(
        Experiment(path="latent", around=a, strength=k)
        for a in ("linear", "variance preserving")
        for k in (0, 1.3)
    ),
    Experiment(path="zig-zag", around="variance preserving"),
]


@pytest.mark.parametrize(
    "experiment", EVERY_PATH, ids=lambda e: f"{e.path}-{e.around}-{e.strength}-{e.formula_b}"
)
def test_the_coefficients_are_those_of_the_path(experiment: Experiment) -> None:
    t = torch.linspace(0.01, 0.99, 41, dtype=torch.float64)
    path = path_of(experiment)
    exact = path.at(t)
    got = vars(functions(experiment)["path"].at(t))
    assert {"a", "b", "da", "db"} | ({"gamma", "dgamma"} if path.has_latent else set()) <= set(got)
    for name, mine in got.items():
        torch.testing.assert_close(mine, getattr(exact, name), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("path", PATHS)
def test_a_prediction_becomes_the_same_velocity(path: str, target: str) -> None:
    """Also where the x0 it stands for has to be held inside the box, and near the ends."""
    experiment = Experiment(path=path, target=target, sde_noise=0.5)
    generator = torch.Generator().manual_seed(0)
    x, y = 2 * torch.randn(2, 30, 2, generator=generator, dtype=torch.float64)
    built, names, problem = path_of(experiment), functions(experiment), Problem.of(experiment, None, CPU)
    plain = functions(experiment.but(sde_noise=0.0))["velocity"]
    moved = 0
    for t in torch.tensor([0.002, 0.05, 0.4, 0.9, 0.98], dtype=torch.float64):
        at = t.clamp(*TARGETS[target].times(built))
        exact = TARGETS[target].velocity(built, y, x, at, problem.box)
        moved += int((exact != TARGETS[target].velocity(built, y, x, at)).sum())
        u = names["velocity"](lambda x, t: y, x, t)
        torch.testing.assert_close(u, exact, rtol=1e-7, atol=1e-9)
        torch.testing.assert_close(plain(lambda x, t: y, x, t), exact, rtol=1e-7, atol=1e-9)
        score = from_v(built, exact, x, t).score
        torch.testing.assert_close(names["score"](u, x, t), score, rtol=1e-6, atol=1e-7)
    assert (moved > 0) == (target != "v")


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("path", PATHS)
def test_what_the_net_is_trained_on_is_the_target(
    path: str, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = Experiment(path=path, target=target, ema=0.0, batch=64)
    names, seen = functions(experiment), []
    original = names["Net"].forward

    def forward(net: Any, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        seen.append((x, t))
        return original(net, x, t)

    names["Net"].forward = forward
    x0, x1, z = torch.randn(3, 64, 2, generator=torch.Generator().manual_seed(1))
    names["sample_data"], names["sample_source"] = lambda n: x0[:n], lambda n: x1[:n]
    monkeypatch.setattr(torch, "randn_like", lambda x: z)
    monkeypatch.setattr("builtins.print", lambda *_: None)
    losses = []
    backward = torch.Tensor.backward
    monkeypatch.setattr(
        torch.Tensor, "backward", lambda loss: (losses.append(loss.item()), backward(loss))[1]
    )
    names["train"](1)
    (xt, t), path_ = seen[0], path_of(experiment)
    latent = z if path_.has_latent else None
    draw = Draw(x0, x1, latent, t, path_.position(x0, x1, t, latent), None)
    torch.testing.assert_close(xt, draw.xt, rtol=1e-4, atol=1e-5)
    # The first prediction is 0, so the first loss is the mean square of the target.
    y = TARGETS[target].sampled(path_, draw)
    assert losses[0] == pytest.approx(float(y.square().sum(1).mean()), rel=1e-3)


@pytest.mark.parametrize("labelled", [False, True])
def test_optimal_transport_pairs_as_the_studio_does(labelled: bool) -> None:
    experiment = Experiment(coupling="optimal transport", coupling_batch=64, conditional=labelled)
    generator = torch.Generator().manual_seed(0)
    x0, x1 = torch.randn(2, 128, 2, generator=generator)
    label = torch.randint(3, (128,), generator=generator)
    coupling = coupling_of(experiment)
    names = functions(experiment)
    paired = names["pair_batches"](names["coupling"], x0, x1, label if labelled else None, 64, labelled)
    got = paired[0]
    for start in (0, 64):
        for k in range(3) if labelled else (None,):
            rows = torch.arange(start, start + 64)
            rows = rows if k is None else rows[label[rows] == k]
            assert torch.equal(got[rows], coupling.pair(x0[rows], x1[rows], generator).x0)


@pytest.mark.parametrize("reg", [pytest.param(0.1, marks=pytest.mark.slow), 10.0])
def test_sinkhorn_finds_the_plan_of_the_studio(reg: float) -> None:
    x0, x1 = torch.randn(2, 100, 2, generator=torch.Generator().manual_seed(0))
    cost = torch.cdist(x0.double(), x1.double()).square()
    got = functions(Experiment(coupling="sinkhorn"))["entropic_plan"](cost, reg, 1e-2, 10_000)
    want = Sinkhorn(reg, tolerance=1e-6, max_iterations=100_000).plan(x0, x1)
    assert float((got - want).abs().sum()) < 0.03


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("fourier", [0, 8])
def test_the_net_is_that_of_the_studio(fourier: int, conditional: bool) -> None:
    experiment = Experiment(data="moons", fourier=fourier, width=24, depth=2, conditional=conditional)
    torch.manual_seed(0)
    theirs = functions(experiment)["Net"]()
    classes = 2 if conditional else 0
    ours = Network(Shape(2, 24, 2, fourier, classes), torch.Generator().manual_seed(1))
    if fourier:
        ours.space.copy_(theirs.space.T)
        ours.time.copy_(theirs.time[0])
    # The studio keeps sine and cosine of x together, then those of t.
    spots = [*range(3), *range(3, 11), *range(19, 27), *range(11, 19), *range(27, 35), *range(35, 38)]
    for layer, linear in zip(ours.layers, theirs.layers[::2], strict=True):
        torch.nn.init.normal_(linear.weight)
        with torch.no_grad():
            weight = linear.weight
            if fourier and linear is theirs.layers[0]:
                weight = weight[:, spots[: weight.shape[1]]]
            layer.weight.copy_(weight)  # pyright: ignore
            layer.bias.copy_(linear.bias)  # pyright: ignore
    x, t, label = torch.randn(7, 2), torch.rand(7), torch.tensor([0, 1, 2, 0, 1, 2, 0])
    told = (label,) if conditional else ()
    torch.testing.assert_close(theirs(x, t, *told), ours(x, t, *told), rtol=1e-4, atol=1e-4)


def test_guidance_meets_what_is_held_inside_the_box_as_in_the_studio() -> None:
    experiment = Experiment(target="eps", conditional=True, label=2, guidance=3.0)
    x, t = torch.randn(40, 2, generator=torch.Generator().manual_seed(0)), torch.tensor(0.9)

    def net(x: torch.Tensor, t: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        return x + (label[:, None] - 4) / 10

    box = Problem.of(experiment, None, CPU).box
    told, free = (TARGETS["eps"].velocity(path_of(experiment), x + (k - 4) / 10, x, t, box) for k in (2, 8))
    got = functions(experiment)["velocity"](net, x, t)
    torch.testing.assert_close(got, torch.lerp(free, told, 3.0), rtol=1e-5, atol=1e-5)


def test_guidance_is_between_the_two_fields_and_beyond() -> None:
    experiment = Experiment(conditional=True, label=2, guidance=3.0)
    x = torch.zeros(4, 2)

    def net(x: torch.Tensor, t: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        return x + label[:, None]

    u = functions(experiment)["velocity"](net, x, torch.tensor(0.5))
    assert torch.equal(u, torch.full((4, 2), 8.0 + 3 * (2 - 8)))
    told = functions(experiment.but(guidance=1.0))["velocity"](net, x, torch.tensor(0.5))
    assert torch.equal(told, torch.full((4, 2), 2.0))
    whole = functions(experiment.but(label=-1))["velocity"](net, x, torch.tensor(0.5))
    assert torch.equal(whole, torch.full((4, 2), 8.0))


@pytest.mark.parametrize("solver", TABLEAUX)
def test_samplers_take_the_steps_of_the_studio(solver: str) -> None:
    names = functions(Experiment(solver=solver, sample_steps=5))
    start = torch.randn(20, 2, generator=torch.Generator().manual_seed(0))

    def field(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return x.flip(1) * torch.cos(4 * t) - x.square() / 5

    names["sample_source"], names["velocity"] = lambda n: start[:n], lambda net, x, t: field(x, t)
    tableau = TABLEAUX["rk4" if solver == "dopri5" else solver]
    exact = integrate(field, start, path_times(5), tableau).end
    torch.testing.assert_close(names["sample"](None, 20), exact, rtol=1e-5, atol=1e-5)


def test_the_noisy_sampler_keeps_the_marginals() -> None:
    # Data N(0, I/4) on the linear path: u is linear, and x_t has the variance (1 - t)²/4 + t².
    experiment = Experiment(sde_noise=1.5, sample_steps=200)
    names = functions(experiment)
    u = names["velocity"]

    def net(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return x * (t - (1 - t) / 4) / ((1 - t) ** 2 / 4 + t**2)

    names["velocity"] = lambda _, x, t: u(net, x, t)
    torch.manual_seed(0)
    samples = names["sample"](None, 20_000)
    # Standard error 0.0018 of each standard deviation; the rest is the error of 200 steps.
    assert float((samples.std(0) - 0.5).abs().max()) < 0.015


def test_impossible_choices_are_refused_in_words() -> None:
    with pytest.raises(ValueError, match="class"):
        script(Experiment(data="checkerboard", conditional=True))
    for experiment in (Experiment(data="moons", conditional=True, label=2), unequal_cloud().but(label=1)):
        with pytest.raises(ValueError, match=f"No class {experiment.label} here; the classes are 0, "):
            script(experiment)
    with pytest.raises(ValueError, match=r"0\.3828: .* Sample without noise"):
        script(Experiment(path="custom", formula_a="1-t-2sin(πt)", formula_b="t", sde_noise=0.5))
    with pytest.raises(ValueError, match="sde_noise"):
        script(Experiment(coupling="optimal transport", sde_noise=0.5))
    with pytest.raises(ValueError, match="score"):
        script(Experiment(source="8 gaussians", target="score"))
    with pytest.raises(ValueError, match="turns the plane"):
        script(Experiment(data="line mixture", path="bow"))


def test_distance_is_that_of_the_studio() -> None:
    x, y = torch.randn(200, 2), torch.randn(150, 2) + 0.3
    got = functions(Experiment())["energy_distance"](x, y)
    assert got == pytest.approx(energy_distance(x, y), abs=1e-6)


def run(experiment: Experiment, folder: File, steps: int) -> tuple[float, np.ndarray[Any, Any]]:
    """Run the script in a process of its own; the energy distance it prints, and its samples."""
    (folder / "experiment.py").write_text(script(experiment), "utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-I", "experiment.py", "--steps", str(steps)],
        cwd=folder, capture_output=True, text=True, timeout=300,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = re.search(r"energy distance to fresh data.*: (\S+)$", done.stdout, re.MULTILINE)
    assert found is not None, done.stdout
    return float(found[1]), np.load(folder / "samples.npy")


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {
            "data": "mixture",
            "path": "latent",
            "around": "variance preserving",
            "target": "score",
            "sde_noise": 0.5,
        },
        {
            "data": "word",
            "path": "spiral",
            "coupling": "sinkhorn",
            "conditional": True,
            "label": 1,
            "guidance": 2,
        },
        {
            "data": "line mixture",
            "path": "custom",
            "target": "eps",
            "solver": "rk4",
            "time_law": "logit-normal",
        },
        {"data": "rings", "path": "bow", "coupling": "optimal transport", "target": "x0", "solver": "dopri5"},
        {"data": "points", "path": "zig-zag", "source": "two gaussians", "solver": "heun", "ema": 0.0},
    ],
    ids=lambda c: c["data"],
)
def test_scripts_run_in_a_process_of_their_own(changes: dict[str, Any], tmp_path: File) -> None:
    experiment = Experiment.from_dict(changes | {"particles": 500, "sample_steps": 10, "batch": 64})
    Problem.of(experiment, None, torch.device("cpu"))
    distance, samples = run(experiment, tmp_path, steps=12)
    assert math.isfinite(distance)
    assert samples.shape == (500, experiment.dim)
    assert np.isfinite(samples).all()


@pytest.mark.slow
def test_a_script_learns_moons(tmp_path: File) -> None:
    distance, samples = run(Experiment(data="moons", sample_steps=20), tmp_path, steps=600)
    # The source itself is 0.12 away; two samples of 2,000 moons differ by about 0.002.
    assert distance < 0.02
    assert samples.shape == (2_000, 2)
