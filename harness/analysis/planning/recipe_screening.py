"""Several recipes: which benchmarks tell them apart at small size, and order them as the target does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis.false_discovery import adjusted
from harness.analysis.planning.decisions import MIN_RECIPES, Agreement, agreement, separation
from harness.analysis.planning.ladder_scores import KEY, LadderScores, size_from
from harness.errors import DataError, SettingError
from harness.wording import count, counted, listed, p_equals

#: Relative distance within which a size is the one that was asked for.
_SAME_SIZE = 1e-6


class Order(StrEnum):
    """What a benchmark says of the order of recipes at small size."""

    READABLE = "readable"
    NOT_READABLE = "not readable"
    NO_ORDER = "no order at the target"
    TOO_FEW_RECIPES = "too few recipes"
    TOO_FEW_SIZES = "too few sizes"


@dataclass(frozen=True)
class Goal:
    """Whose order of recipes counts.

    Attributes:
        size: of the target.
        metric: that orders recipes there; None for each metric itself.
        scores: (task, subtask, metric) -> recipe -> score at the target, higher being better.
    """

    size: float
    metric: str | None
    scores: Mapping[tuple[str, str, str], Mapping[str, float]]

    @classmethod
    def of(cls, of_metrics: Sequence[LadderScores], size: float | None, metric: str | None) -> Goal:
        """The target asked for; without a size the largest that enough recipes have, or else the largest.

        Raises:
            SettingError: no such size.
            DataError: no such metric, of a task or at all.
        """
        recipes = Counter[float]()
        for scores in of_metrics:
            for each, n in zip(scores.sizes.tolist(), np.sum(scores.n_runs > 0, axis=1).tolist(), strict=True):
                recipes[each] = max(recipes[each], n)
        enough = [each for each, n in recipes.items() if n >= MIN_RECIPES]
        chosen = max(enough or recipes) if size is None else _one_of("target", size, list(recipes))
        known = list(dict.fromkeys(scores.metric for scores in of_metrics))
        if metric is not None and metric not in known:
            raise DataError(f"target metric: no metric '{metric}'; there are {listed(known)}")
        at_target = {}
        for scores in of_metrics:
            if len(place := np.flatnonzero(scores.sizes == chosen)):
                found = zip(scores.recipes, scores.oriented[place[0]].tolist(), strict=True)
                at_target[scores.task, scores.subtask, scores.metric] = dict(found)
        return cls(chosen, metric, at_target)

    def order(self, scores: LadderScores) -> np.ndarray:
        """(K,) score at the target of each recipe; NaN where there is none."""
        known = self.scores.get((scores.task, scores.subtask, self.metric or scores.metric), {})
        return np.array([known.get(name, np.nan) for name in scores.recipes])


def screen_recipes(
    of_metrics: Sequence[LadderScores],
    x: str,
    goal: Goal,
    small: float | None,
    accuracy: float,
    alpha: float,
    level: float,
) -> tuple[pd.DataFrame, pd.DataFrame, float]:
    """The tables `tasks` and `sizes` of a screening, and the size at which `tasks` is.

    Raises:
        SettingError: `small` is no size below the target.
    """
    by_size = [row for scores in of_metrics for row in _at_sizes(scores, goal, x, level)]
    sizes = pd.DataFrame(by_size)
    sizes["p_adjusted"] = adjusted(sizes["p_value"].tolist())
    place = _small(sizes[x].to_numpy(), sizes["p_value"].notna().to_numpy(), goal.size, small)
    tasks = []
    for scores, (_, part) in zip(of_metrics, sizes.groupby(KEY, sort=False), strict=True):
        task = _Task(scores, part.to_dict("records"), x, goal.size, place, accuracy, alpha)  # type: ignore[arg-type]
        tasks.append(task.row())
    ordered = pd.DataFrame(tasks).sort_values("snr", ascending=False, kind="stable", ignore_index=True)
    return ordered, sizes, place


def _one_of(name: str, asked: float, known: Sequence[float]) -> float:
    for size in known:
        if abs(size - asked) <= _SAME_SIZE * size:
            return size
    raise SettingError(name, f"{asked:g}", f"one of the sizes {listed([f'{size:.10g}' for size in sorted(known)])}")


def _small(sizes: np.ndarray, ordered: np.ndarray, target: float, asked: float | None) -> float:
    """The size asked for, or the smallest at which orders are compared, or the smallest; NaN with none below."""
    smaller = sizes < target
    if asked is not None:
        return _one_of("small", asked, sorted(set(sizes[smaller].tolist())))
    chosen = sizes[smaller & ordered] if (smaller & ordered).any() else sizes[smaller]
    return float(chosen.min()) if len(chosen) else np.nan


def _at_sizes(scores: LadderScores, goal: Goal, x: str, level: float) -> list[dict[str, Any]]:
    """A row a size, that of the target and larger ones included: separation, and below the target agreement."""
    rows, order = [], goal.order(scores)
    for i, size in enumerate(scores.sizes.tolist()):
        there = scores.n_runs[i] > 0
        value, runs, noise = scores.score[i, there], scores.n_runs[i, there], scores.noise
        apart = separation(value, runs, noise.variance[i], noise.freedom[i], level)
        both = np.isfinite(scores.oriented[i]) & np.isfinite(order) & (size < goal.size)
        rows.append(
            {
                **{name: getattr(scores, name) for name in KEY},
                x: size,
                "n_recipes": int(there.sum()),
                "n_shared": int(both.sum()),
                "score": float(value.mean()),
                "chance": scores.chance,
                "at_chance": scores.at_chance(i),
                "noise_source": scores.source or "",
                **{name: getattr(apart, name) for name in ("signal", "noise", "range_to_noise")},
                "snr": apart.snr,
                "snr_low": apart.low,
                "snr_high": apart.high,
                "signal_p_value": apart.p_value,
                **_columns(agreement(scores.oriented[i, both], order[both], level)),
            }
        )
    return rows


def _columns(alike: Agreement) -> dict[str, float]:
    ends = {"decision_accuracy_low": alike.low, "decision_accuracy_high": alike.high}
    return {"decision_accuracy": alike.accuracy, **ends, "p_value": alike.p_value}


class _Task:
    """The row of a task and metric, from its rows by size."""

    def __init__(
        self,
        scores: LadderScores,
        rows: Sequence[Mapping[str, Any]],
        x: str,
        target: float,
        place: float,
        accuracy: float,
        alpha: float,
    ) -> None:
        self._scores, self._x, self._target, self._accuracy, self._alpha = scores, x, target, accuracy, alpha
        self._smaller = [row for row in rows if row[x] < target]
        self._ordered = [row for row in self._smaller if row["n_shared"] >= MIN_RECIPES]
        self._at_place = next((row for row in self._smaller if row[x] == place), None)
        at_target = next((row for row in rows if row[x] == target), None)
        self._target_p = float(at_target["signal_p_value"]) if at_target else np.nan
        self._place = place

    def row(self) -> dict[str, Any]:
        """As in `Screening.tasks`."""
        order, readable = self._order(), self._readable_from()
        named = {name: getattr(self._scores, name) for name in KEY} | {"noise_source": self._scores.source or ""}
        absent: dict[str, Any] = {"n_recipes": 0, "n_shared": 0} | dict.fromkeys(_AT_PLACE, np.nan)
        found = {name: self._at_place[name] for name in absent} if self._at_place else absent
        return {
            **named,
            "size": self._place,
            **found,
            "target_p_value": self._target_p,
            "readable_from": readable,
            "reading": str(order),
            "verdict": self._verdict(order, readable),
            "reason": self._reason(order),
        }

    def _readable_from(self) -> float:
        sizes = np.array([row[self._x] for row in self._ordered])
        return size_from(sizes, [self._serves(row) for row in self._ordered])

    def _serves(self, row: Mapping[str, Any]) -> bool:
        """Whether a size orders enough pairs right, and more than chance would."""
        return bool(row["decision_accuracy"] >= self._accuracy and row["p_adjusted"] <= self._alpha)

    def _order(self) -> Order:
        if not self._ordered:
            return Order.TOO_FEW_RECIPES if self._smaller else Order.TOO_FEW_SIZES
        if np.isfinite(self._readable_from()):
            return Order.READABLE
        return Order.NO_ORDER if self._target_p > self._alpha else Order.NOT_READABLE

    def _verdict(self, order: Order, readable: float) -> str:
        if order is Order.READABLE:
            return f"readable from {count(readable)}"
        if order is Order.NO_ORDER:
            return f"no order at {count(self._target)}"
        return f"not readable below {count(self._target)}" if order is Order.NOT_READABLE else str(order)

    def _reason(self, order: Order) -> str:
        """What the verdict rests on."""
        x, target = self._x, count(self._target)
        if order is Order.TOO_FEW_SIZES:
            return f"no size below {target}"
        if order is Order.TOO_FEW_RECIPES:
            most = max(self._smaller, key=lambda row: (row["n_shared"], row[x]))
            shared = counted(most["n_shared"], "recipe")
            return f"{shared} both at {count(most[x])} and at {target}; {MIN_RECIPES} are needed"
        best = max(self._ordered, key=lambda row: row["decision_accuracy"])
        told = [f"at best, at {count(best[x])}, {best['decision_accuracy']:.2f} of pairs are ordered as at {target}"]
        if order is Order.NO_ORDER:
            told.insert(0, f"recipes do not differ by more than the noise at {target} itself")
        elif order is Order.NOT_READABLE and best["decision_accuracy"] >= self._accuracy:
            last = [row for row in self._ordered if not self._serves(row)][-1]
            short = f"{last['decision_accuracy']:.2f} at {count(last[x])}"
            by_chance = last["decision_accuracy"] >= self._accuracy
            told.append(f"{short}, adjusted {p_equals(last['p_adjusted'])}" if by_chance else short)
        if guessing := [row[x] for row in self._smaller if row["at_chance"]]:
            told.append(f"no better than chance up to {count(max(guessing))}")
        return "; ".join(told)


#: Columns of `sizes` that the row of a task repeats for one size.
_AT_PLACE = (
    *("score", "chance", "signal", "noise", "range_to_noise", "snr", "snr_low", "snr_high"),
    *("decision_accuracy", "decision_accuracy_low", "decision_accuracy_high", "p_value", "p_adjusted"),
)
