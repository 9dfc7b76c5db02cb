"""The error of a network as a law of the number of training images, and forecasts for more of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

import harness

EXAMPLES = "unique_examples"
LEVEL = 0.95
#: Draws that make an interval, and their seed.
_DRAWS, _SEED = 20_000, 0


def errors(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of accuracy on all classes as rows of the share of wrong answers."""
    found = frame[(frame["metric"] == "accuracy") & (frame["subtask"] == "all")]
    wrong = {"metric": "error", "value": 1 - found["value"], "chance": 1 - found["chance"], "higher_is_better": False}
    return found.assign(**wrong)


@dataclass(frozen=True)
class Forecast:
    """The error of a new run on `examples` images, with its interval at `LEVEL`."""

    study: str
    examples: int
    predicted: float
    low: float
    high: float

    def holds(self, error: float) -> bool:
        return self.low <= error <= self.high

    def __str__(self) -> str:
        right, low, high = (f"{100 * (1 - error):.2f}" for error in (self.predicted, self.high, self.low))
        return f"{self.study}: {right} % right ({low} to {high}) on {self.examples:,} images"


def forecast(runs: pd.DataFrame, study: str, examples: int, other_images: int | None = None) -> Forecast:
    """The error of a new run, from runs on fewer images.

    The forecaster's interval has the fit's uncertainty, the laws' disagreement and the noise of a new run. All runs
    were evaluated on the same n images. Where the new run is evaluated on others, m of them, both samples of images
    count: the variance of ln error grows by (1 - error) / error * (1 / n + 1 / m).

    Args:
        runs: rows of errors of one study.
        other_images: m; None where the new run is evaluated on the same images.
    """
    clusters = runs[EXAMPLES]  # runs of one number of images saw the same images
    fitted = harness.Forecaster(level=LEVEL).fit(runs[[EXAMPLES]], runs["value"], runs["seed"], clusters=clusters)
    rng = np.random.default_rng(_SEED)
    drawn = fitted.draws([[examples]], _DRAWS, rng)[:, 0]
    if other_images is not None:
        per_image = 1 / runs["n_eval"].iloc[0] + 1 / other_images
        odds = np.clip((1 - drawn) / drawn, 0, None)
        drawn = drawn * np.exp(np.sqrt(odds * per_image) * rng.standard_normal(_DRAWS))
    low, middle, high = np.quantile(drawn, [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2])
    return Forecast(study, examples, float(middle), float(low), float(high))
