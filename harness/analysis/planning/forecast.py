"""Forecasts of runs not yet made: laws weighed by how well they predict larger runs, with an interval for a new run.

The forecast of ln y at a place x is the weighted mean of the laws, m(x) = sum_k w_k m_k(x), and its variance

    v(x) = sum_k w_k (fit_k(x) + drift(x) + (m_k(x) - m(x))^2 + noise_k^2)

adds the uncertainty of each fit, the drift of any law beyond the runs, the laws' disagreement, and the noise of a new
run. The interval is m +- t c sqrt(v), with the factor c >= 1 by which forecasts of the larger runs from the smaller
ones missed more than their variance allowed. METHOD.md in this folder tells the method in order, and where each
constant was chosen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from harness.analysis.checks import check_between_0_and_1
from harness.analysis.fitting.inputs import TooFewDataError, find_law, law_columns, laws_for, refuse_design, unsolved
from harness.analysis.fitting.laws import Law
from harness.analysis.fitting.laws.powers import PowerSum
from harness.analysis.fitting.objectives import Huber
from harness.analysis.fitting.rolling import prediction_rows, rolling_cuts, stacked
from harness.analysis.fitting.solver import Extra, Problem, optimum
from harness.errors import SettingError, UserError

#: Laws that a forecast weighs, by their number of variables. Kaplan's law has no floor and promises too much far out.
WEIGHED = {1: ("power", "power_floor"), 2: ("gadre", "hoffmann"), 3: ("width_depth",)}

#: Huber's delta on ln y: a little above run-to-run noise, so that badly trained runs pull no more than others.
DELTA = 0.005
#: A run weighs as its compute to this power: the runs nearest to what is asked say most of it.
COMPUTE_WEIGHT = 0.2
#: The noise of a new run is that of runs like it: each counts as its compute to this power.
NOISE_WEIGHT = 0.3
#: A weak prior on the exponents of N and D, for tables that hardly determine them: ln exponent is normal about
#: ln `USUAL_EXPONENT` with standard deviation `SPREAD`. The fits of Hoffmann et al. 2022, of its replication and of
#: Gadre et al. 2024 lie within .24 to .50. One standard deviation costs as much as one run that is `NOISE` off in ln y.
USUAL_EXPONENT, SPREAD, NOISE = 0.35, 0.3, 0.01
#: Number of runs above which more of them say no more of a law's exponents, because they share what the law misses:
#: from here on the prior's weight grows in proportion to the runs.
INDEPENDENT_RUNS = 20
#: A law weighs as its error of rolling extrapolation to minus this power, or where there is none, as its noise.
SHARPNESS = 4.0
#: Least such error, so that a law that is exact does not weigh infinitely.
LEAST_ERROR = 1e-6
#: No law is exact: standard deviation by which ln y drifts from it for every factor e beyond the runs.
DRIFT = 0.007
#: Fewest degrees of freedom, runs less the parameters they determine, with which a law is weighed.
LEAST_FREEDOM = 0.5


@dataclass
class Forecaster:
    """Predicts y of runs larger than those it is fitted to.

    Each law is fitted to ln y by Huber's objective (`DELTA`), with runs weighted by compute (`COMPUTE_WEIGHT`) and a
    weak prior on the exponents of N and D (`USUAL_EXPONENT`). Laws are weighed by how well, fitted to the smaller runs,
    they predicted the larger ones (`SHARPNESS`). The interval is one for a new run: the noise of runs, the fits'
    uncertainty, the laws' disagreement and their drift (`DRIFT`), widened by as much as the forecasts of rolling
    extrapolation missed by. experiments/published_laws measures errors and coverage; METHOD.md in this folder says
    on which tables the constants were chosen and which had no part in that.

    Args:
        law: 'best' for all of `WEIGHED`; or one law, as `ScalingLaw` takes it, of a positive y.
        level: of the intervals, in (0, 1).

    After `fit`:
        weights_: law -> weight, summing to 1.
        left_out_: law -> why it could not be fitted.
        variables_: of x, in order.
        freedom_: degrees of freedom of the intervals.
        calibration_: factor >= 1 by which forecasts of rolling extrapolation missed more than their intervals allow.
        rolling_: a row a run predicted by rolling extrapolation, columns as `rolling.rolling_extrapolation`.
    """

    law: str | Law = "best"
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
        named = laws_for(x, WEIGHED) if self.law == "best" else (self.law,)
        laws = {law.name: law for law in map(find_law, named)}
        if any(law.scale != "log" for law in laws.values()):
            raise SettingError("law", self.law, "best, or a law of a positive y")
        first = next(iter(laws.values()))
        places, values = law_columns(first, x, y)
        self.variables_ = first.variables
        self._members, refused = _fit_all(laws, places, values)
        if not self._members:
            raise refused[min(refused, key=lambda name: laws[name].min_points)]
        self.freedom_ = float(np.mean([member.freedom for member in self._members.values()]))
        self.left_out_ = {name: str(error) for name, error in refused.items()}
        rolls = _roll(laws, places, values)
        self.weights_ = self._weigh(rolls)
        self.rolling_, self.calibration_ = self._calibrate(rolls)
        return self

    def _weigh(self, rolls: Sequence[_Roll]) -> dict[str, float]:
        """Each law's share, by its median error of rolling extrapolation averaged over the cuts."""
        missed = {
            name: [np.median(np.abs(roll.ahead(name)[0] - roll.observed)) for roll in rolls if name in roll.members]
            for name in self._members
        }
        error = {name: float(np.mean(found)) for name, found in missed.items() if found}
        if len(error) < len(self._members):  # too few runs to roll: by how far each law is from them
            error = {name: member.noise for name, member in self._members.items()}
        raw = {name: max(found, LEAST_ERROR) ** -SHARPNESS for name, found in error.items()}
        return {name: found / sum(raw.values()) for name, found in raw.items()}

    def _calibrate(self, rolls: Sequence[_Roll]) -> tuple[pd.DataFrame, float]:
        """What was predicted, and the root of its mean squared error over variance, at least 1."""
        parts, excess = [], []
        for roll in rolls:
            predicted, errors, noise = _mixed(roll.members, self.weights_, roll.places)
            off = roll.observed - predicted
            excess.append(np.mean(off**2 / (np.sum(errors**2, axis=0) + noise)))
            parts.append(prediction_rows(roll.cut, roll.reach, np.exp(roll.observed), np.exp(predicted)))
        return stacked(parts), float(np.sqrt(max(1.0, np.mean(excess)))) if excess else 1.0

    def predict(self, x: ArrayLike | pd.DataFrame, level: float | None = None) -> pd.DataFrame:
        """Forecasts at x (m,) or (m, d): the variables of x, and predicted, low, high (interval of a new run)."""
        level = self.level if level is None else level
        check_between_0_and_1(level=level)
        places = self._places(x)
        value, errors, noise = _mixed(self._members, self.weights_, places)
        spread = self.calibration_ * np.sqrt(np.sum(errors**2, axis=0) + noise)
        half = stats.t.ppf((1 + level) / 2, self.freedom_) * spread
        table = pd.DataFrame(dict(zip(self.variables_, places.T, strict=True)))
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
        value, errors, noise = _mixed(self._members, self.weights_, self._places(x))
        off = rng.standard_normal((n_draws, len(errors))) @ errors
        if of_runs:
            off += np.sqrt(noise) * rng.standard_normal((n_draws, len(value)))
        tail = np.sqrt(self.freedom_ / rng.chisquare(self.freedom_, (n_draws, 1)))
        return np.exp(value + self.calibration_ * tail * off)

    def _places(self, x: ArrayLike | pd.DataFrame) -> np.ndarray:
        return law_columns(next(iter(self._members.values())).law, x)[0]


# ------------------------------------------------------------------------------------------------- one law and its fit


@dataclass(frozen=True)
class _Member:
    """One law fitted for forecasting.

    Attributes:
        problem, prior: what was minimised: the objective, and the prior on the exponents as a term of theta.
        theta: (1, p) the solution; centre, unit: of x and y there.
        furthest: the largest ln x (d,) among the runs, and the largest sum of them.
        noise: standard deviation of ln y of a run like the largest ones.
        freedom: runs less the parameters that they, and not the prior, determine.
    """

    law: Law
    problem: Problem
    prior: Extra | None
    theta: np.ndarray
    centre: np.ndarray
    unit: float
    furthest: tuple[np.ndarray, float]
    noise: float
    freedom: float

    def ahead(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """ln y at places (m, d), and the errors of the law there as a factor (q, m) whose product is their covariance.

        Its rows are those of the sandwich H^-1 (sum_i w_i^2 psi_i^2 g_i g_i') H^-1, robust to unequal noise (White
        1980), with H the curvature of objective and prior, over the parameters that do not stand at a bound; the last
        is the drift of the law.
        """
        value, slopes = self.law.gradient(self.law.coordinates(places, self.centre), self.theta)
        here, along = self.law.gradient(self.problem.t, self.theta)
        first, _, _ = self.problem.objective.derivatives(here, self.problem.y)
        _, matrix, scale = self.problem.derivatives(self.theta, np.ones(1))
        if self.prior is not None:
            matrix = matrix + self.prior(self.theta, np.zeros(1, dtype=int))[2]
        free = _free(self.problem, self.theta)
        root = 1 / np.sqrt(np.maximum(scale[0], 1e-12 * scale[0].max()))[free]
        inverse = np.linalg.pinv(matrix[0][np.ix_(free, free)] * root[:, None] * root, rcond=1e-10, hermitian=True)
        push = along[0][free] * root[:, None] * (first * self.problem.weight)
        push *= np.sqrt(self.problem.y.shape[1] / self.freedom)
        reach = slopes[0][free] * root[:, None]
        fit = np.linalg.qr(push.T, mode="r") @ inverse @ reach
        return value[0] + np.log(self.unit), np.vstack([fit, DRIFT * self._beyond(places)])

    def _beyond(self, places: np.ndarray) -> np.ndarray:
        """ln of how far places (m, d) lie beyond the runs, in compute or in any variable, whichever is further."""
        logs = np.log(places / self.centre).T if self.law.x_scale == "log" else np.log(places).T
        each, together = self.furthest
        return np.maximum(np.max([logs.sum(axis=0) - together, *(logs - each[:, None])], axis=0), 0.0)


def _fit_all(
    laws: Mapping[str, Law], places: np.ndarray, values: np.ndarray
) -> tuple[dict[str, _Member], dict[str, UserError]]:
    members, refused = {}, {}
    for name, law in laws.items():
        try:
            members[name] = _fit(law, places, values)
        except UserError as error:
            refused[name] = error
    return members, refused


def _fit(law: Law, places: np.ndarray, values: np.ndarray) -> _Member:
    refuse_design(law, places)
    centre, level = law.centre(places), values.mean() if law.centred else 0.0
    size = np.log(places).sum(axis=1)
    weight = np.exp(COMPUTE_WEIGHT * (size - size.max()))
    weight /= weight.mean()
    t, y = law.coordinates(places, centre), (values - level)[None]
    problem = Problem.of(law, Huber(DELTA), t, y, weight[None])
    prior = _prior_on_exponents(law, len(values))
    found = optimum(problem, prior)
    if not found.converged[0]:
        raise unsolved(law, places, len(values))
    freedom = len(values) - _determined_parameters(problem, prior, found.theta)
    if freedom < LEAST_FREEDOM:
        raise TooFewDataError(f"{law.name} has {found.theta.shape[1]} parameters; got {len(values)} runs")
    off = law.value(t, found.theta)[0] - y[0]
    near = np.exp(NOISE_WEIGHT * (size - size.max()))
    noise = float(np.sqrt(np.sum(near * off**2) / near.sum() * len(values) / freedom))
    logs = t if law.x_scale == "log" else np.log(places).T
    furthest = logs.max(axis=1), float(logs.sum(axis=0).max())
    return _Member(law, problem, prior, found.theta, centre, float(np.exp(level)), furthest, noise, freedom)


def _determined_parameters(problem: Problem, prior: Extra | None, theta: np.ndarray) -> float:
    """How many parameters the data, and not the prior, determine: tr (H_data + H_prior)^-1 H_data (Moody 1992)."""
    _, matrix, _ = problem.derivatives(theta, np.ones(1))
    free = _free(problem, theta)
    data = matrix[0][np.ix_(free, free)]
    if prior is None:
        return float(free.sum())
    whole = data + prior(theta, np.zeros(1, dtype=int))[2][0][np.ix_(free, free)]
    return float(np.trace(np.linalg.pinv(whole, hermitian=True) @ data))


def _free(problem: Problem, theta: np.ndarray) -> np.ndarray:
    """(p,) which coordinates do not stand at a bound."""
    return (theta[0] > problem.low[0]) & (theta[0] < problem.high[0])


def _prior_on_exponents(law: Law, n_runs: int) -> Extra | None:
    """The weak prior on exponents, cost/2 sum ln(exponent / usual)^2, for sums of powers of N and D."""
    if not isinstance(law, PowerSum) or law.variables != ("N", "D"):
        return None
    first, cost = len(law.terms), (NOISE / SPREAD) ** 2 * max(1.0, n_runs / INDEPENDENT_RUNS)

    def prior(theta: np.ndarray, _: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        exponents = theta[:, first:]
        off = np.log(exponents / USUAL_EXPONENT)
        push, matrix = np.zeros_like(theta), np.zeros((*theta.shape, theta.shape[1]))
        push[:, first:] = cost * off / exponents
        for j in range(first, theta.shape[1]):
            matrix[:, j, j] = cost / theta[:, j] ** 2
        return cost * np.sum(off**2, axis=1) / 2, push, matrix

    return prior


# ------------------------------------------------------------------------------------------------ several laws together


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


def _roll(laws: Mapping[str, Law], places: np.ndarray, values: np.ndarray) -> list[_Roll]:
    """The runs cut by size at each of `rolling_cuts` that leaves enough to fit a law to."""
    rolls = []
    for cut, seen, reach in rolling_cuts(places):
        members, _ = _fit_all(laws, places[seen], values[seen])
        if members:
            rolls.append(_Roll(cut, members, places[~seen], values[~seen], reach))
    return rolls


def _mixed(
    members: dict[str, _Member], weights: dict[str, float], places: np.ndarray
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
