"""Models in memory: one large one at a time, a few small ones, the least recently used leaves first.

Also what happens when memory runs out all the same: the model is let go and its memory is given
back; `fmstudio.image.hub.plan.next_smaller` then names the next way to run it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Generator, Hashable
from contextlib import contextmanager
from dataclasses import dataclass

from fmstudio.image.hub.adapter import HubModel
from fmstudio.image.hub.memory import is_out_of_memory, release_memory

LARGE = 2 * 2**30
"""Bytes of weights from which a model is large."""

SMALL_ONES = 2
"""Small models that may stay beside others."""


@dataclass
class _Place:
    model: HubModel
    size: int


class Shelf:
    """The loaded models of this process.

    One visitor borrows at a time, for all share the same memory.

    Args:
        large: bytes from which a model is large.
    """

    def __init__(self, large: int = LARGE):
        self._large = large
        self._places: OrderedDict[Hashable, _Place] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def keys(self) -> list[Hashable]:
        """What is loaded, the least recently used first."""
        return list(self._places)

    @contextmanager
    def borrow(
        self, key: Hashable, size: int, load: Callable[[], HubModel]
    ) -> Generator[HubModel, None, None]:
        """A model to sample with, loaded if it is not there; nobody else borrows until it is given back.

        If the block runs out of memory the model is dropped and the error goes on.

        Args:
            key: what makes it the same model: folder, plan.
            size: bytes of its weights.
            load: makes it.
        """
        with self._lock:
            try:
                if key not in self._places:
                    self._make_room(size)
                    self._places[key] = _Place(load(), size)
                self._places.move_to_end(key)
                yield self._places[key].model
            except BaseException as error:
                if is_out_of_memory(error):
                    self._drop(key)
                raise

    def clear(self) -> None:
        """Let all go."""
        with self._lock:
            for key in list(self._places):
                self._drop(key)

    def _make_room(self, size: int) -> None:
        for key in list(self._places):
            place = self._places[key]
            small = [one for one in self._places.values() if one.size < self._large]
            crowded = place.size < self._large and len(small) > SMALL_ONES - (size < self._large)
            if (size >= self._large and place.size >= self._large) or crowded:
                self._drop(key)

    def _drop(self, key: Hashable) -> None:
        place = self._places.pop(key, None)
        if place is not None:
            place.model.wait()
            place.model.close()
            del place
        release_memory()
