"""The surface's formulas against brute force, and the runs drawn from it."""

from __future__ import annotations

import doctest
from dataclasses import replace

import numpy as np
import pytest

from harness.datasets import LossSurface, make_surface, surfaces
from harness.errors import SettingError


def test_examples_in_docstrings_run() -> None:
    found = doctest.testmod(surfaces)
    assert found.attempted >= 7 and found.failed == 0


@pytest.mark.parametrize("compute", [1e18, 1e22])
def test_the_optimal_size_is_the_best_of_many(compute: float) -> None:
    surface = LossSurface(alpha=0.4, beta=0.3)
    n = np.geomspace(1e5, 1e13, 400_001)
    best = n[surface.loss(n, compute / 6 / n).argmin()]
    assert surface.optimal_size(compute) == pytest.approx(best, rel=1e-4)
    doubled = surface.optimal_size(2 * compute) / surface.optimal_size(compute)
    assert np.log2(doubled) == pytest.approx(surface.size_exponent) == pytest.approx(0.3 / 0.7)


def test_runs_lie_at_their_budgets_about_the_optimum() -> None:
    planted = make_surface(3, 7, compute=(1e17, 1e19), span=4, noise=0, random_state=0)
    runs = planted.frame
    np.testing.assert_allclose(6 * runs["N"] * runs["D"], runs["C"], rtol=1e-12)
    assert runs["C"].unique() == pytest.approx([1e17, 1e18, 1e19])
    ratio = (runs["N"] / planted.truth.optimal_size(runs["C"])).to_numpy().reshape(3, 7)
    np.testing.assert_allclose(ratio, np.tile(np.geomspace(1 / 4, 4, 7), (3, 1)))
    np.testing.assert_allclose(runs["loss"], planted.truth.loss(runs["N"], runs["D"]))
    assert (runs.groupby("C")["loss"].idxmin().to_numpy() == [3, 10, 17]).all()


def test_noise_is_that_of_ln_loss_and_repeats() -> None:
    """4,000 runs: the standard error of a standard deviation is 1.1 %."""
    truth = replace(LossSurface(), E=1.5)
    planted = make_surface(40, 100, truth=truth, noise=0.01, random_state=0)
    off = np.log(planted.frame["loss"] / truth.loss(planted.frame["N"], planted.frame["D"]))
    assert off.std() == pytest.approx(0.01, rel=0.06) and planted.truth == truth
    again = make_surface(40, 100, truth=truth, noise=0.01, random_state=np.random.default_rng(0))
    assert again.frame.equals(planted.frame)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_budgets": 0}, "n_budgets=0"),
        ({"n_sizes": 0}, "n_sizes=0"),
        ({"noise": -1}, "noise=-1: allowed is a number of at least 0"),
        ({"span": 1}, "span=1: allowed is a number above 1"),
        ({"compute": (1e20, 1e18)}, "compute="),
        ({"compute": (0, 1e18)}, "compute="),
    ],
)
def test_arguments_out_of_range_are_named(settings: dict, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        make_surface(**settings)
