"""Where the studio computes: on a GPU where there is one, unless the environment says otherwise."""

from __future__ import annotations

import os

import torch


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
