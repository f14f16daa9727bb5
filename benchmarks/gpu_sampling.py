"""Sampling and likelihood on a GPU: 10,000 particles through 100 Euler steps of one 256 × 4 net."""

from __future__ import annotations

from collections.abc import Callable

import torch
from flow_matching.solver import ODESolver
from torch import Tensor, nn
from torchdiffeq import odeint

from benchmarks.cuda import absent, card, device_of, kept, wall
from benchmarks.peers import one
from benchmarks.race import Goal, Result, finish
from benchmarks.sampling import Reversed, one_net
from fmstudio.flow.densities.mixture import standard_normal
from fmstudio.flow.paths.affine import Linear
from fmstudio.flow.regress.objectives import TARGETS
from fmstudio.flow.solve.likelihood import log_likelihood
from fmstudio.flow.solve.solvers import integrate, path_times
from fmstudio.flow.solve.tableaux import EULER
from fmstudio.learn.nets.net_field import NetField

QUICK = {"device": "cpu", "particles": 200, "steps": 3, "rounds": 1, "width": 16, "compiled": False}
TITLE = "Sampling and likelihood on a GPU"
GOALS = ("sampling ≥ 2 × flow_matching's ODESolver", "likelihood ≥ 1.4 × flow_matching's exact")
OURS, META, CFM, COMPILED = "fmstudio", "flow_matching", "torchdiffeq", "flow_matching, compiled net"


def race(
    device: str | None = None,
    particles: int = 10_000,
    steps: int = 100,
    rounds: int = 5,
    width: int = 256,
    compiled: bool = True,
) -> Result:
    """Ours, flow_matching's solver and torchdiffeq, in turns.

    Args:
        device: None for the first CUDA device; nothing is raced without one.
        particles, steps: what to carry, and how finely; a tenth of the steps for the likelihood.
        rounds: measured, after one to warm up.
        width: of the net.
        compiled: whether flow_matching's solver also runs with a compiled net.
    """
    about = (
        f"{particles:,} particles, the same weights of one {width} × 4 SiLU net on (x, t), {rounds} rounds, "
        "wall time. Apart: the largest difference to flow_matching's answer."
    )
    place = device_of(device)
    if place is None:
        return absent(TITLE, about, GOALS)
    ours, plain = one_net(width, 4)
    field, plain = NetField(ours.network.to(place), Linear(), TARGETS["v"]), plain.to(place)
    x = torch.randn(particles, 2, generator=torch.Generator().manual_seed(1)).to(place)
    few = max(1, steps // 10)
    rows: list[tuple[str, ...]] = []
    ratios: list[float] = []
    for job, contestants in (
        (f"{steps} Euler steps", _samplers(field, plain, x, steps, compiled)),
        (f"likelihood, exact divergence, {few} Euler steps", _likelihoods(field, plain, x, few)),
    ):
        ends: dict[str, Tensor] = {}
        times = wall({name: kept(ends, name, run) for name, run in contestants.items()}, rounds, place)
        base = times[OURS].median
        rows += [
            (job, name, f"{1e3 * t.median:.1f}", f"{t.median / base:.2f}",
             f"{float((ends[name] - ends[META]).abs().max()):.1e}")
            for name, t in times.items()
        ]  # fmt: skip
        ratios.append(times[META].median / base)
    return Result(
        TITLE,
        f"{about} On {card(place)}.",
        ("work", "whose", "ms", "time / ours", "apart"),
        tuple(rows),
        tuple(
            Goal(goal, f"{ratio:.2f} ×", ratio >= bound)
            for goal, ratio, bound in zip(GOALS, ratios, (2.0, 1.4), strict=True)
        ),
    )


def _samplers(
    field: NetField, plain: nn.Sequential, x: Tensor, steps: int, compiled: bool
) -> dict[str, Callable[[], Tensor]]:
    down = torch.linspace(1, 0, steps + 1, device=x.device)

    def velocity(t: Tensor, y: Tensor) -> Tensor:
        return plain(torch.cat([y, t.expand(len(y), 1)], 1))

    def by_odeint() -> Tensor:
        with torch.no_grad():
            return one(odeint(velocity, x, down, method="euler")[-1])

    def by_solver(net: nn.Module) -> Callable[[], Tensor]:
        solver = ODESolver(velocity_model=Reversed(net))
        return lambda: one(solver.sample(x_init=x, step_size=1 / steps, method="euler"))

    times = path_times(steps).to(x)
    found = {
        OURS: lambda: integrate(field, x, times, EULER, record=False).end,
        META: by_solver(plain),
        CFM: by_odeint,
    }
    if compiled:
        # What is compiled is called like a module; its stub does not say so.
        net: nn.Module = torch.compile(plain)  # pyright: ignore[reportAssignmentType]
        found[COMPILED] = by_solver(net)
    return found


def _likelihoods(
    field: NetField, plain: nn.Sequential, x: Tensor, steps: int
) -> dict[str, Callable[[], Tensor]]:
    source = standard_normal(2).to(x.device)
    solver = ODESolver(velocity_model=Reversed(plain))

    def meta() -> Tensor:
        # Their solver marks the points it is given as differentiable, so it gets a copy.
        return solver.compute_likelihood(
            x_1=x.clone(), log_p0=source.log_density, step_size=1 / steps, method="euler",
            exact_divergence=True,
        )[1]  # fmt: skip

    return {OURS: lambda: log_likelihood(field, x, steps, EULER, source), META: meta}


if __name__ == "__main__":
    finish(race, QUICK, __doc__)
