"""When jobs will have ended that workers take one after another."""

from __future__ import annotations

import pytest

from harness.sweeping.schedule import makespan


@pytest.mark.parametrize(
    ("seconds", "workers", "ends"),
    [
        ([], 2, 0),
        ([5], 9, 5),
        ([3, 3, 2, 2, 2], 2, 7),  # longest first: the shortest schedule would take 6
        ([2, 2, 2, 3, 3], 2, 7),
        ([4, 1, 1, 1, 1], 2, 4),
        ([5, 5, 4, 4, 3, 3, 3], 3, 11),  # Graham's worst case of longest first, 4/3 - 1/9 of 9
        ([1] * 10, 1, 10),
    ],
)
def test_jobs_go_to_whoever_is_free_first(seconds: list[float], workers: int, ends: float) -> None:
    assert makespan(seconds, workers) == ends


def test_jobs_under_way_keep_their_workers() -> None:
    assert makespan([2, 2], 2, under_way=[3.0, 1.0]) == 5
    assert makespan([], 2, under_way=[3.0, 1.0]) == 3
