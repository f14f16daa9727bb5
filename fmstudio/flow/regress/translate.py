"""Four names for one prediction: v, x̂₀, ε̂ and the score translate into each other.

Everything is linear in the residual of the data point, with σ² = |b|² + γ² (b* is the conjugate of b):

    r = x − a x̂₀        ε̂ = (b*/σ²) r        s = −r/σ²        v = a′x̂₀ + ((b′b* + γγ′)/σ²) r

so any one of the four gives the others. Without a latent this is the 2×2 system

    x = a x̂₀ + b ε̂,     v = a′x̂₀ + b′ε̂        with D = a b′ − a′b:
    x̂₀ = (b′x − b v)/D,      ε̂ = (a v − a′x)/D                                      (:func:`solve`)

which holds for any source; the score, and all of it with a latent, need x₁ ~ N(0, I) independent of x₀, which
is not checked here.

Where D = 0 the velocity does not tell x̂₀: then v = (b′/b) x. At an end the other names still have limits:
ε̂ = x/b and s = −x/b² at t = 1, where a = 0, and x̂₀ = x/a at t = 0, where b = 0. Between the ends nothing
does (``flow.readable``).

Flow matching is v-prediction (Salimans & Ho 2022, arXiv:2202.00512, appendix D); with their spherical path
v = (π/2)(a ε − b x₀). Theirs runs the same way in t; code with t ↦ 1 − t has v ↦ −v.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from fmstudio.flow.oracle.linear_gaussian import conjugate
from fmstudio.flow.paths.path import Coefficients, Path, act

#: A determinant smaller than this share of its two terms counts as zero.
ROUNDING = 1e-12
#: Stands for an infinite b′.
STEEP = 1e150


@dataclass(frozen=True, eq=False)
class Prediction:
    """One prediction under its four names, each of shape (n, d).

    Args:
        v: of the velocity E[v | x_t].
        refusals: why one of the other names cannot be read, by its name in an experiment.
    """

    _x0_hat: Tensor = field(repr=False)
    _eps_hat: Tensor = field(repr=False)
    v: Tensor
    _score: Tensor = field(repr=False)
    refusals: Mapping[str, str] = field(default_factory=dict)

    @property
    def x0_hat(self) -> Tensor:
        """Of E[x₀ | x_t].

        Raises:
            ValueError: read from a velocity at t = 1, where D = 0.
        """
        return self._known("x0", self._x0_hat)

    @property
    def eps_hat(self) -> Tensor:
        """Of E[x₁ | x_t].

        Raises:
            ValueError: read from a velocity at t = 0, where D = 0.
        """
        return self._known("eps", self._eps_hat)

    @property
    def score(self) -> Tensor:
        """Of ∇ log q_t(x).

        Raises:
            ValueError: at t = 0, where σ = 0.
        """
        return self._known("score", self._score)

    def _known(self, name: str, value: Tensor) -> Tensor:
        if name in self.refusals:
            raise ValueError(self.refusals[name])
        return value


def from_v(path: Path, v: Tensor, x: Tensor, t: Tensor) -> Prediction:
    """x̂₀ = ((b′b* + γγ′) x − σ² v) / ((b′b* + γγ′) a − a′σ²), which is (b′x − b v)/D without a latent.

    At an end where D is 0 or infinite the other names are their limits: ε̂ = (b*/σ²) x and s = −x/σ² at
    t = 1 (a = 0), x̂₀ = x/a at t = 0 (σ = 0). The name that has none refuses to be read.

    Args:
        path: a, b, γ.
        v: predicted velocity, shape (n, d).
        x: the points x_t, shape (n, d).
        t: times in [0, 1], shape () or (n,).

    Returns:
        The four predictions.

    Raises:
        ValueError: D = 0 at a time between the ends.

    Limits: the error of v reaches x̂₀ times |b/D| and ε̂ times |a/D|.
    """
    c = _coefficients(path, t)
    d = _determinant(path, c)
    no_x0, no_eps = (d == 0) & (c.a == 0), (d == 0) & (c.variance == 0)
    # Any slope but 0 gives the name that does not depend on it; an infinite one is a very steep one.
    da = torch.where(no_x0, -torch.ones_like(c.da), c.da)
    db = torch.where(no_eps, torch.ones_like(c.db), c.db)
    c = replace(c, da=da, db=torch.where(db.isinf(), torch.full_like(db, STEEP), db))
    d = _determinant(path, c)
    _check(path, d, t, "conversion from the velocity", _because(path))
    x0 = x0_solved(path, c, d, v, x)
    eps = _noise(path, c, x0, x, t) if path.has_latent else applied(c.a / d, v) - applied(c.da / d, x)
    refusals = {
        name: _refusal(path, lost, t, f"{symbol} that can be read from the velocity", f"{_because(path)} 0")
        for name, symbol, lost in (("x0", "x̂₀", no_x0), ("eps", "ε̂", no_eps))
        if bool(lost.any())
    }
    return _completed(path, x0, eps, v, x, t, refusals)


def x0_solved(path: Path, c: Coefficients, d: Tensor, v: Tensor, x: Tensor) -> Tensor:
    """x̂₀ of :func:`from_v` by its denominator d, shape (n, d)."""
    one, other = (_mixed(c), c.variance) if path.has_latent else (c.db, c.b)
    return applied(one / d, x) - applied(other / d, v)


def from_x0(path: Path, x0_hat: Tensor, x: Tensor, t: Tensor) -> Prediction:
    """ε̂ = (b*/σ²)(x − a x̂₀), v = a′x̂₀ + ((b′b* + γγ′)/σ²)(x − a x̂₀).

    Args, returns: as :func:`from_v`, with x̂₀ of shape (n, d).

    Raises:
        ValueError: t = 0, where σ = 0.

    Limits: the error of x̂₀ reaches ε̂ times |a|/σ.
    """
    eps = _noise(path, _coefficients(path, t), x0_hat, x, t)
    return _completed(path, x0_hat, eps, v_from_x0(path, x0_hat, x, t), x, t, {})


def v_from_x0(path: Path, x0_hat: Tensor, x: Tensor, t: Tensor) -> Tensor:
    """The velocity of an x̂₀: v = a′x̂₀ + ((b′b* + γγ′)/σ²)(x − a x̂₀).

    Args, raises: as :func:`from_x0`; shape (n, d).
    """
    c = _coefficients(path, t)
    _check(path, c.variance, t, "conversion from x̂₀", "σ² is")
    return applied(c.da, x0_hat) + applied(_mixed(c) / c.variance, x - applied(c.a, x0_hat))


def from_eps(path: Path, eps_hat: Tensor, x: Tensor, t: Tensor) -> Prediction:
    """x̂₀ = (x − (σ²/b*) ε̂)/a, which is (x − b ε̂)/a without a latent; v = a′x̂₀ + b′ε̂ then.

    Args, returns: as :func:`from_v`, with ε̂ of shape (n, d).

    Raises:
        ValueError: t = 1 where a₁ = 0; t = 0 with a latent or b′ = inf.

    Limits: the error of ε̂ reaches x̂₀ times σ²/|a b|.
    """
    x0, c = x0_from_eps(path, eps_hat, x, t), _coefficients(path, t)
    # With b* = |b|²/b: r = σ² ε̂/b* and (b′b* + γγ′) r/σ² = (b′ + γγ′/b*) ε̂.
    slope = c.db + c.gamma_dgamma / conjugate(c.b) if path.has_latent else c.db
    return _completed(path, x0, eps_hat, applied(c.da, x0) + applied(slope, eps_hat), x, t, {})


def x0_from_eps(path: Path, eps_hat: Tensor, x: Tensor, t: Tensor) -> Tensor:
    """The data point of an ε̂: x̂₀ = (x − (σ²/b*) ε̂)/a, with σ²/b* = b where there is no latent.

    Args, raises: as :func:`from_eps`; shape (n, d).
    """
    c = _coefficients(path, t)
    _check(path, c.a, t, "conversion from ε̂", "a is")
    if path.has_latent:
        _check(path, c.b, t, "conversion from ε̂", "b is")
        return applied(1 / c.a, x - applied(c.variance / conjugate(c.b), eps_hat))
    _check(path, 1 / c.db.abs().clamp(min=1), t, "conversion from ε̂", "1/b′ is")
    return applied(1 / c.a, x - applied(c.b, eps_hat))


def from_score(path: Path, score: Tensor, x: Tensor, t: Tensor) -> Prediction:
    """ε̂ = −b* s, x̂₀ = (x + σ² s)/a, v = a′x̂₀ − (b′b* + γγ′) s.

    Args, returns: as :func:`from_v`, with the score of shape (n, d).

    Raises:
        ValueError: t = 1 where a₁ = 0; t = 0, where σ = 0.

    Limits: the error of s reaches x̂₀ times σ²/|a|.
    """
    x0, c = x0_from_score(path, score, x, t), _coefficients(path, t)
    eps = -applied(conjugate(c.b), score)
    return Prediction(x0, eps, applied(c.da, x0) - applied(_mixed(c), score), score)


def x0_from_score(path: Path, score: Tensor, x: Tensor, t: Tensor) -> Tensor:
    """The data point of a score: x̂₀ = (x + σ² s)/a.

    Args, raises: as :func:`from_score`; shape (n, d).
    """
    c = _coefficients(path, t)
    _check(path, c.a, t, "conversion from the score", "a is")
    _check(path, c.variance, t, "conversion from the score", "σ² is")
    return applied(1 / c.a, x + applied(c.variance, score))


#: How each prediction is translated, by its name in an experiment.
TRANSLATE: dict[str, Callable[[Path, Tensor, Tensor, Tensor], Prediction]] = {
    "v": from_v,
    "x0": from_x0,
    "eps": from_eps,
    "score": from_score,
}


def solve(path: Path, v: Tensor, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """x̂₀ = (b′x − b v)/D and ε̂ = (a v − a′x)/D: the end points of a path at x with velocity v.

    Linear, so it holds for means too, whatever the source and the coupling.

    Args:
        path: without a latent.
        v, x: velocity and position, shape (n, d).
        t: times, shape () or (n,).

    Returns:
        x̂₀ and ε̂, each of shape (n, d).

    Raises:
        ValueError: D = 0 or not finite at a time; a path with a latent, which has three unknowns.
    """
    if path.has_latent:
        raise ValueError("Position and velocity do not determine x₀, x₁ and z; use a path without a latent.")
    c = _coefficients(path, t)
    d = _determinant(path, c)
    _check(path, d, t, "conversion from the velocity", _because(path))
    return x0_solved(path, c, d, v, x), applied(c.a / d, v) - applied(c.da / d, x)


def _determinant(path: Path, c: Coefficients) -> Tensor:
    """D = a b′ − a′b; with a latent the denominator of :func:`from_v`."""
    one, other = terms(path, c)
    d = one - other
    # 0 where that is only rounding.
    return torch.where(d.abs() <= ROUNDING * (one.abs() + other.abs()), torch.zeros_like(d), d)


def terms(path: Path, c: Coefficients) -> tuple[Tensor, Tensor]:
    """The two terms whose difference is D, or with a latent the denominator of :func:`from_v`."""
    return (_mixed(c) * c.a, c.da * c.variance) if path.has_latent else (c.a * c.db, c.da * c.b)


def _because(path: Path) -> str:
    return "the denominator is" if path.has_latent else "D = a b′ − a′b is"


def _coefficients(path: Path, t: Tensor) -> Coefficients:
    # In float64: near an end a steep path's b is small, and b² far smaller.
    return path.at(torch.as_tensor(t).double())


def applied(coefficient: Tensor, x: Tensor) -> Tensor:
    """A coefficient in float64 times points, in their dtype."""
    return act(coefficient.to(x.dtype.to_complex() if coefficient.is_complex() else x.dtype), x)


def _mixed(c: Coefficients) -> Tensor:
    """b′b* + γγ′."""
    return c.db * c.b.conj() + c.gamma_dgamma


def _noise(path: Path, c: Coefficients, x0: Tensor, x: Tensor, t: Tensor) -> Tensor:
    """ε̂ from x̂₀."""
    _check(path, c.variance, t, "conversion from x̂₀", "σ² is")
    return applied(conjugate(c.b) / c.variance, x - applied(c.a, x0))


def _completed(
    path: Path, x0: Tensor, eps: Tensor, v: Tensor, x: Tensor, t: Tensor, refusals: dict[str, str]
) -> Prediction:
    """Add the score, or the reason why there is none."""
    c = _coefficients(path, t)
    lost = c.variance == 0
    if bool(lost.any()):
        refusals["score"] = _refusal(path, lost, t, "score", "σ² is 0")
        score = torch.full_like(x, torch.nan)
    elif path.has_latent:
        score = applied(1 / c.variance, applied(c.a, x0) - x)
    else:
        # −ε̂/b* keeps the digits of ε̂ where b is small; with b = 0 < γ the residual does.
        score = -applied(1 / conjugate(c.b), eps)
    return Prediction(x0, eps, v, score, refusals)


def _check(path: Path, c: Tensor, t: Tensor, what: str, because: str) -> None:
    """Raise the sentence about a singular time, if c vanishes or is not finite at one."""
    bad = (c == 0) | ~c.abs().isfinite()
    if bool(bad.any()):
        value = "0" if float(c.abs()[bad].reshape(-1)[0]) == 0 else "not finite"
        raise ValueError(_refusal(path, bad, t, what, f"{because} {value}"))


def _refusal(path: Path, bad: Tensor, t: Tensor, what: str, because: str) -> str:
    """What the path has not at the first of the bad times."""
    at = float(torch.as_tensor(t).expand(bad.shape)[bad].reshape(-1)[0])
    advice = "another time"
    if at in (0, 1):
        advice = "t ≥ 1e-3" if at == 0 else "t ≤ 0.999"
    return (
        f"{type(path).__name__} path has no {what} at t = {at:.4g} ({because}); got t = {at}. Use {advice}."
    )
