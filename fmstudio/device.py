"""Where the studio computes: on a GPU where there is one, unless the environment says otherwise."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import TypeVar

import torch

S = TypeVar("S")
R = TypeVar("R")

CORES = torch.get_num_threads()
"""How many cores one piece of work may use: torch's own choice, or what ``OMP_NUM_THREADS`` says."""

_here = threading.local()


@contextmanager
def one_core() -> Generator[None, None, None]:
    """Let this thread's work with torch use one core.

    A small net's products are too short to share: two cores finish them no sooner, and where another program
    has one of the two, they wait for each other many times as long as they work.
    """
    if getattr(_here, "alone", False):
        yield
        return
    _here.alone = True
    torch.set_num_threads(1)
    try:
        yield
    finally:
        _here.alone = False
        torch.set_num_threads(CORES)


def on_one_core(work: Generator[S, None, R]) -> Generator[S, None, R]:
    """The same work, each step of it on one core; closing this closes the work."""
    try:
        while True:
            with one_core():
                shown = next(work)
            yield shown
    except StopIteration as end:
        return end.value
    finally:
        work.close()


def chosen_device(*, single_precision: bool = False) -> torch.device:
    """The device named by ``FMSTUDIO_DEVICE`` ("cpu", "cuda:1"), else the fastest that is there.

    Args:
        single_precision: whether float32 is enough for the work, so that Apple's GPU will do.

    Raises:
        ValueError: the variable names no device of this machine, or one that cannot do the work.
    """
    name = os.environ.get("FMSTUDIO_DEVICE", "")
    if not name:
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if single_precision and torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(
            f"FMSTUDIO_DEVICE: expected a device such as cpu or cuda:0; got {name!r}."
        ) from error
    count = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if (device.index or 0) >= count.get(device.type, 0):
        raise ValueError(f"FMSTUDIO_DEVICE is {name!r}, but this machine has no such device.")
    if device.type == "mps" and not single_precision:
        # Apple's GPU has no float64, which the exact answers need.
        return torch.device("cpu")
    return device


def has_bf16(device: torch.device) -> bool:
    """Whether bfloat16 is computed natively on this device (and so saves time)."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return device.type == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def finish(device: torch.device) -> None:
    """Wait until a GPU has done what this thread asked of it; elsewhere all is done already.

    Not the whole device: another visitor's graph may be in capture there, which forbids that.
    """
    if device.type == "cuda":
        torch.cuda.current_stream(device).synchronize()
