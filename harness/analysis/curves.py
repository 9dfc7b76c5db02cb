"""From a frame of measurements to curves: one value a run, gathered by size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.analysis.runs import Runs, gather_runs, row_means
from harness.errors import DataError, nearest

#: Names of what is better when smaller, unless a table says otherwise.
SMALLER_IS_BETTER = "loss|error|perplexity|nll"


@dataclass(frozen=True)
class Curve:
    """One metric of one subtask along a ladder.

    Attributes:
        study, task, subtask, metric: where it is from.
        runs: sizes (in the unit of x) and the metric's value for each run.
        seed: (n,) index of the seed of each run; where no column tells, runs of one name at several sizes share it.
        evaluation: (R,) variance of a run's value at each size from its finite evaluation set, 0 where unknown.
        repeated: rows of a run beyond its first, which were averaged.
        chance: value of a guesser, or NaN.
        higher_is_better: direction of the metric.
        discontinuous: whether the metric can jump where outputs move smoothly.
        paired_metric: for a discontinuous metric, the continuous one on the same outputs, or ''.
    """

    study: str
    task: str
    subtask: str
    metric: str
    runs: Runs
    seed: np.ndarray
    evaluation: np.ndarray
    repeated: int
    chance: float
    higher_is_better: bool
    discontinuous: bool
    paired_metric: str

    @property
    def oriented(self) -> np.ndarray:
        """(n,) values, higher is better."""
        return self.runs.value if self.higher_is_better else -self.runs.value


def require_columns(frame: pd.DataFrame, columns: Iterable[str]) -> None:
    """Raises DataError naming the first column that is missing and the nearest one that is there."""
    for column in columns:
        if column not in frame.columns:
            raise DataError(f"column '{column}' is missing{nearest(column, map(str, frame.columns))}")


def label_runs(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame, every row of it, with the columns study, subtask and run.

    A study is one and a subtask is 'all' where no column says so. A run is named by `run_id`, else `member`, else
    `seed`; without any of them each row is a run of its own.

    Raises:
        DataError: a study, task, subtask or metric is empty; the row is named.
    """
    frame = frame.copy()
    for column, default in (("study", ""), ("subtask", "all")):
        if column not in frame.columns:
            frame[column] = default
    for column in ("study", "task", "subtask", "metric"):
        if column in frame.columns and frame[column].isna().any():
            row = frame.index[frame[column].isna()][0]
            raise DataError(f"column {column}, row {row}: empty: a label is wanted")
    label = next((name for name in ("run_id", "member", "seed") if name in frame.columns), None)
    frame["run"] = np.arange(len(frame)).astype(str) if label is None else frame[label].astype(str)
    return frame


def make_curves(frame: pd.DataFrame, x: str) -> Iterator[Curve]:
    """The curves of a frame, in order of appearance.

    Args:
        frame: one row per (run, subtask, metric), as `label_runs` returns it; with columns x, metric, value.
        x: the column of sizes, > 0.

    Raises:
        DataError: a size or value that cannot be used; names row and column.
    """
    require_columns(frame, (x, "metric", "value"))
    for column, allowed in ((x, "finite numbers above 0"), ("value", "finite numbers")):
        numbers = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=float)
        bad = ~np.isfinite(numbers) | ((numbers <= 0) if column == x else False)
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            found = frame[column].iloc[row]
            raise DataError(f"column {column}, row {frame.index[row]}: {found}: allowed are {allowed}")
    frame = with_defaults(frame)
    _check_shares(frame)
    for (study, task, subtask, metric), part in frame.groupby(["study", "task", "subtask", "metric"], sort=False):
        first = part.iloc[0]
        runs = gather_runs(part[x].to_numpy(float), part["value"].to_numpy(float), part["run"].to_numpy())
        yield Curve(
            study=str(study),
            task=str(task),
            subtask=str(subtask),
            metric=str(metric),
            runs=runs,
            seed=_seeds(part, runs),
            evaluation=_evaluation_variance(part, runs, bool(first["discontinuous"])),
            repeated=len(part) - len(runs.value),
            chance=float(first["chance"]),
            higher_is_better=bool(first["higher_is_better"]),
            discontinuous=bool(first["discontinuous"]),
            paired_metric=str(first["paired_metric"]),
        )


def _seeds(part: pd.DataFrame, runs: Runs) -> np.ndarray:
    """(n,) index of each run's seed."""
    label = "seed" if "seed" in part.columns else "run"
    first_row = np.full(len(runs.value), -1)
    first_row[runs.of_row[::-1]] = np.arange(len(part))[::-1]
    return np.unique(part[label].to_numpy()[first_row].astype(str), return_inverse=True)[1]


def _evaluation_variance(part: pd.DataFrame, runs: Runs, share_of_items: bool) -> np.ndarray:
    """(R,) binomial variance for a share of items right; else the square of the standard error that the table gives."""
    n_sizes = len(runs.sizes)
    if share_of_items and part["n_eval"].notna().all():
        n_eval = row_means(part["n_eval"].to_numpy(float), runs.of_row)
        return binomial_variance(runs.means(runs.value), runs.means(n_eval), runs.counts)
    if not share_of_items and "stderr" in part.columns and part["stderr"].notna().all():
        return runs.means(row_means(part["stderr"].to_numpy(float) ** 2, runs.of_row))
    return np.zeros(n_sizes)


def binomial_variance(mean: np.ndarray, n_eval: np.ndarray, n_runs: np.ndarray | int) -> np.ndarray:
    """Variance of a run's share of `n_eval` items right about the mean of `n_runs`, all of one shape.

    Half an item of all runs together is moved towards the middle, so that no variance is 0.
    """
    items = n_eval * n_runs
    right = (mean * items + 0.5) / (items + 1)
    return np.asarray(right * (1 - right) / n_eval)


def _check_shares(frame: pd.DataFrame) -> None:
    """Shares of items right lie in [0, 1], of one item or more."""
    counted = frame["n_eval"].notna()
    bad = counted & (frame["n_eval"] < 1)
    if bad.any():
        row = frame.index[bad][0]
        raise DataError(f"column n_eval, row {row}: {frame.loc[row, 'n_eval']}: allowed are numbers of items from 1 on")
    outside = counted & frame["discontinuous"].astype(bool) & ~frame["value"].between(0, 1)
    if outside.any():
        row = frame.index[outside][0]
        raise DataError(
            f"column value, row {row}: {frame.loc[row, 'value']}: metric {frame.loc[row, 'metric']} is a share of "
            "n_eval items, and shares lie in [0, 1]"
        )


def with_defaults(frame: pd.DataFrame) -> pd.DataFrame:
    """What a table of one's own may leave out (see `emergence.find_jumps`)."""
    frame = frame.copy()
    metric = frame["metric"].astype(str)
    is_loss = metric.str.contains(SMALLER_IS_BETTER, case=False)
    if "task" not in frame.columns:
        frame["task"] = ""
    for column in ("chance", "n_eval"):
        frame[column] = pd.to_numeric(frame[column], errors="coerce") if column in frame.columns else np.nan
    if "higher_is_better" not in frame.columns:
        frame["higher_is_better"] = ~is_loss
    if "paired_metric" not in frame.columns:
        frame["paired_metric"] = np.where(~is_loss & bool((metric == "loss").any()), "loss", "")
    frame["paired_metric"] = frame["paired_metric"].fillna("")
    if "discontinuous" not in frame.columns:
        frame["discontinuous"] = ~is_loss & ~metric.isin(set(frame["paired_metric"]))
    return frame
