"""Transitions: the Markov process P that keeps every snapshot of the original paths Q.

If P's local transitions x_t → x_{t−dt} are those of Q, then p_t = q_t at every t, by induction:

    p_{t−dt}(x′) = ∫ p_t(x) p(x′ | x) dx = ∫ q_t(x) q(x′ | x) dx = q_{t−dt}(x′).

One way to have them: at every step pick, at random, one of the original paths through x, and follow it. It
moves the particle by v dt = u dt + e dt with E[e | x] = 0 and E|e|² = var_t, so the random drifts sum up to

    E |Σ e dt|² = Σ E[var_t(x_t)] dt²  →  0,

and at the scale of many steps the motion is that of dx/dt = u. Another way: particles that meet permute
identities. Both forget which path they were on.

Source: Wu & Lizarraga, About Flow Matching, 2024, sections 2 and 3. There x_{t−dt} = x_t + v dt; with v
= dx/dt, which points from data to noise, the sign is minus. The induction integral is over x_t.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from fmstudio.flow.oracle.oracle_for import Oracle
from fmstudio.flow.solve.solvers import Trajectory, check_times


@dataclass(frozen=True, eq=False)
class RandomPathRun:
    """What particles did that picked a path at every step.

    Args:
        trajectory: positions, shape (T, n, d); ``nfe`` counts the oracle's answers.
        drift: Σ e dt with e = v − u, the random drift of each particle, shape (n, d).
        spread: Σ var_t(x_t) dt² along each particle, shape (n,). E|drift|² = E[spread].
    """

    trajectory: Trajectory
    drift: Tensor
    spread: Tensor


@torch.no_grad()
def random_path_process(
    oracle: Oracle, x: Tensor, times: Tensor, generator: torch.Generator, *, along_path: bool = False
) -> RandomPathRun:
    """At every step draw one original path through (x, t) from w(x, t) and follow its velocity for dt.

        x_{t+h} = x_t + v h,     v the velocity of the drawn path;     generation has h = −dt

    Args:
        oracle: knows the paths; of a path that has velocities.
        x: positions at times[0], drawn from q there, shape (n, d).
        times: shape (T,), strictly rising or strictly falling, in [0, 1].
        generator: of the draws.
        along_path: follow the drawn path itself to its position at the next time, not its tangent; then
            every snapshot is exact for any dt, and the drift is that of the mean velocity of the step,
            v = (x_{t+h} − x_t)/h, whose mean is u only as dt → 0. No difference on the linear path.

    Returns:
        The trajectory with the accumulated random drift.

    Raises:
        ValueError: times outside their domain, a path without a velocity, or a velocity that is infinite at
            a time of ``times`` other than the last (a latent path at its ends, b′ = inf at t = 0).
    """
    if not oracle.path.smooth:
        raise ValueError(
            "The zig-zag chain has no velocity to follow. Use the smooth path with its marginals."
        )
    times = check_times(times, x)
    positions = x.new_empty((len(times), *x.shape))
    positions[0] = x
    drift, spread = torch.zeros_like(x), x.new_zeros(len(x))
    for k, (t, then) in enumerate(pairwise(times.to(x.device))):
        h = float(times[k + 1] - times[k])
        moments = oracle.moments(x, t)
        if not along_path and not bool(torch.isfinite(moments.var).all()):
            raise ValueError(
                f"Single paths have an infinite velocity at t = {float(t):g}; got a step that starts there. "
                "Start at t ≤ 0.999 (or t ≥ 1e-3), or follow the paths themselves (along_path)."
            )
        ends = oracle.draw(x, t, 1, generator)
        x0, x1 = ends.x0[:, 0], ends.x1[:, 0]
        z = None if ends.z is None else ends.z[:, 0]
        if along_path:
            moved = oracle.path.position(x0, x1, then.to(x.dtype), z)
        else:
            moved = torch.add(x, oracle.path.velocity(x0, x1, t.to(x.dtype), z), alpha=h)
        drift += moved - x - h * moments.u
        spread += moments.var * h**2
        x = positions[k + 1] = moved
    return RandomPathRun(Trajectory(times, positions, len(times) - 1), drift, spread)


def identity_switching(trajectories: Tensor, cell: float, generator: torch.Generator) -> Tensor:
    """Particles that meet permute identities: at every time after the first, at random within each cell.

    The cells are cubes of a fixed grid, [i·cell, (i+1)·cell) in each coordinate. A particle that takes over
    another's path jumps by less than the cell's diagonal; a snapshot stays the same multiset of points,
    exactly. As cells shrink and steps get shorter, particles move as in the flow.

    Args:
        trajectories: original positions in the order of travel, shape (T, n, d), finite.
        cell: side of the cells, at least 2⁻⁵² of the largest coordinate: narrower ones cannot be told apart.
            With inf all particles share one cell, and swap wherever they are.
        generator: of the permutations.

    Returns:
        Whose path each particle is on, shape (T, n), int64: at time k particle i is at
        ``trajectories[k, partners[k, i]]``. Row 0 is 0 … n − 1, every row a permutation.

    Raises:
        ValueError: an argument is outside its domain.

    Source: Wu & Lizarraga, About Flow Matching, 2024, section 2.
    """
    if trajectories.ndim != 3 or 0 in trajectories.shape or not cell > 0:
        raise ValueError(
            f"Expected trajectories of shape (T, n, d), none of them 0, and a cell > 0; "
            f"got {tuple(trajectories.shape)} and {cell}."
        )
    if not bool(torch.isfinite(trajectories).all()):
        raise ValueError("Expected finite trajectories.")
    narrowest = float(trajectories.abs().max()) * torch.finfo(torch.float64).eps
    if cell < narrowest:
        raise ValueError(
            f"Expected a cell of at least {narrowest:.2g} for coordinates this large; got {cell:g}."
        )
    steps, n, _ = trajectories.shape
    partners = torch.empty((steps, n), dtype=torch.int64, device=trajectories.device)
    partners[0] = torch.arange(n, device=trajectories.device)
    for k in range(1, steps):
        cells = _cells(trajectories[k], cell)
        # Members cell by cell, in two orders: whoever is on the first's path goes to the second's.
        first = torch.argsort(cells, stable=True)
        mixed = torch.randperm(n, generator=generator, device=generator.device).to(cells.device)
        second = mixed[torch.argsort(cells[mixed], stable=True)]
        heir = torch.empty_like(first)
        heir[first] = second
        partners[k] = heir[partners[k - 1]]
    return partners


def _cells(x: Tensor, side: float) -> Tensor:
    """A number for the cell of each point: equal for points of one cell, different for two cells."""
    place = torch.floor(x.double() / side).long()
    place = place - place.amin(dim=0)
    key, count = place[:, 0], int(place[:, 0].max()) + 1
    for column in place[:, 1:].T:
        size = int(column.max()) + 1
        if count * size > 2**62:
            # Numbers without gaps: fewer than there are points.
            key, column = (torch.unique(c, return_inverse=True)[1] for c in (key, column))
            count = size = len(x)
        key, count = key * size + column, count * size
    return key
