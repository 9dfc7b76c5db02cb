"""Population Monte Carlo finds a narrow posterior in a wide range."""

from __future__ import annotations

import numpy as np

from harness.analysis.planning.population import effective, moved, shares


def test_moments_of_a_narrow_normal_in_a_wide_box() -> None:
    """Standard deviations of .02 and .05, correlated, in a box of side 10: even points hold next to none of it."""
    rng = np.random.default_rng(0)
    root = np.array([[0.02, 0.0], [0.04, 0.03]])
    to_unit = np.linalg.inv(root).T

    def log_density(points: np.ndarray) -> np.ndarray:
        return np.asarray(-np.sum(((points - [1.0, -2.0]) @ to_unit) ** 2, axis=1) / 2)

    points = rng.uniform(-5, 5, (2048, 2))
    weight = log_density(points)
    for _ in range(20):
        points, proposed = moved(points, weight, rng)
        weight = log_density(points) - proposed
    share = shares(weight)
    mean = share @ points
    covariance = ((points - mean).T * share) @ (points - mean)
    assert effective(weight) > 300
    assert np.abs(mean - [1.0, -2.0]).max() < 0.01  # a fifth of the wider deviation; its error is a twentieth
    assert np.abs(covariance / (root @ root.T) - 1).max() < 0.4
