"""Scores of recipes along a ladder of sizes, and the noise of one run's score: from its last checkpoints, from seeds,
or from the items of its evaluation set.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd
from scipy import special

from harness.analysis.curves import binomial_variance, label_runs, with_defaults
from harness.errors import DataError, SettingError
from harness.records.columns import FINITE, POSITIVE, number_column, require_columns

#: Share of its training that a run has behind it at a checkpoint whose score counts as noise: earlier ones still rise.
LATE = 0.5
#: Probability of a score no better than a guesser's below which it stands above chance.
_ABOVE_CHANCE = 0.05
#: Columns that say what a score is of.
KEY = ["task", "subtask", "metric"]


class NoiseSource(StrEnum):
    """Where the noise of a score is known from, the first that a table has unless told otherwise."""

    CHECKPOINTS = "checkpoints"
    SEEDS = "seeds"
    ITEMS = "items"


@dataclass(frozen=True)
class Noise:
    """Variance (S,) of one run's score at each size, NaN where unknown, and its degrees of freedom (S,)."""

    variance: np.ndarray
    freedom: np.ndarray


@dataclass(frozen=True)
class LadderScores:
    """One metric of one task, of every recipe at every size.

    Attributes:
        task, subtask, metric: what it is of.
        sizes: (S,) rising.
        recipes: (K,) names.
        score: (S, K) mean over runs of the score at their last checkpoint; NaN where there is no run.
        n_runs: (S, K) runs.
        noise: of one run's score.
        source: where that is from; None where a table does not tell.
        items: (S,) variance that the evaluation set adds to every score of a size alike; 0 where unknown.
        chance: score of a guesser, or NaN.
        higher_is_better: direction.
    """

    task: str
    subtask: str
    metric: str
    sizes: np.ndarray
    recipes: tuple[str, ...]
    score: np.ndarray
    n_runs: np.ndarray
    noise: Noise
    source: NoiseSource | None
    items: np.ndarray
    chance: float
    higher_is_better: bool

    @property
    def oriented(self) -> np.ndarray:
        """(S, K) scores, higher is better."""
        return self.score if self.higher_is_better else -self.score

    def at_chance(self, i: int) -> bool | None:
        """Whether the mean score at size i stands no higher than a guesser's, by all the noise that is known; None
        where chance or noise is not."""
        there = self.n_runs[i] > 0
        own = self.noise.variance[i] / self.n_runs[i].sum()
        # The items are the same for every recipe, and their noise does not average out.
        variance = self.items[i] + (own if np.isfinite(own) and self.source is not NoiseSource.ITEMS else 0.0)
        if not (np.isfinite(self.chance) and variance > 0):
            return None
        above = float(self.score[i, there].mean() - self.chance) * (1 if self.higher_is_better else -1)
        return bool(above <= special.ndtri(1 - _ABOVE_CHANCE) * np.sqrt(variance))


def size_from(sizes: np.ndarray, holds: Sequence[bool] | np.ndarray) -> float:
    """The smallest of rising sizes (S,) from which on something holds at every size; NaN where not at the largest."""
    found = float("nan")
    for size, held in zip(sizes[::-1].tolist(), list(holds)[::-1], strict=True):
        if not held:
            break
        found = size
    return found


def ladder_scores(
    frame: pd.DataFrame, x: str, step: str | None = None, last: int = 5, source: NoiseSource | None = None
) -> Iterator[LadderScores]:
    """The scores of a table, a metric of a task at a time, in order of appearance.

    A recipe is what stands in the column study. A run is named by `run_id`, else `member`, else `seed`; without any of
    them all rows of one recipe and size are one run where `step` is given, and otherwise each is a run of its own.

    Args:
        frame: one row per (recipe, size, run, checkpoint, task, metric), with columns x, metric, value; and where there
            are such: study, task, subtask, n_eval, stderr, chance, higher_is_better, discontinuous.
        x: the column of sizes, > 0.
        step: the column of how far a run has trained; None where each run has one row a metric.
        last: checkpoints of a run, counted from its end, whose standard deviation is its noise; those of its first half
            of training (`LATE`) never count.
        source: of the noise; None takes the first that the table has.

    Raises:
        DataError: a column that is missing, a cell that is not allowed, or rows that nothing tells apart.
        SettingError: `last` below 2.
    """
    if last < 2:
        raise SettingError("last", last, "a whole number of at least 2")
    rows = _runs(frame, x, step)
    for labels, part in rows.groupby(KEY, sort=False):
        yield _scores(part, tuple(map(str, labels)), x, last, source)


def _runs(frame: pd.DataFrame, x: str, step: str | None) -> pd.DataFrame:
    """The frame with its labels, and columns step and age, a run's checkpoints from its end being 0, 1, 2, ..."""
    require_columns(frame, (x, "metric", "value", *([step] if step else [])))
    named = any(name in frame for name in ("run_id", "member", "seed"))
    rows = with_defaults(label_runs(frame))
    rows[x] = number_column(frame, x, POSITIVE, empty=False)
    rows["value"] = number_column(frame, "value", FINITE, empty=False)
    rows["step"] = number_column(frame, step, FINITE, empty=False) if step else 1.0
    if step and not named:
        rows["run"] = ""
    run = [*KEY, "study", x, "run"]
    repeated = rows.duplicated([*run, "step"]).to_numpy()
    if repeated.any():
        row = rows[repeated].iloc[0]
        recipe = f"recipe {row['study']}, " if row["study"] else ""
        what = f"{recipe}{x} {row[x]:g}" + (f", {step} {row['step']:g}" if step else "")
        lacking = [*([] if step else ["checkpoints"]), *([] if recipe else ["recipes"]), "seeds or run ids"]
        told = f"no column of {', '.join(lacking)} tells its rows apart"
        raise DataError(f"row {rows.index[repeated][0]}: {what} has {row['metric']} more than once, and {told}")
    rows["age"] = rows.groupby(run)["step"].rank(ascending=False).sub(1).astype(int)
    rows["progress"] = rows["step"] / rows.groupby(run)["step"].transform("max")
    return rows


def _scores(rows: pd.DataFrame, labels: tuple[str, ...], x: str, last: int, source: NoiseSource | None) -> LadderScores:
    sizes, at = np.unique(rows[x], return_inverse=True)
    recipes, who = np.unique(rows["study"].astype(str), return_inverse=True)
    shape, final = (len(sizes), len(recipes)), (rows["age"] == 0).to_numpy()
    value, cell = rows["value"].to_numpy(), at * len(recipes) + who
    n_runs = np.bincount(cell[final], minlength=len(sizes) * len(recipes)).reshape(shape)
    with np.errstate(invalid="ignore"):
        score = np.bincount(cell[final], value[final], minlength=n_runs.size).reshape(shape) / n_runs
    late = ((rows["age"] < last) & (rows["progress"] >= LATE)).to_numpy()
    run = rows.groupby(["study", x, "run"], sort=False).ngroup().to_numpy()
    known = {
        NoiseSource.CHECKPOINTS: _within(value[late], run[late], at[late], len(sizes)),
        NoiseSource.SEEDS: _within(value[final], cell[final], at[final], len(sizes)),
        NoiseSource.ITEMS: _of_items(rows[final], at[final], len(sizes)),
    }
    chosen = source or next((name for name, noise in known.items() if (noise.freedom > 0).any()), None)
    nothing = Noise(np.full(len(sizes), np.nan), np.zeros(len(sizes)))
    first = rows.iloc[0]
    return LadderScores(
        task=labels[0],
        subtask=labels[1],
        metric=labels[2],
        sizes=sizes,
        recipes=tuple(recipes),
        score=score,
        n_runs=n_runs,
        noise=known[chosen] if chosen else nothing,
        source=chosen if chosen and (known[chosen].freedom > 0).any() else None,
        items=np.nan_to_num(known[NoiseSource.ITEMS].variance),
        chance=float(first["chance"]),
        higher_is_better=bool(first["higher_is_better"]),
    )


def _within(value: np.ndarray, group: np.ndarray, at: np.ndarray, n_sizes: int) -> Noise:
    """Variance of values (n,) within their groups, pooled over the groups of each size."""
    _, group, count = np.unique(group, return_inverse=True, return_counts=True)
    off = value - (np.bincount(group, value) / count)[group]
    squares = np.bincount(at, off**2, minlength=n_sizes)
    # Each row brings its share of its group's degrees of freedom.
    freedom = np.round(np.bincount(at, 1 - 1 / count[group], minlength=n_sizes), 6)
    with np.errstate(invalid="ignore", divide="ignore"):
        return Noise(np.where(freedom > 0, squares / freedom, np.nan), freedom)


def _of_items(rows: pd.DataFrame, at: np.ndarray, n_sizes: int) -> Noise:
    """Mean variance that the finite evaluation set gives a score at each size; unknown where one row's is."""
    value, items = rows["value"].to_numpy(), rows["n_eval"].to_numpy(float)
    variance = np.full(len(rows), np.nan)
    shares = rows["discontinuous"].to_numpy(bool) & np.isfinite(items) & (value >= 0) & (value <= 1)
    variance[shares] = binomial_variance(value[shares], items[shares], 1)
    if "stderr" in rows:
        variance = np.where(np.isfinite(variance), variance, rows["stderr"].to_numpy(float) ** 2)
    mean = np.bincount(at, variance, minlength=n_sizes) / np.bincount(at, minlength=n_sizes)
    return Noise(mean, np.where(np.isfinite(mean), np.inf, 0.0))
