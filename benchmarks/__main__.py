"""Run the races and write benchmarks/RESULTS.md: ``python -m benchmarks [NAME …]``.

Each race has a process of its own, and its result is kept in results.json, so that one race can be run again
without the others; RESULTS.md is made from that file.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.race import Result, goal_row, table

NAMES = (
    "steps", "oracle", "sampling", "likelihood", "startup", "payload", "motion", "images", "firstrow",
    "quality", "verdicts", "gpu_quality", "gpu_oracle", "gpu_images", "gpu_sampling", "gpu_steps",
)  # fmt: skip
GROUPS = {"gpu": tuple(name for name in NAMES if name.startswith("gpu_"))}
"""Names that stand for several races."""
#: In RESULTS.md.
ORDER = (
    "quality", "steps", "oracle", "sampling", "likelihood", "startup", "payload", "motion", "images",
    "firstrow", "verdicts", *GROUPS["gpu"],
)  # fmt: skip
HERE = Path(__file__).parent


def report(results: dict[str, Result]) -> str:
    """RESULTS.md: all goals first, then every race."""
    present = [name for name in ORDER if name in results]
    rows = [(results[name].title, *goal_row(goal)) for name in present for goal in results[name].goals]
    parts = [
        "# Results",
        "Written by `python -m benchmarks`. CPU time of one thread, contestants in turns, medians; trust a "
        "ratio to about a fifth.",
        table(("race", "goal", "measured", "met"), rows),
        *(results[name].markdown() for name in present),
    ]
    missing = [name for name in ORDER if name not in results]
    if missing:
        parts.append(f"Not run: {', '.join(missing)}.")
    return "\n\n".join(parts) + "\n"


def run(name: str, quick: bool) -> Result:
    """One race in its own process.

    Raises:
        subprocess.CalledProcessError: it failed; its own words are above.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "result.json"
        arguments = [sys.executable, "-m", f"benchmarks.{name}", "--json", str(file)]
        subprocess.run(
            [*arguments, *(["--quick"] if quick else [])],
            check=True,
            cwd=HERE.parent,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        return Result.from_dict(json.loads(file.read_text(encoding="utf-8")))


def main() -> int:
    """Run what was asked for; 1 if a race failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join((*NAMES, *GROUPS))}; all if none"
    )
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that all run")
    parser.add_argument("--out", type=Path, default=HERE, help="folder for RESULTS.md and results.json")
    options = parser.parse_args()
    names = [name for given in options.names or NAMES for name in GROUPS.get(given, (given,))]
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        parser.error(f"no race is called {unknown[0]!r}; there are {', '.join((*NAMES, *GROUPS))}")
    kept = options.out / "results.json"
    values = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    results = {name: Result.from_dict(value) for name, value in values.items()}
    failed = []
    for name in names:
        try:
            results[name] = run(name, options.quick)
        except subprocess.CalledProcessError:
            failed.append(name)
            continue
        kept.write_text(
            json.dumps(
                {n: json.loads(r.to_json()) for n, r in results.items()}, ensure_ascii=False, indent=1
            ),
            encoding="utf-8",
        )
        (options.out / "RESULTS.md").write_text(report(results), encoding="utf-8")
    if failed:
        print(f"Failed: {', '.join(failed)}.", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
