"""Whether seeds keep to curves of their own, on seeds that do and seeds that do not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import poisson

from harness.analysis.emergence.ladder_design import LadderDesign
from harness.analysis.emergence.noise import noise_of
from harness.analysis.emergence.null_draws import null_draws
from harness.analysis.emergence.seeds_apart import (
    JUMP_STEPS,
    MANY_MIDWAY_LEVEL,
    are_resolved,
    count_midway,
    noise_about_own_curves,
    quarter_means,
)
from harness.analysis.emergence.smooth_null import logistic

SIZES, SEEDS = 8, 5
T = np.arange(float(SIZES))
RUNG, SEED = (axis.ravel() for axis in np.indices((SIZES, SEEDS)))
DESIGN = LadderDesign(T, RUNG, SEED)
PLACES = np.array([1.5, 2.5, 3.5, 4.5, 5.5])


def variance_of(values: np.ndarray, evaluation: float = 0.0, design: LadderDesign = DESIGN) -> np.ndarray | None:
    """Variance about seeds' own curves of runs (K, S)."""
    draws, of_items = null_draws(design), np.full(SIZES, evaluation)
    return noise_about_own_curves(draws, values.ravel(), noise_of(draws, values.ravel(), of_items))


def apart(width: float, sd: float, seed: int = 4) -> np.ndarray:
    """(K, S) seeds that rise from 0 to 1 at places of their own."""
    rng = np.random.default_rng(seed)
    return logistic(T[:, None], PLACES, width) + sd * rng.standard_normal((SIZES, SEEDS))


@pytest.mark.parametrize("width", [0.5, 4.0])
def test_seeds_with_curves_of_their_own_are_found_and_their_noise_is_that_about_them(width: float) -> None:
    """A mean square of 20 or so degrees of freedom: within a factor of 2 of the truth."""
    found = variance_of(apart(width, 0.05))
    assert found is not None and found.shape == (SIZES,)
    assert 0.5 < found.mean() / 0.05**2 < 2
    assert noise_of(null_draws(DESIGN), apart(width, 0.05).ravel(), np.zeros(SIZES)).variance.mean() > 10 * found.mean()


def test_noise_about_own_curves_is_at_least_that_of_the_items() -> None:
    found = variance_of(apart(0.5, 0.001), evaluation=0.02**2)
    assert found is not None and found == pytest.approx(np.full(SIZES, 0.02**2), rel=0.3)
    assert (found >= 0.02**2 * (1 - 1e-9)).all()


def test_seeds_on_one_curve_have_none_of_their_own() -> None:
    rng = np.random.default_rng(5)
    for curve in (logistic(T, 3.5, 0.5), logistic(T, 3.5, 5.0), np.zeros(SIZES)):
        tables = [curve[:, None] + 0.05 * rng.standard_normal((SIZES, SEEDS)) for _ in range(30)]
        assert sum(variance_of(table) is not None for table in tables) <= 5, "3 % of 30 is one"


def test_runs_that_change_seeds_from_size_to_size_have_no_curves() -> None:
    """The same runs, dealt out anew at each size."""
    rng = np.random.default_rng(6)
    smooth = apart(4.0, 0.02)
    assert variance_of(smooth) is not None
    assert sum(variance_of(rng.permuted(smooth, axis=1)) is not None for _ in range(20)) <= 4


def test_seeds_without_names_or_with_runs_missing_are_not_told_apart() -> None:
    values = apart(0.5, 0.02)
    assert variance_of(values, design=LadderDesign(T, RUNG, np.arange(SIZES * SEEDS))) is None
    kept = ~((RUNG == 3) & (SEED == 2))
    holed = LadderDesign(T, RUNG[kept], SEED[kept])
    draws = null_draws(holed)
    runs = values.ravel()[kept]
    assert noise_about_own_curves(draws, runs, noise_of(draws, runs, np.zeros(SIZES))) is None


def test_quarters_and_runs_between_them() -> None:
    values = np.array([[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0]])
    assert quarter_means(values) == (0.5, 6.5)
    assert quarter_means(np.array([3.0, 1.0, 2.0])) == (1.0, 3.0)
    # The middle half from .5 to 6.5 lies between 2 and 5, both left out.
    assert count_midway(values) == 2
    assert count_midway(np.array([[0.0, 0.0, 1.0, 1.0], [0.0, 1.0, 1.0, 1.0]])) == 0
    assert count_midway(np.full((2, 4), 0.3)) == 0


def test_rises_are_resolved_where_many_runs_lie_half_way() -> None:
    """Jumps of a step leave half a run a seed half-way; rises of four steps leave two."""
    places = np.random.default_rng(7).uniform(1, 6, 40)
    for width, resolved in ((0.0, False), (JUMP_STEPS, False), (2.5, True), (4.0, True)):
        assert are_resolved(logistic(T, places[:, None], width)) is resolved
    few = logistic(T, PLACES[:1, None], 2.5)
    assert not are_resolved(few), "one seed is too little to tell"


def test_rises_are_resolved_where_more_runs_lie_midway_than_poissons_quantile() -> None:
    rng, found = np.random.default_rng(4), []
    for _ in range(300):
        curves = np.sort(rng.random((rng.integers(1, 9), SIZES)), axis=1) > 0.5
        midway = rng.random(curves.shape) < rng.uniform(0, 0.3)
        curves = np.where(midway, 0.5, curves.astype(float))
        most = poisson.ppf(MANY_MIDWAY_LEVEL, JUMP_STEPS / 2 * len(curves))
        found.append(are_resolved(curves))
        assert found[-1] == (count_midway(curves) > most)
    assert 30 < sum(found) < 270
