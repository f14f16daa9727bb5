"""An axis of the note's panels: from values to pixels, and its round numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """An axis: values in [low, high] to pixels in [start, stop], linear or logarithmic."""

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The pixel of a value; on a logarithmic axis what is not positive lies at the low end."""
        low, high = self.low, self.high
        if self.log:
            low, high = math.log10(low), math.log10(high)
            value = math.log10(value) if value > 0 else low
        share = (value - low) / (high - low)
        return self.start + min(max(share, -0.05), 1.05) * (self.stop - self.start)

    def ticks(self) -> list[tuple[float, str]]:
        """About five round values and how they are written."""
        if self.log:
            powers = range(
                math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9) + 1
            )
            if len(powers) >= 2:
                every = max(1, round(len(powers) / 6))
                return [(10.0**p, _power(p)) for p in powers][::every]
            steps = [m * 10.0**p for p in (*powers, powers.start - 1) for m in (1, 2, 5)]
            return [(v, f"{v:g}") for v in sorted(steps) if self.low <= v <= self.high]
        span = self.high - self.low
        raw = span / 5
        size = 10 ** math.floor(math.log10(raw))
        step = min((m * size for m in (1, 2, 2.5, 5, 10)), key=lambda s: abs(math.log(s / raw)))
        first = math.ceil(self.low / step - 1e-9)
        values = [k * step for k in range(first, math.floor(self.high / step + 1e-9) + 1)]
        values = [0.0 if abs(v) < step * 1e-9 else v for v in values]
        return [(v, f"{v:.6g}".replace("-", "−")) for v in values]


def _power(p: int) -> str:
    if -3 < p < 4:
        return f"{10.0**p:g}"
    return "10" + str(p).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
