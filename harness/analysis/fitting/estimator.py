"""`ScalingLaw`, the estimator of any law on any table of runs, and `PowerLaw`, its short name for one variable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from harness.analysis.checks import check_between_0_and_1, positive_columns
from harness.analysis.fitting import intervals
from harness.analysis.fitting.inputs import check_law, law_columns, refuse_design, unsolved
from harness.analysis.fitting.intervals import Interval, Quantity, percentile_interval
from harness.analysis.fitting.lack_of_fit import rung_misfit
from harness.analysis.fitting.laws import Law
from harness.analysis.fitting.objectives import BetaBinomial, Binomial, Huber, Objective, Squares
from harness.analysis.fitting.solver import Problem, Solution, optimum
from harness.analysis.runs import Runs, gather_runs, row_means
from harness.errors import DataError, SettingError, UserError, nearest

OBJECTIVES = ("squares", "huber", "binomial", "beta_binomial")
INTERVALS = ("profile", "bootstrap", "delta")

#: An exponent whose interval spans more than this factor is not identified.
_WIDE = 5.0
#: Least noise of a run, on the law's scale: what rounding leaves of runs that lie on the law exactly.
_ROUNDING = 1e-12
#: A coordinate this near to its bound is at it.
AT_BOUND = 1e-6
#: Reciprocal condition of the scaled curvature below which some direction of the parameters is free.
_SINGULAR = 1e-9


class FitStatus(StrEnum):
    """How a fit ended; only `CONVERGED` is to be quoted without its message."""

    CONVERGED = "converged"
    AT_BOUND = "at a bound"
    NOT_IDENTIFIABLE = "not identifiable"
    TOO_FEW_DATA = "too few data"


@dataclass
class ScalingLaw:
    """One law of `LAWS` fitted to runs.

    Three kinds of interval. 'profile' (profile likelihood with Student's t for the noise; the default) covers 93 to
    97 % at 95 % in every regime measured, few runs and heavy tails included. 'delta' is its quadratic approximation.
    'bootstrap' resamples runs and refits; it is the default with Huber's objective, as published fits have it, and
    covers less with few runs (experiments/coverage). None covers a law that is wrong in kind.

    Args:
        law: key of `LAWS`.
        objective: 'squares' on the law's scale (ln y for losses); 'huber' on the same, summed, with `delta`;
            'binomial' or 'beta_binomial' for shares with `n_eval`. By default what the law's source uses: 'huber' for
            hoffmann, 'beta_binomial' for shares with n_eval, else 'squares'.
        delta: of Huber, in units of ln y.
        interval: 'profile', 'bootstrap' or 'delta'.
        level: of the intervals, in (0, 1).
        n_bootstrap: refits of a bootstrap.
        seed: of the bootstrap; equal seeds give equal numbers.

    After `fit`:
        params_: name -> value, in units of y and x (see the law).
        intervals_: name -> (low, high); an open end is -inf, 0 or inf.
        status_: a `FitStatus`; message_: '' or what the data lack.
        objective_: what was minimised, at its least, summed over runs.
        n_failed_refits_: bootstrap refits that did not converge (left out of the intervals).
        residuals_: (n,) observed less fitted on the law's scale, a row of the data each.
        aicc_: corrected Akaike criterion over runs, comparable between laws fitted to the same data by squares.
        theta_: (1, p) the law's own coordinates at the optimum (see `public`).
        draws_: (draws, p) those of the bootstrap's refits that converged.
        noise_: standard deviation of one run about the law, on the law's scale.
        n_sizes_, n_runs_: distinct places of x, runs.
    """

    law: str = "power_floor"
    objective: str | None = None
    delta: float = 1e-3
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
    n_failed_refits_: int = field(init=False, repr=False)
    residuals_: np.ndarray = field(init=False, repr=False)
    aicc_: float = field(init=False, repr=False)
    theta_: np.ndarray = field(init=False, repr=False)
    draws_: np.ndarray = field(init=False, repr=False)
    noise_: float = field(init=False, repr=False)
    n_sizes_: int = field(init=False, repr=False)
    n_runs_: int = field(init=False, repr=False)

    @np.errstate(over="ignore", divide="ignore", invalid="ignore")  # of starts that are far off, and come to nothing
    def fit(
        self,
        x: ArrayLike | pd.DataFrame,
        y: ArrayLike,
        groups: ArrayLike | None = None,
        *,
        clusters: ArrayLike | None = None,
        n_eval: ArrayLike | None = None,
    ) -> ScalingLaw:
        """Fit to rows x (n,) or (n, d), one column for each of the law's variables, and y (n,), both > 0.

        Args:
            x: in the units in which parameters are wanted.
            y: loss, or a share in [0, 1] for the laws of bounded metrics.
            groups: rows that share (x, group) are one run, whose value is their mean; without groups each row is one.
            clusters: (n,) labels; runs of one label stay together in the bootstrap, and with any labels the profile
                takes its noise from the means at each x (seeds of one rung that err together).
            n_eval: (n,) answers that each share is made of.

        Raises:
            DataError: a value that is NaN, infinite or not allowed, or columns of unequal length.
            TooFewDataError: fewer distinct x than the law's parameters and one.
            NotIdentifiableError: a variable that takes one value only.
            SettingError: a setting out of its range.
        """
        self.law_ = law = self._check_settings()
        places, values = law_columns(law, x, y)
        runs = self._gather(places, values, groups)
        self.n_sizes_, self.n_runs_ = len(runs.sizes), len(runs.value)
        refuse_design(law, runs.sizes[runs.rung])

        self._unit = float(np.exp(runs.value.mean())) if law.scale == "log" else 1.0
        if law.x_scale == "log":
            self._centre = np.exp(np.log(runs.sizes).mean(axis=0))
        else:
            self._centre = runs.sizes.mean(axis=0)
        offset = np.log(self._unit) if law.scale == "log" else 0.0
        counts = None if n_eval is None else row_means(positive_columns(n_eval=n_eval)[0], runs.of_row)
        self._problem = self._build(law, runs, offset, counts)
        found = optimum(self._problem)
        if isinstance(self._problem.objective, BetaBinomial):
            found = self._with_spread(found.theta)
        if not found.converged[0]:
            raise unsolved(law, runs.sizes, self.n_runs_)
        self.theta_, self.objective_ = found.theta, float(found.cost[0])
        fitted = law.value(self._t(runs.sizes), self.theta_)[0]
        self.residuals_ = values - offset - law.value(self._t(places), self.theta_)[0]
        self._judge_noise(runs, fitted + offset, clusters is not None)
        k = self.theta_.shape[1] + 1
        squares = float(np.sum((runs.value - offset - fitted[runs.rung]) ** 2))
        self.aicc_ = _aicc(squares, self.n_runs_, k)
        self.draws_ = self._resample(clusters, runs.of_row)
        self._describe()
        return self

    # ------------------------------------------------------------------------------------------------ what is fitted

    def _check_settings(self) -> Law:
        law = check_law(self.law)
        for name, allowed in (("objective", OBJECTIVES), ("interval", INTERVALS)):
            found = getattr(self, name)
            if found is not None and found not in allowed:
                raise SettingError(name, found, f"one of {', '.join(allowed)}{nearest(str(found), allowed)}")
        check_between_0_and_1(level=self.level)
        if not 0 < self.delta < np.inf:
            raise SettingError("delta", self.delta, "a number above 0")
        if self.n_bootstrap < 100:
            raise SettingError("n_bootstrap", self.n_bootstrap, "at least 100")
        if self.objective in ("binomial", "beta_binomial") and law.scale == "log":
            raise SettingError("objective", self.objective, f"squares or huber for {law.name}, whose y is no share")
        return law

    @staticmethod
    def _gather(places: np.ndarray, values: np.ndarray, groups: ArrayLike | None) -> Runs:
        if groups is not None and len(np.asarray(groups)) != len(places):
            raise DataError(f"groups has {len(np.asarray(groups))} rows where x has {len(places)}")
        return gather_runs(places, values, None if groups is None else np.asarray(groups))

    def _t(self, places: np.ndarray) -> np.ndarray:
        """(d, n) coordinates of places (n, d)."""
        if self.law_.x_scale == "log":
            return np.log(places / self._centre).T
        return (places - self._centre).T

    def _build(self, law: Law, runs: Runs, offset: float, n_eval: np.ndarray | None) -> Problem:
        shares = n_eval is not None and law.scale == "linear"
        chosen = self.objective or ("beta_binomial" if shares else law.objective)
        if chosen in ("binomial", "beta_binomial") and n_eval is None:
            raise SettingError("objective", chosen, "squares where n_eval is not given")
        t, y = self._t(runs.sizes[runs.rung]), (runs.value - offset)[None]
        weight = np.ones_like(y)
        objective: Objective = Squares()
        if chosen == "huber":
            objective = Huber(self.delta)
        elif chosen == "binomial":
            objective, weight = Binomial(), np.asarray(n_eval, dtype=float)[None]
        elif chosen == "beta_binomial":
            objective = BetaBinomial(np.asarray(n_eval, dtype=float), np.full((1, 1), 1e-3))
        self.objective_name_ = chosen
        return Problem.of(law, objective, t, y, weight)

    def _with_spread(self, theta: np.ndarray) -> Solution:
        """Fit and spread of seeds in turn: the correlation that makes Pearson's statistic what it should be.

        Williams 1982, "Extra-binomial variation in logistic linear models".
        """
        assert isinstance(self._problem.objective, BetaBinomial)
        n, y = self._problem.objective.n, self._problem.y[0]
        for _ in range(4):
            p = np.clip(self.law_.value(self._problem.t, theta)[0], 0.5 / n, 1 - 0.5 / n)
            pearson = n * (y - p) ** 2 / (p * (1 - p))
            freedom = max(len(y) - theta.shape[1], 1)
            rhos = np.geomspace(1e-6, 0.9, 200)
            excess = (pearson / (1 + (n - 1) * rhos[:, None])).sum(axis=1) - freedom
            rho = rhos[np.argmin(np.abs(excess))] if excess[0] > 0 else rhos[0]
            self._problem = replace(self._problem, objective=BetaBinomial(n, np.full((1, 1), rho)))
            found = optimum(self._problem)
            theta = found.theta
        self.seed_correlation_ = float(rho)
        return found

    # --------------------------------------------------------------------------------------------------- uncertainty

    def _judge_noise(self, runs: Runs, fitted: np.ndarray, together: bool) -> None:
        """How far the objective may rise within the interval, and the noise of one run."""
        p, n = self.theta_.shape[1], self.n_runs_
        residual = runs.value - fitted[runs.rung]
        self.noise_ = float(np.sqrt(np.sum(residual**2) / (n - p))) if n > p else float("nan")
        means = runs.means(runs.value)
        self._noise_within = float(np.sqrt(np.mean((runs.value - means[runs.rung]) ** 2)))
        self._misfit, self._freedom, scale = 0.0, float(n - p), 1.0
        if self.objective_name_ == "squares":
            self._misfit = rung_misfit(runs, fitted, p)
            scale = self.noise_**2
            if self._misfit > 0 or together:
                self._freedom = float(self.n_sizes_ - p)
                scale = float(np.sum(runs.counts * (means - fitted) ** 2) / self._freedom)
        elif self.objective_name_ == "huber":
            first, exact, _ = self._problem.objective.derivatives(-residual, np.zeros_like(residual))
            inner = max(float(np.mean(exact)), 1 / n)
            scale = float(np.sum(first**2) / (n - p)) / inner
        elif self.objective_name_ == "binomial":
            self._freedom = np.inf
        self._scale = max(scale, _ROUNDING**2)

    def allowed_rise(self, level: float) -> float:
        """How far above its least the objective may stand within a profile interval of this level."""
        return float(stats.t.ppf((1 + level) / 2, self._freedom) ** 2 * self._scale / 2)

    def _resample(self, clusters: ArrayLike | None, of_row: np.ndarray) -> np.ndarray:
        """(draws, p) theta of the refits that converged; none unless intervals are by bootstrap."""
        self.n_failed_refits_ = 0
        self.interval_ = self.interval or ("bootstrap" if self.objective_name_ == "huber" else "profile")
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
        if self.n_failed_refits_ > self.n_bootstrap // 2:
            raise UserError(f"{self.n_failed_refits_} of {self.n_bootstrap} bootstrap refits failed: no interval")
        return self.law_.canonical(found.theta[found.converged])

    def interval_of(self, quantity: Quantity, count: int, level: float) -> Interval:
        """Intervals (count,) of what follows from the parameters, by the estimator's kind of interval.

        Args:
            quantity: (theta (b, p), which (b,) of the `count` quantities) -> values (b,) and gradients (b, p).
        """
        rows = np.zeros(count, dtype=int)
        if self.interval_ == "bootstrap":
            n = len(self.draws_)
            drawn, _ = quantity(np.tile(self.draws_, (count, 1)), np.repeat(np.arange(count), n))
            return Interval(*percentile_interval(drawn.reshape(count, n).T, level))
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

    # -------------------------------------------------------------------------------------------------- what is told

    def _describe(self) -> None:
        law, names = self.law_, self.law_.parameters
        point = self.public(self.theta_[0])
        self.params_ = dict(zip(names, point.tolist(), strict=True))
        found = self.interval_of(self.parameters(range(len(names))), len(names), self.level)
        self.intervals_ = {}
        for i, name in enumerate(names):
            ends = np.array([found.low[i], found.high[i]])
            if name in law.log_parameters:
                with np.errstate(over="ignore"):  # an end beyond all numbers is open
                    ends = np.exp(ends)
            self.intervals_[name] = (float(min(ends[0], point[i])), float(max(ends[1], point[i])))
        self.status_, self.message_ = FitStatus.CONVERGED, ""
        if stuck := self._stuck():
            self.status_, self.message_ = FitStatus.AT_BOUND, "; ".join(dict.fromkeys(stuck))
        elif free := self._free():
            self.status_, self.message_ = FitStatus.NOT_IDENTIFIABLE, free
        elif self._misfit > 3 * self._noise_within:
            self.message_ = (
                f"sizes scatter about the curve by {100 * self._misfit:.1f} %, runs of one size by "
                f"{100 * self._noise_within:.1f} %: the law holds only roughly over this range"
            )

    def _stuck(self) -> list[str]:
        theta, problem = self.theta_[0], self._problem
        return [
            message
            for i in range(len(theta))
            for side, bound in (("low", problem.low[0, i]), ("high", problem.high[0, i]))
            if abs(theta[i] - bound) <= AT_BOUND and (message := self.law_.bound_message(i, side))  # type: ignore[arg-type]
        ]

    def _free(self) -> str:
        """What the data leave free, '' where they leave nothing."""
        law = self.law_
        wide = [name for name in law.exponents if unidentified(self.params_[name], *self.intervals_[name])]
        _, matrix, scale = self._problem.derivatives(self.theta_, np.zeros(1))
        root = 1 / np.sqrt(np.maximum(scale[0], 1e-300))
        scaled = np.nan_to_num(matrix[0] * root[:, None] * root, posinf=0.0, neginf=0.0)
        values, vectors = np.linalg.eigh(scaled)
        singular = values[0] < _SINGULAR * max(values[-1], 1e-300)
        if not singular and not wide:
            return ""
        step = 1e-4 * vectors[:, 0] * root / np.abs(vectors[:, 0] * root).max()
        ends = [self.public(self.theta_[0] + sign * step) for sign in (-1, 1)]
        change = np.nan_to_num((ends[1] - ends[0]) / np.maximum(np.abs(ends[0]), 1e-12))
        moved = [i for i in np.argsort(-np.abs(change)) if abs(change[i]) >= 0.05 * np.abs(change).max()]
        first = np.sign(change[moved[0]])
        words = ", ".join(f"{law.parameters[i]} {'up' if change[i] * first > 0 else 'down'}" for i in moved)
        spans = ", ".join(f"{n} {_span(self.intervals_[n])}" for n in (wide or [law.parameters[i] for i in moved]))
        return (
            f"parameters trade off along {words}: {spans} fit about equally well; a wider range of "
            f"{' and '.join(law.variables)}, or more runs, would tell"
        )

    def predict(self, x: ArrayLike | pd.DataFrame, level: float | None = None) -> np.ndarray | pd.DataFrame:
        """The law at x.

        Args:
            x: (m,) or (m, d).
            level: None for the curve alone, else a frame with the variables of x and columns predicted, low, high
                (interval of the curve), run_low, run_high (interval of a new run: curve and run-to-run noise).
        """
        law = self.law_
        places, _ = law_columns(law, x)
        t = self._t(places)
        value = law.value(t, self.theta_)[0]
        if level is None:
            return self._natural(value)
        check_between_0_and_1(level=level)
        found = self.interval_of(intervals.prediction(law, t), len(places), level)
        low, high = np.minimum(found.low, value), np.maximum(found.high, value)
        noise = self._new_run(value, level)
        columns = {name: places[:, j] for j, name in enumerate(law.variables)} | {
            "predicted": self._natural(value),
            "low": self._natural(low),
            "high": self._natural(high),
            "run_low": self._natural(value - np.hypot(value - low, noise)),
            "run_high": self._natural(value + np.hypot(high - value, noise)),
        }
        return pd.DataFrame(columns)

    def _new_run(self, value: np.ndarray, level: float) -> np.ndarray:
        """Half-width of one run about the law, on its scale."""
        freedom = self.n_runs_ - self.theta_.shape[1] if not self._misfit else self.n_sizes_ - self.theta_.shape[1]
        t = stats.t.ppf((1 + level) / 2, max(freedom, 1))
        if self.objective_name_ in ("binomial", "beta_binomial"):
            objective = self._problem.objective
            n = float(np.median(objective.n if isinstance(objective, BetaBinomial) else self._problem.weight))
            rho = objective.rho_seeds[0, 0] if isinstance(objective, BetaBinomial) else 0.0
            p = np.clip(value, 0, 1)
            return t * np.sqrt(p * (1 - p) / n * (1 + (n - 1) * rho))
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


def unidentified(value: np.ndarray | float, low: np.ndarray | float, high: np.ndarray | float) -> np.ndarray:
    """Whether an exponent's interval has an open end, or spans more than `_WIDE` times."""
    is_open = ~(np.isfinite(low) & np.isfinite(high))
    return is_open | ((np.asarray(value) > 0) & (high > _WIDE * np.maximum(low, 1e-3)))


def _span(interval: tuple[float, float]) -> str:
    return f"{interval[0]:.3g} to {interval[1]:.3g}"


def _aicc(squares: float, n: int, k: int) -> float:
    if n - k - 1 <= 0:
        return float("inf")
    return n * float(np.log(max(squares, 1e-300) / n)) + 2 * k + 2 * k * (k + 1) / (n - k - 1)
