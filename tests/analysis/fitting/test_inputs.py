"""What is to be fitted: laws by name, laws of the user's own, columns, and designs that determine nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness import Forecaster, PowerLaw, ScalingLaw, fit_best, fit_curves
from harness.analysis.fitting.inputs import find_law, law_columns, laws_for
from harness.analysis.fitting.laws import LAWS, Law
from harness.analysis.fitting.rolling import rolling_extrapolation
from harness.errors import DataError, SettingError, UserError

OWN = """
import numpy as np
from harness.analysis.fitting.laws import Law

class Saturating(Law):
    name = "saturating"
    formula = "E + A exp(-x / x0)"
    parameters = ("E", "A", "x0")
    log_parameters = frozenset({"A", "x0"})
    ranges = {"E": (0, 10), "A": (1e-2, 1e2), "x0": (1e3, 1e9)}

    def value(self, t, theta):
        floor, log_a, log_x0 = (theta[..., i, None] for i in range(3))
        return np.log(floor + np.exp(log_a - np.exp(t[..., 0, :] - log_x0)))

class NoRange(Saturating):
    ranges = {"E": (0, 10), "A": (0, 1), "x0": (1, 2)}

class NoFormula(Law):
    name, parameters = "no formula", ("a",)
    value = Saturating.value

class Transposed(Saturating):
    def value(self, t, theta):
        return super().value(t, theta).T

class Wrong(Saturating):
    def value(self, t, theta):
        return theta[..., 7]

class NoValue(Law):
    name, formula, parameters, ranges = "none", "", ("a",), {"a": (0, 1)}

ready = Saturating()
number = 3
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of the user's own with laws in it; modules and path are as before when the test ends."""
    (tmp_path / "own_laws.py").write_text(OWN)
    (tmp_path / "broken_laws.py").write_text("import numpy\n\nx = numpy.log('a')\n")
    (tmp_path / "not_python.py").write_text("class Law(:\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    yield tmp_path
    for name in ("own_laws", "broken_laws", "not_python"):
        sys.modules.pop(name, None)


def planted() -> tuple[np.ndarray, np.ndarray]:
    x = np.repeat(np.geomspace(1e4, 3e6, 12), 3)
    rng = np.random.default_rng(0)
    return x, (1.5 + 2 * np.exp(-x / 3e5)) * np.exp(0.003 * rng.standard_normal(36))


def test_a_law_by_its_name() -> None:
    assert find_law("hoffmann") is LAWS["hoffmann"] and find_law(LAWS["m4"]) is LAWS["m4"]
    with pytest.raises(SettingError, match=r"law=powerfloor: allowed is one of power, .*did you mean 'power_floor'"):
        find_law("powerfloor")


@pytest.mark.usefixtures("own")
def test_a_law_of_ones_own_is_found_and_recovers_what_was_planted() -> None:
    x, y = planted()
    fit = ScalingLaw("own_laws.Saturating").fit(x, y)
    assert fit.status_ == "converged" and fit.law_.name == "saturating"
    # Standard errors: .0011, .0056 and .0019 of x0: bounds at six of them.
    assert fit.params_["E"] == pytest.approx(1.5, abs=0.007)
    assert fit.params_["A"] == pytest.approx(2, abs=0.034)
    assert fit.params_["x0"] == pytest.approx(3e5, rel=0.03)
    for name, truth in (("E", 1.5), ("A", 2.0), ("x0", 3e5)):
        low, high = fit.intervals_[name]
        assert low < truth < high and high < 1.1 * low
    by_instance, ready = ScalingLaw(type(fit.law_)()).fit(x, y), ScalingLaw("own_laws.ready").fit(x, y)
    assert by_instance.params_ == ready.params_ == fit.params_


@pytest.mark.usefixtures("own")
def test_a_law_of_ones_own_goes_wherever_laws_go() -> None:
    x, y = planted()
    choice = fit_best(x, y, laws=("power_floor", "own_laws.Saturating"))
    assert choice.best.law_.name == "saturating" and choice.ranking["delta_aicc"].iloc[1] > 10
    assert rolling_extrapolation(x, y, law="own_laws.Saturating")["error"].abs().median() < 0.05
    forecast = Forecaster(law="own_laws.Saturating").fit(x, y)
    table = forecast.predict([1e7])
    assert forecast.weights_ == {"saturating": 1.0} and table["low"][0] < 1.5 < table["high"][0]
    curves = fit_curves(pd.DataFrame({"x": x, "y": y, "c": 1}), "x", "y", by=["c"], law="own_laws.Saturating")
    alone = ScalingLaw("own_laws.Saturating").fit(x, y)
    assert curves["x0"][0] == pytest.approx(alone.params_["x0"], rel=1e-6)
    assert curves["x0_low"][0] == pytest.approx(alone.intervals_["x0"][0], rel=1e-3)
    robust = ScalingLaw("own_laws.Saturating", objective="huber", n_bootstrap=100).fit(x, y)
    assert robust.interval_ == "bootstrap" and robust.params_["E"] == pytest.approx(1.5, abs=0.01)


@pytest.mark.usefixtures("own")
def test_a_law_of_ones_own_at_the_end_of_its_range_says_so() -> None:
    x, _ = planted()
    fit = ScalingLaw("own_laws.Saturating").fit(x, 20 + 0.0 * x + 2 * np.exp(-x / 3e5))
    assert fit.status_ == "at a bound" and "E stands at the high end of its range" in fit.message_


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.Law", "law=nowhere.Law cannot be imported: No module named 'nowhere'"),
        ("own_laws.Nothing", "module 'own_laws' has no attribute 'Nothing'"),
        ("broken_laws.Law", r"law=broken_laws.Law cannot be imported: .*\(broken_laws.py, line 3\)"),
        ("not_python.Law", r"invalid syntax.*not_python.py, line 1"),
        ("own_laws.number", "law=own_laws.number: 3 is no Law"),
        ("own_laws.np", "is no Law"),
        ("own_laws.NoValue", "abstract method '?value"),
        ("own_laws.NoFormula", "NoFormula has no attribute formula"),
        ("own_laws.NoRange", r"ranges\['A'\]: 0, 1: allowed is \(low, high\), finite, 0 < low < high"),
        ("own_laws.Transposed", r"returns an array of shape \(3, 2\); wanted is that t \(1, 3\)"),
        ("own_laws.Wrong", "saturating.value fails: IndexError"),
        (".Law", "law=.Law: allowed is module.name"),
    ],
)
def test_what_is_no_law_is_refused_in_a_line(name: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        ScalingLaw(name).fit(*planted())
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_laws_by_number_of_variables() -> None:
    known = {1: ("power",), 2: ("hoffmann",)}
    assert laws_for(np.ones(4), known) == ("power",) and laws_for(np.ones((4, 2)), known) == ("hoffmann",)
    with pytest.raises(DataError, match="x has 3 columns"):
        laws_for(np.ones((4, 3)), known)


def test_columns_come_on_the_laws_scale() -> None:
    frame = pd.DataFrame({"params": [1.0, 2.0], "tokens": [3.0, 4.0]})
    places, y = law_columns(LAWS["hoffmann"], frame, [2.0, 3.0])
    np.testing.assert_array_equal(places, frame)
    np.testing.assert_allclose(y, np.log([2, 3]))
    np.testing.assert_array_equal(law_columns(LAWS["logistic"], [1.0, 2.0], [0.0, 1.0])[1], [0, 1])
    with pytest.raises(DataError, match="column tokens, row 1: -4"):
        law_columns(LAWS["hoffmann"], frame.assign(tokens=[3.0, -4.0]), [2.0, 3.0])
    with pytest.raises(DataError, match="hoffmann has 2 variables"):
        law_columns(LAWS["hoffmann"], [1.0, 2.0], [2.0, 3.0])
    with pytest.raises(DataError, match=r"column y, row 1: 1\.2: allowed for logistic is 0 to 1"):
        law_columns(LAWS["logistic"], [1.0, 2.0], [0.5, 1.2])


def test_too_few_sizes_is_an_error_that_says_so() -> None:
    with pytest.raises(UserError, match=r"power_floor, .*needs at least 4 distinct x; got 3"):
        PowerLaw().fit([1, 2, 3, 1, 2, 3], [3, 2, 1.5, 3, 2, 1.5])
    with pytest.raises(UserError, match=r"power, .*needs at least 3 distinct x; got 2"):
        PowerLaw(irreducible=False).fit([1, 2], [3, 2])


def test_a_size_that_hardly_varies_is_named() -> None:
    rng = np.random.default_rng(11)
    x = 2.7e11 * (1 + 0.001 * rng.random(12))
    with pytest.raises(UserError, match="power_floor: not identifiable, x is 2"):
        PowerLaw().fit(x, 2 + 0.1 * rng.random(12))


def test_variables_that_grow_together_are_named() -> None:
    """D = 20 N exactly: a surface over N and D is not identifiable."""
    n = np.geomspace(1e6, 1e9, 12)
    fit = ScalingLaw("hoffmann", objective="squares").fit(
        np.stack([n, 20 * n], axis=1), (1.7 + 400 * n**-0.35) * np.exp(0.01 * np.sin(np.arange(12)))
    )
    assert fit.status_ != "converged" and fit.message_


def test_a_base_class_is_no_law() -> None:
    with pytest.raises(UserError, match="abstract"):
        find_law("harness.analysis.fitting.laws.Law")
    assert isinstance(find_law("harness.analysis.fitting.laws.breaks.M4"), Law)
