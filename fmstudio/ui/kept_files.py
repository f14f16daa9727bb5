"""What is written for visitors goes after a while; what the page itself shows stays."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import gradio as gr

from fmstudio.ui.element import script_file

EVERY, KEPT = 1_800.0, 21_600.0
"""Every so many seconds, files that were made for visitors this many seconds ago are deleted.

A browser takes its scene, of about 1 MB, at once and not again. A hundred visitors with an edit every two
minutes leave 20 GB in this time, which a Space's disk holds.
"""


def start(folder: Path, page: gr.Blocks, stop: threading.Event | None = None) -> threading.Thread:
    """Sweep the folder now and then, in a quiet thread that ends with the process.

    Gradio's own deletion (``delete_cache``) knows only the files of the parts that the page was built with;
    an update puts another in the place of each, and its files would stay.

    Args:
        folder: of this process, with everything that is written for visitors.
        page: whose opening files stay.
        stop: ends the thread when it is set.
    """
    staying, over = opening_files(page), stop or threading.Event()

    def work() -> None:
        while not over.wait(EVERY):
            sweep(folder, staying)

    thread = threading.Thread(target=work, name="old files", daemon=True)
    thread.start()
    return thread


def opening_files(page: gr.Blocks) -> set[Path]:
    """What the page shows before anybody has asked for anything, and its script."""
    shown = {
        Path(file).resolve() for part in page.blocks.values() for file in getattr(part, "keep_in_cache", ())
    }
    return shown | {script_file()}


def sweep(folder: Path, staying: set[Path], age: float = KEPT, now: float | None = None) -> None:
    """Delete what was written or asked for longer ago than an age, and folders that are empty since then.

    Args:
        folder: whose content is looked at, whatever its depth.
        staying: files that stay.
        age: in seconds.
        now: the time of day, as ``time.time`` has it; that of the clock without one.
    """
    before = (time.time() if now is None else now) - age
    for found in sorted(
        folder.resolve().rglob("*"), reverse=True
    ):  # What is in a folder comes before the folder.
        try:
            # A copy has the time of its original, but its place on the disk is new.
            at = found.stat()
            if found in staying or max(at.st_ctime, at.st_mtime) > before:
                continue
            if found.is_dir():
                found.rmdir()
            else:
                found.unlink()
        except OSError:
            continue  # Gone already, in use (Windows), or a folder that is not empty.
