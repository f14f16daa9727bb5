"""Whether a model fits on a machine, and how: a pure function from what was measured to what to do.

The ways are tried from the fastest to the slowest, and the first that fits is taken:

| way | where the weights are | what it costs |
| --- | --- | --- |
| resident | all on one accelerator | nothing |
| balanced | whole networks spread over several accelerators | nothing much |
| model offload | in RAM; one network at a time on the accelerator | moving each once an image |
| quantised | on one accelerator in 8 or 4 bits | a little quality |
| group offload | in RAM; one block at a time on the accelerator | moving all once a step |
| processor | in RAM | minutes a step for large models |

Weights are counted exactly (parameters × bytes); activations are an allowance: `activation_bytes`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from fmstudio.image.hub.machine import GIB, Accelerator, Machine, gib

USABLE = 0.92
"""The share of free memory that a plan may claim; the rest is for fragments and other programs."""

QUANTISABLE = 500_000_000
"""Parameters from which a network is worth quantising."""

_BYTES = {"float32": 4.0, "bfloat16": 2.0, "float16": 2.0}
_TILES = "The decoder works in tiles to save memory."
_QUANTISED = {"8 bits": 1.05, "4 bits": 0.56}


class Placement(StrEnum):
    """Where the weights are while images are made."""

    RESIDENT = "resident"
    BALANCED = "balanced"
    MODEL_OFFLOAD = "model offload"
    GROUP_OFFLOAD = "group offload"
    PROCESSOR = "processor"


@dataclass(frozen=True)
class Networks:
    """The networks of a model.

    Args:
        parts: name and number of parameters of each network.
        optional: names of those that the pipeline can do without.
        half: 16-bit formats that the model is known to work in.
        measured: whether the numbers were counted in files (else they are the card's).
    """

    parts: tuple[tuple[str, int], ...]
    optional: tuple[str, ...] = ()
    half: tuple[str, ...] = ("bfloat16",)
    measured: bool = False

    def __post_init__(self) -> None:
        if not self.parts or min(count for _, count in self.parts) < 1:
            raise ValueError(f"Expected networks with at least one parameter each; got {self.parts}.")

    def without(self, names: tuple[str, ...]) -> Networks:
        """The same model without some parts."""
        return replace(self, parts=tuple(part for part in self.parts if part[0] not in names))


@dataclass(frozen=True)
class Plan:
    """One way to run a model.

    Args:
        placement: where the weights are.
        device: the accelerator that computes ("cuda:0"), or "cpu".
        dtype: of the weights, a name that torch knows.
        quantised: "", "8 bits" or "4 bits".
        dropped: optional parts that are left out.
        tiling: whether the decoder works in tiles, which bounds its memory.
        accelerator_bytes: needed on the fullest accelerator; 0 on the processor.
        ram_bytes: needed in main memory while it runs.
        shortfall: how many bytes are missing for it; 0 if it fits.
        reasons: sentences that say what was chosen and why.
    """

    placement: Placement
    device: str
    dtype: str
    quantised: str = ""
    dropped: tuple[str, ...] = ()
    tiling: bool = False
    accelerator_bytes: int = 0
    ram_bytes: int = 0
    shortfall: int = 0
    reasons: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether the machine has the memory for it."""
        return self.shortfall == 0

    @property
    def title(self) -> str:
        """What it is, in a few words."""
        words = [f"{self.placement} on {self.device}", self.quantised or self.dtype]
        words += [f"without {name}" for name in self.dropped]
        return ", ".join(words)


@dataclass(frozen=True)
class Choice:
    """All ways that were considered, from the fastest to the slowest."""

    ways: tuple[Plan, ...]

    @property
    def plan(self) -> Plan | None:
        """The fastest way that fits, or None."""
        return next((way for way in self.ways if way.fits), None)

    @property
    def verdict(self) -> str:
        """One sentence: how it runs, or what is missing."""
        if self.plan is not None:
            return " ".join(self.plan.reasons)
        nearest = min(self.ways, key=lambda way: way.shortfall)
        what = "memory" if nearest.placement is Placement.PROCESSOR else "memory (accelerator or main)"
        return (
            f"Does not fit: the nearest way, {nearest.title}, lacks {gib(nearest.shortfall)} of {what}. "
            "Close other programs, choose a smaller picture or a smaller model."
        )


def activation_bytes(side: int, count: int, tiling: bool) -> int:
    """An allowance for what is not weights: 0.8 GiB, and for each megapixel 3 GiB, or 0.7 GiB in tiles.

    For `count` square pictures of `side` pixels at once.
    """
    return int((0.8 + (0.7 if tiling else 3.0) * count * side * side / 1e6) * GIB)


def choose_plan(networks: Networks, machine: Machine, side: int = 1024, count: int = 1) -> Choice:
    """The ways to run a model on a machine that makes so many pictures of that side at once."""
    drops = ((), networks.optional) if networks.optional else ((),)
    kept = [(dropped, networks.without(dropped)) for dropped in drops]
    loose, tight = (activation_bytes(side, count, tiling) for tiling in (False, True))
    ways: list[Plan] = []
    for dropped, some in kept if machine.accelerators else ():
        ways += [replace(way, dropped=dropped) for way in _Accelerated(some, machine, loose, tight).ways()]
    ways += [replace(_on_processor(some, machine, tight), dropped=dropped) for dropped, some in kept]
    return Choice(tuple(ways))


def next_smaller(plan: Plan, choice: Choice) -> Plan | None:
    """The next way after one that ran out of memory that needs less of what ran out, and fits; or None."""
    later = choice.ways[choice.ways.index(plan) + 1 :] if plan in choice.ways else choice.ways

    def need(way: Plan) -> int:
        return way.accelerator_bytes if plan.accelerator_bytes else way.ram_bytes

    return next((way for way in later if way.fits and need(way) < need(plan)), None)


def wider(plan: Plan, choice: Choice) -> Plan | None:
    """The fastest way that fits and has float32's range, where the plan's ends at 65,504; or None."""
    if plan.dtype != "float16":
        return None
    return next((way for way in choice.ways if way.fits and way.dtype != "float16"), None)


class _Accelerated:
    """The ways that compute on an accelerator: the one with the most free memory, or all of them."""

    def __init__(self, networks: Networks, machine: Machine, loose: int, tight: int):
        self.networks, self.machine = networks, machine
        self.device = max(machine.accelerators, key=lambda device: device.free)
        self.dtype, self.why_dtype = _accelerator_dtype(networks, self.device)
        self.sizes = {name: int(count * _BYTES[self.dtype]) for name, count in networks.parts}
        self.total, self.largest = sum(self.sizes.values()), max(self.sizes.values())
        self.ram = int(machine.ram_free * USABLE)
        self.loose, self.tight = loose, tight  # activations, and those in tiles

    def ways(self) -> Iterator[Plan]:
        """From the fastest to the slowest."""
        free = f"{self.device.name} ({gib(self.device.free)} free)"
        all_of_it, largest = gib(self.total), gib(self.largest)
        why = f"All {all_of_it} of weights stay on {free}: the fastest way."
        yield self._way(Placement.RESIDENT, self.total, self.largest, why)
        if self.device.kind == "mps":
            return
        if len(self.machine.accelerators) > 1:
            yield self._balanced()
        why = (
            f"All {all_of_it} do not fit on {free}, the largest network ({largest}) does: each is moved "
            "there when its turn comes, once an image."
        )
        yield self._way(Placement.MODEL_OFFLOAD, self.largest, self.total, why)
        if self.machine.quantiser and self.device.kind == "cuda":
            yield from map(self._quantised, _QUANTISED)
        why = (
            f"Not even the largest network ({largest}) fits on {free}: its blocks are moved there one after "
            "the other, at every step. Slow, and exact."
        )
        # An allowance for two blocks at a time: a tenth of the largest network, 1 GiB or more.
        yield self._way(Placement.GROUP_OFFLOAD, max(self.largest // 10, GIB), self.total, why)

    def _way(self, placement: Placement, on_device: int, in_ram: int, why: str, quantised: str = "") -> Plan:
        room = int(self.device.free * USABLE)
        tiling = on_device + self.loose > room
        need = on_device + (self.tight if tiling else self.loose)
        reasons = [why, self.why_dtype if not quantised else f"Other networks stay in {self.dtype}."]
        return Plan(
            placement=placement,
            device=self.device.device,
            dtype=self.dtype,
            quantised=quantised,
            tiling=tiling,
            accelerator_bytes=need,
            ram_bytes=in_ram,
            shortfall=max(need - room, in_ram - self.ram, 0),
            reasons=(*reasons, _TILES) if tiling else tuple(reasons),
        )

    def _quantised(self, name: str) -> Plan:
        small = sum(
            int(count * _QUANTISED[name]) if count >= QUANTISABLE else self.sizes[part]
            for part, count in self.networks.parts
        )
        why = (
            f"In {name} the large networks take {gib(small)} instead of {gib(self.total)} and stay on "
            f"{self.device.name}. A little quality is lost."
        )
        return self._way(Placement.RESIDENT, small, self.largest, why, quantised=name)

    def _balanced(self) -> Plan:
        """Whole networks spread over the accelerators, the largest first, each to where most is free."""
        room = [int(device.free * USABLE) for device in self.machine.accelerators]
        left = [most - self.tight for most in room]
        for size in sorted(self.sizes.values(), reverse=True):
            left[left.index(max(left))] -= size
        names = ", ".join(device.name for device in self.machine.accelerators)
        why = f"The networks are spread whole over {len(left)} accelerators ({names})."
        return Plan(
            placement=Placement.BALANCED,
            device=self.machine.accelerators[0].device,
            dtype=self.dtype,
            tiling=True,
            accelerator_bytes=max(most - rest for most, rest in zip(room, left, strict=True)),
            ram_bytes=self.largest,
            shortfall=max(-min(left), self.largest - self.ram, 0),
            reasons=(why, self.why_dtype, _TILES),
        )


def _on_processor(networks: Networks, machine: Machine, activations: int) -> Plan:
    dtype = "bfloat16" if machine.cpu_bf16 and "bfloat16" in networks.half else "float32"
    total = int(sum(parameters for _, parameters in networks.parts) * _BYTES[dtype])
    need = total + activations
    why = "no accelerator" if not machine.accelerators else "the accelerator is too small"
    reason = (
        f"On the processor, for there is {why}: {gib(total)} of weights in {dtype}, "
        f"{gib(machine.ram_free)} of memory free. Slow: expect minutes for a step of a large model."
    )
    return Plan(
        placement=Placement.PROCESSOR,
        device="cpu",
        dtype=dtype,
        tiling=True,
        ram_bytes=need,
        shortfall=max(need - int(machine.ram_free * USABLE), 0),
        reasons=(reason,),
    )


def _accelerator_dtype(networks: Networks, device: Accelerator) -> tuple[str, str]:
    """The format of the weights, and why."""
    if device.bf16 and ("bfloat16" in networks.half or "float16" not in networks.half):
        return "bfloat16", "bfloat16: half the memory of float32 with its range."
    if device.bf16:
        return "float16", "float16: the model is published for it."
    if "float16" in networks.half:
        return "float16", f"float16, for {device.name} has no bfloat16."
    return "float32", f"float32, for {device.name} has no bfloat16 and the model may overflow in float16."
