"""Accuracy on the line: accuracy under a shift as a straight line of accuracy on the own evaluation set.

Miller et al. 2021, "Accuracy on the Line" (arXiv 2107.04649), found that over models and training durations the two
are close to a line once both are on a probit scale; Taori et al. 2020 (arXiv 2007.00644) call what a model has beyond
the line of a baseline its effective robustness. With probit^-1 = Phi, x and y the places of a run's two accuracies:

    y = a + b x + scatter,        effective robustness = accuracy under the shift - Phi(a + b x)

fitted by least squares, as Miller et al. do. Where x errs, as accuracies on finitely many items may, their slope is too
small. With `corrected` the variance of that error is taken off (Fuller 1987, "Measurement Error Models", section 1.2;
Akritas and Bershady 1996, BCES(Y|X) without covariance):

    b = S_xy / (S_xx - mean of v_x)

v_x is binomial, as if each run met items of its own. Runs that all meet the same items err alike, which tilts no line:
then least squares are right. So the two slopes hold the truth between them, and both are given.

Intervals are of the jackknife over clusters (a run's rows are one): with b_(g) the slope without cluster g of G,
variance (G - 1) / G sum (b_(g) - mean)^2, and Student's t of G - 2 degrees of freedom.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit

from harness.analysis.checks import check_between_0_and_1, check_fitted
from harness.analysis.emergence.comparison import holm
from harness.analysis.shifts.shares import link_of, paired_shares, share_metric, shifts_in
from harness.errors import DataError, nearest
from harness.records.columns import label_column

#: Clusters that a line takes: two for itself, and two of which to tell the scatter.
LEAST_CLUSTERS = 4
#: Share of the variance of x that must be more than the noise of evaluation.
LEAST_SPREAD = 0.2
_DEPARTURES = [
    *("group", "n_runs", "own", "shifted", "expected"),
    *("effective_robustness", "low", "high", "statistic", "p_value", "p_adjusted"),
]


@dataclass(frozen=True)
class _Line:
    """One line with the covariance of (intercept, slope), from the jackknife.

    Attributes:
        scatter: standard deviation of runs about the line, on the link.
        evaluation: variance of y about the line that the noise of evaluation is, at most.
        freedom: degrees of freedom.
    """

    intercept: float
    slope: float
    covariance: np.ndarray
    scatter: float
    evaluation: float
    freedom: int

    def at(self, x: np.ndarray) -> np.ndarray:
        return self.intercept + self.slope * x


class AccuracyLine:
    """A line through runs' accuracies on two evaluation sets.

    Args:
        metric: a share of right answers; the first discontinuous metric of the frame where None.
        baseline: the study whose runs the line is fitted to; all where None.
        link: probit or logit, the scale of both axes.
        cluster: column whose labels err together, such as seed; runs where None.
        own: the split that the shift is compared with.
        subtask: of the task.
        level: of intervals.
        corrected: whether the line is corrected for items that each run met for itself.

    Attributes:
        slope_, intercept_: of the line, each with _low_ and _high_.
        slope_least_squares_, slope_corrected_: the slope without and with the correction.
        r2_: squared correlation of x and y of the runs that the line is fitted to.
        scatter_: standard deviation of runs about the line, on the link, noise of evaluation and all.
        metric_, shift_: what was fitted.
        n_runs_, n_clusters_: that the line is fitted to.
        n_ceiling_, n_floor_: runs set apart, baseline or not, because they are at the ceiling or at the floor.
        runs_: a row a run on both axes, those set apart included: the frame's own columns, own, shifted (accuracies),
            x, y (on the link), beyond (ceiling, floor or ''), in_line, expected (accuracy by the line) and
            effective_robustness (shifted less expected, in accuracy; NaN of runs set apart).

    Examples:
        >>> frame = harness.load("results/digits", split=None)  # doctest: +SKIP
        >>> line = harness.AccuracyLine().fit(frame, "noisy")  # doctest: +SKIP
        >>> line.slope_, line.runs_["effective_robustness"]  # doctest: +SKIP
    """

    def __init__(
        self,
        metric: str | None = None,
        baseline: str | None = None,
        link: str = "probit",
        cluster: str | None = None,
        own: str = "eval",
        subtask: str = "all",
        level: float = 0.95,
        corrected: bool = False,
    ) -> None:
        self.metric, self.baseline, self.link, self.cluster = metric, baseline, link, cluster
        self.corrected = corrected
        self.own, self.subtask, self.level = own, subtask, level

    def fit(self, frame: pd.DataFrame, shift: str) -> AccuracyLine:
        """Fit to the runs of a frame.

        Args:
            frame: a row per (run, split, metric), as `harness.load(path, split=None)` gives it: columns split, metric,
                value and one of run_id, member, seed; study, subtask, n_eval, chance where there are several or they
                are known. Without n_eval the noise of evaluation counts as 0.
            shift: a value of the column split.

        Raises:
            DataError: no such split, metric or study; a value that is no share; too few runs off the ceiling and the
                floor, or accuracies that differ by no more than noise.
            SettingError: a setting out of its range.
        """
        check_between_0_and_1(level=self.level)
        link, shifts = link_of(self.link), shifts_in(frame, self.own)
        if shift not in shifts:
            known = ", ".join(shifts) or "none beside it"
            raise DataError(f"no split {shift}{nearest(shift, shifts)}; there are {known}")
        self.metric_, self.shift_ = share_metric(frame, self.metric), shift
        runs = paired_shares(frame, shift, self.metric_, self.own, self.subtask, link, self.level)
        of_line = (runs["beyond"] == "").to_numpy()
        if self.baseline is not None:
            of_line = of_line & _of_study(runs, self.baseline)
        self._labels = label_column(runs, self.cluster) if self.cluster else runs["run"].to_numpy(str)
        self._check(runs, of_line)
        line = _fitted(runs[of_line], self._labels[of_line], self.corrected)
        t = float(stdtrit(line.freedom, (1 + self.level) / 2))
        errors = np.sqrt(np.diag(line.covariance))
        self.slope_, self.intercept_, self.scatter_ = line.slope, line.intercept, line.scatter
        self.slope_low_, self.slope_high_ = line.slope - t * errors[1], line.slope + t * errors[1]
        self.intercept_low_, self.intercept_high_ = line.intercept - t * errors[0], line.intercept + t * errors[0]
        x, y = (runs.loc[of_line, name].to_numpy(float) for name in ("x", "y"))
        alone = (_fitted(runs[of_line], self._labels[of_line], corrected) for corrected in (False, True))
        self.slope_least_squares_, self.slope_corrected_ = (each.slope for each in alone)
        self.r2_ = float(np.corrcoef(x, y)[0, 1] ** 2)
        self.n_runs_, self.n_clusters_ = int(of_line.sum()), len(np.unique(self._labels[of_line]))
        self.n_ceiling_, self.n_floor_ = (int((runs["beyond"] == where).sum()) for where in ("ceiling", "floor"))
        expected = link.share(line.at(runs["x"].to_numpy()))
        robust = np.where(runs["beyond"] == "", runs["shifted"] - expected, np.nan)
        self._line = line
        self.runs_ = runs.assign(in_line=of_line, expected=expected, effective_robustness=robust)
        return self

    def predict(self, share: np.ndarray | float) -> np.ndarray:
        """Accuracy under the shift that the line expects at accuracies on the own set, above 0 and below 1."""
        check_fitted(self, "slope_")
        link = link_of(self.link)
        return np.asarray(link.share(self._line.at(link.of(np.asarray(share, dtype=float)))))

    def departures(self, by: str) -> pd.DataFrame:
        """Which groups of runs lie off the line of the others (of the baseline, where there is one).

        Each group's mean distance on the link is compared with the line through the runs of no such group, by Student's
        t: its variance is that of the line there and of as many new runs, with the others' variance about the line,
        times by how much larger their noise of evaluation is, where it is, as near the ceiling.

        Args:
            by: a column of `runs_` whose labels are the groups, such as study, params_non_embedding or data.

        Returns:
            A row a group that could be tested: group, n_runs, own and shifted (mean accuracies), expected (by the line
            of the others), effective_robustness with its interval low and high (in accuracy, at the mean x), statistic
            (t), p_value (two-sided) and p_adjusted (Holm).

        Raises:
            DataError: no such column.
        """
        check_fitted(self, "slope_")
        groups = label_column(self.runs_, by)
        rows = [row for group in dict.fromkeys(groups) if (row := self._departure(str(group), groups == group))]
        found = pd.DataFrame(rows, columns=_DEPARTURES)
        found["p_adjusted"] = holm(found["p_value"].to_numpy(float))
        return found

    def _departure(self, name: str, of_group: np.ndarray) -> tuple[object, ...] | None:
        """A row of `departures`; None where too few runs are left for a line or in the group."""
        of_line = self.runs_["in_line"].to_numpy() & ~of_group
        group = self.runs_[of_group & (self.runs_["beyond"] == "").to_numpy()]
        labels = self._labels[of_group & (self.runs_["beyond"] == "").to_numpy()]
        others = self.runs_[of_line]
        if group.empty or len(np.unique(self._labels[of_line])) < LEAST_CLUSTERS or _spread(others) < LEAST_SPREAD:
            return None
        link, line = link_of(self.link), _fitted(others, self._labels[of_line], self.corrected)
        off, at = float((group["y"] - line.at(group["x"].to_numpy())).mean()), float(group["x"].mean())
        noise = float((group["y_variance"] + line.slope**2 * group["x_variance"]).mean())
        noisier = max(1.0, noise / line.evaluation) if line.evaluation > 0 else 1.0
        new_runs = line.scatter**2 * noisier / len(np.unique(labels))
        error = np.sqrt(np.array([1.0, at]) @ line.covariance @ np.array([1.0, at]) + new_runs)
        expected = float(link.share(np.array(line.at(np.array(at)))))
        t = float(stdtrit(line.freedom, (1 + self.level) / 2))
        moved = link.share(line.at(np.array(at)) + off + error * np.array([0.0, -t, t])) - expected
        p_value = float(2 * stdtr(line.freedom, -abs(off) / error))
        means = (float(group["own"].mean()), float(group["shifted"].mean()), expected)
        return (name, len(group), *means, *moved, off / error, p_value, np.nan)

    def _check(self, runs: pd.DataFrame, of_line: np.ndarray) -> None:
        beyond = runs["beyond"].value_counts()
        apart = ", ".join(f"{beyond[where]} at the {where}" for where in ("ceiling", "floor") if where in beyond)
        what = f"{self.metric_} on {self.own} and {self.shift_}"
        if len(np.unique(self._labels[of_line])) < LEAST_CLUSTERS:
            found = f"{len(np.unique(self._labels[of_line]))} of {len(runs)} runs"
            raise DataError(f"{what}: {found} for a line, {LEAST_CLUSTERS} are wanted{f' ({apart})' if apart else ''}")
        if _spread(runs[of_line]) < LEAST_SPREAD:
            raise DataError(
                f"{what}: runs differ on {self.own} by hardly more than the noise of evaluation, for no line"
            )


def _of_study(runs: pd.DataFrame, study: str) -> np.ndarray:
    known = list(dict.fromkeys(runs["study"].astype(str)))
    if study not in known:
        raise DataError(f"baseline '{study}' is not there{nearest(study, known)}; studies are {', '.join(known)}")
    return np.asarray(runs["study"].astype(str) == study)


def _spread(runs: pd.DataFrame) -> float:
    """Share of the variance of x that is more than noise of evaluation."""
    x = runs["x"].to_numpy()
    spread = float(np.var(x, ddof=1))
    return 1 - float(runs["x_variance"].mean()) / spread if spread > 0 else 0.0


def _fitted(runs: pd.DataFrame, labels: np.ndarray, corrected: bool) -> _Line:
    x, y, variance = (runs[name].to_numpy(float) for name in ("x", "y", "x_variance"))
    noise = variance if corrected else 0 * variance
    of_runs = np.stack([np.ones_like(x), x, y, x * x, x * y, noise])
    clusters = np.unique(labels, return_inverse=True)[1]
    of_clusters = np.stack([np.bincount(clusters, row) for row in of_runs])
    intercept, slope = _coefficients(of_runs.sum(axis=1))
    left = _coefficients(of_clusters.sum(axis=1, keepdims=True) - of_clusters)
    n_clusters = of_clusters.shape[1]
    around = left - left.mean(axis=1, keepdims=True)
    covariance = (n_clusters - 1) / n_clusters * around @ around.T
    squares = (y - intercept - slope * x) ** 2
    of_evaluation = float((runs["y_variance"].to_numpy(float) + slope**2 * variance).mean())
    scatter = float(np.sqrt(squares.sum() / (len(x) - 2)))
    return _Line(float(intercept), float(slope), covariance, scatter, of_evaluation, n_clusters - 2)


def _coefficients(sums: np.ndarray) -> np.ndarray:
    """(2, ...) intercept and slope, from sums (6, ...) over runs of 1, x, y, x x, x y and the variance of x that errs.

    Without one cluster, little but noise may be left of the spread of x: the slope then stays within a factor of 10.
    """
    n, x, y, xx, xy, noise = sums
    spread, together = xx - x * x / n, xy - x * y / n
    slope = together / np.maximum(np.maximum(spread - noise * (n - 1) / n, 0.1 * spread), 1e-300)
    return np.array([(y - slope * x) / n, slope])
