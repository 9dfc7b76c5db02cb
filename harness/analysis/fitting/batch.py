"""One law on thousands of curves at once, a row a curve out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from harness.analysis.checks import check_between_0_and_1, positive_columns
from harness.analysis.curves import require_columns
from harness.analysis.fitting import intervals
from harness.analysis.fitting.estimator import AT_BOUND, FitStatus, unidentified
from harness.analysis.fitting.inputs import check_law
from harness.analysis.fitting.lack_of_fit import lacks_fit
from harness.analysis.fitting.laws import Law
from harness.analysis.fitting.objectives import Squares
from harness.analysis.fitting.solver import Problem, optimum
from harness.errors import SettingError

#: Curves fitted together; bounds the memory.
_AT_ONCE = 2000


def fit_curves(
    frame: pd.DataFrame, x: str, y: str, by: Sequence[str], law: str = "power_floor", level: float = 0.95
) -> pd.DataFrame:
    """A law in one variable fitted to every curve of a frame, by least squares on ln y, with profile intervals.

    The same numbers as `ScalingLaw(law, level=level).fit` gives curve by curve (interval 'profile').

    Args:
        frame: a row a run: columns x and y, both > 0, and `by`.
        by: columns whose values tell curves apart.
        law: key of `LAWS` with one variable and a positive y.
        level: of the intervals, in (0, 1).

    Returns:
        A row a curve, in order of appearance: `by`, then each parameter with _low and _high, noise (standard deviation
        of one run's ln y about the law), n_sizes, n_runs, status. Parameters of a curve with too few sizes are NaN.

    Raises:
        DataError: a column is missing, or a value is not a finite number above 0.
        SettingError: a setting out of its range.
    """
    check_between_0_and_1(level=level)
    form = check_law(law)
    if len(form.variables) != 1 or form.scale != "log":
        raise SettingError("law", law, "a law in one variable of a positive y")
    require_columns(frame, (x, y, *by))
    sizes, values = positive_columns(**{x: frame[x].to_numpy(), y: frame[y].to_numpy()})
    about = frame[list(by)].drop_duplicates(ignore_index=True)
    curve, _ = pd.factorize(pd.MultiIndex.from_frame(frame[list(by)]))
    curves = _gather(curve, sizes, np.log(values), len(about))
    parts = [_fit(form, curves.rows(slice(i, i + _AT_ONCE)), level) for i in range(0, len(about), _AT_ONCE)]
    return pd.concat([about, pd.concat(parts, ignore_index=True)], axis=1)


@dataclass(frozen=True)
class _Curves:
    """Means over runs at each size, (c, R) padded with zeros where a curve has fewer sizes: ln x, ln y, runs there;
    and the runs' sum of squares about those means (c,)."""

    log_x: np.ndarray
    log_y: np.ndarray
    counts: np.ndarray
    within: np.ndarray

    def rows(self, chosen: slice) -> _Curves:
        return _Curves(self.log_x[chosen], self.log_y[chosen], self.counts[chosen], self.within[chosen])


def _gather(curve: np.ndarray, sizes: np.ndarray, log_y: np.ndarray, n_curves: int) -> _Curves:
    order = np.lexsort((sizes, curve))
    curve, sizes, log_y = curve[order], sizes[order], log_y[order]
    new = np.concatenate([[True], (curve[1:] != curve[:-1]) | (sizes[1:] != sizes[:-1])])
    place = np.cumsum(new) - 1
    counts = np.bincount(place)
    means = np.bincount(place, log_y) / counts
    within = np.bincount(curve, (log_y - means[place]) ** 2, minlength=n_curves)
    of_place = curve[new]
    first = np.concatenate([[0], np.cumsum(np.bincount(of_place, minlength=n_curves))[:-1]])
    rank = np.arange(len(of_place)) - first[of_place]
    padded = [np.zeros((n_curves, rank.max() + 1)) for _ in range(3)]
    for table, column in zip(padded, (np.log(sizes[new]), means, counts), strict=True):
        table[of_place, rank] = column
    return _Curves(padded[0], padded[1], padded[2], within)


def _fit(law: Law, curves: _Curves, level: float) -> pd.DataFrame:
    n_sizes, n_runs = (curves.counts > 0).sum(axis=1), curves.counts.sum(axis=1)
    enough = n_sizes >= law.min_points
    names = law.parameters
    columns = [f"{name}{end}" for name in names for end in ("", "_low", "_high")]
    table = pd.DataFrame(np.nan, index=range(len(n_sizes)), columns=[*columns, "noise"])
    table["n_sizes"], table["n_runs"] = n_sizes, n_runs.astype(int)
    table["status"] = str(FitStatus.TOO_FEW_DATA)
    if not enough.any():
        return table
    kept = _Curves(*(part[enough] for part in (curves.log_x, curves.log_y, curves.counts, curves.within)))
    there = kept.counts > 0
    places = there.sum(axis=1, keepdims=True)
    centre = kept.log_x.sum(axis=1, keepdims=True) / places
    level_y = kept.log_y.sum(axis=1, keepdims=True) / places
    t = np.where(there, kept.log_x - centre, 0.0)[:, None]
    problem = Problem.of(law, Squares(), t, np.where(there, kept.log_y - level_y, 0.0), kept.counts)
    found = optimum(problem)
    p = found.theta.shape[1]
    scale, freedom, noise = _noise(2 * found.cost, kept.within, places[:, 0], n_runs[enough], p)
    drop = stats.t.ppf((1 + level) / 2, freedom) ** 2 * scale / 2
    middle, unit = np.exp(centre[:, 0]), np.exp(level_y[:, 0])
    public = law.public(found.theta, middle[None], unit)
    stuck = np.abs(found.theta - problem.low) <= AT_BOUND
    stuck |= np.abs(found.theta - problem.high) <= AT_BOUND
    status = np.where(stuck.any(axis=1), str(FitStatus.AT_BOUND), str(FitStatus.CONVERGED))
    for i, name in enumerate(names):
        quantity = _parameter(law, i, middle, unit)
        ends = intervals.profile(problem, found.theta, found.cost, quantity, drop)
        low, high = (np.exp(end) if name in law.log_parameters else end for end in (ends.low, ends.high))
        table.loc[enough, name] = public[:, i]
        table.loc[enough, f"{name}_low"] = np.minimum(low, public[:, i])
        table.loc[enough, f"{name}_high"] = np.maximum(high, public[:, i])
        if name in law.exponents:
            free = unidentified(public[:, i], low, high) & (status == str(FitStatus.CONVERGED))
            status = np.where(free, str(FitStatus.NOT_IDENTIFIABLE), status)
    table.loc[enough, "noise"] = noise
    table.loc[enough, "status"] = np.where(found.converged, status, str(FitStatus.NOT_IDENTIFIABLE))
    return table


def _noise(
    between: np.ndarray, within: np.ndarray, n_sizes: np.ndarray, n_runs: np.ndarray, p: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Variance and degrees of freedom of the fit (as `lack_of_fit.rung_misfit` judges), and the noise of one run."""
    pooled = (between + within) / np.maximum(n_runs - p, 1)
    of_means = between / np.maximum(n_sizes - p, 1)
    several = n_runs > n_sizes
    of_runs = within / np.maximum(n_runs - n_sizes, 1)
    rough = several & lacks_fit(of_means, of_runs, n_sizes - p, np.maximum(n_runs - n_sizes, 1))
    return np.where(rough, of_means, pooled), np.where(rough, n_sizes, n_runs) - p, np.sqrt(pooled)


def _parameter(law: Law, index: int, centre: np.ndarray, unit: np.ndarray) -> intervals.Quantity:
    return intervals.by_differences(
        lambda theta, rows: law.judged(theta, np.full(len(rows), index), centre[rows][None], unit[rows])
    )
