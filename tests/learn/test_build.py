"""Building: every name makes its object, equal choices share it, and impossible ones say why."""

import json

import pytest
import torch

from fmstudio.flow.couplings.coupling import Independent, OptimalTransport, Sinkhorn
from fmstudio.flow.densities.cloud import PointCloud
from fmstudio.flow.densities.mixture import GaussianMixture
from fmstudio.flow.formulas.custom import Custom
from fmstudio.flow.paths.affine import Linear, Polynomial, Spherical, VariancePreserving
from fmstudio.flow.paths.latent import Latent
from fmstudio.flow.paths.turning import Bow, Spiral
from fmstudio.flow.paths.zigzag import ZigZag
from fmstudio.learn import clouds
from fmstudio.learn.build import coupling_of, density_of, oracle_of, path_of, source_of
from fmstudio.learn.experiment import COUPLINGS, DATA, PATHS, SOURCES, Experiment, domain

E = Experiment(data_points=500)
FAMILIES = [
    ("path", PATHS),
    ("data", DATA),
    ("source", SOURCES),
    ("coupling", COUPLINGS),
]


@pytest.mark.parametrize(("field", "members"), FAMILIES)
def test_every_name_has_a_builder(field, members) -> None:
    assert tuple(members) == domain(field)["options"]
    for name, member in members.items():
        assert member.name == name
        member.make(E.but(**{field: name}))


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"path": "linear"}, Linear()),
        ({"path": "spherical"}, Spherical()),
        ({"path": "variance preserving", "beta0": 0.2, "beta1": 8}, VariancePreserving(0.2, 8.0)),
        ({"path": "polynomial", "power": 3}, Polynomial(3.0)),
        ({"path": "custom", "formula_a": "1-t", "formula_b": "t^2"}, Custom("1-t", "t^2")),
        ({"path": "bow", "bend": -1}, Bow(-1.0)),
        ({"path": "spiral", "turn": 2}, Spiral(2.0)),
        ({"path": "latent", "around": "linear", "strength": 1}, Latent(Linear(), 1.0)),
        (
            {"path": "latent", "around": "variance preserving", "beta1": 9},
            Latent(VariancePreserving(0.1, 9.0)),
        ),
        ({"path": "zig-zag", "around": "spherical"}, ZigZag(Spherical())),
        ({"path": "zig-zag", "around": "variance preserving", "beta0": 1}, ZigZag(VariancePreserving(1.0))),
    ],
)
def test_paths_have_the_numbers_of_the_experiment(changes, path) -> None:
    assert path_of(E.but(**changes)) == path


@pytest.mark.parametrize("name", ["bow", "spiral"])
def test_a_turning_path_is_refused_on_the_line(name) -> None:
    with pytest.raises(ValueError, match=f"^path: the {name} turns the plane"):
        path_of(E.but(data="line mixture", path=name))
    packed = clouds.pack(torch.randn(20, 1, generator=torch.Generator().manual_seed(0)))
    with pytest.raises(ValueError, match=f"^path: the {name} turns the plane"):
        path_of(E.but(data="points", points=packed, path=name))


def test_a_bad_formula_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a\(1\) must be 0; your formula gives 1 at t = 1"):
        path_of(E.but(path="custom", formula_a="1"))


@pytest.mark.parametrize("name", DATA)
def test_data_is_seeded_and_of_one_scale(name) -> None:
    e = E.but(data=name)
    density = density_of(e)
    assert density.dim == e.dim
    again = DATA[name].make(e)
    samples, repeated = (d.sample(50, torch.Generator().manual_seed(1)) for d in (density, again))
    assert samples.points.dtype == torch.float32
    assert torch.equal(samples.points, repeated.points)
    std = density.covariance.diagonal().sqrt()
    assert 0.4 <= float(std.min()) <= float(std.max()) <= 2.0
    points = density.sample(2_000, torch.Generator().manual_seed(2)).points
    assert points.abs().max() <= 4.5


@pytest.mark.parametrize(
    "name", ["moons", "checkerboard", "two spirals", "swiss roll", "pinwheel", "rings", "word"]
)
def test_shapes_and_words_are_clouds_of_the_asked_size(name) -> None:
    density = density_of(E.but(data=name))
    assert isinstance(density, PointCloud)
    assert len(density) == 500
    other = density_of(E.but(data=name, seed=4))
    assert isinstance(other, PointCloud)
    assert not torch.equal(density.points, other.points)


@pytest.mark.parametrize("name", ["8 gaussians", "mixture", "line mixture"])
def test_mixtures_are_exact(name) -> None:
    density = density_of(E.but(data=name))
    assert isinstance(density, GaussianMixture)
    assert density.classes == len(density.means)


def test_jitter_widens_the_eight_gaussians() -> None:
    for noise, variance in ((0.0, 0.01), (0.3, 0.1), (1.0, 1.01)):
        density = density_of(E.but(data="8 gaussians", data_noise=noise))
        assert isinstance(density, GaussianMixture)
        torch.testing.assert_close(density.covariances, variance * torch.eye(2).expand(8, 2, 2))


def test_free_mixture_has_its_rows() -> None:
    rows = [[2, -1, 0.5, 0.2, 0.1, 0.3], [1, 1, 1, 0.1, 0, 0.4]]
    density = density_of(E.but(data="mixture", mixture=json.dumps(rows)))
    assert isinstance(density, GaussianMixture)
    torch.testing.assert_close(density.weights, torch.tensor([2 / 3, 1 / 3]))
    torch.testing.assert_close(density.means, torch.tensor([[-1, 0.5], [1, 1]]))
    torch.testing.assert_close(density.covariances[0], torch.tensor([[0.2, 0.1], [0.1, 0.3]]))


@pytest.mark.parametrize(
    ("mixture", "words"),
    [
        ("", "expected JSON rows"),
        ("[" * 2_000, "expected JSON rows"),
        ("{}", "expected 1 to 16 rows"),
        ("[]", "expected 1 to 16 rows"),
        (json.dumps([[1, 0, 0, 1, 0, 1]] * 17), "expected 1 to 16 rows"),
        ("[[1, 0, 0, 1, 0]]", "row 1 must be six numbers"),
        ('[[1, 0, 0, 1, 0, 1], [1, 0, "0", 1, 0, 1]]', "row 2 must be six numbers"),
        ("[[1, 0, 0, 1, 0, true]]", "row 1 must be six numbers"),
        ("[[0, 0, 0, 1, 0, 1]]", r"row 1: weight must be in \[1e-06, 1e\+06\]; got 0"),
        ("[[1, 9, 0, 1, 0, 1]]", "row 1: mx must be in"),
        ("[[1, 0, NaN, 1, 0, 1]]", "row 1: my must be in .* got nan"),
        ("[[1, 0, 0, 1, 0, -1]]", "row 1: syy must be in"),
        ("[[1, 0, 0, 1, 0, 1], [1, 0, 0, 1, 2, 1]]", "Component 2 of 2: its covariance .* not positive"),
        ("[[1" + "0" * 400 + ", 0, 0, 1, 0, 1]]", "row 1: weight must be in"),
    ],
    ids=lambda x: x[:24],
)
def test_a_bad_mixture_is_refused_by_row(mixture, words) -> None:
    with pytest.raises(ValueError, match=f"^mixture: {words}"):
        density_of(E.but(data="mixture", mixture=mixture))


def test_points_are_the_packed_cloud() -> None:
    points = torch.randn(700, 2, generator=torch.Generator().manual_seed(0))
    e = E.but(data="points", points=clouds.pack(points, torch.arange(700) % 3), data_points=1_000)
    density = density_of(e)
    assert isinstance(density, PointCloud)
    assert density.classes == 3
    torch.testing.assert_close(density.points, points, rtol=0, atol=1e-4)
    fewer = density_of(e.but(data_points=100))
    assert isinstance(fewer, PointCloud)
    assert len(fewer) == 100
    assert fewer.classes == 3


def test_points_before_anything_is_drawn_are_the_example() -> None:
    density = density_of(E.but(data="points", data_points=10_000))
    assert isinstance(density, PointCloud)
    assert torch.equal(density.points, clouds.example_drawing().points)


def test_damaged_points_and_impossible_words_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^points: this is not a packed cloud"):
        density_of(E.but(data="points", points="junk"))
    with pytest.raises(ValueError, match=r"^word: expected 1 to 12 characters"):
        density_of(E.but(data="word", word=" "))


@pytest.mark.parametrize("name", SOURCES)
def test_sources_have_the_dimension_of_the_data(name) -> None:
    assert source_of(E.but(source=name)).dim == 2


def test_sources_on_the_line() -> None:
    line = E.but(data="line mixture")
    normal = source_of(line)
    assert (normal.dim, len(normal.means)) == (1, 1)
    two = source_of(line.but(source="two gaussians"))
    assert (two.dim, len(two.means)) == (1, 2)
    with pytest.raises(ValueError, match=r"^source: the 8 gaussians lie in the plane"):
        source_of(line.but(source="8 gaussians"))


def test_couplings() -> None:
    assert isinstance(coupling_of(E), Independent)
    assert isinstance(coupling_of(E.but(coupling="optimal transport")), OptimalTransport)
    sinkhorn = coupling_of(E.but(coupling="sinkhorn", sinkhorn_reg=0.3))
    assert isinstance(sinkhorn, Sinkhorn)
    assert sinkhorn.reg == 0.3


def test_equal_choices_share_one_object() -> None:
    e = E.but(data="moons")
    other = e.but(train_steps=7, solver="rk4", particles=50)
    assert density_of(e) is density_of(other)
    assert oracle_of(e) is oracle_of(other)
    assert density_of(e.but(path="bow")) is density_of(e)
    assert oracle_of(e.but(path="bow")) is not oracle_of(e)
    assert oracle_of(e.but(source="8 gaussians")) is not oracle_of(e)
    assert density_of(e.but(data_noise=0.2)) is not density_of(e)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("data", ["8 gaussians", "moons", "line mixture"])
def test_oracle_of_every_path(path, data) -> None:
    e = E.but(path=path, data=data)
    if e.dim == 1 and path in ("bow", "spiral"):
        with pytest.raises(ValueError, match=r"^path:"):
            oracle_of(e)
        return
    x = torch.randn(9, e.dim, generator=torch.Generator().manual_seed(0))
    u = oracle_of(e)(x, torch.tensor(0.5))
    assert u.shape == x.shape
    assert u.isfinite().all()
