"""Work on several cores."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from harness.errors import UserError
from harness.report import processes
from harness.report.processes import on_all_cores

PARENT = os.getpid()


def with_process(item: int) -> tuple[int, int]:
    return item, os.getpid()


def refused(item: int) -> int:
    raise UserError("disk full")


def killed_elsewhere(item: int) -> int:
    if os.getpid() != PARENT:
        os._exit(9)
    return item


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "cores", lambda: 2)
    monkeypatch.setattr(threading, "active_count", lambda: 1)  # of pytest's own there are others


@pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux alone")
def test_work_is_done_elsewhere_and_comes_in_order() -> None:
    items, by = zip(*on_all_cores(with_process, range(6)), strict=True)
    assert items == tuple(range(6))
    assert PARENT not in by


def test_beside_other_threads_this_process_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "active_count", lambda: 2)
    assert on_all_cores(with_process, [1, 2]) == [(1, PARENT), (2, PARENT)]


def test_one_item_needs_no_process() -> None:
    assert on_all_cores(with_process, [1]) == [(1, PARENT)]


def test_what_it_raises_is_raised_here() -> None:
    with pytest.raises(UserError, match="disk full"):
        on_all_cores(refused, [1, 2])


def test_where_a_process_is_killed_this_one_does_it() -> None:
    assert on_all_cores(killed_elsewhere, [1, 2]) == [1, 2]
