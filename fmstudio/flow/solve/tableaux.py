"""Tableaux: explicit Runge–Kutta methods as data that checks itself.

A method is its tableau (a, b, c), and one step of size h from time t is

    k_i = u( x + h Σ_j a_ij k_j,  t + c_i h ),        x ← x + h Σ_i b_i k_i.

A tableau checks c_i = Σ_j a_ij and the order conditions of its declared order, one for every rooted tree τ
with at most that many nodes, Σ_i b_i Φ_i(τ) = 1/γ(τ) (Butcher 2016, Numerical Methods for Ordinary
Differential Equations, section 31), in exact rational arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property

Row = tuple[Fraction, ...]


@dataclass(frozen=True)
class Tableau:
    """An explicit Runge–Kutta method.

    Args:
        name: for people.
        a: strictly lower triangular, row i has i entries (so the first row is empty).
        b: weights of the stages, they sum to 1.
        c: times of the stages as fractions of the step, in [0, 1].
        order: the error of one step is O(h^(order + 1)).
        error: b − b̂ with b̂ the weights of a method one order lower, or None without an error estimate.
        dense: rows of polynomial coefficients: stage i has weight b_i(θ) = Σ_k dense[i][k] θ^(k+1) at the
            fraction θ of the step, or None. Needs as many rows as stages.

    Raises:
        ValueError: a row sum or an order condition does not hold.
    """

    name: str
    a: tuple[Row, ...]
    b: Row
    c: Row
    order: int
    error: Row | None = None
    dense: tuple[Row, ...] | None = None

    def __post_init__(self) -> None:
        stages = len(self.b)
        if len(self.a) != stages or len(self.c) != stages:
            raise ValueError(f"{self.name}: expected {stages} rows in a and entries in c, as in b.")
        for i, row in enumerate(self.a):
            if len(row) != i:
                raise ValueError(f"{self.name}: expected {i} entries in row {i} of a; got {len(row)}.")
            if sum(row) != self.c[i]:
                raise ValueError(f"{self.name}: row {i} of a sums to {sum(row)}; expected c = {self.c[i]}.")
        if any(not 0 <= c <= 1 for c in self.c):
            raise ValueError(f"{self.name}: a stage lies outside its step; expected 0 ≤ c ≤ 1.")
        self._check_weights(self.b, self.order, Fraction(1))
        if self.error is not None:
            lower = tuple(b - e for b, e in zip(self.b, self.error, strict=True))
            self._check_weights(lower, self.order - 1, Fraction(1))
        if self.dense is not None:
            for theta in (Fraction(k, 5) for k in range(1, 6)):
                weights = tuple(_polynomial(row, theta) for row in self.dense)
                self._check_weights(weights, self.order - 1, theta)

    def _check_weights(self, weights: Row, order: int, theta: Fraction) -> None:
        for tree in _trees_up_to(order):
            got = sum(w * p for w, p in zip(weights, self._elementary(tree), strict=True))
            want = theta ** _size(tree) / _density(tree)
            if got != want:
                raise ValueError(
                    f"{self.name}: the order condition of the tree {tree} gives {got}; expected {want}. "
                    f"The method is not of order {order}."
                )

    def _elementary(self, tree: Tree) -> list[Fraction]:
        """Φ_i(τ) = Π over the branches of Σ_j a_ij Φ_j(branch)."""
        out = [Fraction(1)] * len(self.b)
        for branch in tree:
            inner = self._elementary(branch)
            for i, row in enumerate(self.a):
                out[i] *= sum((a * p for a, p in zip(row, inner, strict=False)), Fraction(0))
        return out

    @cached_property
    def evaluations(self) -> int:
        """How many stages a fixed step needs: those after the last non-zero weight are left out."""
        return max(i for i, w in enumerate(self.b) if w) + 1

    @property
    def adaptive(self) -> bool:
        """Whether it can choose its own steps: it has an error estimate and dense output."""
        return self.error is not None and self.dense is not None

    @cached_property
    def fsal(self) -> bool:
        """First same as last: the last stage is the velocity at the end of the step."""
        return self.c[-1] == 1 and self.a[-1] == self.b[:-1] and self.b[-1] == 0

    @cached_property
    def floats(self) -> tuple[tuple[tuple[float, ...], ...], tuple[float, ...], tuple[float, ...]]:
        """(a, b, c) as floats, all stages."""
        return tuple(_floats(row) for row in self.a), _floats(self.b), _floats(self.c)


Tree = tuple["Tree", ...]


@cache
def _trees(nodes: int) -> tuple[Tree, ...]:
    """All rooted trees with so many nodes: a root and a multiset of smaller trees."""

    def forests(left: int, allowed: tuple[Tree, ...]) -> Iterator[Tree]:
        if left == 0:
            yield ()
        for k, tree in enumerate(allowed):
            if _size(tree) <= left:
                for rest in forests(left - _size(tree), allowed[k:]):
                    yield (tree, *rest)

    smaller = tuple(tree for n in range(1, nodes) for tree in _trees(n))
    return tuple(forests(nodes - 1, smaller))


def _trees_up_to(nodes: int) -> tuple[Tree, ...]:
    return tuple(tree for n in range(1, nodes + 1) for tree in _trees(n))


def _size(tree: Tree) -> int:
    return 1 + sum(_size(branch) for branch in tree)


def _density(tree: Tree) -> int:
    product = _size(tree)
    for branch in tree:
        product *= _density(branch)
    return product


def _polynomial(coefficients: Row, theta: Fraction) -> Fraction:
    return sum((c * theta ** (k + 1) for k, c in enumerate(coefficients)), Fraction(0))


def _row(*entries: int | str) -> Row:
    return tuple(Fraction(entry) for entry in entries)


def _floats(row: Row) -> tuple[float, ...]:
    return tuple(float(entry) for entry in row)


#: The straight step, x + h u(x, t). Order 1.
EULER = Tableau("Euler", a=((),), b=_row(1), c=_row(0), order=1)

#: The velocity half a step ahead. Order 2. Runge 1895.
MIDPOINT = Tableau("Midpoint", a=((), _row("1/2")), b=_row(0, 1), c=_row(0, "1/2"), order=2)

#: The mean of the velocities at both ends (explicit trapezoid). Order 2. Heun 1900.
HEUN = Tableau(
    "Heun", a=((), _row(1)), b=_row("1/2", "1/2"), c=_row(0, 1), order=2, error=_row("-1/2", "1/2")
)

#: The classical method of order 4. Kutta 1901.
RK4 = Tableau(
    "RK4",
    a=((), _row("1/2"), _row(0, "1/2"), _row(0, 0, 1)),
    b=_row("1/6", "1/3", "1/3", "1/6"),
    c=_row(0, "1/2", "1/2", 1),
    order=4,
)


def _dormand_prince() -> Tableau:
    b = _row("35/384", 0, "500/1113", "125/192", "-2187/6784", "11/84", 0)
    lower = _row("5179/57600", 0, "7571/16695", "393/640", "-92097/339200", "187/2100", "1/40")
    # The continuous extension: x + h Σ b_i(θ) k_i with
    # b_i(θ) = θ b_i·(3θ − 2θ²) + [i=1] θ(1−θ)² − [i=7] θ²(1−θ) + θ²(1−θ)² d_i.
    d = _row(
        "-12715105075/11282082432",
        0,
        "87487479700/32700410799",
        "-10690763975/1880347072",
        "701980252875/199316789632",
        "-1453857185/822651844",
        "69997945/29380423",
    )
    first, last = _row(1, 0, 0, 0, 0, 0, 0), _row(0, 0, 0, 0, 0, 0, 1)
    dense = tuple(
        (f, 3 * w - 2 * f - e + q, -2 * w + f + e - 2 * q, q)
        for w, f, e, q in zip(b, first, last, d, strict=True)
    )
    return Tableau(
        "Dormand–Prince",
        a=(
            (),
            _row("1/5"),
            _row("3/40", "9/40"),
            _row("44/45", "-56/15", "32/9"),
            _row("19372/6561", "-25360/2187", "64448/6561", "-212/729"),
            _row("9017/3168", "-355/33", "46732/5247", "49/176", "-5103/18656"),
            b[:6],
        ),
        b=b,
        c=_row(0, "1/5", "3/10", "4/5", "8/9", 1, 1),
        order=5,
        error=tuple(x - y for x, y in zip(b, lower, strict=True)),
        dense=dense,
    )


#: Order 5 with an error estimate and dense output of order 4. Dormand & Prince 1980; Hairer, Nørsett &
#: Wanner 1993, Solving Ordinary Differential Equations I, section II.6.
DOPRI5 = _dormand_prince()

SOLVERS: dict[str, Tableau] = {
    "euler": EULER,
    "midpoint": MIDPOINT,
    "heun": HEUN,
    "rk4": RK4,
    "dopri5": DOPRI5,
}
"""The solvers to choose from, by the names that they have in JSON and in links."""
