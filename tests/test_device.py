"""Where the studio computes: chosen automatically, settable, and never silently something else."""

import pytest
import torch

from fmstudio import device
from fmstudio.device import chosen_device, on_one_core, one_core


def test_a_device_can_be_named(monkeypatch) -> None:
    monkeypatch.setenv("FMSTUDIO_DEVICE", "cpu")
    assert chosen_device() == chosen_device(single_precision=True) == torch.device("cpu")


def test_without_a_name_a_gpu_is_taken_where_there_is_one(monkeypatch) -> None:
    monkeypatch.delenv("FMSTUDIO_DEVICE", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert chosen_device() == torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert chosen_device(single_precision=True) == torch.device("mps")
    assert chosen_device() == torch.device("cpu")


@pytest.mark.parametrize("name", ["cuda:97", "abacus", "xla"])
def test_a_device_that_is_not_there_is_refused(monkeypatch, name) -> None:
    monkeypatch.setenv("FMSTUDIO_DEVICE", name)
    with pytest.raises(ValueError, match=f"FMSTUDIO_DEVICE.*{name}"):
        chosen_device()


@pytest.fixture
def two_cores(monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.setattr(device, "CORES", 2)
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def counting(closed):
    try:
        yield torch.get_num_threads()
        yield torch.get_num_threads()
        return torch.get_num_threads()
    finally:
        closed.append(True)


def test_steps_of_small_work_take_one_core_and_leave_the_others_in_between(two_cores) -> None:
    closed = []
    work = on_one_core(counting(closed))
    assert (next(work), torch.get_num_threads(), next(work)) == (1, 2, 1)
    with pytest.raises(StopIteration) as end:
        next(work)
    assert end.value.value == 1
    assert torch.get_num_threads() == 2
    assert closed == [True]


def test_closing_it_closes_the_work(two_cores) -> None:
    closed = []
    work = on_one_core(counting(closed))
    next(work)
    work.close()
    assert closed == [True]


def test_one_core_within_another_ends_with_the_outer(two_cores) -> None:
    with one_core():
        with one_core():
            pass
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
