"""Each score worked out by hand on two examples of three positions, the last of which does not count in the second."""

from __future__ import annotations

import numpy as np
import pytest

from harness import metrics
from harness.metrics import Metric, Outputs

LOG_PROB = np.log([[0.5, 0.25, 0.125], [0.5, 0.1, 1e-9]])
OUTPUTS = Outputs(
    LOG_PROB,
    correct=np.array([[True, True, False], [True, True, False]]),
    scored=np.array([[True, True, True], [True, True, False]]),
)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (metrics.LOSS, [np.log(64) / 3, np.log(20) / 2]),
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
    assert len(known) == 5
    for metric in known.values():
        if metric.discontinuous:
            assert metric.paired_metric is not None and not known[metric.paired_metric].discontinuous
        else:
            assert metric.paired_metric is None
    assert {name for name, metric in known.items() if not metric.higher_is_better} == {"loss"}
