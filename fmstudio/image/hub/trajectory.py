"""How straight a sampled trajectory is, and how fast it moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fmstudio.image.hub.recorder import StepRecord


@dataclass(frozen=True)
class StepFigures:
    """One step in numbers.

    Args:
        sigma, sigma_next: t before and after.
        speed: root mean square of v over all numbers of the latents.
        bend: |(Z₁ − Z₀) − v|² / |Z₁ − Z₀|² at this step; 0 on a straight line at constant speed.
        seconds: what it took.
    """

    sigma: float
    sigma_next: float
    speed: float
    bend: float
    seconds: float


@dataclass(frozen=True)
class Trajectory:
    """A finished run in numbers.

    Args:
        steps: in the order they were taken.
        straightness: Σ (σ_k − σ_{k+1}) bend_k: the relative form of
            S = ∫₀¹ |(Z₁ − Z₀) − v(Z_t, t)|² dt over |Z₁ − Z₀|², by the rectangle rule of the steps
            themselves. 0 is a straight line; one step is 0 by construction, for Z₀ is then x̂₀.
    """

    steps: tuple[StepFigures, ...]
    straightness: float


def figures(records: Sequence[StepRecord]) -> Trajectory:
    """Numbers of a run that reached t = 0.

    Args:
        records: all its steps, at least one.

    Source of S: Liu, Gong & Liu 2022, arXiv:2209.03003, equation (5), divided here by |Z₁ − Z₀|².
    """
    if not records:
        raise ValueError("A trajectory has at least one step.")
    chord = records[0].x - records[-1].x_next
    length = float(chord.square().sum().clamp_min(1e-30))
    steps = tuple(
        StepFigures(
            sigma=record.sigma,
            sigma_next=record.sigma_next,
            speed=float(record.v.square().mean().sqrt()),
            bend=float((chord - record.v).square().sum()) / length,
            seconds=record.seconds,
        )
        for record in records
    )
    return Trajectory(steps, sum((step.sigma - step.sigma_next) * step.bend for step in steps))
