"""Errors in a line, and runs that failed alike in one line together."""

from __future__ import annotations

import signal

import pytest
import torch
from torch import nn

from harness.errors import IndivisibleError
from harness.sweeping.failures import (
    Ended,
    JobError,
    OutOfMemoryError,
    count_by_status,
    death,
    early_stops,
    failure_lines,
    job_error,
    reason,
    rungs_in_words,
)

ERRORS_OF_MEMORY = [
    MemoryError(),
    RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: ..."),
    OSError(12, "Cannot allocate memory"),
]


def caught(call) -> Exception:
    with pytest.raises(Exception) as error:
        call()
    return error.value


def test_a_reason_names_the_kind_and_the_place() -> None:
    def fails() -> None:
        raise ValueError("no data today\nand more")

    assert reason(caught(fails)).startswith("ValueError: no data today (test_failures.py:")


def test_the_place_is_not_inside_a_library() -> None:
    # Raised in torch/nn/modules/linear.py, which tells nobody what to mend.
    error = caught(lambda: nn.Linear(3, 4)(torch.zeros(2, 5)))
    assert "(test_failures.py:" in reason(error)


@pytest.mark.parametrize("error", ERRORS_OF_MEMORY)
def test_out_of_memory_is_said_first(error: Exception) -> None:
    assert reason(error).startswith("out of memory: ")
    assert isinstance(job_error(error), OutOfMemoryError)


def test_a_batch_that_cannot_be_split_is_out_of_memory_for_good() -> None:
    failed = job_error(IndivisibleError("the batch cannot be split: it is one"))
    assert str(failed) == "out of memory: the batch cannot be split: it is one"
    assert not isinstance(failed, OutOfMemoryError)


def test_other_errors_may_speak_of_memory() -> None:
    assert type(job_error(caught(lambda: {}["can't allocate memory"]))) is JobError


def test_a_death_by_signal_is_named() -> None:
    assert death(-signal.SIGKILL) == "killed by SIGKILL"
    assert death(-signal.SIGSEGV) == "killed by SIGSEGV"
    assert death(7) == "process ended with exit code 7"


def ended(rung: int, error: str | None, status: str = "failed", study: str = "main") -> Ended:
    return Ended(study, rung, f"{study} rung {rung} seed=0", status if error else "finished", error)


def test_what_fails_alike_is_told_once() -> None:
    runs = [ended(rung, "ValueError: no data (task.py:6)") for rung in (0, 1, 2, 2)]
    runs += [
        ended(1, None),
        ended(4, "KeyError: 'x' (task.py:9)"),
        ended(0, "ValueError: no data (task.py:6)", study="b"),
    ]
    assert failure_lines(runs) == [
        "failed: 4 runs of main, rungs 0 to 2: ValueError: no data (task.py:6)",
        "failed: main rung 4 seed=0: KeyError: 'x' (task.py:9)",
        "failed: b rung 0 seed=0: ValueError: no data (task.py:6)",
    ]


def test_errors_that_differ_in_numbers_are_alike() -> None:
    steps = [
        ended(3, f"loss was not finite at step {step}: lower", "diverged") for step in ("3", "12", "1,204", "1e+09")
    ]
    assert failure_lines(steps) == [
        "diverged: 4 runs of main, rung 3: loss was not finite at step 3: lower (numbers differ from run to run)"
    ]
    assert len(failure_lines([ended(0, "loss at step 3", "diverged"), ended(0, "loss at step 3", "failed")])) == 2


@pytest.mark.parametrize(
    ("rungs", "words"),
    [([3, 3], "rung 3"), ([2, 0, 1], "rungs 0 to 2"), ([1, 0], "rungs 0, 1"), ([0, 5, 2], "rungs 0, 2, 5")],
)
def test_rungs_in_words(rungs: list[int], words: str) -> None:
    assert rungs_in_words(rungs) == words


def test_counts_come_in_the_order_of_statuses() -> None:
    assert count_by_status([ended(0, "x"), ended(0, None), ended(0, "x"), ended(0, None)]) == "2 finished, 2 failed"


def test_runs_that_stopped_early_are_counted_with_the_share_that_they_trained() -> None:
    whole, half, most = (Ended("a", 0, "a", "finished", done=done) for done in (1.0, 0.5, 0.8))
    lost = Ended("a", 0, "a", "diverged", "why", done=0.1)
    assert early_stops([whole, half, most, lost]) == (
        "2 of them stopped early, after 50 % to 80 % of the steps asked for"
    )
    assert early_stops([half, lost]) == "1 of them stopped early, after 50 % of the steps asked for"
    assert early_stops([whole, lost]) == ""
