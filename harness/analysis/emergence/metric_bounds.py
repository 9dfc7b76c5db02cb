"""What a metric can be: a share of right answers lies in [0, 1], a loss is not negative."""

from __future__ import annotations

import numpy as np

from harness.analysis.curves import Curve
from harness.metric_names import words

#: Words that name a share, also where it is continuous: token accuracy, the probability of the right answer.
_SHARES = {"accuracy", "acc", "prob", "probs", "probability", "probabilities"}


def names_a_share(metric: str) -> bool:
    """Whether a metric of this name lies in [0, 1]."""
    return bool(_SHARES & set(words(metric)))


def bounds_of(curve: Curve) -> tuple[float, float]:
    """Least and largest value that the metric can take, in the orientation in which higher is better.

    A discontinuous metric, or one named a share, all of whose values lie in [0, 1] is a share. Where smaller is better,
    a metric without a negative value has none. Everything else may be anything.
    """
    values = curve.runs.value
    low, high = -np.inf, np.inf
    if not curve.higher_is_better and values.min() >= 0:
        low = 0.0
    if values.min() >= 0 and values.max() <= 1 and (curve.discontinuous or names_a_share(curve.metric)):
        low, high = 0.0, 1.0
    return (low, high) if curve.higher_is_better else (-high, -low)
