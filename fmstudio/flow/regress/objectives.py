"""Objectives: points of original paths, and what a net is asked to predict there.

A batch is (x_t, t, y): a point of one original path, its time, and the number the net regresses on,

    min over f of  E | f(x_t, t) − y |²,        attained by  f(x, t) = E[y | x_t = x].

The four targets y are the velocity v, the data point x₀, the noise x₁ ("eps") and the scaled conditional
score σ ∇ log q_t(x_t | x₀) with σ² = |b|² + γ². Their means are the velocity u, x̂₀, ε̂ and σ s, and
``flow.translate`` turns each into u. The score is asked for times σ because s itself grows like 1/σ;
with E|σ s_θ − σ s|² the weight of time t is σ², that of denoising score matching
(Song et al. 2021, arXiv:2011.13456, equation 7). The other three are unweighted.

A prediction other than v becomes a velocity by way of x̂₀, which is held inside the data's box
(``flow.bounds``): u = a′x̂₀ + b′(x − a x̂₀)/b and its like. Everything that uses the field uses this one.

Whatever y is, the loss splits, E|f − y|² = E|f − E[y|x_t]|² + E tr Var[y|x_t]: the last term is its floor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from fmstudio.flow.bounds import MOST_AMPLIFIED, Box
from fmstudio.flow.couplings.coupling import Coupling, FixedPairs, pair_batches
from fmstudio.flow.densities.density import Density
from fmstudio.flow.densities.mixture import GaussianMixture
from fmstudio.flow.formulas.readable import unreadable
from fmstudio.flow.oracle.oracle_for import Moments, Oracle
from fmstudio.flow.paths.path import Path, act, draw_like
from fmstudio.flow.regress.time_laws import TimeLaw
from fmstudio.flow.regress.translate import from_eps, from_score, from_v, from_x0

#: How far from an end the times stay where a coefficient's derivative is infinite at it.
END_GAP = 1e-3
#: How far from t = 0 a field stays where its translation to a velocity divides by σ = 0 there.
SINGULAR_GAP = 1e-2


@dataclass(frozen=True)
class Draw:
    """Points of original paths, n of them.

    Args:
        x0, x1: end points, shape (n, d).
        z: latent, shape (n, d), or None where the path has none.
        t: times, shape (n,).
        xt: x_t, shape (n, d).
        labels: class of each x0, shape (n,), or None.
    """

    x0: Tensor
    x1: Tensor
    z: Tensor | None
    t: Tensor
    xt: Tensor
    labels: Tensor | None


@dataclass(frozen=True)
class Target:
    """What the net predicts: y for one path, its mean, and the way from the prediction to a velocity.

    Args:
        name: for messages.
        sampled: (path, draw) -> y, shape (n, d).
        mean: (path, moments, t) -> E[y | x_t], shape (n, d).
        data_point: (path, prediction of y, x, t) -> the x̂₀ it stands for, shape (n, d); linear in y and x.
        divides: whether x̂₀ is found by a division by a, so that its error grows like σ/|a|.
        needs_normal: whether y is only defined for a N(0, I) source.
        label: its symbol, where that is not its name.
    """

    name: str
    sampled: Callable[[Path, Draw], Tensor]
    mean: Callable[[Path, Moments, Tensor], Tensor]
    data_point: Callable[[Path, Tensor, Tensor, Tensor], Tensor]
    divides: bool = False
    needs_normal: bool = False
    label: str = ""

    def velocity(self, path: Path, y: Tensor, x: Tensor, t: Tensor, box: Box | None = None) -> Tensor:
        """The velocity that a prediction of y stands for, with its x̂₀ held inside the box; shape (n, d).

        Args:
            path: whose a, b, γ give the names their meaning.
            y, x: prediction and place, shape (n, d).
            t: inside :meth:`times`, shape () or (n,).
            box: of the data; None leaves x̂₀ as it is.
        """
        if self is V:
            return y
        x0 = self.data_point(path, y, x, t)
        return from_x0(path, x0 if box is None else box.hold(x0), x, t).v

    def times(self, path: Path) -> tuple[float, float]:
        """The times [low, high] at which a net with this target answers with a velocity.

        Those of :func:`training_times` for v. The others stay ``SINGULAR_GAP`` away from t = 0, where σ = 0,
        and ε and score below the last time with σ ≤ ``MOST_AMPLIFIED`` |a| where a₁ = 0.
        """
        low, high = training_times(path)
        if self is not V:
            low = max(low, SINGULAR_GAP)
        if self.divides:
            high = min(high, _last_readable(path))
        return low, high


@lru_cache(maxsize=64)
def _last_readable(path: Path) -> float:
    """The last t, of 10,000, with σ ≤ ``MOST_AMPLIFIED`` |a| up to it; 1 where a₁ is not 0."""
    t = torch.linspace(0, 1, 10_001, dtype=torch.float64)
    c = path.at(t)
    if float(c.a[-1].abs()) > 1e-6:
        return 1.0
    hidden = (c.variance > (MOST_AMPLIFIED * c.a.abs()) ** 2).nonzero()
    return float(t[hidden[0] - 1]) if len(hidden) else 1.0


def _spread(path: Path, t: Tensor) -> Tensor:
    """σ of shape t's, with a coordinate axis where t has one entry for each point."""
    # In float64: σ² of a steep path is 0 in float32 long before σ is.
    sigma = path.at(t.double()).variance.sqrt().to(t)
    return sigma.unsqueeze(-1) if sigma.ndim else sigma


def _scaled_score(path: Path, draw: Draw) -> Tensor:
    # Not from x_t − a x₀, which loses every digit where σ is small.
    c = path.at(draw.t)
    noise = act(c.b, draw.x1)
    if draw.z is not None:
        noise = noise + act(c.gamma, draw.z)
    return -noise / _spread(path, draw.t)


V = Target(
    "v",
    lambda p, d: p.velocity(d.x0, d.x1, d.t, d.z),
    lambda p, m, t: m.u,
    lambda p, y, x, t: from_v(p, y, x, t).x0_hat,
)
X0 = Target(
    "x0",
    lambda p, d: d.x0,
    lambda p, m, t: m.x0_hat,
    lambda p, y, x, t: y,
    label="x₀",
)
EPS = Target(
    "eps",
    lambda p, d: d.x1,
    lambda p, m, t: m.eps_hat,
    lambda p, y, x, t: from_eps(p, y, x, t).x0_hat,
    divides=True,
    label="ε",
)
SCORE = Target(
    "score",
    _scaled_score,
    lambda p, m, t: _spread(p, t) * m.score,
    lambda p, y, x, t: from_score(p, y / _spread(p, t), x, t).x0_hat,
    divides=True,
    needs_normal=True,
)

TARGETS: dict[str, Target] = {target.name: target for target in (V, X0, EPS, SCORE)}
"""The targets to choose from, by the names that they have in JSON and in links."""


@lru_cache(maxsize=64)
def training_times(path: Path) -> tuple[float, float]:
    """The times [low, high] of a path that training uses: all, but for ``END_GAP`` at an infinite end.

    A latent's γ′ is infinite at both ends, and so is b′ of the variance-preserving path at t = 0. There one
    velocity has no finite variance, although its mean u has a limit; the loss would be infinite.
    """
    c = path.at(torch.tensor([0.0, 1.0], dtype=torch.float64))
    finite = torch.stack([x.abs().isfinite() for x in (c.da, c.db, c.dgamma)]).all(0).tolist()
    return 0.0 if finite[0] else END_GAP, 1.0 if finite[1] else 1 - END_GAP


def check_target(
    target: Target, path: Path, source: GaussianMixture, coupling: Coupling | FixedPairs
) -> None:
    """Refuse a target that does not determine the velocity, or is not determined by it.

    Where a b′ − a′b = 0 between the ends, v = (b′/b) x tells no other name, and from ε̂ and s it may be lost.
    x̂₀, ε̂ and s each determine u by two equations only: x = a x̂₀ + b ε̂ needs a path without a latent; with
    one, the missing equation is E[z | x, x₀], which is known for a N(0, I) source independent of x₀.

    Raises:
        ValueError: with the reason and what to choose instead.
    """
    if target.divides:
        inside = path.at(torch.linspace(0, 1, 1001, dtype=torch.float64)[1:-1]).a
        if not inside.is_complex() and bool((inside <= 0).any()):
            raise ValueError(
                f"{target.name} does not determine the velocity where a = 0, and this path's a is 0 or below "
                "between t = 0 and 1. Choose the target v or x0."
            )
    if target is V:
        return
    times = unreadable(path)
    if times:
        raise ValueError(
            f"On this path a b′ − a′b = 0 at {times}: there the velocity does not depend on x₀, so it and "
            f"{target.name} are not two names of one prediction. Choose the target v, or another path."
        )
    exact = source.is_standard_normal and coupling.independent
    if target.needs_normal and not exact:
        raise ValueError(
            "The score target needs x₁ ~ N(0, I) independent of x₀: otherwise −ε̂/b is not the score. "
            "Choose the target v, or a standard normal source and the independent coupling."
        )
    if path.has_latent and not exact:
        raise ValueError(
            f"With a latent, {target.name} determines the velocity only for independent x₀ and x₁ ~ N(0, I). "
            "Choose the target v, or a path without a latent."
        )


def draw_paths(
    path: Path,
    density: Density,
    source: GaussianMixture,
    coupling: Coupling | FixedPairs,
    law: TimeLaw,
    n: int,
    generator: torch.Generator,
    *,
    coupling_batch: int = 256,
    within_classes: bool = False,
    times: Tensor | None = None,
) -> Draw:
    """Draw n points of original paths.

    Args:
        path, density, source: the path, and what x₀ and x₁ are drawn from.
        coupling: who is paired with whom, in mini-batches of ``coupling_batch``. Given pairs (reflow)
            replace density and source, and have no classes.
        law: of the times.
        n: how many.
        generator: of every draw, on the density's device.
        coupling_batch: size of the mini-batches that a coupling which is not independent pairs.
        within_classes: whether such a coupling pairs each class by itself, as a conditional net needs: paired
            over all classes, the noise partners of one class are not N(0, I) any more.
        times: shape (n,), given instead of drawn from the law.

    Returns:
        A :class:`Draw` with times inside :func:`training_times`.
    """
    if isinstance(coupling, FixedPairs):
        x0, x1 = coupling.draw(n, generator)
        labels = None
    else:
        samples, normal_source = density.sample(n, generator), source.is_standard_normal
        x0, labels = samples.points, samples.labels
        # Coordinates one after the other in memory: what follows then runs along the n points, not along d.
        x0 = torch.stack(x0.unbind(1)).T
        # The same law as source.sample, without picking the one component n times.
        x1 = draw_like(x0.T, generator).T if normal_source else source.sample(n, generator).points
        if not coupling.independent:
            x0, x1, labels = pair_batches(coupling, x0, x1, labels, coupling_batch, within_classes, generator)
    t = law.sample(n, generator).to(x0) if times is None else times.to(x0)
    low, high = training_times(path)
    t = t.clamp(max(low, 1e-6), high)
    z = draw_like(x0.T, generator).T if path.has_latent else None
    return Draw(x0, x1, z, t, path.position(x0, x1, t, z), labels)


def regress_on(
    target: Target, path: Path, draw: Draw, oracle: Oracle | None, kept: Tensor | None = None
) -> Tensor:
    """The numbers y of a batch: sampled, or the oracle's mean ("closed-form mean").

    Both have the same minimiser; the mean has no variance left: Wu & Lizarraga, About Flow Matching, 2024,
    section 1.

    Args:
        target, path, draw: what is asked for, and where.
        oracle: gives E[y | x_t]; None for the sampled y. Only right for an independent coupling.
        kept: for a conditional net, shape (n,): whether it is told the class. The mean is then that of the
            class, elsewhere that of the whole density.

    Returns:
        Shape (n, d).
    """
    if oracle is None:
        return target.sampled(path, draw)
    y = torch.empty_like(draw.xt)
    asked = None if kept is None or draw.labels is None else torch.where(kept, draw.labels, -1)
    for rows, moments in moments_by_class(oracle, draw.xt, draw.t, asked):
        y[rows] = target.mean(path, moments, draw.t[rows])
    return y


def moments_by_class(
    oracle: Oracle, x: Tensor, t: Tensor, asked: Tensor | None
) -> Iterator[tuple[slice | Tensor, Moments]]:
    """The oracle's moments, class by class, each with the rows that it answers.

    Args:
        oracle: of all data.
        x: points, shape (n, d).
        t: times, shape (n,).
        asked: class of each row, shape (n,), −1 for the whole density; None: the whole density for all.
    """
    for label in [-1] if asked is None else asked.unique().tolist():
        rows = slice(None) if asked is None else asked == label
        yield rows, (oracle if label < 0 else oracle.given(label)).moments(x[rows], t[rows])
