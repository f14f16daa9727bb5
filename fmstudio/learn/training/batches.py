"""Batches: the endless stream of what an experiment trains on, a block of some steps at a time.

A block's points are drawn together, so that the cost of drawing is shared by its steps. Where they have to be
paired, which may take longer than the steps themselves, the next block is made in a second thread while this
one is learned. The random numbers depend only on the seed, never on when a training reports or stops.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor

from fmstudio.flow.bounds import Box
from fmstudio.flow.couplings.coupling import Coupling, FixedPairs
from fmstudio.flow.densities.density import Density
from fmstudio.flow.densities.mixture import GaussianMixture
from fmstudio.flow.oracle.oracle_for import Oracle, oracle_for
from fmstudio.flow.paths.path import Path
from fmstudio.flow.regress.objectives import TARGETS, Target, check_target, draw_paths, regress_on
from fmstudio.flow.regress.time_laws import TIME_LAWS, TimeLaw
from fmstudio.learn.build import coupling_of, density_of, path_of, source_of
from fmstudio.learn.experiment import Experiment

#: Points drawn at once; fewer where a coupling has to pair them, which takes its time, and more on a GPU,
#: where a draw of any size takes as long as some ten steps.
POINTS, POINTS_ON_GPU = 8192, 65_536
POINTS_PAIRED = 2048
LONGEST_BLOCK = 64


@dataclass(frozen=True, eq=False)
class Problem:
    """An experiment's mathematical objects on one device.

    Args:
        path, density, source, coupling, target, law: what their names say.
        oracle: exact answers, or None where the coupling leaves no closed form.
        classes: that a conditional net is told; 0 for a net that is not conditional.
    """

    path: Path
    density: Density
    source: GaussianMixture
    coupling: Coupling | FixedPairs
    target: Target
    law: TimeLaw
    oracle: Oracle | None
    classes: int

    @property
    def box(self) -> Box:
        """Of the data: where the x̂₀ of a net is held."""
        return Box.around(self.density)

    @staticmethod
    def of(experiment: Experiment, pairs: FixedPairs | None, device: torch.device) -> Problem:
        """Build an experiment's objects; ``pairs`` (reflow) take the place of its coupling.

        Raises:
            ValueError: choices that do not go together: the target and the coupling or source, the
                closed-form mean and a coupling without one, a conditional net and data without classes.
        """
        e = experiment
        density, source = density_of(e).to(device), source_of(e).to(device)
        path, target = path_of(e), TARGETS[e.target]
        coupling = coupling_of(e) if pairs is None else FixedPairs(pairs.x0.to(device), pairs.x1.to(device))
        _check(e, path, density, source, coupling)
        oracle = oracle_for(path, density, source) if coupling.independent else None
        classes = density.classes if e.conditional else 0
        return Problem(path, density, source, coupling, target, TIME_LAWS[e.time_law], oracle, classes)


def check_training(experiment: Experiment) -> None:
    """Refuse choices that no training can go together with, before one is started.

    Raises:
        ValueError: as :meth:`Problem.of`.
    """
    e = experiment
    _check(e, path_of(e), density_of(e), source_of(e), coupling_of(e))


def _check(
    e: Experiment, path: Path, density: Density, source: GaussianMixture, coupling: Coupling | FixedPairs
) -> None:
    check_target(TARGETS[e.target], path, source, coupling)
    if not coupling.independent and e.regression == "closed-form mean":
        raise ValueError(
            "The closed-form mean is known for the independent coupling only; the coupling is "
            f"{'given pairs' if isinstance(coupling, FixedPairs) else e.coupling}. Regress on sampled "
            "velocities."
        )
    if e.conditional and not density.classes:
        raise ValueError(f"A conditional net needs data with classes; {e.data!r} has none.")


Block = tuple[Tensor, Tensor, Tensor, Tensor | None]
"""(x_t, t, y, asked): shapes (n, dim), (n,), (n, dim) and (n,) or None."""


class Batches:
    """The stream of blocks of an experiment.

    Args:
        experiment: of the training.
        problem: its objects.
        generator: of every draw. Whatever is made ahead, its state is that of the blocks handed out; it may
            be set before the first.
    """

    def __init__(self, experiment: Experiment, problem: Problem, generator: torch.Generator) -> None:
        self._experiment, self._problem, self.generator = experiment, problem, generator
        paired = not problem.coupling.independent and not isinstance(problem.coupling, FixedPairs)
        drawn = POINTS if generator.device.type == "cpu" else POINTS_ON_GPU
        points = POINTS_PAIRED if paired else drawn
        self.block = max(1, min(LONGEST_BLOCK, points // experiment.batch))
        # The thread ends with this object. A GPU's stream of work is kept in one thread.
        ahead = paired and generator.device.type == "cpu"
        self._worker = ThreadPoolExecutor(1, "pairing") if ahead else None
        self._coming: Future[tuple[Block, Tensor]] | None = None

    def draw(self) -> Block:
        """The next block, of n = K·B points."""
        if self._worker is None:
            return self._made(self.generator)
        state = self.generator.get_state()
        block, after = (self._coming or self._worker.submit(self._made_after, state)).result()
        self.generator.set_state(after)
        self._coming = self._worker.submit(self._made_after, after)
        return block

    def _made_after(self, state: Tensor) -> tuple[Block, Tensor]:
        """A block drawn from a state of the generator, and the state it leaves."""
        own = torch.Generator().set_state(state)
        return self._made(own), own.get_state()

    def _made(self, generator: torch.Generator) -> Block:
        e, p = self._experiment, self._problem
        n = self.block * e.batch
        draw = draw_paths(
            p.path,
            p.density,
            p.source,
            p.coupling,
            p.law,
            n,
            generator,
            coupling_batch=e.coupling_batch,
            within_classes=bool(p.classes),
        )
        kept = asked = None
        if p.classes:
            kept = torch.rand(n, generator=generator, device=generator.device) >= e.label_drop
            kept = kept.to(draw.xt.device)
            none = torch.full((n,), p.classes, device=draw.xt.device)
            asked = none if draw.labels is None else torch.where(kept, draw.labels, none)
        oracle = p.oracle if e.regression == "closed-form mean" else None
        return draw.xt, draw.t, regress_on(p.target, p.path, draw, oracle, kept), asked
