"""Studies, subtasks, metrics, families and tasks of odd names, carried through tables, pictures and files."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import odd
import stock
from sandbox import Case, Ran

from harness.cli import main
from harness.records.store import collect, load
from harness.records.writer import write_run


def _name(rng: random.Random) -> str:
    return odd.text(rng)[:200]


def make(rng: random.Random) -> Case:
    """A folder whose runs have odd names, read, exported, and at times drawn."""
    runs = {name: _name(rng) for name in ("study", "family", "task", "experiment") if rng.random() < 0.5}
    curves = {name: _name(rng) for name in ("metric", "subtask") if rng.random() < 0.5}
    word = rng.random()
    reading: tuple[str, ...] = ("emergence", "x", "--json", "found.json")
    if word < 0.02:
        reading = ("analyze", "x")
    elif word < 0.06:
        reading = ("emergence", "x", "--plot", "found.png")
    elif word < 0.3:
        reading = ("export", rng.choice(("csv", "tensorboard", "wandb")), "x")
    elif word < 0.5:
        reading = ("cite", "x")

    def use() -> Any:
        for rung in range(4):
            rows = [row | (curves if row["metric"] == "accuracy" else {}) for row in stock.numbers(rung)]
            write_run(Path("x"), stock.run_row(f"{rung:02}aa", rung, **runs), rows)
        n = collect(Path("x")).n_runs
        return n, set(load(Path("x"), runs="all")["run_id"]), main([*reading])

    shown = f"{runs} {curves} {' '.join(reading)}"
    return Case((shown,), check=_all_there, call=use)


def _all_there(ran: Ran) -> str:
    if ran.code:
        return ""
    n, read, code = ran.value
    if (n, len(read)) != (4, 4):
        return f"{n} runs are recorded and {len(read)} read, of 4"
    return "" if code in (0, 1, 2) else f"exit code {code}"
