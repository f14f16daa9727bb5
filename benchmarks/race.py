"""How a race is run and reported: CPU time of the process, in turns, medians, ratios, goals.

CPU time does not grow while other programs have the processor, so a ratio of medians holds on a busy machine
too; caches and clock speed are still shared, so trust ratios to about a fifth.
"""

from __future__ import annotations

import argparse
import gc
import importlib.metadata
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

torch.set_num_threads(1)

PACKAGES = (
    "torch", "numpy", "POT", "gradio", "plotly", "diffusers", "flow_matching", "torchcfm", "torchdiffeq",
)  # fmt: skip


@dataclass(frozen=True)
class Goal:
    """A goal and what became of it.

    Args:
        goal: what was asked for.
        measured: what was found.
        met: whether that is enough; None where this race cannot tell.
    """

    goal: str
    measured: str
    met: bool | None


@dataclass(frozen=True)
class Result:
    """The outcome of one race.

    Args:
        title: its name.
        about: what raced, in a few sentences.
        columns, rows: the table; every cell is a text.
        goals: what was hoped for.
        notes: what a reader should know before quoting a number.
        made: when and on what machine.
    """

    title: str
    about: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    goals: tuple[Goal, ...] = ()
    notes: tuple[str, ...] = ()
    made: str = ""

    def to_json(self) -> str:
        """The result as JSON text."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1)

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> Result:
        """Read back what :meth:`to_json` wrote, parsed."""
        return Result(
            title=values["title"],
            about=values["about"],
            columns=tuple(values["columns"]),
            rows=tuple(tuple(row) for row in values["rows"]),
            goals=tuple(Goal(**goal) for goal in values["goals"]),
            notes=tuple(values["notes"]),
            made=values["made"],
        )

    def markdown(self) -> str:
        """Heading, table, goals and notes."""
        parts = [f"## {self.title}", self.about, table(self.columns, self.rows)]
        if self.goals:
            parts.append(table(("goal", "measured", "met"), [goal_row(goal) for goal in self.goals]))
        if self.notes:
            parts.append("\n".join(f"- {note}" for note in self.notes))
        parts.append(f"*{self.made}*")
        return "\n\n".join(parts)


@dataclass(frozen=True)
class Times:
    """Seconds of one contestant over the rounds."""

    median: float
    low: float
    high: float

    def milliseconds(self) -> str:
        """The median in ms, with the range of the rounds."""
        return f"{1e3 * self.median:.3g} ({1e3 * self.low:.3g}–{1e3 * self.high:.3g})"


def goal_row(goal: Goal) -> tuple[str, str, str]:
    """A row of the table of goals."""
    return goal.goal, goal.measured, {True: "yes", False: "**no**", None: "not decided here"}[goal.met]


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def in_turns(
    contestants: Mapping[str, Callable[[], object]],
    rounds: int,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, Times]:
    """Run every contestant once to warm up and then ``rounds`` times, A B A B, without garbage collection.

    Args:
        contestants: what to run, by name.
        rounds: how often, ≥ 1.
        clock: in seconds; the CPU time of the process by default.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    gc.collect()
    gc.disable()
    try:
        for turn in range(rounds + 1):
            for name, run in contestants.items():
                start = clock()
                run()
                if turn:
                    seconds[name].append(clock() - start)
    finally:
        gc.enable()
    return {name: Times(statistics.median(s), min(s), max(s)) for name, s in seconds.items()}


def machine() -> str:
    """When, on what processor, with what versions."""
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    versions = ", ".join(f"{name} {_version(name)}" for name in PACKAGES)
    load = f", load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{when}; {_processor()}{load}; Python {platform.python_version()}, {versions}"


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    model = platform.processor() or platform.machine()
    if file.exists():
        names = [line.split(":")[1].strip() for line in file.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    vectors = torch.backends.cpu.get_cpu_capability()
    return f"{model} ({vectors}), {os.cpu_count()} cores, {platform.system()}"


def finish(run: Callable[..., Result], quick: Mapping[str, Any], about: str | None) -> None:
    """Run a race from the command line and print its table.

    Args:
        run: the race; its keywords are sizes.
        quick: the sizes for ``--quick``.
        about: for ``--help``.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--json", type=Path, default=None, help="write the result to this file too")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs")
    options = parser.parse_args()
    made = machine()
    result = replace(run(**quick) if options.quick else run(), made=made)
    print(result.markdown())
    if options.json is not None:
        options.json.write_text(result.to_json(), encoding="utf-8")
