"""The choice among laws by AICc."""

from __future__ import annotations

import numpy as np
import pytest

from harness import ScalingLaw, fit_best
from harness.analysis.fitting.laws import LAWS
from harness.datasets import make_surface
from harness.errors import DataError, SettingError, UserError


def runs(
    rng: np.random.Generator, sizes: int = 8, seeds: int = 5, floor: float = 1.5, noise: float = 0.01
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x = np.repeat(np.geomspace(1e3, 1e6, sizes), seeds)
    y = (floor + 100 * x**-0.5) * np.exp(noise * rng.standard_normal(len(x)))
    return x, y, np.tile(np.arange(seeds), sizes)


def test_best_law_refuses_the_pure_power_where_there_is_a_floor() -> None:
    x, y, seed = runs(np.random.default_rng(8))
    choice = fit_best(x, y, seed, laws=("power", "power_floor"))
    assert choice.best.law_.name == "power_floor"
    assert choice.ranking["law"].tolist() == ["power_floor", "power"]
    assert choice.verdict.startswith("E + A x^-alpha; A x^-alpha is refused (AICc higher by")
    x, y, seed = runs(np.random.default_rng(8), floor=0.0)
    assert fit_best(x, y, seed, laws=("power", "power_floor")).best.law_.name == "power"


def test_best_law_of_three_sizes_is_the_one_that_can_be_fitted() -> None:
    choice = fit_best([1, 2, 4], [4, 2.1, 1.0])
    assert choice.best.law_.name == "power"
    assert choice.ranking.set_index("law").loc["power_floor", "status"] == "too few data"


def test_laws_of_two_variables_are_ranked_with_their_rolling_errors() -> None:
    table = make_surface(random_state=6).frame
    choice = fit_best(table[["N", "D"]], table["loss"])
    assert choice.ranking["law"].tolist()[0] == "hoffmann" and choice.ranking["rolling_error"].notna().all()
    assert set(choice.ranking["law"]) == {"hoffmann", "gadre", "kaplan"}


def test_aicc_counts_the_noise_as_a_parameter() -> None:
    x, y, _ = runs(np.random.default_rng(0))
    fit = ScalingLaw("power_floor").fit(x, y)
    n, k = 40, 4
    expected = n * np.log(np.mean(fit.residuals_**2)) + 2 * k + 2 * k * (k + 1) / (n - k - 1)
    assert fit.aicc_ == pytest.approx(expected, rel=1e-9)
    assert ScalingLaw("power_floor").fit(x[::10], y[::10]).aicc_ == np.inf, "too few runs for any"


def test_laws_may_be_instances_and_each_comes_once() -> None:
    x, y, seed = runs(np.random.default_rng(1))
    choice = fit_best(x, y, seed, laws=(LAWS["power"], "power_floor"), rolling=False)
    assert set(choice.fits) == {"power", "power_floor"}
    with pytest.raises(SettingError, match="laws=power,power: allowed is each name once"):
        fit_best(x, y, seed, laws=("power", LAWS["power"]))


def test_mistakes_are_not_taken_for_laws_that_do_not_fit() -> None:
    """A setting or a value that is wrong for every law is an error, not a status of each."""
    x, y, seed = runs(np.random.default_rng(2))
    with pytest.raises(SettingError, match="n_bootstrap=50"):
        fit_best(x, y, seed, interval="bootstrap", n_bootstrap=50)
    with pytest.raises(SettingError, match="did you mean 'power_floor'"):
        fit_best([1, 2, 3, 4], [4, 3, 2, 1], laws=("powerfloor",))
    with pytest.raises(DataError, match="column y, row 0: nan"):
        fit_best(x, np.where(x == x[0], np.nan, y))
    with pytest.raises(UserError, match=r"power, .*needs at least 3 distinct x; got 2"):
        fit_best([1, 2], [3, 2])


@pytest.mark.parametrize("shape_matters", [False, True])
def test_three_variables_tell_whether_the_shape_matters_beyond_the_size(shape_matters: bool) -> None:
    width, depth, tokens = (
        axis.ravel() for axis in np.meshgrid([128, 256, 512, 1024], [2, 6, 18], np.geomspace(1e8, 1e11, 4))
    )
    size = 12 * width**2 * depth
    loss = 1.7 + 400 * size**-0.34 + 2000 * tokens**-0.37
    if shape_matters:
        loss = 1.7 + 20 * width**-0.6 + 0.8 * depth**-1.1 + 2000 * tokens**-0.37
    loss = loss * np.exp(0.002 * np.random.default_rng(0).standard_normal(len(loss)))
    choice = fit_best(np.stack([width, depth, tokens], axis=1), loss)
    found = choice.ranking.set_index("law")
    assert set(found.index) == {"width_depth", "size_of_shape"}
    assert choice.best.law_.name == ("width_depth" if shape_matters else "size_of_shape")
    if shape_matters:
        assert found.loc["size_of_shape", "delta_aicc"] > 10
    else:
        params, (low, high) = choice.best.params_, choice.best.intervals_["alpha"]
        assert low < 0.34 < high and params["A"] == pytest.approx(400, rel=0.5)
    place = choice.fits["size_of_shape"].predict([[2048, 24, 1e11]], level=0.9)
    assert list(place.columns[:3]) == ["w", "d", "D"] and place["low"][0] < place["predicted"][0] < place["high"][0]
