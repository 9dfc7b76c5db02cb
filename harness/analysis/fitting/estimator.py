"""`ScalingLaw`, the estimator of any law on any table of runs, and `PowerLaw`, its short name for one variable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from harness.analysis.checks import (
    check_between_0_and_1,
    check_columns,
    check_fitted,
    column_names,
    positive_columns,
)
from harness.analysis.fitting import intervals
from harness.analysis.fitting.clusters import ClusteredNoise, Linearised, student
from harness.analysis.fitting.inputs import find_law, law_columns, refuse_design, unsolved
from harness.analysis.fitting.intervals import Interval, Quantity, failure_message, hold_estimate
from harness.analysis.fitting.lack_of_fit import (
    WORTH_SAYING,
    Noise,
    judge_noise,
    noise_of_shares,
    runs_far_off,
)
from harness.analysis.fitting.laws import Law
from harness.analysis.fitting.objectives import BetaBinomial
from harness.analysis.fitting.overdispersion import with_correlation
from harness.analysis.fitting.posing import OBJECTIVES, pose, run_weights
from harness.analysis.fitting.shared_errors import (
    SharedErrors,
    clusters_of_runs,
    few_clusters,
    find_shared_errors,
    groupings_of,
    suspected,
)
from harness.analysis.fitting.solver import Problem, Solution, optimum, valley
from harness.analysis.fitting.status import (
    AT_BOUND,
    FitStatus,
    at_bounds,
    free_directions,
    interval_status,
    is_flat,
    unidentified,
)
from harness.analysis.runs import Runs, gather_runs, row_means
from harness.errors import DataError, SettingError, UserError, nearest

INTERVALS = ("profile", "bootstrap", "delta")

#: Fewest refits whose percentiles mean anything.
LEAST_BOOTSTRAP = 100
#: Share of a bootstrap's refits that may fail before there is no interval.
_MOST_FAILED_REFITS = 0.5
#: Share of an amplitude's estimate below which the low end of its interval is 0, an open one.
_NOTHING = 1e-100

__all__ = ["AT_BOUND", "INTERVALS", "LEAST_BOOTSTRAP", "OBJECTIVES", "FitStatus", "PowerLaw", "ScalingLaw"]


@dataclass
class ScalingLaw:
    """One law fitted to runs.

    Minimises the sum over runs of rho(value(x_i; theta); y_i) from many starts, and gives each parameter an interval of
    one of three kinds. 'profile' (profile likelihood with Student's t for the noise; the default) covers 93 to 97 % at
    95 % in every regime measured, few runs and heavy tails included. 'delta' is its quadratic approximation.
    'bootstrap' resamples runs and refits; it is the default with Huber's objective, as published fits have it, and
    covers less with few runs (experiments/coverage). None covers a law that is wrong in kind. METHOD.md in this folder
    tells the method in order.

    Args:
        law: key of `LAWS`, 'module.Class' or an instance of a `Law` of your own.
        objective: 'squares' on the law's scale (ln y for losses); 'huber' on the same, summed, with `delta`;
            'one_sided', Huber's with runs below the law `penalty` times as costly, for losses of which some are of
            badly tuned runs (experiments/badly_tuned says when it helps), intervals by bootstrap;
            'binomial' or 'beta_binomial' for shares with `n_eval`. By default 'beta_binomial' for these, else
            'squares', whatever the law: with normal noise nothing errs less, AICc compares laws by it, and runs far
            off are named. Hoffmann et al. 2022 fit by 'huber'.
        delta: of Huber, in units of ln y.
        penalty: of 'one_sided', > 1.
        interval: 'profile', 'bootstrap' or 'delta'.
        level: of the intervals, in (0, 1).
        n_bootstrap: refits of a bootstrap, at least 100.
        seed: of the bootstrap; equal seeds give equal numbers.

    Attributes:
        params_: name -> value, in units of y and x (see the law).
        intervals_: name -> (low, high); an open end is -inf, 0 or inf.
        status_: a `FitStatus`; message_: '' or what the data lack.
        objective_: what was minimised, at its least, summed over runs.
        objective_name_, interval_: the objective and the kind of interval that were used.
        n_failed_refits_: bootstrap refits that did not converge (left out of the intervals).
        residuals_: (n,) observed less fitted on the law's scale, a row of the data each.
        aicc_: corrected Akaike criterion over runs, comparable between laws fitted to the same data by squares.
        theta_: (1, p) the law's own coordinates at the optimum (see `public`).
        draws_: (draws, p) those of the bootstrap's refits that converged.
        noise_: standard deviation of one run about the law, on the law's scale.
        seed_correlation_: of the answers of one run, by 'beta_binomial' only.
        n_sizes_, n_runs_: distinct places of x, runs.
        n_clusters_: how many clusters of runs the intervals rest on; None where runs are independent.
        shared_errors_: what runs that err together were found to share, where clusters were not given; or None.
        law_: the `Law`.
    """

    law: str | Law = "power_floor"
    objective: str | None = None
    delta: float = 1e-3
    penalty: float = 10.0
    interval: str | None = None
    level: float = 0.95
    n_bootstrap: int = 1000
    seed: int = 0

    law_: Law = field(init=False, repr=False)
    params_: dict[str, float] = field(init=False, repr=False)
    intervals_: dict[str, tuple[float, float]] = field(init=False, repr=False)
    status_: FitStatus = field(init=False, repr=False)
    message_: str = field(init=False, repr=False)
    objective_: float = field(init=False, repr=False)
    objective_name_: str = field(init=False, repr=False)
    interval_: str = field(init=False, repr=False)
    n_failed_refits_: int = field(init=False, repr=False)
    residuals_: np.ndarray = field(init=False, repr=False)
    aicc_: float = field(init=False, repr=False)
    theta_: np.ndarray = field(init=False, repr=False)
    draws_: np.ndarray = field(init=False, repr=False)
    noise_: float = field(init=False, repr=False)
    seed_correlation_: float = field(init=False, repr=False)
    n_sizes_: int = field(init=False, repr=False)
    n_runs_: int = field(init=False, repr=False)
    n_clusters_: int | None = field(init=False, repr=False)
    shared_errors_: SharedErrors | None = field(init=False, repr=False)

    @np.errstate(over="ignore", divide="ignore", invalid="ignore")  # in starts that are far off, and are dropped
    def fit(
        self,
        x: ArrayLike | pd.DataFrame,
        y: ArrayLike,
        groups: ArrayLike | None = None,
        *,
        clusters: ArrayLike | None = None,
        suspects: Mapping[str, ArrayLike] | None = None,
        n_eval: ArrayLike | None = None,
        weights: ArrayLike | None = None,
    ) -> ScalingLaw:
        """Fit to rows x (n,) or (n, d), one column for each of the law's variables, and y (n,), both > 0.

        Args:
            x: in the units in which parameters are wanted.
            y: loss, or a share in [0, 1] for the laws of bounded metrics.
            groups: rows that share (x, group) are one run, whose value is their mean; without groups each row is one.
            clusters: (n,) labels; runs of one label err together (checkpoints of one run, say), and every interval
                rests on the clusters: see `fitting.clusters`. Without them, runs that share N, D or compute are taken
                together where their residuals agree: see `fitting.shared_errors`.
            suspects: name -> (n,) labels by which runs may err together, tried beside these where clusters is None.
            n_eval: (n,) answers that each share is made of.
            weights: (n,) > 0, in any unit: a run's variance is inverse to its weight (the mean over its rows).
                Intervals and noise (that of a run of mean weight) hold where this is so; where weights only say which
                runs matter more, take the bootstrap.

        Raises:
            DataError: a value that is NaN, infinite or not allowed, columns of unequal length, or one cluster only.
            TooFewDataError: fewer distinct x than the law's parameters and one.
            NotIdentifiableError: a variable that takes one value only.
            SettingError: a setting out of its range.
            UserError: a law of your own that lacks what a law needs; as `inputs.find_law`.
        """
        self.law_ = law = self._check_settings()
        places, values = law_columns(law, x, y)
        self._columns = column_names(x)
        runs = self._gather(places, values, groups)
        self.n_sizes_, self.n_runs_ = len(runs.sizes), len(runs.value)
        self._places = runs.sizes[runs.rung]
        refuse_design(law, self._places)
        self._centre, self._unit = law.centre(runs.sizes), law.unit(runs.value)
        offset = np.log(self._unit) if law.scale == "log" else 0.0
        counts = None if n_eval is None else row_means(positive_columns(n_eval=n_eval)[0], runs.of_row)
        weight = run_weights(weights, runs, len(values))
        self.objective_name_, problem = pose(
            law,
            self.objective,
            self._t(self._places),
            runs.value - offset,
            weight,
            counts,
            delta=self.delta,
            penalty=self.penalty,
        )
        found = self._solve(problem)
        if not found.converged[0]:
            raise unsolved(law, runs.sizes, self.n_runs_)
        self.theta_, self.objective_ = found.theta, float(found.cost[0])
        fitted = law.value(self._t(runs.sizes), self.theta_)[0]
        self.residuals_ = values - offset - law.value(self._t(places), self.theta_)[0]
        n_parameters, objective = self.theta_.shape[1], self._problem.objective
        self._noise = judge_noise(runs, fitted + offset, n_parameters, objective, weight)
        self.noise_ = self._noise.of_a_run
        squares = float(np.sum(weight * (runs.value - offset - fitted[runs.rung]) ** 2))
        self.aicc_ = _aicc(squares, self.n_runs_, n_parameters + 1)
        is_free = is_flat(self._problem, self.theta_)
        self._optima = np.vstack(
            [self.theta_, *([valley(self._problem, self.allowed_rise(self.level))] if is_free else [])]
        )
        together = self._find_clusters(runs, clusters, suspects or {})
        self.draws_ = self._resample(together)
        self._describe()
        return self

    # ------------------------------------------------------------------------------------------------ what is fitted

    def _check_settings(self) -> Law:
        law = find_law(self.law)
        for name, allowed in (("objective", OBJECTIVES), ("interval", INTERVALS)):
            found = getattr(self, name)
            if found is not None and found not in allowed:
                raise SettingError(name, found, f"one of {', '.join(allowed)}{nearest(str(found), allowed)}")
        check_between_0_and_1(level=self.level)
        if not 0 < self.delta < np.inf:
            raise SettingError("delta", self.delta, "a number above 0")
        if not 1 < self.penalty < np.inf:
            raise SettingError("penalty", self.penalty, "a number above 1")
        if self.n_bootstrap < LEAST_BOOTSTRAP:
            raise SettingError("n_bootstrap", self.n_bootstrap, f"at least {LEAST_BOOTSTRAP}")
        if self.objective in ("binomial", "beta_binomial") and law.scale == "log":
            raise SettingError("objective", self.objective, f"squares or huber for {law.name}, whose y is no share")
        if self.objective == "one_sided" and self.interval in ("profile", "delta"):  # which would cover .5 to .9
            raise SettingError("interval", self.interval, "bootstrap with the objective one_sided")
        if self.objective == "one_sided" and law.scale != "log":
            raise SettingError("objective", self.objective, f"squares or huber for {law.name}, whose y is no loss")
        return law

    @staticmethod
    def _gather(places: np.ndarray, values: np.ndarray, groups: ArrayLike | None) -> Runs:
        if groups is not None and len(np.asarray(groups)) != len(places):
            raise DataError(f"groups has {len(np.asarray(groups))} rows where x has {len(places)}")
        return gather_runs(places, values, None if groups is None else np.asarray(groups))

    def _t(self, places: np.ndarray) -> np.ndarray:
        return self.law_.coordinates(places, self._centre)

    def _solve(self, problem: Problem) -> Solution:
        self._problem, found = problem, optimum(problem)
        if isinstance(problem.objective, BetaBinomial):
            self._problem, found, self.seed_correlation_ = with_correlation(problem, found.theta)
        return found

    # --------------------------------------------------------------------------------------------------- uncertainty

    @property
    def problem(self) -> Problem:
        """What was minimised, of one fit (b = 1)."""
        return self._problem

    @property
    def noise(self) -> Noise:
        """What scatters about the law."""
        return self._noise

    def allowed_rise(self, level: float) -> float:
        """How far above its least the objective may stand within a profile interval of this level."""
        return self._noise.allowed_rise(level)

    def interval_of(self, quantity: Quantity, count: int, level: float) -> Interval:
        """Intervals (count,) of what follows from the parameters, by the estimator's kind of interval.

        Args:
            quantity: (theta (b, p), which (b,) of the `count` quantities) -> values (b,) and gradients (b, p).
        """
        if self.interval_ == "bootstrap":
            n = len(self.draws_)
            drawn, _ = quantity(np.tile(self.draws_, (count, 1)), np.repeat(np.arange(count), n))
            return intervals.percentile_interval(drawn.reshape(count, n).T, level)
        return self._by_rise(quantity, count, level)

    def _by_rise(self, quantity: Quantity, count: int, level: float) -> Interval:
        """Intervals by how far the objective may rise: profile, or delta where the estimator's kind is that."""
        m = len(self._optima)
        theta, which = np.tile(self._optima, (count, 1)), np.repeat(np.arange(count), m)
        problem = self._problem.rows(np.zeros(len(theta), dtype=int))
        quantities: Quantity = quantity if m == 1 else (lambda at, rows: quantity(at, which[rows]))
        drop = np.full(len(theta), self.allowed_rise(level))
        if self._clusters is not None:
            scale, freedom = self._clusters.along(quantities(theta, np.arange(len(theta)))[1])
            drop = student(level, freedom) ** 2 * scale / 2
        if self.interval_ == "delta":
            found = intervals.delta(problem, theta, quantities, drop)
        else:
            found = intervals.profile(problem, theta, np.full(len(theta), self.objective_), quantities, drop)
        low, high = (end.reshape(count, m) for end in (found.low, found.high))
        return Interval(low.min(axis=1), high.max(axis=1))

    def noise_along(self, quantity: Quantity, count: int) -> tuple[np.ndarray, np.ndarray]:
        """What the variance of quantities is measured in (count,), by the clusters if any; its degrees of freedom."""
        if self._clusters is None:
            return np.full(count, self._noise.scale), np.full(count, self._noise.freedom)
        return self._clusters.along(quantity(np.repeat(self.theta_, count, axis=0), np.arange(count))[1])

    def public(self, theta: np.ndarray) -> np.ndarray:
        """Public parameters (..., P) of coordinates theta (..., p), in units of x and y."""
        return self.law_.public(theta, self._centre, self._unit)

    def parameters(self, indices: Sequence[int]) -> Quantity:
        """Public parameters, or their logarithms where the law says so, as quantities for `interval_of`."""
        chosen = np.asarray(indices)
        return intervals.by_differences(
            lambda theta, which: self.law_.judged(theta, chosen[which], self._centre, self._unit)
        )

    def _find_clusters(
        self, runs: Runs, clusters: ArrayLike | None, suspects: Mapping[str, ArrayLike]
    ) -> np.ndarray | None:
        """(n,) label of each run, given or told by the residuals; None where runs are independent."""
        self._clusters, self.shared_errors_, self.n_clusters_ = None, None, None
        near_optimum, sizes_off = Linearised.of(self._problem, self.theta_), self._noise.misfit > 0
        labels = None if clusters is None else clusters_of_runs(clusters, runs.of_row)
        if labels is None:
            groupings = suspected(suspects, runs.of_row, self.theta_.shape[1]) | groupings_of(
                self.law_.variables, self._places
            )
            self.shared_errors_ = find_shared_errors(near_optimum, runs, groupings, sizes_off)
            labels = None if self.shared_errors_ is None else self.shared_errors_.labels
        if labels is not None:
            self.n_clusters_ = int(labels.max()) + 1
        together = runs.rung if labels is None and sizes_off else labels
        if together is not None and together.max() + 1 < self.n_runs_:
            self._clusters = ClusteredNoise(near_optimum, together, runs.rung)
        return labels

    def _resample(self, together: np.ndarray | None) -> np.ndarray:
        """(draws, p) theta of the refits that converged; none unless intervals are by bootstrap."""
        self.n_failed_refits_ = 0
        self.interval_ = self.interval or ("bootstrap" if self.objective_name_ in ("huber", "one_sided") else "profile")
        self._not_by_bootstrap: list[str] = []
        if self.interval_ == "bootstrap" and (wide := self._exponents_not_identified()):
            self.interval_, self._not_by_bootstrap = "profile", wide
        if self.interval_ != "bootstrap":
            return np.empty((0, self.theta_.shape[1]))
        together = np.arange(self.n_runs_) if together is None else together
        found = intervals.bootstrap(self._problem, self.theta_[0], together, self.n_bootstrap, self.seed)
        self.n_failed_refits_ = int(np.sum(~found.converged))
        if self.n_failed_refits_ > _MOST_FAILED_REFITS * self.n_bootstrap:
            raise UserError(f"{self.n_failed_refits_} of {self.n_bootstrap} bootstrap refits failed: no interval")
        return self.law_.canonical(found.theta[found.converged])

    def _exponents_not_identified(self) -> list[str]:
        """Exponents that the profile does not bound: refits of a bootstrap stay about one fit."""
        names = self.law_.exponents
        if not names:
            return []
        chosen = self.parameters([self.law_.parameters.index(name) for name in names])
        value, _ = chosen(self.theta_[np.zeros(len(names), dtype=int)], np.arange(len(names)))
        found = self._by_rise(chosen, len(names), self.level)
        wide = unidentified(value, found.low, found.high)
        return [name for name, is_wide in zip(names, wide, strict=True) if is_wide]

    # ------------------------------------------------------------------------------------------- parameters and status

    def _describe(self) -> None:
        """Parameters, their intervals, status and message."""
        law, names = self.law_, self.law_.parameters
        point = self.public(self.theta_[0])
        self.params_ = dict(zip(names, point.tolist(), strict=True))
        found = self.interval_of(self.parameters(range(len(names))), len(names), self.level)
        logarithmic = np.array([name in law.log_parameters for name in names])
        with np.errstate(over="ignore"):  # an end beyond all numbers is open
            low, high = (np.where(logarithmic, np.exp(end), end) for end in (found.low, found.high))
        low = np.where(logarithmic & (low < _NOTHING * point), 0.0, low)
        held, failed = hold_estimate(point, Interval(low, high))
        self.intervals_ = {name: (float(held.low[i]), float(held.high[i])) for i, name in enumerate(names)}
        self.status_, messages = self._judge(self._noise)
        if failed.any():
            self.status_ = FitStatus.INTERVAL_FAILED if self.status_ is FitStatus.CONVERGED else self.status_
            messages.append(failure_message([name for name, bad in zip(names, failed, strict=True) if bad]))
        if wide := self._not_by_bootstrap:
            what = f"{' and '.join(wide)} {'is' if len(wide) == 1 else 'are'} not identified"
            messages.append(f"{what}: intervals are by profile, for a bootstrap would not show how far they reach")
        if self.shared_errors_ is not None and self._clusters is not None:
            messages.append(self.shared_errors_.message())
        if self.n_clusters_ is not None:
            messages.append(few_clusters(self.n_clusters_, self.theta_.shape[1]))
        self.message_ = "; ".join(dict.fromkeys(filter(None, messages)))

    def _judge(self, noise: Noise) -> tuple[FitStatus, list[str]]:
        law = self.law_
        if stuck := at_bounds(self._problem, self.theta_[0]):
            return FitStatus.AT_BOUND, stuck
        if free := free_directions(self._problem, self.theta_, self.public, self.params_, self.intervals_):
            return FitStatus.NOT_IDENTIFIABLE, [free]
        messages = []
        if self.objective_name_ == "squares":
            off = self._problem.y[0] - law.value(self._problem.t, self.theta_)[0]
            residual = off * np.sqrt(self._problem.weight[0])  # in units of a run of mean weight
            messages.append(runs_far_off(law, self._places, residual, self.theta_.shape[1]))
        if noise.misfit > WORTH_SAYING * noise.within:
            rough = (
                f"sizes scatter about the curve by {100 * noise.misfit:.1f} %, runs of one size by "
                f"{100 * noise.within:.1f} %: the law holds only roughly over this range"
            )
            messages.append(rough)
        return FitStatus.CONVERGED, messages

    # ---------------------------------------------------------------------------------------------------- prediction

    def predict(self, x: ArrayLike | pd.DataFrame, level: float | None = None) -> np.ndarray | pd.DataFrame:
        """The law at x.

        Args:
            x: (m,) or (m, d).
            level: None for the curve alone, else a frame with the variables of x and columns predicted, low, high
                (interval of the curve), run_low, run_high (interval of a new run: curve and run-to-run noise), status
                ('converged', or 'interval failed' where the interval found did not hold the curve).
        """
        check_fitted(self, "intervals_")
        law = self.law_
        check_columns(self._columns, x)
        places, _ = law_columns(law, x)
        t = self._t(places)
        value = law.value(t, self.theta_)[0]
        if level is None:
            return self._natural(value)
        check_between_0_and_1(level=level)
        held, failed = hold_estimate(value, self.interval_of(intervals.prediction(law, t), len(places), level))
        noise = self._new_run(value, level)
        columns = {name: places[:, j] for j, name in enumerate(law.variables)} | {
            "predicted": self._natural(value),
            "low": self._natural(held.low),
            "high": self._natural(held.high),
            "run_low": self._natural(value - np.hypot(value - held.low, noise)),
            "run_high": self._natural(value + np.hypot(held.high - value, noise)),
        }
        return pd.DataFrame(columns | {"status": interval_status(failed)})

    def _new_run(self, value: np.ndarray, level: float) -> np.ndarray:
        """Half-width of one run about the law, on its scale."""
        n = self.n_sizes_ if self._noise.misfit else self.n_runs_
        t = stdtrit(max(n - self.theta_.shape[1], 1), (1 + level) / 2)
        if self.objective_name_ in ("binomial", "beta_binomial"):
            return t * noise_of_shares(self._problem.objective, self._problem.weight, value)
        if self._clusters is not None:
            return np.full(value.shape, student(level, self._clusters.run_freedom) * self._clusters.of_a_run)
        return np.full(value.shape, t * self.noise_)

    def _natural(self, value: np.ndarray) -> np.ndarray:
        """From the law's scale to units of y."""
        if self.law_.scale == "log":
            with np.errstate(over="ignore"):
                return self._unit * np.exp(value)
        return value


class PowerLaw(ScalingLaw):
    """y = E + A x^-alpha, or y = A x^-alpha where not `irreducible`; see `ScalingLaw`."""

    def __init__(self, irreducible: bool = True, **settings: Any) -> None:
        super().__init__(law="power_floor" if irreducible else "power", **settings)


def _aicc(squares: float, n: int, k: int) -> float:
    """n ln(squares / n) + 2k + 2k (k + 1) / (n - k - 1), Hurvich and Tsai 1989, with the noise among k parameters."""
    if n - k - 1 <= 0:
        return float("inf")
    return n * float(np.log(max(squares, 1e-300) / n)) + 2 * k + 2 * k * (k + 1) / (n - k - 1)
