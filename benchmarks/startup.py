"""Start-up: ``python app.py --no-browser`` to the first page served, against importing torch and gradio."""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from benchmarks.race import Goal, Result, finish

ROOT = Path(__file__).parents[1]
APP = ("app.py", "--no-browser", "--port")
IMPORTS = "import torch, gradio"
QUICK = {"app": ("-m", "http.server"), "imports": "import json", "rounds": 1}
#: Seconds after which a page that is not served is an error.
PATIENCE = 180.0


def race(app: Sequence[str] = APP, imports: str = IMPORTS, rounds: int = 3) -> Result:
    """Import and start, in turns, each in a new process.

    Args:
        app: arguments of Python that serve a page; the port comes last.
        imports: a line that imports and ends.
        rounds: measured, after one to warm up the file cache.
    """
    imported: list[tuple[float, float]] = []
    served: list[tuple[float, float]] = []
    for turn in range(rounds + 1):
        first, second = run_imports(imports), run_app(app)
        if turn:
            imported.append(first)
            served.append(second)
    wall, cpu = (
        [statistics.median(times) for times in ((s[k] for s in imported), (s[k] for s in served))]
        for k in (0, 1)
    )
    both = wall[1] / wall[0], cpu[1] / cpu[0]
    return Result(
        "Start-up",
        f"A new Python process each time, {rounds} rounds: `{imports}` to its end, and "
        f"`python {' '.join(app)} …` to the first page that answers a GET with all its bytes.",
        ("what", "wall, s", "CPU, s"),
        (
            (f"`{imports}`", f"{wall[0]:.2f}", f"{cpu[0]:.2f}"),
            ("first page served", f"{wall[1]:.2f}", f"{cpu[1]:.2f}"),
            ("ratio", f"{both[0]:.2f}", f"{both[1]:.2f}"),
        ),
        (
            Goal("≤ 1.2 × the time of importing torch and gradio", f"wall {both[0]:.2f} ×", both[0] <= 1.2),
            Goal("the same in CPU time", f"{both[1]:.2f} ×", both[1] <= 1.2),
        ),
        ("Wall time means little while other programs have the processor: see the load average below.",),
    )


def run_imports(imports: str) -> tuple[float, float]:
    """Wall and CPU seconds of a process that only imports."""
    # Tearing the interpreter down again is no part of importing.
    line = f"{imports}\nimport os\nos._exit(0)"
    start = time.perf_counter()
    child = subprocess.Popen([sys.executable, "-c", line], cwd=ROOT)
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"'{imports}' ended with {child.returncode}.")
    return wall, usage.ru_utime + usage.ru_stime


def run_app(app: Sequence[str]) -> tuple[float, float]:
    """Wall and CPU seconds of a server until its first page has been read.

    Raises:
        RuntimeError: it ended, or served nothing in time.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, *app, str(port)], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while True:
            if _answers(f"http://127.0.0.1:{port}/"):
                return time.perf_counter() - start, _cpu_seconds(child.pid)
            if child.poll() is not None:
                raise RuntimeError(f"{' '.join(app)} ended with {child.returncode} before it served a page.")
            if time.perf_counter() - start > PATIENCE:
                raise RuntimeError(f"{' '.join(app)} served no page within {PATIENCE:.0f} s.")
            time.sleep(0.01)
    finally:
        child.terminate()
        child.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as page:
            return page.status == 200 and len(page.read()) > 0
    except (urllib.error.URLError, ConnectionError):
        return False


def _cpu_seconds(pid: int) -> float:
    """User and system seconds of a running process, from Linux's /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    finish(race, QUICK, __doc__)
