"""One law on thousands of curves at once, a row a curve out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from harness.analysis.checks import check_between_0_and_1, positive_columns
from harness.analysis.curves import require_columns
from harness.analysis.fitting import intervals
from harness.analysis.fitting.inputs import find_law
from harness.analysis.fitting.intervals import Interval, hold_estimate
from harness.analysis.fitting.lack_of_fit import lacks_fit
from harness.analysis.fitting.laws import Law
from harness.analysis.fitting.objectives import Squares
from harness.analysis.fitting.solver import Problem, Solution, optimum
from harness.analysis.fitting.status import AT_BOUND, FitStatus, unidentified
from harness.errors import SettingError

#: Curves fitted together; bounds the memory.
_AT_ONCE = 2000


def fit_curves(
    frame: pd.DataFrame, x: str, y: str, by: Sequence[str], law: str | Law = "power_floor", level: float = 0.95
) -> pd.DataFrame:
    """A law in one variable fitted to every curve of a frame, by least squares on ln y, with profile intervals.

    The same numbers as `ScalingLaw(law, level=level).fit` gives curve by curve (interval 'profile').

    Args:
        frame: a row a run: columns x and y, both > 0, and `by`.
        by: columns whose values distinguish the curves; none of them named as a parameter of the law.
        law: as `ScalingLaw` takes it; of one variable, over ln x, and of a positive y.
        level: of the intervals, in (0, 1).

    Returns:
        A row a curve, in order of appearance: `by`, then each parameter with _low and _high, noise (standard deviation
        of one run's ln y about the law), n_sizes, n_runs, status. Parameters of a curve with too few sizes are NaN.

    Raises:
        DataError: a column is missing, or a value is not a finite number above 0.
        SettingError: a setting out of its range.
    """
    check_between_0_and_1(level=level)
    form = find_law(law)
    if len(form.variables) != 1 or form.scale != "log" or form.x_scale != "log":
        raise SettingError("law", form.name, "a law in one variable of a positive y")
    if taken := set(by) & {f"{name}{end}" for name in form.parameters for end in ("", "_low", "_high")}:
        raise SettingError(
            "by", ",".join(by), f"columns of other names than what is fitted: {', '.join(sorted(taken))}"
        )
    require_columns(frame, (x, y, *by))
    sizes, values = positive_columns(**{x: frame[x].to_numpy(), y: frame[y].to_numpy()})
    about = frame[list(by)].drop_duplicates(ignore_index=True)
    curve, _ = pd.factorize(pd.MultiIndex.from_frame(frame[list(by)]))
    curves = _gather(curve, sizes, np.log(values), len(about))
    parts = [_fit(form, curves.rows(slice(i, i + _AT_ONCE)), level) for i in range(0, len(about), _AT_ONCE)]
    return pd.concat([about, pd.concat(parts, ignore_index=True)], axis=1)


@dataclass(frozen=True)
class _Curves:
    """Runs of c curves, gathered by size.

    Attributes:
        log_x, log_y, counts: (c, R) ln x, mean of ln y over the runs there, and their number; padded with zeros where a
            curve has fewer sizes than others.
        within: (c,) the runs' sum of squares about those means.
    """

    log_x: np.ndarray
    log_y: np.ndarray
    counts: np.ndarray
    within: np.ndarray

    def rows(self, chosen: slice | np.ndarray) -> _Curves:
        return _Curves(self.log_x[chosen], self.log_y[chosen], self.counts[chosen], self.within[chosen])

    @property
    def n_sizes(self) -> np.ndarray:
        """(c,)"""
        return (self.counts > 0).sum(axis=1)

    @property
    def n_runs(self) -> np.ndarray:
        """(c,)"""
        return self.counts.sum(axis=1)


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
    names = law.parameters
    columns = [f"{name}{end}" for name in names for end in ("", "_low", "_high")]
    table = pd.DataFrame(np.nan, index=range(len(curves.within)), columns=[*columns, "noise"])
    table["n_sizes"], table["n_runs"] = curves.n_sizes, curves.n_runs.astype(int)
    table["status"] = str(FitStatus.TOO_FEW_DATA)
    enough = curves.n_sizes >= law.min_points
    if not enough.any():
        return table
    kept = curves.rows(enough)
    problem, centre, unit = _pose(law, kept)
    found = optimum(problem)
    scale, freedom, noise = _noise(2 * found.cost, kept, found.theta.shape[1])
    drop = stdtrit(freedom, (1 + level) / 2) ** 2 * scale / 2
    public = law.public(found.theta, centre[None], unit)
    status = _status(problem, found)
    for i, name in enumerate(names):
        ends = intervals.profile(problem, found.theta, found.cost, _parameter(law, i, centre, unit), drop)
        low, high = (np.exp(end) if name in law.log_parameters else end for end in (ends.low, ends.high))
        held, failed = hold_estimate(public[:, i], Interval(low, high))
        table.loc[enough, [name, f"{name}_low", f"{name}_high"]] = np.stack([public[:, i], held.low, held.high], axis=1)
        fine = status == str(FitStatus.CONVERGED)
        status = np.where(fine & failed, str(FitStatus.INTERVAL_FAILED), status)
        if name in law.exponents:
            status = np.where(fine & unidentified(public[:, i], low, high), str(FitStatus.NOT_IDENTIFIABLE), status)
    table.loc[enough, "noise"] = noise
    table.loc[enough, "status"] = np.where(found.converged, status, str(FitStatus.NOT_IDENTIFIABLE))
    return table


def _pose(law: Law, curves: _Curves) -> tuple[Problem, np.ndarray, np.ndarray]:
    """The fits, and the centre and unit (c,) of each; sizes that a curve does not have weigh nothing."""
    there = curves.counts > 0
    centre = level = np.zeros((len(there), 1))
    if law.centred:
        places = there.sum(axis=1, keepdims=True)
        centre = curves.log_x.sum(axis=1, keepdims=True) / places
        level = curves.log_y.sum(axis=1, keepdims=True) / places
    t = np.where(there, curves.log_x - centre, 0.0)[:, None]
    y = np.where(there, curves.log_y - level, 0.0)
    return Problem.of(law, Squares(), t, y, curves.counts), np.exp(centre[:, 0]), np.exp(level[:, 0])


def _status(problem: Problem, found: Solution) -> np.ndarray:
    stuck = np.abs(found.theta - problem.low) <= AT_BOUND
    stuck |= np.abs(found.theta - problem.high) <= AT_BOUND
    return np.where(stuck.any(axis=1), str(FitStatus.AT_BOUND), str(FitStatus.CONVERGED))


def _noise(between: np.ndarray, curves: _Curves, p: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Variance and degrees of freedom (c,) of the fit, as `lack_of_fit.judge_noise` has them, and the noise of one run.

    Args:
        between: (c,) sum of squares of the sizes' means about the law, each as often as it has runs.
    """
    n_sizes, n_runs, within = curves.n_sizes, curves.n_runs, curves.within
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
