"""Scores of a model's outputs, example by example.

Every discontinuous metric is paired with a continuous one of the same outputs. A jump can come from the metric rather
than from the model (Schaeffer et al. 2023, "Are Emergent Abilities of Large Language Models a Mirage?"), and whether it
does can only be decided where both kinds are measured on the same outputs.

With l_s the loss at position s (under cross-entropy -ln p_s), p_s the probability that the model gives to the right
answer there, c_s = 1 where its most probable answer is right and 0 elsewhere, and S the scored positions of an example:

    loss                    1/|S| sum over S of l_s           continuous       lower is better
    token_accuracy          1/|S| sum over S of c_s           continuous       in [0, 1]
    answer_log_likelihood         sum over S of ln p_s        continuous       nats, higher is better
    exact_match                   product over S of c_s       discontinuous    0 or 1, paired with token_accuracy
    accuracy                1/|S| sum over S of c_s           discontinuous    in [0, 1], paired with loss

Token accuracy and accuracy are the same formula. For answers of many tokens it moves in small steps and counts as
continuous; for answers of one token it is all or nothing, and counts as discontinuous.

Where answers are values y_sv, v = 1 ... V, with e_sv the error of the prediction and d_v the standard deviation of y_v
over all scored positions of the evaluation set:

    mse                     mean over S and v of e_sv^2                   continuous       lower is better
    r2                      mean over S and v of 1 - (e_sv / d_v)^2       continuous       at most 1
    within_tolerance        1/|S| sum over S of [all |e_sv| <= d_v / 10]  discontinuous    in [0, 1], paired with loss

Where views of one example are to find each other (loss=contrastive), the answer is which of all other views of the
evaluation set is the partner, and a linear probe on the model's outputs answers with the class:

    retrieval_accuracy      1 where the partner is the nearest view       discontinuous    0 or 1, paired with loss
    probe_loss              loss of the probe                             continuous       lower is better
    probe_accuracy          accuracy of the probe                         discontinuous    0 or 1, with probe_loss
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Outputs:
    """A model's outputs for B examples with S positions each.

    Attributes:
        log_prob: (B, S) natural logarithm of the probability given to the right answer, <= 0; NaN where answers are
            values.
        correct: (B, S) bool, whether the most probable answer is the right one; False where answers are values.
        scored: (B, S) bool, the positions that count; at least one in each row.
        loss: (B, S) what training minimises, without label smoothing and penalties.
        predicted, wanted: (B, S, V) values that the model gives and that are right; None where answers are classes.
        probe: what a linear probe on the outputs says about the same examples; None where there is none.
    """

    log_prob: np.ndarray
    correct: np.ndarray
    scored: np.ndarray
    loss: np.ndarray
    predicted: np.ndarray | None = None
    wanted: np.ndarray | None = None
    probe: Outputs | None = None

    @property
    def error(self) -> np.ndarray:
        """(B, S, V) predicted less wanted values."""
        if self.predicted is None or self.wanted is None:
            raise TypeError("answers are classes: they have no errors that could be measured")
        return np.asarray(self.predicted - self.wanted)

    @property
    def deviation(self) -> np.ndarray:
        """(V,) standard deviation of each wanted value over all scored positions."""
        if self.wanted is None:
            raise TypeError("answers are classes: they have no standard deviation")
        return np.asarray(self.wanted[self.scored].std(axis=0))


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
    return _mean_over_scored(outputs.loss, outputs.scored)


def _share_correct(outputs: Outputs) -> np.ndarray:
    return _mean_over_scored(outputs.correct.astype(float), outputs.scored)


def _log_likelihood(outputs: Outputs) -> np.ndarray:
    return np.where(outputs.scored, outputs.log_prob, 0.0).sum(axis=1)


def _all_correct(outputs: Outputs) -> np.ndarray:
    return (outputs.correct | ~outputs.scored).all(axis=1).astype(float)


def _squared_error(outputs: Outputs) -> np.ndarray:
    return _mean_over_scored((outputs.error**2).mean(axis=2), outputs.scored)


def _explained(outputs: Outputs) -> np.ndarray:
    return 1 - _mean_over_scored(((outputs.error / outputs.deviation) ** 2).mean(axis=2), outputs.scored)


#: The largest error that counts as right, in standard deviations of the value.
TOLERANCE = 0.1


def _within_tolerance(outputs: Outputs) -> np.ndarray:
    near = (np.abs(outputs.error) <= TOLERANCE * outputs.deviation).all(axis=2)
    return _mean_over_scored(near.astype(float), outputs.scored)


def _of_probe(score: Callable[[Outputs], np.ndarray]) -> Callable[[Outputs], np.ndarray]:
    def of_probe(outputs: Outputs) -> np.ndarray:
        if outputs.probe is None:
            raise TypeError("there is no probe: it is fitted under loss=contrastive")
        return score(outputs.probe)

    return of_probe


LOSS = Metric("loss", _loss, discontinuous=False, higher_is_better=False)
TOKEN_ACCURACY = Metric("token_accuracy", _share_correct, discontinuous=False, higher_is_better=True)
ANSWER_LOG_LIKELIHOOD = Metric("answer_log_likelihood", _log_likelihood, discontinuous=False, higher_is_better=True)
EXACT_MATCH = Metric(
    "exact_match", _all_correct, discontinuous=True, higher_is_better=True, paired_metric=TOKEN_ACCURACY.name
)
ACCURACY = Metric("accuracy", _share_correct, discontinuous=True, higher_is_better=True, paired_metric=LOSS.name)
MSE = Metric("mse", _squared_error, discontinuous=False, higher_is_better=False)
R2 = Metric("r2", _explained, discontinuous=False, higher_is_better=True)
WITHIN_TOLERANCE = Metric(
    "within_tolerance", _within_tolerance, discontinuous=True, higher_is_better=True, paired_metric=LOSS.name
)
RETRIEVAL_ACCURACY = Metric(
    "retrieval_accuracy", _share_correct, discontinuous=True, higher_is_better=True, paired_metric=LOSS.name
)
PROBE_LOSS = Metric("probe_loss", _of_probe(_loss), discontinuous=False, higher_is_better=False)
PROBE_ACCURACY = Metric(
    "probe_accuracy",
    _of_probe(_share_correct),
    discontinuous=True,
    higher_is_better=True,
    paired_metric=PROBE_LOSS.name,
)

#: What is measured under loss=contrastive, whatever the task.
OF_VIEWS = (LOSS, RETRIEVAL_ACCURACY, PROBE_LOSS, PROBE_ACCURACY)
