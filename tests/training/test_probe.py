"""A linear probe reads off features what is linear in them, and nothing else."""

from __future__ import annotations

import numpy as np

from harness.training.probe import probe_scores


def test_a_linear_rule_is_read_off_and_features_that_repeat_are_no_trouble():
    rng = np.random.default_rng(0)
    features = rng.standard_normal((500, 3))
    classes = (features @ [1.0, -2.0, 0.0] > 0).astype(np.int64)
    repeated = np.concatenate([features, features, np.full((500, 1), 7.0)], axis=1)
    right = probe_scores(repeated[:400], classes[:400], 2, repeated[400:]).argmax(axis=1) == classes[400:]
    assert right.mean() > 0.95


def test_scores_are_those_of_least_squares():
    rng = np.random.default_rng(0)
    features, classes = rng.standard_normal((2000, 2)), rng.integers(3, size=2000)
    design = np.column_stack([np.ones(2000), features])
    expected = design @ np.linalg.lstsq(design, np.eye(3)[classes], rcond=None)[0]
    np.testing.assert_allclose(probe_scores(features, classes, 3, features), expected, atol=1e-3)
