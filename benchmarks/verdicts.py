"""How often a verdict of the note is wrong: claims × experiments × seeds, as they should be and broken.

A verdict is wrong where a claim that is true fails, or a broken one holds. Declining is neither: it is
counted by itself. Every verdict is kept in a file of JSON lines, so that a run that was stopped goes on where
it was, and a second one with more seeds only adds to it.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

if importlib.util.find_spec("PIL") is None:
    # The claims read no pictures, so a bare machine can run them.
    sys.modules["PIL"] = MagicMock()

import torch
from scipy.special import betaincinv

from benchmarks.race import Goal, Result, machine
from fmstudio.learn.experiment import Experiment
from fmstudio.note import CLAIMS
from fmstudio.note.claim import RATE
from fmstudio.note.report import measured

Line = dict[str, Any]

QUICK: dict[str, Any] = {"seeds": (0, 1), "claims": ("C4",), "broken": 1, "processes": 1}

EXPERIMENTS: dict[str, tuple[dict[str, Any], ...]] = {
    "default": ({},),
    "usual": (
        {"path": "spherical", "data": "moons"},
        {"path": "variance preserving", "data": "two spirals"},
        {"path": "bow", "data": "mixture"},
        {"data": "line mixture"},
        {"path": "latent", "data": "checkerboard"},
    ),
    "extremes": (
        *({"path": "variance preserving", "beta1": b} for b in (1, 5, 40)),
        {"path": "variance preserving", "beta0": 5, "beta1": 5},
        {"path": "variance preserving", "beta0": 0.01, "beta1": 1},
        *({"path": "polynomial", "power": n} for n in (1, 8)),
        {"path": "custom"},
        *({"path": "bow", "bend": k} for k in (-2, -1.3, 0, 2)),
        *({"path": "spiral", "turn": k} for k in (-6.28, 0, 4, 6.28)),
        *({"path": "latent", "strength": k, "around": "linear"} for k in (0.01, 1.7, 2)),
        *({"path": "latent", "strength": 2, "around": p} for p in ("spherical", "variance preserving")),
        *({"path": "zig-zag", "around": p} for p in ("spherical", "variance preserving")),
        *({"source": source} for source in ("two gaussians", "8 gaussians")),
        {"source": "two gaussians", "path": "latent", "strength": 2},
        {"data": "line mixture", "path": "polynomial", "power": 8},
        {"data": "line mixture", "path": "variance preserving", "beta1": 1},
        {"data": "line mixture", "path": "latent", "strength": 2},
        {"data": "line mixture", "source": "two gaussians"},
        *({"data": data} for data in ("two spirals", "checkerboard", "mixture", "rings")),
    ),
}
"""Named lists of experiments: the default one, others that people choose, and the ends of all sliders."""


def jobs(
    experiments: Sequence[dict[str, Any]], claims: Sequence[str], seeds: range, broken: int
) -> Iterator[Line]:
    """What there is to run, seed by seed; the switch is on for the first ``broken`` seeds only."""
    for k, seed in enumerate(seeds):
        for changes, number in product(experiments, claims):
            for spoilt in (False, True) if k < broken else (False,):
                yield {"experiment": changes, "claim": number, "seed": seed, "broken": spoilt}


def key(line: Line) -> str:
    """What a verdict is of."""
    return json.dumps([line["experiment"], line["claim"], line["seed"], line["broken"]], sort_keys=True)


def judge(job: Line) -> Line:
    """Run one claim; the line that is kept."""
    began = time.process_time()
    result = measured(job["claim"], Experiment(**job["experiment"], seed=job["seed"]), job["broken"])
    outcome: Line = {**job, "seconds": round(time.process_time() - began, 2)}
    if result.verdict is None:
        return {**outcome, "verdict": "declined", "words": result.refusal, "numbers": []}
    numbers = [
        [c.name, c.relation, c.predicted, c.slack, c.measured, c.error, c.room, c.distance, c.holds]
        for c in result.verdict.checks
    ]
    verdict = "holds" if result.verdict.holds else "fails"
    return {**outcome, "verdict": verdict, "words": result.verdict.sentence, "numbers": numbers}


def wrong(line: Line) -> bool:
    """A true claim that fails, or a broken one that holds."""
    return line["verdict"] == ("holds" if line["broken"] else "fails")


def interval(count: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Of the probability behind ``count`` among n (Clopper & Pearson 1934)."""
    tail = (1 - level) / 2
    low = float(betaincinv(count, n - count + 1, tail)) if count else 0.0
    high = float(betaincinv(count + 1, n - count, 1 - tail)) if count < n else 1.0
    return low, high


def _share(count: int, n: int) -> str:
    if n == 0:
        return "–"
    low, high = interval(count, n)
    return f"{count} of {n} = {100 * count / n:.2f} % ({100 * low:.2f}–{100 * high:.2f})"


def reports(lines: Sequence[Line], claims: Sequence[str]) -> tuple[int, int]:
    """Reports with a wrong red verdict, and all whose claims were all run."""
    found: dict[str, list[Line]] = {}
    for line in lines:
        if not line["broken"]:
            found.setdefault(json.dumps([line["experiment"], line["seed"]], sort_keys=True), []).append(line)
    whole = [group for group in found.values() if len(group) == len(claims)]
    return sum(any(map(wrong, group)) for group in whole), len(whole)


def summary(lines: Sequence[Line], claims: Sequence[str], about: str) -> Result:
    """The table of claims, and the rate of wrong reports."""
    rows = []
    for number in claims:
        cells = [number]
        for broken in (False, True):
            mine = [line for line in lines if line["claim"] == number and line["broken"] is broken]
            told = Counter(line["verdict"] for line in mine)
            judged = len(mine) - told["declined"]
            cells += [_share(told["holds" if broken else "fails"], judged), f"{told['declined']}"]
        seconds = [line["seconds"] for line in lines if line["claim"] == number]
        rows.append((*cells, f"{sum(seconds) / max(1, len(seconds)):.1f}"))
    red, whole = reports(lines, claims)
    twins = [line for line in lines if line["broken"] and line["verdict"] != "declined"]
    held = sum(map(wrong, twins))
    return Result(
        "Verdicts of the note",
        about,
        ("claim", "true, yet fails (95 %)", "declined", "broken, yet holds (95 %)", "declined", "CPU s"),
        tuple(rows),
        (
            Goal(f"reports with a false red ≤ 1 % (the rate asked for is {100 * RATE:g} %)",
                 _share(red, whole), red <= 0.01 * whole if whole else None),
            Goal("broken twins that hold: none", _share(held, len(twins)), held == 0 if twins else None),
        ),
        tuple(
            f"{json.dumps(line['experiment'])} seed {line['seed']} {line['claim']}"
            f"{' broken' if line['broken'] else ''}: {line['words']}"
            for line in lines if wrong(line)
        ),
    )  # fmt: skip


def run(todo: Sequence[Line], store: Path, processes: int, minutes: float) -> None:
    """Work through the jobs, each verdict written as it comes, until all are done or the time is up."""
    if not todo:
        return
    end = time.monotonic() + 60 * minutes
    pool = multiprocessing.get_context("spawn").Pool(processes, torch.set_num_threads, (1,))
    with pool, store.open("a", encoding="utf-8") as file:
        found = pool.imap_unordered(judge, todo)
        for done in range(1, len(todo) + 1):
            try:
                line = found.next(max(0.0, end - time.monotonic()))
            except multiprocessing.TimeoutError:
                break
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            file.flush()
            sign = "WRONG " if wrong(line) else ""
            print(f"{done}/{len(todo)} {sign}{key(line)} {line['verdict']} {line['seconds']} s", flush=True)
        pool.terminate()


def kept(store: Path, wanted: Sequence[Line]) -> list[Line]:
    """The verdicts in the file that were asked for."""
    if not store.exists():
        return []
    names = {key(job) for job in wanted}
    lines = [json.loads(text) for text in store.read_text(encoding="utf-8").splitlines()]
    return list({key(line): line for line in lines if key(line) in names}.values())


def race(
    seeds: tuple[int, int] = (0, 20),
    claims: Sequence[str] = tuple(CLAIMS),
    experiments: str = "default",
    broken: int = 2,
    processes: int | None = None,
    minutes: float = 600.0,
    store: Path | None = None,
) -> Result:
    """Run what was asked for and is not yet in the file; the rates.

    Args:
        seeds: first, and the one after the last.
        claims: their numbers.
        experiments: a list of ``EXPERIMENTS``, or a JSON file with a list of objects of fields.
        broken: how many of the seeds run with the switch on as well.
        processes: at once; all cores without one.
        minutes: stop after so long; a second run with the same file goes on.
        store: the file of verdicts; without one nothing is kept.
    """
    listed = EXPERIMENTS.get(experiments) or json.loads(Path(experiments).read_text(encoding="utf-8"))
    wanted = [*jobs(listed, claims, range(*seeds), broken)]
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        file = store or Path(folder) / "verdicts.jsonl"
        done = {key(line) for line in kept(file, wanted)}
        run([job for job in wanted if key(job) not in done], file, processes or os.cpu_count() or 1, minutes)
        lines = kept(file, wanted)
    about = (
        f"Seeds {seeds[0]} to {seeds[1] - 1} of the experiments “{experiments}” ({len(listed)}); the switch "
        f"was on for {broken} of the seeds. {len(lines)} of {len(wanted)} verdicts are in."
    )
    return summary(lines, claims, about)


def main() -> None:
    """The race from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs=2, default=(0, 20), metavar=("FROM", "TO"))
    parser.add_argument("--claims", nargs="*", default=tuple(CLAIMS), choices=[*CLAIMS], metavar="C1")
    named = f"{', '.join(EXPERIMENTS)}, or a JSON file: a list of objects of fields"
    parser.add_argument("--experiments", default="default", help=named)
    parser.add_argument("--broken", type=int, default=2, help="seeds that also run with the switch on")
    parser.add_argument("--processes", type=int)
    parser.add_argument("--minutes", type=float, default=600.0, help="stop after so long; go on with a rerun")
    parser.add_argument("--store", type=Path, help="the file of verdicts; without one nothing is resumed")
    parser.add_argument("--json", type=Path, help="write the result to this file too")
    parser.add_argument("--quick", action="store_true", help="one cheap claim, to see that it runs")
    options = vars(parser.parse_args())
    written, quick = options.pop("json"), options.pop("quick")
    result = replace(race(**(options | QUICK if quick else options)), made=machine())
    print(result.markdown())
    if written is not None:
        written.write_text(result.to_json(), encoding="utf-8")


if __name__ == "__main__":
    main()
