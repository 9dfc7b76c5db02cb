"""Half rise, onset, heights of jumps and the course of curves, on planted truth."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.emergence.marginals import height_scale, marginals
from harness.analysis.emergence.mean_curve import DrawnCurves, mean_curve
from harness.analysis.emergence.models import models_of
from harness.analysis.emergence.smooth_null import logistic

T = np.arange(10.0)
MODELS = models_of(T)
SHARE = (0.0, 1.0)


def posterior(
    curve: np.ndarray, sd: float = 0.01, n: int = 40, seed: int = 0, jumps: bool | None = None
) -> list[DrawnCurves]:
    means = curve + sd * np.random.default_rng(seed).standard_normal((n, len(curve)))
    variance = np.broadcast_to(sd**2, means.shape)
    found = marginals(MODELS.shapes, means, variance, np.full(n, 20.0), height_scale(means, 1.0))
    return [mean_curve(MODELS, found, i, means[i], variance[i], SHARE, jumps).drawn() for i in range(n)]


@pytest.mark.parametrize(("place", "width"), [(4.3, 4.5), (5.6, 6.0), (3.7, 0.1)])
@pytest.mark.parametrize("fraction", [0.1, 0.5])
def test_intervals_of_onset_and_half_rise_cover(place: float, width: float, fraction: float) -> None:
    """40 intervals of 95 %: fewer than 33 hold the truth once in a million."""
    curve = 0.05 + 0.8 * logistic(T, place, width)
    truth = place + width / 4.394 * np.log(fraction / (1 - fraction))
    found = np.array([each.crossing(fraction, np.array([0.025, 0.5, 0.975])) for each in posterior(curve)])
    assert np.sum((found[:, 0] <= truth) & (truth <= found[:, 2])) >= 33
    assert np.all((found[:, 0] <= found[:, 1]) & (found[:, 1] <= found[:, 2]))


def test_onset_lies_before_half_rise() -> None:
    for each in posterior(0.05 + 0.8 * logistic(T, 5.0, 5.0)):
        assert each.crossing(0.1, np.array([0.5]))[0] < each.crossing(0.5, np.array([0.5]))[0]


def test_ends_are_open_only_where_the_rise_goes_on_beyond_the_ladder() -> None:
    inside = [each.crossing(0.5, np.array([0.025, 0.975])) for each in posterior(0.05 + 0.8 * (T > 4.5))]
    assert np.isfinite(inside).all()
    late = [each.crossing(0.9, np.array([0.5]))[0] for each in posterior(0.05 + 0.8 * logistic(T, 9.5, 6.0))]
    assert np.mean(np.isinf(late)) > 0.8
    falls = [each.crossing(0.5, np.array([0.5]))[0] for each in posterior(0.9 - 0.8 * logistic(T, 4.5, 6.0))]
    assert np.mean(np.isnan(falls)) > 0.85


def test_heights_of_jumps_cover_and_curves_stay_within_bounds() -> None:
    found = posterior(0.1 + 0.03 * T + 0.4 * (T > 4.5), jumps=True)
    heights = np.array([each.jump_heights(np.array([0.025, 0.975])) for each in found])
    assert np.sum((heights[:, 0] <= 0.4) & (heights[:, 1] >= 0.4)) >= 33
    for each in found:
        assert each.curves.min() >= 0 and each.curves.max() <= 1
        assert np.abs(each.jump_height).max() <= 1
    drops = posterior(0.9 - 0.03 * T - 0.4 * (T > 4.5), jumps=True)
    assert np.mean([each.jump_heights(np.array([0.5]))[0] for each in drops]) == pytest.approx(-0.4, abs=0.05)


@pytest.mark.parametrize(
    ("curve", "course"),
    [
        (0.1 + 0.6 * logistic(T, 4.0, 5.0), "rises"),
        (0.7 - 0.6 * logistic(T, 4.0, 5.0), "falls"),
        (0.6 - 0.4 * logistic(T, 2.0, 4.0) + 0.3 * logistic(T, 7.0, 4.0), "falls, then rises"),
        (0.1 + 0.5 * logistic(T, 2.5, 4.0) - 0.4 * logistic(T, 7.0, 4.0), "rises, then falls"),
    ],
)
def test_courses(curve: np.ndarray, course: str) -> None:
    assert np.mean([each.course == course for each in posterior(curve, n=20)]) > 0.8


def test_draws_follow_the_means() -> None:
    """The model-averaged mean is within two standard deviations of the true curve, with and without a jump."""
    inside = [int(np.argmin(np.abs(MODELS.shapes.fine - t))) for t in T]
    for curve in (0.1 + 0.6 * logistic(T, 4.0, 5.0), 0.1 + 0.02 * T + 0.4 * (T > 4.5)):
        off = np.stack([each.mean[inside] - curve for each in posterior(curve)])
        assert np.abs(off.mean(axis=0)).max() < 0.02
