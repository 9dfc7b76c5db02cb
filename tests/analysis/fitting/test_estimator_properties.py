"""What holds of a fit whatever the runs: order and units do not matter, and no table ends in silent nonsense."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_laws import planted_theta

from harness.analysis.fitting.estimator import FitStatus, ScalingLaw
from harness.analysis.fitting.intervals import hold_estimate
from harness.analysis.fitting.laws import LAWS
from harness.errors import UserError

#: A warning of numpy would stand between the lines that a user reads.
pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")

NAMES = ("power_floor", "hoffmann", "gadre", "kaplan", "logistic")
#: Relative; the solver's own tolerance is far below.
CLOSE = 1e-4

seeds = st.integers(0, 2**32 - 1)
scales = st.floats(-12, 12).map(lambda exponent: 10.0**exponent)


def several(max_examples: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return settings(max_examples=max_examples, deadline=None, derandomize=True, database=None)


def fitted(name: str, x: np.ndarray, y: np.ndarray) -> ScalingLaw:
    return ScalingLaw(name, objective="squares", interval="delta").fit(x, y)


def planted(name: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """x (n, d) and y (n,) of 32 runs a third of a percent about a law that they tell."""
    law, rng = LAWS[name], np.random.default_rng(seed)
    axes = [np.linspace(-3, 3, 32)] if len(law.variables) == 1 else [np.linspace(-3, 3, 6)] * 2
    t = np.stack([axis.ravel() for axis in np.meshgrid(*axes)])
    value = law.value(t, planted_theta(law, rng, 1))[0] + 0.003 * rng.standard_normal(t.shape[1])
    y = np.exp(value) if law.scale == "log" else np.clip(value, 0, 1)
    return 1e6 * np.exp(t.T), y


def in_units(fit: ScalingLaw, x_scale: np.ndarray, y_scale: float) -> dict[str, float]:
    """The parameters that the fit must have once x and y are multiplied by these."""
    found, n = fit.params_, x_scale[0]
    match fit.law_.name:
        case "power_floor":
            return found | {"E": found["E"] * y_scale, "A": found["A"] * y_scale * n ** found["alpha"]}
        case "hoffmann":
            a, b = found["A"] * n ** found["alpha"], found["B"] * x_scale[1] ** found["beta"]
            return found | {"E": found["E"] * y_scale, "A": a * y_scale, "B": b * y_scale}
        case "gadre":
            a, b = (found[name] * scale ** (2 * found["eta"]) for name, scale in zip("ab", x_scale, strict=True))
            return found | {"E": found["E"] * y_scale, "a": a * y_scale, "b": b * y_scale}
        case "kaplan":
            critical_n = found["Nc"] * n * y_scale ** (1 / found["alpha_N"])
            return found | {"Nc": critical_n, "Dc": found["Dc"] * x_scale[1] * y_scale ** (1 / found["alpha_D"])}
    return found | {"x50": found["x50"] * n}


def assert_same(found: dict[str, float], wanted: dict[str, float], scale: float = 1.0) -> None:
    for name, value in wanted.items():
        assert found[name] == pytest.approx(value, rel=CLOSE, abs=1e-6 * scale), name


@pytest.mark.parametrize("name", NAMES)
@several(8)
@given(seed=seeds)
def test_the_order_of_the_rows_does_not_matter(name: str, seed: int) -> None:
    x, y = planted(name, seed)
    order = np.random.default_rng(seed).permutation(len(y))
    fit, shuffled = fitted(name, x, y), fitted(name, x[order], y[order])
    assert shuffled.status_ == fit.status_
    assert shuffled.objective_ == pytest.approx(fit.objective_, rel=1e-8)
    np.testing.assert_allclose(shuffled.predict(x), fit.predict(x), rtol=CLOSE)
    if fit.status_ is FitStatus.CONVERGED:
        assert_same(shuffled.params_, fit.params_)


@pytest.mark.parametrize("name", NAMES)
@several(8)
@given(seed=seeds, n_scale=scales, d_scale=scales, y_scale=st.floats(-3, 3).map(lambda e: 10.0**e))
def test_parameters_follow_the_units(name: str, seed: int, n_scale: float, d_scale: float, y_scale: float) -> None:
    x, y = planted(name, seed)
    x_scale = np.array([n_scale, d_scale][: x.shape[1]])
    y_scale = y_scale if LAWS[name].scale == "log" else 1.0
    fit, scaled = fitted(name, x, y), fitted(name, x * x_scale, y * y_scale)
    assert scaled.status_ == fit.status_
    assert scaled.objective_ == pytest.approx(fit.objective_, rel=1e-8)
    np.testing.assert_allclose(scaled.predict(x * x_scale), y_scale * np.asarray(fit.predict(x)), rtol=CLOSE)
    if fit.status_ is FitStatus.CONVERGED:
        assert_same(scaled.params_, in_units(fit, x_scale, y_scale), scale=min(y_scale, 1.0))


columns = st.fixed_dictionaries(
    {
        "middle": st.floats(-100, 100),
        "decades": st.sampled_from([0.0, 1e-9, 0.1, 1.0, 5.0, 40.0]),
        "n_values": st.sampled_from([2, 4, 8, 24]),
        "ordered": st.booleans(),
    }
)


def column(rng: np.random.Generator, n: int, middle: float, decades: float, n_values: int, ordered: bool) -> np.ndarray:
    """n positive numbers that follow nothing, n_values of them distinct."""
    known = 10 ** (middle + decades * rng.uniform(-0.5, 0.5, n_values))
    drawn = rng.choice(known, n)
    return np.sort(drawn) if ordered else drawn


@st.composite
def tables(draw: st.DrawFn, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Runs with no law behind them: of any magnitude, all the same, or of few values."""
    rng, n = np.random.default_rng(draw(seeds)), draw(st.integers(8, 24))
    x = np.stack([column(rng, n, **draw(columns)) for _ in LAWS[name].variables], axis=1)
    y = column(rng, n, **draw(columns))
    if LAWS[name].scale == "linear":
        y = y / y.max() if draw(st.booleans()) else np.round(rng.uniform(size=n), draw(st.integers(0, 3)))
    return x, y


@pytest.mark.parametrize("interval", ["delta", "profile"])
@pytest.mark.parametrize("name", NAMES)
@several(30)
@given(data=st.data())
def test_any_table_ends_in_a_status_or_an_error_that_says_why(name: str, interval: str, data: st.DataObject) -> None:
    x, y = data.draw(tables(name))
    try:
        fit = ScalingLaw(name, objective="squares", interval=interval).fit(x, y)
    except UserError as error:
        assert 20 < len(str(error)) < 500 and "\n" not in str(error)
        return
    assert fit.status_ in FitStatus and (fit.message_ or fit.status_ is FitStatus.CONVERGED)
    assert np.isfinite(fit.predict(x)).all()
    if fit.status_ is FitStatus.CONVERGED:
        assert np.isfinite([*fit.params_.values(), fit.objective_]).all()
        # As they came from the solver, before anything was widened.
        everything = fit.parameters(range(len(fit.params_)))
        value, _ = everything(np.repeat(fit.theta_, len(fit.params_), axis=0), np.arange(len(fit.params_)))
        _, failed = hold_estimate(value, fit.interval_of(everything, len(fit.params_), fit.level))
        assert not failed.any()


def test_a_curvature_that_overflows_is_not_identifiable() -> None:
    n = np.array([0.44594585, 2.1303202, 2.85760179, 0.51013111])[[0, 1, 2, 2, 3, 1, 3, 0, 2, 3, 1]]
    d = np.array([0.6889938, 2.11510975])[[0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1]]
    y = np.array([6.65592534e09, 3.75021144e-15])[[0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 0]]
    fit = fitted("kaplan", np.stack([n, d], axis=1), y)
    assert fit.status_ is not FitStatus.CONVERGED and fit.message_
