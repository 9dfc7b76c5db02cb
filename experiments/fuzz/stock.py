"""A small results folder that every case on results starts from, made once in a process."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from harness.records.importers.table_rows import NEUTRAL
from harness.records.store import collect
from harness.records.writer import write_run


def run_row(run_id: str, rung: int = 0, **changes: Any) -> dict[str, Any]:
    """A row of the table of runs."""
    groups = {f"params_{group}": 10 * 4**rung for group in ("embedding", "attention", "mlp", "norm", "head")}
    return NEUTRAL | {
        "run_id": run_id,
        "experiment": "tiny",
        "study": "main",
        "family": "mlp",
        "task": "parity",
        "rung": rung,
        "member": "seed0",
        "seed": 0,
        "lr": 0.01,
        "width": 8 * 2**rung,
        "depth": 1,
        "params_total": 50 * 4**rung,
        "params_non_embedding": 30 * 4**rung,
        **groups,
        "steps": 4,
        "batch_size": 2,
        "tokens": 8,
        "flops": 1e3 * 4**rung,
        "status": "finished",
        "error": None,
        "wall_s": 0.5,
        "tokens_per_s": 16.0,
        "device": "cpu",
        "config": "{}",
        "versions": "{}",
        "finished_at": datetime(2025, 1, 2, tzinfo=UTC),
        **changes,
    }


def numbers(rung: int = 0, **changes: Any) -> list[dict[str, Any]]:
    """Rows of the table of measurements."""
    rows = []
    for step in (2, 4):
        for metric, value in (("loss", 2.0 / (rung + 1) / step), ("accuracy", 0.5 + 0.1 * rung)):
            hit = metric == "accuracy"
            row = {"step": step, "tokens": 2 * step, "flops": 250.0 * step * 4**rung, "split": "eval", "subtask": "all"}
            row |= {"metric": metric, "value": value, "stderr": 0.01, "n_eval": 64, "chance": 0.5 if hit else None}
            row |= {"higher_is_better": hit, "discontinuous": hit, "paired_metric": "loss" if hit else None}
            rows.append(row | changes)
    return rows


@cache
def files() -> dict[str, bytes]:
    """Name -> content of every file of the folder, collected."""
    with TemporaryDirectory() as made:
        folder = Path(made)
        for rung in range(4):
            write_run(folder, run_row(f"{rung:02}aa", rung), numbers(rung))
        write_run(folder, run_row("ffff", status="failed", error="killed", tokens=0, flops=0.0), [])
        collect(folder)
        return {
            str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
        }
