"""Training: deterministic, resumable, stoppable, honest about its floor."""

import time

import pytest
import torch

from fmstudio.capture import cuda_graph
from fmstudio.flow.couplings.coupling import FixedPairs
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.nets.networks import Network, Shape
from fmstudio.learn.training import checkpoints, measure
from fmstudio.learn.training.run import Diverged, learning_rate, pull
from fmstudio.learn.training.step import AdamMoments, Steps
from fmstudio.learn.training.train import Progress, train

TINY = Experiment(data="8 gaussians", width=24, depth=2, fourier=6, batch=64, train_steps=300, seed=1)


def last(reports) -> Progress:
    *_, report = reports
    return report


def state(p: Progress) -> list[torch.Tensor]:
    r = p.checkpoint.resumable
    m = r.moments
    return [p.checkpoint.network.flat, r.flat, m.first, m.second, m.count, m.mean, r.draws]


def same(a: Progress, b: Progress) -> bool:
    return all(torch.equal(x, y) for x, y in zip(state(a), state(b), strict=True))


@pytest.fixture
def quick_measurements(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that do not ask how well a net learned."""
    monkeypatch.setattr(measure, "FLOOR_POINTS", 2_048)
    monkeypatch.setattr(measure, "SAMPLES", 500)
    monkeypatch.setattr(measure, "LAST_SAMPLES", 500)


@pytest.mark.usefixtures("quick_measurements")
def test_same_seed_same_weights_however_often_it_reports() -> None:
    seldom = last(train(TINY, measure=False, interval=1e9))
    often = last(train(TINY, interval=0.0))
    assert same(seldom, often)
    assert seldom.loss == often.loss
    other = last(train(TINY.but(seed=2), measure=False))
    assert not torch.equal(other.checkpoint.network.flat, seldom.checkpoint.network.flat)


CASES = {
    "plain": {},
    "latent": {"path": "latent"},
    "conditional": {"conditional": True},
    "transport": {"coupling": "optimal transport", "coupling_batch": 32},
    "mean": {"regression": "closed-form mean"},
}


@pytest.mark.parametrize(
    "changes",
    [pytest.param(c, id=name, marks=[pytest.mark.slow] * (name == "transport")) for name, c in CASES.items()],
)
def test_resumed_equals_uninterrupted(changes, tmp_path) -> None:
    experiment = TINY.but(**changes)
    whole = last(train(experiment, measure=False))
    reports = train(experiment, measure=False, interval=0.0)
    first = next(reports)
    reports.close()
    assert 0 < first.step < experiment.train_steps
    checkpoints.save(first.checkpoint, tmp_path / "half.safetensors")
    half = checkpoints.load(tmp_path / "half.safetensors")
    resumed = last(train(experiment, resume=half, measure=False))
    assert resumed.step == whole.step
    assert same(resumed, whole)
    assert resumed.loss == whole.loss


def test_closing_stops_the_work_and_leaves_the_net() -> None:
    reports = train(TINY.but(train_steps=200_000), measure=False, interval=0.0)
    first = next(reports)
    weights = first.checkpoint.network.flat.clone()
    second = next(reports)
    reports.close()
    with pytest.raises(StopIteration):
        next(reports)
    assert not first.done
    assert not second.done
    # Later steps leave an earlier report's net alone.
    assert torch.equal(first.checkpoint.network.flat, weights)
    assert not torch.equal(second.checkpoint.network.flat, weights)
    assert second.net(torch.zeros(3, 2), torch.tensor(0.5)).isfinite().all()


def test_loss_that_is_not_finite_stops_with_advice() -> None:
    with pytest.raises(Diverged, match="Lower the learning rate"):
        last(train(TINY, measure=False, start=broken()))


def broken():
    network = last(train(TINY.but(train_steps=1), measure=False)).checkpoint.network
    return network.with_weights(torch.full_like(network.flat, 1e30))


@pytest.mark.slow
def test_it_learns() -> None:
    """The excess falls to a twentieth of where it began, and samples agree with the data."""
    experiment = TINY.but(width=48, batch=256, train_steps=800)
    first, final = next(train(experiment, interval=0.0)), last(train(experiment))
    assert (first.done, final.done) == (False, True)
    assert final.excess < first.excess / 20
    assert final.energy_distance < 0.02
    # The loss of the last batches is the floor plus what is left: within its own noise.
    assert abs(final.loss - final.floor - final.excess) < 0.15


@pytest.mark.slow
@pytest.mark.parametrize("target", ["v", "x0", "eps", "score"])
def test_every_target_learns_the_same_velocity(target) -> None:
    experiment = TINY.but(width=48, batch=256, train_steps=500, target=target)
    final = last(train(experiment))
    assert final.energy_distance < 0.03
    assert final.excess < 0.15


@pytest.mark.slow
def test_regressing_on_the_mean_learns_faster_and_has_the_same_answer() -> None:
    base = TINY.but(width=48, batch=256, train_steps=300)
    sampled = last(train(base))
    mean = last(train(base.but(regression="closed-form mean")))
    assert mean.excess < 0.75 * sampled.excess
    # The regression's own loss has no floor left.
    assert mean.loss < 0.2 * sampled.loss
    assert (mean.floor, mean.floor_error) == (0, 0)
    assert sampled.floor > 0


@pytest.mark.usefixtures("quick_measurements")
def test_other_couplings_have_no_floor_and_say_so() -> None:
    final = last(train(TINY.but(coupling="optimal transport", coupling_batch=32, train_steps=20)))
    assert final.floor is None
    assert final.excess is None
    assert final.energy_distance is not None
    with pytest.raises(ValueError, match="independent coupling only"):
        train(TINY.but(coupling="sinkhorn", regression="closed-form mean"))


def test_score_is_refused_where_it_is_not_one() -> None:
    for changes in ({"coupling": "optimal transport"}, {"source": "8 gaussians"}):
        with pytest.raises(ValueError, match="score target needs"):
            train(TINY.but(target="score", **changes))


def test_conditional_needs_classes() -> None:
    with pytest.raises(ValueError, match="needs data with classes"):
        train(TINY.but(data="checkerboard", data_points=100, conditional=True))


def test_reflow_trains_on_pairs_from_the_net_before() -> None:
    first = last(train(TINY, measure=False))
    x1 = torch.randn(500, 2, generator=torch.Generator().manual_seed(0))
    pairs = FixedPairs(x1 + 1, x1)
    final = last(train(TINY, pairs=pairs, start=first.checkpoint.network, measure=False))
    # Every pair moves by (−1, −1) in unit time, wherever it is.
    x = torch.randn(200, 2, generator=torch.Generator().manual_seed(1)) + 0.5
    error = final.net(x, torch.tensor(0.5)) + 1
    assert error.abs().mean() < 0.1


def test_resume_refuses_another_training_and_names_the_field() -> None:
    half = last(train(TINY.but(train_steps=16), measure=False)).checkpoint
    with pytest.raises(ValueError, match="data: the checkpoint was trained with '8 gaussians'"):
        train(TINY.but(data="moons"), resume=half)
    with pytest.raises(ValueError, match="holds the net only"):
        train(TINY, resume=half.net_only())
    assert last(train(TINY.but(train_steps=32, solver="heun"), resume=half, measure=False)).step == 32


def test_rate_rises_and_falls() -> None:
    steps, highest = TINY.train_steps, TINY.learning_rate
    rates = [learning_rate(k, steps, highest, "cosine") for k in range(steps)]
    top = max(rates)
    assert rates[0] < top / 10
    assert rates[-1] < top / 100
    assert top == pytest.approx(TINY.learning_rate, rel=0.1)
    assert learning_rate(steps - 1, steps, highest, "constant") == highest
    assert pull(TINY.ema, 0) > pull(TINY.ema, 10_000) == pytest.approx(1 - TINY.ema)


@pytest.mark.slow
def test_checkerboard_in_ten_seconds_of_one_core() -> None:
    """The default training reaches an energy distance below 0.002 in 10 s of CPU time, measuring included."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        began = time.process_time()
        final = last(train(Experiment(data="checkerboard")))
        seconds = time.process_time() - began
    finally:
        torch.set_num_threads(threads)
    assert final.energy_distance < 0.002
    assert seconds < 10


def warmed_up(work, device):
    """A captured graph's stand-in without a GPU: the work runs before, and on every replay."""
    work()
    return work


@pytest.mark.parametrize(
    ("device", "capture"), [("cpu", warmed_up), pytest.param("cuda", cuda_graph, marks=pytest.mark.gpu)]
)
def test_captured_steps_equal_steps_one_by_one(device, capture) -> None:
    """Whole blocks from a replay, and the rest of a training without one."""
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    net = Network(Shape(2, 32, 2, 8), torch.Generator().manual_seed(0)).to(device)
    twin = net.with_weights(net.flat)
    captured = Steps(net, 64, 8, AdamMoments.start(net.flat), capture=capture)
    eager = Steps(twin, 64, 8, AdamMoments.start(twin.flat))
    g = torch.Generator(device).manual_seed(1)
    for taken in (8, 8, 8, 5):
        x, y = torch.randn(2, 512, 2, generator=g, device=device)
        t = torch.rand(512, generator=g, device=device)
        rates, pulls = [1e-3 * (k + 1) for k in range(taken)], [0.1 / (k + 1) for k in range(taken)]
        for steps in (captured, eager):
            steps.load(x, t, y)
            steps.run(rates, pulls)
        assert torch.allclose(captured.losses[:taken], eager.losses[:taken], rtol=1e-5)
    for mine, other in ((net.flat, twin.flat), (captured.moments.mean, eager.moments.mean)):
        assert torch.allclose(mine, other, rtol=1e-5, atol=1e-6)
    assert captured.moments.count == eager.moments.count == 29


@pytest.mark.gpu
def test_training_on_cuda_learns_and_resumes() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    whole = last(train(TINY, device="cuda"))
    reports = train(TINY, device="cuda", interval=0.0)
    first = next(reports)
    reports.close()
    resumed = last(train(TINY, device="cuda", resume=first.checkpoint))
    assert whole.excess < 0.5
    assert torch.allclose(resumed.checkpoint.network.flat, whole.checkpoint.network.flat, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["v", "x0", "eps", "score"])
def test_steep_paths_train_whatever_the_target(target) -> None:
    """b = t⁸ is 1e-16 where a translation begins, and its square 0 in float32."""
    experiment = TINY.but(path="polynomial", power=8.0, target=target, train_steps=100)
    assert last(train(experiment)).loss < 100


@pytest.mark.usefixtures("quick_measurements")
def test_a_path_that_loses_its_data_on_the_way_needs_another_target() -> None:
    lost = TINY.but(path="custom", formula_a="(1-t)*(1-2*t)")
    for target in ("eps", "score"):
        with pytest.raises(ValueError, match="a is 0 or below"):
            train(lost.but(target=target))
    assert last(train(lost.but(target="v", train_steps=20))).step == 20
