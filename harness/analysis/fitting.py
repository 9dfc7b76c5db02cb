"""Estimators: least squares on ln y, all bootstrap refits of a law moving together; choice among laws; exponents."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from harness.analysis.curves import require_columns, select_runs
from harness.analysis.laws import LAWS, Law
from harness.analysis.uncertainty import (
    Runs,
    gather_runs,
    new_run_noise,
    percentile_interval,
    residual_draws,
    rung_misfit,
)
from harness.errors import DataError, SettingError, UserError, nearest


class FitStatus(StrEnum):
    """How a fit ended; only `CONVERGED` is to be quoted without its message."""

    CONVERGED = "converged"
    AT_BOUND = "at a bound"
    NOT_IDENTIFIABLE = "not identifiable"
    TOO_FEW_DATA = "too few data"


@dataclass
class PowerLaw:
    """y = E + A x^-alpha (E = 0 unless `irreducible`), by least squares on ln y.

    Intervals are percentiles of `n_bootstrap` refits to runs whose residuals are pooled over sizes and dealt out anew,
    widened for few runs (`uncertainty.residual_draws`). Measured coverage of 95 % intervals: .93 to .96 for parameters
    and curve, in eight regimes of 6 to 8 sizes and 1 to 5 runs each (experiments/calibration).
    They do not cover noise whose relative size changes much along the ladder, runs of one seed that err together over
    all sizes, or a law that is wrong in kind: a floor or exponent is only as true as the law.

    Args:
        irreducible: whether a floor E >= 0 is fitted.
        level: of the intervals, in (0, 1).
        n_bootstrap: refits.
        seed: of the bootstrap; equal seeds give equal numbers.

    After `fit`:
        params_: name -> value; E and A in units of y (A at x = 1), alpha without unit.
        intervals_: name -> (low, high).
        status_: a `FitStatus`; message_: '' or what the data lack.
        n_failed_refits_: bootstrap refits that did not converge (left out of the intervals).
        residuals_: (n,) ln y - ln fitted, a row of the data each.
        aicc_: corrected Akaike criterion over runs, comparable between laws fitted to the same data.
    """

    irreducible: bool = True
    level: float = 0.95
    n_bootstrap: int = 1000
    seed: int = 0

    law_: Law = field(init=False, repr=False)
    params_: dict[str, float] = field(init=False, repr=False)
    intervals_: dict[str, tuple[float, float]] = field(init=False, repr=False)
    status_: FitStatus = field(init=False, repr=False)
    message_: str = field(init=False, repr=False)
    n_failed_refits_: int = field(init=False, repr=False)
    residuals_: np.ndarray = field(init=False, repr=False)
    aicc_: float = field(init=False, repr=False)
    n_sizes_: int = field(init=False, repr=False)
    n_runs_: int = field(init=False, repr=False)

    def fit(self, x: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> PowerLaw:
        """Fit to rows x (n,), y (n,), both > 0; rows that share (x, group) are one run, without groups each row is.

        Raises:
            DataError: a value that is NaN, infinite or not positive, or columns of unequal length.
            UserError: fewer distinct sizes than the law's parameters and one.
        """
        if not 0 < self.level < 1:
            raise SettingError("level", self.level, "a number between 0 and 1")
        if self.n_bootstrap < 100:
            raise SettingError("n_bootstrap", self.n_bootstrap, "at least 100")
        self.law_ = law = LAWS["power_floor" if self.irreducible else "power"]
        x, y = positive_columns(x=x, y=y)
        if groups is not None and len(np.asarray(groups)) != len(x):
            raise DataError(f"groups has {len(np.asarray(groups))} rows where x has {len(x)}")
        runs = gather_runs(x, np.log(y), None if groups is None else np.asarray(groups))
        self.n_sizes_, self.n_runs_ = len(runs.sizes), len(runs.value)
        if self.n_sizes_ < law.min_sizes:
            name = "a power law with a floor" if self.irreducible else "a power law"
            raise UserError(f"{name} needs at least {law.min_sizes} sizes; got {self.n_sizes_}")

        self._centre = float(np.exp(np.log(runs.sizes[[0, -1]]).mean()))
        t, weight = np.log(runs.sizes / self._centre), runs.counts.astype(float)
        means = runs.means(runs.value)
        starts = law.starts(t, means)
        theta, cost, converged = solve(law, t, np.broadcast_to(means, (len(starts), len(t))), weight, starts)
        if not converged.any():
            raise UserError(f"{law.formula}: no start of the fit converged on these {self.n_runs_} runs")
        best = int(np.argmin(np.where(converged, cost, np.inf)))
        self._theta = theta[best]
        fitted = law.log_value(t, self._theta)
        self.residuals_ = np.log(y) - law.log_value(np.log(x / self._centre), self._theta)
        self._noise = runs.value - fitted[runs.rung]
        self._noise_within = runs.value - means[runs.rung]
        self._misfit = rung_misfit(runs, fitted, len(law.parameters))
        self.aicc_ = _aicc(float(np.sum(self._noise**2)), self.n_runs_, len(law.parameters) + 1)
        self._draws = self._refit(runs, t, weight, fitted)
        self._describe(law)
        return self

    def _refit(self, runs: Runs, t: np.ndarray, weight: np.ndarray, fitted: np.ndarray) -> np.ndarray:
        """(draws, p) theta of the refits that converged."""
        law = self.law_
        data = residual_draws(runs, fitted, len(law.parameters), self.n_bootstrap, self.level, self.seed)
        theta, _, converged = solve(law, t, data, weight, np.broadcast_to(self._theta, (len(data), len(self._theta))))
        self.n_failed_refits_ = int(np.sum(~converged))
        if self.n_failed_refits_ > self.n_bootstrap // 2:
            raise UserError(f"{self.n_failed_refits_} of {self.n_bootstrap} bootstrap refits failed: no interval")
        return theta[converged]

    def _describe(self, law: Law) -> None:
        names = law.parameters
        self.params_ = dict(zip(names, law.public(self._theta, self._centre).tolist(), strict=True))
        low, high = percentile_interval(law.public(self._draws, self._centre), self.level)
        self.intervals_ = dict(zip(names, zip(low.tolist(), high.tolist(), strict=True), strict=True))
        if not self.irreducible:
            self.params_ = {"E": 0.0, **self.params_}
            self.intervals_ = {"E": (0.0, 0.0), **self.intervals_}
        self.status_, self.message_ = FitStatus.CONVERGED, ""
        bounds = np.array(law.bounds)
        stuck = [
            law.bound_messages[i][side]
            for i in range(len(names))
            for side in (0, 1)
            if abs(self._theta[i] - bounds[i, side]) <= 1e-6
        ]
        if stuck:
            self.status_, self.message_ = FitStatus.AT_BOUND, "; ".join(stuck)
            return
        alpha_low, alpha_high = self.intervals_["alpha"]
        if self.irreducible and alpha_high > 5 * max(alpha_low, 1e-3):
            self.status_ = FitStatus.NOT_IDENTIFIABLE
            floor, exponent = _span(self.intervals_["E"]), _span(self.intervals_["alpha"])
            self.message_ = (
                f"floor and exponent trade off: E {floor} with alpha {exponent} fit about equally well; "
                "a wider range of sizes or more runs would tell"
            )
        elif self._misfit > 3 * np.std(self._noise_within):
            self.message_ = (
                f"sizes scatter about the curve by {self._misfit:.1%}, runs of one size by "
                f"{np.std(self._noise_within):.1%}: the law holds only roughly over this range"
            )

    def predict(self, x: ArrayLike, level: float | None = None) -> np.ndarray | pd.DataFrame:
        """The curve at x.

        Args:
            x: (m,) > 0.
            level: None for the curve alone, else a frame with columns x, predicted, low, high (interval of the curve),
                run_low, run_high (interval of a new run: curve and run-to-run noise).
        """
        (sizes,) = positive_columns(x=x)
        t = np.log(sizes / self._centre)
        curve = np.exp(self.law_.log_value(t, self._theta))
        if level is None:
            return curve
        if not 0 < level < 1:
            raise SettingError("level", level, "a number between 0 and 1")
        draws = self.law_.log_value(t, self._draws)
        low, high = percentile_interval(np.exp(draws), level)
        independent = self.n_sizes_ if self._misfit else self.n_runs_
        noise = new_run_noise(self._noise, independent - len(self.law_.parameters), draws.shape, level, self.seed)
        run_low, run_high = percentile_interval(np.exp(draws + noise), level)
        columns = {"x": sizes, "predicted": curve, "low": low, "high": high, "run_low": run_low, "run_high": run_high}
        return pd.DataFrame(columns)


def _span(interval: tuple[float, float]) -> str:
    return f"{interval[0]:.3g} to {interval[1]:.3g}"


def _aicc(squares: float, n: int, k: int) -> float:
    if n - k - 1 <= 0:
        return float("inf")
    return n * float(np.log(max(squares, 1e-300) / n)) + 2 * k + 2 * k * (k + 1) / (n - k - 1)


def positive_columns(**columns: ArrayLike) -> tuple[np.ndarray, ...]:
    """Columns as float arrays of one length.

    Raises:
        DataError: names the row (from 0), the column and what was found there.
    """
    arrays = []
    for name, column in columns.items():
        try:
            values = np.asarray(column, dtype=float)
        except (TypeError, ValueError) as error:
            raise DataError(f"column {name}: {error}") from None
        bad = np.flatnonzero(~(np.isfinite(values) & (values > 0)))
        if values.ndim != 1 or len(bad):
            found = f"row {bad[0]}: {values[bad[0]]}" if values.ndim == 1 else f"shape {values.shape}"
            raise DataError(f"column {name}, {found}: allowed are finite numbers above 0, one a row")
        arrays.append(values)
    if len({len(values) for values in arrays}) > 1:
        lengths = ", ".join(f"{name} {len(values)}" for name, values in zip(columns, arrays, strict=True))
        raise DataError(f"columns of unequal length: {lengths}")
    return tuple(arrays)


def solve(
    law: Law, t: np.ndarray, log_y: np.ndarray, weight: np.ndarray, start: np.ndarray, max_iterations: int = 100
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Batched bounded Levenberg-Marquardt on sum_i weight_i (log_y_i - ln f(t_i; theta))^2.

    Args:
        t: (n,).
        log_y: (b, n), one problem a row.
        weight: (n,) > 0.
        start: (b, p).

    Returns:
        theta (b, p), cost (b,), converged (b,) bool.
    """
    low, high = np.array(law.bounds).T
    theta = np.clip(start, low, high)
    root = np.sqrt(weight)

    def residual_at(rows: np.ndarray, theta: np.ndarray) -> np.ndarray:
        return (log_y[rows] - law.log_value(t, theta)) * root

    active = np.arange(len(theta))
    residual = residual_at(active, theta)
    cost = np.sum(residual**2, axis=1)
    damping = np.full(len(theta), 1e-3)
    converged = np.zeros(len(theta), dtype=bool)
    for _ in range(max_iterations):
        here = theta[active]
        jacobian = law.gradient(t, here) * root[:, None]
        slope = np.einsum("bnp,bn->bp", jacobian, residual[active])
        hessian = np.einsum("bnp,bnq->bpq", jacobian, jacobian)
        held = ((here <= low) & (slope < 0)) | ((here >= high) & (slope > 0))
        slope = np.where(held, 0.0, slope)
        hessian = np.where(held[:, :, None] | held[:, None, :], 0.0, hessian)
        diagonal = np.einsum("bpp->bp", hessian)
        diagonal += damping[active, None] * diagonal + np.where(held, 1.0, 1e-14)
        there = np.clip(here + np.linalg.solve(hessian, slope[..., None])[..., 0], low, high)
        new_residual = residual_at(active, there)
        new_cost = np.sum(new_residual**2, axis=1)
        better = new_cost <= cost[active]
        small = np.max(np.abs(there - here) / (np.abs(here) + 1e-3), axis=1) < 1e-9
        gained = cost[active] - new_cost <= 1e-12 * cost[active] + 1e-30
        taken = active[better]
        theta[taken], residual[taken], cost[taken] = there[better], new_residual[better], new_cost[better]
        damping[active] = np.where(better, np.maximum(damping[active] / 10, 1e-12), damping[active] * 10)
        done = (better & gained) | small
        converged[active[done]] = True
        active = active[~done & (damping[active] < 1e12)]
        if not len(active):
            break
    return theta, cost, converged & np.isfinite(cost)


@dataclass(frozen=True)
class Choice:
    """Laws fitted to the same data.

    Attributes:
        best: the fit with the lowest AICc.
        ranking: a row a law, best first: law, formula, aicc, delta_aicc, status, params, message.
        fits: law name -> fit.
    """

    best: PowerLaw
    ranking: pd.DataFrame
    fits: dict[str, PowerLaw]

    @property
    def verdict(self) -> str:
        """One sentence, e.g. 'E + A x^-alpha; A x^-alpha is refused (AICc higher by 41.2)'."""
        rows = self.ranking.to_dict("records")
        others = [
            f"{row['formula']} is {'refused' if row['delta_aicc'] > 10 else 'not excluded'} "
            f"(AICc higher by {row['delta_aicc']:.1f})"
            for row in rows[1:]
            if np.isfinite(row["delta_aicc"])
        ]
        return "; ".join([rows[0]["formula"], *others])


def fit_best(
    x: ArrayLike,
    y: ArrayLike,
    groups: ArrayLike | None = None,
    laws: tuple[str, ...] = ("power", "power_floor"),
    **settings: Any,
) -> Choice:
    """Fit each law and rank by AICc; a difference above 10 refuses a law (Burnham and Anderson 2002, section 2.6).

    Args:
        x, y, groups: as in `PowerLaw.fit`.
        laws: keys of `laws.LAWS`.
        settings: level, n_bootstrap, seed of `PowerLaw`.

    Raises:
        UserError: no law can be fitted; the message is that of the law with the fewest parameters.
    """
    fits: dict[str, PowerLaw] = {}
    refused: dict[str, str] = {}
    for name in laws:
        if name not in LAWS:
            raise SettingError("laws", name, f"one of {', '.join(LAWS)}{nearest(name, LAWS)}")
        try:
            fits[name] = PowerLaw(irreducible=name == "power_floor", **settings).fit(x, y, groups)
        except DataError:
            raise
        except UserError as error:
            refused[name] = str(error)
    if not fits:
        raise UserError(refused[min(refused, key=lambda name: LAWS[name].min_sizes)])
    order = sorted(fits, key=lambda name: fits[name].aicc_)
    best = fits[order[0]]
    rows = [
        {
            "law": name,
            "formula": LAWS[name].formula,
            "aicc": fits[name].aicc_,
            "delta_aicc": fits[name].aicc_ - best.aicc_ if name != order[0] else 0.0,
            "status": str(fits[name].status_),
            "params": fits[name].params_,
            "message": fits[name].message_,
        }
        for name in order
    ]
    rows += [
        {
            "law": name,
            "formula": LAWS[name].formula,
            "aicc": np.nan,
            "delta_aicc": np.nan,
            "status": str(FitStatus.TOO_FEW_DATA),
            "params": {},
            "message": message,
        }
        for name, message in refused.items()
    ]
    return Choice(best, pd.DataFrame(rows), fits)


def exponents(
    frame: pd.DataFrame,
    conventions: tuple[str, ...] = ("params_total", "params_non_embedding", "flops"),
    metric: str = "loss",
    **settings: Any,
) -> pd.DataFrame:
    """The law of a metric (subtask 'all') of every study and task under each convention of x.

    Args:
        frame: as `harness.load` returns it; `study` is optional.
        conventions: columns to take as x.
        settings: level, n_bootstrap, seed of `PowerLaw`.

    Returns:
        A row per study, task and convention: study, task, x, law, formula, alpha, alpha_low, alpha_high, E, E_low,
        E_high, status, delta_aicc (of the next law), scatter (root mean square of
        ln residuals), n_sizes, n_runs, message. What cannot be fitted stands with a
        status and a message.

    Raises:
        DataError: a column is missing.
    """
    require_columns(frame, ("task", "subtask", "metric", "value", *conventions))
    frame = select_runs(frame)
    rows = []
    chosen = frame[(frame["metric"] == metric) & (frame["subtask"] == "all")]
    for (study, task), part in chosen.groupby(["study", "task"], sort=False):
        for x in conventions:
            about = {"study": study, "task": task, "x": x, "n_sizes": part[x].nunique(), "n_runs": len(part)}
            rows.append(about | _exponent(part, x, settings))
    return pd.DataFrame(rows, columns=_EXPONENT_COLUMNS)


_EXPONENT_COLUMNS = [
    "study",
    "task",
    "x",
    "law",
    "formula",
    "alpha",
    "alpha_low",
    "alpha_high",
    "E",
    "E_low",
    "E_high",
    "status",
    "delta_aicc",
    "scatter",
    "n_sizes",
    "n_runs",
    "message",
]


def _exponent(part: pd.DataFrame, x: str, settings: dict[str, Any]) -> dict[str, Any]:
    try:
        choice = fit_best(part[x], part["value"], part["run"], **settings)
    except UserError as error:
        return {"law": "", "formula": "", "status": str(FitStatus.TOO_FEW_DATA), "message": str(error)}
    fit, runner_up = choice.best, choice.ranking["delta_aicc"].iloc[1:]
    return {
        "law": fit.law_.name,
        "formula": fit.law_.formula,
        "alpha": fit.params_["alpha"],
        "alpha_low": fit.intervals_["alpha"][0],
        "alpha_high": fit.intervals_["alpha"][1],
        "E": fit.params_["E"],
        "E_low": fit.intervals_["E"][0],
        "E_high": fit.intervals_["E"][1],
        "status": str(fit.status_),
        "delta_aicc": runner_up.min(),
        "scatter": float(np.sqrt(np.mean(fit.residuals_**2))),
        "message": fit.message_ or choice.verdict,
    }
