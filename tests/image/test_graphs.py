"""A captured forward pass answers as the network does; here with a stand-in for CUDA's graphs."""

import copy
import gc

import pytest
import torch

from fmstudio.image.sampling import graphs
from fmstudio.image.sampling.field import GuidedField
from fmstudio.image.sampling.graphs import GraphedForward


class Recorder:
    """Work that is done again as it was captured, counted."""

    def __init__(self):
        self.captured, self.replayed = 0, 0

    def __call__(self, work, device):
        self.captured += 1

        def replay():
            self.replayed += 1
            work()

        return replay


def asked(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 1, 8, 8, generator=generator), torch.arange(count) % 3


def test_every_kind_of_call_is_captured_once_and_answered_rightly(tiny_net) -> None:
    recorder = Recorder()
    forward = GraphedForward(tiny_net, recorder)
    for seed, count, t in [(0, 3, 0.9), (1, 3, 0.2), (2, 5, 0.5), (3, 3, 0.0)]:
        x, labels = asked(count, seed)
        v = forward(x, torch.tensor(t), labels)
        assert torch.allclose(v, tiny_net(x, torch.tensor(t), labels), atol=1e-6)
    assert (recorder.captured, recorder.replayed) == (2, 4)


def test_an_answer_is_kept_when_the_graph_is_asked_again(tiny_net) -> None:
    forward = GraphedForward(tiny_net, Recorder())
    x, labels = asked(3)
    first = forward(x, torch.tensor(0.9), labels)
    kept = first.clone()
    forward(-x, torch.tensor(0.1), labels)
    assert torch.equal(first, kept)


def test_weights_may_change_in_place_and_move(tiny_net) -> None:
    recorder, (x, labels) = Recorder(), asked(2)
    forward = GraphedForward(tiny_net, recorder)
    forward(x, torch.tensor(0.5), labels)
    with torch.no_grad():
        for weight in tiny_net.parameters():
            weight.mul_(1.1)
    changed = forward(x, torch.tensor(0.5), labels)
    assert recorder.captured == 1
    assert torch.allclose(changed, tiny_net(x, torch.tensor(0.5), labels), atol=1e-6)
    tiny_net.load_state_dict(copy.deepcopy(tiny_net.state_dict()), assign=True)
    forward(x, torch.tensor(0.5), labels)
    assert recorder.captured == 2


def test_what_was_not_used_for_longest_is_given_up(tiny_net, monkeypatch) -> None:
    monkeypatch.setattr(graphs, "MOST_GRAPHS", 2)
    recorder = Recorder()
    forward = GraphedForward(tiny_net, recorder)
    for count in (1, 2, 1, 3, 1, 2):  # 3 takes the place of 2, and 2 that of 3
        x, labels = asked(count)
        forward(x, torch.tensor(0.5), labels)
    assert recorder.captured == 4


def test_a_network_that_nobody_uses_is_let_go(tiny_net) -> None:
    forward = GraphedForward(copy.deepcopy(tiny_net), lambda work, device: lambda: None)
    x, labels = asked(1)
    gc.collect()
    with pytest.raises(RuntimeError, match="gone"):
        forward(x, torch.tensor(0.5), labels)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("guidance", [1.0, 2.0])
@pytest.mark.parametrize("bf16", [False, True])
def test_a_cuda_graph_answers_as_the_network_does(tiny_net, guidance, bf16) -> None:
    net = tiny_net.cuda()
    x, labels = asked(4)
    field = GuidedField(net, labels, guidance, bf16)
    with torch.no_grad():
        for t in torch.tensor([1.0, 0.6, 0.1], device="cuda"):
            assert torch.allclose(
                field(x.cuda(), t), field.recorded(x.cuda(), t), atol=1e-2 if bf16 else 1e-5
            )
