"""How far a net is from the exact answer, measured while it trains.

Two figures. The excess loss E |f − E[y|x_t]|² compares the net with the oracle at points drawn once, so it
has none of the loss's noise and is 0 for the exact answer. The energy distance compares samples of the flow
with data, whatever the coupling.
"""

from __future__ import annotations

import torch

from fmstudio.flow.densities.mixture import GaussianMixture
from fmstudio.flow.metrics import energy_distance
from fmstudio.flow.regress.loss_floor import FloorProbe, LossFloor, probe
from fmstudio.flow.solve.solvers import integrate, path_times
from fmstudio.flow.solve.tableaux import HEUN
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.nets.net_field import NetField
from fmstudio.learn.training.batches import Problem

#: Points that the floor is measured on (of a cloud of points the oracle takes its time), and how many of them
#: each report asks the net about.
FLOOR_POINTS, FLOOR_POINTS_OF_A_CLOUD = 65_536, 16_384
EXCESS_POINTS = 2048
#: Samples and Heun steps of a measurement on the way, and of the last one.
SAMPLES, SAMPLE_STEPS = 2000, 12
LAST_SAMPLES, LAST_STEPS = 10_000, 25


class Ruler:
    """Measures the nets of one training, always against the same points.

    Args:
        experiment: of the training.
        problem: its objects.
        generator: draws the points, and nothing else.

    Attributes:
        floor: of the loss; 0 where the loss regresses on the mean itself; None where the coupling leaves no
            closed form.
    """

    def __init__(self, experiment: Experiment, problem: Problem, generator: torch.Generator) -> None:
        self._problem = problem
        self._without_variance = experiment.regression == "closed-form mean"
        self._probes: FloorProbe | None = None
        if problem.oracle is not None:
            closed = isinstance(problem.density, GaussianMixture)
            self._probes = probe(
                problem.path,
                problem.density,
                problem.source,
                problem.oracle,
                problem.target,
                problem.law,
                FLOOR_POINTS if closed else FLOOR_POINTS_OF_A_CLOUD,
                generator,
                coupling=problem.coupling,
                label_drop=experiment.label_drop if problem.classes else None,
            )
        self._data = problem.density.sample(LAST_SAMPLES, generator).points
        self._noise = problem.source.sample(LAST_SAMPLES, generator).points

    @property
    def floor(self) -> LossFloor | None:
        """The least loss any net can reach."""
        if self._probes is None:
            return None
        return LossFloor(0.0, 0.0) if self._without_variance else self._probes.floor

    def excess(self, net: NetField) -> float | None:
        """E |f − E[y|x_t]|² at the fixed points; None where the exact answer is not known."""
        if self._probes is None:
            return None
        p = self._probes
        # The points are sorted by time; every so-manieth keeps the times evenly spread.
        rows = slice(None, None, max(1, len(p.xt) // EXCESS_POINTS))
        if p.asked is not None:
            asked = p.asked[rows]
            net = net.given(torch.where(asked < 0, net.classes, asked))
        error = net.predict(p.xt[rows], p.t[rows]) - p.exact[rows]
        return float(error.square().sum(-1).mean())

    def energy_distance(self, net: NetField, last: bool = False) -> float:
        """Energy distance between the flow's samples and data; negative by chance when they agree.

        Args:
            net: its field is followed from the source at t = 1 to t = 0.
            last: with more samples and steps than on the way.
        """
        count, steps = (LAST_SAMPLES, LAST_STEPS) if last else (SAMPLES, SAMPLE_STEPS)
        noise = self._noise[:count]
        samples = integrate(net, noise, path_times(steps).to(noise), HEUN, record=False).end
        return float(energy_distance(samples, self._data[:count]))
