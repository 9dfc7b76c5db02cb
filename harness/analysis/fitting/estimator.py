"""`ScalingLaw`, the estimator of any law on any table of runs, and `PowerLaw`, its short name for one variable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from harness.analysis.checks import check_between_0_and_1, positive_columns
from harness.analysis.fitting import intervals
from harness.analysis.fitting.inputs import find_law, law_columns, refuse_design, unsolved
from harness.analysis.fitting.intervals import Interval, Quantity, failure_message, hold_estimate
from harness.analysis.fitting.lack_of_fit import WORTH_SAYING, Noise, judge_noise, noise_of_shares
from harness.analysis.fitting.laws import Law
from harness.analysis.fitting.objectives import BetaBinomial, Binomial, Huber, Objective, OneSided, Squares
from harness.analysis.fitting.overdispersion import FIRST_CORRELATION, with_correlation
from harness.analysis.fitting.solver import Problem, Solution, optimum
from harness.analysis.fitting.status import AT_BOUND, FitStatus, at_bounds, free_directions, interval_status
from harness.analysis.runs import Runs, gather_runs, row_means
from harness.errors import DataError, SettingError, UserError, nearest

OBJECTIVES = ("squares", "huber", "one_sided", "binomial", "beta_binomial")
INTERVALS = ("profile", "bootstrap", "delta")

#: Fewest refits whose percentiles mean anything.
LEAST_BOOTSTRAP = 100
#: Share of a bootstrap's refits that may fail before there is no interval.
_MOST_FAILED_REFITS = 0.5

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
            'binomial' or 'beta_binomial' for shares with `n_eval`. By default what the law's source uses: 'huber' for
            hoffmann, 'beta_binomial' for shares with n_eval, else 'squares'.
        delta: of Huber, in units of ln y.
        penalty: of 'one_sided', > 1.
        interval: 'profile', 'bootstrap' or 'delta'.
        level: of the intervals, in (0, 1).
        n_bootstrap: refits of a bootstrap, at least 100.
        seed: of the bootstrap; equal seeds give equal numbers.

    After `fit`:
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

    @np.errstate(over="ignore", divide="ignore", invalid="ignore")  # in starts that are far off, and are dropped
    def fit(
        self,
        x: ArrayLike | pd.DataFrame,
        y: ArrayLike,
        groups: ArrayLike | None = None,
        *,
        clusters: ArrayLike | None = None,
        n_eval: ArrayLike | None = None,
        weights: ArrayLike | None = None,
    ) -> ScalingLaw:
        """Fit to rows x (n,) or (n, d), one column for each of the law's variables, and y (n,), both > 0.

        Args:
            x: in the units in which parameters are wanted.
            y: loss, or a share in [0, 1] for the laws of bounded metrics.
            groups: rows that share (x, group) are one run, whose value is their mean; without groups each row is one.
            clusters: (n,) labels; runs of one label stay together in the bootstrap, and with any labels the profile
                takes its noise from the means at each x (seeds of one size that err together).
            n_eval: (n,) answers that each share is made of.
            weights: (n,) > 0, in any unit: a run's variance is inverse to its weight (the mean over its rows).
                Intervals and noise (that of a run of mean weight) hold where this is so; where weights only say which
                runs matter more, take the bootstrap.

        Raises:
            DataError: a value that is NaN, infinite or not allowed, or columns of unequal length.
            TooFewDataError: fewer distinct x than the law's parameters and one.
            NotIdentifiableError: a variable that takes one value only.
            SettingError: a setting out of its range.
            UserError: a law of your own that lacks what a law needs; as `inputs.find_law`.
        """
        self.law_ = law = self._check_settings()
        places, values = law_columns(law, x, y)
        runs = self._gather(places, values, groups)
        self.n_sizes_, self.n_runs_ = len(runs.sizes), len(runs.value)
        refuse_design(law, runs.sizes[runs.rung])
        self._centre, self._unit = law.centre(runs.sizes), law.unit(runs.value)
        offset = np.log(self._unit) if law.scale == "log" else 0.0
        counts = None if n_eval is None else row_means(positive_columns(n_eval=n_eval)[0], runs.of_row)
        weight = _run_weights(weights, runs, len(values))
        found = self._solve(self._pose(law, runs, offset, counts, weight))
        if not found.converged[0]:
            raise unsolved(law, runs.sizes, self.n_runs_)
        self.theta_, self.objective_ = found.theta, float(found.cost[0])
        fitted = law.value(self._t(runs.sizes), self.theta_)[0]
        self.residuals_ = values - offset - law.value(self._t(places), self.theta_)[0]
        n_parameters, objective = self.theta_.shape[1], self._problem.objective
        self._noise = judge_noise(runs, fitted + offset, n_parameters, objective, clusters is not None, weight)
        self.noise_ = self._noise.of_a_run
        squares = float(np.sum(weight * (runs.value - offset - fitted[runs.rung]) ** 2))
        self.aicc_ = _aicc(squares, self.n_runs_, n_parameters + 1)
        self.draws_ = self._resample(clusters, runs.of_row)
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

    def _pose(self, law: Law, runs: Runs, offset: float, n_eval: np.ndarray | None, weight: np.ndarray) -> Problem:
        """What is to be minimised."""
        shares = n_eval is not None and law.scale == "linear"
        chosen = self.objective or ("beta_binomial" if shares else law.objective)
        if chosen in ("binomial", "beta_binomial") and n_eval is None:
            raise SettingError("objective", chosen, "squares where n_eval is not given")
        if chosen in ("binomial", "beta_binomial") and np.ptp(weight) > 0:
            raise SettingError("weights", "given", f"none with {chosen}, which weighs a run by its answers")
        t, y, weight = self._t(runs.sizes[runs.rung]), (runs.value - offset)[None], weight[None]
        objective: Objective = Squares()
        if chosen == "huber":
            objective = Huber(self.delta)
        elif chosen == "one_sided":
            objective = OneSided(self.delta, self.penalty)
        elif chosen == "binomial":
            objective, weight = Binomial(), np.asarray(n_eval, dtype=float)[None]
        elif chosen == "beta_binomial":
            objective = BetaBinomial(np.asarray(n_eval, dtype=float), np.full((1, 1), FIRST_CORRELATION))
        self.objective_name_ = chosen
        return Problem.of(law, objective, t, y, weight)

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
        rows = np.zeros(count, dtype=int)
        if self.interval_ == "bootstrap":
            n = len(self.draws_)
            drawn, _ = quantity(np.tile(self.draws_, (count, 1)), np.repeat(np.arange(count), n))
            return intervals.percentile_interval(drawn.reshape(count, n).T, level)
        problem, theta = self._problem.rows(rows), self.theta_[rows]
        drop = np.full(count, self.allowed_rise(level))
        if self.interval_ == "delta":
            return intervals.delta(problem, theta, quantity, drop)
        return intervals.profile(problem, theta, np.full(count, self.objective_), quantity, drop)

    def public(self, theta: np.ndarray) -> np.ndarray:
        """Public parameters (..., P) of coordinates theta (..., p), in units of x and y."""
        return self.law_.public(theta, self._centre, self._unit)

    def parameters(self, indices: Sequence[int]) -> Quantity:
        """Public parameters, or their logarithms where the law says so, as quantities for `interval_of`."""
        chosen = np.asarray(indices)
        return intervals.by_differences(
            lambda theta, which: self.law_.judged(theta, chosen[which], self._centre, self._unit)
        )

    def _resample(self, clusters: ArrayLike | None, of_row: np.ndarray) -> np.ndarray:
        """(draws, p) theta of the refits that converged; none unless intervals are by bootstrap."""
        self.n_failed_refits_ = 0
        self.interval_ = self.interval or ("bootstrap" if self.objective_name_ in ("huber", "one_sided") else "profile")
        if self.interval_ != "bootstrap":
            return np.empty((0, self.theta_.shape[1]))
        together = np.arange(self.n_runs_)
        if clusters is not None:
            labels = np.unique(np.asarray(clusters).astype(str), return_inverse=True)[1]
            together = np.zeros(self.n_runs_, dtype=int)
            together[of_row] = labels
            if len(np.unique(together)) < 2:
                raise DataError("clusters: all runs are in one cluster, so there is nothing to resample")
        found = intervals.bootstrap(self._problem, self.theta_[0], together, self.n_bootstrap, self.seed)
        self.n_failed_refits_ = int(np.sum(~found.converged))
        if self.n_failed_refits_ > _MOST_FAILED_REFITS * self.n_bootstrap:
            raise UserError(f"{self.n_failed_refits_} of {self.n_bootstrap} bootstrap refits failed: no interval")
        return self.law_.canonical(found.theta[found.converged])

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
        held, failed = hold_estimate(point, Interval(low, high))
        self.intervals_ = {name: (float(held.low[i]), float(held.high[i])) for i, name in enumerate(names)}
        self.status_, messages = self._judge(self._noise)
        if failed.any():
            self.status_ = FitStatus.INTERVAL_FAILED if self.status_ is FitStatus.CONVERGED else self.status_
            messages.append(failure_message([name for name, bad in zip(names, failed, strict=True) if bad]))
        self.message_ = "; ".join(dict.fromkeys(messages))

    def _judge(self, noise: Noise) -> tuple[FitStatus, list[str]]:
        if stuck := at_bounds(self._problem, self.theta_[0]):
            return FitStatus.AT_BOUND, stuck
        if free := free_directions(self._problem, self.theta_, self.public, self.params_, self.intervals_):
            return FitStatus.NOT_IDENTIFIABLE, [free]
        if noise.misfit > WORTH_SAYING * noise.within:
            rough = (
                f"sizes scatter about the curve by {100 * noise.misfit:.1f} %, runs of one size by "
                f"{100 * noise.within:.1f} %: the law holds only roughly over this range"
            )
            return FitStatus.CONVERGED, [rough]
        return FitStatus.CONVERGED, []

    # ---------------------------------------------------------------------------------------------------- prediction

    def predict(self, x: ArrayLike | pd.DataFrame, level: float | None = None) -> np.ndarray | pd.DataFrame:
        """The law at x.

        Args:
            x: (m,) or (m, d).
            level: None for the curve alone, else a frame with the variables of x and columns predicted, low, high
                (interval of the curve), run_low, run_high (interval of a new run: curve and run-to-run noise), status
                ('converged', or 'interval failed' where the interval found did not hold the curve).
        """
        law = self.law_
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
        t = stats.t.ppf((1 + level) / 2, max(n - self.theta_.shape[1], 1))
        if self.objective_name_ in ("binomial", "beta_binomial"):
            return t * noise_of_shares(self._problem.objective, self._problem.weight, value)
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


def _run_weights(weights: ArrayLike | None, runs: Runs, n_rows: int) -> np.ndarray:
    """(n,) weight of each run, of mean 1: the mean over its rows."""
    if weights is None:
        return np.ones(len(runs.value))
    (given,) = positive_columns(weights=weights)
    if len(given) != n_rows:
        raise DataError(f"weights has {len(given)} rows where x has {n_rows}")
    of_runs = row_means(given, runs.of_row)
    return of_runs / of_runs.mean()


def _aicc(squares: float, n: int, k: int) -> float:
    """n ln(squares / n) + 2k + 2k (k + 1) / (n - k - 1), Hurvich and Tsai 1989, with the noise among k parameters."""
    if n - k - 1 <= 0:
        return float("inf")
    return n * float(np.log(max(squares, 1e-300) / n)) + 2 * k + 2 * k * (k + 1) / (n - k - 1)
