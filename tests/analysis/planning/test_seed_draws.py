"""Draws of means: their spread is that of the noise, and what seeds share stays together."""

from __future__ import annotations

import numpy as np

from harness.analysis.planning.seed_draws import Cells, draw_means

N_SIZES, N_CELLS, N_SEEDS = 30, 4, 5


def cells(noise: np.ndarray, shared: float, rng: np.random.Generator) -> Cells:
    """Every size has four cells with the same five seeds; noise (sizes,)."""
    cell = np.repeat(np.arange(N_SIZES * N_CELLS), N_SEEDS)
    size = cell // N_CELLS
    seed = np.tile(np.arange(N_SEEDS), N_SIZES * N_CELLS)
    common = shared * rng.standard_normal((N_SIZES, N_SEEDS))
    value = noise[size] * rng.standard_normal(len(cell)) + common[size, seed]
    place = np.tile(np.arange(N_CELLS), N_SIZES)
    return Cells(value, cell, np.repeat(np.arange(N_SIZES), N_CELLS), place, seed)


def test_draws_scatter_as_means_of_other_seeds_would() -> None:
    rng = np.random.default_rng(0)
    given = cells(np.full(N_SIZES, 0.1), 0.0, rng)
    drawn = draw_means(given, 2000, 0.95, rng)
    spread = drawn.std(axis=0).mean()
    # 120 degrees of freedom of a kind of cell: 6 % is the error of its sd, of the mean of four kinds half of that.
    assert abs(spread / (0.1 / np.sqrt(N_SEEDS)) - 1) < 0.15
    np.testing.assert_allclose(drawn.mean(axis=0), given.means, atol=0.02)


def test_what_seeds_share_cancels_in_differences() -> None:
    rng = np.random.default_rng(1)
    given = cells(np.full(N_SIZES, 0.01), 0.3, rng)
    paired = draw_means(given, 1000, 0.95, rng)
    difference = (paired[:, 0] - paired[:, 1]).std()
    assert difference < 0.02 < 0.1 < paired[:, 0].std()


def test_sizes_that_scatter_apart_keep_to_their_own_seeds() -> None:
    rng = np.random.default_rng(2)
    noise = np.where(np.arange(N_SIZES) < 15, 0.01, 1.0)
    drawn = draw_means(cells(noise, 0.0, rng), 500, 0.95, rng)
    spread = drawn.std(axis=0).reshape(N_SIZES, N_CELLS).mean(axis=1)
    assert spread[:15].max() < 0.03 and spread[15:].min() > 0.1


def test_one_run_each_tells_no_noise() -> None:
    given = Cells(np.arange(4.0), np.arange(4), np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), np.arange(4))
    assert np.isnan(draw_means(given, 100, 0.95, np.random.default_rng(0))).all()
