"""The measurements of one metric that a picture shows: chosen from a frame, checked, and averaged over runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from harness.analysis.curves import label_runs, with_defaults
from harness.errors import DataError, nearest
from harness.records.columns import FINITE, POSITIVE, number_column, require_columns

#: Runs of one size from which their mean has an interval: that of two is 13 times as long as they are apart.
LEAST_RUNS = 3


def check_frame(frame: object, name: str = "frame") -> None:
    """Raise a DataError that names the argument unless it is a frame."""
    if not isinstance(frame, pd.DataFrame):
        raise DataError(
            f"{name}: found {type(frame).__name__}; allowed is a pandas DataFrame, as harness.load returns it"
        )


def side_by_side(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One frame of several, each a study under its name.

    Raises:
        DataError: no frame, what is none, or one of several studies.
    """
    if not frames:
        raise DataError("frame: found an empty dict; allowed is a frame, or a dict of name -> frame")
    for name, frame in frames.items():
        check_frame(frame, f"frame['{name}']")
        if "study" in frame and frame["study"].nunique() > 1:
            several = ", ".join(map(str, frame["study"].unique()))
            raise DataError(f"frame['{name}'] holds several studies, {several}: choose one")
    named = [with_defaults(label_runs(frame)).assign(study=str(name)) for name, frame in frames.items()]
    return pd.concat([frame.assign(run_id=frame["run"]) for frame in named], ignore_index=True)


def chosen_metric(frame: pd.DataFrame, metric: str | None) -> str:
    """The metric asked for; where none is, the loss, or the only one that the frame has.

    Raises:
        DataError: what is no frame; no such metric, or several and no loss.
    """
    check_frame(frame)
    require_columns(frame, ("metric",))
    known = [str(name) for name in frame["metric"].dropna().unique()]
    if metric is None and ("loss" in known or len(known) == 1):
        return "loss" if "loss" in known else known[0]
    if metric in known:
        return metric
    if metric is None:
        raise DataError(f"metric: one must be named, of {', '.join(known) or 'none'}")
    raise DataError(f"metric '{metric}' is not there{nearest(str(metric), known) or '; there are ' + ', '.join(known)}")


def measured(
    frame: pd.DataFrame, metric: str, places: Sequence[str], *, by: str = "study", subtask: str = "all"
) -> pd.DataFrame:
    """The rows of one metric and subtask, with what it means and a column `curve` that holds curves apart.

    Args:
        frame: as `harness.load` returns it, or any table with columns metric and value beside `places`.
        places: columns of sizes, rates or steps; finite numbers.
        by: column whose labels are the curves; a frame without a column study is one curve.

    Returns:
        The columns curve, run, `places`, and those of `with_defaults`.

    Raises:
        DataError: a column is missing or holds what cannot be used, there are no such rows, or those of one curve are
            of several tasks.
    """
    rows = frame[frame["metric"] == metric]
    if "subtask" in frame:
        rows = rows[rows["subtask"].astype(str) == str(subtask)]
    if rows.empty:
        raise DataError(f"nothing to draw: no {metric} of subtask {subtask}")
    rows = with_defaults(label_runs(rows))
    require_columns(rows, (by, *places))
    columns = {name: number_column(rows, name, FINITE, empty=False) for name in (*places, "value")}
    rows = rows.assign(curve=rows[by].astype(str), **columns)
    tasks = rows.groupby("curve")["task"].unique()
    for curve, several in tasks[tasks.map(len) > 1].items():
        raise DataError(f"{curve or 'the frame'} holds several tasks, {', '.join(map(str, several))}: choose one")
    return rows


def refuse_several(studies: Iterable[object], rows: str, instead: str = "") -> None:
    """Raise a DataError where rows are of more than one study.

    Args:
        studies: the study of each row.
        rows: what they are called.
        instead: what else can be done than to choose one.
    """
    names = list(dict.fromkeys(map(str, studies)))
    if len(names) > 1:
        raise DataError(f"{rows} of several studies, {', '.join(names)}: choose one{instead}")


def at_one_step(rows: pd.DataFrame, x: str) -> pd.DataFrame:
    """The rows, one a run and size, of sizes above 0.

    Raises:
        DataError: a run was measured at several steps, or a size is not above 0.
    """
    number_column(rows, x, POSITIVE, empty=False)
    if "step" in rows and rows.groupby(["curve", "run", x])["step"].nunique().gt(1).any():
        raise DataError("runs are measured at several steps: choose one, as harness.load(..., steps='last') does")
    return rows.groupby(["curve", x, "run"], sort=False, as_index=False).first()


def means(rows: pd.DataFrame, keys: Sequence[str], level: float = 0.95) -> pd.DataFrame:
    """The mean of `value` over the runs of each group, with Student's interval where there are `LEAST_RUNS` or more.

    Args:
        keys: columns of the groups.

    Returns:
        A row a group, in order: keys, value, low, high (NaN where there is no interval), least and most (of the runs).
    """
    found = rows.groupby(list(keys), as_index=False)["value"].agg(
        value="mean", spread="std", n="count", least="min", most="max"
    )
    n = found["n"].to_numpy(float)
    student = stdtrit(np.maximum(n - 1, 1), (1 + level) / 2)
    half = np.where(n >= LEAST_RUNS, student * found["spread"] / np.sqrt(n), np.nan)
    found = found.assign(low=found["value"] - half, high=found["value"] + half)
    return found.drop(columns=["spread", "n"])
