"""Where the studio computes: chosen automatically, settable, and never silently something else."""

import pytest
import torch

from fmstudio.device import chosen_device


def test_a_device_can_be_named(monkeypatch):
    monkeypatch.setenv("FMSTUDIO_DEVICE", "cpu")
    assert chosen_device() == chosen_device(single_precision=True) == torch.device("cpu")


def test_without_a_name_a_gpu_is_taken_where_there_is_one(monkeypatch):
    monkeypatch.delenv("FMSTUDIO_DEVICE", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert chosen_device() == torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert chosen_device(single_precision=True) == torch.device("mps")
    assert chosen_device() == torch.device("cpu")


@pytest.mark.parametrize("name", ["cuda:97", "abacus", "xla"])
def test_a_device_that_is_not_there_is_refused(monkeypatch, name):
    monkeypatch.setenv("FMSTUDIO_DEVICE", name)
    with pytest.raises(ValueError, match=f"FMSTUDIO_DEVICE.*{name}"):
        chosen_device()
