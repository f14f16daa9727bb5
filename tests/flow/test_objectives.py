"""Objectives: times, pairs, targets and the floor of the loss."""

import math

import pytest
import torch
from scipy import stats

from fmstudio.flow.couplings.coupling import FixedPairs, Independent, OptimalTransport
from fmstudio.flow.densities.mixture import GaussianMixture, eight_gaussians, isotropic, standard_normal
from fmstudio.flow.formulas.custom import Custom
from fmstudio.flow.oracle.oracle_for import oracle_for
from fmstudio.flow.paths.affine import Linear, Spherical, VariancePreserving
from fmstudio.flow.paths.latent import Latent
from fmstudio.flow.paths.turning import Bow, Spiral
from fmstudio.flow.regress.loss_floor import probe
from fmstudio.flow.regress.objectives import (
    END_GAP,
    EPS,
    SCORE,
    TARGETS,
    X0,
    V,
    check_target,
    draw_paths,
    regress_on,
    training_times,
)
from fmstudio.flow.regress.time_laws import LogitNormal, Uniform
from tests.flow.every import every_path

MORE = (Bow(0.6), Spiral(1.2), Latent(Linear(), 0.7), Latent(Spherical(), 0.4))
PATHS = {repr(path): path for path in (*every_path(), *MORE)}
MIXTURE = isotropic([[-1.5, 0.0], [1.0, 1.0], [0.5, -1.2]], 0.4)
NORMAL = standard_normal(2)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("n", "size"), [(0, 4), (-1, 4), (8, 0), (8, -3)])
def test_no_points_and_no_mini_batches_are_refused(n, size) -> None:
    with pytest.raises(ValueError, match=r"a count of at least [01]; got"):
        draws(Linear(), n, coupling=OptimalTransport(), coupling_batch=size)
    oracle = oracle_for(Linear(), MIXTURE, NORMAL)
    with pytest.raises(ValueError, match="a count of at least 2; got 1"):
        probe(Linear(), MIXTURE, NORMAL, oracle, V, Uniform(), 1, generator(), coupling=Independent())


def draws(path, n, seed=0, coupling=None, **options):
    coupling = coupling or Independent()
    return draw_paths(path, MIXTURE, NORMAL, coupling, Uniform(), n, generator(seed), **options)


def test_time_laws_have_their_distributions() -> None:
    n = 4000
    uniform = Uniform().sample(n, generator())
    assert stats.kstest(uniform.numpy(), "uniform").pvalue > 0.01
    law = LogitNormal(0.5, 0.8)
    logit = torch.logit(law.sample(n, generator(1)).double())
    assert stats.kstest(logit.numpy(), "norm", args=(0.5, 0.8)).pvalue > 0.01
    share = torch.linspace(0.05, 0.95, 19, dtype=torch.float64)
    expected = torch.from_numpy(stats.norm.ppf(share.numpy(), 0.5, 0.8))
    assert torch.allclose(torch.logit(law.quantile(share)), expected)
    assert torch.equal(Uniform().quantile(share), share)
    with pytest.raises(ValueError, match="std > 0; got mean = 0, std = 0"):
        LogitNormal(0, 0)


@pytest.mark.parametrize("path", PATHS.values(), ids=list(PATHS))
def test_velocities_are_finite_at_all_training_times(path) -> None:
    low, high = training_times(path)
    assert (low, high) == (
        END_GAP if isinstance(path, Latent | VariancePreserving) else 0.0,
        1 - END_GAP if isinstance(path, Latent) else 1.0,
    )
    times = torch.tensor([low, high]).repeat(50)
    draw = draws(path, 100, times=times)
    for target in TARGETS.values():
        assert target.sampled(path, draw).isfinite().all()


@pytest.mark.parametrize("path", PATHS.values(), ids=list(PATHS))
@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
def test_mean_is_the_conditional_expectation(path, target) -> None:
    """E[(y − E[y|x_t]) f(x_t, t)] = 0 for every f: five of them, within 4.5 standard errors."""
    draw = draws(path, 20_000, seed=3)
    oracle = oracle_for(path, MIXTURE, NORMAL)
    sampled = regress_on(target, path, draw, None)
    mean = regress_on(target, path, draw, oracle)
    inside = (draw.t > 0.01) & (draw.t < 0.99)
    residual = (sampled - mean)[inside]
    x, t = draw.xt[inside], draw.t[inside, None]
    for f in (torch.ones_like(x), x, x.flip(1), t * x, torch.sin(3 * x)):
        product = (residual * f).sum(1).double()
        error = product.std() / math.sqrt(len(product))
        assert abs(float(product.mean())) < 4.5 * float(error)


@pytest.mark.parametrize("path", PATHS.values(), ids=list(PATHS))
@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
def test_translated_mean_is_the_marginal_velocity(path, target) -> None:
    oracle = oracle_for(path, MIXTURE.to(torch.float64), NORMAL.to(torch.float64))
    low, high = target.times(path)
    x = torch.randn(40, 2, generator=generator(), dtype=torch.float64)
    t = torch.linspace(low, high, 40, dtype=torch.float64)
    moments = oracle.moments(x, t)
    u = target.velocity(path, target.mean(path, moments, t), x, t)
    assert torch.allclose(u, moments.u, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("path", [Linear(), Spherical(), Latent(Linear(), 0.7), Bow(0.6)])
@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
def test_floor_is_the_loss_of_the_exact_answer(path, target) -> None:
    oracle = oracle_for(path, MIXTURE, NORMAL)
    probes = probe(
        path, MIXTURE, NORMAL, oracle, target, Uniform(), 4000, generator(5), coupling=Independent()
    )
    draw = draws(path, 20_000, seed=6)
    loss = (target.sampled(path, draw) - target.mean(path, oracle.moments(draw.xt, draw.t), draw.t)).square()
    loss = loss.sum(1).double()
    error = math.hypot(float(loss.std()) / math.sqrt(len(loss)), probes.floor.error)
    assert abs(float(loss.mean()) - probes.floor.mean) < 4 * error
    assert probes.floor.error < 0.1 * probes.floor.mean


def test_floor_of_one_gaussian_is_closed_form() -> None:
    """x₀ ~ N(0, s² I), linear: Var[v | x_t] = (1 + s²) − (t − (1−t)s²)²/((1−t)²s² + t²) a coordinate."""
    s = 0.5
    one = GaussianMixture(torch.zeros(1, 2), s**2 * torch.eye(2)[None], torch.ones(1))
    oracle = oracle_for(Linear(), one, NORMAL)
    floor = probe(
        Linear(), one, NORMAL, oracle, V, Uniform(), 2000, generator(), coupling=Independent()
    ).floor
    t = torch.linspace(0, 1, 20_001, dtype=torch.float64)
    var = (1 + s**2) - (t - (1 - t) * s**2) ** 2 / ((1 - t) ** 2 * s**2 + t**2)
    exact = 2 * float(torch.trapezoid(var, t))
    # var_t does not depend on x here, so the stratified times leave next to no error.
    assert floor.mean == pytest.approx(exact, rel=2e-4)
    assert floor.error < 1e-3


def test_probes_ask_a_conditional_net_for_its_class() -> None:
    oracle = oracle_for(Linear(), MIXTURE, NORMAL)
    probes = probe(
        Linear(),
        MIXTURE,
        NORMAL,
        oracle,
        V,
        Uniform(),
        600,
        generator(),
        coupling=Independent(),
        label_drop=0.3,
    )
    assert probes.asked is not None
    assert abs(float((probes.asked < 0).float().mean()) - 0.3) < 0.08
    told = probes.asked == 1
    expected = oracle.given(1).moments(probes.xt[told], probes.t[told]).u
    assert torch.allclose(probes.exact[told], expected, atol=1e-5)
    with pytest.raises(ValueError, match="only for an independent coupling"):
        probe(Linear(), MIXTURE, NORMAL, oracle, V, Uniform(), 60, generator(), coupling=OptimalTransport())


def test_conditional_mean_is_that_of_the_class_told() -> None:
    path, oracle = Linear(), oracle_for(Linear(), MIXTURE, NORMAL)
    draw = draws(path, 200)
    kept = torch.arange(200) % 3 > 0
    y = regress_on(V, path, draw, oracle, kept)
    for row in (0, 1, 2, 3):
        of = oracle.given(int(draw.labels[row])) if kept[row] else oracle
        exact = of.moments(draw.xt[row : row + 1], draw.t[row : row + 1]).u
        assert torch.allclose(y[row : row + 1], exact, atol=1e-5)


@pytest.mark.parametrize("within", [False, True])
def test_coupling_keeps_both_marginals_and_labels(within) -> None:
    plain = draws(Linear(), 300, seed=2)
    paired = draws(
        Linear(), 300, seed=2, coupling=OptimalTransport(), coupling_batch=100, within_classes=within
    )
    for start in range(0, 300, 100):
        rows = slice(start, start + 100)
        for name in ("x0", "x1"):
            before, after = getattr(plain, name)[rows], getattr(paired, name)[rows]
            assert torch.equal(before.sort(0).values, after.sort(0).values)
    known = {tuple(point.tolist()): int(label) for point, label in zip(plain.x0, plain.labels, strict=True)}
    for point, label in zip(paired.x0, paired.labels, strict=True):
        assert known[tuple(point.tolist())] == label
    assert (paired.x1 - paired.x0).square().sum() < (plain.x1 - plain.x0).square().sum()


def test_pairing_within_classes_leaves_each_class_its_noise() -> None:
    """Paired over all classes, the partners of the left component lie left; within classes, nowhere."""
    means = {}
    for within in (False, True):
        draw = draws(Linear(), 1000, coupling=OptimalTransport(), coupling_batch=100, within_classes=within)
        means[within] = float(draw.x1[draw.labels == 0, 0].mean())
    assert means[False] < -0.8
    assert abs(means[True]) < 4 / math.sqrt(1000 / 3)


def test_given_pairs_replace_density_and_source() -> None:
    x0, x1 = torch.zeros(5, 2), torch.ones(5, 2)
    draw = draws(Linear(), 50, coupling=FixedPairs(x0, x1))
    assert torch.equal(V.sampled(Linear(), draw), torch.ones(50, 2))
    assert draw.labels is None


def test_same_generator_same_draw() -> None:
    a, b = draws(Latent(), 64, seed=9), draws(Latent(), 64, seed=9)
    assert torch.equal(a.xt, b.xt)
    assert torch.equal(a.z, b.z)


LOST = Custom("1-t-2*sin(pi*t)", "t")
REFUSED = [
    (
        X0,
        LOST,
        NORMAL,
        Independent(),
        r"a b′ − a′b = 0 at t = 0\.3828: there the velocity does not depend on x₀",
    ),
    (X0, Custom("max(1-2t, 0)", "t"), NORMAL, Independent(), r"= 0 at t = 0\.500. … 0\.9998"),
    (EPS, LOST, NORMAL, Independent(), "a is 0 or below"),
    (SCORE, LOST, NORMAL, Independent(), "a is 0 or below"),
    (
        EPS,
        Custom("1-t", "t+sin(2*pi*t)/2"),
        NORMAL,
        Independent(),
        r"= 0 at t = 0\.3711, 0\.6590: .* eps are",
    ),
    (SCORE, Custom("1-t", "t+sin(2*pi*t)/2"), NORMAL, Independent(), "not two names of one prediction"),
    (SCORE, Linear(), NORMAL, OptimalTransport(), "score target needs"),
    (SCORE, Linear(), eight_gaussians(), Independent(), "score target needs"),
    (X0, Latent(), NORMAL, OptimalTransport(), "With a latent, x0"),
    (EPS, Latent(), eight_gaussians(), Independent(), "With a latent, eps"),
]


@pytest.mark.parametrize(("target", "path", "source", "coupling", "message"), REFUSED)
def test_target_that_does_not_determine_the_velocity_is_refused(
    target, path, source, coupling, message
) -> None:
    with pytest.raises(ValueError, match=message):
        check_target(target, path, source, coupling)
    check_target(V, path, source, coupling)
