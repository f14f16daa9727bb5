"""Work on a CUDA device, captured once as a CUDA graph and replayed after it.

Small networks are hundreds of launches, and a GPU waits for most of them; a graph is one launch.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import torch

WARM_UP = 1
"""Runs before the capture: in them cuBLAS, cuDNN and the allocator get ready, which no graph may hold."""

Replay = Callable[[], None]
Capture = Callable[[Replay, torch.device], Replay]

_ONE_AT_A_TIME = threading.Lock()


def cuda_graph(work: Replay, device: torch.device) -> Replay:
    """Capture work on a CUDA device; what is returned does it again.

    The work runs once before and is not undone. Captures of one process wait for each other, because
    torch captures on one stream; other work may use the GPU meanwhile.

    Args:
        work: launches only: it keeps nothing that it allocates and never waits for the device.
        device: where it runs.

    Source: the PyTorch documentation, "CUDA semantics", section "CUDA Graphs".
    """
    with _ONE_AT_A_TIME, torch.cuda.device(device):
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_UP):
                work()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        # What other threads do, another visitor's training say, is none of this graph's business.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            work()
    return graph.replay
