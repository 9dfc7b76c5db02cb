from __future__ import annotations

import numpy as np

from harness.tasks.streams import eval_stream, problem_stream


def test_streams_repeat_and_are_independent_of_each_other_and_of_training() -> None:
    training = np.random.default_rng([7, 1])
    draws = [stream.random(1000) for stream in (eval_stream(7), problem_stream(7), eval_stream(8), training)]
    np.testing.assert_array_equal(draws[0], eval_stream(7).random(1000))
    # Correlations of 1,000 independent draws have a standard deviation of .032.
    correlations = np.corrcoef(draws)[np.triu_indices(4, 1)]
    assert np.abs(correlations).max() < 0.16
