"""On a CUDA device, the forward pass of a velocity network as one CUDA graph.

A graph reads and writes the places it was captured with; what it is asked is copied there, the answer is
copied out, and one lock keeps visitors who share a model apart.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from weakref import WeakKeyDictionary, ref

import torch
from torch import Tensor

from fmstudio.capture import Capture, cuda_graph
from fmstudio.image.networks import VelocityNet

MOST_GRAPHS = 4
"""Kinds of call that stay captured for one network; each keeps its intermediate values' memory."""

_LOCK = threading.RLock()
_OF: WeakKeyDictionary[VelocityNet, GraphedForward] = WeakKeyDictionary()


class _Pass:
    """One captured kind of call: places for x, t and the labels, and for the velocity."""

    def __init__(self, net: VelocityNet, x: Tensor, bf16: bool, capture: Capture):
        self._x = torch.zeros_like(x)
        self._t = torch.zeros((), device=x.device)
        self._labels = torch.zeros(len(x), dtype=torch.int64, device=x.device)
        self._v = torch.empty_like(x)

        def forward() -> None:
            # Casts belong to the graph: a cast that autocast remembers would be read after it is gone.
            with torch.autocast(x.device.type, torch.bfloat16, enabled=bf16, cache_enabled=False):
                self._v.copy_(net(self._x, self._t, self._labels))

        self._replay = capture(forward, x.device)

    def __call__(self, x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        self._x.copy_(x)
        self._t.copy_(t)
        self._labels.copy_(labels)
        self._replay()
        return self._v.clone()


class GraphedForward:
    """v(x, t, class) of one network, captured at the first call of each kind and replayed after it.

    Calls differ in kind by the shape and dtype of x and by the precision. Weights may change in place;
    weights in another place are captured anew.

    Args:
        net: the network; whoever samples with it keeps it alive.
        capture: turns work on a device into its replay; a stand-in where there is no GPU.
    """

    def __init__(self, net: VelocityNet, capture: Capture | None = None):
        self._net, self._capture = ref(net), capture or cuda_graph
        self._passes: OrderedDict[tuple[object, ...], _Pass] = OrderedDict()

    @torch.no_grad()
    def __call__(self, x: Tensor, t: Tensor, labels: Tensor, bf16: bool = False) -> Tensor:
        """The velocity, without gradients.

        Args:
            x: images on the network's device, shape (batch, channels, side, side).
            t: a time, shape ().
            labels: int64, shape (batch,).
            bf16: compute in bfloat16.

        Returns:
            v, shape and dtype of x.
        """
        with _LOCK:
            return self.prepare(x, bf16)(x, t, labels)

    @torch.no_grad()
    def prepare(self, x: Tensor, bf16: bool = False) -> _Pass:
        """The pass for calls like this one, captured if need be.

        Raises:
            RuntimeError: the network is gone.
        """
        net = self._net()
        if net is None:
            raise RuntimeError("The network of this graph is gone.")
        key = (x.shape, x.dtype, bf16, *(weight.data_ptr() for weight in net.parameters()))
        with _LOCK:
            if key not in self._passes:
                while len(self._passes) >= MOST_GRAPHS:
                    self._passes.popitem(last=False)
                self._passes[key] = _Pass(net, x, bf16, self._capture)
            self._passes.move_to_end(key)
            return self._passes[key]


def graphed(net: VelocityNet) -> GraphedForward:
    """The one graphed forward pass of a network on a CUDA device."""
    with _LOCK:
        if net not in _OF:
            _OF[net] = GraphedForward(net)
        return _OF[net]
