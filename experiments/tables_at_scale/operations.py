"""What is measured, each in a process of its own: `python operations.py NAME ARGUMENT ...` prints its seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from planted import curves, write_pieces

from harness import find_jumps
from harness.records.pieces import recorded
from harness.records.store import collect, load


def _collect(folder: str) -> None:
    collect(folder)


def _recorded(folder: str) -> None:
    recorded(folder)


def _load(folder: str) -> None:
    load(folder)


def _plant(folder: str, first: str, last: str, n_measurements: str, seed: str) -> None:
    write_pieces(Path(folder), int(first), int(last), int(n_measurements), int(seed))


OPERATIONS: dict[str, Callable[..., None]] = {
    "plant": _plant,
    "collect": _collect,
    "recorded": _recorded,
    "load": _load,
}


def _seconds(name: str, *arguments: str) -> float:
    if name == "find_jumps":  # the table is not part of it
        frame = curves(int(arguments[0]), int(arguments[1]))
        started = time.perf_counter()
        find_jumps(frame, x="params_total")
    else:
        started = time.perf_counter()
        OPERATIONS[name](*arguments)
    return time.perf_counter() - started


if __name__ == "__main__":
    print(_seconds(*sys.argv[1:]))
