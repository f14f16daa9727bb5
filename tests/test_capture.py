"""What is captured for a GPU is launches only; checked here without a GPU, by watching every operation."""

from collections.abc import Callable

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from fmstudio.folders import MODELS
from fmstudio.image.folder import load_model
from fmstudio.image.sampling.graphs import GraphedForward
from fmstudio.learn.nets.networks import Network, Shape
from fmstudio.learn.training.step import AdamMoments, Steps

REFUSED = {
    "_local_scalar_dense", "equal", "is_nonzero", "nonzero", "masked_select", "_unique2", "unique_dim",
    "lift_fresh",
}  # fmt: skip
"""Operations that wait for a value of the device, and the one that brings numbers of the host. (A mask as an
index waits too: for the number of places.)"""


class LaunchesOnly(TorchDispatchMode):
    """Lets through what a CUDA graph may hold."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        masked = name in ("index", "index_put", "index_put_") and any(
            i is not None and i.dtype == torch.bool for i in args[1]
        )
        if name in REFUSED or masked:
            raise AssertionError(f"{name} waits for the device, or for the host.")
        return func(*args, **(kwargs or {}))


def watched(work: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """A stand-in for the capture, which watches the work once."""
    with LaunchesOnly():
        work()
    return work


@pytest.mark.parametrize(
    "work",
    [
        lambda x: float(x.sum()),
        lambda x: x[x > 0],
        lambda x: x + torch.tensor(1.0),
        lambda x: bool((x > 0).any()),
    ],
    ids=["a value", "a mask", "a number", "a question"],
)
def test_waiting_is_noticed(work) -> None:
    with pytest.raises(AssertionError, match="waits"):
        watched(lambda: work(torch.ones(3)), torch.device("cpu"))


@pytest.mark.parametrize("shape", [Shape(), Shape(2, 16, 2, 4, classes=3), Shape(1, 8, 1, 0)], ids=str)
def test_training_steps_are_launches_only(shape) -> None:
    net = Network(shape, torch.Generator().manual_seed(0))
    steps = Steps(net, 16, 4, AdamMoments.start(net.flat), capture=watched)
    g = torch.Generator().manual_seed(1)
    x, t = torch.randn(64, shape.dim, generator=g), torch.rand(64, generator=g)
    asked = torch.zeros(64, dtype=torch.int64) if shape.classes else None
    steps.load(x, t, x, asked)
    steps.run([1e-3] * 4, [0.1] * 4)
    assert steps.losses.isfinite().all()


@pytest.mark.slow
@pytest.mark.parametrize("bf16", [False, True], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("name", ["fashion-rf1", "fashion-dit", "emoji-rf1"])
def test_the_shipped_networks_are_launches_only(name, bf16) -> None:
    net = load_model(MODELS / name).net
    x = torch.randn(2, *net.image_shape, generator=torch.Generator().manual_seed(0))
    v = GraphedForward(net, watched)(x, torch.tensor(0.5), torch.tensor([0, net.no_class]), bf16)
    assert v.shape == x.shape
    assert v.isfinite().all()
