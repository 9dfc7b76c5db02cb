"""Compute-optimal sizes read off the runs themselves: IsoFLOP parabolas (approach 2) and the envelope (approach 1).

On asymmetric surfaces the parabola is biased even without noise, the more so the wider its curve (measured in
experiments/published_laws), so the surface fit with `planning.allocation` is the default and these stand beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from harness.analysis.checks import check_between_0_and_1, positive_columns
from harness.analysis.fitting.intervals import Interval, failure_message, hold_estimate
from harness.analysis.fitting.shared_errors import GAP, WIDEST, near
from harness.errors import SettingError, UserError

#: Fewest sizes of a budget: with three a parabola goes through all of them, and nothing is left to judge it by.
MIN_SIZES = 4
#: Level at which residuals, resampled as they are, are widened for few degrees of freedom: by Student's t over normal.
_WIDENED_AT = 0.95


class MinimumStatus(StrEnum):
    """Whether a budget's curve has a minimum that can be quoted."""

    ACCEPTED = "accepted"
    TOO_FEW = "too few sizes"
    CURVATURE = "curves downwards"
    EDGE = "minimum beyond the sizes measured"


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
            the largest.
        flops_per_token_parameter: C = this x N x D.
        level: of the intervals, in (0, 1).
        n_bootstrap: data sets in which residuals are resampled (approach 2), or runs (approach 1).
        seed: of the bootstrap.

    After `fit`:
        budget_: (n,) the budget of each run, in the order given.
        minima_: a row a budget: budget, n_runs, status, N, N_low, N_high, D, loss (N and on are NaN unless accepted),
            and message ('' unless the interval found did not hold N).
        exponent_, exponent_interval_: of N_opt in C; NaN with fewer than two accepted budgets, and the interval too
            with fewer than three.
        message_: '' or what is lacking, or an interval that did not hold its estimate.
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
    message_: str = field(init=False, repr=False)
    n_failed_refits_: int = field(init=False, repr=False)

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
        curves = [(np.log(n[budget == c]), loss[budget == c]) for c in budgets]
        rng = np.random.default_rng(self.seed)
        if self.approach == 2:
            fits = [_Parabola(size, y) for size, y in curves]
            pooled = _pooled(fits)
            draws = np.stack([fit.resampled(pooled, self.n_bootstrap, rng) for fit in fits], axis=1)
        else:
            fits = [_Lowest(size, y) for size, y in curves]  # type: ignore[misc]
            draws = np.stack([fit.resampled(None, self.n_bootstrap, rng) for fit in fits], axis=1)
        rows = [
            {"budget": c, "n_runs": len(size)} | self._minimum(c, fit, drawn)
            for c, (size, _), fit, drawn in zip(budgets, curves, fits, draws.T, strict=True)
        ]
        self.minima_ = pd.DataFrame(rows)
        self._through(np.log(budgets), np.array([fit.place for fit in fits]), draws)
        return self

    def _minimum(self, budget: float, fit: _Parabola | _Lowest, draws: np.ndarray) -> dict[str, float | str]:
        """The minimum of one budget, as in `minima_`."""
        if fit.status is not MinimumStatus.ACCEPTED:
            nothing = dict.fromkeys(("N", "N_low", "N_high", "D", "loss"), np.nan)
            return {"status": str(fit.status)} | nothing | {"message": ""}
        size = np.exp(fit.place)
        low, high = np.exp(_percentiles(draws, self.level))
        held, failed = hold_estimate(np.array([size]), Interval(np.array([low]), np.array([high])))
        return {
            "status": str(fit.status),
            "N": size,
            "N_low": held.low[0],
            "N_high": held.high[0],
            "D": budget / self.flops_per_token_parameter / size,
            "loss": fit.least,
            "message": failure_message(["N"] if failed[0] else []),
        }

    def _through(self, log_budgets: np.ndarray, places: np.ndarray, draws: np.ndarray) -> None:
        """The exponent through the accepted minima, and its interval."""
        self.message_, self.exponent_, self.exponent_interval_ = "", np.nan, (np.nan, np.nan)
        slopes = _slopes(log_budgets, draws)
        self.n_failed_refits_ = int(np.sum(np.isnan(slopes)))
        accepted = int(np.sum(np.isfinite(places)))
        if accepted < 2:
            self.message_ = f"{accepted} of {len(places)} budgets have a minimum that can be quoted: no exponent"
            return
        self.exponent_ = float(_slopes(log_budgets, places[None])[0])
        if accepted < 3:
            self.message_ = "two budgets with a minimum: an exponent without an interval"
            return
        ends = [np.array([end]) for end in _percentiles(slopes, self.level)]
        held, failed = hold_estimate(np.array([self.exponent_]), Interval(*ends))
        self.exponent_interval_ = (float(held.low[0]), float(held.high[0]))
        self.message_ = failure_message(["the exponent"] if failed[0] else [])


class _Parabola:
    """loss = a + b (ln N - m) + c (ln N - m)^2 of one budget."""

    def __init__(self, size: np.ndarray, loss: np.ndarray) -> None:
        self._middle, self._ends = size.mean(), (size.min(), size.max())
        self.enough = len(np.unique(size)) >= MIN_SIZES
        design = np.stack([(size - self._middle) ** k for k in range(3)], axis=1)
        self._inverse = np.linalg.pinv(design)
        self._fitted = design @ (self._inverse @ loss)
        self.residual = loss - self._fitted
        place, least, curvature = self._vertex(loss)
        self.least = float(least)
        inside = self._ends[0] < place < self._ends[1]
        if not self.enough:
            self.status = MinimumStatus.TOO_FEW
        elif curvature <= 0:
            self.status = MinimumStatus.CURVATURE
        else:
            self.status = MinimumStatus.ACCEPTED if inside else MinimumStatus.EDGE
        self.place = float(place) if self.status is MinimumStatus.ACCEPTED else np.nan

    def _vertex(self, loss: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Place in ln N, least loss, and curvature, of loss (..., n)."""
        a, b, c = np.moveaxis(loss @ self._inverse.T, -1, 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            return self._middle - b / (2 * c), a - b**2 / (4 * c), c

    def resampled(self, residual: np.ndarray | None, n_draws: int, rng: np.random.Generator) -> np.ndarray:
        """(n_draws,) places, NaN where a drawn curve is not accepted."""
        if not self.enough or residual is None or not len(residual):
            return np.full(n_draws, np.nan)
        place, _, curvature = self._vertex(self._fitted + rng.choice(residual, size=(n_draws, len(self._fitted))))
        inside = (curvature > 0) & (place > self._ends[0]) & (place < self._ends[1])
        return np.where(inside, place, np.nan)


class _Lowest:
    """The run of lowest loss of one budget."""

    def __init__(self, size: np.ndarray, loss: np.ndarray) -> None:
        order = np.argsort(size, kind="stable")
        self._size, self._loss = size[order], loss[order]
        best = int(np.argmin(self._loss))
        self.least = float(self._loss[best])
        if len(np.unique(size)) < MIN_SIZES - 1:
            self.status = MinimumStatus.TOO_FEW
        else:
            inside = self._size[0] < self._size[best] < self._size[-1]
            self.status = MinimumStatus.ACCEPTED if inside else MinimumStatus.EDGE
        self.place = float(self._size[best]) if self.status is MinimumStatus.ACCEPTED else np.nan

    def resampled(self, _: np.ndarray | None, n_draws: int, rng: np.random.Generator) -> np.ndarray:
        drawn = rng.integers(len(self._size), size=(n_draws, len(self._size)))
        chosen = np.take_along_axis(drawn, np.argmin(self._loss[drawn], axis=1)[:, None], axis=1)[:, 0]
        place = self._size[chosen]
        return np.where((place > self._size[0]) & (place < self._size[-1]), place, np.nan)


def _pooled(fits: list[_Parabola]) -> np.ndarray:
    """Residuals of all budgets together, widened for the three parameters that each parabola took and for few runs."""
    enough = [fit for fit in fits if fit.enough]
    if not enough:
        return np.empty(0)
    residual = np.concatenate([fit.residual for fit in enough])
    freedom = len(residual) - 3 * len(enough)
    tail = (1 + _WIDENED_AT) / 2
    student = stats.t.ppf(tail, freedom) / stats.norm.ppf(tail) if freedom > 0 else 1.0
    return (residual - residual.mean()) * np.sqrt(len(residual) / max(freedom, 1)) * student


def _slopes(x: np.ndarray, places: np.ndarray) -> np.ndarray:
    """(b,) least-squares slopes of places (b, R) on x (R,), over those that are not NaN; NaN with fewer than two."""
    known = np.isfinite(places)
    count = known.sum(axis=1)
    filled = np.where(known, places, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        off = np.where(known, x - (known @ x / count)[:, None], 0.0)
        slope = (off * filled).sum(axis=1) / (off**2).sum(axis=1)
    return np.where(count >= 2, slope, np.nan)


def _percentiles(draws: np.ndarray, level: float) -> tuple[float, float]:
    draws = draws[np.isfinite(draws)]
    if not len(draws):
        return float("nan"), float("nan")
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
