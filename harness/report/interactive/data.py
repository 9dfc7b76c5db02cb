"""What the interactive page is given: runs, curves with their verdicts, and fitted laws, as plain JSON.

Each number of a run stands once, in a column; a curve holds positions of its runs and a value for each. Numbers are
rounded to `DIGITS` digits, and where all points would make the page too large, some are left out and said to be.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from harness.records.run_settings import stated_settings
from harness.report.analyze import Analysis
from harness.report.appearance import only_where_something_appears
from harness.report.names import metric_name, size_name
from harness.report.plots import VERDICTS, value_label

#: Significant digits of values and of sizes that are no whole numbers.
DIGITS = 5
#: What a curve is called that no jump was looked for in, nor in one that it judges.
NOT_TESTED = "not tested"

#: Columns that can be an x, the analysis's own first; settings that vary join them.
_SIZES = (
    *("params_non_embedding", "params_total", "params_embedding", "params_attention", "params_mlp", "flops", "tokens"),
    *("width", "depth", "heads", "lr", "steps", "batch_size", "wall_s"),
)
_NAMES = {"lr": "learning rate", "wall_s": "training time of the job (s)", "batch_size": "batch size (examples)"}
#: Points of a fitted law.
_LAW_POINTS = 40


def page_data(analysis: Analysis, limit_bytes: int) -> tuple[str, list[str]]:
    """The data of the page as JSON of at most `limit_bytes`, and what is left out to that end, a sentence each.

    Left out are, until the rest fits: runs of other durations and learning rates than the curves are of, the curves of
    single subtasks, and all but every k-th run of each size.
    """
    for points, said in _fewer_and_fewer(_points(analysis)):
        text = _encoded(analysis, points)
        if len(text.encode()) <= limit_bytes or points.empty:
            return text, said
    raise AssertionError("the last are no points")


def _fewer_and_fewer(points: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, list[str]]]:
    """Points to show, and what is said to be left out, each time fewer; none at last."""
    yield points, []
    said: list[str] = []
    for narrowed, what in (
        (lambda rows: rows["chosen"], "runs of other durations and learning rates than the curves are of"),
        (lambda rows: rows["subtask"] == "all", "curves of single subtasks"),
    ):
        kept = points[narrowed(points)]
        if 0 < len(kept) < len(points):
            said = [*said, f"{what} ({len(points) - len(kept):,} points)"]
            points = kept
            yield points, said
    n_runs, n_sizes = points["run_id"].nunique(), points.groupby(["study", "rung"]).ngroups
    every, part = 1, points
    while len(part) and (every == 1 or part["run_id"].nunique() > n_sizes):
        every *= 2
        part = _every_kth_run(points, every)
        yield (
            part,
            [*said, f"all but one in {every} runs of each size ({part['run_id'].nunique():,} of {n_runs:,} stay)"],
        )
    yield points[:0], [*said, f"all {n_runs:,} runs"]


def _points(analysis: Analysis) -> pd.DataFrame:
    """One row a point: finite values of finished runs at their last step; `chosen` for those that the curves are of."""
    frame = analysis.every_duration
    frame = frame[np.isfinite(frame["value"])]
    return frame.assign(chosen=frame["run_id"].isin(analysis.frame["run_id"]))


def _every_kth_run(points: pd.DataFrame, every: int) -> pd.DataFrame:
    runs = points.drop_duplicates("run_id")
    kept = runs[runs.groupby(["study", "rung"]).cumcount() % every == 0]
    return points[points["run_id"].isin(kept["run_id"])]


def _encoded(analysis: Analysis, points: pd.DataFrame) -> str:
    runs = points.drop_duplicates("run_id").reset_index(drop=True)
    x = [name for name in _x_columns(analysis, runs) if _varies(runs[name])]
    content = {
        "runs": _runs(runs),
        "columns": {name: _rounded(runs[name]) for name in (*_SIZES, *x) if name in runs},
        "settings": _settings(runs),
        "x": [{"column": name, "name": _NAMES.get(name, size_name(name))} for name in x],
        "curves": list(_curves(analysis, points, runs)),
        "laws": list(_laws(analysis)),
        "metrics": {name: metric_name(name) for name in _metrics(analysis, points)},
        "units": {name: value_label(name, runs) for name in dict.fromkeys(points["metric"])},
        "verdicts": [{"name": name, "colour": colour, "marker": marker} for name, (colour, marker) in VERDICTS.items()],
        "threshold_x": analysis.x,
    }
    # "<" would let a name end the script that holds the data.
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")


def _x_columns(analysis: Analysis, runs: pd.DataFrame) -> list[str]:
    varying = [name for name in analysis.every_duration.attrs.get("varying", []) if name in runs]
    numeric = [name for name in varying if pd.api.types.is_numeric_dtype(runs[name])]
    return list(dict.fromkeys([analysis.x, *(name for name in _SIZES if name in runs), *numeric]))


def _varies(column: pd.Series) -> bool:
    numbers = column.to_numpy(float)
    return len(np.unique(numbers[np.isfinite(numbers) & (numbers > 0)])) > 1 or not len(numbers)


def _metrics(analysis: Analysis, points: pd.DataFrame) -> list[str]:
    """Those of the strongest verdicts on whole tasks first, then others that were tested, then the rest."""
    claims = list(VERDICTS)
    jumps = analysis.jumps.assign(
        whole=analysis.jumps["subtask"] != "all", claim=[claims.index(each) for each in analysis.jumps["verdict"]]
    ).sort_values(["whole", "claim"], kind="stable")
    there = set(points["metric"])
    return [name for name in dict.fromkeys([*jumps["metric"], *points["metric"]]) if name in there]


def _runs(runs: pd.DataFrame) -> dict[str, Any]:
    coded = {name: _coded(runs[name].astype(str).tolist()) for name in ("study", "family", "task", "device")}
    return {
        "id": runs["run_id"].tolist(),
        "seed": runs["seed"].tolist(),
        "rung": runs["rung"].tolist(),
        "chosen": runs["chosen"].astype(int).tolist() if not runs["chosen"].all() else None,
        **coded,
    }


def _settings(runs: pd.DataFrame) -> dict[str, Any]:
    """Every setting that a run states, coded; null where it does not state one."""
    stated = stated_settings(runs)
    names = dict.fromkeys(name for each in stated for name in each)
    return {
        name: _coded([None if (value := each.get(name)) is None else _setting(value) for each in stated])
        for name in names
    }


def _setting(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _coded(values: Sequence[str | None]) -> dict[str, Any]:
    """Distinct values, and the position of each run's; no positions where all runs have the same."""
    codes, distinct = pd.factorize(np.array(values, dtype=object), use_na_sentinel=False)
    known = [None if value is None or value != value else value for value in distinct]
    return {"of": known} if len(known) == 1 else {"of": known, "at": codes.tolist()}


def _curves(analysis: Analysis, points: pd.DataFrame, runs: pd.DataFrame) -> Iterator[dict[str, Any]]:
    verdicts = _verdicts(only_where_something_appears(analysis.jumps))
    position = pd.Series(runs.index, index=runs["run_id"])
    keys = ["study", "task", "subtask", "metric"]
    for (study, task, subtask, metric), part in points.groupby(keys, sort=False):
        row, judges = verdicts.get((str(study), str(task), str(subtask), str(metric)), ({}, ""))
        chance = part["chance"].iloc[0]
        yield {
            "study": str(study),
            "subtask": str(subtask),
            "metric": str(metric),
            "verdict": row.get("verdict", NOT_TESTED),
            "judges": metric_name(judges),
            "threshold": [_finite(row.get(f"threshold{end}")) for end in ("", "_low", "_high")],
            "chance": _finite(chance),
            "run": position[part["run_id"]].tolist(),
            "value": _rounded(part["value"]),
        }


def _verdicts(jumps: pd.DataFrame) -> dict[tuple[str, ...], tuple[dict[str, Any], str]]:
    """(study, task, subtask, metric) -> the row of its verdict, and the metric it judges, '' where that is its own."""
    found: dict[tuple[str, ...], tuple[dict[str, Any], str]] = {}
    rows = [{str(name): value for name, value in row.items()} for row in jumps.to_dict("records")]
    for own in (True, False):
        for row in rows:
            metric = row["metric"] if own else row["continuous_metric"]
            key = tuple(str(row[name]) for name in ("study", "task", "subtask"))
            found.setdefault((*key, str(metric)), (row, "" if own else str(row["metric"])))
    return found


def _laws(analysis: Analysis) -> Iterator[dict[str, Any]]:
    """The law of each study's loss under each convention of size that one describes."""
    frame = analysis.frame
    loss = frame[(frame["metric"] == "loss") & (frame["subtask"] == "all")]
    for (study, x), law in analysis.fits.items():
        sizes = loss.loc[loss["study"].astype(str) == study, x]
        if x in analysis.conventions and len(sizes):
            along = np.geomspace(sizes.min(), sizes.max(), _LAW_POINTS)
            drawn = law.predict(along, level=analysis.level)
            low, middle, high = (_rounded(drawn[name]) for name in ("low", "predicted", "high"))
            yield {"study": study, "x": x, "at": _rounded(pd.Series(along)), "y": middle, "low": low, "high": high}


def _rounded(column: Any) -> list[float | int | None]:
    return [_finite(value) for value in column.tolist()]


def _finite(value: Any) -> float | int | None:
    """The number in few digits; None where there is none. Whole numbers, which may be counts, stay exact."""
    if value is None or not math.isfinite(value):
        return None
    if float(value).is_integer() and abs(value) < 1e15:
        return int(value)
    return float(f"{value:.{DIGITS}g}")
