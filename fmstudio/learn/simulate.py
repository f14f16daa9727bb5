"""What an experiment does: particles along the original paths Q and along a field, and their distance."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from fmstudio.flow.couplings.coupling import pair_batches
from fmstudio.flow.densities.density import Density, check_count
from fmstudio.flow.metrics import energy_distance, envelope, shuffled_energy_distances
from fmstudio.flow.oracle.oracle_for import Oracle
from fmstudio.flow.solve.adaptive import integrate_adaptive
from fmstudio.flow.solve.diffusion import Proportional, integrate_sde, score_from_velocity
from fmstudio.flow.solve.fields import Guided, VelocityField
from fmstudio.flow.solve.solvers import integrate, path_times
from fmstudio.flow.solve.tableaux import SOLVERS
from fmstudio.learn.build import coupling_of, density_of, path_of, source_of
from fmstudio.learn.experiment import PATHS, Experiment

#: How often the curve of two fresh samples stays inside the band.
INSIDE = 0.98


@dataclass(frozen=True)
class Pairs:
    """End points of original paths: data ``x0`` and noise ``x1``, shape (n, d); ``labels`` (n,) or None."""

    x0: Tensor
    x1: Tensor
    labels: Tensor | None


@dataclass(frozen=True)
class Motion:
    """Particles that followed a field: positions (T, n, d) at times (T,), with the work it took."""

    times: Tensor
    positions: Tensor
    nfe: int
    seconds: float


@dataclass(frozen=True)
class Distances:
    """Energy distance of two clouds at times (T,), and what chance makes of it.

    Args:
        values: shape (T,).
        band: lower and upper edge, shape (T, 2): two fresh samples stay inside at every t, 98 times in 100.
        count: particles of each cloud that it was measured on.
    """

    values: Tensor
    band: Tensor
    count: int

    @property
    def inside(self) -> bool:
        """Whether the curve stays in the band: it cannot be told from chance."""
        low, high = self.band.unbind(1)
        return bool(((low <= self.values) & (self.values <= high)).all())


def generator_of(experiment: Experiment, stream: int) -> torch.Generator:
    """A generator of the experiment's seed; each use has a stream of its own, so none shifts another."""
    return torch.Generator().manual_seed(experiment.seed * 1_000_003 + stream)


def frame_times(experiment: Experiment) -> Tensor:
    """The times that the player shows, from 1 (noise) to 0 (data), shape (frames,)."""
    return torch.linspace(1, 0, experiment.frames)


def asked_density(experiment: Experiment) -> Density:
    """The data of the class that the sampler is asked for; all data where it is asked for none.

    Raises:
        ValueError: a class that the data do not have.
    """
    density = density_of(experiment)
    return density.given(experiment.label) if asks_for_a_class(experiment) else density


def asks_for_a_class(experiment: Experiment) -> bool:
    """Whether the sampler is asked for one class; of which field that can be, ``learn.net_card`` says."""
    return experiment.label >= 0


def conditioned(oracle: Oracle, experiment: Experiment) -> VelocityField:
    """The oracle given the experiment's label and guided, u∅ + w (u_c − u∅); without a label the oracle."""
    if not asks_for_a_class(experiment):
        return oracle
    told = oracle.given(experiment.label)
    return told if experiment.guidance == 1 else Guided(oracle, told, experiment.guidance)


def draw_pairs(experiment: Experiment, count: int, stream: int = 0, *, asked: bool = False) -> Pairs:
    """Draw end points and pair them as training does: in mini-batches, and for a conditional net by class.

    Args:
        experiment: its data, source and coupling.
        count: of pairs.
        stream: of the experiment's random numbers.
        asked: only of the class that the sampler is asked for.
    """
    generator = generator_of(experiment, stream)
    coupling = coupling_of(experiment)
    density = asked_density(experiment) if asked else density_of(experiment)
    samples = density.sample(count, generator)
    x0, x1, labels = samples.points, source_of(experiment).sample(count, generator).points, samples.labels
    if coupling.independent:
        return Pairs(x0, x1, labels)
    batch, by_class = experiment.coupling_batch, experiment.conditional
    return Pairs(*pair_batches(coupling, x0, x1, labels, batch, by_class, generator))


def check_chain(experiment: Experiment) -> None:
    """Refuse a zig-zag whose noise end would not be the chosen one: a chain makes its own x₁ ~ N(0, I).

    Raises:
        ValueError: a zig-zag with another source, or with a coupling that is not independent.
    """
    if not PATHS[experiment.path].chain:
        return
    for name, value in (("standard normal", experiment.source), ("independent", experiment.coupling)):
        if value != name:
            raise ValueError(
                f"path: the zig-zag chain makes its own noise x₁ ~ N(0, I), so '{value}' has no part in it. "
                f"Choose '{name}', or the smooth path with the same marginals."
            )


def original_paths(experiment: Experiment, pairs: Pairs, times: Tensor, stream: int = 1) -> Tensor:
    """Positions of the particles on their original paths, shape (T, n, d).

    Raises:
        ValueError: as :func:`check_chain`.
    """
    check_chain(experiment)
    return path_of(experiment).trajectories(pairs.x0, pairs.x1, times, generator_of(experiment, stream))


@torch.no_grad()
def follow(field: VelocityField, start: Tensor, experiment: Experiment, times: Tensor) -> Motion:
    """Move particles along a field from t = 1 to 0 with the experiment's solver and number of steps.

    The solver's own steps are straight; the frames between them lie on these lines.

    Args:
        field: the velocity to follow.
        start: positions at t = 1, shape (n, d).
        times: frames to report, decreasing from 1 to 0, shape (T,).
    """
    began = time.perf_counter()
    solver = SOLVERS[experiment.solver]
    if solver.adaptive:
        solved = integrate_adaptive(field, start, times, tableau=solver)
        return Motion(times, solved.positions, solved.nfe, time.perf_counter() - began)
    solved = integrate(field, start, path_times(experiment.sample_steps), solver)
    seconds = time.perf_counter() - began
    return Motion(times, _between(solved.times, solved.positions, times), solved.nfe, seconds)


@torch.no_grad()
def follow_noisily(
    field: VelocityField,
    start: Tensor,
    experiment: Experiment,
    times: Tensor,
    origin: VelocityField | None = None,
) -> Motion:
    """Move particles by the SDE with g = η σ_t, η the experiment's ``sde_noise``, and the same marginals.

    Args:
        field, start, times: as :func:`follow`.
        experiment: with ``sample_steps`` Euler–Maruyama steps.
        origin: whose score it is, where ``field`` only wraps another; None: ``field`` itself.

    Raises:
        ValueError: the score does not follow from this field: no Gaussian x₁ independent of x₀.
    """
    began = time.perf_counter()
    path, origin = path_of(experiment), origin or field
    if isinstance(origin, Oracle):
        score = _exact_score(origin)
    else:
        known = coupling_of(experiment).independent and source_of(experiment).is_standard_normal
        score = score_from_velocity(path, origin, score_is_exact=known)
    noise = Proportional(path, experiment.sde_noise)
    generator = generator_of(experiment, 5)
    solved = integrate_sde(field, score, start, path_times(experiment.sample_steps), noise, generator)
    seconds = time.perf_counter() - began
    return Motion(times, _between(solved.times, solved.positions, times), solved.nfe, seconds)


def _exact_score(oracle: Oracle) -> VelocityField:
    def score(x: Tensor, t: Tensor) -> Tensor:
        return oracle.moments(x, t).score

    return score


def refuse_noise_after_reflow(experiment: Experiment, of_pairs: bool) -> None:
    """Refuse the SDE for a net that was trained on given pairs.

    Raises:
        ValueError: with the reason.
    """
    if of_pairs and experiment.sde_noise > 0:
        raise ValueError(
            "After reflow x₀ and x₁ are no longer independent: the score does not follow from the velocity, "
            "and the SDE would be wrong. Set the noise to 0."
        )


def run_sampler(
    experiment: Experiment,
    field: VelocityField,
    start: Tensor,
    times: Tensor,
    origin: VelocityField | None = None,
) -> Motion:
    """The experiment's solver, or its SDE where ``sde_noise`` > 0; see :func:`follow_noisily`."""
    if experiment.sde_noise == 0:
        return follow(field, start, experiment, times)
    return follow_noisily(field, start, experiment, times, origin)


def _between(knots: Tensor, positions: Tensor, times: Tensor) -> Tensor:
    """Positions on the straight lines between a solver's steps; both sets of times decrease."""
    high = torch.searchsorted(-knots, -times).clamp(1, len(knots) - 1)
    low = high - 1
    share = ((knots[low] - times) / (knots[low] - knots[high])).clamp(0, 1)
    return torch.lerp(positions[low], positions[high], share[:, None, None])


def fresh_draws(
    experiment: Experiment, times: Tensor, count: int = 1_200, *, asked: bool = False
) -> tuple[Tensor, Tensor]:
    """Two independent draws of Q that share nothing with the particles shown, each (T, count, d).

    With ``asked`` they are of the class that the sampler is asked for.
    """

    def draw(stream: int) -> Tensor:
        pairs = draw_pairs(experiment, count, stream, asked=asked)
        return original_paths(experiment, pairs, times, stream + 1)

    return draw(11), draw(13)


def distances(
    flow: Tensor, original: Tensor, fresh: Tensor, at_most: int = 400, every: int = 5, repeats: int = 200
) -> Distances:
    """Energy distance of the flow's cloud to Q's at each frame, and what fresh samples of Q differ by.

    The estimate is unbiased, so two fresh samples differ by 0 in the mean, with a longer tail above. The
    band (:func:`fmstudio.flow.metrics.envelope`) holds the whole curve of two fresh samples 98 times in 100,
    not each of its points.

    Args:
        flow: P's positions, shape (T, n, d).
        original: Q's positions, from particles that the flow did not start with, shape (T, m, d).
        fresh: a second independent draw of Q, shape (T, m, d); with ``original`` it gives the band.
        at_most: particles of each cloud that enter, ≥ 2; the distance is unbiased at any number.
        every: only each so-manieth frame is measured, and the last; the others lie between.
        repeats: how often two draws are dealt out anew for the band.

    Raises:
        ValueError: fewer particles, or no frame of so many.
    """
    check_count(at_most, 2)
    check_count(every, 1)
    frames = len(flow)
    measured = sorted({*range(0, frames, every), frames - 1})
    size = min(at_most, flow.shape[1], original.shape[1])
    values = [energy_distance(flow[k, :size], original[k, :size]) for k in measured]
    one, other = original[measured, :size], fresh[measured, :size]
    dealt = shuffled_energy_distances(one, other, repeats, torch.Generator().manual_seed(0))
    edges = envelope(dealt.cpu(), INSIDE)
    rows = torch.cat([torch.tensor([values], dtype=torch.float64), edges.T])
    full = _fill(torch.tensor(measured, dtype=torch.float64), rows, frames).float()
    return Distances(full[0], full[1:].T, size)


def _fill(places: Tensor, rows: Tensor, frames: int) -> Tensor:
    """Values at every frame from those at some, by straight lines."""
    grid = torch.arange(frames, dtype=places.dtype)
    high = torch.searchsorted(places, grid).clamp(1, len(places) - 1)
    share = (grid - places[high - 1]) / (places[high] - places[high - 1])
    return torch.lerp(rows[:, high - 1], rows[:, high], share)
