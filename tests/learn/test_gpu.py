"""What every training on a CUDA device runs: captured blocks of steps, for every choice that changes them."""

from __future__ import annotations

import gc
import threading

import pytest
import torch

from fmstudio.capture import cuda_graph
from fmstudio.learn.experiment import COUPLINGS, DATA, PATHS, SOURCES, TARGETS, Experiment
from fmstudio.learn.nets.net_field import NetField
from fmstudio.learn.nets.networks import Network, Shape
from fmstudio.learn.training.batches import Batches, Problem
from fmstudio.learn.training.checkpoints import load, save
from fmstudio.learn.training.step import AdamMoments, Steps
from fmstudio.learn.training.train import Progress, generators, train

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

CUDA = torch.device("cuda")
TINY = Experiment(width=32, depth=2, fourier=8, batch=128, train_steps=200, seed=1)
MEAN = {"regression": "closed-form mean"}


def last(reports) -> Progress:
    *_, report = reports
    return report


@pytest.mark.parametrize("conditional", [False, True], ids=["plain", "conditional"])
@pytest.mark.parametrize("regression", [{}, MEAN], ids=["sampled", "mean"])
@pytest.mark.parametrize("target", TARGETS)
def test_captured_blocks_equal_eager_ones(target, regression, conditional) -> None:
    """Three whole blocks and a part of one, on the batches of a real training."""
    experiment = TINY.but(target=target, conditional=conditional, **regression)
    problem = Problem.of(experiment, None, CUDA)
    first, draws, _ = generators(experiment.seed, CUDA)
    shape = Shape(2, experiment.width, experiment.depth, experiment.fourier, problem.classes)
    net = Network(shape, first).to(CUDA)
    twin = net.with_weights(net.flat)
    batches = Batches(experiment, problem, draws)
    captured = Steps(net, experiment.batch, batches.block, AdamMoments.start(net.flat), capture=cuda_graph)
    eager = Steps(twin, experiment.batch, batches.block, AdamMoments.start(twin.flat))
    for taken in (batches.block, batches.block, batches.block, 5):
        block = batches.draw()
        for steps in (captured, eager):
            steps.load(*block)
            steps.run([1e-3] * taken, [0.1] * taken)
        torch.testing.assert_close(captured.losses[:taken], eager.losses[:taken], rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(net.flat, twin.flat, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(captured.moments.mean, eager.moments.mean, rtol=1e-3, atol=1e-5)
    assert captured.moments.count == eager.moments.count


def every_choice() -> list[dict[str, object]]:
    """One training for each member of every family; the chain's own paths have no velocity to learn."""
    return [
        *({"path": name} for name in PATHS if name != "zig-zag"),
        *({"data": name, "data_points": 500} for name in DATA),
        *({"source": name} for name in SOURCES),
        *({"coupling": name, "coupling_batch": 32} for name in COUPLINGS),
        {"time_law": "logit-normal"},
        {"conditional": True, "coupling": "optimal transport", "coupling_batch": 32},
    ]


@pytest.mark.parametrize("changes", every_choice(), ids=lambda c: " ".join(str(v) for v in c.values()))
def test_every_choice_trains_and_is_measured(changes) -> None:
    report = last(train(TINY.but(train_steps=70, **changes), device=CUDA))
    assert report.done
    assert torch.tensor([report.loss, report.energy_distance]).isfinite().all()
    assert report.checkpoint.network.flat.is_cuda


@pytest.mark.parametrize("changes", [{}, {"conditional": True}, MEAN], ids=["plain", "conditional", "mean"])
def test_the_same_seed_gives_the_same_weights(changes) -> None:
    one, other = (last(train(TINY.but(**changes), device=CUDA, interval=i)) for i in (0.0, 1e9))
    assert torch.equal(one.checkpoint.network.flat, other.checkpoint.network.flat)
    another = last(train(TINY.but(seed=2, **changes), device=CUDA))
    assert not torch.equal(one.checkpoint.network.flat, another.checkpoint.network.flat)


def test_a_training_that_was_stopped_goes_on_from_its_file(tmp_path) -> None:
    whole = last(train(TINY, device=CUDA, measure=False))
    reports = train(TINY, device=CUDA, measure=False, interval=0.0)
    first = next(reports)
    reports.close()
    assert 0 < first.step < TINY.train_steps
    save(first.checkpoint, tmp_path / "half.safetensors")
    resumed = last(train(TINY, device=CUDA, measure=False, resume=load(tmp_path / "half.safetensors")))
    torch.testing.assert_close(
        resumed.checkpoint.network.flat, whole.checkpoint.network.flat, rtol=1e-4, atol=1e-6
    )


def test_a_net_of_the_gpu_opens_on_the_cpu(tmp_path) -> None:
    trained = last(train(TINY, device=CUDA, measure=False)).checkpoint
    save(trained.net_only(), tmp_path / "net.safetensors")
    x, t = torch.randn(50, 2, generator=torch.Generator().manual_seed(0)), torch.tensor(0.6)
    opened = load(tmp_path / "net.safetensors").net
    assert not opened.network.flat.is_cuda
    torch.testing.assert_close(opened(x, t), trained.net(x, t), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("label", [None, 1, torch.arange(7) % 3], ids=["none", "one", "each"])
def test_a_conditional_net_answers_points_of_the_cpu(label) -> None:
    net = Network(Shape(2, 16, 2, 4, classes=3), torch.Generator().manual_seed(0))
    net.matrices[-1].normal_(generator=torch.Generator().manual_seed(1))
    problem = Problem.of(TINY.but(conditional=True), None, torch.device("cpu"))
    here = NetField(net, problem.path, problem.target, label)
    there = NetField(net.with_weights(net.flat).to(CUDA), problem.path, problem.target, label)
    x, t = torch.randn(7, 2, generator=torch.Generator().manual_seed(2)), torch.tensor(0.4)
    assert there(x, t).device == x.device
    torch.testing.assert_close(there(x, t), here(x, t), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(there.divergence(x, t), here.divergence(x, t), rtol=1e-3, atol=1e-3)


def test_coarse_products_stay_near(tmp_path) -> None:
    net = last(train(TINY.but(width=64), device=CUDA, measure=False)).net
    coarse = NetField(net.network, net.path, net.target, products=torch.bfloat16)
    x = torch.randn(200, 2, generator=torch.Generator().manual_seed(0)).to(CUDA)
    t = torch.tensor(0.5, device=CUDA)
    assert (coarse(x, t) - net(x, t)).abs().max() < 0.1
    assert not torch.equal(coarse(x, t), net(x, t))


def test_two_trainings_at_once_learn_what_each_learns_alone() -> None:
    experiments = [TINY, TINY.but(seed=5, target="x0")]
    alone = [last(train(e, device=CUDA)).checkpoint.network.flat for e in experiments]
    together: dict[int, torch.Tensor] = {}

    def learn(k: int) -> None:
        together[k] = last(train(experiments[k], device=CUDA, interval=0.01)).checkpoint.network.flat

    threads = [threading.Thread(target=learn, args=(k,)) for k in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k, flat in enumerate(alone):
        torch.testing.assert_close(together[k], flat, rtol=1e-3, atol=1e-5)


def test_fifty_captures_give_their_memory_back() -> None:
    def train_a_little() -> None:
        last(train(TINY.but(train_steps=64), device=CUDA, measure=False))
        gc.collect()
        torch.cuda.synchronize()
        torch.cuda.empty_cache()

    train_a_little()
    before, free_before = torch.cuda.memory_allocated(), torch.cuda.mem_get_info()[0]
    for _ in range(50):
        train_a_little()
    assert torch.cuda.memory_allocated() <= before + 2**20
    assert torch.cuda.mem_get_info()[0] >= free_before - 64 * 2**20
