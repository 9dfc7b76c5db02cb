"""Abilities of a table, each foretold: which rows are the pretrained family, and which were fine-tuned from it."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.analysis.axis import Axis
from harness.analysis.curves import with_defaults
from harness.analysis.planning.threshold_forecast import ThresholdForecaster
from harness.errors import DataError, SettingError
from harness.records.columns import NOT_NEGATIVE, POSITIVE, number_column, require_columns

#: What one ability is.
KEY = ("study", "task", "subtask", "metric")
#: Columns of results folders: the run that a fine-tuned run began from, and the loss that it had.
_PARENT, _PARENT_LOSS = "parent_run", "parent_loss"


@dataclass(frozen=True)
class Foretold:
    """What `foretell` found.

    Attributes:
        table: a row an ability (study, task, subtask, metric): status, threshold, low, high (in the unit of x), largest
            (size used), reach (threshold over it, or the reverse where x falls), p_value, calibration,
            rests_on_choice, n_sizes, n_amounts, n_runs, message.
        amounts: a row an ability and amount, with N* by its own runs: amount, threshold, low, high, n_runs.
        rolling: a row an ability and amount that was forecast from larger ones: amount, threshold, predicted, error.
        family: the rows of the pretrained family under the study of each ability, those of larger sizes too, which had
            no part in the forecast.
        forecasters: ability -> what was fitted, along `axis.rising`.
        axis: of sizes.
        level: of the intervals.
    """

    table: pd.DataFrame
    amounts: pd.DataFrame
    rolling: pd.DataFrame
    family: pd.DataFrame
    forecasters: dict[tuple[str, ...], ThresholdForecaster]
    axis: Axis
    level: float


def foretell(
    frame: pd.DataFrame,
    x: str = "params_non_embedding",
    amount: str = "unique_examples",
    *,
    at: float | None = None,
    top: float | None = None,
    below: float | None = None,
    level: float = 0.95,
    random_state: int = 0,
) -> Foretold:
    """Where abilities will appear in a pretrained family, from smaller models of it that were fine-tuned on them.

    Args:
        frame: a row per (run, subtask, metric): columns x, amount, metric, value, and where there are such study, task,
            subtask, chance, higher_is_better, discontinuous. Rows of `harness.load` have parent_run too: a run without
            one is of the pretrained family, whatever its own number of examples is, and counts for the studies that
            were fine-tuned from it. Of other tables amount 0 or empty is the family; a column parent, or else seed,
            says which runs of one size began from one model.
        x: column of sizes, > 0; where it is named like a loss (parent_loss, the loss of the run that training began
            from), abilities appear as it falls.
        amount: column of fine-tuning examples, >= 0.
        at, top, level, random_state: as `ThresholdForecaster` takes them.
        below: sizes up to this are used (along a loss: losses from this on); None uses all that were fine-tuned.

    Returns:
        A `Foretold`, of every score of which more is better and that is at most 1: discontinuous metrics, or where
        there are none, all.

    Raises:
        DataError: a column is missing or holds what cannot be used; no row was fine-tuned.
        SettingError: a setting out of its range.
    """
    require_columns(frame, (amount, "metric", "value"))
    axis = Axis.of(x)
    rows = with_defaults(_placed(frame.reset_index(drop=True), x, amount))
    rows = axis.with_rising(rows)
    rows["rising"] = rows[axis.rising]
    rows = rows[_scores(rows)]
    if not (rows["amount"] > 0).any():
        raise DataError("no run was fine-tuned on examples of a task: every amount is 0 or empty", column=amount)
    parts = {key: _ability(rows, key) for key in _abilities(rows)}
    forecasters, summaries, amounts, rolling, families = {}, [], [], [], []
    for key, part in parts.items():
        used = _used(part, axis, below)
        fitted = ThresholdForecaster(at, top, level, random_state).fit(
            used[["rising", "amount"]], used["value"], used["parent"], chance=_chance(used)
        )
        about = dict(zip(KEY, key, strict=True))
        forecasters[key] = fitted
        summaries.append(about | _summary(fitted, used, axis))
        amounts.append(_turned(fitted.thresholds_, axis).assign(**about))
        rolling.append(fitted.rolling_.assign(**about))
        families.append(part[part["amount"] == 0].assign(**about))
    return Foretold(
        table=pd.DataFrame(summaries),
        amounts=_joined(amounts),
        rolling=_joined(rolling),
        family=_joined(families),
        forecasters=forecasters,
        axis=axis,
        level=level,
    )


def _placed(frame: pd.DataFrame, x: str, amount: str) -> pd.DataFrame:
    """The rows with their size, amount (0 for the pretrained family) and parent."""
    frame = frame.copy()
    examples = number_column(frame, amount, NOT_NEGATIVE)
    parents = frame[_PARENT] if _PARENT in frame else pd.Series(None, frame.index, dtype=object)
    if parents.notna().any():
        tuned = parents.notna().to_numpy()
        if lacking := np.flatnonzero(tuned & np.isnan(examples)).tolist():
            problem = "empty: the number of examples of a run that was fine-tuned is wanted (ladder.train_examples)"
            raise DataError(problem, column=amount, row=frame.index[lacking[0]])
        examples = np.where(tuned, examples, 0.0)
        frame["parent"] = np.where(tuned, parents.astype(str), frame["run_id"].astype(str))
        if x == _PARENT_LOSS:
            frame[x] = frame[x].fillna(_own_loss(frame))
    frame["amount"] = np.nan_to_num(examples)
    sizes = number_column(frame, x, POSITIVE, empty=False)
    frame[x] = sizes
    if "parent" not in frame:
        seed = frame["seed"].astype(str) if "seed" in frame else pd.Series(frame.index.astype(str), frame.index)
        frame["parent"] = seed + " of " + pd.Series(sizes, frame.index).astype(str)
    return frame


def _own_loss(frame: pd.DataFrame) -> pd.Series:
    """The loss of each row's run on its task as a whole."""
    whole = frame[(frame["metric"] == "loss") & (frame["subtask"] == "all")]
    return frame["run_id"].map(whole.drop_duplicates("run_id").set_index("run_id")["value"])


def _scores(rows: pd.DataFrame) -> np.ndarray:
    """(n,) bool: rows of metrics that can be foretold."""
    most = rows.groupby([*KEY])["value"].transform("max")
    fit = (rows["higher_is_better"] & (most <= 1)).to_numpy(bool)
    jumps = fit & rows["discontinuous"].to_numpy(bool)
    if not fit.any():
        raise DataError("no score of which more is better and that is at most 1", column="metric")
    return np.asarray(jumps if jumps.any() else fit)


def _abilities(rows: pd.DataFrame) -> list[tuple[str, ...]]:
    """The keys of what was fine-tuned, in order of appearance."""
    tuned = rows.loc[rows["amount"] > 0, list(KEY)].astype(str).drop_duplicates()
    return [tuple(key) for key in tuned.to_numpy()]


def _ability(rows: pd.DataFrame, key: tuple[str, ...]) -> pd.DataFrame:
    """Fine-tuned runs of an ability, and the family's own: of the same study, or of that of the runs they began from.

    The family's are those of the same subtask and metric, and of the same task where it has one of this name.
    """
    study, task, subtask, metric = key
    same = (rows["subtask"].astype(str) == subtask) & (rows["metric"].astype(str) == metric)
    names = rows[list(KEY)].astype(str)
    tuned = rows[(names == list(key)).all(axis=1) & (rows["amount"] > 0)]
    studies = {study}
    if "run_id" in rows:
        studies |= set(rows.loc[rows["run_id"].astype(str).isin(set(tuned["parent"])), "study"].astype(str))
    family = rows[same & (rows["amount"] == 0) & rows["study"].astype(str).isin(studies)]
    if (of_task := family["task"].astype(str) == task).any():
        family = family[of_task]
    return pd.concat([family, tuned])


def _used(part: pd.DataFrame, axis: Axis, below: float | None) -> pd.DataFrame:
    """The rows of sizes that were fine-tuned, up to `below`."""
    last = part.loc[part["amount"] > 0, "rising"].max()
    if below is not None:
        if not (np.isfinite(below) and below > 0):
            raise SettingError("below", below, "a size above 0")
        last = min(last, 1 / below if axis.falls else below)
    used = part[part["rising"] <= last * (1 + 1e-9)]
    if not (used["amount"] > 0).any():
        raise SettingError("below", below, f"at least the smallest size, {axis.written(part['rising'].min()):g}")
    return used


def _chance(used: pd.DataFrame) -> float:
    """What a guesser scores, 0 where that is not known."""
    known = used["chance"].dropna().unique()
    if len(known) > 1:
        raise DataError(f"{known[0]:g} and {known[1]:g} for one ability", column="chance")
    return float(known[0]) if len(known) else 0.0


def _summary(fitted: ThresholdForecaster, used: pd.DataFrame, axis: Axis) -> dict[str, object]:
    place = axis.turned({"threshold": fitted.threshold_, "threshold_low": fitted.low_, "threshold_high": fitted.high_})
    tuned = used[used["amount"] > 0]
    return {
        "status": str(fitted.status_),
        "threshold": place["threshold"],
        "low": place["threshold_low"],
        "high": place["threshold_high"],
        "largest": axis.written(fitted.largest_),
        "reach": fitted.threshold_ / fitted.largest_,
        "p_value": fitted.p_value_,
        "calibration": fitted.calibration_,
        "rests_on_choice": fitted.rests_on_choice_,
        "n_sizes": tuned["rising"].nunique(),
        "n_amounts": tuned["amount"].nunique(),
        "n_runs": fitted.n_runs_,
        "message": fitted.message_,
    }


def _turned(placed: pd.DataFrame, axis: Axis) -> pd.DataFrame:
    """N* of amounts in the unit of x."""
    if not axis.falls:
        return placed
    over: dict[Hashable, np.ndarray] = {name: np.divide(1.0, placed[name]) for name in ("threshold", "low", "high")}
    return placed.assign(threshold=over["threshold"], low=over["high"], high=over["low"])


def _joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """One table, the ability first."""
    whole = pd.concat(parts, ignore_index=True)
    return whole[[*KEY, *(name for name in whole.columns if name not in KEY)]]
