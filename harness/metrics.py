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

Where an answer at position s stands for b_s bytes of text, with b the mean over examples of the sum over S of b_s:

    bits_per_byte           1/(b ln 2) sum over S of -ln p_s  continuous       lower is better

Its mean is the cross-entropy of all text over the bytes of all text, whatever the tokens are that the text is cut into.

Token accuracy and accuracy are the same formula. For answers of many tokens it moves in small steps and counts as
continuous; for answers of one token it is all or nothing, and counts as discontinuous.

Where answers are values y_sv, v = 1 ... V, with e_sv the error of the prediction and d_v the standard deviation of y_v
over all scored positions of the evaluation set:

    mse                     mean over S and v of e_sv^2                   continuous       lower is better
    r2                      mean over S and v of 1 - (e_sv / d_v)^2       continuous       at most 1
    within_tolerance        1/|S| sum over S of [all |e_sv| <= d_v / 10]  discontinuous    in [0, 1], paired with loss

Where an example is a question with several answers, with L_k the log-likelihood of answer k (sum over its tokens of
ln p), q_k = exp L_k / sum over j of exp L_j, n_k the bytes of its text, and r the right one:

    choice_log_prob         ln q_r                                        continuous       nats, higher is better
    choice_brier            sum over k of (q_k - [k = r])^2               continuous       lower is better (Brier 1950)
    choice_accuracy         1 where L_r is the largest L_k                discontinuous    0 or 1, with choice_log_prob
    choice_accuracy_norm    1 where L_r / n_r is the largest L_k / n_k    discontinuous    0 or 1, with choice_log_prob

Of m answers that tie for the largest each is 1/m right. The last two are acc and acc_norm of EleutherAI's
lm-evaluation-harness, which takes the first of a tie and counts characters where this counts bytes of UTF-8.

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
class ChoiceOutputs:
    """What a model says of the answers to B questions, of up to K answers each, the right one first.

    Attributes:
        log_likelihood: (B, K) nats; minus infinity where a question has fewer answers.
        n_bytes: (B, K) bytes of the answers' text, at least 1.
    """

    log_likelihood: np.ndarray
    n_bytes: np.ndarray


@dataclass(frozen=True)
class Outputs:
    """A model's outputs for B examples with S positions each.

    Attributes:
        log_prob: (B, S) natural logarithm of the probability given to the right answer, <= 0; NaN where answers are
            values.
        correct: (B, S) bool, whether the most probable answer is the right one; False where answers are values.
        scored: (B, S) bool, the positions that count; at least one in each row.
        loss: (B, S) what training minimises, without label smoothing and penalties.
        n_bytes: (B, S) bytes of text that the right answer stands for; None where answers are no text.
        predicted, wanted: (B, S, V) values that the model gives and that are right; None where answers are classes.
        choices: what it says of all answers to each example; None where only the right one is known.
        probe: what a linear probe on the outputs says about the same examples; None where there is none.
    """

    log_prob: np.ndarray
    correct: np.ndarray
    scored: np.ndarray
    loss: np.ndarray
    n_bytes: np.ndarray | None = None
    predicted: np.ndarray | None = None
    wanted: np.ndarray | None = None
    choices: ChoiceOutputs | None = None
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

    @property
    def offered(self) -> ChoiceOutputs:
        """What the model says of all answers to each example."""
        if self.choices is None:
            raise TypeError("examples offer no choices")
        return self.choices

    @property
    def bytes_of_example(self) -> float:
        """Bytes of the scored answers of an example, the mean over all examples."""
        if self.n_bytes is None:
            raise TypeError("answers are no text: they have no bytes")
        return float(self.n_bytes[self.scored].sum() / len(self.scored))


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


def _bits_per_byte(outputs: Outputs) -> np.ndarray:
    nats = -np.where(outputs.scored, outputs.log_prob, 0.0).sum(axis=1)
    return nats / (np.log(2) * outputs.bytes_of_example)


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


def _log_shares(outputs: Outputs) -> np.ndarray:
    """(B, K) logarithms of what softmax gives to each answer."""
    likelihoods = outputs.offered.log_likelihood
    relative = likelihoods - likelihoods.max(axis=1, keepdims=True)
    return np.asarray(relative - np.log(np.exp(relative).sum(axis=1, keepdims=True)))


def _log_share(outputs: Outputs) -> np.ndarray:
    return _log_shares(outputs)[:, 0]


def _brier(outputs: Outputs) -> np.ndarray:
    errors = np.exp(_log_shares(outputs))
    errors[:, 0] -= 1
    return np.asarray((errors**2).sum(axis=1))


def _likeliest(outputs: Outputs) -> np.ndarray:
    return _first_is_largest(outputs.offered.log_likelihood)


def _likeliest_per_byte(outputs: Outputs) -> np.ndarray:
    return _first_is_largest(outputs.offered.log_likelihood / outputs.offered.n_bytes)


def _first_is_largest(values: np.ndarray) -> np.ndarray:
    largest = values == values.max(axis=1, keepdims=True)
    return np.asarray(largest[:, 0] / largest.sum(axis=1))


def _of_probe(score: Callable[[Outputs], np.ndarray]) -> Callable[[Outputs], np.ndarray]:
    def of_probe(outputs: Outputs) -> np.ndarray:
        if outputs.probe is None:
            raise TypeError("there is no probe: it is fitted under loss=contrastive")
        return score(outputs.probe)

    return of_probe


LOSS = Metric("loss", _loss, discontinuous=False, higher_is_better=False)
BITS_PER_BYTE = Metric("bits_per_byte", _bits_per_byte, discontinuous=False, higher_is_better=False)
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
CHOICE_LOG_PROB = Metric("choice_log_prob", _log_share, discontinuous=False, higher_is_better=True)
CHOICE_BRIER = Metric("choice_brier", _brier, discontinuous=False, higher_is_better=False)
CHOICE_ACCURACY = Metric(
    "choice_accuracy", _likeliest, discontinuous=True, higher_is_better=True, paired_metric=CHOICE_LOG_PROB.name
)
CHOICE_ACCURACY_NORM = Metric(
    "choice_accuracy_norm",
    _likeliest_per_byte,
    discontinuous=True,
    higher_is_better=True,
    paired_metric=CHOICE_LOG_PROB.name,
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
