"""One large model at a time, and life after running out of memory."""

import gc
import threading
import weakref

import pytest
import torch

from fmstudio.image.hub.load import Shelf
from fmstudio.image.hub.machine import forget_frames, is_out_of_memory


class Model:
    """What the shelf asks of a model."""

    def __init__(self):
        self.closed = self.waited = False

    def wait(self):
        self.waited = True

    def close(self):
        assert self.waited
        self.closed = True


def put(shelf: Shelf, key: str, size: int) -> Model:
    with shelf.borrow(key, size, Model) as model:
        return model


def test_a_second_large_model_takes_the_first_ones_place() -> None:
    shelf = Shelf(large=100)
    first = put(shelf, "first", 500)
    assert put(shelf, "first", 500) is first
    second = put(shelf, "second", 500)
    assert shelf.keys == ["second"]
    assert first.closed
    assert not second.closed


def test_the_room_is_made_before_the_new_model_is_loaded() -> None:
    shelf = Shelf(large=100)
    first = put(shelf, "first", 500)

    def load():
        assert first.closed
        return Model()

    with shelf.borrow("second", 500, load):
        pass


def test_small_models_stay_beside_a_large_one_and_the_least_recently_used_leaves() -> None:
    shelf = Shelf(large=100)
    put(shelf, "large", 500)
    a, b = put(shelf, "a", 5), put(shelf, "b", 5)
    assert put(shelf, "a", 5) is a
    put(shelf, "c", 5)
    assert shelf.keys == ["large", "a", "c"]
    assert b.closed
    put(shelf, "larger", 600)
    assert shelf.keys == ["a", "c", "larger"]


def test_running_out_of_memory_drops_the_model_and_frees_it() -> None:
    shelf = Shelf(large=100)
    alive = weakref.ref(put(shelf, "model", 500))
    with pytest.raises(torch.OutOfMemoryError), shelf.borrow("model", 500, Model):
        raise torch.OutOfMemoryError("CUDA out of memory.")
    gc.collect()
    assert alive() is None
    assert shelf.keys == []
    assert put(shelf, "model", 500) is not None


def test_running_out_of_memory_while_loading_leaves_the_shelf_usable() -> None:
    shelf = Shelf(large=100)

    def load():
        raise MemoryError

    with pytest.raises(MemoryError), shelf.borrow("model", 500, load):
        pass
    assert shelf.keys == []
    put(shelf, "model", 500)


def test_other_errors_leave_the_model_loaded() -> None:
    shelf = Shelf(large=100)
    with pytest.raises(ValueError, match="prompt"), shelf.borrow("model", 500, Model):
        raise ValueError("prompt")
    assert shelf.keys == ["model"]


def test_borrowers_wait_for_one_another() -> None:
    shelf, order, inside = Shelf(), [], threading.Event()

    def second():
        inside.wait()
        with shelf.borrow("model", 5, Model):
            order.append("second")

    thread = threading.Thread(target=second)
    thread.start()
    with shelf.borrow("model", 5, Model):
        inside.set()
        thread.join(0.05)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_clear_lets_all_go() -> None:
    shelf = Shelf(large=100)
    models = [put(shelf, "large", 500), put(shelf, "small", 5)]
    shelf.clear()
    assert shelf.keys == []
    assert all(model.closed for model in models)


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), True),
        (MemoryError(), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."), True),
        (RuntimeError("MPS backend out of memory"), True),
        (RuntimeError("shapes do not match"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_what_is_out_of_memory(error, answer) -> None:
    assert is_out_of_memory(error) is answer


def test_torch_says_it_in_those_words() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60)
    assert is_out_of_memory(caught.value)


def test_a_caught_error_holds_nothing_back() -> None:
    def work():
        large = Model()
        alive.append(weakref.ref(large))
        raise torch.OutOfMemoryError("no room")

    alive: list[weakref.ref[Model]] = []
    with pytest.raises(torch.OutOfMemoryError) as caught:
        work()
    assert alive[0]() is not None
    forget_frames(caught.value)
    gc.collect()
    assert alive[0]() is None
