"""What columns, metrics and curves are called for readers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.analysis.axis import Axis
from harness.analysis.emergence.verdicts import Verdict

#: What stands for an item that the records do not contain.
NOT_RECORDED = "not recorded"

#: What the columns that can stand on an x axis are called; with units.
SIZE_NAMES = {
    "params_total": "total parameters",
    "params_non_embedding": "non-embedding parameters",
    "params_embedding": "embedding parameters",
    "tokens": "training tokens",
    "unique_examples": "unique training examples",
    "flops": "training FLOPs",
    "params_trained": "parameters trained",
    "spent_flops": "training FLOPs spent",
    "total_flops": "training FLOPs, pretraining included",
    "parent_loss": "loss of the pretrained model",
    "pretraining_tokens": "pretraining tokens",
    "pretraining_flops": "pretraining FLOPs",
    "width": "width",
    "depth": "depth",
}


def size_name(column: str) -> str:
    """The column's name in words."""
    return SIZE_NAMES.get(column, column.replace("_", " "))


def verdict_name(verdict: str, x: str) -> str:
    """The verdict as readers of curves along x know it: along data, what is too few are amounts of data."""
    return f"too few {Axis.of(x).places}" if verdict == Verdict.TOO_FEW_SIZES else verdict


def curve_name(row: Mapping[Any, Any]) -> str:
    """What a curve is called: its study (or task, or metric) and, where it is not the whole task, its subtask."""
    name = str(row["study"] or row.get("task") or metric_name(str(row["metric"])))
    return name if row["subtask"] == "all" else f"{name}: {row['subtask']}"


def metric_name(metric: str) -> str:
    """The metric's name in words."""
    return metric.replace("_", " ")


def interval_kind(kind: str) -> str:
    """How the intervals of laws were made, in a word or two."""
    return {"profile": "by profile likelihood", "bootstrap": "by bootstrap", "delta": "by the delta method"}[kind]
