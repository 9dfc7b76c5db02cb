"""Known scores on curves small enough to work out by hand, and against brute force."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from ruptures import Dynp
from ruptures.costs import CostL2

from harness import known_scores
from harness.analysis.emergence.known_scores import breakthroughness, change_point_ratio, largest_step, linearity
from harness.errors import DataError

OF_STEPS = ["linearity", "breakthroughness", "change_point", "change_point_ratio"]
OF_BREAKS = ["bnsl_break", "bnsl_sharpness", "bnsl_bic"]
SCORES = [*OF_STEPS, *OF_BREAKS]
UNITLESS = [score for score in SCORES if score not in ("change_point", "bnsl_break")]


def table(sizes: np.ndarray | list[float], y: np.ndarray | list[float], **about: object) -> pd.DataFrame:
    """One run a size; y (K,), or (K, seeds)."""
    values = np.asarray(y, dtype=float).reshape(len(sizes), -1)
    rung, seed = (axis.ravel() for axis in np.indices(values.shape))
    columns = {"params_non_embedding": np.asarray(sizes, dtype=float)[rung], "seed": seed, "value": values.ravel()}
    return pd.DataFrame(columns | {"metric": "accuracy"} | about)


def scores(frame: pd.DataFrame, **settings: object) -> pd.Series:
    found = known_scores(frame, **settings)  # type: ignore[arg-type]
    assert len(found) == 1
    return found.iloc[0]


def broken(sizes: np.ndarray, place: float, width: float = 0.3) -> np.ndarray:
    """Share right where the share wrong bends at `place` from flat to a power of -0.8, above a floor of .05."""
    return 0.95 - 0.9 * (1 + (sizes / place) ** (1 / width)) ** (-0.8 * width)


# ------------------------------------------------------------------------------------------------------- by hand


def test_a_rise_by_hand() -> None:
    # Steps .1, .1, .1, .5: I = +(.9 - .1) = .8. Mean square (3 * .01 + .25) / 4 = .07, median square .01.
    y = [0.1, 0.2, 0.3, 0.4, 0.9]
    assert linearity(y) == pytest.approx(0.8 / np.sqrt(0.07))
    assert breakthroughness(y) == pytest.approx(0.8 / 0.1)
    assert largest_step(y) == pytest.approx(0.5)
    # Mean .38, squares about it .0784 + .0324 + .0064 + .0004 + .2704 = .388. Best change before the last size:
    # .1 .2 .3 .4 about .25 leave 2 * (.0225 + .0025) = .05 (before .4: .1 .2 .3 leave .02 and .4 .9 leave .125).
    assert change_point_ratio(y) == pytest.approx(0.05 / 0.388)


def test_an_even_number_of_steps_takes_the_mean_of_the_middle_squares() -> None:
    # Squared steps .01, .04: their median is .025 (not the square of the median step, .0225).
    assert breakthroughness([0.0, 0.1, 0.3]) == pytest.approx(0.3 / np.sqrt(0.025))


@pytest.mark.parametrize("n", [2, 3, 7])
def test_a_straight_line_scores_its_number_of_steps(n: int) -> None:
    line = np.linspace(0.2, 0.7, n)
    assert linearity(line) == pytest.approx(n - 1)
    assert breakthroughness(line) == pytest.approx(n - 1)
    assert largest_step(line) == pytest.approx(0.5 / (n - 1))


def test_one_step_among_equals() -> None:
    # I = 1, mean square 1 / 4, median square 0; two means leave nothing.
    y = [0.0, 0.0, 0.0, 1.0, 1.0]
    assert linearity(y) == pytest.approx(2.0)
    assert breakthroughness(y) == np.inf
    assert change_point_ratio(y) == pytest.approx(0.0, abs=1e-12)
    assert largest_step(y) == pytest.approx(1.0)


def test_a_falling_curve_has_the_opposite_sign() -> None:
    y = np.array([0.1, 0.2, 0.3, 0.4, 0.9])
    for score in (linearity, breakthroughness):
        assert score(-y) == pytest.approx(-score(y))
    assert change_point_ratio(-y) == pytest.approx(change_point_ratio(y))
    assert largest_step(-y) == 0
    # Up, then down below the start: argmax (1) comes before argmin (2), so I = -(0.5 - 0) and steps are .4, -.5.
    assert linearity([0.1, 0.5, 0.0]) == pytest.approx(-0.5 / np.sqrt((0.16 + 0.25) / 2))
    assert largest_step([0.1, 0.5, 0.0]) == pytest.approx(0.4)


@pytest.mark.parametrize("score", [linearity, breakthroughness, change_point_ratio, largest_step])
def test_undefined_is_nan_and_leading_axes_are_kept(score) -> None:  # type: ignore[no-untyped-def]
    y = np.random.default_rng(0).random((3, 4, 6))
    y[1, 2] = 0.3
    y[0, 0] = 0.0
    found = score(y)
    assert found.shape == (3, 4)
    assert np.isnan(found[1, 2]) and np.isnan(found[0, 0])
    assert np.isnan(found).sum() == 2
    assert found[2, 1] == pytest.approx(score(y[2, 1]))
    assert np.isnan(score([0.4]))
    assert score(np.zeros((2, 3, 1))).shape == (2, 3)
    assert np.isnan(score([0.3, 0.1 + 0.2, 0.3]))  # constant but for rounding
    unit = 7 if score is largest_step else 1
    assert score(7 * y[2, 1] + 3) == pytest.approx(unit * score(y[2, 1]))


def test_rounding_is_no_step() -> None:
    assert breakthroughness([0.3, 0.1 + 0.2, 0.3, 0.9]) == np.inf


# ------------------------------------------------------------------------------------------------- change points


@pytest.mark.parametrize("n", [2, 3, 5, 9])
def test_change_point_equals_ruptures_and_brute_force(n: int) -> None:
    rng = np.random.default_rng(n)
    sizes = np.geomspace(1e4, 1e8, n)
    for y in rng.standard_normal((40, n)):
        left = [sum(np.sum((part - part.mean()) ** 2) for part in (y[:k], y[k:])) for k in range(1, n)]
        ratio = min(left) / np.sum((y - y.mean()) ** 2)
        assert change_point_ratio(y) == pytest.approx(ratio, abs=1e-12)
        cost = CostL2().fit(y)
        found = Dynp(model="l2", min_size=1, jump=1).fit_predict(y, n_bkps=1)
        assert cost.sum_of_costs(found) / cost.error(0, n) == pytest.approx(ratio, abs=1e-12)
        k = int(np.argmin(left))
        assert found[0] == k + 1
        own = scores(table(sizes, y), breaks=False)
        assert own["change_point"] == pytest.approx(np.sqrt(sizes[k] * sizes[k + 1]))
        assert own["change_point_ratio"] == pytest.approx(ratio, abs=1e-12)


# --------------------------------------------------------------------------------------------------------- tables


def test_a_row_a_curve_from_means_over_runs() -> None:
    # Means .1, .2, .9 over two runs: I = .8, squared steps .01 and .49, mean and median both .25. The squares that two
    # means leave: .005 with a change before .9, which lies between sizes 40 and 90: sqrt(3600) = 60.
    first = table([10, 40, 90], [[0.0, 0.2], [0.1, 0.3], [0.8, 1.0]], subtask="b")
    second = table([10, 20], [0.5, 0.2], subtask="a")
    found = known_scores(pd.concat([first, second]).assign(task="t", study="s"))
    assert list(found.columns) == ["study", "task", "subtask", "metric", *SCORES]
    assert found[["study", "task", "subtask", "metric"]].to_numpy().tolist() == [
        ["s", "t", "b", "accuracy"],
        ["s", "t", "a", "accuracy"],
    ]
    assert found.loc[0, ["linearity", "breakthroughness"]].tolist() == pytest.approx([1.6, 1.6])
    assert found.loc[0, "change_point"] == pytest.approx(60)
    # About the mean .4: .09 + .04 + .25 = .38.
    assert found.loc[0, "change_point_ratio"] == pytest.approx(0.005 / 0.38)
    assert found.loc[1, ["linearity", "breakthroughness"]].tolist() == pytest.approx([-1, -1])
    assert list(known_scores(first, breaks=False).columns) == ["study", "task", "subtask", "metric", *OF_STEPS]


def test_lower_is_better_scores_like_its_mirror_image() -> None:
    # The share wrong scores as the share right does, broken law included: that one is fitted to the share wrong.
    sizes = np.geomspace(1e5, 1e9, 10)
    right = broken(sizes, 2e7)
    accuracy, error = scores(table(sizes, right)), scores(table(sizes, 1 - right, metric="error"))
    assert error["linearity"] > 0
    assert error[SCORES].astype(float).to_numpy() == pytest.approx(accuracy[SCORES].astype(float).to_numpy(), rel=1e-4)


def test_log_probabilities_are_fitted_as_losses() -> None:
    sizes = np.geomspace(1e5, 1e9, 10)
    loss = 3 * (1 - broken(sizes, 2e7))
    found = scores(table(sizes, -loss, metric="log_probability"))
    assert found["bnsl_break"] == pytest.approx(scores(table(sizes, loss, metric="loss"))["bnsl_break"])
    assert found["bnsl_break"] == pytest.approx(2e7, rel=0.2)


def test_neither_row_order_nor_the_unit_of_x_matters() -> None:
    rng = np.random.default_rng(0)
    sizes = np.geomspace(1e5, 1e9, 10)
    frame = table(sizes, broken(sizes, 2e7)[:, None] + 0.004 * rng.standard_normal((10, 3)))
    expected = scores(frame)
    shuffled = scores(frame.sample(frac=1, random_state=0))
    assert shuffled[SCORES].astype(float).to_numpy() == pytest.approx(expected[SCORES].astype(float).to_numpy())
    scaled = scores(frame.assign(flops=6e6 * frame["params_non_embedding"]), x="flops")
    assert scaled[UNITLESS].astype(float).to_numpy() == pytest.approx(expected[UNITLESS].astype(float).to_numpy())
    for place in ("change_point", "bnsl_break"):
        assert scaled[place] == pytest.approx(6e6 * expected[place])


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_constant_curves_have_no_scores(level: float) -> None:
    found = scores(table(np.geomspace(1e5, 1e9, 10), np.full((10, 3), level)))
    assert found[SCORES].isna().all()


def test_one_and_two_sizes() -> None:
    assert scores(table([1e6], [[0.2, 0.4]]))[SCORES].isna().all()
    two = scores(table([1e6, 4e6], [0.2, 0.4]))
    # One step is its own range, and two means leave nothing of two values.
    assert two[OF_STEPS].astype(float).tolist() == pytest.approx([1, 1, 2e6, 0])
    assert two[OF_BREAKS].isna().all()


# ------------------------------------------------------------------------------------------------------- breaks


def test_a_planted_break_is_found() -> None:
    rng = np.random.default_rng(0)
    sizes = np.geomspace(1e5, 1e9, 12)
    for place in (3e6, 3e7):
        wrong = (1 - broken(sizes, place)) * np.exp(0.01 * rng.standard_normal(12))
        found = scores(table(sizes, 1 - wrong))
        assert place / 1.5 < found["bnsl_break"] < 1.5 * place
        assert found["bnsl_bic"] < -10


def test_the_width_of_a_planted_break_is_found() -> None:
    sizes = np.geomspace(1e5, 1e9, 17)
    for width in (0.1, 0.3, 1.0):
        assert scores(table(sizes, broken(sizes, 2e7, width)))["bnsl_sharpness"] == pytest.approx(width, rel=0.01)


def test_a_power_law_with_a_floor_prefers_no_break() -> None:
    # Three parameters more cost 3 ln 20 = 9.0; what they win of pure noise is about chi2(3), 3 on average.
    rng = np.random.default_rng(1)
    sizes = np.geomspace(1e5, 1e9, 20)
    bic = [
        scores(table(sizes, (1 + 50 * sizes**-0.3) * np.exp(0.01 * rng.standard_normal(20)), metric="loss"))["bnsl_bic"]
        for _ in range(10)
    ]
    assert np.median(bic) > 0
    assert max(bic) < 9.1


def test_a_law_that_cannot_be_fitted_is_nan() -> None:
    sizes = np.geomspace(1e5, 1e9, 10)
    perfect = np.minimum(broken(sizes, 2e7) / 0.9, 1.0)  # the share wrong reaches 0, which has no logarithm
    for frame in (
        table(sizes, perfect),
        table(sizes, 100 * broken(sizes, 2e7)),  # higher is better, but no share: -y is no loss
        table(sizes[:6], broken(sizes[:6], 2e7)),  # six parameters take seven sizes
    ):
        found = scores(frame)
        assert found[OF_BREAKS].isna().all()
        assert found[OF_STEPS].notna().all()


def test_a_missing_column_is_named() -> None:
    with pytest.raises(DataError, match="params_non_embedding"):
        known_scores(pd.DataFrame({"metric": ["accuracy"], "value": [0.1]}))
