"""Thresholds side by side: intervals that hold together, ratios, and whether two kinds of size give the same order.

Curves are independent given their runs, so everything follows from the posterior of each N* (`examine`), taken at
evenly spaced levels: all combinations of two curves' levels are draws of their ratio, without chance and without seed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import pandas as pd

from harness.analysis.checks import check_between_0_and_1
from harness.analysis.curves import Curve, make_curves, require_columns, select_runs
from harness.analysis.emergence.evidence import Finding, examine
from harness.analysis.emergence.thresholds import placed_or_why
from harness.errors import DataError, nearest
from harness.metric_names import meaning
from harness.wording import confidence, interval, p_equals

#: Levels of each posterior; two curves have the square of it as draws of their ratio.
N_LEVELS = 300
_AGREEMENT_DRAWS = 2000
_KEY = ["study", "task", "subtask", "metric"]
_INTERVALS = ["threshold", "threshold_low", "threshold_high", "simultaneous_low", "simultaneous_high"]
_PAIRS = ["first", "second", "ratio", "low", "high", "simultaneous_low", "simultaneous_high", "p_value", "p_adjusted"]


@dataclass(frozen=True)
class Agreement:
    """Kendall's tau of two orders of the same curves: 1 the same order, -1 the reverse.

    Attributes:
        tau: of the thresholds as estimated.
        low, high: interval, from the posteriors.
        n: curves that both have.
        first, second: what the orders are by.
        level: of the interval.
    """

    tau: float
    low: float
    high: float
    n: int
    first: str
    second: str
    level: float

    def __str__(self) -> str:
        return (
            f"order of appearance by {self.first} and by {self.second}, {self.n} curves: Kendall's tau {self.tau:.2f} "
            f"({confidence(self.level)} {self.low:.2f} to {self.high:.2f})"
        )


@dataclass(frozen=True)
class Comparison:
    """Thresholds of several curves.

    Attributes:
        x: column of sizes.
        fraction, level: as `compare_thresholds` takes them.
        table: a row a curve that has an N*, smallest first: study, task, subtask, metric, curve (its name among these),
            threshold with its own interval and one that holds for all curves together (in the unit of x; 0 and inf
            where open), rank, sentence.
        pairs: a row a pair: first and second (names, the one of smaller N* first), ratio of second to first with its
            own interval and one that holds for all pairs together, p_value (two-sided, that both are equal) and
            p_adjusted (Holm).
        absent: a row a curve that has none: study, task, subtask, metric, curve, reason.
        log_quantiles: (curves of the table, `N_LEVELS`) posterior of ln N*, -inf and inf off the ladder.
    """

    x: str
    fraction: float
    level: float
    table: pd.DataFrame
    pairs: pd.DataFrame
    absent: pd.DataFrame
    log_quantiles: np.ndarray = field(repr=False)

    def agreement(self, other: Comparison) -> Agreement:
        """See `rank_agreement`."""
        return rank_agreement(self, other)


def compare_thresholds(
    frame: pd.DataFrame,
    x: str = "params_non_embedding",
    metrics: Sequence[str] | None = None,
    fraction: float = 0.5,
    level: float = 0.95,
) -> Comparison:
    """Put the thresholds of a frame's curves in order, with what noise leaves open.

    Intervals of each curve are those of `thresholds`. Those that hold together take the level of each to the power of
    one over their number (Sidak), which is exact for independent curves; those of pairs are Bonferroni's, for pairs
    share curves. Where both of a pair lie off the ladder on the same side, their order counts as open.

    Args:
        frame: as `find_jumps` takes it.
        x: column of sizes, > 0. Along losses, errors and perplexities (by their name) abilities are taken to appear as
            x falls; their thresholds are ordered like any other, the smallest first.
        metrics: names of metrics; all discontinuous ones where None.
        fraction: share of the rise at which an ability is said to have appeared.
        level: of the intervals.

    Raises:
        DataError: a column is missing or holds what cannot be used, or no such metric.
        SettingError: a setting out of its range.
    """
    check_between_0_and_1(fraction=fraction, level=level)
    require_columns(frame, (x, "metric", "value"))
    falling = smaller_is_better(x)
    curves = _chosen(list(make_curves(_along(select_runs(frame), x, falling), x)), metrics)
    names = _names(curves)
    findings: list[Finding] = []
    kept: list[dict[str, object]] = []
    absent: list[dict[str, object]] = []
    for curve, name, finding in zip(curves, names, examine(curves), strict=True):
        about = {key: getattr(curve, key) for key in _KEY} | {"curve": name}
        reason = placed_or_why(curve, finding, fraction, level).reason
        if reason or finding is None:
            absent.append(about | {"reason": reason})
        else:
            findings.append(finding)
            kept.append(about)
    # Of each curve: its own interval, the one of all together, and the levels that draws are made of.
    together = level ** (1 / max(len(findings), 1))
    ends = [0.5, *((1 + sign * each) / 2 for each in (level, together) for sign in (-1, 1))]
    levels = np.concatenate([ends, (np.arange(N_LEVELS) + 0.5) / N_LEVELS])
    log_n = np.reshape([_log_quantiles(each, fraction, levels, falling) for each in findings], (-1, len(levels)))
    order = np.argsort(log_n[:, 0], kind="stable")
    log_n, about_each = log_n[order], [kept[i] for i in order]
    ordered = pd.DataFrame(about_each, columns=[*_KEY, "curve"])
    ordered[_INTERVALS] = np.exp(log_n[:, :5])
    ordered["rank"] = np.arange(1, len(ordered) + 1)
    pairs = _pairs(ordered["curve"].tolist(), log_n[:, 0], log_n[:, 5:], level)
    ordered["sentence"] = list(_sentences(ordered, pairs, x, level))
    missing = pd.DataFrame(absent, columns=[*_KEY, "curve", "reason"])
    return Comparison(x, fraction, level, ordered, pairs, missing, log_n[:, 5:])


def rank_agreement(a: Comparison, b: Comparison) -> Agreement:
    """Whether two ways to count size put the same curves in the same order of appearance.

    The two are of the same runs, so a curve that came late by chance came late by both: draws take each curve at the
    same level of both posteriors. Where x falls as abilities appear (losses), its order is read from the largest down.
    Orders that noise leaves open pull draws towards 0.

    Raises:
        DataError: fewer than three curves have a threshold in both.
    """
    rows = [list(map(tuple, each.table[_KEY].to_numpy(str))) for each in (a, b)]
    common = [key for key in rows[0] if key in rows[1]]
    if len(common) < 3:
        found = f"{len(common)} curves have a threshold in both"
        raise DataError(f"agreement of orders by {a.x} and {b.x}: {found}; 3 or more are wanted")
    at = [[keys.index(key) for key in common] for keys in rows]
    rng = np.random.default_rng(0)
    level = rng.integers(N_LEVELS, size=(_AGREEMENT_DRAWS, len(common)))
    estimated, drawn = [], []
    for each, chosen in zip((a, b), at, strict=True):
        sign = -1 if smaller_is_better(each.x) else 1
        estimated.append(sign * np.log(each.table["threshold"].to_numpy(float)[chosen]))
        # The posterior of a falling x runs backwards along the same ladder.
        levels = level if sign > 0 else N_LEVELS - 1 - level
        drawn.append(sign * each.log_quantiles[chosen, levels])
    tau = float(_kendall(estimated[0][None], estimated[1][None])[0])
    low, high = np.quantile(_kendall(drawn[0], drawn[1]), [(1 - a.level) / 2, (1 + a.level) / 2])
    return Agreement(tau, float(low), float(high), len(common), a.x, b.x, a.level)


def smaller_is_better(x: str) -> bool:
    """Whether a column of sizes is one along which abilities appear as it falls."""
    return not meaning(x).higher_is_better


def _along(frame: pd.DataFrame, x: str, falling: bool) -> pd.DataFrame:
    """The frame with sizes that grow as abilities appear; what is not above 0 stays, for `make_curves` to name."""
    if not falling:
        return frame
    sizes = pd.to_numeric(frame[x], errors="coerce").to_numpy(float)
    return frame.assign(**{x: np.divide(1.0, sizes, out=sizes.copy(), where=sizes > 0)})


def _chosen(curves: list[Curve], metrics: Sequence[str] | None) -> list[Curve]:
    known = {curve.metric: curve.discontinuous for curve in curves}
    for metric in metrics or ():
        if metric not in known:
            near = nearest(metric, known) or f"; there are {', '.join(known)}"
            raise DataError(f"metric '{metric}' is not there{near}")
    if metrics is None and not any(known.values()):
        raise DataError(f"no metric is discontinuous; name those to compare, of {', '.join(known) or 'none'}")
    return [c for c in curves if (c.discontinuous if metrics is None else c.metric in metrics)]


def _names(curves: Sequence[Curve]) -> list[str]:
    """What each curve is called where these are compared: what tells it from the others, and no more."""
    differs = {key: len({getattr(curve, key) for curve in curves}) > 1 for key in ("study", "task", "subtask")}
    several = Counter((curve.study, curve.task, curve.subtask) for curve in curves)
    tasks = Counter(study for study, _ in {(curve.study, curve.task) for curve in curves})
    names = []
    for curve in curves:
        parts = [curve.study] if differs["study"] else []
        parts += [curve.task] if differs["task"] and (tasks[curve.study] > 1 or not curve.study) else []
        parts += [curve.subtask] if differs["subtask"] and curve.subtask != "all" else []
        metric = curve.metric.replace("_", " ")
        name = ": ".join(dict.fromkeys(part for part in parts if part)) or curve.task or curve.study
        if not name:
            names.append(metric)
        elif several[curve.study, curve.task, curve.subtask] > 1:
            names.append(f"{name} ({metric})")
        else:
            names.append(name)
    return names


def _log_quantiles(finding: Finding, fraction: float, levels: np.ndarray, falling: bool) -> np.ndarray:
    """(levels,) quantiles of ln N*, -inf and inf off the ladder."""
    with np.errstate(divide="ignore"):
        log_n = np.log(finding.place(fraction, (1 - levels if falling else levels).tolist()))
    return -log_n if falling else log_n


def _pairs(names: Sequence[str], middle: np.ndarray, log_n: np.ndarray, level: float) -> pd.DataFrame:
    """Ratios of all pairs of curves, in order; `middle` (n,) and `log_n` (n, L) are medians and quantiles of ln N*."""
    n_pairs, n = max(1, len(names) * (len(names) - 1) // 2), log_n.shape[1] ** 2
    # Ends on whole draws, the outer one: an open end is infinite, and between that and a number there is nothing.
    tails = np.array([(1 - level) / 2, (1 - level) / n_pairs / 2])
    lower = np.floor(tails * (n - 1)).astype(int)
    upper = n - 1 - lower
    rows = []
    for i, j in combinations(range(len(names)), 2):
        with np.errstate(invalid="ignore"):
            difference = (log_n[j][:, None] - log_n[i]).ravel()
        # Both off the ladder on one side is NaN: the difference may lie anywhere, so it counts for either end.
        unknown = np.isnan(difference)
        least = np.where(unknown, -np.inf, difference) if unknown.any() else difference
        most = np.where(unknown, np.inf, difference) if unknown.any() else difference
        (low, all_low), (high, all_high) = np.partition(least, lower)[lower], np.partition(most, upper)[upper]
        against = min(np.count_nonzero(least <= 0), np.count_nonzero(most >= 0))
        p_value = min(1.0, 2 * (1 + against) / (n + 1))
        ratio = np.exp([middle[j] - middle[i], low, high, all_low, all_high])
        rows.append((names[i], names[j], *ratio, p_value, np.nan))
    pairs = pd.DataFrame(rows, columns=_PAIRS)
    pairs["p_adjusted"] = holm(pairs["p_value"].to_numpy(float))
    return pairs


def holm(p_values: np.ndarray) -> np.ndarray:
    """(n,) p values (n,) adjusted for being so many, whatever their dependence (Holm 1979)."""
    order = np.argsort(p_values, kind="stable")
    steps = np.maximum.accumulate(p_values[order] * np.arange(len(p_values), 0, -1))
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(1.0, steps)
    return adjusted


def _sentences(table: pd.DataFrame, pairs: pd.DataFrame, x: str, level: float) -> Iterator[str]:
    """Each curve against the first."""
    size = "size" if x.startswith("params") else x.replace("_", " ")
    for i, row in enumerate(table.to_dict("records")):
        if i == 0:
            at = interval(row["threshold"], row["threshold_low"], row["threshold_high"])
            yield f"{row['curve']} appears at {size} {at}"
            continue
        pair = pairs.iloc[i - 1]  # the pairs of the first curve come first
        told = f"{row['curve']} appears at {interval(pair['ratio'], pair['low'], pair['high'], 2, 'x')} the {size} of "
        told += str(pair["first"])
        open_order = pair["p_adjusted"] >= 1 - level
        yield f"{told}; their order is open ({p_equals(pair['p_adjusted'])})" if open_order else told


def _kendall(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(B,) share of pairs in the same order less those in the other, of (B, n); pairs whose order is open count 0."""
    first, second = np.triu_indices(a.shape[1], 1)
    with np.errstate(invalid="ignore"):
        signs = [np.nan_to_num(np.sign(each[:, second] - each[:, first])) for each in (a, b)]
    return np.asarray((signs[0] * signs[1]).mean(axis=1))
