"""Runs of a sweep as it would have left them, without the training."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from harness.records.importers.table_rows import NEUTRAL
from harness.records.schema import MEASUREMENTS
from harness.records.writer import write_run

#: Of each evaluation: a training loss, and two metrics of each subtask.
_SUBTASKS = 12
_ROWS = 1 + 2 * _SUBTASKS
_SIZES, _STEPS = 20, 10_000


def write_pieces(folder: Path, first: int, last: int, n_measurements: int, seed: int) -> None:
    """Add the runs numbered `first` to `last` - 1 to a results folder.

    Args:
        n_measurements: rows of the measurements table that each run adds, to the nearest evaluation.
    """
    for number in range(first, last):
        rng = np.random.default_rng([seed, number])
        size, run_seed = number % _SIZES, number // _SIZES
        run_id = f"planted-{size}-{run_seed:08d}"
        numbers = _measurements(run_id, size, max(n_measurements // _ROWS, 1), rng)
        write_run(folder, _row(run_id, size, run_seed), numbers)


def curves(n: int, seed: int) -> pd.DataFrame:
    """`n` subtasks of three seeds at eight sizes: a row a run and subtask, as `find_jumps` takes them."""
    rng = np.random.default_rng(seed)
    sizes, seeds = np.geomspace(1e4, 1e8, 8), np.arange(3)
    middle = rng.uniform(9, 19, (n, 1, 1))
    rise = 1 / (1 + np.exp((middle - np.log(sizes)[:, None]) * rng.uniform(0.5, 4, (n, 1, 1))))
    right = rng.binomial(500, 0.25 + 0.7 * rise, (n, len(sizes), len(seeds))) / 500
    at = np.indices(right.shape).reshape(3, -1)
    return pd.DataFrame(
        {
            "subtask": np.char.add("subtask", at[0].astype(str)),
            "metric": "accuracy",
            "params_total": sizes[at[1]],
            "seed": seeds[at[2]],
            "value": right.ravel(),
            "n_eval": 500,
            "chance": 0.25,
            "higher_is_better": True,
            "discontinuous": True,
        }
    )


def _measurements(run_id: str, size: int, n_evaluations: int, rng: np.random.Generator) -> pa.Table:
    """The (n_evaluations * _ROWS) rows of a run."""
    names = ["all", *(f"subtask{i}" for i in range(1, _SUBTASKS))]
    kinds = [("train", "all", "loss"), *(("eval", name, metric) for name in names for metric in ("loss", "accuracy"))]
    steps = np.linspace(_STEPS / n_evaluations, _STEPS, n_evaluations).astype(int)
    split, subtask, metric = (np.tile([kind[i] for kind in kinds], n_evaluations) for i in range(3))
    step = np.repeat(steps, _ROWS)
    is_accuracy, is_eval = metric == "accuracy", split == "eval"
    learnt = (step / _STEPS) ** 0.5 * (1 + size) / (1 + _SIZES)
    value = np.where(is_accuracy, 0.1 + 0.8 * learnt, 2.0 - learnt) + rng.normal(0, 0.01, len(step))
    columns: dict[str, Any] = {
        "run_id": np.full(len(step), run_id),
        "step": step,
        "tokens": step * 64,
        "flops": step * 64 * _parameters(size) * 6.0,
        "split": split,
        "subtask": subtask,
        "metric": metric,
        "value": value,
        "stderr": pa.array(np.abs(value) / 30, mask=~is_eval),
        "n_eval": pa.array(np.full(len(step), 1000), mask=~is_eval),
        "chance": pa.array(np.full(len(step), 0.1), mask=~is_accuracy),
        "higher_is_better": is_accuracy,
        "discontinuous": is_accuracy,
        "paired_metric": pa.array(np.full(len(step), "loss"), mask=~is_accuracy),
    }
    return pa.table([pa.array(columns[field.name], field.type) for field in MEASUREMENTS], schema=MEASUREMENTS)


def _parameters(size: int) -> int:
    return 2_000 * round(1.3**size)


def _row(run_id: str, size: int, seed: int) -> dict[str, Any]:
    n = _parameters(size)
    groups = {f"params_{group}": n // 5 for group in ("embedding", "attention", "mlp", "norm", "head")}
    config = {"study": "main", "seed": seed, "task": {"name": "parity", "n_bits": 32}, "optimizer": {"lr": 0.01}}
    return NEUTRAL | {
        "run_id": run_id,
        "experiment": "planted",
        "study": "main",
        "family": "mlp",
        "task": "parity",
        "rung": size,
        "member": f"seed{seed}",
        "seed": seed,
        "lr": 0.01,
        "width": 4 + 4 * size,
        "depth": 1,
        "params_total": n,
        "params_non_embedding": n,
        **groups,
        "steps": _STEPS,
        "batch_size": 64,
        "micro_batches": 1,
        "tokens": _STEPS * 64,
        "flops": 6.0 * n * 64 * _STEPS,
        "status": "finished",
        "error": None,
        "wall_s": 30.0,
        "tokens_per_s": 2e4,
        "device": "cpu",
        "config": json.dumps(config | {"notes": "x" * 1000}),
        "versions": json.dumps({"torch": "2.0", "numpy": "2.0"}),
        "finished_at": datetime(2025, 1, 2, tzinfo=UTC) + timedelta(seconds=30 * seed),
    }
