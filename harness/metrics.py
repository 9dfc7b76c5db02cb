"""Scores of a model's outputs, example by example.

Every discontinuous metric is paired with a continuous one of the same outputs. A jump can come from the metric rather
than from the model (Schaeffer et al. 2023, "Are Emergent Abilities of Large Language Models a Mirage?"), and whether it
does can only be decided where both kinds are measured on the same outputs.

With p_s the probability that the model gives to the right answer at position s, c_s = 1 where its most probable answer
is right and 0 elsewhere, and S the set of scored positions of an example:

    loss                   -1/|S| sum over S of ln p_s        continuous       nats, lower is better
    token_accuracy          1/|S| sum over S of c_s           continuous       in [0, 1]
    answer_log_likelihood         sum over S of ln p_s        continuous       nats, higher is better
    exact_match                   product over S of c_s       discontinuous    0 or 1, paired with token_accuracy
    accuracy                1/|S| sum over S of c_s           discontinuous    in [0, 1], paired with loss

Token accuracy and accuracy are the same formula. For answers of many tokens it moves in small steps and counts as
continuous; for answers of one token it is all or nothing, and counts as discontinuous.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Outputs:
    """A model's outputs for B examples with S positions each.

    Attributes:
        log_prob: (B, S) natural logarithm of the probability given to the right answer, <= 0.
        correct: (B, S) bool, whether the most probable answer is the right one.
        scored: (B, S) bool, the positions that count; at least one in each row.
    """

    log_prob: np.ndarray
    correct: np.ndarray
    scored: np.ndarray


@dataclass(frozen=True)
class Metric:
    """A score for each example, and what is needed to interpret it.

    Attributes:
        name: the name in the tables.
        score: Outputs -> (B,) values, whose mean is the metric.
        discontinuous: whether it can jump while the outputs change smoothly.
        higher_is_better: whether larger values are better.
        paired_metric: of a discontinuous metric, the name of the continuous one that it is compared with; else None.
    """

    name: str
    score: Callable[[Outputs], np.ndarray]
    discontinuous: bool
    higher_is_better: bool
    paired_metric: str | None = None


def _mean_over_scored(values: np.ndarray, scored: np.ndarray) -> np.ndarray:
    return np.where(scored, values, 0.0).sum(axis=1) / scored.sum(axis=1)


def _loss(outputs: Outputs) -> np.ndarray:
    return -_mean_over_scored(outputs.log_prob, outputs.scored)


def _share_correct(outputs: Outputs) -> np.ndarray:
    return _mean_over_scored(outputs.correct.astype(float), outputs.scored)


def _log_likelihood(outputs: Outputs) -> np.ndarray:
    return np.where(outputs.scored, outputs.log_prob, 0.0).sum(axis=1)


def _all_correct(outputs: Outputs) -> np.ndarray:
    return (outputs.correct | ~outputs.scored).all(axis=1).astype(float)


LOSS = Metric("loss", _loss, discontinuous=False, higher_is_better=False)
TOKEN_ACCURACY = Metric("token_accuracy", _share_correct, discontinuous=False, higher_is_better=True)
ANSWER_LOG_LIKELIHOOD = Metric("answer_log_likelihood", _log_likelihood, discontinuous=False, higher_is_better=True)
EXACT_MATCH = Metric(
    "exact_match", _all_correct, discontinuous=True, higher_is_better=True, paired_metric=TOKEN_ACCURACY.name
)
ACCURACY = Metric("accuracy", _share_correct, discontinuous=True, higher_is_better=True, paired_metric=LOSS.name)
