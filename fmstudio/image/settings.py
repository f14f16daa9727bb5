"""What to sample, from settings that came as JSON: one record for the page, the API and the command line."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from reprlib import repr as short
from typing import Any

from torch import Tensor

from fmstudio.device import has_bf16
from fmstudio.flow.solve.tableaux import SOLVERS
from fmstudio.image.folder import ImageModel
from fmstudio.image.models import backbone_names
from fmstudio.image.sampling.field import GuidedField, draw_noise
from fmstudio.image.sampling.grid import grid_labels
from fmstudio.image.sampling.sampling import AdaptivePlan, FixedPlan, StepPlan

MOST_STEPS = 128
MOST_ROWS = 8
MOST_IMAGES = 64
ALL_CLASSES, NO_CLASS = -1, -2
"""Labels that are no class: all classes in turn, and the unconditional flow."""

LIMITS: dict[str, tuple[float, float]] = {
    "guidance": (0, 10),
    "shift": (0.1, 10),
    "tolerance": (1e-4, 1),
    "seed": (0, 2**31 - 1),
    "count": (1, MOST_IMAGES),
    "steps": (1, MOST_STEPS),
}
"""Lowest and highest value of each number."""


@dataclass(frozen=True)
class ImageSettings:
    """What to sample: one row of images for each step count, all from the same noise.

    Args:
        model: a name of ``backbones.backbone_names()``.
        steps: 1 to 8 step counts, each in [1, 128]; not used by an adaptive solver.
        label: a class, −1 for all classes in turn, or −2 for the flow without a class.
        guidance: w in [0, 10]; 1 is the plain conditional model.
        solver: a name in ``SOLVERS``.
        seed: of the noise, in [0, 2³¹).
        count: images a row, in [1, 64].
        shift: time shift in [0.1, 10]; 1 is none. Not used by an adaptive solver.
        tolerances: 1 to 8 tolerances in [1e-4, 1], a row each, for the adaptive solver dopri5.
        bf16: compute in bfloat16 where the machine has it; an adaptive solver always has float32.

    Raises:
        ValueError: naming the setting, its bound and the value.
    """

    model: str = "fashion-rf1"
    steps: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    label: int = ALL_CLASSES
    guidance: float = 1.0
    solver: str = "euler"
    seed: int = 0
    count: int = 10
    shift: float = 1.0
    tolerances: tuple[float, ...] = (0.3, 0.1, 0.03, 0.01)
    bf16: bool = True

    def __post_init__(self) -> None:
        if self.model not in backbone_names():
            raise ValueError(
                f"model: expected one of {', '.join(backbone_names())}; got {short(self.model)}."
            )
        if self.solver not in SOLVERS:
            raise ValueError(f"solver: expected one of {', '.join(SOLVERS)}; got {short(self.solver)}.")
        if not isinstance(self.bf16, bool):
            raise ValueError(f"bf16: expected true or false; got {short(self.bf16)}.")
        checked = {
            "steps": tuple(whole("steps", v) for v in _some("steps", self.steps)),
            "tolerances": tuple(number("tolerance", v) for v in _some("tolerances", self.tolerances)),
            "label": whole("label", self.label, NO_CLASS, 10**6),
            **{name: whole(name, getattr(self, name)) for name in ("seed", "count")},
            **{name: number(name, getattr(self, name)) for name in ("guidance", "shift")},
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> ImageSettings:
        """Read JSON settings back; missing ones keep their defaults.

        Raises:
            ValueError: an unknown setting, or a value out of bounds.
        """
        known = {f.name for f in fields(ImageSettings)}
        for name in values:
            if name not in known:
                raise ValueError(f"Unknown image setting {short(name)}; known: {', '.join(sorted(known))}.")
        return ImageSettings(**dict(values))

    def to_dict(self) -> dict[str, Any]:
        """All settings, as plain numbers, strings and lists."""
        return asdict(self) | {"steps": list(self.steps), "tolerances": list(self.tolerances)}

    @property
    def adaptive(self) -> bool:
        """Whether the solver chooses its own steps."""
        return SOLVERS[self.solver].adaptive

    @property
    def passes(self) -> int:
        """What an evaluation takes for each image: guidance asks with the class and without."""
        return 1 if self.guidance == 1 else 2

    def plan(self, step_count: int, tolerance: float) -> StepPlan:
        """How images are made by so many steps, or within a tolerance where the solver is adaptive."""
        solver = SOLVERS[self.solver]
        return AdaptivePlan(tolerance, solver) if self.adaptive else FixedPlan(step_count, solver, self.shift)

    def plans(self) -> list[StepPlan]:
        """How each row is made."""
        if self.adaptive:
            return [self.plan(0, tolerance) for tolerance in self.tolerances]
        return [self.plan(n, 0) for n in self.steps]

    def labels(self, model: ImageModel, count: int | None = None) -> Tensor:
        """The label of each image in a row, or of the first `count` images of a longer one.

        Raises:
            ValueError: a label that the model does not know.
        """
        classes = len(model.class_names)
        if self.label >= classes:
            raise ValueError(f"label: expected −2 … {classes - 1}; got {self.label}.")
        chosen = {ALL_CLASSES: list(range(classes)), NO_CLASS: [model.net.no_class]}
        return grid_labels(chosen.get(self.label, [self.label]), self.count if count is None else count)

    def field(self, model: ImageModel, labels: Tensor, *, exact: bool = False) -> GuidedField:
        """The guided field of some labels; `exact` asks for float32."""
        in_bf16 = self.bf16 and not exact and not self.adaptive and has_bf16(model.net.device)
        return GuidedField(model.net, labels, self.guidance, in_bf16)

    def noise(self, model: ImageModel) -> Tensor:
        """The one noise that all rows start from, on the model's device."""
        return draw_noise((self.count, *model.net.image_shape), self.seed).to(model.net.device)


def parse_steps(text: str) -> tuple[int, ...]:
    """Step counts as people type them: "1 2 4, 8".

    >>> parse_steps("1 2, 4")
    (1, 2, 4)

    Raises:
        ValueError: nothing, too many, or a count that is not a whole number in [1, 128].
    """
    return tuple(whole("steps", part) for part in _some("steps", split(text)))


def split(text: str) -> list[str]:
    """The parts of a typed list: separated by blanks, commas or semicolons."""
    return text.replace(",", " ").replace(";", " ").split()


def whole(name: str, value: Any, low: float | None = None, high: float | None = None) -> int:
    """A whole number within its limits; those of `LIMITS` unless given.

    Raises:
        ValueError: anything else.
    """
    given = number(name, value, low, high)
    if given != int(given):
        raise ValueError(f"{name}: expected a whole number; got {value!r}.")
    return int(given)


def number(name: str, value: Any, low: float | None = None, high: float | None = None) -> float:
    """A number within its limits; those of `LIMITS` unless given.

    Raises:
        ValueError: anything else.
    """
    lowest, highest = LIMITS.get(name, (-math.inf, math.inf))
    lowest, highest = lowest if low is None else low, highest if high is None else high
    try:
        given = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        given = math.nan
    if not lowest <= given <= highest:
        kind = "a whole number" if name in ("steps", "label", "seed", "count") else "a number"
        raise ValueError(f"{name}: expected {kind} in [{lowest:.10g}, {highest:.10g}]; got {short(value)}.")
    return given


def _some(name: str, values: Any) -> Sequence[Any]:
    if not isinstance(values, list | tuple) or not 1 <= len(values) <= MOST_ROWS:
        given = len(values) or "none" if isinstance(values, list | tuple) else short(values)
        raise ValueError(f"{name}: expected 1 to {MOST_ROWS} of them; got {given}.")
    return values
