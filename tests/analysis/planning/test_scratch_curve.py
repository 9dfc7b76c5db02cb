"""Curves turned around: exact on power laws with a floor, monotone, and never beyond their ends."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.planning.scratch_curve import amounts_of as of_curves
from harness.analysis.planning.scratch_curve import interpolation_error

LOGS = np.log(np.geomspace(1e3, 1e6, 7))


def amounts_of(losses: np.ndarray, logs: np.ndarray, curve: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return of_curves(losses[None], logs, curve[None], weight)[0]


def losses(logs: np.ndarray, floor: float = 1.5) -> np.ndarray:
    return np.log(floor + 40 * np.exp(-0.4 * logs))


@pytest.mark.parametrize("floor", [0.0, 0.3, 1.5])
def test_amounts_between_those_measured_come_back(floor: float) -> None:
    between = (LOGS[1:] + LOGS[:-1]) / 2
    found = amounts_of(losses(between, floor), LOGS, losses(LOGS, floor), np.ones(7))
    np.testing.assert_allclose(found, between, atol=0.02)
    np.testing.assert_allclose(amounts_of(losses(LOGS, floor), LOGS, losses(LOGS, floor), np.ones(7)), LOGS, atol=1e-9)


def test_nothing_is_read_beyond_the_ends() -> None:
    curve = losses(LOGS)
    found = amounts_of(np.array([curve[0] + 1e-6, curve[-1] - 1e-6]), LOGS, curve, np.ones(7))
    assert found.tolist() == [-np.inf, np.inf]


def test_a_curve_that_rises_by_noise_is_read_monotonely() -> None:
    curve = losses(LOGS)
    curve[3] = curve[2] + 0.05
    at = np.linspace(curve[-1], curve[0], 50)
    found = amounts_of(at, LOGS, curve, np.ones(7))
    assert (np.diff(found) <= 0).all() and np.isfinite(found).all()
    flat = amounts_of(np.array([1.0, 0.9, 1.1]), LOGS, np.ones(7), np.ones(7))
    assert LOGS[0] <= flat[0] <= LOGS[-1] and flat[1:].tolist() == [np.inf, -np.inf]


def test_the_error_of_interpolation_is_small_where_the_scale_is_straight_and_large_where_it_bends() -> None:
    straight = losses(LOGS)
    assert interpolation_error(LOGS, straight, np.ones(7)) < 0.02
    coarse = np.log(np.geomspace(1e3, 1e6, 4))

    def bent(logs: np.ndarray) -> np.ndarray:
        return -0.1 * logs - 0.35 * np.logaddexp(0, (logs - np.log(3e4)) / 0.7)

    between = (coarse[1:] + coarse[:-1]) / 2
    missed = np.abs(amounts_of(bent(between), coarse, bent(coarse), np.ones(4)) - between)
    assert 0.1 < missed.max() < 3 * interpolation_error(coarse, bent(coarse), np.ones(4))
