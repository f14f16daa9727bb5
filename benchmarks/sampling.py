"""Sampling: 10,000 particles through 100 Euler steps of one 256 × 4 net."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import torch
from flow_matching.solver import ODESolver
from flow_matching.utils import ModelWrapper
from torch import Tensor, nn
from torchdiffeq import odeint

from benchmarks.peers import one
from benchmarks.race import Goal, Result, finish, in_turns
from fmstudio.flow.paths.affine import Linear
from fmstudio.flow.regress.objectives import TARGETS
from fmstudio.flow.solve.solvers import integrate, path_times
from fmstudio.flow.solve.tableaux import EULER, RK4, Tableau
from fmstudio.learn.nets.net_field import NetField
from fmstudio.learn.nets.networks import Network, Shape

QUICK = {"particles": 200, "steps": 3, "rounds": 1, "width": 16}


def one_net(width: int, depth: int) -> tuple[NetField, nn.Sequential]:
    """The same random weights twice: as our field, and as a plain stack of linear layers on (x, t)."""
    generator = torch.Generator().manual_seed(0)
    network = Network(Shape(2, width, depth, fourier=0), generator)
    network.matrices[-1].copy_(torch.randn(2, width + 1, generator=generator) / width**0.5)
    parts: list[nn.Module] = []
    for matrix in network.matrices:
        layer = nn.Linear(matrix.shape[1] - 1, len(matrix))
        layer.load_state_dict({"weight": matrix[:, :-1].clone(), "bias": matrix[:, -1].clone()})
        parts += [layer, nn.SiLU()]
    return NetField(network, Linear(), TARGETS["v"]), nn.Sequential(*parts[:-1])


class Reversed(ModelWrapper):
    """The plain net on flow_matching's clock s = 1 − t, where data is at 1: dx/ds = −v(x, 1 − s)."""

    def forward(self, x: Tensor, t: Tensor, **extras: object) -> Tensor:
        """The velocity at points (n, 2) and one time s."""
        return -self.model(torch.cat([x, (1 - t).expand(len(x), 1)], 1))


def end_in_float64(plain: nn.Sequential, x: Tensor, steps: int, method: Tableau) -> Tensor:
    """Where the plain net's flow carries the particles in float64.

    Args:
        plain: the net on (x, t); it is left in float32.
        x: at t = 1, shape (n, 2).
        steps, method: of the solver.
    """
    fine = copy.deepcopy(plain).double()
    with torch.no_grad():
        return integrate(
            lambda y, t: fine(torch.cat([y, t.expand(len(y), 1)], 1)),
            x.double(), path_times(steps, dtype=torch.float64), method, record=False,
        ).end  # fmt: skip


def race(particles: int = 10_000, steps: int = 100, rounds: int = 3, width: int = 256) -> Result:
    """Ours, flow_matching's solver and torchdiffeq, in turns.

    Args:
        particles, steps: what to carry, and how finely.
        rounds: measured, after one to warm up.
        width: of the net.
    """
    field, plain = one_net(width, 4)
    solver = ODESolver(velocity_model=Reversed(plain))
    x = torch.randn(particles, 2, generator=torch.Generator().manual_seed(1))
    down = torch.linspace(1, 0, steps + 1)
    ends: dict[str, Tensor] = {}

    def ours(name: str, field: NetField) -> Callable[[], None]:
        def run() -> None:
            ends[name] = integrate(field, x, path_times(steps), EULER, record=False).end

        return run

    def meta() -> None:
        ends["flow_matching ODESolver"] = one(solver.sample(x_init=x, step_size=1 / steps, method="euler"))

    def plain_odeint() -> None:
        def velocity(t: Tensor, y: Tensor) -> Tensor:
            return plain(torch.cat([y, t.expand(len(y), 1)], 1))

        with torch.no_grad():
            ends["torchdiffeq odeint"] = one(odeint(velocity, x, down, method="euler")[-1])

    coarse, peer = "fmstudio, bfloat16 products", "flow_matching ODESolver"
    contestants = {
        "fmstudio": ours("fmstudio", field),
        coarse: ours(coarse, replace(field, products=torch.bfloat16)),
        peer: meta,
        "torchdiffeq odeint": plain_odeint,
    }
    times = in_turns(contestants, rounds)
    base = times["fmstudio"].median
    exact, same_steps = (end_in_float64(plain, x, steps, method) for method in (RK4, EULER))
    errors = {name: float((end.double() - exact).square().sum(1).mean().sqrt()) for name, end in ends.items()}
    rows = tuple(
        (
            name, f"{1e3 * t.median / steps:.1f}", f"{t.median:.2f} ({t.low:.2f}–{t.high:.2f})",
            f"{t.median / base:.2f}", f"{errors[name]:.2e}",
            f"{float((ends[name].double() - same_steps).abs().max()):.1e}",
        )
        for name, t in times.items()
    )  # fmt: skip
    goals: list[Goal] = []
    for name in ("fmstudio", coarse):
        faster, worse = times[peer].median / times[name].median, errors[name] / errors[peer]
        goal = f"≥ 2 × flow_matching's ODESolver at equal error, {name}"
        goals.append(Goal(goal, f"{faster:.2f} ×, error {worse:.2f} of its", faster >= 2 and worse <= 1.05))
    return Result(
        "Sampling",
        f"{particles:,} particles, {steps} Euler steps, the same weights of one {width} × 4 SiLU net on "
        f"(x, t), {rounds} rounds. Error: root mean squared distance to the end of the net's exact flow (RK4 "
        "in float64); rounding: largest difference to the same Euler steps in float64.",
        ("sampler", "ms a step", "seconds", "time / ours", "error", "rounding"),
        rows,
        tuple(goals),
        (
            "The net itself is nearly all of the work; the solvers cost 0.1–0.2 ms a step.",
            "Equal error: within a twentieth. Euler's own error covers the rounding of bfloat16 products.",
        ),
    )


if __name__ == "__main__":
    finish(race, QUICK, __doc__)
