"""Thresholds compared: simultaneous intervals, pairwise ratios, and whether two measures of size give the same order.

Curves are independent given their runs, so everything follows from the posterior of each N* (`examine`), taken at
`N_LEVELS` evenly spaced quantiles. All combinations of two curves' quantiles are an equally weighted sample of the
posterior of their ratio, with no random numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations, compress

import numpy as np
import pandas as pd

from harness.analysis.axis import Axis
from harness.analysis.checks import check_between_0_and_1
from harness.analysis.curves import Curve, label_runs, make_curves, require_columns
from harness.analysis.emergence.assessment import Assessed, assess
from harness.analysis.emergence.find_jumps import Settings, judged
from harness.analysis.emergence.thresholds import ONSET, Places, Threshold, places_of
from harness.analysis.emergence.verdicts import State
from harness.errors import DataError, nearest
from harness.wording import confidence, interval, p_equals, percent

#: Quantiles of each posterior; the ratio of two curves has the square of it, so that tails of 1e-4 are still resolved.
N_LEVELS = 300
#: Draws of the rank correlation: its 95 % interval is then right to about .01.
AGREEMENT_DRAWS = 2000
#: What a curve does at its N*, of those that jump; any other has made a share of its rise there.
_AT = {State.JUMP: "appears at", State.DROP: "drops at"}
_KEY = ["study", "task", "subtask", "metric"]
_INTERVALS = ["threshold", "threshold_low", "threshold_high", "simultaneous_low", "simultaneous_high"]
_PAIRS = ["first", "second", "ratio", "low", "high", "simultaneous_low", "simultaneous_high", "p_value", "p_adjusted"]


@dataclass(frozen=True)
class Agreement:
    """Kendall's tau of two orders of the same curves: 1 the same order, -1 the reverse.

    Attributes:
        tau: of the estimated thresholds.
        low, high: interval, from the posteriors.
        n: curves that have a threshold in both.
        first, second: columns of sizes that the orders are by.
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
            threshold with its own interval and a simultaneous one of all curves (in the unit of x; 0 and inf where
            open), state and verdict (as `find_jumps` gives them; '' of a metric that cannot jump), rank, sentence.
        pairs: a row a pair: first and second (names, the one of smaller N* first), ratio of second to first with its
            own interval and a simultaneous one of all pairs, p_value (two-sided, of equal thresholds) and p_adjusted
            (Holm).
        absent: a row a curve that has no N*: study, task, subtask, metric, curve, reason.
        jumps: as `find_jumps` returns it, of all curves of the frame.
        log_quantiles: (curves of the table, `N_LEVELS`) posterior of ln N*, -inf and inf off the ladder.
    """

    x: str
    fraction: float
    level: float
    table: pd.DataFrame
    pairs: pd.DataFrame
    absent: pd.DataFrame
    jumps: pd.DataFrame = field(repr=False)
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
    alpha: float = 0.05,
) -> Comparison:
    """Put the thresholds of a frame's curves in order, with the uncertainty of that order.

    Intervals of single curves are those of `thresholds`. Simultaneous intervals of n curves have level^(1/n) each
    (Sidak), which is exact, since curves are independent; those of pairs are Bonferroni's, since pairs share curves.
    Where both thresholds of a pair lie off the ladder on the same side, either order is possible and is counted so.

    Args:
        frame: as `find_jumps` takes it.
        x: column of sizes, > 0. Where it is named like a loss, an error or a perplexity, abilities are taken to appear
            as it falls; thresholds are ordered the smallest first all the same.
        metrics: names of metrics to compare; all discontinuous ones where None.
        fraction: share of the rise at which an ability is said to have appeared.
        level: of the intervals.
        alpha: false discovery rate of jumps, whose place is their N* (`thresholds`).

    Raises:
        DataError: a column is missing or holds what cannot be used, or no such metric.
        SettingError: a setting out of its range.
    """
    check_between_0_and_1(fraction=fraction, level=level, alpha=alpha)
    require_columns(frame, (x, "metric", "value"))
    axis = Axis.of(x)
    curves = list(make_curves(label_runs(axis.with_rising(frame)), axis.rising))
    chosen = _chosen(curves, metrics)
    assessed = assess(curves, alpha)
    jumps = judged(assessed, Settings(alpha, level, fraction, ONSET, axis))
    places, about, absent = _with_thresholds(list(compress(assessed, chosen)), fraction, level)
    log_n = np.reshape(
        [_log_quantiles(each, fraction, level, len(places), axis.falls) for each in places], (-1, 5 + N_LEVELS)
    )
    order = np.argsort(log_n[:, 0], kind="stable")
    log_n = log_n[order]
    ordered = about.iloc[order].reset_index(drop=True)
    ordered[_INTERVALS] = np.exp(log_n[:, :5])
    verdicts = dict(zip(_keys(jumps), jumps["verdict"], strict=True))
    ordered["verdict"] = [str(verdicts.get(key, "")) for key in _keys(ordered)]
    ordered["rank"] = np.arange(1, len(ordered) + 1)
    pairs = ratios(ordered["curve"].tolist(), log_n[:, 0], log_n[:, 5:], level)
    ordered["sentence"] = list(_sentences(ordered, pairs, x, fraction, level))
    return Comparison(x, fraction, level, ordered, pairs, absent, jumps, log_n[:, 5:])


def rank_agreement(a: Comparison, b: Comparison) -> Agreement:
    """Whether two measures of size put the same curves in the same order of appearance.

    Both are of the same runs, so that a curve that comes late by chance does so by both: each draw takes a curve at the
    same quantile of both posteriors. Where abilities appear as x falls (losses), its order is read from the largest
    down. Pairs whose order is open count 0, and pull tau towards 0.

    Raises:
        DataError: fewer than three curves have a threshold in both.
    """
    rows = [_keys(each.table) for each in (a, b)]
    common = [key for key in rows[0] if key in rows[1]]
    if len(common) < 3:
        found = f"{len(common)} curves have a threshold in both"
        raise DataError(f"agreement of orders by {a.x} and {b.x}: {found}; 3 or more are wanted")
    at = [[keys.index(key) for key in common] for keys in rows]
    rng = np.random.default_rng(0)
    level = rng.integers(N_LEVELS, size=(AGREEMENT_DRAWS, len(common)))
    estimated, drawn = [], []
    for each, chosen in zip((a, b), at, strict=True):
        sign = -1 if Axis.of(each.x).falls else 1
        estimated.append(sign * np.log(each.table["threshold"].to_numpy(float)[chosen]))
        # The posterior of a falling x runs backwards along the same ladder.
        levels = level if sign > 0 else N_LEVELS - 1 - level
        drawn.append(sign * each.log_quantiles[chosen, levels])
    tau = float(_kendall(estimated[0][None], estimated[1][None])[0])
    low, high = np.quantile(_kendall(drawn[0], drawn[1]), [(1 - a.level) / 2, (1 + a.level) / 2])
    return Agreement(tau, float(low), float(high), len(common), a.x, b.x, a.level)


def _keys(rows: pd.DataFrame) -> list[tuple[str, ...]]:
    return list(map(tuple, rows[_KEY].to_numpy(str)))


def _chosen(curves: Sequence[Curve], metrics: Sequence[str] | None) -> list[bool]:
    """Whether each curve is one to compare."""
    known = {curve.metric: curve.discontinuous for curve in curves}
    for metric in metrics or ():
        if metric not in known:
            near = nearest(metric, known) or f"; there are {', '.join(known)}"
            raise DataError(f"metric '{metric}' is not there{near}")
    if metrics is None and not any(known.values()):
        raise DataError(f"no metric is discontinuous; name those to compare, of {', '.join(known) or 'none'}")
    return [c.discontinuous if metrics is None else c.metric in metrics for c in curves]


def _names(curves: Sequence[Curve]) -> list[str]:
    """A name of each curve: the parts of study, task, subtask and metric that distinguish it from the others."""
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


def _with_thresholds(
    assessed: Sequence[Assessed], fraction: float, level: float
) -> tuple[list[Places], pd.DataFrame, pd.DataFrame]:
    """Places of the curves that have an N*, a row about each, and a row about each other curve with its reason."""
    found: list[Places] = []
    kept, absent = [], []
    for each, name in zip(assessed, _names([each.curve for each in assessed]), strict=True):
        about = (*(getattr(each.curve, key) for key in _KEY), name)
        places = places_of(each)
        reason = places.reason if isinstance(places, Threshold) else places.threshold(fraction, level).reason
        if reason or isinstance(places, Threshold):
            absent.append((*about, reason))
        else:
            found.append(places)
            kept.append((*about, str(each.state)))
    columns = [*_KEY, "curve"]
    return found, pd.DataFrame(kept, columns=[*columns, "state"]), pd.DataFrame(absent, columns=[*columns, "reason"])


def _log_quantiles(places: Places, fraction: float, level: float, n_curves: int, falling: bool) -> np.ndarray:
    """(5 + `N_LEVELS`,) quantiles of ln N*, -inf and inf off the ladder.

    The median, the curve's own interval, its simultaneous one among `n_curves`, and those that ratios are made of.
    """
    own, simultaneous = (places.threshold(fraction, each) for each in (level, level ** (1 / n_curves)))
    levels = (np.arange(N_LEVELS) + 0.5) / N_LEVELS
    ends = [own.value, own.low, own.high, simultaneous.low, simultaneous.high]
    if falling:
        ends, levels = [own.value, own.high, own.low, simultaneous.high, simultaneous.low], 1 - levels
    with np.errstate(divide="ignore"):
        log_n = np.log(np.concatenate([ends, places.quantiles(fraction, levels)]))
    return -log_n if falling else log_n


def ratios(names: Sequence[str], middle: np.ndarray, log_n: np.ndarray, level: float) -> pd.DataFrame:
    """Ratios of all pairs of n curves in the order given.

    Args:
        middle: (n,) medians of ln N*.
        log_n: (n, `N_LEVELS`) quantiles of ln N*.
    """
    n_pairs, n = max(1, len(names) * (len(names) - 1) // 2), log_n.shape[1] ** 2
    # Quantiles are order statistics, the outer one of two: between a number and an infinite end nothing can be
    # interpolated.
    tails = np.array([(1 - level) / 2, (1 - level) / n_pairs / 2])
    lower = np.floor(tails * (n - 1)).astype(int)
    upper = n - 1 - lower
    rows = []
    for i, j in combinations(range(len(names)), 2):
        with np.errstate(invalid="ignore"):
            difference = (log_n[j][:, None] - log_n[i]).ravel()
        # inf - inf: both lie off the ladder on the same side, the difference may be anything and counts for either end.
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
    """(n,) p values adjusted by Holm's step-down method (1979), which holds whatever their dependence."""
    order = np.argsort(p_values, kind="stable")
    stepped = np.maximum.accumulate(p_values[order] * np.arange(len(p_values), 0, -1))
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(1.0, stepped)
    return adjusted


def _sentences(table: pd.DataFrame, pairs: pd.DataFrame, x: str, fraction: float, level: float) -> Iterator[str]:
    """Each curve compared with the first, in words."""
    size = "size" if x.startswith("params") else x.replace("_", " ")
    part = "half" if fraction == 0.5 else percent(fraction)
    for i, row in enumerate(table.to_dict("records")):
        does = _AT.get(row["state"], f"has made {part} of its rise at")
        if i == 0:
            at = interval(row["threshold"], row["threshold_low"], row["threshold_high"])
            yield f"{row['curve']} {does} {size} {at}"
            continue
        pair = pairs.iloc[i - 1]  # the pairs of the first curve come first
        ratio = interval(pair["ratio"], pair["low"], pair["high"], 2, "x")
        sentence = f"{row['curve']} {does} {ratio} the {size} of {pair['first']}"
        open_order = pair["p_adjusted"] >= 1 - level
        yield f"{sentence}; their order is open (adjusted {p_equals(pair['p_adjusted'])})" if open_order else sentence


def _kendall(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(B,) Kendall's tau of rows of a and b (B, n): share of concordant pairs less discordant; open pairs count 0."""
    first, second = np.triu_indices(a.shape[1], 1)
    with np.errstate(invalid="ignore"):
        signs = [np.nan_to_num(np.sign(each[:, second] - each[:, first])) for each in (a, b)]
    return np.asarray((signs[0] * signs[1]).mean(axis=1))
