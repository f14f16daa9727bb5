"""What the browser needs to compute with a trained net itself: its sizes and its numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch

from fmstudio.learn.training.checkpoints import Checkpoint


@dataclass(frozen=True)
class LiveNet:
    """A net that the browser computes, with or without a class (``assets/js/live/net.js``).

    Args:
        checkpoint: of the net.
        precision: of the numbers on their way. float16 halves them, with errors near 1e-3 of a velocity.

    Raises:
        ValueError: a net of a path that has not its coefficients as text.
    """

    checkpoint: Checkpoint
    precision: Literal["float16", "float32"] = "float32"

    def __post_init__(self) -> None:
        if self.checkpoint.net.path.written is None:
            raise ValueError("A net is live where the coefficients of its path are known as text.")

    def header(self) -> dict[str, Any]:
        """All but the numbers, for JSON; on a line the second coordinate of the box is 0."""
        net = self.checkpoint.net
        shape, written = net.network.shape, net.path.written
        assert written is not None
        box = net.box and [[*edge.tolist(), 0.0][:2] for edge in (net.box.low, net.box.high)]
        return asdict(shape) | {
            "timeFrequencies": shape.time_frequencies,
            "target": net.target.name,
            "times": list(net.times),
            "box": box,
            "path": asdict(written),
            "precision": self.precision,
        }

    def weights(self) -> bytes:
        """The frequencies of x (fourier × dim) and of t, then [W β] of each layer by rows; little-endian."""
        network = self.checkpoint.network
        flat = torch.cat([network.space.flatten(), network.time, network.flat.detach()]).cpu()
        return flat.numpy().astype("<f2" if self.precision == "float16" else "<f4").tobytes()
