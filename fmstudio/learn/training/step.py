"""One training step, by hand: features, forward, backward, AdamW and the running mean of the weights.

A small net spends most of a step in dispatch and autograd. Here every number lives in a buffer that was
allocated once, and a step is some twenty calls that write into them. Particles are columns: a layer is

    Z = [W β] [H; 1],   H⁺ = σ(Z) ∘ Z,           one matrix product, bias and all;
    dW = dZ [H; 1]ᵀ,    dH = Wᵀ dZ,   dZ = silu′(Z) ∘ dH,   silu′(Z) = H⁺ + σ(Z) ∘ (1 − H⁺),

so each gradient, bias and all, is one product written into its place in one flat vector. Batches come in
blocks of some steps, whose features are computed together. On CUDA the steps of a block are captured once
as a CUDA graph, and a block is one replay; there every call is a kernel that costs about as much as any
other, so silu and its slope are one call each, where a CPU saves the second exponential.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fmstudio.capture import Capture, Replay
from fmstudio.learn.nets.networks import Network, quarter_turns, views

BETA1 = 0.9
BETA2 = 0.99
EPSILON = 1e-8
WEIGHT_DECAY = 0.0

PIECES_ON_GPU = 36
"""Parts of the weights for AdamW's kernel: each goes to one of a GPU's processors, so many in a launch."""


@dataclass
class AdamMoments:
    """What AdamW and the running mean remember, each of the shape of the flat weights but ``count``.

    Args:
        first, second: running means of the gradient and its square.
        count: steps taken, shape (), float32.
        mean: running mean of the weights.
    """

    first: Tensor
    second: Tensor
    count: Tensor
    mean: Tensor

    @staticmethod
    def start(flat: Tensor) -> AdamMoments:
        """Before the first step."""
        count = torch.zeros((), dtype=torch.float32, device=flat.device)
        return AdamMoments(torch.zeros_like(flat), torch.zeros_like(flat), count, flat.clone())

    def copy_(self, other: AdamMoments) -> None:
        """Take another's numbers, in place."""
        for mine in ("first", "second", "count", "mean"):
            getattr(self, mine).copy_(getattr(other, mine))

    def clone(self) -> AdamMoments:
        """A copy that later steps leave alone."""
        return AdamMoments(self.first.clone(), self.second.clone(), self.count.clone(), self.mean.clone())


class Steps:
    """The steps of one block on preallocated buffers.

    Args:
        net: its flat weights are trained in place.
        batch: particles of a step, B.
        block: steps of a block, K.
        moments: the optimizer's memory, changed in place.
        capture: turns the steps of a whole block into one replay; None takes them one by one.

    Attributes:
        losses: mean squared error of each step of the last block, before its update, shape (K,).
        gradient: of the last step, flat.
    """

    def __init__(
        self,
        net: Network,
        batch: int,
        block: int,
        moments: AdamMoments,
        *,
        capture: Capture | None = None,
    ) -> None:
        shape, flat = net.shape, net.flat
        self.net, self.batch, self.block, self.moments = net, batch, block, moments
        self.gradient = torch.zeros_like(flat)

        def empty(*size: int) -> Tensor:
            return torch.empty(size, dtype=flat.dtype, device=flat.device)

        self.losses = torch.zeros(block, dtype=flat.dtype, device=flat.device)
        self._counts = torch.zeros(block, dtype=torch.float32, device=flat.device)
        self._ahead = torch.arange(1.0, block + 1, device=flat.device)
        self._rates = torch.zeros(block, dtype=torch.float32, device=flat.device)
        self._pulls = torch.zeros(block, dtype=flat.dtype, device=flat.device)
        self._inputs = empty(block, shape.dim + 2, batch)
        self._inputs[:, -1] = 1
        self._angles = empty(block, 2 * (shape.fourier + shape.time_frequencies), batch)
        self._features = torch.zeros(block, shape.features + 1, batch, dtype=flat.dtype, device=flat.device)
        self._features[:, -1] = 1
        self._targets = empty(block, shape.dim, batch)
        self._turns = _turns(net).expand(block, -1, -1)

        self._lay_out()
        self._step_views = [
            (self._features[k], self._features[k].t(), self._targets[k], self.losses[k]) for k in range(block)
        ]
        self._capture = capture
        pieces = 1 if flat.device.type == "cpu" else PIECES_ON_GPU
        self._trained = [
            list(whole.split(math.ceil(len(flat) / pieces)))
            for whole in (flat, self.gradient, moments.first, moments.second)
        ]
        self._count_views = [[count] * len(self._trained[0]) for count in self._counts.unbind()]
        self._replay: Replay | None = None

    def _lay_out(self) -> None:
        """Views of weights and gradients, and room for what the layers pass on, in the order of use."""
        shape, flat, batch = self.net.shape, self.net.flat, self.batch

        def empty(*size: int) -> Tensor:
            return torch.empty(size, dtype=flat.dtype, device=flat.device)

        weights, gradients = views(flat, shape), views(self.gradient, shape)
        sums, slopes = ([empty(outputs, batch) for outputs, _ in shape.layers] for _ in range(2))
        outputs = [torch.ones(w + 1, batch, dtype=flat.dtype, device=flat.device) for w, _ in shape.layers]
        hidden = range(len(weights) - 1)
        shared = torch.ones(2, shape.width, batch, dtype=flat.dtype, device=flat.device)
        activations = [
            _Silu(sums[i], outputs[i][:-1], shared) if flat.device.type == "cpu"
            else _FusedSilu(sums[i], outputs[i][:-1])
            for i in hidden
        ]  # fmt: skip
        self._forward = [(weights[i], sums[i], activations[i], outputs[i]) for i in hidden]
        self._last = (weights[-1], sums[-1], slopes[-1], slopes[-1].view(-1))
        self._backward = [
            (
                slopes[i + 1],
                outputs[i].t(),
                gradients[i + 1],
                weights[i + 1][:, :-1].t(),
                slopes[i],
                activations[i],
            )
            for i in reversed(hidden)
        ]
        self._first = (slopes[0], gradients[0])

    def load(self, x: Tensor, t: Tensor, y: Tensor, asked: Tensor | None = None) -> None:
        """Put the batches of a block in place.

        Args:
            x, y: points and what to predict there, shape (K·B, dim); consecutive rows make a batch.
            t: times, shape (K·B,).
            asked: class that the net is told, shape (K·B,); ``classes`` for none. Only for a conditional net.
        """
        shape = self.net.shape
        columns = (self.block, self.batch)
        self._inputs[:, : shape.dim].copy_(x.view(*columns, shape.dim).transpose(1, 2))
        self._inputs[:, shape.dim].copy_(t.view(columns))
        self._targets.copy_(y.view(*columns, shape.dim).transpose(1, 2))
        raw, waves = shape.dim + 1, self._angles.shape[1]
        self._features[:, :raw].copy_(self._inputs[:, :raw])
        if waves:
            torch.bmm(self._turns, self._inputs, out=self._angles)
            torch.sin(self._angles, out=self._features[:, raw : raw + waves])
        if shape.classes:
            assert asked is not None
            one_hot = self._features[:, raw + waves : -1]
            one_hot.zero_().scatter_(1, asked.view(self.block, 1, self.batch), 1.0)

    def run(self, rates: Sequence[float], pulls: Sequence[float]) -> None:
        """Take the first ``len(rates)`` steps of the loaded block.

        Args:
            rates: learning rate of each step, at most K of them.
            pulls: weight of the new weights in their running mean, for each step.
        """
        torch.add(self._ahead, self.moments.count, out=self._counts)
        self._advance(rates, pulls)
        self.moments.count.copy_(self._counts[len(rates) - 1])

    def _advance(self, rates: Sequence[float], pulls: Sequence[float]) -> None:
        if self._capture is None:
            for k, (rate, pull) in enumerate(zip(rates, pulls, strict=True)):
                self._step(k, rate, pull)
            return
        taken = len(rates)
        for place, values in ((self._rates, rates), (self._pulls, pulls)):
            sent = torch.tensor(values)
            place[:taken].copy_(sent.pin_memory() if place.is_cuda else sent, non_blocking=True)
        if taken == self.block:
            self._replay = self._replay or self._captured(self._capture)
            self._replay()
        else:
            self._steps(taken)

    def _steps(self, taken: int) -> None:
        for k in range(taken):
            self._step(k, self._rates[k], self._pulls[k])

    def _captured(self, capture: Capture) -> Replay:
        """The K steps as one replay. Making it leaves weights and moments as they were."""
        kept = [x.clone() for x in self._state()]
        replay = capture(lambda: self._steps(self.block), self.net.flat.device)
        for x, old in zip(self._state(), kept, strict=True):
            x.copy_(old)
        return replay

    def _state(self) -> tuple[Tensor, ...]:
        m = self.moments
        return self.net.flat, m.first, m.second, m.mean

    def _step(self, k: int, rate: float | Tensor, pull: float | Tensor) -> None:
        self.differentiate(k)
        weights, gradients, first, second = self._trained
        torch._fused_adamw_(  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]
            weights,
            gradients,
            first,
            second,
            [],
            self._count_views[k],
            lr=rate,
            beta1=BETA1,
            beta2=BETA2,
            weight_decay=WEIGHT_DECAY,
            eps=EPSILON,
            amsgrad=False,
            maximize=False,
        )
        self.moments.mean.lerp_(self.net.flat, pull)

    def differentiate(self, k: int) -> None:
        """Loss of batch k of the block, and its gradient, at the present weights.

        L = (1/B) Σ |f(x, t, c) − y|²; it is written to ``losses[k]`` and ``gradient``.
        """
        h, features, y, loss = self._step_views[k]
        for matrix, z, activation, out in self._forward:
            torch.mm(matrix, h, out=z)
            activation.apply()
            h = out
        matrix, z, error, flat_error = self._last
        torch.mm(matrix, h, out=z)
        torch.sub(z, y, out=error)
        error.mul_(1 / math.sqrt(self.batch))
        torch.dot(flat_error, flat_error, out=loss)
        error.mul_(2 / math.sqrt(self.batch))
        for error, below, gradient, back, slope, activation in self._backward:
            torch.mm(error, below, out=gradient)
            torch.mm(back, error, out=slope)
            activation.pull_back(slope)
        error, gradient = self._first
        torch.mm(error, features, out=gradient)


class _Silu:
    """H⁺ = silu(Z) and dZ = silu′(Z) ∘ dH in place, the slope from what the forward pass left.

    Args:
        z: the sums Z, read.
        out: H⁺, written; shape of Z.
        shared: ones, and room for a moment's work of any layer; shape (2, *shape of Z).
    """

    def __init__(self, z: Tensor, out: Tensor, shared: Tensor) -> None:
        self._z, self._out, self._gate = z, out, torch.empty_like(z)
        self._one, self._bend = shared

    def apply(self) -> None:
        """H⁺ from Z."""
        torch.sigmoid(self._z, out=self._gate)
        torch.mul(self._z, self._gate, out=self._out)

    def pull_back(self, slope: Tensor) -> None:
        """dZ from dH, in place: without a second exponential."""
        torch.lerp(self._out, self._one, self._gate, out=self._bend)
        slope.mul_(self._bend)


class _FusedSilu:
    """The same in one call each, which is what counts where a call costs more than its numbers."""

    def __init__(self, z: Tensor, out: Tensor) -> None:
        self._z, self._out = z, out

    def apply(self) -> None:
        """H⁺ from Z."""
        torch.ops.aten.silu.out(self._z, out=self._out)

    def pull_back(self, slope: Tensor) -> None:
        """dZ from dH, in place."""
        torch.ops.aten.silu_backward.grad_input(slope, self._z, grad_input=slope)


def _turns(net: Network) -> Tensor:
    """The angles of all waves as one matrix on [x; t; 1]; a cosine is a sine a quarter turn ahead."""
    f, g = net.space, net.time
    dim = f.shape[1]
    rows = torch.zeros(2 * (len(f) + len(g)), dim + 2, dtype=f.dtype, device=f.device)
    x, t = rows[: 2 * len(f)], rows[2 * len(f) :]
    x[:, :dim] = 2 * math.pi * torch.cat([f, f])
    x[:, -1:] = quarter_turns(len(f))
    t[:, dim] = 2 * math.pi * torch.cat([g, g])
    t[:, -1:] = quarter_turns(len(g))
    return rows
