"""Forecasts of runs not yet made: several laws weighed by how well they foresaw, with an interval for a new run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from harness.analysis.checks import check_between_0_and_1
from harness.analysis.fitting.inputs import TooFewDataError, check_law, law_columns, laws_for, refuse_design, unsolved
from harness.analysis.fitting.laws import LAWS, Law
from harness.analysis.fitting.laws.powers import PowerSum
from harness.analysis.fitting.objectives import Huber
from harness.analysis.fitting.rolling import rolled, rolling_cuts, stacked
from harness.analysis.fitting.solver import Extra, Problem, optimum
from harness.errors import SettingError, UserError

#: Laws that a forecast weighs, by their number of variables.
WEIGHED = {1: ("power", "power_floor"), 2: ("gadre", "hoffmann"), 3: ("width_depth",)}

#: Huber's delta on ln y: a little above run-to-run noise, so that badly trained runs pull no more than others.
DELTA = 0.005
#: A run counts as its compute to this power: the runs nearest to what is asked say most of it.
COMPUTE_WEIGHT = 0.2
#: The noise of runs is that of runs like those asked for: each counts as its compute to this power.
NOISE_WEIGHT = 0.3
#: What exponents of N and D are where the data hardly say: a weak prior, ln exponent about ln 0.35 (Hoffmann et al.
#: 2022, its replication and Gadre et al. 2024 lie within 0.24 to 0.50), which costs as much per standard deviation as
#: a run does that is `NOISE` off in ln y.
USUAL_EXPONENT, SPREAD, NOISE = 0.35, 0.3, 0.01
#: Runs share what a law misses, so more than this many say no more of its exponents: the prior's weight grows along.
INDEPENDENT_RUNS = 20
#: A law weighs as its error of rolling extrapolation to minus this power; where there is none, as its noise.
SHARPNESS = 4.0
#: No law is exact: standard deviation of ln y's drift from it for every factor e beyond the runs.
DRIFT = 0.007


@dataclass(frozen=True)
class _Member:
    """One law fitted for forecasting."""

    law: Law
    problem: Problem
    extra: Extra | None
    theta: np.ndarray
    centre: np.ndarray
    unit: float
    noise: float
    freedom: float

    def ahead(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """ln y at places (m, d), and the variance of the fit there, robust to unequal noise (White 1980)."""
        t = np.log(places / self.centre).T
        value, slopes = self.law.gradient(t, self.theta)
        here, along = self.law.gradient(self.problem.t, self.theta)
        first, _, _ = self.problem.objective.derivatives(here, self.problem.y)
        _, matrix, scale = self.problem.derivatives(self.theta, np.ones(1))
        if self.extra is not None:
            matrix = matrix + self.extra(self.theta, np.zeros(1, dtype=int))[2]
        free = (self.theta[0] > self.problem.low[0]) & (self.theta[0] < self.problem.high[0])
        root = 1 / np.sqrt(np.maximum(scale[0], 1e-12 * scale[0].max()))[free]
        inverse = np.linalg.pinv(matrix[0][np.ix_(free, free)] * root[:, None] * root, rcond=1e-10, hermitian=True)
        push = along[0][free] * root[:, None] * (first * self.problem.weight)
        spread = inverse @ (push @ push.T) @ inverse
        spread *= self.problem.y.shape[1] / self.freedom
        reach = slopes[0][free] * root[:, None]
        variance = np.einsum("pm,pq,qm->m", reach, spread, reach)
        return value[0] + np.log(self.unit), variance + (DRIFT * self._beyond(t)) ** 2

    def _beyond(self, t: np.ndarray) -> np.ndarray:
        """ln of how far places (d, m) lie beyond the runs, in compute or in any variable, whichever is further."""
        runs = self.problem.t
        over = [t.sum(axis=0) - runs.sum(axis=0).max(), *(t - runs.max(axis=1, keepdims=True))]
        return np.maximum(np.max(over, axis=0), 0.0)


@dataclass
class Forecaster:
    """Foretells y of runs larger than those it is fitted to.

    Each law is fitted to ln y by Huber's objective (`DELTA`), runs weighted by compute (`COMPUTE_WEIGHT`), exponents of
    N and D drawn weakly to what is usual (`USUAL_EXPONENT`). Laws weigh by how well, fitted to the smaller part of the
    runs, they foresaw the larger (`SHARPNESS`). The interval is one for a new run: the noise of runs, the fits'
    uncertainty, the laws' disagreement and their drift (`DRIFT`), and all of that widened by as much as the forecasts
    of rolling extrapolation missed by. A law without a floor (Kaplan's) is not weighed: it promises too much.
    experiments/published_laws measures errors and coverage; LOG.md tells how the settings were chosen.

    Args:
        law: key of `LAWS`, or 'best' for all of `WEIGHED`.
        level: of the intervals, in (0, 1).

    After `fit`:
        weights_: law -> weight, summing to 1.
        left_out_: law -> why it could not be fitted.
        variables_: of x, in order.
        freedom_: degrees of freedom of the intervals.
        calibration_: factor >= 1 by which rolling forecasts missed more than their intervals allow.
        rolling_: a row a run foretold while rolling, columns as `choice.rolling_extrapolation`.
    """

    law: str = "best"
    level: float = 0.95

    weights_: dict[str, float] = field(init=False, repr=False)
    variables_: tuple[str, ...] = field(init=False, repr=False)
    freedom_: float = field(init=False, repr=False)
    left_out_: dict[str, str] = field(init=False, repr=False)
    calibration_: float = field(init=False, repr=False)
    rolling_: pd.DataFrame = field(init=False, repr=False)

    def fit(self, x: ArrayLike | pd.DataFrame, y: ArrayLike) -> Forecaster:
        """Fit to rows x (n,) or (n, d) and y (n,), both > 0, a row a run.

        Raises:
            DataError: a value that is NaN, infinite or not positive.
            UserError: no law can be fitted; the message is that of the law with the fewest parameters.
        """
        check_between_0_and_1(level=self.level)
        names = laws_for(x, WEIGHED) if self.law == "best" else (self.law,)
        if any(check_law(name).scale != "log" for name in names):
            raise SettingError("law", self.law, "best, or a law of a positive y")
        places, values = law_columns(LAWS[names[0]], x, y)
        self.variables_ = LAWS[names[0]].variables
        self._members, refused = _fit_all(names, places, values)
        if not self._members:
            raise refused[min(refused, key=lambda name: LAWS[name].min_points)]
        self.freedom_ = float(np.mean([member.freedom for member in self._members.values()]))
        self.left_out_ = {name: str(error) for name, error in refused.items()}
        rolls = _roll(names, places, values)
        self.weights_ = self._weigh(rolls)
        self.rolling_, self.calibration_ = self._calibrate(rolls)
        return self

    def _weigh(self, rolls: Sequence[_Roll]) -> dict[str, float]:
        missed = {
            name: [np.median(np.abs(roll.ahead(name)[0] - roll.observed)) for roll in rolls if name in roll.members]
            for name in self._members
        }
        error = {name: float(np.mean(found)) for name, found in missed.items() if found}
        if len(error) < len(self._members):  # too few runs to roll: by how far each law is from them
            error = {name: member.noise for name, member in self._members.items()}
        raw = {name: max(found, 1e-6) ** -SHARPNESS for name, found in error.items()}
        return {name: found / sum(raw.values()) for name, found in raw.items()}

    def _calibrate(self, rolls: Sequence[_Roll]) -> tuple[pd.DataFrame, float]:
        parts, excess = [], []
        for roll in rolls:
            predicted, variance = _mixed(roll.members, self.weights_, roll.places)
            off = roll.observed - predicted
            excess.append(np.mean(off**2 / variance))
            parts.append(rolled(roll.cut, roll.reach, np.exp(roll.observed), np.exp(predicted)))
        return stacked(parts), float(np.sqrt(max(1.0, np.mean(excess)))) if excess else 1.0

    def predict(self, x: ArrayLike | pd.DataFrame, level: float | None = None) -> pd.DataFrame:
        """Forecasts at x (m,) or (m, d): the variables of x, and predicted, low, high (interval of a new run)."""
        level = self.level if level is None else level
        check_between_0_and_1(level=level)
        places, _ = law_columns(LAWS[next(iter(self._members))], x)
        value, variance = _mixed(self._members, self.weights_, places)
        half = stats.t.ppf((1 + level) / 2, self.freedom_) * self.calibration_ * np.sqrt(variance)
        table = pd.DataFrame(dict(zip(self.variables_, places.T, strict=True)))
        return table.assign(predicted=np.exp(value), low=np.exp(value - half), high=np.exp(value + half))


@dataclass(frozen=True)
class _Roll:
    """The laws fitted to the smaller part of the runs, and the larger runs they are judged on."""

    cut: float
    members: dict[str, _Member]
    places: np.ndarray
    observed: np.ndarray
    reach: np.ndarray

    def ahead(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        return self.members[name].ahead(self.places)


def _mixed(members: dict[str, _Member], weights: dict[str, float], places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """ln y of the weighed laws, and the variance of a new run about it."""
    there = {name: members[name].ahead(places) for name in members if weights.get(name, 0) > 0}
    share = np.array([weights[name] for name in there])
    share = share / share.sum()
    values = np.stack([value for value, _ in there.values()])
    fits = np.stack([variance for _, variance in there.values()])
    noise = share @ np.array([members[name].noise ** 2 for name in there])
    middle = share @ values
    return middle, share @ (fits + (values - middle) ** 2) + noise


def _roll(names: Sequence[str], places: np.ndarray, values: np.ndarray) -> list[_Roll]:
    """The runs cut by size at each of `rolling_cuts` that leaves enough to fit a law to."""
    rolls = []
    for cut, seen, reach in rolling_cuts(places):
        members, _ = _fit_all(names, places[seen], values[seen])
        if members:
            rolls.append(_Roll(cut, members, places[~seen], values[~seen], reach))
    return rolls


def _fit_all(
    names: Sequence[str], places: np.ndarray, values: np.ndarray
) -> tuple[dict[str, _Member], dict[str, UserError]]:
    members, refused = {}, {}
    for name in names:
        try:
            members[name] = _fit(LAWS[name], places, values)
        except UserError as error:
            refused[name] = error
    return members, refused


def _fit(law: Law, places: np.ndarray, values: np.ndarray) -> _Member:
    refuse_design(law, places)
    centre, level = np.exp(np.log(places).mean(axis=0)), values.mean()
    size = np.log(places).sum(axis=1)
    weight = np.exp(COMPUTE_WEIGHT * (size - size.max()))
    weight /= weight.mean()
    t, y = np.log(places / centre).T, (values - level)[None]
    problem = Problem.of(law, Huber(DELTA), t, y, weight[None])
    extra = _usual_exponents(law, len(values))
    found = optimum(problem, extra)
    if not found.converged[0]:
        raise unsolved(law, places, len(values))
    freedom = len(values) - _parameters(problem, extra, found.theta)
    if freedom < 0.5:
        raise TooFewDataError(f"{law.name} has {found.theta.shape[1]} parameters; got {len(values)} runs")
    off = law.value(t, found.theta)[0] - y[0]
    near = np.exp(NOISE_WEIGHT * (size - size.max()))
    noise = float(np.sqrt(np.sum(near * off**2) / near.sum() * len(values) / freedom))
    return _Member(law, problem, extra, found.theta, centre, float(np.exp(level)), noise, freedom)


def _parameters(problem: Problem, extra: Extra | None, theta: np.ndarray) -> float:
    """How many parameters the data determine, those that the prior does not (Moody 1992)."""
    _, matrix, _ = problem.derivatives(theta, np.ones(1))
    free = (theta[0] > problem.low[0]) & (theta[0] < problem.high[0])
    data = matrix[0][np.ix_(free, free)]
    if extra is None:
        return float(free.sum())
    whole = data + extra(theta, np.zeros(1, dtype=int))[2][0][np.ix_(free, free)]
    return float(np.trace(np.linalg.pinv(whole, hermitian=True) @ data))


def _usual_exponents(law: Law, n_runs: int) -> Extra | None:
    """The weak prior on exponents, for sums of powers of N and D."""
    if not isinstance(law, PowerSum) or law.variables != ("N", "D"):
        return None
    first, cost = len(law.terms), (NOISE / SPREAD) ** 2 * max(1.0, n_runs / INDEPENDENT_RUNS)

    def extra(theta: np.ndarray, _: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        exponents = theta[:, first:]
        off = np.log(exponents / USUAL_EXPONENT)
        push, matrix = np.zeros_like(theta), np.zeros((*theta.shape, theta.shape[1]))
        push[:, first:] = cost * off / exponents
        for j in range(first, theta.shape[1]):
            matrix[:, j, j] = cost / theta[:, j] ** 2
        return cost * np.sum(off**2, axis=1) / 2, push, matrix

    return extra
