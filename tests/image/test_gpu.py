"""Images on a CUDA device: captured sampling at several sizes, in several threads, and training."""

from __future__ import annotations

import copy
import gc
import threading
from dataclasses import replace

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from fmstudio.flow.solve.tableaux import EULER, HEUN
from fmstudio.image.networks import TransformerDesign, UNetDesign, VelocityNet, build_transformer, build_unet
from fmstudio.image.sampling.field import GuidedField, draw_noise
from fmstudio.image.sampling.graphs import MOST_GRAPHS, GraphedForward
from fmstudio.image.sampling.sampling import AdaptivePlan, FixedPlan, sample
from fmstudio.image.training.loop import Run, TrainSettings

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


TINY = UNetDesign(size=8, image_channels=1, class_count=3, channels=(16, 16), groups=8)


def transformer() -> VelocityNet:
    torch.manual_seed(0)
    net = build_transformer(TransformerDesign(8, 1, 3, patch=4, width=32, layers=2, heads=2))
    for weight in net.parameters():
        weight.data.normal_(0, 0.1)
    return net.eval().requires_grad_(False)


@pytest.fixture(params=["unet", "transformer"])
def net(request, tiny_net) -> VelocityNet:
    return (tiny_net if request.param == "unet" else transformer()).cuda()


def field_and_noise(net: VelocityNet, count: int, guidance: float = 1.0, bf16: bool = False, seed: int = 0):
    labels = torch.arange(count) % 3
    return GuidedField(net, labels, guidance, bf16), draw_noise((count, *net.image_shape), seed).cuda()


def eagerly(field: GuidedField, noise: torch.Tensor, count: int) -> torch.Tensor:
    """Euler steps of the same field without a graph."""
    x = noise
    with torch.no_grad():
        for k in range(count):
            x = x - field.recorded(x, torch.tensor(1 - k / count, device=x.device)) / count
    return x


@pytest.mark.parametrize("bf16", [False, True], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("guidance", [1.0, 0.0, 2.5])
def test_captured_sampling_equals_eager_sampling_at_every_size(net, guidance, bf16) -> None:
    for count in (1, 3, 10, 64, 3):
        field, noise = field_and_noise(net, count, guidance, bf16)
        captured, eager = sample(field, noise, 4), eagerly(field, noise, 4)
        torch.testing.assert_close(captured, eager, rtol=1e-3, atol=5e-2 if bf16 else 1e-3)


def test_every_way_of_sampling_runs(net) -> None:
    field, noise = field_and_noise(net, 4, 2.0)
    for solver in (EULER, HEUN):
        *_, end = FixedPlan(3, solver).run(field, noise)
        assert end.x.isfinite().all()
        assert end.t == 0
    *_, end = AdaptivePlan(1e-2).run(field, noise)
    assert end.x.isfinite().all()
    *_, back = FixedPlan(4, EULER).run(field, end.x, start=0.0, end=1.0)
    assert back.t == 1


def test_a_seed_means_the_same_images_again(net) -> None:
    one, other = (sample(*field_and_noise(net, 5, 1.5, seed=s), 4) for s in (3, 3))
    assert torch.equal(one, other)
    assert not torch.equal(one, sample(*field_and_noise(net, 5, 1.5, seed=4), 4))


def test_two_threads_share_one_network(net) -> None:
    """Each with sizes of its own, so that both capture while the other samples."""
    asked = {
        k: [(count, seed) for seed, count in enumerate(sizes)] for k, sizes in enumerate([(2, 5), (3, 5)])
    }
    alone = {
        (k, c, s): sample(*field_and_noise(net, c, 2.0, seed=10 * k + s), 4)
        for k in asked
        for c, s in asked[k]
    }
    other = copy.deepcopy(net)
    found: dict[tuple[int, int, int], torch.Tensor] = {}

    def draw(k: int) -> None:
        for _ in range(5):
            for count, seed in asked[k]:
                found[k, count, seed] = sample(*field_and_noise(other, count, 2.0, seed=10 * k + seed), 4)

    threads = [threading.Thread(target=draw, args=(k,)) for k in asked]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.keys() == alone.keys()
    for key, images in alone.items():
        torch.testing.assert_close(found[key], images, rtol=1e-4, atol=1e-4)


def test_fifty_captures_give_their_memory_back(net) -> None:
    forward = GraphedForward(net)

    def ask(count: int) -> None:
        forward(torch.zeros(count, *net.image_shape, device="cuda"), torch.tensor(0.5), torch.zeros(count))

    def settled() -> tuple[int, int]:
        gc.collect()
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        return torch.cuda.memory_reserved(), torch.cuda.mem_get_info()[0]

    for count in range(1, MOST_GRAPHS + 2):
        ask(count)
    reserved, free = settled()
    for count in range(50):
        ask(1 + count % 25)
    after, free_after = settled()
    assert after <= reserved + 32 * 2**20
    assert free_after >= free - 64 * 2**20


@pytest.fixture
def cuda_run(tiny_images):
    """Makes runs on the CUDA device; accelerate keeps one precision per process, so each test starts anew."""

    def make(precision: str = "no", **changes) -> Run:
        settings = replace(TrainSettings(steps=8, batch=8, warmup=2, seed=3), **changes)
        torch.manual_seed(settings.seed)
        return Run(build_unet(TINY), tiny_images, settings, Accelerator(mixed_precision=precision))

    AcceleratorState._reset_state(reset_partial_state=True)
    yield make
    AcceleratorState._reset_state(reset_partial_state=True)


def carried_out(run: Run) -> Run:
    for _ in run.advance():
        pass
    return run


@pytest.mark.parametrize("precision", ["no", "bf16"])
def test_image_training_learns_on_the_gpu(cuda_run, precision) -> None:
    run = cuda_run(precision, steps=150, batch=16, learning_rate=3e-3)
    losses = [progress.loss for progress in run.advance()]
    assert run.accelerator.device.type == "cuda"
    assert losses[-1] < 0.7 * losses[0]
    assert not any(weight.is_cuda for weight in run.averaged().parameters())


def test_an_image_run_that_was_stopped_goes_on(cuda_run, tmp_path) -> None:
    whole = carried_out(cuda_run(steps=60))
    half = cuda_run(steps=60)
    reports = half.advance()
    assert next(reports).step == 50
    reports.close()
    torch.save(half.state(), tmp_path / "state.pt")
    resumed = cuda_run(steps=60)
    resumed.restore(torch.load(tmp_path / "state.pt", map_location="cpu", weights_only=True))
    carried_out(resumed)
    assert resumed.step == whole.step == 60
    for mine, other in zip(resumed.ema, whole.ema, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-2, atol=1e-3)
