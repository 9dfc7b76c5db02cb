"""Forecasts of runs not yet made: laws weighed by how well they predict larger runs, with an interval for a new run.

The forecast of ln y at a place x is the weighted mean of the laws, m(x) = sum_k w_k m_k(x), and its variance

    v(x) = c^2 sum_k w_k (fit_k(x) + (m_k(x) - m(x))^2 + noise_k^2) + drift(x)^2

is made of the uncertainty of each fit, the laws' disagreement, the noise of a new run, and the drift of any law beyond
the runs. The drift and the factor c are what forecasts of the larger runs from the smaller ones tell (`drift`). The
interval is m +- t sqrt(v). METHOD.md in this folder tells the method in order, and where each constant was chosen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from harness.analysis.checks import check_between_0_and_1, check_columns, check_fitted, column_names
from harness.analysis.fitting.inputs import find_law, law_columns, laws_for
from harness.analysis.fitting.laws import Law
from harness.analysis.fitting.rolling import prediction_rows, rolling_cuts, stacked
from harness.analysis.planning.checkpoints import find_checkpoints
from harness.analysis.planning.drift import CutEvidence, judge_misses
from harness.analysis.planning.fitted_law import FittedLaw, fit_laws
from harness.analysis.robust import rank_correlation
from harness.analysis.runs import gather_runs, labels_of_runs
from harness.errors import DataError, SettingError, UserError

#: Laws that a forecast weighs, by their number of variables. Kaplan's law has no floor and promises too much far out.
WEIGHED = {1: ("power", "power_floor"), 2: ("gadre", "hoffmann"), 3: ("width_depth",)}

#: A law weighs as its error of rolling extrapolation to minus this power, or where there is none, as its noise.
SHARPNESS = 4.0
#: Least such error, so that a law that is exact does not weigh infinitely.
LEAST_ERROR = 1e-6
#: Rank correlation with size above which y rises, and fewest runs by which that is said.
_RISES, _LEAST_RANKED = 0.5, 6


@dataclass
class Forecaster:
    """Predicts y of runs larger than those it is fitted to.

    Each law is fitted to ln y by Huber's objective, with runs weighted by compute and a weak prior on the exponents of
    N and D (`fitted_law`). Laws are weighed by how well, fitted to the smaller runs, they predicted the larger ones
    (`SHARPNESS`). The interval is one for a new run: the noise of runs, the fits' uncertainty, the laws' disagreement
    and their drift, by as much as the forecasts of rolling extrapolation missed (`drift`).
    experiments/published_laws measures errors and coverage; METHOD.md in this folder says on which tables the constants
    were chosen and which had no part in that.

    Args:
        law: 'best' for all of `WEIGHED`; or one law, as `ScalingLaw` takes it, of a positive y.
        level: of the intervals, in (0, 1).

    Attributes:
        weights_: law -> weight, summing to 1.
        left_out_: law -> why it could not be fitted.
        variables_: of x, in order.
        freedom_: degrees of freedom of the intervals.
        calibration_: factor on all errors but the drift, by what rolling extrapolation missed; 1.25 without it.
        drift_: standard deviation by which ln y drifts from the laws for every factor e beyond the runs.
        rolling_: a row a run predicted by rolling extrapolation, columns as `rolling.rolling_extrapolation`; of a
            cluster, its largest run.
        n_runs_, n_clusters_: runs, and clusters of them that err each on its own.
        message_: '' or what was found of runs that err together.
    """

    law: str | Law = "best"
    level: float = 0.95

    weights_: dict[str, float] = field(init=False, repr=False)
    variables_: tuple[str, ...] = field(init=False, repr=False)
    freedom_: float = field(init=False, repr=False)
    left_out_: dict[str, str] = field(init=False, repr=False)
    calibration_: float = field(init=False, repr=False)
    drift_: float = field(init=False, repr=False)
    rolling_: pd.DataFrame = field(init=False, repr=False)
    n_runs_: int = field(init=False, repr=False)
    n_clusters_: int = field(init=False, repr=False)
    message_: str = field(init=False, repr=False)

    def fit(
        self,
        x: ArrayLike | pd.DataFrame,
        y: ArrayLike,
        groups: ArrayLike | None = None,
        *,
        clusters: ArrayLike | None = None,
    ) -> Forecaster:
        """Fit to rows x (n,) or (n, d) and y (n,), both > 0.

        Args:
            groups: rows that share (x, group) are one run, whose value is their mean; without groups each row is one.
            clusters: (n,) labels; runs of one label err together, as checkpoints of one training run do. Uncertainty
                counts clusters, a new run is one of another cluster, and no label is part seen and part held back.
                Without them, rows that are plainly checkpoints are found and said (`message_`).

        Raises:
            DataError: a value that is NaN, infinite or not positive; labels of another number of rows, or lacking.
            UserError: no law can be fitted; the message is that of the law with the fewest parameters.
        """
        check_between_0_and_1(level=self.level)
        named = laws_for(x, WEIGHED) if self.law == "best" else (self.law,)
        laws = {law.name: law for law in map(find_law, named)}
        if any(law.scale != "log" or law.may_be_zero for law in laws.values()):
            raise SettingError("law", self.law, "best, or a law of a positive y over sizes, without labels or shares")
        first = next(iter(laws.values()))
        self.variables_, self._columns = first.variables, column_names(x)
        self._seen, values, labels = _gather(*law_columns(first, x, y), groups, clusters)
        _refuse_what_rises(first, self._seen, values)
        self._members, refused = fit_laws(laws, self._seen, values, labels)
        if not self._members:
            raise refused[min(refused, key=lambda name: laws[name].min_points)]
        self.message_, self.n_runs_, self.n_clusters_ = "", len(values), len(np.unique(labels))
        unnamed = clusters is None and self.variables_[-1] == "D"
        rolls = self._as_checkpoints(laws, values) if unnamed else []
        rolls = rolls or _roll(laws, self._seen, values, labels)
        self.freedom_ = float(np.mean([member.freedom for member in self._members.values()]))
        self.left_out_ = {name: str(error) for name, error in refused.items()}
        self.weights_ = self._weigh(rolls)
        self.rolling_, self.calibration_, self.drift_ = self._calibrate(rolls)
        return self

    def _as_checkpoints(self, laws: Mapping[str, Law], values: np.ndarray) -> list[_Roll]:
        """Where the runs show that they are checkpoints, take these as clusters; the rolls, none where that cannot be.

        Clusters that cannot be held back whole, as all reach the same compute, would leave forecasts untested.
        """
        best = min(self._members.values(), key=lambda member: member.noise)
        found = find_checkpoints(self._seen, best.residual)
        if found is None:
            return []
        n_runs = int(found.labels.max()) + 1
        same = f"rows of equal {' and '.join(self.variables_[:-1])} err alike"
        self.message_ = f"{same} (neighbours in D correlate by {found.correlation:.2f})"
        members, _ = fit_laws(laws, self._seen, values, found.labels)
        rolls = _roll(laws, self._seen, values, found.labels) if len(members) == len(self._members) else []
        if rolls:
            self._members, self.n_clusters_ = members, n_runs
            self.message_ += f": taken as checkpoints of {n_runs} training runs; clusters says otherwise"
        else:
            self.message_ += (
                f": if they are checkpoints of {n_runs} training runs, clusters says so, and widens intervals"
            )
        return rolls

    def _weigh(self, rolls: Sequence[_Roll]) -> dict[str, float]:
        """Each law's share, by its median error of rolling extrapolation averaged over the cuts."""
        missed = {
            name: [
                np.median(np.abs(roll.members[name].ahead(roll.places)[0] - roll.observed))
                for roll in rolls
                if name in roll.members
            ]
            for name in self._members
        }
        error = {name: float(np.mean(found)) for name, found in missed.items() if found}
        if len(error) < len(self._members):  # too few runs to roll: by how far each law is from them
            error = {name: member.noise for name, member in self._members.items()}
        raw = {name: max(found, LEAST_ERROR) ** -SHARPNESS for name, found in error.items()}
        return {name: found / sum(raw.values()) for name, found in raw.items()}

    def _calibrate(self, rolls: Sequence[_Roll]) -> tuple[pd.DataFrame, float, float]:
        """What was predicted, and what that tells of the factor and the drift."""
        parts, evidence = [], []
        for roll in rolls:
            predicted, factor, noise = _mixed(roll.members, self.weights_, roll.places)
            away = _log_reach(roll.places, roll.seen)
            evidence.append(CutEvidence.of(roll.observed - predicted, factor, max(noise, LEAST_ERROR**2), away))
            parts.append(prediction_rows(roll.cut, roll.reach, np.exp(roll.observed), np.exp(predicted)))
        return stacked(parts), *judge_misses(evidence)

    def predict(self, x: ArrayLike | pd.DataFrame, level: float | None = None) -> pd.DataFrame:
        """Forecasts at x (m,) or (m, d): the variables of x, and predicted, low, high (interval of a new run)."""
        level = self.level if level is None else level
        check_between_0_and_1(level=level)
        places = self._places(x)
        value, factor, noise = self._ahead(places)
        half = stdtrit(self.freedom_, (1 + level) / 2) * np.sqrt(np.sum(factor**2, axis=0) + noise)
        table = pd.DataFrame(dict(zip(self.variables_, places.T, strict=True)))
        with np.errstate(over="ignore"):  # an end beyond all numbers is open
            return table.assign(predicted=np.exp(value), low=np.exp(value - half), high=np.exp(value + half))

    def draws(self, x: ArrayLike | pd.DataFrame, n_draws: int, rng: np.random.Generator) -> np.ndarray:
        """Draws (n_draws, m) of y of new runs at x (m,) or (m, d): a row holds one new run at each of the places.

        At each place they are distributed as `predict` has it. What the laws may be wrong by is one error a row, the
        same law at all places; the noise of each new run is its own.
        """
        return self._draw(x, n_draws, rng, of_runs=True)

    def curve_draws(self, x: ArrayLike | pd.DataFrame, n_draws: int, rng: np.random.Generator) -> np.ndarray:
        """Draws (n_draws, m) of the curve at x (m,) or (m, d): as `draws`, without the noise of new runs."""
        return self._draw(x, n_draws, rng, of_runs=False)

    def _draw(
        self, x: ArrayLike | pd.DataFrame, n_draws: int, rng: np.random.Generator, *, of_runs: bool
    ) -> np.ndarray:
        """Multivariate Student's t about ln y: normal errors over the root of one chi-squared variate a row."""
        if n_draws < 1:
            raise SettingError("n_draws", n_draws, "at least 1")
        value, factor, noise = self._ahead(self._places(x))
        off = rng.standard_normal((n_draws, len(factor))) @ factor
        tail = np.sqrt(self.freedom_ / rng.chisquare(self.freedom_, (n_draws, 1)))
        if of_runs:  # last, so that a generator gives new runs about the same curves
            off += np.sqrt(noise) * rng.standard_normal((n_draws, len(value)))
        with np.errstate(over="ignore"):  # where runs say next to nothing, a draw may be infinite
            return np.exp(value + tail * off)

    def _ahead(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """As `_mixed`, with the factor c and the drift."""
        value, factor, noise = _mixed(self._members, self.weights_, places)
        drift = self.drift_ * _log_reach(places, self._seen)
        return value, np.vstack([self.calibration_ * factor, drift]), self.calibration_**2 * noise

    def _places(self, x: ArrayLike | pd.DataFrame) -> np.ndarray:
        check_fitted(self, "drift_")
        check_columns(self._columns, x)
        return law_columns(next(iter(self._members.values())).law, x)[0]


# ------------------------------------------------------------------------------------------------------------ the runs


def _refuse_what_rises(law: Law, places: np.ndarray, values: np.ndarray) -> None:
    """Raise UserError for a y that plainly rises with the product of the variables, which every law falls with."""
    size = np.log(places).sum(axis=1)
    n = len(values)
    if n < _LEAST_RANKED or np.ptp(size) == 0 or np.ptp(values) == 0:
        return
    correlation = rank_correlation(size, values)
    if correlation > _RISES:
        what = " and ".join(law.variables)
        raise UserError(
            f"y rises with {what} (rank correlation {correlation:.2f}): these are laws of a loss, which falls"
        )


def _gather(
    places: np.ndarray, values: np.ndarray, groups: ArrayLike | None, clusters: ArrayLike | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places (n, d), values (n,) and cluster (n,) 0, 1, ... of each run."""
    if not len(values):
        raise DataError("x has no rows: there is nothing to forecast from")
    group = None if groups is None else _labels("groups", groups, len(places))
    runs = gather_runs(places, values, group)
    if clusters is None:
        return runs.sizes[runs.rung], runs.value, np.arange(len(runs.value))
    of_run, stray = labels_of_runs(_labels("clusters", clusters, len(places)), runs.of_row)
    if stray.size:
        raise DataError(f"clusters, row {stray[0]}: another label than rows of the same run, by x and groups, have")
    return runs.sizes[runs.rung], runs.value, of_run


def _labels(name: str, given: ArrayLike, n_rows: int) -> np.ndarray:
    """(n,) labels, one a row."""
    labels = np.asarray(given)
    if labels.shape != (n_rows,):
        found = f"{len(labels)} rows" if labels.ndim == 1 else f"shape {labels.shape}"
        raise DataError(f"{name} has {found} where x has {n_rows} rows")
    if (lacking := np.flatnonzero(pd.isna(labels))).size:
        raise DataError(f"{name}, row {lacking[0]}: no label")
    return labels


def _log_reach(places: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """ln of how far places (m, d) lie beyond the runs seen, in compute or in any variable, whichever is further."""
    logs, beyond = np.log(places), np.log(seen)
    each = logs - beyond.max(axis=0)
    together = logs.sum(axis=1) - beyond.sum(axis=1).max()
    return np.maximum(np.max(np.column_stack([each, together]), axis=1), 0.0)


# ------------------------------------------------------------------------------------------------ several laws together


@dataclass(frozen=True)
class _Roll:
    """The laws fitted to the smaller part of the runs, and the larger runs they are judged on.

    Attributes:
        seen: (s, d) places of the smaller runs.
        places, observed: (m, d) and (m,) of the largest run of each cluster that was held back.
        reach: (m,) its size over the largest seen.
    """

    cut: float
    members: dict[str, FittedLaw]
    seen: np.ndarray
    places: np.ndarray
    observed: np.ndarray
    reach: np.ndarray


def _roll(laws: Mapping[str, Law], places: np.ndarray, values: np.ndarray, labels: np.ndarray) -> list[_Roll]:
    """The runs cut by size at each of `rolling_cuts` that leaves enough to fit a law to."""
    rolls = []
    judged = _largest_of_each(labels, np.log(places).sum(axis=1))
    for cut, seen, reach in rolling_cuts(places, labels):
        members, _ = fit_laws(laws, places[seen], values[seen], labels[seen])
        if members:
            held = ~seen & judged
            rolls.append(_Roll(cut, members, places[seen], places[held], values[held], reach[judged[~seen]]))
    return rolls


def _largest_of_each(labels: np.ndarray, size: np.ndarray) -> np.ndarray:
    """(n,) bool: the run of each label that is the largest."""
    order = np.lexsort((size, labels))
    last = np.append(labels[order][1:] != labels[order][:-1], True)
    chosen = np.zeros(len(labels), dtype=bool)
    chosen[order[last]] = True
    return chosen


def _mixed(
    members: Mapping[str, FittedLaw], weights: Mapping[str, float], places: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """ln y (m,) of the weighed laws, a factor (q, m) of the covariance of its errors, and the variance of one run."""
    there = {name: members[name].ahead(places) for name in members if weights.get(name, 0) > 0}
    share = np.array([weights[name] for name in there])
    share = share / share.sum()
    values = np.stack([value for value, _ in there.values()])
    middle = share @ values
    apart = [np.sqrt(part) * errors for part, (_, errors) in zip(share, there.values(), strict=True)]
    apart.append(np.sqrt(share)[:, None] * (values - middle))
    return middle, np.vstack(apart), float(share @ np.array([members[name].noise ** 2 for name in there]))
