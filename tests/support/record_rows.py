"""Rows that fit the schema, for tests of the tables."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from harness.records.schema import LINEAGE


def run_row(run_id: str = "aa", **changes: Any) -> dict[str, Any]:
    counts = {f"params_{group}": 10 for group in ("embedding", "attention", "mlp", "norm", "head")}
    return {
        "run_id": run_id,
        "experiment": "tiny",
        "study": "main",
        "family": "mlp",
        "task": "parity",
        "rung": 0,
        "duration": 0,
        "member": "seed0",
        "seed": 0,
        "lr": 0.01,
        "width": 8,
        "depth": 1,
        "heads": 0,
        "params_total": 50,
        "params_non_embedding": 30,
        **counts,
        "steps": 4,
        "batch_size": 2,
        "micro_batches": None,
        "params_trained": None,
        "spent_flops": None,
        **dict.fromkeys(LINEAGE),
        "tokens": 8,
        "unique_examples": None,
        "epochs": None,
        "flops": 1e3,
        "status": "finished",
        "error": None,
        "wall_s": 0.5,
        "tokens_per_s": 16.0,
        "device": "cpu",
        "config": "{}",
        "versions": "{}",
        "git_revision": None,
        "finished_at": datetime(2025, 1, 2, tzinfo=UTC),
    } | changes


def measurement_rows(steps: tuple[int, ...] = (2, 4), **changes: Any) -> list[dict[str, Any]]:
    return [
        {
            "step": step,
            "tokens": 2 * step,
            "flops": 250.0 * step,
            "split": "eval",
            "subtask": "all",
            "metric": metric,
            "value": 1.0 / step,
            "stderr": 0.01,
            "n_eval": 64,
            "chance": 0.5 if metric == "accuracy" else None,
            "higher_is_better": metric == "accuracy",
            "discontinuous": metric == "accuracy",
            "paired_metric": "loss" if metric == "accuracy" else None,
        }
        | changes
        for step in steps
        for metric in ("loss", "accuracy")
    ]
