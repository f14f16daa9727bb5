"""Where nets are trained and sampled: a GPU where there is one, unless the environment says otherwise."""

from __future__ import annotations

import os

import torch


def training_device() -> torch.device:
    """The device named by ``FMSTUDIO_DEVICE`` ("cpu", "cuda:1"), else CUDA where there is one, else the CPU.

    Raises:
        ValueError: the variable names no device of this machine.
    """
    name = os.environ.get("FMSTUDIO_DEVICE", "")
    if not name:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(
            f"FMSTUDIO_DEVICE: expected a device such as cpu or cuda:0; got {name!r}."
        ) from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"FMSTUDIO_DEVICE is {name!r}, but this machine has no CUDA device.")
    return device
