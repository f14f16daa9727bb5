"""Running out of memory: how to know it, and how to give memory back."""

from __future__ import annotations

import gc
import traceback

import torch


def release_memory() -> None:
    """Give back what nobody holds any more, on every kind of device."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif torch.xpu.is_available():
        torch.xpu.empty_cache()
    elif torch.backends.mps.is_available():
        torch.mps.empty_cache()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on an accelerator or in RAM.

    torch has a class of its own for accelerators; for RAM it raises a RuntimeError of its CPU allocator.
    """
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and (
        "DefaultCPUAllocator" in str(error) or "out of memory" in str(error).lower()
    )


def forget_frames(error: BaseException) -> None:
    """Let go of what the frames of an error's traceback still hold, such as a network's activations.

    Args:
        error: one that was caught; its traceback still names files and lines afterwards.
    """
    seen: BaseException | None = error
    while seen is not None:
        traceback.clear_frames(seen.__traceback__)
        seen = seen.__cause__ or seen.__context__
