"""Groups fitted by themselves and together, and the test of what they share."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import harness
from harness import ScalingLaw
from harness.analysis.fitting.groups import bartlett, fit_groups
from harness.errors import DataError, SettingError

TRUTHS = {"web": (1.5, 100.0), "code": (1.2, 150.0), "books": (2.0, 80.0)}


def table(
    rng: np.random.Generator, alphas: tuple[float, ...] = (0.5, 0.5, 0.5), scatter: tuple[float, ...] = (0.01,) * 3
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, y and labels of three groups of 8 sizes x 2 seeds."""
    x = np.repeat(np.geomspace(1e3, 1e6, 8), 2)
    parts = [
        (floor + scale * x**-alpha) * np.exp(sd * rng.standard_normal(16))
        for (floor, scale), alpha, sd in zip(TRUTHS.values(), alphas, scatter, strict=True)
    ]
    return np.tile(x, 3), np.concatenate(parts), np.repeat(list(TRUTHS), 16)


def test_groups_by_themselves_are_fits_of_their_own() -> None:
    x, y, label = table(np.random.default_rng(0))
    found = harness.fit_groups(x, y, label, name="corpus")
    assert list(found.table["corpus"]) == list(TRUTHS) and found.shared is None and found.test is None
    alone = ScalingLaw("power_floor").fit(x[label == "code"], y[label == "code"])
    row = found.table.set_index("corpus").loc["code"]
    assert (row["alpha"], row["E_low"], row["n_runs"]) == (alone.params_["alpha"], alone.intervals_["E"][0], 16)
    assert row["noise"] == alone.noise_ and row["status"] == "converged"


def test_the_ratio_is_that_of_nested_models() -> None:
    x, y, label = table(np.random.default_rng(1))
    x = x * (1 + 1e-6 * np.arange(len(x)))  # no size has two runs, so that sizes cannot lack fit
    found = fit_groups(x, y, label, ["alpha"])
    assert found.shared is not None and found.test is not None and found.message == ""
    free = sum(float(np.sum(fit.residuals_**2)) for fit in found.fits.values())
    tied = float(np.sum(found.shared.residuals_**2))
    freedom = 48 - 9
    assert found.test.freedom == (2, freedom)
    assert found.test.f == pytest.approx((tied - free) / 2 / (free / freedom), rel=1e-6)
    assert found.test.p_value == pytest.approx(stats.f.sf(found.test.f, 2, freedom))
    assert found.test.verdict.startswith("shared alpha: F(2, 39) = ")
    assert found.table["alpha"].nunique() == 1 and found.table["E"].nunique() == 3


def test_sharing_is_refused_where_exponents_differ() -> None:
    x, y, label = table(np.random.default_rng(2), alphas=(0.4, 0.5, 0.6))
    found = fit_groups(x, y, label, ["alpha"])
    assert found.test is not None and found.test.p_value < 1e-6 and found.test.verdict.endswith("refused")
    assert not found.test.verdict.endswith("not refused")


def test_intervals_hold_and_the_test_keeps_its_level() -> None:
    """100 tables: standard errors .022; bounds at four of them. experiments/recipes measures both on more."""
    rng, held, refused = np.random.default_rng(3), [], []
    for _ in range(100):
        found = fit_groups(*table(rng), ["alpha"])
        assert found.shared is not None and found.test is not None
        low, high = found.shared.intervals_["alpha"]
        floor_low, floor_high = found.shared.intervals_["E[code]"]
        held.append([low <= 0.5 <= high, floor_low <= 1.2 <= floor_high])
        refused.append(found.test.p_value < 0.05)
    assert (np.mean(held, axis=0) > 0.86).all() and np.mean(refused) < 0.14


def test_what_is_shared_is_known_better() -> None:
    x, y, label = table(np.random.default_rng(4))
    found = fit_groups(x, y, label, ["alpha"])
    assert found.shared is not None
    alone = min(np.ptp(fit.intervals_["alpha"]) for fit in found.fits.values())
    assert np.ptp(found.shared.intervals_["alpha"]) < 0.85 * alone


def test_groups_that_scatter_more_weigh_less() -> None:
    x, y, label = table(np.random.default_rng(5), scatter=(0.001, 0.01, 0.03))
    found = fit_groups(x, y, label, ["alpha"])
    assert found.shared is not None and "groups scatter by different amounts" in found.message
    plain = fit_groups(x, y, label, ["alpha"], weights=np.ones(len(y)))
    assert plain.shared is not None and plain.message == ""
    web = found.fits["web"].params_["alpha"]
    assert abs(found.shared.params_["alpha"] - web) < abs(plain.shared.params_["alpha"] - web)
    assert np.ptp(found.shared.intervals_["alpha"]) < 0.5 * np.ptp(plain.shared.intervals_["alpha"])


def test_bartlett_is_that_of_scipy() -> None:
    rng = np.random.default_rng(6)
    samples = [sd * rng.standard_normal(n) for sd, n in ((1, 8), (2, 12), (1.5, 20))]
    variance = np.array([np.var(sample, ddof=1) for sample in samples])
    found = bartlett(variance, np.array([len(sample) - 1.0 for sample in samples]))
    assert found == pytest.approx(stats.bartlett(*samples).pvalue)


def test_a_group_of_few_runs_leans_on_the_others() -> None:
    x, y, label = table(np.random.default_rng(7))
    few = (label != "books") | (x < 5e3)  # two sizes
    alone = fit_groups(x[few], y[few], label[few], name="corpus").table.set_index("corpus").loc["books"]
    assert alone["status"] == "too few data" and np.isnan(alone["alpha"]) and "needs at least 4" in alone["message"]
    found = fit_groups(x[few], y[few], label[few], ["alpha"], name="corpus")
    assert found.test is None and found.shared is not None
    assert found.table.set_index("corpus").loc["books", "E_high"] < np.inf


def test_shares_of_answers_are_tested_with_one_correlation() -> None:
    rng, x = np.random.default_rng(8), np.tile(np.geomspace(1e3, 1e6, 12), 2)
    label = np.repeat(["a", "b"], 12)
    middle = np.where(label == "a", 2e4, 6e4)
    share = rng.binomial(400, 0.1 + 0.8 / (1 + (x / middle) ** -1.5)) / 400
    n_eval = np.full(24, 400)
    found = fit_groups(x, share, label, ["floor", "ceiling", "tau"], law="logistic", n_eval=n_eval)
    assert found.test is not None and found.test.p_value > 0.01
    refused = fit_groups(x, share, label, ["x50"], law="logistic", n_eval=n_eval)
    assert refused.test is not None and refused.test.p_value < 0.01


def test_mistakes_are_named() -> None:
    x, y, label = table(np.random.default_rng(9))
    with pytest.raises(DataError, match="corpus is web in all rows"):
        fit_groups(x, y, np.full(len(y), "web"), name="corpus")
    with pytest.raises(DataError, match="by has 3 rows where x has 48"):
        fit_groups(x, y, label[:3])
    with pytest.raises(SettingError, match="share=beta"):
        fit_groups(x, y, label, ["beta"])
    with pytest.raises(DataError, match="column y, row 20"):
        fit_groups(x, np.where(np.arange(len(y)) == 20, -1.0, y), label)
