"""Tables of curves with a known truth for the verbs on them, and the beginnings of commands."""

from __future__ import annotations

import numpy as np
import pandas as pd

OWN = ("emergence", "own.csv", "--x", "N", "--value", "score", "--task", "dataset", "--metric", "kind", "--seed", "s")
TOLD = (*OWN, "--n-eval", "items", "--chance", "0", "--pair", "em=tok")
#: Rows of the five smallest sizes alone, which take a fifth of the time.
FEW_SIZES = ("--exclude", "N > 2000")
#: task -> place and width, in steps, of the rise of its tokens, and tokens an answer has.
TASKS = {"copy": (2.5, 4.5, 8), "reverse": (4.5, 0.3, 1), "sum": (4.0, 6.0, 1)}


def rows_of(task: str, seeds: int = 4, later: float = 0.0) -> pd.DataFrame:
    """Nine sizes: a share of 200 answers wholly right (em), and of their tokens (tok)."""
    rng = np.random.default_rng([len(task), int(10 * later)])
    place, width, tokens = TASKS[task]
    size, seed = (axis.ravel() for axis in np.indices((9, seeds)))
    tok = np.clip(1 / (1 + np.exp(-4.4 * (size - place - later) / width)) + 0.02 * rng.standard_normal(len(size)), 0, 1)
    columns = {"dataset": task, "N": 100 * 2.0**size, "s": seed, "items": 200}
    em = rng.binomial(200, tok**tokens) / 200
    return pd.concat([pd.DataFrame(columns | {"kind": kind, "score": y}) for kind, y in (("em", em), ("tok", tok))])


def write_curves() -> None:
    """own.csv, its columns under names of its own; small.csv and large.csv, under known names and two steps apart."""
    pd.concat([rows_of(task) for task in TASKS]).to_csv("own.csv", index=False)
    names = {"dataset": "task", "N": "params", "s": "seed", "kind": "metric", "score": "value", "items": "n_eval"}
    for name, later in (("small", 0.0), ("large", 2.0)):
        table = pd.concat([rows_of(task, later=later) for task in TASKS]).rename(columns=names)
        table["paired_metric"] = np.where(table["metric"] == "em", "tok", "")
        table["flops"] = table["params"] * 1e6 * table["task"].map({"copy": 1, "reverse": 1, "sum": 50})
        table.to_csv(f"{name}.csv", index=False)
