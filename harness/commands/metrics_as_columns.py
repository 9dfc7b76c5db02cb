"""Metrics of a table that has a row a metric, where a verb is told of one as if it were a column: --y loss.

The measurements of a results folder become a row a run with a column a metric. Of a user's own table nobody knows which
rows are of one run, so it is said what to write.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from harness.errors import DataError, UserError, nearest
from harness.records.folders import is_results
from harness.wording import listed

#: Columns of a measurement, which no longer mean anything where several stand in one row.
_OF_A_MEASUREMENT = [
    *("split", "subtask", "metric", "value", "stderr", "n_eval", "chance"),
    *("higher_is_better", "discontinuous", "paired_metric"),
]


def with_metrics(frame: pd.DataFrame, source: str, named: Sequence[str], derived: Sequence[str] = ()) -> pd.DataFrame:
    """The table, or where columns are named that are metrics in its rows, a row a run with a column a metric.

    Of each metric the value on the task as a whole is taken; a run keeps the number of its first row.

    Args:
        frame: as `records.table.read_rows` reads it.
        source: what the user called it.
        named: columns that the user named.
        derived: definitions of columns that are still to be made: NAME = EXPRESSION.

    Raises:
        UserError: a metric is named of a table that is no results folder.
        DataError: a name is neither that of a column nor of a metric of a results folder.
    """
    if not {"metric", "value"} <= set(frame.columns):
        return frame
    made = {definition.partition("=")[0].strip(" `") for definition in derived}
    absent = [name for name in named if name not in frame and name not in made and "*" not in name]
    metrics = [str(metric) for metric in dict.fromkeys(frame["metric"])]
    found = [name for name in absent if name in metrics]
    if not is_results(source):
        if found:
            where = f"--where \"metric == '{found[0]}'\""
            raise UserError(
                f"{source}: {found[0]} is a metric and no column; name column value, and its rows by {where}"
            )
        return frame
    if unknown := [name for name in absent if name not in metrics]:
        near = nearest(unknown[0], [*metrics, *frame.columns]) or f"; metrics are {listed(metrics)}"
        raise DataError(f"{unknown[0]} is no column and no metric{near}", source=source)
    if not found:
        return frame
    whole = frame[frame["subtask"] == "all"]
    values = whole.pivot_table(index="run_id", columns="metric", values="value", aggfunc="first")
    runs = whole.drop_duplicates("run_id").drop(columns=[name for name in _OF_A_MEASUREMENT if name in whole])
    return runs.join(values, on="run_id")


def refuse_several_studies(frame: pd.DataFrame, source: str, apart: str | None) -> None:
    """Refuse to fit one law to the runs of several studies of a results folder.

    Args:
        apart: a column whose groups are fitted each by itself.

    Raises:
        DataError: the runs, or those of one group, are of several studies.
    """
    if not is_results(source) or "study" not in frame or "metric" in frame:
        return
    groups = frame.groupby(apart)["study"].nunique() if apart in frame else pd.Series([frame["study"].nunique()])
    if groups.max() > 1:
        studies = [str(study) for study in dict.fromkeys(frame["study"])]
        raise DataError(
            f"holds runs of {len(studies)} studies: {listed(studies)}; choose one by "
            f"--where \"study == '{studies[-1]}'\"",
            source=source,
        )


def metric_rows(frame: pd.DataFrame, value: str) -> tuple[pd.DataFrame, str] | None:
    """The rows of the metrics that --value names, with those that judge them, and the same in words.

    None where it names no metric of the column metric.

    Raises:
        UserError: it names something that is neither metric nor column.
    """
    known = [str(metric) for metric in dict.fromkeys(frame["metric"])]
    names = [name.strip() for name in value.split(",")]
    metrics = [name for name in names if name in known]
    if "value" not in frame or any(name in frame or "*" in name for name in names):
        return None
    if not metrics and nearest(names[0], frame.columns):  # a misspelt column, which whoever reads it names
        return None
    if not metrics:
        raise UserError(f"--value {value}: no column of this table and no metric of it; metrics are {listed(known)}")
    if other := [name for name in names if name not in known]:
        raise UserError(f"--value {value}: {other[0]} is no metric of this table; there are {listed(known)}")
    chosen = frame["metric"].isin(metrics)
    judges: list[str] = []
    if "paired_metric" in frame:
        paired = frame.loc[chosen, "paired_metric"].dropna().astype(str)
        judges = [name for name in dict.fromkeys(paired) if name in known and name not in metrics]
    beside = f", judged by {listed(judges)}" if judges else ""
    return frame[chosen | frame["metric"].isin(judges)], f"read: rows of metric {listed(metrics)}{beside}"
