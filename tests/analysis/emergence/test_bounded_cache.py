"""A cache that forgets by memory."""

from __future__ import annotations

import numpy as np

from harness.analysis.emergence.bounded_cache import BoundedCache, array_bytes


def test_what_was_used_least_recently_is_dropped_first() -> None:
    cache: BoundedCache[np.ndarray] = BoundedCache(max_bytes=3000)
    made: list[str] = []

    def get(name: str, size: int = 125) -> np.ndarray:
        return cache.get(name, lambda: made.append(name) or np.zeros(size))  # type: ignore[func-returns-value]

    first = get("a")
    get("b")
    get("c")
    assert get("a") is first and made == ["a", "b", "c"] and cache.nbytes == 3000
    get("d")
    assert cache.nbytes == 3000 and len(cache) == 3
    assert get("a") is first, "used since b"
    get("b")
    assert made == ["a", "b", "c", "d", "b"]


def test_a_value_above_the_bound_is_held_alone() -> None:
    cache: BoundedCache[np.ndarray] = BoundedCache(max_bytes=3000)
    cache.get("small", lambda: np.zeros(10))
    large = cache.get("large", lambda: np.zeros(1000))
    assert len(cache) == 1 and cache.get("large", lambda: np.zeros(1)) is large
    cache.get("small", lambda: np.zeros(10))
    assert cache.nbytes == 80
    cache.clear()
    assert len(cache) == 0 and cache.nbytes == 0


def test_bytes_of_arrays_among_other_things() -> None:
    assert array_bytes([np.zeros(3), "name", 2.0, None, np.zeros((2, 2), dtype=np.int32)]) == 24 + 16
