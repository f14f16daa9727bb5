"""A trained net as a velocity field, with the path and target that give its numbers their meaning.

Sampling asks for one time and many points. Everything that depends on t alone (its features, the class)
is then part of the first layer's bias, computed once for each call, and the points go through the layers
in chunks that stay in the cache of the one core that works on them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor
from torch.nn import functional

from fmstudio.device import one_core
from fmstudio.flow.bounds import Box
from fmstudio.flow.paths.path import Path
from fmstudio.flow.regress.objectives import Target, V, training_times
from fmstudio.flow.regress.translate import from_x0
from fmstudio.learn.nets.networks import Network, quarter_turns, waves

#: Points that pass through the layers together: at most so many, and on a CPU no more than leave one layer's
#: numbers in the cache of a core.
CHUNK = 65_536
CHUNK_ON_CPU = 1024
CACHED_NUMBERS = 2**17


@dataclass(frozen=True)
class NetField:
    """The marginal velocity u(x, t) that a net has learned.

    The net works on the device of its weights; answers are on the device, and in the dtype, of the points.
    Where the translation from the net's target to a velocity is singular or multiplies the net's error too
    much, near an end of [0, 1], the field answers with the nearest time at which it is not (``times``).
    The x̂₀ of a net that predicts another thing than v is held inside the data's box; ``divergence`` is of
    this field, so a likelihood is that of the particles that are sampled.

    Args:
        network: f(x, t, c), its weights not trained any more.
        path: of the particles that it was trained on.
        target: what it predicts.
        box: of the data; None holds x̂₀ nowhere.
        label: the class it is told: a number, shape (n,) for one class a row (each call must then bring
            these n rows), or None for none.
        products: dtype of the hidden layers' products in a call. bfloat16 halves the time of a wide net where
            the processor has it, with errors near 1e-2 of a velocity, which mostly cancel along a path: for
            100 Euler steps they are below those of the steps. The divergence stays with the weights' dtype.

    Attributes:
        classes: number of classes it knows; 0 for a net that is never told one.
    """

    network: Network
    path: Path
    target: Target
    box: Box | None = None
    label: int | Tensor | None = None
    products: torch.dtype = torch.float32
    _parts: tuple[Tensor, ...] = field(init=False, repr=False, compare=False)
    _hidden: tuple[tuple[Tensor, Tensor], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.products not in (torch.float32, torch.bfloat16):
            raise ValueError(f"Expected products in float32 or bfloat16; got {self.products}.")
        known = self.network.shape.classes
        if self.label is not None:
            low, high = int(torch.as_tensor(self.label).min()), int(torch.as_tensor(self.label).max())
            # For each row it may be "none", which is class ``classes``.
            last = known if isinstance(self.label, Tensor) else known - 1
            if low < 0 or high > last or not known:
                raise ValueError(
                    f"Expected a class in [0, {known - 1}]; got {low if low < 0 else high}."
                    if known
                    else "This net was trained without classes; train a conditional one to ask for a class."
                )
        net, shape = self.network, self.network.shape
        first = net.matrices[0]
        raw, f2, g2 = shape.dim + 1, 2 * shape.fourier, 2 * shape.time_frequencies
        parts = (
            first[:, : shape.dim],
            first[:, raw : raw + f2],
            torch.cat([first[:, shape.dim : raw], first[:, raw + f2 : raw + f2 + g2]], 1),
            first[:, raw + f2 + g2 : -1],
            first[:, -1:],
            2 * math.pi * torch.cat([net.space, net.space]),
            quarter_turns(len(net.space)).to(first),
        )
        object.__setattr__(self, "_parts", tuple(part.detach().contiguous() for part in parts))
        split = [(matrix[:, -1:], matrix[:, :-1]) for matrix in net.matrices[1:]]
        if self.products == torch.bfloat16:
            split[:-1] = [(bias.bfloat16(), weight.bfloat16()) for bias, weight in split[:-1]]
        object.__setattr__(self, "_hidden", tuple(split))

    @property
    def classes(self) -> int:
        """Number of classes the net knows."""
        return self.network.shape.classes

    @property
    def times(self) -> tuple[float, float]:
        """The times at which the answer is the net's own; outside, the nearest of them stands in."""
        return self.target.times(self.path)

    def given(self, label: int | Tensor | None) -> NetField:
        """The field of one class, of one class for each row, or of all classes (None).

        Raises:
            ValueError: the net does not know the class.
        """
        return replace(self, label=label)

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        """u(x, t), shape (n, dim), for x of shape (n, dim) and t of shape () or (n,).

        Differentiable in x by autograd and by forward-mode derivatives.
        """
        t = self._inside(t)
        y = self._predict(x, t)
        return self.target.velocity(self.path, y, x, t, self.box)

    def predict(self, x: Tensor, t: Tensor) -> Tensor:
        """The net's own output, an estimate of E[y | x_t = x] for its target y, shape (n, dim)."""
        return self._predict(x, torch.as_tensor(t).clamp(*training_times(self.path)))

    def _inside(self, t: Tensor) -> Tensor:
        low, high = self.times
        return torch.as_tensor(t).clamp(low, high)

    def _predict(self, x: Tensor, t: Tensor) -> Tensor:
        with one_core():
            outputs = [self._columns(rows.T, bias) for rows, bias in self._chunks(x, t)]
        return (torch.cat(outputs, 1) if len(outputs) > 1 else outputs[0]).T.contiguous().to(x)

    @property
    def _chunk(self) -> int:
        if self.network.flat.device.type != "cpu":
            return CHUNK
        return max(64, min(CHUNK_ON_CPU, CACHED_NUMBERS // self.network.shape.width))

    def _chunks(self, x: Tensor, t: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Rows of x, and the first layer's bias for them, shape (width, 1) or (width, rows)."""
        bias, rows = self._bias(t, len(x)), x.to(self.network.flat)
        for start in range(0, max(len(x), 1), self._chunk):
            part = slice(start, start + self._chunk)
            yield rows[part], bias if bias.shape[1] == 1 else bias[:, part]

    def _bias(self, t: Tensor, n: int) -> Tensor:
        """All that the first layer adds apart from x: W_t φ(t) + W_c + β."""
        of_time, of_class, constant = self._parts[2:5]
        t = t.to(constant).reshape(1, -1)
        wave = waves(self.network.time[:, None] * t)
        bias = of_time @ torch.cat([t, *wave]) + constant
        if self.classes:
            told = self.classes if self.label is None else self.label
            index = torch.as_tensor(told, device=bias.device).reshape(-1)
            if len(index) not in (1, n):
                raise ValueError(f"This field has one class for each of {len(index)} rows; got {n} rows.")
            bias = bias + of_class[:, index]
        return bias

    def _columns(self, x: Tensor, bias: Tensor) -> Tensor:
        """f for particles as columns, (dim, n) to (dim, n)."""
        raw, wave, _, _, _, turns, offset = self._parts
        h = torch.addmm(bias, raw, x)
        if len(turns):
            h = h.addmm(wave, torch.sin(torch.addmm(offset, turns, x)))
        *hidden, (bias, weight) = self._hidden
        for beta, matrix in hidden:
            h = torch.addmm(beta, matrix, functional.silu(h.to(matrix.dtype)))
        return torch.addmm(bias, weight, functional.silu(h).to(weight.dtype))

    def velocity_and_divergence(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """u(x, t) and div u(x, t) = Σ_i ∂u_i/∂x_i, exactly, in one pass.

        The dim tangents of the points go through the layers beside them. For another target than v they then
        pass through x̂₀, linear in the prediction and the point, through the box, which stops those that
        leave it, and through u, linear in x̂₀ and the point.

        Args:
            x: shape (n, dim).
            t: shape () or (n,).

        Returns:
            Shapes (n, dim) and (n,).
        """
        t = self._inside(t)
        with torch.no_grad(), one_core():
            values, slopes = zip(*(self._tangents(r.T, b) for r, b in self._chunks(x, t)), strict=True)
            y = torch.cat(values, 1).T.contiguous().to(x)
            jacobian = torch.cat(slopes, 2).permute(2, 0, 1).to(x)
            if self.target is V:
                return y, jacobian.diagonal(dim1=1, dim2=2).sum(1)
            x0, divergence = self.target.data_point(self.path, y, x, t), x.new_zeros(len(x))
            for i, unit in enumerate(torch.eye(x.shape[1], dtype=x.dtype, device=x.device)):
                unit = unit.expand_as(x)
                along = self.target.data_point(self.path, jacobian[:, :, i], unit, t)
                if self.box is not None:
                    along = along * self.box.holds(x0)
                divergence += from_x0(self.path, along, unit, t).v[:, i]
            return self.target.velocity(self.path, y, x, t, self.box), divergence

    def divergence(self, x: Tensor, t: Tensor) -> Tensor:
        """div u(x, t), shape (n,); see :meth:`velocity_and_divergence`."""
        return self.velocity_and_divergence(x, t)[1]

    def _tangents(self, x: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """f and ∂f/∂x for columns x (dim, n): shapes (dim, n) and (dim, dim, n), rows f, columns x."""
        raw, wave, _, _, _, turns, offset = self._parts
        dim, n = x.shape
        h = torch.addmm(bias, raw, x)
        slope = raw[:, :, None].expand(-1, -1, n)
        if len(turns):
            angle = torch.addmm(offset, turns, x)
            h = h.addmm(wave, torch.sin(angle))
            waving = turns[:, :, None] * torch.cos(angle)[:, None]
            slope = slope + (wave @ waving.flatten(1)).view(-1, dim, n)
        # One product for values and tangents; silu′ meets each tangent in one pass.
        joint = torch.cat([h[:, None], slope], 1)
        for matrix in self.network.matrices[1:]:
            h = joint[:, :1]
            torch.ops.aten.silu_backward.grad_input(joint[:, 1:], h, grad_input=joint[:, 1:])
            functional.silu(h, inplace=True)
            joint = (matrix[:, :-1] @ joint.flatten(1)).view(-1, dim + 1, n)
            joint[:, 0] += matrix[:, -1:]
        return joint[:, 0], joint[:, 1:]
