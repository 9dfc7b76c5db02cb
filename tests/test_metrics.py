"""Each score worked out by hand on two examples of three positions, the last of which does not count in the second."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness import metrics
from harness.metrics import ChoiceOutputs, Metric, Outputs

LOG_PROB = np.log([[0.5, 0.25, 0.125], [0.5, 0.1, 1e-9]])
OUTPUTS = Outputs(
    LOG_PROB,
    correct=np.array([[True, True, False], [True, True, False]]),
    scored=np.array([[True, True, True], [True, True, False]]),
    loss=-LOG_PROB,
    n_bytes=np.array([[1, 0, 3], [2, 4, 100]]),
)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (metrics.LOSS, [np.log(64) / 3, np.log(20) / 2]),
        (metrics.BITS_PER_BYTE, [6 / 5, np.log2(20) / 5]),
        (metrics.TOKEN_ACCURACY, [2 / 3, 1]),
        (metrics.ACCURACY, [2 / 3, 1]),
        (metrics.ANSWER_LOG_LIKELIHOOD, [-np.log(64), -np.log(20)]),
        (metrics.EXACT_MATCH, [0, 1]),
    ],
    ids=lambda value: value.name if isinstance(value, Metric) else "",
)
def test_scores(metric: Metric, expected: list[float]) -> None:
    assert metric.score(OUTPUTS) == pytest.approx(expected)


def test_each_discontinuous_metric_is_paired_with_a_continuous_one() -> None:
    known = {metric.name: metric for metric in vars(metrics).values() if isinstance(metric, Metric)}
    assert len(known) == 16
    for metric in known.values():
        if metric.discontinuous:
            assert metric.paired_metric is not None and not known[metric.paired_metric].discontinuous
        else:
            assert metric.paired_metric is None
    assert {name for name, metric in known.items() if not metric.higher_is_better} == {
        "bits_per_byte",
        "choice_brier",
        "loss",
        "mse",
        "probe_loss",
    }


#: Three examples of one position with two values, whose standard deviations are 1 and 2.
WANTED = np.array([[0, 0], [1.5**0.5, 6**0.5], [-(1.5**0.5), -(6**0.5)]])[:, None]
VALUES = Outputs(
    log_prob=np.full((3, 1), np.nan),
    correct=np.zeros((3, 1), dtype=bool),
    scored=np.ones((3, 1), dtype=bool),
    loss=np.zeros((3, 1)),
    predicted=WANTED + np.array([[0.1, 0.1], [0.05, 0.3], [0, 4]])[:, None],
    wanted=WANTED,
)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (metrics.MSE, [0.01, (0.0025 + 0.09) / 2, 8]),
        (metrics.R2, [1 - (0.01 + 0.0025) / 2, 1 - (0.0025 + 0.0225) / 2, 1 - 4 / 2]),
        (metrics.WITHIN_TOLERANCE, [1, 0, 0]),
    ],
    ids=lambda value: value.name if isinstance(value, Metric) else "",
)
def test_scores_of_values(metric: Metric, expected: list[float]) -> None:
    slack = WANTED + np.array([[0.1 - 1e-9, 0.1], [0.05, 0.3], [0, 4]])[:, None]
    assert metric.score(replace(VALUES, predicted=slack)) == pytest.approx(expected, rel=1e-6)


def test_r2_is_the_share_of_variance_explained() -> None:
    error = np.asarray(VALUES.error)[:, 0]
    by_output = 1 - (error**2).sum(axis=0) / ((WANTED - WANTED.mean(axis=0)) ** 2).sum(axis=(0, 1))
    assert metrics.R2.score(VALUES).mean() == pytest.approx(by_output.mean())


def test_a_probe_is_scored_as_a_model_is() -> None:
    probed = replace(VALUES, probe=OUTPUTS)
    assert metrics.PROBE_LOSS.score(probed) == pytest.approx(metrics.LOSS.score(OUTPUTS))
    assert metrics.PROBE_ACCURACY.score(probed) == pytest.approx(metrics.ACCURACY.score(OUTPUTS))


def test_errors_of_classes_are_undefined() -> None:
    with pytest.raises(TypeError, match="answers are classes"):
        metrics.MSE.score(OUTPUTS)
    with pytest.raises(TypeError, match="no bytes"):
        metrics.BITS_PER_BYTE.score(VALUES)


#: Three questions: the right answer the likeliest, but not per byte; a tie of two; two answers, the right one unlikely.
CHOICES = replace(
    OUTPUTS,
    choices=ChoiceOutputs(
        log_likelihood=np.array([[-1.0, -2, -3], [-2, -2, -4], [-5, -1, -np.inf]]),
        n_bytes=np.array([[1, 4, 6], [2, 2, 2], [10, 1, 1]]),
    ),
)
SHARES = [1 / (1 + np.e**-1 + np.e**-2), 1 / (2 + np.e**-2), 1 / (1 + np.e**4)]


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (metrics.CHOICE_ACCURACY, [1, 0.5, 0]),
        (metrics.CHOICE_ACCURACY_NORM, [0, 0.5, 1]),
        (metrics.CHOICE_LOG_PROB, np.log(SHARES)),
        (
            metrics.CHOICE_BRIER,
            [
                (1 - SHARES[0]) ** 2 + (SHARES[0] / np.e) ** 2 + (SHARES[0] / np.e**2) ** 2,
                (1 - SHARES[1]) ** 2 + SHARES[1] ** 2 + (SHARES[1] / np.e**2) ** 2,
                2 * (1 - SHARES[2]) ** 2,
            ],
        ),
    ],
    ids=lambda value: value.name if isinstance(value, Metric) else "",
)
def test_scores_of_choices(metric: Metric, expected: list[float]) -> None:
    assert metric.score(CHOICES) == pytest.approx(expected)
    with pytest.raises(TypeError, match="no choices"):
        metric.score(OUTPUTS)
