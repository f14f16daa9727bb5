"""The oracle of a cloud of points: posterior weights by softmax attention, memory O(N + n).

Given the source component k, x_t is Gaussian around A x₀⁽ⁱ⁾ + B m_k with C_k = B Σ_k Bᵀ + γ² I, so with
y = x − B m_k

    w_ik(x, t) ∝ p_k N(y; A x₀⁽ⁱ⁾, C_k),        log w_ik = (Aᵀ C_k⁻¹ y) · x₀ − ½ x₀ᵀ (Aᵀ C_k⁻¹ A) x₀ + const:

attention with a query for (x, t, k) and the features of the points as keys and values. It returns the mean
and covariance of x₀ given (x, k), and all answers are linear in them:

    u_k = A′x̂₀ + B′m_k + G_k r̂,    G_k = (B′Σ_k Bᵀ + γγ′I) C_k⁻¹,    r̂ = y − A x̂₀,    s_k = −C_k⁻¹ r̂
    var_k = tr Var[b′x₁ + γ′z | x, x₀] + tr H_k Cov[x₀] H_kᵀ,         H_k = A′ − G_k A.

Where σ is small the expanded square loses digits. Rows are therefore sorted by how large log w can be: the
mildest go through float32 attention (the velocity only), most through float64 attention, and the extreme
ones through float64 differences x − A x₀⁽ⁱ⁾, as do all rows when a gradient is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from fmstudio.flow import attention
from fmstudio.flow.densities import GaussianMixture, PointCloud
from fmstudio.flow.paths import Path, draw_like
from fmstudio.flow.posterior import (
    Ends,
    Maps,
    Oracle,
    Parts,
    categories,
    inverse,
    maps,
    noise_law,
    pick,
    times_for,
    trace,
    turn,
)

#: Largest term of log w for which float32 keeps the velocity's relative error below 1e-3.
FLOAT32_REACH = 5e2
#: The same for float64 and the moments.
FLOAT64_REACH = 1e10
#: Pairs (row, component, point) held at once where weights are written out.
PAIRS = 1 << 21


@dataclass(frozen=True, eq=False)
class EmpiricalOracle(Oracle):
    """Exact answers for x₀ drawn from N points with weight 1/N each.

    As t → 0 the posterior tends to the nearest point. At t = 0 itself x is taken as that point and x₁, z
    as still unknown: u = a′x₀ + b′E[x₁], which a solver can use, where the limit at fixed x away from the
    points would be infinite. There is no density and no score at t = 0.

    Args:
        path: of the particles.
        cloud: the points x₀⁽ⁱ⁾, up to some 100,000.
        source: the law of x₁, a Gaussian mixture of K components; the cost grows with K.

    Raises:
        ValueError: cloud and source of different dimensions.
    """

    path: Path
    cloud: PointCloud
    source: GaussianMixture
    _centre: Tensor = field(init=False, repr=False)
    _points: Tensor = field(init=False, repr=False)
    _keys: dict[torch.dtype, Tensor] = field(init=False, repr=False)
    _reach: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.cloud.dim != self.source.dim:
            raise ValueError(
                f"Data and source need one dimension; got {self.cloud.dim} and {self.source.dim}."
            )
        points = self.cloud.points.double()
        centre = points.mean(0)
        keys = attention.features(points - centre)
        object.__setattr__(self, "_centre", centre)
        object.__setattr__(self, "_points", points - centre)
        object.__setattr__(self, "_keys", {torch.float64: keys, torch.float32: keys.float()})
        object.__setattr__(self, "_reach", float((points - centre).norm(dim=1).max()))

    def given(self, label: int) -> EmpiricalOracle:
        """The oracle of the points of one class."""
        return EmpiricalOracle(self.path, self.cloud.given(label), self.source)

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        """u(x, t), shape (n, d); in float32 where that is accurate to 1e-3."""
        parts = self._parts(x, t, fast=True)
        return parts.mean(parts.u).to(x.dtype)

    def parts(self, x: Tensor, t: Tensor) -> Parts:
        """The answers given each of the K source components."""
        return self._parts(x, t, fast=False)

    def weights(self, x: Tensor, t: Tensor) -> Tensor:
        """w(x₀⁽ⁱ⁾ | x, t), shape (n, N), from float64 differences; memory O(n N K)."""
        law = _Law(self, x, times_for(t, x))
        return torch.softmax(law.log_pairs().flatten(1), -1).unflatten(1, (-1, len(self.cloud))).sum(1)

    def draw(self, x: Tensor, t: Tensor, count: int, generator: torch.Generator) -> Ends:
        """Draw (point, source component) from their weights, then x₁ and z from their Gaussian given x.

        At t = 0 every path through x starts at the nearest point; x₁ and z are drawn from their laws.
        """
        with torch.no_grad():
            times = times_for(t, x)
            index = torch.cat(
                [categories(law.pair_probabilities(), count, generator) for law in self._blocks(x, times)]
            )
            point, k = index % len(self.cloud), index // len(self.cloud)
            m = maps(self.path, times, x.shape[1], exact_position=True)
            means, factors, covariances = (
                v.to(x.device, torch.float64)
                for v in (self.source.means, self.source.factors, self.source.covariances)
            )
            x0 = (self._points + self._centre)[point]
            x1 = means[k] + turn(factors[k], draw_like(x0, generator))
            z = draw_like(x0, generator)
            noise = noise_law(m, covariances)[0]
            inside = (trace(noise) > 0)[..., None, None]
            eye = torch.eye(x.shape[1], dtype=noise.dtype, device=x.device)
            gain = torch.where(inside, inverse(torch.where(inside, noise, eye))[0], 0.0)
            miss = x.double()[:, None] - turn(m.a, x0) - turn(m.b, x1) - m.gamma[..., None] * z
            pull = turn(pick(gain, k), miss)
            x1 = x1 + turn(covariances[k] @ m.b.mT, pull)
            z = z + m.gamma[..., None] * pull
            return Ends(x0.to(x), x1.to(x), z.to(x) if self.path.has_latent else None)

    def _parts(self, x: Tensor, t: Tensor, fast: bool) -> Parts:
        times = times_for(t, x)
        at_data = self.path.at(times).variance == 0
        if bool(at_data.all()):
            return self._parts_at_data(x, times)
        if not bool(at_data.any()):
            return self._parts_inside(x, times, fast)
        inside = ~at_data
        return _join(
            at_data,
            self._parts_at_data(x[at_data], times[at_data]),
            self._parts_inside(x[inside], times[inside], fast),
        )

    def _parts_inside(self, x: Tensor, times: Tensor, fast: bool) -> Parts:
        law = _Law(self, x, times)
        if torch.is_grad_enabled() and x.requires_grad:
            lse, first, cov = law.by_differences()
        else:
            with torch.no_grad():
                lse, first, cov = law.attend(fast)
        m, d = law.maps, x.shape[1]
        r = law.y - turn(m.a, first)
        pull = turn(law.precision, r)
        gain = law.cross @ law.precision
        lean = m.da - gain @ m.a
        within = torch.zeros_like(law.spread)
        if self.path.has_latent:
            within = (law.spread - trace(gain @ law.cross.mT)).clamp(min=0)
        within = torch.where(m.endless[:, None], torch.inf, within)
        x0 = first + self._centre
        return Parts(
            log_weight=lse + law.constant,
            x0=x0,
            x1=law.means + turn(law.covariances @ m.b.mT, pull),
            u=turn(m.da, x0) + turn(m.db, law.means[None]) + turn(gain, r),
            score=-pull,
            var=within + trace(lean @ cov @ lean.mT).clamp(min=0),
            jacobian=(gain + lean @ cov @ m.a.mT @ law.precision).expand(len(x), -1, d, d),
        )

    def _parts_at_data(self, x: Tensor, times: Tensor) -> Parts:
        """The limit σ = 0: x is its nearest point, the source keeps its own law."""
        m = maps(self.path, times, x.shape[1])
        means = self.source.means.to(x.device, torch.float64)
        log_prior = self.source.weights.double().log().to(x.device)
        spread = noise_law(m, self.source.covariances.to(means))[2]
        x0 = torch.cat(
            [self._points[law.log_pairs()[:, 0].argmax(-1)] + self._centre for law in self._blocks(x, times)]
        )[:, None]
        shape = (len(x), len(means), x.shape[1])
        name = type(self.path).__name__
        return Parts(
            log_weight=log_prior.expand(shape[:2]),
            x0=x0.expand(shape),
            x1=means.expand(shape),
            u=turn(m.da, x0) + turn(m.db, means[None]),
            score=torch.zeros(shape, dtype=torch.float64, device=x.device),
            var=torch.where(m.endless[:, None], torch.inf, spread).expand(shape[:2]),
            jacobian=torch.zeros(*shape, x.shape[1], dtype=torch.float64, device=x.device),
            refusal=f"{name} path has no score at t = 0 for a cloud of points (b = 0); got t = 0.0. "
            "Use t ≥ 1e-3.",
        )

    def _blocks(self, x: Tensor, times: Tensor) -> Iterator[_Law]:
        """The law of blocks of rows, small enough to write out all pairs."""
        rows = max(1, PAIRS // (len(self.cloud) * len(self.source.means)))
        for start in range(0, len(x), rows):
            part = slice(start, start + rows)
            yield _Law(self, x[part], times if len(times) == 1 else times[part])


class _Law:
    """x_t given (x₀, k) at n rows: what a query needs. Shapes (n or 1, K, ...) unless said otherwise."""

    def __init__(self, oracle: EmpiricalOracle, x: Tensor, times: Tensor) -> None:
        self.oracle = oracle
        source = oracle.source
        self.means, self.covariances = (
            v.to(x.device, torch.float64) for v in (source.means, source.covariances)
        )
        self.maps: Maps = maps(oracle.path, times, x.shape[1], exact_position=True)
        m = self.maps
        noise, self.cross, self.spread = noise_law(m, self.covariances)
        # At σ = 0 only the nearest point matters: distances in any unit.
        still = (trace(noise) == 0)[..., None, None]
        eye = torch.eye(x.shape[1], dtype=torch.float64, device=x.device)
        self.precision, log_det = inverse(torch.where(still, eye, noise))
        self.y = x.double()[:, None] - turn(m.a, oracle._centre[None, None]) - turn(m.b, self.means[None])
        prior = source.weights.double().log().to(x.device) - math.log(len(oracle.cloud))
        self.constant = prior - (log_det + x.shape[1] * math.log(2 * math.pi)) / 2

    def log_pairs(self) -> Tensor:
        """log of p_k/N × N(x; A x₀⁽ⁱ⁾ + B m_k, C_k), shape (n, K, N), from differences."""
        lower = torch.linalg.cholesky(self.precision)
        whiten = lower.mT
        y, points = turn(whiten, self.y), (whiten @ self.maps.a) @ self.oracle._points.mT
        distance = torch.zeros((), dtype=torch.float64, device=y.device)
        for axis in range(y.shape[-1]):
            distance = distance + (y[..., axis, None] - points[..., axis, :]).square()
        return self.constant[..., None] - distance / 2

    def pair_probabilities(self) -> Tensor:
        """Weights of all pairs, (n, K·N), not normalised; largest 1."""
        log = self.log_pairs().flatten(1)
        return (log - log.amax(-1, keepdim=True)).exp_()

    def by_differences(self) -> tuple[Tensor, Tensor, Tensor]:
        """log Σ_i, E[x₀ | x, k] and Cov[x₀ | x, k] with all pairs written out; differentiable."""
        log = self.log_pairs() - self.constant[..., None]
        weight, points = torch.softmax(log, -1), self.oracle._points
        first = weight @ points
        dim = points.shape[1]
        # Σ w (x₀ − x̂₀)(x₀ − x̂₀)ᵀ, entry by entry: the differences keep every digit.
        off = [points[:, i] - first[..., i, None] for i in range(dim)]
        cov = torch.stack([(weight * off[i] * off[j]).sum(-1) for i in range(dim) for j in range(dim)], -1)
        return torch.logsumexp(log, -1), first, cov.unflatten(-1, (dim, dim))

    def attend(self, fast: bool) -> tuple[Tensor, Tensor, Tensor]:
        """The same without writing out pairs, each row at the precision that it needs."""
        oracle, m = self.oracle, self.maps
        linear = turn(m.a.mT @ self.precision, self.y)
        quadratic = -(m.a.mT @ self.precision @ m.a) / 2
        base = -(self.y * turn(self.precision, self.y)).sum(-1) / 2
        reach = oracle._reach
        size = (linear.norm(dim=-1) * reach + quadratic.norm(dim=(-2, -1)) * reach**2).amax(-1)
        single = (size < FLOAT32_REACH) if fast else torch.zeros_like(size, dtype=torch.bool)
        extreme = size > FLOAT64_REACH
        tiers: list[tuple[Tensor, Callable[[Tensor], Tensor]]] = [
            (single, lambda q: q.float()),
            (~(single | extreme), lambda q: q),
        ]
        n, count, dim = self.y.shape
        keys = oracle._keys
        width = keys[torch.float64].shape[1]
        queries = attention.query(linear, quadratic, width).transpose(0, 1)
        lse = linear.new_empty(n, count)
        mean = linear.new_empty(n, count, width)
        for rows, cast in tiers:
            if bool(rows.any()):
                q = cast(queries if bool(rows.all()) else queries[:, rows])
                part_lse, part_mean = attention.attend(q, keys[q.dtype])
                lse[rows], mean[rows] = part_lse.T.double(), part_mean.transpose(0, 1).double()
        first, cov = attention.moments_of(mean, dim)
        lse = lse + base
        if bool(extreme.any()):
            lse[extreme], first[extreme], cov[extreme] = self._far(extreme)
        return lse, first, cov

    def _far(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """:meth:`by_differences` for some rows, in blocks."""
        index = rows.nonzero().squeeze(1)
        size = max(1, PAIRS // (self.y.shape[1] * len(self.oracle._points)))
        blocks = [self._rows(part).by_differences() for part in index.split(size)]
        lse, first, cov = (torch.cat(column) for column in zip(*blocks, strict=True))
        return lse, first, cov

    def _rows(self, index: Tensor) -> _Law:
        """The law at some of the rows."""
        part = object.__new__(_Law)
        part.__dict__.update(self.__dict__)
        take = [(name, getattr(self, name)) for name in ("precision", "constant")]
        for name, value in take:
            setattr(part, name, value if len(value) == 1 else value[index])
        part.y = self.y[index]
        m = self.maps
        if len(m.a) > 1:
            part.maps = Maps(*(getattr(m, f)[index] for f in m.__dataclass_fields__))
        return part


def _join(first_rows: Tensor, first: Parts, rest: Parts) -> Parts:
    """Rows of two answers, put back in their order; a refusal of either holds."""
    columns = []
    n = len(first_rows)
    for name in ("log_weight", "x0", "x1", "u", "score", "var", "jacobian"):
        p, q = getattr(first, name), getattr(rest, name)
        p, q = (
            p.expand(int(first_rows.sum()), *p.shape[1:]),
            q.expand(n - int(first_rows.sum()), *q.shape[1:]),
        )
        out = q.new_empty(n, *q.shape[1:]).index_put((first_rows,), p)
        columns.append(out.index_put((~first_rows,), q))
    return Parts(*columns, refusal=first.refusal)
