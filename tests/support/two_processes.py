"""Two processes on this machine that train one job together, for tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from harness.ladder import Job
from harness.sweeping.crew import Work
from harness.sweeping.several_gpus import Together


@contextmanager
def pair(works: Sequence[Work]) -> Iterator[Together]:
    """A group of two that has come up; ended in the end."""
    together = Together(works, None, "cpu", ())
    try:
        assert together.hear() is None and together.ready
        yield together
    finally:
        together.end()


def answer(together: Together, job: Job) -> Any:
    """What the first of the two makes of a job."""
    together.give(job)
    return together.hear()
