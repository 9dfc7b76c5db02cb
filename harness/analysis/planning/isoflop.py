"""Compute-optimal sizes read off the runs themselves: IsoFLOP parabolas (approach 2) and the envelope (approach 1).

On asymmetric surfaces the parabola is biased even without noise, the more so the wider its curve (measured in
experiments/published_laws), so the surface fit with `planning.allocation` is the default and these stand beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import chdtri

from harness.analysis.checks import check_between_0_and_1, check_fitted, positive_columns
from harness.analysis.fitting.intervals import Interval, failure_message, hold_estimate
from harness.analysis.fitting.shared_errors import GAP, WIDEST, near
from harness.analysis.fitting.status import FitStatus, interval_status
from harness.analysis.planning.isoflop_curves import Curve, LowestRun, MinimumStatus, Parabola, pooled_residuals
from harness.errors import SettingError, UserError

#: Probability of their chi-square above which minima scatter about their line by more than the noise of the losses.
_SCATTERED = 0.95


def group_budgets(flops: ArrayLike) -> np.ndarray:
    """(n,) the budget (geometric mean of its runs) that each run's FLOPs belong to; see `GAP`."""
    (counted,) = positive_columns(flops=flops)
    logs = np.log(counted)
    label = near(logs, GAP, WIDEST)
    means = np.bincount(label, logs) / np.bincount(label)
    return np.exp(means)[label]


@dataclass
class IsoFlop:
    """Minima of loss over model size at each budget, and N_opt = k C^a through them (Hoffmann et al. 2022, 3.1, 3.2).

    Args:
        approach: 2, a parabola of loss in ln N for each budget, accepted only with positive curvature and its minimum
            inside the sizes measured; 1, the run of lowest loss at each budget, accepted unless it is the smallest or
            the largest. Of the latter nothing is known to better than the gap between sizes, and its intervals say so.
        flops_per_token_parameter: C = this x N x D.
        level: of the intervals, in (0, 1).
        n_bootstrap: data sets in which residuals are resampled.
        seed: of the bootstrap.

    Attributes:
        budget_: (n,) the budget of each run, in the order given.
        minima_: a row a budget: budget, n_runs, status, N, N_low, N_high, D, loss (N and on are NaN unless accepted),
            and message ('' unless the interval found did not hold N).
        exponent_, exponent_interval_: of N_opt in C; NaN with fewer than two accepted budgets, and the interval too
            with fewer than three.
        coefficient_: k, in parameters at C = 1 FLOP.
        scatter_: how far the minima lie off their line, in units of what the noise of the losses explains; where that
            is more than chance, intervals of the line are widened by it.
        message_: '' or what is lacking, minima that scatter, or an interval that did not hold its estimate.
        n_failed_refits_: bootstrap data sets without two accepted minima, left out of the intervals.
    """

    approach: int = 2
    flops_per_token_parameter: float = 6.0
    level: float = 0.95
    n_bootstrap: int = 2000
    seed: int = 0

    budget_: np.ndarray = field(init=False, repr=False)
    minima_: pd.DataFrame = field(init=False, repr=False)
    exponent_: float = field(init=False, repr=False)
    exponent_interval_: tuple[float, float] = field(init=False, repr=False)
    coefficient_: float = field(init=False, repr=False)
    scatter_: float = field(init=False, repr=False)
    message_: str = field(init=False, repr=False)
    n_failed_refits_: int = field(init=False, repr=False)
    _line: _Line = field(init=False, repr=False)

    def fit(self, n: ArrayLike, d: ArrayLike, loss: ArrayLike, budget: ArrayLike | None = None) -> IsoFlop:
        """Fit to rows: parameters n, tokens d, loss, and the budget each belongs to (by default from C).

        Raises:
            DataError: a value that is NaN, infinite or not positive.
            SettingError: a setting out of its range.
            UserError: one budget only.
        """
        check_between_0_and_1(level=self.level)
        if self.approach not in (1, 2):
            raise SettingError("approach", self.approach, "1 (envelope) or 2 (parabolas)")
        n, d, loss = positive_columns(N=n, D=d, loss=loss)
        flops = self.flops_per_token_parameter * n * d
        budget = group_budgets(flops) if budget is None else positive_columns(budget=budget)[0]
        self.budget_, budgets = budget, np.unique(budget)
        if len(budgets) < 2:
            raise UserError(
                f"IsoFLOP needs at least two budgets; all {len(n)} runs have C about {budgets[0]:.3g} FLOPs"
            )
        rng = np.random.default_rng(self.seed)
        kind = Parabola if self.approach == 2 else LowestRun
        curves: list[Curve] = [kind(np.log(n[budget == c]), loss[budget == c]) for c in budgets]
        noise, shared = pooled_residuals(curves), rng.uniform(-0.5, 0.5, self.n_bootstrap)
        draws = np.stack([curve.resampled(noise, shared, rng) for curve in curves], axis=1)
        rows = [
            {"budget": c, "n_runs": len(curve.size)} | self._minimum(c, curve, drawn)
            for c, curve, drawn in zip(budgets, curves, draws.T, strict=True)
        ]
        self.minima_ = pd.DataFrame(rows)
        self._line = _Line(np.log(budgets), np.array([curve.place for curve in curves]), draws)
        self._say_exponent()
        return self

    def predict(self, compute: float | Sequence[float], level: float | None = None) -> pd.DataFrame:
        """The optimum at C on the line through the minima, N = k C^a, and D = C / (flops_per_token_parameter N).

        Args:
            compute: C in FLOPs, one or several, as far beyond the budgets as need be.
            level: of the intervals; that of the fit by default.

        Returns:
            A row a budget: compute, then N, D and tokens_per_parameter, each with _low and _high (of the line, not of
            the minimum that one more budget would show); status ('converged', 'interval failed', or 'too few data':
            NaN for what is not there) and message.

        Raises:
            DataError: a compute that is not a finite number above 0.
            SettingError: a level out of its range.
        """
        check_fitted(self, "minima_")
        level = self.level if level is None else level
        check_between_0_and_1(level=level)
        (budgets,) = positive_columns(compute=np.atleast_1d(np.asarray(compute, dtype=float)))
        value, (low, high), failed = self._line.at(np.log(budgets), level)
        product = budgets / self.flops_per_token_parameter
        with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
            size, least, most = np.exp(value), np.exp(low), np.exp(high)
            columns: dict[str, Any] = {"compute": budgets, "N": size, "N_low": least, "N_high": most}
            columns |= {"D": product / size, "D_low": product / most, "D_high": product / least}
            for end, n in (("", size), ("_low", most), ("_high", least)):
                columns[f"tokens_per_parameter{end}"] = product / n / n
        status = [str(FitStatus.TOO_FEW_DATA)] * len(budgets) if self._line.lacks else interval_status(failed)
        messages = [self._line.lacks or failure_message(["N"] if bad else []) for bad in failed]
        return pd.DataFrame(columns | {"status": status, "message": messages})

    def _minimum(self, budget: float, curve: Curve, draws: np.ndarray) -> dict[str, float | str]:
        """The minimum of one budget, as in `minima_`."""
        if curve.status is not MinimumStatus.ACCEPTED:
            nothing = dict.fromkeys(("N", "N_low", "N_high", "D", "loss"), np.nan)
            return {"status": str(curve.status)} | nothing | {"message": ""}
        low, high = _percentiles(draws, self.level)
        ends = Interval(np.fmin([low], curve.resolution[0]), np.fmax([high], curve.resolution[1]))
        held, failed = hold_estimate(np.array([curve.place]), ends)
        return {
            "status": str(curve.status),
            "N": np.exp(curve.place),
            "N_low": np.exp(held.low[0]),
            "N_high": np.exp(held.high[0]),
            "D": budget / self.flops_per_token_parameter / np.exp(curve.place),
            "loss": curve.least,
            "message": failure_message(["N"] if failed[0] else []),
        }

    def _say_exponent(self) -> None:
        """The exponent through the accepted minima, its interval, and what is to be said of both."""
        line = self._line
        slope, ends, failed = line.slope(self.level)
        self.exponent_, self.exponent_interval_ = slope, ends
        self.coefficient_ = float(np.exp(line.at(np.zeros(1), self.level)[0][0]))
        self.n_failed_refits_, self.scatter_ = line.n_failed, line.scatter
        scattered = (
            f"the minima scatter {line.scatter:.2g} times as far about their line as the noise of the losses explains; "
            "its intervals are widened by that"
        )
        told = [scattered] if line.widening > 1 else []
        self.message_ = line.lacks or "; ".join([*told, *filter(None, [failure_message(["the exponent"] * failed)])])


class _Line:
    """The least-squares line of ln N_opt in ln C through the accepted minima, and those of the resampled data.

    Attributes:
        lacks: what is lacking for an interval, '' for nothing.
        n_failed: draws without two accepted minima, left out.
        scatter: root of the mean square of the minima's distance from the line, in their own standard errors; NaN where
            there are fewer than three, or no noise.
        widening: of the intervals: `scatter` where it is more than chance, else 1.
    """

    def __init__(self, log_budgets: np.ndarray, places: np.ndarray, draws: np.ndarray) -> None:
        """Log budgets (R,), places in ln N (R,) and draws of them (b, R); NaN where there is none."""
        found = np.isfinite(places)
        accepted = int(found.sum())
        # A budget without a minimum has none in the draws either: those that it would have lie at its edge.
        self._x, self._places, self._draws = log_budgets[found], places[None, found], draws[:, found]
        self.lacks = {
            0: f"none of {len(places)} budgets has a minimum that can be quoted: no exponent",
            1: f"1 of {len(places)} budgets have a minimum that can be quoted: no exponent",
            2: "two budgets with a minimum: an exponent without an interval",
        }.get(accepted, "")
        self.n_failed = int(np.sum(np.isfinite(self._draws).sum(axis=1) < 2))
        self.scatter, self.widening = self._scatter(accepted)

    def at(self, x: np.ndarray, level: float) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray], np.ndarray]:
        """ln N at ln C = x (m,), its interval, and (m,) where that did not hold the value."""
        values = _along(self._x, self._places, x)[0]
        drawn = _along(self._x, self._draws, x)
        return values, *self._interval(values, drawn, level)

    def slope(self, level: float) -> tuple[float, tuple[float, float], bool]:
        """The exponent, its interval, and whether that did not hold it."""
        step = np.array([0.0, 1.0])
        value = np.diff(_along(self._x, self._places, step))[0]
        (low, high), failed = self._interval(value, np.diff(_along(self._x, self._draws, step)), level)
        return float(value[0]), (float(low[0]), float(high[0])), bool(failed[0])

    def _interval(
        self, values: np.ndarray, drawn: np.ndarray, level: float
    ) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
        if self.lacks:
            nothing = np.full(len(values), np.nan)
            return (nothing, nothing), np.zeros(len(values), dtype=bool)
        low, high = np.array([_percentiles(column, level) for column in drawn.T]).T
        held, failed = hold_estimate(values, Interval(low, high))
        low, high = (values + self.widening * (end - values) for end in (held.low, held.high))
        return (low, high), failed

    def _scatter(self, accepted: int) -> tuple[float, float]:
        if accepted < 3:
            return np.nan, 1.0
        variance = np.array([np.var(drawn[np.isfinite(drawn)]) for drawn in self._draws.T if np.isfinite(drawn).any()])
        # Without noise the draws differ by rounding alone, which tells nothing of how far minima may lie off a line.
        rounding = np.finfo(float).eps * self._places[0] ** 2
        if len(variance) < accepted or not (variance > rounding).all():
            return np.nan, 1.0
        weight = 1 / np.sqrt(variance)
        design = np.stack([np.ones(accepted), self._x - self._x.mean()], axis=1) * weight[:, None]
        target = self._places[0] * weight
        residual = target - design @ np.linalg.lstsq(design, target, rcond=None)[0]
        chi_square = float(residual @ residual)
        scatter = float(np.sqrt(chi_square / (accepted - 2)))
        return scatter, max(scatter, 1.0) if chi_square > chdtri(accepted - 2, 1 - _SCATTERED) else 1.0


def _along(x: np.ndarray, places: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(b, m) at `wanted` (m,) on the least-squares lines through places (b, R) at x (R,), over those that are not NaN;
    NaN with fewer than two."""
    known = np.isfinite(places)
    count = known.sum(axis=1)
    filled = np.where(known, places, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        middle = known @ x / count
        off = np.where(known, x - middle[:, None], 0.0)
        slope = (off * filled).sum(axis=1) / (off**2).sum(axis=1)
        value = (filled.sum(axis=1) / count)[:, None] + slope[:, None] * (wanted - middle[:, None])
    return np.where(count[:, None] >= 2, value, np.nan)


def _percentiles(draws: np.ndarray, level: float) -> tuple[float, float]:
    draws = draws[np.isfinite(draws)]
    if not len(draws):
        return float("nan"), float("nan")
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
