"""What the library finds in planted curves, a row a curve: each is analysed alone, as a table of one curve would be."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from harness.analysis.curves import Curve, binomial_variance
from harness.analysis.emergence.assessment import Assessed
from harness.analysis.emergence.evidence import Finding, examine
from harness.analysis.emergence.known_scores import breakthroughness, change_point_ratio, largest_step, linearity
from harness.analysis.emergence.thresholds import Places, places_of
from harness.analysis.runs import Runs
from harness.datasets import PlantedCurves

#: Error rate of the states.
ALPHA = 0.05
KNOWN_SCORES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "breakthroughness": breakthroughness,
    "linearity": linearity,
    "largest step": largest_step,
    "change point": lambda means: -change_point_ratio(means),
}
#: All smooth: what is found where all values are equal.
_NOTHING = {"p": 1.0, "statistic": -10.0, "state": "flat", "up": True, "by_seed": False, "low": np.nan, "high": np.nan}


def examined(planted: Sequence[PlantedCurves], curves: Sequence[Curve]) -> pd.DataFrame:
    """A row for each of the planted curves: the truth, p value, statistic, state, place, known scores.

    Args:
        planted: what the first curves are of, in order.
        curves: as `as_curves` makes them; further ones are examined along with them, for noise that is pooled.
    """
    truth = pd.concat([_truth(each) for each in planted], ignore_index=True)
    found = pd.DataFrame([_found(finding) for finding in examine(curves)[: len(truth)]])
    return pd.concat([truth, found], axis=1)


def as_curves(planted: PlantedCurves, t: np.ndarray, a_study: int = 1) -> list[Curve]:
    """Curves at sizes 2^t, as `harness.analysis.curves.make_curves` would make them of a table.

    Args:
        t: (K,) places of the sizes in steps.
        a_study: curves that are tasks of one study, whose noise is pooled.
    """
    n, n_sizes, n_seeds = planted.values.shape
    rung = np.repeat(np.arange(n_sizes), n_seeds)
    seed = np.tile(np.arange(n_seeds), n_sizes)
    evaluation = binomial_variance(planted.values.mean(axis=2), planted.n_eval[:, None], n_seeds)
    rows = np.arange(len(rung))
    return [
        Curve(
            study=str(i // a_study),
            task=str(i),
            subtask="all",
            metric="accuracy",
            runs=Runs(2.0**t, rung, planted.values[i].ravel(), rows),
            seed=seed,
            evaluation=evaluation[i],
            repeated=0,
            chance=float(planted.chance[i]),
            higher_is_better=True,
            discontinuous=True,
            paired_metric="",
        )
        for i in range(n)
    ]


def _truth(planted: PlantedCurves) -> pd.DataFrame:
    """Where and how high the step is, its share of the whole rise, and what the scores of the literature say."""
    means = planted.values.mean(axis=2)
    total = np.ptp(planted.expected.mean(axis=2), axis=1)
    scores = {name: score(means) for name, score in KNOWN_SCORES.items()}
    share = np.divide(planted.height, total, out=np.ones_like(total), where=total > 0)
    return pd.DataFrame({"height": planted.height, "share": share, "place": planted.midpoint} | scores)


def _found(finding: Finding | None) -> dict[str, float | str | bool]:
    """What is kept of a finding; values all equal are no rise."""
    if finding is None:
        return _NOTHING
    test = finding.test
    assessed = Assessed(finding.curve, finding, test.p_value, ALPHA)
    found = {"p": test.p_value, "statistic": test.statistic, "state": str(assessed.state), "up": test.up}
    return _NOTHING | found | {"by_seed": test.by_seed} | _place(assessed)


def _place(assessed: Assessed) -> dict[str, float]:
    """Ends of the interval of N*, in steps, of a curve that is flagged."""
    places = places_of(assessed)
    if assessed.p_adjusted >= ALPHA or not isinstance(places, Places):
        return {}
    where = places.threshold(0.5, 0.95)
    with np.errstate(divide="ignore"):
        return {"low": float(np.log2(where.low)), "high": float(np.log2(where.high))}
