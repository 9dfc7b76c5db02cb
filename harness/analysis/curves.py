"""From a frame of measurements to curves: one value a run, gathered by size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.analysis.runs import Runs, gather_runs, row_means
from harness.errors import DataError
from harness.metric_names import meaning, usual_pair
from harness.records.columns import FINITE, ITEMS, POSITIVE, Limits, number_column, require_columns, truth_column

#: Standard errors of a share below this are rounding, and say nothing of its items.
SMALLEST_ERROR = 1e-9
#: Numbers that a curve may hold, so that squares and their sums are numbers too.
_VALUES = Limits(-1e100, 1e100, "finite numbers within 1e+100 of 0")
_ERRORS = Limits(0.0, 1e100, "finite numbers of 0 or more, at most 1e+100")
#: Items of a share that follow from the standard errors of its rows agree to within this: errors are often rounded to
#: three digits, which moves items by a percent.
SAME_ITEMS = 0.1
#: Columns that say what a curve is of, and what they hold where a frame does not have them.
_KEY = {"study": "", "task": "", "subtask": "all"}


@dataclass(frozen=True)
class Curve:
    """One metric of one subtask along a ladder.

    Attributes:
        study, task, subtask, metric: where it is from.
        runs: sizes (in the unit of x) and the metric's value for each run.
        seed: (n,) index of each run's seed; without a column seed, runs of one name at several sizes share one.
        evaluation: (R,) variance that the finite evaluation set adds to a run's value at each size, 0 where unknown.
        repeated: number of rows beyond the first of their run; the rows of a run are averaged.
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


def label_runs(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame, every row of it, with the columns study, subtask and run.

    A study is one and a subtask is 'all' where no column says so. A run is named by `run_id`, else `member`, else
    `seed`; without any of them each row is a run of its own. Rows whose name is empty are of one run, without a name.

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
            raise DataError("empty: a label is wanted", column=column, row=row)
    label = next((name for name in ("run_id", "member", "seed") if name in frame.columns), None)
    frame["run"] = np.arange(len(frame)).astype(str) if label is None else frame[label].astype(str).fillna("")
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
    frame = frame.assign(**{x: number_column(frame, x, POSITIVE, empty=False)})
    frame = with_defaults(frame.assign(value=number_column(frame, "value", _VALUES, empty=False)))
    _check_shares(frame)
    code = frame.groupby([*_KEY, "metric"], sort=False).ngroup().to_numpy()
    rows_of_curves = np.split(np.argsort(code, kind="stable"), np.cumsum(np.bincount(code))[:-1]) if len(frame) else []
    first = np.array([rows[0] for rows in rows_of_curves], dtype=int)
    _check_one_meaning(frame, first[code])
    # Cells of a frame are slow to reach, and there may be ten thousand curves.
    cells = {str(name): frame[name].to_numpy() for name in frame.columns}
    for rows in rows_of_curves:
        one = rows[0]
        runs = gather_runs(cells[x][rows], cells["value"][rows], cells["run"][rows])
        discontinuous = bool(cells["discontinuous"][one])
        yield Curve(
            study=str(cells["study"][one]),
            task=str(cells["task"][one]),
            subtask=str(cells["subtask"][one]),
            metric=str(cells["metric"][one]),
            runs=runs,
            seed=_seeds(cells["seed" if "seed" in cells else "run"][rows], runs),
            evaluation=_evaluation_variance(
                cells["n_eval"][rows], cells["stderr"][rows] if "stderr" in cells else None, runs, discontinuous
            ),
            repeated=len(rows) - len(runs.value),
            chance=float(cells["chance"][one]),
            higher_is_better=bool(cells["higher_is_better"][one]),
            discontinuous=discontinuous,
            paired_metric=str(cells["paired_metric"][one]),
        )


def _check_one_meaning(frame: pd.DataFrame, first: np.ndarray) -> None:
    """A metric means the same in all rows of its curve.

    Args:
        first: (rows,) position of the first row of each row's curve.
    """
    for column in ("higher_is_better", "discontinuous", "paired_metric", "chance"):
        stated = frame[column].to_numpy()
        other = (stated != stated[first]) & ~(pd.isna(stated) & pd.isna(stated[first]))
        if other.any():
            at = int(np.argmax(other))
            found, before, metric = stated[at], stated[first[at]], frame["metric"].iloc[at]
            problem = f"{found}: other rows of metric {metric} have {before}"
            raise DataError(problem, column=column, row=frame.index[at])


def _seeds(labels: np.ndarray, runs: Runs) -> np.ndarray:
    """(n,) index of each run's seed, from the labels (rows,) of its rows."""
    first_row = np.full(len(runs.value), -1)
    first_row[runs.of_row[::-1]] = np.arange(len(labels))[::-1]
    return np.unique(labels[first_row].astype(str), return_inverse=True)[1]


def _evaluation_variance(n_eval: np.ndarray, stderr: np.ndarray | None, runs: Runs, discontinuous: bool) -> np.ndarray:
    """(R,) variance of a run's value from its finite evaluation set: binomial for a share of n_eval items (rows,), else
    the square of the standard error (rows,) that the table gives, else 0."""
    if discontinuous and not np.isnan(n_eval).any():
        items = row_means(n_eval, runs.of_row)
        return binomial_variance(runs.means(runs.value), runs.means(items), runs.counts)
    if stderr is not None and not np.isnan(stderr).any():
        return runs.means(row_means(stderr**2, runs.of_row))
    return np.zeros(len(runs.sizes))


def binomial_variance(mean: np.ndarray, n_eval: np.ndarray, n_runs: np.ndarray | int) -> np.ndarray:
    """Variance p (1 - p) / n_eval of a run's share of `n_eval` items; all arguments of one shape.

    p is the mean of `n_runs` runs with half an item added to either side, (right + 1/2) / (items + 1) over the items of
    all runs, so that a mean of 0 or 1 does not stand for a variance of 0.
    """
    items = n_eval * n_runs
    right = (mean * items + 0.5) / (items + 1)
    return np.asarray(right * (1 - right) / n_eval)


def _check_shares(frame: pd.DataFrame) -> None:
    """Shares of items right lie in [0, 1]."""
    outside = (frame["n_eval"].notna() & frame["discontinuous"] & ~frame["value"].between(0, 1)).to_numpy()
    if outside.any():
        first = frame.iloc[np.argmax(outside)]
        found = f"{first['value']:.12g}: metric {first['metric']} is a share of n_eval items, and shares lie in [0, 1]"
        raise DataError(found, column="value", row=first.name)
    if "stderr" in frame.columns:
        wide = (frame["discontinuous"] & frame["value"].between(0, 1) & (frame["stderr"] > 0.5)).to_numpy()
        inside = frame["value"].between(0, 1) | ~frame["discontinuous"]
        if wide.any() and inside.all():
            at = int(np.argmax(wide))
            found = f"{frame['stderr'].iloc[at]:g}: the standard error of a share is at most 0.5"
            raise DataError(found, column="stderr", row=frame.index[at])


# ------------------------------------------------------------------------------------- what a table may leave unstated


def with_defaults(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with every column that a curve needs.

    Where they are absent, study and task are '', subtask 'all', chance and n_eval NaN (unknown), and no metric has a
    pair. What a metric means is assumed by its name (`metric_names`) in each row of which the columns higher_is_better
    and discontinuous do not state it, being absent or empty there; a metric that states its pair is discontinuous, and
    one that another states as its pair is continuous.

    Args:
        frame: rows with a column metric.

    Raises:
        DataError: no column metric, or a cell of the others that is not allowed.
    """
    require_columns(frame, ["metric"])
    frame = frame.copy()
    for column, unnamed in _KEY.items():
        if column not in frame.columns:
            frame[column] = unnamed
    for column in ("chance", "n_eval"):
        limits = ITEMS if column == "n_eval" else FINITE
        frame[column] = number_column(frame, column, limits) if column in frame.columns else np.nan
    for column, stated in _stated_meanings(frame).items():
        frame[column] = stated
    by_name = {name: meaning(name) for name in frame["metric"].astype(str).unique()}
    for column in ("higher_is_better", "discontinuous"):
        assumed = frame["metric"].astype(str).map({name: getattr(each, column) for name, each in by_name.items()})
        frame[column] = frame[column].fillna(assumed).astype(bool)
    frame["paired_metric"] = frame["paired_metric"].astype(object).fillna("")
    _check_pairs(frame)
    if "stderr" in frame.columns:
        frame["stderr"] = number_column(frame, "stderr", _ERRORS)
        frame["n_eval"] = frame["n_eval"].fillna(items_of_shares(frame))
    return frame


def _check_pairs(frame: pd.DataFrame) -> None:
    """No metric judges itself."""
    itself = ((frame["paired_metric"] == frame["metric"]) & (frame["paired_metric"] != "")).to_numpy()
    if itself.any():
        at = int(np.argmax(itself))
        problem = f"{frame['metric'].iloc[at]}: a metric cannot be the continuous metric that judges it"
        raise DataError(problem, column="paired_metric", row=frame.index[at])


def items_of_shares(frame: pd.DataFrame) -> pd.Series:
    """(rows,) items behind each share, from its standard error: n = p (1 - p) / se^2 + 1, exact for se with n - 1.

    A discontinuous metric counts as a share of items where its values lie in [0, 1] and the items of all its rows agree
    to within `SAME_ITEMS`; scores such as F1, whose errors follow another law, do not. Shares of 0 and 1 have no error
    to go by and take the median of the other rows. NaN where nothing follows.

    Args:
        frame: as `with_defaults` makes it, with a column stderr.
    """
    share = frame["value"].to_numpy(float) if "value" in frame.columns else np.full(len(frame), np.nan)
    error = frame["stderr"].to_numpy(float)
    usable = (error > 0) & (share > 0) & (share < 1) & frame["discontinuous"].to_numpy(bool)
    items = np.full(len(frame), np.nan)
    usable &= error > SMALLEST_ERROR
    items[usable] = share[usable] * (1 - share[usable]) / error[usable] ** 2 + 1
    found = pd.Series(items, frame.index)
    curves = [frame[name] for name in (*_KEY, "metric")]
    middle = found.groupby(curves).transform("median").to_numpy()
    odd = (np.abs(items - middle) > SAME_ITEMS * middle) | ~((share >= 0) & (share <= 1))
    is_share = ~pd.Series(odd, frame.index).groupby(curves).transform("any").to_numpy()
    certain = np.isfinite(error) & ((share == 0) | (share == 1))
    return found.mask(certain, middle).where(is_share)


def assumed_meanings(frame: pd.DataFrame) -> dict[str, dict[str, bool]]:
    """What is assumed of the metrics of a frame by their names, because no column states it.

    Args:
        frame: as `with_defaults` takes it.

    Returns:
        metric -> column (higher_is_better, discontinuous) -> what is assumed. Empty where the frame states all.
    """
    columns = [*_KEY, "metric", "higher_is_better", "discontinuous", "paired_metric"]
    frame = frame[[name for name in columns if name in frame.columns]].drop_duplicates()
    filled, stated = with_defaults(frame), _stated_meanings(frame)
    assumed: dict[str, dict[str, bool]] = {}
    for column in ("higher_is_better", "discontinuous"):
        open_cells = filled[stated[column].isna().to_numpy()]
        for metric, truth in zip(open_cells["metric"].astype(str), open_cells[column], strict=True):
            assumed.setdefault(metric, {})[column] = bool(truth)
    return assumed


def _stated_meanings(frame: pd.DataFrame) -> dict[str, pd.Series]:
    """Column -> what the frame states of the metric in each row, missing where it states nothing."""
    nothing = pd.Series(pd.NA, index=frame.index, dtype="boolean")
    higher, discontinuous = (
        truth_column(frame, name) if name in frame.columns else nothing
        for name in ("higher_is_better", "discontinuous")
    )
    pair = frame["paired_metric"] if "paired_metric" in frame.columns else pd.Series(None, frame.index, dtype=object)
    pairs = set(pair.dropna()) - {""}
    judges, judged = frame["metric"].isin(pairs), pair.isin(pairs)
    by_pair = nothing.mask(judged, True).mask(judges, False)
    return {"higher_is_better": higher, "discontinuous": discontinuous.fillna(by_pair), "paired_metric": pair}


def likely_pairs(frame: pd.DataFrame) -> dict[str, str]:
    """Continuous metrics that may be of the outputs of a discontinuous one without a pair: to be offered, not used.

    Names cannot say what was scored: a `loss` beside an accuracy may be that of the pretraining corpus.

    Args:
        frame: as `with_defaults` takes it.

    Returns:
        discontinuous metric -> the continuous one, measured of the same study, task and subtask, that would judge it
        (`metric_names.usual_pair`).
    """
    curves = with_defaults(frame).drop_duplicates([*_KEY, "metric"])
    pairs: dict[str, str] = {}
    for _, part in curves.groupby([*_KEY], sort=False):
        continuous = part.loc[~part["discontinuous"], "metric"].astype(str).tolist()
        for metric in part.loc[part["discontinuous"] & (part["paired_metric"] == ""), "metric"].astype(str):
            if found := usual_pair(metric, continuous):
                pairs.setdefault(metric, found)
    return pairs
