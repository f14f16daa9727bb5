"""What the races on a CUDA device share: their clock, their device, and how busy it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from benchmarks.race import Goal, Result, Times, in_turns

ABSENT = "this machine has no CUDA device"


def device_of(name: str | None) -> torch.device | None:
    """The device named, or the first CUDA device; None where there is none."""
    if name is not None:
        return torch.device(name)
    return torch.device("cuda") if torch.cuda.is_available() else None


def absent(title: str, about: str, goals: Sequence[str]) -> Result:
    """The result of a race that needs a CUDA device, on a machine without one."""
    return Result(title, about, ("",), ((ABSENT,),), tuple(Goal(goal, ABSENT, None) for goal in goals))


def card(device: torch.device) -> str:
    """The device's name, for a table's heading."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "the CPU, as a rehearsal"


def wait(device: torch.device) -> None:
    """Wait for all that was asked of the device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def wall(
    contestants: Mapping[str, Callable[[], object]], rounds: int, device: torch.device
) -> dict[str, Times]:
    """Wall time of every contestant, in turns, each until the device has done it (see ``in_turns``)."""

    def clock() -> float:
        wait(device)
        return time.perf_counter()

    return in_turns(contestants, rounds, clock)


def kept(ends: dict[str, Tensor], name: str, run: Callable[[], Tensor]) -> Callable[[], None]:
    """The run, whose answer is put under a name to be compared with others."""

    def runs() -> None:
        ends[name] = run().detach()

    return runs


def idle_share(run: Callable[[], object], seconds: float, device: torch.device) -> str:
    """The share of ``seconds`` of wall time in which no kernel ran.

    The kernels' own times come from a second run under torch's profiler, which slows launches, not kernels.

    Args:
        run: what took ``seconds``, warmed up.
        seconds: measured without the profiler.
        device: that it runs on.
    """
    if device.type != "cuda":
        return "–"
    with profile(activities=[ProfilerActivity.CUDA], acc_events=True) as seen:
        run()
        wait(device)
    busy = sum(event.self_device_time_total for event in seen.key_averages()) / 1e6
    return f"{max(0.0, 1 - busy / seconds):.0%}" if busy else "not measured"
