"""A least-recently-used cache bounded by the memory of what it holds, not by the number of entries."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from typing import Generic, Protocol, TypeVar

import numpy as np


class Sized(Protocol):
    """What the cache holds: something that knows its size, which must not change while it is held."""

    @property
    def nbytes(self) -> int: ...


V = TypeVar("V", bound=Sized)


class BoundedCache(Generic[V]):
    """Values by key, the least recently used dropped first.

    Args:
        max_bytes: what all values together may take. A single value that takes more is held alone.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._held: OrderedDict[Hashable, V] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], V]) -> V:
        """The value of a key; made anew where it is not held."""
        if key in self._held:
            self._held.move_to_end(key)
            return self._held[key]
        value = self._held[key] = make()
        while self.nbytes > self.max_bytes and len(self._held) > 1:
            self._held.popitem(last=False)
        return value

    @property
    def nbytes(self) -> int:
        """Bytes held now."""
        return sum(value.nbytes for value in self._held.values())

    def __len__(self) -> int:
        return len(self._held)

    def clear(self) -> None:
        self._held.clear()


def array_bytes(values: Iterable[object]) -> int:
    """Bytes of the arrays among some values."""
    return sum(value.nbytes for value in values if isinstance(value, np.ndarray))
