"""Scores from per-example outputs: every discontinuous metric has a continuous one on the same outputs.

The thesis tested downstream (Schaeffer et al. 2023, "Are Emergent Abilities of Large Language Models a Mirage?") is
that a jump can come from the metric. That can only be told if both kinds are measured on the very same outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Outputs:
    """What a model said about B examples of S answer positions.

    Attributes:
        log_prob: (B, S) natural-log probability given to the right answer, <= 0.
        correct: (B, S) bool, whether the most probable answer was the right one.
        scored: (B, S) bool, positions that count; at least one in each row.
    """

    log_prob: np.ndarray
    correct: np.ndarray
    scored: np.ndarray


@dataclass(frozen=True)
class Metric:
    """A score per example, and what a reader must know to compare its values.

    Attributes:
        name: as it appears in the tables.
        score: Outputs -> (B,) values; their mean is the metric.
        discontinuous: whether it can jump where the outputs move smoothly.
        higher_is_better: direction.
        paired_metric: for a discontinuous metric, the continuous one that judges it; else None.
    """

    name: str
    score: Callable[[Outputs], np.ndarray]
    discontinuous: bool
    higher_is_better: bool
    paired_metric: str | None = None


def _mean_over_scored(values: np.ndarray, scored: np.ndarray) -> np.ndarray:
    return np.where(scored, values, 0.0).sum(axis=1) / scored.sum(axis=1)


LOSS = Metric("loss", lambda o: -_mean_over_scored(o.log_prob, o.scored), False, False)
TOKEN_ACCURACY = Metric("token_accuracy", lambda o: _mean_over_scored(o.correct.astype(float), o.scored), False, True)
ANSWER_LOG_LIKELIHOOD = Metric(
    "answer_log_likelihood", lambda o: np.where(o.scored, o.log_prob, 0.0).sum(axis=1), False, True
)
EXACT_MATCH = Metric(
    "exact_match", lambda o: (o.correct | ~o.scored).all(axis=1).astype(float), True, True, "token_accuracy"
)
ACCURACY = Metric("accuracy", lambda o: _mean_over_scored(o.correct.astype(float), o.scored), True, True, "loss")
