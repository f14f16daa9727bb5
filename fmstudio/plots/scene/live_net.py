"""What the browser needs to compute with a trained net itself: its sizes and its numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from numpy.typing import NDArray

from fmstudio.learn.training.checkpoints import Checkpoint


@dataclass(frozen=True)
class LiveNet:
    """A net that the browser computes, with or without a class (``assets/js/live/net.js``).

    Args:
        checkpoint: of the net.
        told: the class that it is asked for, or None; guidance: w, as of :class:`Exact`.
        precision: of the numbers on their way. float16 halves them, with errors near 1e-3 of a velocity.

    Raises:
        ValueError: a net of a path that has not its coefficients as text.
    """

    checkpoint: Checkpoint
    told: int | None = None
    guidance: float = 1.0
    precision: Literal["float16", "float32"] = "float16"

    def __post_init__(self) -> None:
        if self.checkpoint.net.path.written is None:
            raise ValueError("A net is live where the coefficients of its path are known as text.")

    def header(self) -> dict[str, Any]:
        """All but the numbers, for JSON; on a line the second coordinate of the box is 0."""
        net = self.checkpoint.net
        shape, written = net.network.shape, net.path.written
        assert written is not None
        box = net.box and [[*edge.tolist(), 0.0][:2] for edge in (net.box.low, net.box.high)]
        sizes = asdict(shape) | {
            "timeFrequencies": shape.time_frequencies,
            "target": net.target.name,
            "times": list(net.times),
            "box": box,
            "path": asdict(written),
            "precision": self.precision,
        }
        law: dict[str, Any] = {"kind": "net", "net": sizes}
        return law if self.told is None else law | {"told": self.told, "guidance": self.guidance}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The frequencies of x (fourier × dim) and of t, then [W β] of each layer by rows; little-endian."""
        network = self.checkpoint.network
        flat = torch.cat([network.space.flatten(), network.time, network.flat.detach()]).cpu()
        return {"weights": flat.numpy().astype(self.precision)}
