"""The network: a multilayer perceptron on Fourier features of (x, t).

    φ(x, t, c) = [ x, t, sin 2πFx, cos 2πFx, sin 2πGt, cos 2πGt, one-hot c ]
    h₀ = φ,   h_l = silu(W_l h_{l−1} + β_l),   f(x, t, c) = W_L h_{L−1} + β_L

Frequencies F and G are drawn once and stay. The columns of W₁ that meet the one-hot class are a class
embedding added to the first hidden layer; class ``classes`` means "no class".
All weights live in one flat vector, layer by layer as the matrix [W β], so that a training step, the
optimizer and the running mean of the weights are each a few calls on one piece of memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

#: Frequencies of t beside those of x, and the spread of both, in cycles for each unit of x or t.
TIME_FREQUENCIES = 8
SPACE_SCALE = 0.3
TIME_SCALE = 1.0


@dataclass(frozen=True)
class Shape:
    """The sizes of a network.

    Args:
        dim: coordinates of a point, ≥ 1.
        width: hidden units of each layer, ≥ 1.
        depth: hidden layers, ≥ 1.
        fourier: frequencies of x, each giving a sine and a cosine; with 0, t has none either.
        classes: classes a conditional net knows; 0 for a net that is never told one.
    """

    dim: int = 2
    width: int = 128
    depth: int = 3
    fourier: int = 32
    classes: int = 0

    def __post_init__(self) -> None:
        for name, low in (("dim", 1), ("width", 1), ("depth", 1), ("fourier", 0), ("classes", 0)):
            if getattr(self, name) < low:
                raise ValueError(f"{name}: expected at least {low}; got {getattr(self, name)}.")

    @property
    def time_frequencies(self) -> int:
        """Frequencies of t."""
        return TIME_FREQUENCIES if self.fourier else 0

    @property
    def features(self) -> int:
        """Entries of φ(x, t, c)."""
        one_hot = self.classes + 1 if self.classes else 0
        return self.dim + 2 * self.fourier + 1 + 2 * self.time_frequencies + one_hot

    @property
    def layers(self) -> tuple[tuple[int, int], ...]:
        """(outputs, inputs) of every linear layer, first to last."""
        sizes = (self.features, *[self.width] * self.depth, self.dim)
        return tuple(zip(sizes[1:], sizes[:-1], strict=True))

    @property
    def weights(self) -> int:
        """Trained numbers."""
        return sum(outputs * (inputs + 1) for outputs, inputs in self.layers)


class Layer(nn.Module):
    """The weight W and bias β of one linear layer, as views of the network's matrix [W β]."""

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(matrix[:, :-1])
        self.bias = nn.Parameter(matrix[:, -1])

    def forward(self, h: Tensor) -> Tensor:
        """W h + β for rows h, shape (n, inputs)."""
        return functional.linear(h, self.weight, self.bias)


class Network(nn.Module):
    """f(x, t, c), an MLP on Fourier features, with its weights in one flat vector.

    Args:
        shape: the sizes.
        generator: draws frequencies and first weights, on its own device.
        dtype: of weights; float32 but for tests.

    Attributes:
        flat: all weights, shape (shape.weights,); the module's parameters are views of it.
        matrices: [W β] of each layer, views of ``flat`` of shape (outputs, inputs + 1).
        space, time: the frequencies F, shape (fourier, dim), and G, shape (time_frequencies,).
    """

    flat: Tensor
    space: Tensor
    time: Tensor

    def __init__(self, shape: Shape, generator: torch.Generator, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.shape = shape
        device = generator.device

        def normal(*size: int) -> Tensor:
            return torch.randn(*size, generator=generator, device=device).to(dtype)

        self.register_buffer("space", SPACE_SCALE * normal(shape.fourier, shape.dim))
        self.register_buffer("time", TIME_SCALE * normal(shape.time_frequencies))
        self.register_buffer("flat", torch.zeros(shape.weights, dtype=dtype, device=device), persistent=False)
        for matrix in views(self.flat, shape)[:-1]:
            # He's rule; the last layer starts at 0, so the first prediction is 0 everywhere.
            inputs = matrix.shape[1] - 1
            matrix[:, :-1] = normal(len(matrix), inputs) * math.sqrt(2 / inputs)
        self._tie()

    def _tie(self) -> None:
        """Make the module's parameters views of the flat vector."""
        self.matrices = views(self.flat, self.shape)
        self.layers = nn.ModuleList(Layer(matrix) for matrix in self.matrices)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Network:
        # Moving each parameter by itself would cut it from the flat vector.
        del recurse
        for name in ("flat", "space", "time"):
            self._buffers[name] = fn(getattr(self, name))
        self._tie()
        return self

    def with_weights(self, flat: Tensor) -> Network:
        """The same network around a copy of other weights, shape (shape.weights,)."""
        other = Network.__new__(Network)
        nn.Module.__init__(other)
        other.shape = self.shape
        other.register_buffer("space", self.space)
        other.register_buffer("time", self.time)
        other.register_buffer("flat", flat.detach().clone(), persistent=False)
        other._tie()
        return other

    def features(self, x: Tensor, t: Tensor, label: Tensor | int | None = None) -> Tensor:
        """φ(x, t, c), shape (n, shape.features).

        Args:
            x: points, shape (n, dim).
            t: times, shape () or (n,).
            label: class, a number or shape (n,), int64; None or ``shape.classes`` for no class.
        """
        t = t.to(x.dtype).expand(len(x))
        parts = [x, t[:, None], *waves(x @ self.space.T), *waves(t[:, None] * self.time)]
        if self.shape.classes:
            none = self.shape.classes
            index = torch.as_tensor(none if label is None else label, device=x.device).expand(len(x))
            parts.append(functional.one_hot(index, none + 1).to(x.dtype))
        return torch.cat(parts, 1)

    def forward(self, x: Tensor, t: Tensor, label: Tensor | int | None = None) -> Tensor:
        """f(x, t, c), shape (n, dim); arguments as :meth:`features`. Differentiable by autograd."""
        h = self.features(x, t, label)
        *hidden, last = self.layers
        for layer in hidden:
            h = functional.silu(layer(h))
        return last(h)


def waves(cycles: Tensor) -> tuple[Tensor, Tensor]:
    """sin and cos of 2π times the given numbers of cycles."""
    angle = 2 * math.pi * cycles
    return torch.sin(angle), torch.cos(angle)


def quarter_turns(frequencies: int) -> Tensor:
    """What turns sines into [sines; cosines]: 0 for the first half, π/2 for the second, as a column."""
    return torch.tensor([0.0, math.pi / 2], dtype=torch.float64).repeat_interleave(frequencies)[:, None]


def views(flat: Tensor, shape: Shape) -> list[Tensor]:
    """The matrices [W β] of a flat vector of weights, first layer first, as views of it."""

    def each() -> Iterator[Tensor]:
        start = 0
        for outputs, inputs in shape.layers:
            size = outputs * (inputs + 1)
            yield flat[start : start + size].view(outputs, inputs + 1)
            start += size

    return list(each())
