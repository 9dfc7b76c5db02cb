"""Pictures of laws over N and D."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from legible import check_legible, legend_of
from matplotlib.figure import Figure

from harness.analysis.fitting.estimator import ScalingLaw
from harness.analysis.fitting.laws.powers import Gadre
from harness.analysis.planning.isoflop import IsoFlop
from harness.datasets import make_surface
from harness.errors import DataError, SettingError, UserError
from harness.report import isoflop_plots, law_plots


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """Seven sizes at each of four budgets."""
    return make_surface(4, 7, compute=(1e17, 1e20), span=8, random_state=0).frame


@pytest.fixture(scope="module")
def surface(frame: pd.DataFrame) -> ScalingLaw:
    return ScalingLaw("hoffmann", objective="squares").fit(frame[["N", "D"]], frame["loss"])


@pytest.mark.parametrize("approach", [1, 2])
def test_isoflop_marks_every_minimum_with_its_interval(frame: pd.DataFrame, approach: int) -> None:
    isoflop = IsoFlop(approach).fit(frame["N"], frame["D"], frame["loss"])
    axes = isoflop_plots.plot_isoflop(frame, isoflop)
    check_legible(axes)
    accepted = isoflop.minima_[isoflop.minima_["status"] == "accepted"]
    assert len(accepted) == 4
    assert legend_of(axes) == ["1e17", "1e18", "1e19", "1e20", "minimum, 95 % interval"]
    marks = [line for line in axes.lines if line.get_marker() == "D"]
    assert np.allclose([line.get_xdata()[0] for line in marks], accepted["N"])
    assert axes.get_xlabel() == "parameters N" and axes.get_ylabel() == "loss (nats)"


def test_isoflop_says_why_a_budget_has_no_minimum(frame: pd.DataFrame) -> None:
    whole, budgets = frame.assign(budget=frame["C"]), frame["C"].unique()
    falling = whole[(whole["budget"] == budgets[1]) & (whole.index % 7 < 4)].assign(loss=[3.9, 3.5, 3.2, 3.0])
    few = whole[whole["budget"] == budgets[0]].head(2)
    one = pd.concat([few, falling, whole[whole["budget"] == budgets[3]]])
    isoflop = IsoFlop().fit(one["N"], one["D"], one["loss"], one["budget"])
    assert list(isoflop.minima_["status"]) == ["too few sizes", "minimum beyond the sizes measured", "accepted"]
    axes = isoflop_plots.plot_isoflop(one, isoflop)
    check_legible(axes)
    assert {"hollow: too few sizes", "hollow: minimum beyond\nthe sizes measured"} < set(legend_of(axes))
    hollow = [line for line in axes.lines if line.get_marker() == "o" and line.get_markerfacecolor() == "none"]
    assert len(hollow) == 2
    none = pd.concat([few, falling])
    nothing = IsoFlop().fit(none["N"], none["D"], none["loss"], none["budget"])
    assert "minimum, 95 % interval" not in legend_of(isoflop_plots.plot_isoflop(none, nothing))


@pytest.mark.parametrize("law", ["hoffmann", "gadre", "kaplan"])
def test_surface_with_runs_and_frontier(frame: pd.DataFrame, law: str) -> None:
    fit = ScalingLaw(law, objective="squares").fit(frame[["N", "D"]], frame["loss"])
    axes = law_plots.plot_surface(frame, fit)
    check_legible(axes)
    assert np.allclose(np.asarray(axes.collections[-1].get_offsets()), frame[["N", "D"]])
    assert axes.get_xlabel() == "parameters N" and axes.get_ylabel() == "training tokens D"
    told = "no frontier: kaplan" if law == "kaplan" else "lowest loss at equal compute"
    assert any(text.startswith(told) for text in legend_of(axes))
    assert any(text.get_text().startswith("C = 1e") for text in axes.texts)


def test_surface_of_a_fit_at_a_bound_and_in_ones_own_grid(frame: pd.DataFrame) -> None:
    left, right = Figure(figsize=(8, 3)).subplots(1, 2)
    flat = frame.assign(loss=2 + 480 * frame["N"] ** -0.35)
    fit = ScalingLaw("hoffmann", objective="squares").fit(flat[["N", "D"]], flat["loss"])
    assert law_plots.plot_surface(flat, fit, left) is left
    assert fit.status_ == "at a bound" and right.get_xlabel() == ""
    left.figure.canvas.draw()


def test_profile_is_1_at_the_ends_of_the_interval(surface: ScalingLaw) -> None:
    for name in surface.law_.parameters:
        axes = law_plots.plot_profile(surface, name)
        check_legible(axes)
        x, rise = (np.asarray(values) for values in axes.lines[0].get_data())
        assert np.all(np.diff(x) >= 0) and rise.min() == 0 and len(x) == 2 * 9 + 1
        assert np.allclose(np.sort(x[np.isclose(rise, 1)]), surface.intervals_[name], rtol=0.02)
        assert axes.get_xlabel() == name
        assert np.isclose(x[np.argmin(rise)], surface.params_[name])


def test_a_profile_ends_in_a_wall_at_the_bound_of_its_parameter() -> None:
    sizes = np.repeat(np.geomspace(1e3, 1e6, 8), 3)
    loss = 3 * sizes**-0.1 * np.exp(np.random.default_rng(1).normal(0, 0.01, 24))
    fit = ScalingLaw("power_floor").fit(sizes, loss)
    axes = law_plots.plot_profile(fit, "E")
    check_legible(axes)
    x, rise = (np.asarray(values) for values in axes.lines[0].get_data())
    assert x.min() == 0 and np.ptp(rise[x == 0]) > 0.5, "the rise goes straight up where E can fall no further"
    assert np.isfinite(axes.get_xlim()).all()


def test_profiles_that_cannot_be(frame: pd.DataFrame, surface: ScalingLaw) -> None:
    with pytest.raises(SettingError, match="parameter"):
        law_plots.plot_profile(surface, "gamma")
    drawn = ScalingLaw("power", interval="bootstrap", n_bootstrap=100).fit(frame["N"], frame["loss"])
    with pytest.raises(SettingError, match="bootstrap"):
        law_plots.plot_profile(drawn, "alpha")


@pytest.mark.parametrize("against", ["fitted", "N", "D"])
def test_residuals_are_those_of_the_fit(frame: pd.DataFrame, surface: ScalingLaw, against: str) -> None:
    axes = law_plots.plot_residuals(surface, frame[["N", "D"]], against)
    check_legible(axes)
    assert np.allclose(axes.lines[1].get_ydata(), 100 * np.expm1(surface.residuals_))
    assert legend_of(axes) == ["28 runs"] and axes.get_ylabel() == "residual (%)"


def test_an_outlier_does_not_flatten_the_other_residuals(frame: pd.DataFrame) -> None:
    bad = frame.assign(loss=frame["loss"].where(frame.index != 9, 3 * frame["loss"]))
    fit = ScalingLaw("hoffmann", objective="huber", interval="delta").fit(bad[["N", "D"]], bad["loss"])
    axes = law_plots.plot_residuals(fit, bad[["N", "D"]])
    check_legible(axes)
    assert axes.get_ylim()[1] < 20
    assert any(text.startswith("1 above, to +19") for text in legend_of(axes))
    with pytest.raises(SettingError, match="against"):
        law_plots.plot_residuals(fit, bad[["N", "D"]], "C")
    with pytest.raises(DataError, match="3 rows where the law was fitted to 28"):
        law_plots.plot_residuals(fit, bad[["N", "D"]].head(3))


def test_axes_of_a_fit_have_the_names_of_the_users_columns(frame: pd.DataFrame, surface: ScalingLaw) -> None:
    own = frame.rename(columns={"N": "my_size", "D": "my_data"})
    fit = ScalingLaw("power", interval="delta").fit(own["my_size"], own["loss"])
    for x in (own["my_size"], own[["my_size"]]):
        assert law_plots.plot_fit(fit, x, own["loss"], y_name="val_loss").get_xlabel() == "my size"
    assert law_plots.plot_fit(fit, own["my_size"].to_numpy(), own["loss"], y_name="val_loss").get_ylabel() == "val loss"
    axes = law_plots.plot_fit(surface, own[["my_size", "my_data"]], own["loss"])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("my size", "my data")
    assert "lowest loss at equal compute" in legend_of(axes)


def test_a_law_of_a_share_is_not_drawn_above_one() -> None:
    sizes = np.geomspace(1e7, 1e10, 12)
    share = np.minimum(0.3 * (sizes / 1e7) ** 0.25, 0.99)
    fit = ScalingLaw("power", interval="delta").fit(sizes, share)
    assert np.max(fit.predict(sizes)) > 1.2
    axes = law_plots.plot_fit(fit, sizes, share, y_name="mmlu_acc")
    check_legible(axes)
    assert max(np.max(line.get_ydata()) for line in axes.lines) == 1.0
    unbounded = law_plots.plot_fit(fit, sizes, share, y_name="loss")
    assert max(np.max(line.get_ydata()) for line in unbounded.lines) > 1.2


def test_compute_is_drawn_over_parameters_and_tokens_alone(frame: pd.DataFrame) -> None:
    class Shape(Gadre):
        name, variables = "shape", ("w", "d")

    fit = ScalingLaw(Shape(), interval="delta").fit(frame[["N", "D"]], frame["loss"])
    axes = law_plots.plot_fit(fit, frame[["N", "D"]].set_axis(["w", "d"], axis=1), frame["loss"])
    check_legible(axes)
    assert legend_of(axes) == ["runs"] and not [text for text in axes.texts if "C =" in text.get_text()]


def test_a_fit_of_one_variable_is_a_curve_of_two_a_surface(frame: pd.DataFrame, surface: ScalingLaw) -> None:
    compute = 6 * frame["N"] * frame["D"]
    curve = law_plots.plot_fit(ScalingLaw("power_floor").fit(compute, frame["loss"]), compute, frame["loss"])
    check_legible(curve)
    assert legend_of(curve) == ["runs", "power_floor", "95 % interval"]
    share = 1 / (1 + np.exp(-np.log(frame["N"] / 1e8)))
    check_legible(
        law_plots.plot_fit(ScalingLaw("logistic").fit(frame["N"], share), frame["N"], share, y_name="accuracy")
    )
    drawn = law_plots.plot_fit(surface, frame[["N", "D"]], frame["loss"])
    check_legible(drawn)
    assert (drawn.get_xlabel(), drawn.get_ylabel()) == ("parameters N", "training tokens D")
    shape = pd.DataFrame({"width": frame["N"] ** 0.5, "depth": np.tile(range(1, 8), 4) * 1.0, "D": frame["D"]})
    fit = ScalingLaw("width_depth", interval="delta").fit(shape, frame["loss"])
    with pytest.raises(UserError, match="3 variables"):
        law_plots.plot_fit(fit, shape, frame["loss"])
