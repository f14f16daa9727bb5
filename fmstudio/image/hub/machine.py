"""What this computer has, measured: accelerators, memory, disk, number formats; and when memory runs out."""

from __future__ import annotations

import importlib.util
import shutil
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from fmstudio.device import has_bf16

GIB = 2**30


def gib(count: int) -> str:
    """Bytes in words."""
    return f"{count / GIB:.1f} GiB"


@dataclass(frozen=True)
class Accelerator:
    """One device with memory of its own, or Apple's, which shares the machine's.

    Args:
        kind: as torch names it: "cuda" (also AMD's), "xpu" or "mps".
        index: among the devices of its kind.
        name: what the driver calls it.
        total, free: memory in bytes.
        bf16: whether it computes in bfloat16 natively.
    """

    kind: str
    index: int
    name: str
    total: int
    free: int
    bf16: bool

    @property
    def device(self) -> str:
        """Its name for torch."""
        return self.kind if self.kind == "mps" else f"{self.kind}:{self.index}"


@dataclass(frozen=True)
class Machine:
    """One computer.

    Args:
        ram_total, ram_free: main memory in bytes.
        disk_free: bytes free where downloads go.
        accelerators: each of them, all of one kind.
        cpu_bf16: whether the processor computes in bfloat16 natively.
        quantiser: whether bitsandbytes is installed.
    """

    ram_total: int
    ram_free: int
    disk_free: int
    accelerators: tuple[Accelerator, ...] = ()
    cpu_bf16: bool = False
    quantiser: bool = False

    def describe(self) -> str:
        """One line for the page."""
        devices = [f"{a.name}, {a.free / GIB:.1f} of {a.total / GIB:.1f} GiB free" for a in self.accelerators]
        return " · ".join(
            [
                "; ".join(devices) or "no accelerator",
                f"{self.ram_free / GIB:.1f} of {self.ram_total / GIB:.1f} GiB of memory free",
                f"{self.disk_free / GIB:.0f} GiB of disk free",
            ]
        )


def measure_machine(downloads: Path) -> Machine:
    """Look at this computer now, and at the disk of a folder that need not exist yet."""
    folder = downloads
    while not folder.exists():
        folder = folder.parent
    total, free = _memory()
    return Machine(
        ram_total=total,
        ram_free=free,
        disk_free=shutil.disk_usage(folder).free,
        accelerators=tuple(_accelerators(free)),
        cpu_bf16=has_bf16(torch.device("cpu")),
        quantiser=importlib.util.find_spec("bitsandbytes") is not None,
    )


def _memory() -> tuple[int, int]:
    """RAM in all and free, no more than a container's limit."""
    import psutil

    memory = psutil.virtual_memory()
    total, free = memory.total, memory.available
    limit, used = (_number(f"/sys/fs/cgroup/memory.{name}") for name in ("max", "current"))
    if limit is not None and limit < total:
        total, free = limit, min(free, max(limit - (used or 0), 0))
    return total, free


def _number(path: str) -> int | None:
    try:
        return int(Path(path).read_text("ascii"))
    except (OSError, ValueError):
        return None


def _accelerators(ram_free: int) -> Iterator[Accelerator]:
    kind = next((kind for kind in ("cuda", "xpu") if getattr(torch, kind).is_available()), "")
    if not kind and torch.backends.mps.is_available():
        limit = int(torch.mps.recommended_max_memory())
        yield Accelerator("mps", 0, "Apple GPU", limit, min(limit, ram_free), True)
    if kind:
        module = torch.get_device_module(kind)
        for index in range(module.device_count()):
            free, total = module.mem_get_info(index)
            old = kind == "cuda" and not torch.version.hip and module.get_device_capability(index)[0] < 8
            yield Accelerator(kind, index, module.get_device_name(index), total, free, not old)


def release_memory() -> None:
    """Give back what nobody holds any more, on every kind of device."""
    from accelerate.utils.memory import clear_device_cache

    clear_device_cache(garbage_collection=True)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on an accelerator or in RAM."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    # without a class of its own: torch's CPU allocator, Apple's GPU
    said = str(error).lower()
    return isinstance(error, RuntimeError) and ("defaultcpuallocator" in said or "out of memory" in said)


def forget_frames(error: BaseException) -> None:
    """Let go of what the frames of a caught error still hold, such as a network's activations."""
    seen: BaseException | None = error
    while seen is not None:
        traceback.clear_frames(seen.__traceback__)
        seen = seen.__cause__ or seen.__context__
