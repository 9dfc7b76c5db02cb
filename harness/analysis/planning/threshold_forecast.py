"""N* of a family that was only pretrained, from smaller models of it that were fine-tuned on growing amounts of a task.

After Snell et al. 2024, "Predicting Emergent Capabilities by Finetuning" (arXiv:2411.16035). METHOD.md in this folder,
section 9, says what differs and why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from harness.analysis.checks import check_between_0_and_1, check_fitted
from harness.analysis.planning.amounts import Place, places, trend
from harness.analysis.planning.threshold_law import LEAST_TOP, AmountRows, draw_law
from harness.errors import DataError, SettingError
from harness.records.columns import FINITE, NOT_NEGATIVE, POSITIVE, numbers
from harness.wording import count, counted

#: Sizes and amounts from which a law is fitted, and amounts of these with which some of the sizes must be able.
MIN_SIZES, MIN_AMOUNTS, MIN_REACHED = 4, 3, 2
#: P value below which amounts are said to move the threshold.
MOVES = 0.05
#: Probability from which a threshold is said to lie on the ladder, or the ability to be there already.
SURE = 0.8
#: Factor within which `at` is what pretraining is worth: nobody knows it better, and no law is exact.
WITHIN = 3.0
#: Share of the prior's spread of ln W above which a forecast is said to rest on the prior.
UNTOLD = 0.5
#: An end this many times the largest size is open.
MOST_REACH = 1e4
#: Squared errors of size 1 that are added to those of rolling forecasts.
USUAL_ERRORS = 3.0
_DRAWS = 4000


class ForecastStatus(StrEnum):
    """What came of it; only `FORECAST` has an N*."""

    FORECAST = "forecast"
    NOT_IDENTIFIABLE = "not identifiable"
    ALREADY_THERE = "already there"
    TOO_FEW_DATA = "too few data"


@dataclass
class ThresholdForecaster:
    """Forecasts where an ability appears along the sizes of a pretrained family.

    Args:
        at: examples of the task that pretraining is taken to be worth, to within a factor of `WITHIN`; None for
            anything from one to the largest amount, with every order of magnitude as likely, as far as the runs do not
            tell.
        top: what an able model scores, as a share of the way from chance to 1; None where the runs are to tell.
        level: of the intervals.
        random_state: seed of the draws.

    Attributes:
        status_: a `ForecastStatus`; message_: why there is no forecast, or what it rests on.
        threshold_, low_, high_: N* of the pretrained family in the unit of size, and its interval; NaN where there is
            none, and an end inf where it is open.
        rests_on_choice_: whether the runs leave what pretraining is worth to `at` or the prior.
        thresholds_: a row an amount with N* by its own runs: amount, threshold, low, high (0 and inf off the ladder),
            n_runs.
        p_value_: one-sided, that more examples do not move the threshold towards smaller models.
        dispersion_: of the scores over those of one item a run.
        rolling_: a row an amount that was forecast from larger ones: amount, threshold, predicted, error (of ln N, in
            standard deviations).
        calibration_: factor on the interval by those errors, at least 1.
        n_runs_: rows; smallest_, largest_: sizes.
    """

    at: float | None = None
    top: float | None = None
    level: float = 0.95
    random_state: int = 0

    status_: ForecastStatus = field(init=False, repr=False)
    message_: str = field(init=False, repr=False)
    threshold_: float = field(init=False, repr=False)
    low_: float = field(init=False, repr=False)
    high_: float = field(init=False, repr=False)
    rests_on_choice_: bool = field(init=False, repr=False)
    thresholds_: pd.DataFrame = field(init=False, repr=False)
    p_value_: float = field(init=False, repr=False)
    dispersion_: float = field(init=False, repr=False)
    rolling_: pd.DataFrame = field(init=False, repr=False)
    calibration_: float = field(init=False, repr=False)
    n_runs_: int = field(init=False, repr=False)
    smallest_: float = field(init=False, repr=False)
    largest_: float = field(init=False, repr=False)

    def fit(
        self, x: ArrayLike | pd.DataFrame, y: ArrayLike, parents: ArrayLike | None = None, *, chance: float = 0.0
    ) -> ThresholdForecaster:
        """Fit to runs of one ability, of sizes below the threshold that is to be foretold.

        Args:
            x: (n, 2) size, > 0, and examples that the run was fine-tuned on, 0 for the pretrained family itself.
            y: (n,) score, of which more is better, at most 1.
            parents: (n,) labels of the pretrained run that each began from: runs of one parent err together. None
                takes every run for one that errs by itself.
            chance: score of a guesser, below 1.

        Raises:
            DataError: a value that cannot be used; names column and row.
            SettingError: a setting out of its range.
        """
        self._check()
        rows, sizes = _gather(x, y, parents, chance)
        self.n_runs_ = len(rows.score)
        self.smallest_, self.largest_ = float(sizes.min()), float(sizes.max())
        self.threshold_ = self.low_ = self.high_ = self.p_value_ = self.dispersion_ = self.calibration_ = float("nan")
        self.__dict__.pop("_law", None)
        self.thresholds_, self.rolling_, self.rests_on_choice_ = _amounts_of([], rows), _rolling_of([]), False
        if short := _short_of(rows):
            self.status_, self.message_ = ForecastStatus.TOO_FEW_DATA, short
            return self
        rng = np.random.default_rng(self.random_state)
        tuned = rows.part(rows.amount > 0)
        found = trend(tuned, self.top)
        self.p_value_, self.dispersion_ = found.p_value, found.dispersion
        worth = self._worth(rows)
        law = draw_law(rows, found.dispersion, worth, self.top, _DRAWS, rng)
        placed = places(rows, law, found.dispersion, self.level)
        self.thresholds_ = _amounts_of(placed, rows)
        self.status_, self.message_ = self._judge(placed)
        if self.status_ is ForecastStatus.FORECAST:
            errors = self._roll(tuned, placed, rng)
            self.rolling_ = _rolling_of(errors)
            self.calibration_ = _calibration(self.rolling_["error"].to_numpy(float))
            self._law = law
            (row,) = self.predict(np.zeros(1)).to_dict("records")
            self.threshold_, self.low_, self.high_ = row["threshold"], row["low"], row["high"]
            self.message_ = self._rests_on(worth)
        return self

    def predict(self, amounts: ArrayLike, level: float | None = None) -> pd.DataFrame:
        """N* by the law at amounts (m,) of fine-tuning examples, 0 for none: amount, threshold, low, high.

        Raises:
            UserError: not fitted, or there is no forecast.
        """
        level = self.level if level is None else level
        check_between_0_and_1(level=level)
        check_fitted(self, "_law")
        amounts = numbers(amounts, "amount", NOT_NEGATIVE)
        drawn = self._law.at(amounts)
        middle = np.median(drawn, axis=0)
        ends = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
        low, high = middle + self.calibration_ * (ends - middle)
        far = np.log(self.largest_ * MOST_REACH)
        with np.errstate(over="ignore"):
            return pd.DataFrame(
                {
                    "amount": amounts,
                    "threshold": np.exp(middle),
                    "low": np.exp(low),
                    "high": np.where(high > far, np.inf, np.exp(high)),
                }
            )

    def _check(self) -> None:
        check_between_0_and_1(level=self.level)
        if self.at is not None and not (np.isfinite(self.at) and self.at > 0):
            raise SettingError("at", self.at, "a number of examples above 0")
        if self.top is not None and not LEAST_TOP <= self.top <= 1:
            raise SettingError("top", self.top, f"a share from {LEAST_TOP:g} to 1 of the way from chance to 1")

    def _judge(self, placed: Sequence[Place]) -> tuple[ForecastStatus, str]:
        """Whether there is something to foretell, and what is in the way."""
        for place in placed:
            if place.amount == 0 and place.high < np.inf:
                there = "the pretrained family has it within the sizes used: there is nothing to foretell"
                return ForecastStatus.ALREADY_THERE, f"{there}; fit sizes below its threshold alone"
        reached = [place for place in placed if place.amount > 0 and place.reached >= SURE]
        if len(reached) < MIN_REACHED:
            which = "no amount brings" if not reached else f"only {counted_examples(reached[0].amount)} bring"
            missing = f"{which} the threshold down to the sizes used; {MIN_REACHED} amounts must"
            return ForecastStatus.NOT_IDENTIFIABLE, missing
        if max(place.on_ladder for place in reached) < SURE:
            below = (
                "with every amount that moves the threshold it lies below the sizes used: smaller ones would place it"
            )
            return ForecastStatus.NOT_IDENTIFIABLE, below
        if not self.p_value_ < MOVES:
            moved_by = f"more examples do not move the threshold (p = {self.p_value_:.2f})"
            return ForecastStatus.NOT_IDENTIFIABLE, moved_by
        return ForecastStatus.FORECAST, ""

    def _roll(
        self, tuned: AmountRows, placed: Sequence[Place], rng: np.random.Generator
    ) -> list[tuple[float, float, float, float]]:
        """Amount, ln N* by its own runs, ln N* foretold from larger amounts, and the error in standard deviations."""
        errors = []
        on_ladder = [place for place in placed if place.amount > 0 and place.on_ladder >= SURE]
        for place in on_ladder[:-MIN_REACHED]:
            larger = tuned.part(tuned.amount > place.amount)
            law = draw_law(larger, self.dispersion_, self._worth(larger), self.top, _DRAWS // 4, rng)
            foretold = law.at(np.array([place.amount]))[:, 0]
            sd = float(np.hypot(foretold.std(), place.sd))
            errors.append((place.amount, place.mean, float(foretold.mean()), (place.mean - foretold.mean()) / sd))
        return errors

    def _worth(self, rows: AmountRows) -> tuple[float, float]:
        """The least and the greatest number of examples that pretraining may be worth."""
        return (1.0, max(rows.most, 2.0)) if self.at is None else (self.at / WITHIN, self.at * WITHIN)

    def _rests_on(self, worth: tuple[float, float]) -> str:
        """What the forecast rests on, and whether that is a choice."""
        if self.at is not None:
            self.rests_on_choice_ = True
            return f"given that pretraining is worth {counted_examples(self.at)}, to within a factor of {WITHIN:g}"
        spread = float(np.log(self._law.worth).std())
        usual = float(np.log(worth[1] / worth[0]) / np.sqrt(12))
        low, middle, high = np.quantile(self._law.worth, [(1 - self.level) / 2, 0.5, (1 + self.level) / 2])
        self.rests_on_choice_ = spread > UNTOLD * usual
        if self.rests_on_choice_:
            return (
                f"rests on what pretraining is worth, which the runs leave open: from {count(low)} to "
                f"{counted_examples(high)} are possible, and at (--at) says how many"
            )
        return f"pretraining is worth {counted_examples(middle)} ({count(low)} to {count(high)}) by these runs"


def counted_examples(number: float) -> str:
    """1 example, 2,400 examples."""
    return counted(1, "example") if round(number) == 1 else f"{count(number)} examples"


def _gather(
    x: ArrayLike | pd.DataFrame, y: ArrayLike, parents: ArrayLike | None, chance: float
) -> tuple[AmountRows, np.ndarray]:
    """The rows, and their sizes (n,) as they are."""
    if not (np.isfinite(chance) and chance < 1):
        raise SettingError("chance", chance, "a number below 1")
    table = x if isinstance(x, pd.DataFrame) else pd.DataFrame(np.asarray(x))
    if table.shape[1:] != (2,):
        raise DataError(f"x has {counted(table.shape[1], 'column')}; two are wanted, sizes and amounts")
    names = [str(name) for name in table.columns] if isinstance(x, pd.DataFrame) else ["size", "amount"]
    size = numbers(table.iloc[:, 0], names[0], POSITIVE)
    amount = numbers(table.iloc[:, 1], names[1], NOT_NEGATIVE)
    score = numbers(y, "score", FINITE)
    if not len(size) == len(score):
        raise DataError(f"score has {len(score)} rows where x has {len(size)}")
    if len(above := np.flatnonzero(score > 1 + 1e-9)):
        raise DataError(f"score, row {above[0]}: {score[above[0]]:.12g}; allowed are scores of at most 1")
    if parents is None:
        parent = np.arange(len(size))
    else:
        labels = np.asarray(parents)
        if labels.shape != size.shape:
            raise DataError(f"parents has {len(labels)} rows where x has {len(size)}")
        parent = np.unique(labels.astype(str), return_inverse=True)[1]
    if not len(size):
        raise DataError("x has no rows: there is nothing to foretell from")
    return AmountRows(np.log(size), amount, np.clip((score - chance) / (1 - chance), 0.0, 1.0), parent), size


def _short_of(rows: AmountRows) -> str:
    """What the rows lack, '' for nothing."""
    tuned = rows.part(rows.amount > 0)
    n_sizes, n_amounts = len(np.unique(tuned.log_size)), len(np.unique(tuned.amount))
    if n_sizes < MIN_SIZES:
        return f"{counted(n_sizes, 'size')} fine-tuned: at least {MIN_SIZES} are wanted"
    if n_amounts < MIN_AMOUNTS:
        return f"{counted(n_amounts, 'amount')} of fine-tuning examples: at least {MIN_AMOUNTS} are wanted"
    return ""


def _calibration(errors: np.ndarray) -> float:
    """Root mean square of the errors and of `USUAL_ERRORS` of size 1, at least 1."""
    return max(1.0, float(np.sqrt((USUAL_ERRORS + np.sum(errors**2)) / (USUAL_ERRORS + len(errors)))))


def _amounts_of(placed: Sequence[Place], rows: AmountRows) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "amount": [place.amount for place in placed],
            "threshold": np.exp([place.middle for place in placed]),
            "low": np.exp([place.low for place in placed]),
            "high": np.exp([place.high for place in placed]),
            "n_runs": [int((rows.amount == place.amount).sum()) for place in placed],
        }
    )


def _rolling_of(errors: Sequence[tuple[float, float, float, float]]) -> pd.DataFrame:
    table = pd.DataFrame(errors, columns=["amount", "threshold", "predicted", "error"], dtype=float)
    return table.assign(threshold=np.exp(table["threshold"]), predicted=np.exp(table["predicted"]))
