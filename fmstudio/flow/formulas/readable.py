"""Where a velocity tells nothing else: the times between the ends at which D = a b′ − a′b is 0.

Position and velocity are two equations in (x̂₀, ε̂). Where D = 0 they are one, v = (b′/b) x: whatever x₀ is,
the velocity is the same, and no other name of the prediction can be read from it. A path that goes from data
to noise without turning back has D > 0 between its ends: (b/a)′ = D/a².
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from fmstudio.flow.paths.path import Path
from fmstudio.flow.regress.translate import terms

#: D is called 0 where it is as small a share of its terms: an error would be multiplied by the inverse.
NEARLY = 1e-6
_PARTS = 5040


@lru_cache(maxsize=64)
def unreadable_times(path: Path) -> tuple[tuple[float, float], ...]:
    """The times between the ends at which the velocity does not tell the other names: D = 0.

    Looked for on a grid of 5,040 parts: where D changes its sign, the zero is found by halving to 1e-15;
    where it only comes as near to 0 as 1e-6 of its two terms, on the grid.

    Args:
        path: any.

    Returns:
        Stretches (from, to) within (0, 1) in rising order; from = to at a single zero.
    """
    grid = torch.linspace(0, 1, _PARTS + 1, dtype=torch.float64)[1:-1]
    share = _share(path, grid)
    flat = share.abs() <= NEARLY
    found = [(t, t) for t in grid[flat].tolist()]
    if not share.is_complex():
        turns = (share[:-1] * share[1:] < 0) & ~flat[:-1] & ~flat[1:]
        low, high = grid[:-1][turns], grid[1:][turns]
        sign = share[:-1][turns].sign()
        for _ in range(50):
            middle = (low + high) / 2
            before = _share(path, middle) * sign > 0
            low, high = torch.where(before, middle, low), torch.where(before, high, middle)
        found += [(t, t) for t in high.tolist()]
    stretches: list[tuple[float, float]] = []
    for first, last in sorted(found):
        if stretches and first - stretches[-1][1] < 1.5 / _PARTS:
            first = stretches.pop()[0]
        stretches.append((first, last))
    return tuple(stretches)


def _share(path: Path, t: Tensor) -> Tensor:
    """D as a share of the sizes of its two terms; 0 where both are 0."""
    c = path.at(t)
    one, other = terms(path, c)
    size = one.abs() + other.abs()
    return (one - other) / torch.where(size == 0, torch.ones_like(size), size)


def unreadable(path: Path) -> str:
    """The times of :func:`unreadable_times` in words, or "" where there are none.

    >>> from fmstudio.flow.formulas.custom import Custom
    >>> unreadable(Custom("1-t-2*sin(pi*t)", "t"))
    't = 0.3828'
    """
    times = unreadable_times(path)
    words = [f"{low:.4f}" if low == high else f"{low:.4f} … {high:.4f}" for low, high in times[:4]]
    more = ", …" if len(times) > 4 else ""
    return f"t = {', '.join(words)}{more}" if words else ""


def check_score(path: Path) -> None:
    """Refuse a path whose velocity does not tell the score at a time between the ends.

    Raises:
        ValueError: with the times.
    """
    times = unreadable(path)
    if times:
        raise ValueError(
            f"On this path a b′ − a′b = 0 at {times}: there the velocity does not tell the score, which "
            "noise needs. Sample without noise."
        )
