"""Log-likelihood with the exact divergence: one 256 × 4 net, our one-pass tangents against autograd."""

from __future__ import annotations

import torch
from flow_matching.solver import ODESolver
from torch import Tensor

from benchmarks.race import Goal, Result, finish, in_turns
from benchmarks.sampling import Reversed, one_net
from fmstudio.flow.densities.mixture import standard_normal
from fmstudio.flow.solve.likelihood import log_likelihood
from fmstudio.flow.solve.tableaux import EULER

QUICK = {"points": 50, "steps": 2, "rounds": 1, "width": 16}


def race(points: int = 10_000, steps: int = 10, rounds: int = 3, width: int = 256) -> Result:
    """Ours and flow_matching's ``compute_likelihood``, in turns.

    Args:
        points, steps: how many points, and Euler steps from data to noise.
        rounds: measured, after one to warm up.
        width: of the net.
    """
    field, plain = one_net(width, 4)
    solver, source = ODESolver(velocity_model=Reversed(plain)), standard_normal(2)
    x = torch.randn(points, 2, generator=torch.Generator().manual_seed(1))
    found: dict[str, Tensor] = {}

    def ours() -> None:
        found["fmstudio"] = log_likelihood(field, x, steps, EULER, source)

    def meta() -> None:
        # Their solver marks the points it is given as differentiable, so it gets a copy.
        _, log_p = solver.compute_likelihood(
            x_1=x.clone(), log_p0=source.log_density, step_size=1 / steps, method="euler",
            exact_divergence=True,
        )  # fmt: skip
        found["flow_matching"] = log_p

    def probed() -> None:
        solver.compute_likelihood(
            x_1=x.clone(), log_p0=source.log_density, step_size=1 / steps, method="euler"
        )

    random = "flow_matching, random probes (not exact)"
    times = in_turns({"fmstudio": ours, "flow_matching": meta, random: probed}, rounds)
    base = times["fmstudio"].median
    apart = float((found["fmstudio"] - found["flow_matching"]).abs().max())
    rows = tuple(
        (
            name,
            f"{1e3 * t.median / steps:.0f}",
            f"{t.median:.2f} ({t.low:.2f}–{t.high:.2f})",
            f"{t.median / base:.2f}",
        )
        for name, t in times.items()
    )
    ratio = times["flow_matching"].median / base
    return Result(
        "Likelihood",
        f"log p₀ of {points:,} points with the exact divergence, {steps} Euler steps, the same weights of "
        f"one {width} × 4 SiLU net on (x, t), float32, {rounds} rounds.",
        ("likelihood", "ms a step", "seconds", "time / ours"),
        rows,
        (Goal("≥ 1.4 × flow_matching's exact", f"{ratio:.2f} ×", ratio >= 1.4),),
        (f"The two exact answers differ by at most {apart:.1e}.",),
    )


if __name__ == "__main__":
    finish(race, QUICK, __doc__)
