"""From size to a metric through the loss: two laws composed, with the uncertainty of both carried through."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import ndtri, stdtrit

from harness.analysis.checks import check_between_0_and_1
from harness.analysis.fitting.estimator import ScalingLaw
from harness.analysis.fitting.intervals import Interval, failure_message, hold_estimate
from harness.analysis.fitting.laws import Law
from harness.analysis.fitting.status import interval_status
from harness.analysis.planning.forecast import Forecaster
from harness.errors import DataError, SettingError, nearest

#: Laws of the metric given the loss, by the name a user gives.
LINKS = {"exponential": "exponential_of_loss", "sigmoid": "sigmoid_of_loss"}
#: Losses at which the band of the link is computed; between them it is interpolated, for it changes slowly.
_BAND_LOSSES = 33


@dataclass
class Chain:
    """metric = link(loss(x)): Gadre et al. 2024, section 3.4 (exponential); Bhagia et al. 2024 (sigmoid).

    Args:
        link: key of `LINKS`: 'exponential' for an error that saturates at high loss, 'sigmoid' for a share in [0, 1].
        law: of the loss, as `Forecaster` takes it.
        level: of the intervals, in (0, 1).
        n_draws: losses drawn to carry their uncertainty through the link.
        seed: of the draws.

    After `fit`:
        loss_: the `Forecaster` of the loss.
        link_: the `ScalingLaw` of the metric given the loss.
    """

    link: str = "sigmoid"
    law: str | Law = "best"
    level: float = 0.95
    n_draws: int = 4000
    seed: int = 0

    loss_: Forecaster = field(init=False, repr=False)
    link_: ScalingLaw = field(init=False, repr=False)

    def fit(self, x: ArrayLike | pd.DataFrame, loss: ArrayLike, metric: ArrayLike) -> Chain:
        """Fit to rows x (n,) or (n, d), loss (n,) > 0 and metric (n,), a row a run.

        Raises:
            DataError: a metric that is the same in all runs, which nothing leads to.
            UserError: as `Forecaster.fit` and `ScalingLaw.fit`.
        """
        check_between_0_and_1(level=self.level)
        if self.link not in LINKS:
            raise SettingError("link", self.link, f"one of {', '.join(LINKS)}{nearest(self.link, LINKS)}")
        values = np.asarray(metric, dtype=float)
        if len(values) and (values == values[0]).all():
            raise DataError(f"the metric is {values[0]:g} in all {len(values)} runs: no loss leads to another value")
        self.loss_ = Forecaster(law=self.law, level=self.level).fit(x, loss)
        self.link_ = ScalingLaw(law=LINKS[self.link], level=self.level).fit(loss, metric)
        return self

    def predict(self, x: ArrayLike | pd.DataFrame, level: float | None = None) -> pd.DataFrame:
        """Forecasts of the metric of a new run at x (m,) or (m, d).

        The new run's loss is drawn from its forecast, and the link's own uncertainty at that loss is added to each
        draw.

        Returns:
            The variables of x, loss, and predicted, low, high of the metric; status ('converged', or 'interval failed'
            where the percentiles of the draws do not hold the prediction) and message.
        """
        level = self.level if level is None else level
        check_between_0_and_1(level=level)
        loss = self.loss_.predict(x, level=level)
        rng = np.random.default_rng(self.seed)
        rows = [
            self._metric(middle, high, level, rng) for middle, high in zip(loss["predicted"], loss["high"], strict=True)
        ]
        point, low, high = map(np.array, zip(*rows, strict=True))
        if self.link == "sigmoid":
            low, high = np.clip(low, 0, 1), np.clip(high, 0, 1)
        held, failed = hold_estimate(point, Interval(low, high))
        table = loss[list(self.loss_.variables_)].assign(loss=loss["predicted"], predicted=point)
        messages = [failure_message(["the metric"] if bad else []) for bad in failed]
        return table.assign(low=held.low, high=held.high, status=interval_status(failed), message=messages)

    def _metric(
        self, loss: float, loss_high: float, level: float, rng: np.random.Generator
    ) -> tuple[float, float, float]:
        """Metric at a forecast loss with the high end of its interval, and percentiles of the metric of a new run."""
        t = stdtrit(self.loss_.freedom_, (1 + level) / 2)
        deviate = rng.standard_t(self.loss_.freedom_, self.n_draws)
        drawn = loss * np.exp(np.log(loss_high / loss) / t * deviate)
        places = np.unique(np.quantile(drawn, np.linspace(0, 1, _BAND_LOSSES)))
        band = self.link_.predict(np.concatenate([places, [loss]]), level=level)
        assert isinstance(band, pd.DataFrame)
        half = (band["run_high"] - band["run_low"]).to_numpy()[:-1] / 2
        own = rng.standard_normal(self.n_draws) * np.interp(drawn, places, half)
        values = np.interp(drawn, places, band["predicted"].to_numpy()[:-1]) + own / ndtri((1 + level) / 2)
        low, high = -np.inf, np.inf  # a link that its data leave open says nothing of the metric
        if np.isfinite(values).all():
            low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
        return float(band["predicted"].iloc[-1]), float(low), float(high)
