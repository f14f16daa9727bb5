"""Claims C3 and C6 as motion: what a reader watches, computed from the same processes as the claims' figures.

* :func:`swapping`: original trajectories, and the same particles when those that meet swap identities;
* :func:`drifting`: particles that follow a randomly picked path at every step, over the flow from the same
  starts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from fmstudio.flow.solve.solvers import integrate
from fmstudio.flow.solve.tableaux import HEUN
from fmstudio.flow.solve.transitions import identity_switching, random_path_process
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.simulate import Pairs
from fmstudio.note.claims.c03_identities import memory
from fmstudio.note.claims.c06_drift import walk
from fmstudio.note.parts.setting import Setting

MEETINGS, SWAPPERS = 60, 2_000
FRAMES, DRIFTERS, FLOWING = 80, 200, 500


@dataclass(frozen=True, eq=False)
class Swapping:
    """Original and swapped trajectories; particles 0 and 1 are a pair of which one ends on the other's path.

    Args:
        times: of the frames, falling, shape (T,).
        ends: of the original paths.
        original: shape (T, n, d).
        swapped: the particles after their swaps, shape (T, n, d); every row a permutation of ``original``'s.
        memories: how much of x_t the particle's own start explains, for the original paths, the swapped
            particles and the flow, shape (3, T).
        mismatch: largest difference of the two snapshots' sorted coordinates over all times; 0.
    """

    times: Tensor
    ends: Pairs
    original: Tensor
    swapped: Tensor
    memories: Tensor
    mismatch: float


def swapping(experiment: Experiment, cell: float) -> Swapping:
    """Let particles of one cell swap at ``MEETINGS`` times.

    Args:
        experiment: one that C3 applies to.
        cell: side of the cells; inf lets everyone swap with anyone, which breaks the claim.
    """
    s = Setting(experiment, 3)
    times = s.times(MEETINGS)
    ends = s.pairs(SWAPPERS, s.generator(700))
    original = s.path.trajectories(ends.x0, ends.x1, times, s.generator(701))
    partners = identity_switching(original, cell, s.generator(702))
    # Particle 1 shall be on the path that particle 0 ends on: exchange two names, which are all alike.
    order = torch.arange(SWAPPERS)
    other = int(partners[-1, 0]) or 1
    order[[1, other]] = order[[other, 1]]
    original, partners = original[:, order], order.argsort()[partners[:, order]]
    labels = None if ends.labels is None else ends.labels[order]
    ends = Pairs(ends.x0[order], ends.x1[order], labels)
    swapped = original.gather(1, partners[..., None].expand_as(original))
    flow = integrate(s.oracle, original[0, :FLOWING], times, HEUN).positions
    memories = torch.tensor(
        [[max(0.0, memory(x, rows[0])) for x in rows] for rows in (original, swapped, flow)]
    )
    mismatch = float((original.sort(dim=1).values - swapped.sort(dim=1).values).abs().max())
    return Swapping(times, ends, original, swapped, memories, mismatch)


@dataclass(frozen=True, eq=False)
class Drifting:
    """Random paths over the flow from the same starts.

    Args:
        times: of the frames, falling, shape (T,).
        labels: None, or the classes of the starts' data, shape (n,).
        random, flow: positions, shape (T, n, d).
        drift: mean of |Σ e dt|² so far, shape (T,).
        expected: the same from the formula, Σ E[var_t] dt², shape (T,); None where the step is e √dt.
        distance: median squared distance of the two, shape (T,).
    """

    times: Tensor
    labels: Tensor | None
    random: Tensor
    flow: Tensor
    drift: Tensor
    expected: Tensor | None
    distance: Tensor


def drifting(experiment: Experiment, count: int, diffusion: bool = False) -> Drifting:
    """Pick a path at random at each of ``count`` steps.

    Args:
        experiment: one that C6 applies to.
        count: steps; a multiple of ``FRAMES``, or fewer.
        diffusion: take e √dt in place of e dt, which breaks the claim.
    """
    s = Setting(experiment, 6)
    grid = s.times(count)
    every = math.ceil(count / FRAMES)
    ends, generator = s.pairs(DRIFTERS, s.generator(700)), s.generator(701)
    start = s.path.trajectories(ends.x0, ends.x1, grid[:1], generator)[0]
    x, total, expected = start, torch.zeros_like(start), torch.zeros(DRIFTERS)
    rows, drifts, formula = [x], [0.0], [0.0]
    for first in range(0, count, every):
        piece = grid[first : first + every + 1]
        if diffusion:
            positions, drift = walk(s, x, piece, generator, diffusion=True)
        else:
            run = random_path_process(s.oracle, x, piece, generator)
            positions, drift = run.trajectory.positions, run.drift
            expected = expected + run.spread
        x, total = positions[-1], total + drift
        rows.append(x)
        drifts.append(float(total.square().sum(1).mean()))
        formula.append(float(expected.mean()))
    random, times = torch.stack(rows), grid[::every]
    between = math.ceil(FRAMES / (len(times) - 1))
    fine = s.times(between * (len(times) - 1))
    flow = integrate(s.oracle, start, fine, HEUN).positions[::between]
    distance = (random - flow).square().sum(-1).median(1).values
    return Drifting(
        times,
        ends.labels,
        random,
        flow,
        torch.tensor(drifts),
        None if diffusion else torch.tensor(formula),
        distance,
    )
