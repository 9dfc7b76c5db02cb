from __future__ import annotations

import os
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from legible import check_legible
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from nbclient import NotebookClient

from harness.analysis.fitting.estimator import ScalingLaw
from harness.analysis.fitting.rolling import rolling_extrapolation
from harness.analysis.planning.forecast import Forecaster
from harness.analysis.planning.isoflop import IsoFlop
from harness.errors import DataError, SettingError, UserError
from harness.report import law_plots

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "laws.ipynb"
BUDGETS = np.geomspace(1e17, 1e20, 4)


def planted(budgets: np.ndarray = BUDGETS, noise: float = 0.003, span: float = 8.0) -> pd.DataFrame:
    """Seven sizes within a factor `span` of N = sqrt(C / 120) at every budget, on Hoffmann's surface."""
    rng = np.random.default_rng(0)
    c = np.repeat(budgets, 7)
    n = np.sqrt(c / 120) * np.tile(np.geomspace(1 / span, span, 7), len(budgets))
    d = c / (6 * n)
    loss = (1.7 + 480 * n**-0.35 + 2100 * d**-0.37) * np.exp(rng.normal(0, noise, len(c)))
    return pd.DataFrame({"N": n, "D": d, "loss": loss})


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return planted()


@pytest.fixture(scope="module")
def surface(frame: pd.DataFrame) -> ScalingLaw:
    return ScalingLaw("hoffmann", objective="squares").fit(frame[["N", "D"]], frame["loss"])


def legend_of(axes: Axes) -> list[str]:
    legend = axes.get_legend()
    assert legend is not None
    return [text.get_text() for text in legend.get_texts() if text.get_text().strip()]


@pytest.mark.parametrize("approach", [1, 2])
def test_isoflop_marks_every_minimum_with_its_interval(frame: pd.DataFrame, approach: int) -> None:
    isoflop = IsoFlop(approach).fit(frame["N"], frame["D"], frame["loss"])
    axes = law_plots.plot_isoflop(frame, isoflop)
    check_legible(axes)
    accepted = isoflop.minima_[isoflop.minima_["status"] == "accepted"]
    assert len(accepted) == 4
    assert legend_of(axes) == ["1e17", "1e18", "1e19", "1e20", "minimum, 95 % interval"]
    marks = [line for line in axes.lines if line.get_marker() == "D"]
    assert np.allclose([line.get_xdata()[0] for line in marks], accepted["N"])
    assert axes.get_xlabel() == "parameters N" and axes.get_ylabel() == "loss (nats)"


def test_isoflop_says_why_a_budget_has_no_minimum(frame: pd.DataFrame) -> None:
    whole = frame.assign(budget=np.repeat(BUDGETS, 7))
    falling = whole[(whole["budget"] == BUDGETS[1]) & (whole.index % 7 < 4)].assign(loss=[3.9, 3.5, 3.2, 3.0])
    few = whole[whole["budget"] == BUDGETS[0]].head(2)
    one = pd.concat([few, falling, whole[whole["budget"] == BUDGETS[3]]])
    isoflop = IsoFlop().fit(one["N"], one["D"], one["loss"], one["budget"])
    assert list(isoflop.minima_["status"]) == ["too few sizes", "minimum beyond the sizes measured", "accepted"]
    axes = law_plots.plot_isoflop(one, isoflop)
    check_legible(axes)
    assert {"hollow: too few sizes", "hollow: minimum beyond\nthe sizes measured"} < set(legend_of(axes))
    hollow = [line for line in axes.lines if line.get_marker() == "o" and line.get_markerfacecolor() == "none"]
    assert len(hollow) == 2
    none = pd.concat([few, falling])
    nothing = IsoFlop().fit(none["N"], none["D"], none["loss"], none["budget"])
    assert "minimum, 95 % interval" not in legend_of(law_plots.plot_isoflop(none, nothing))


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
    assert fit.status_ != "converged" and right.get_xlabel() == ""
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


def test_profile_of_a_fit_at_a_bound_is_a_wall(frame: pd.DataFrame) -> None:
    sizes = np.repeat(np.geomspace(1e3, 1e6, 8), 3)
    loss = 3 * sizes**-0.1 * np.exp(np.random.default_rng(1).normal(0, 0.01, 24))
    fit = ScalingLaw("power_floor").fit(sizes, loss)
    axes = law_plots.plot_profile(fit, "E")
    check_legible(axes)
    assert np.all(np.asarray(axes.lines[0].get_xdata()) >= 0)
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


def test_a_fit_of_one_variable_is_a_curve_of_two_a_surface(frame: pd.DataFrame, surface: ScalingLaw) -> None:
    compute = 6 * frame["N"] * frame["D"]
    curve = law_plots.plot_fit(ScalingLaw("power_floor").fit(compute, frame["loss"]), compute, frame["loss"])
    check_legible(curve)
    assert legend_of(curve) == ["runs", "power_floor", "95 % interval"]
    share = 1 / (1 + np.exp(-np.log(frame["N"] / 1e8)))
    check_legible(
        law_plots.plot_fit(ScalingLaw("logistic").fit(frame["N"], share), frame["N"], share, y_name="accuracy")
    )
    check_legible(law_plots.plot_fit(surface, frame[["N", "D"]], frame["loss"]))
    shape = pd.DataFrame({"width": frame["N"] ** 0.5, "depth": np.tile(range(1, 8), 4) * 1.0, "D": frame["D"]})
    fit = ScalingLaw("width_depth", interval="delta").fit(shape, frame["loss"])
    with pytest.raises(UserError, match="3 variables"):
        law_plots.plot_fit(fit, shape, frame["loss"])


def test_rolling_errors_of_every_law(frame: pd.DataFrame) -> None:
    tables = {
        law: rolling_extrapolation(frame[["N", "D"]], frame["loss"], law=law) for law in ("hoffmann", "gadre", "kaplan")
    }
    tables["none"] = tables["gadre"].head(0)
    axes = law_plots.plot_rolling(tables)
    check_legible(axes)
    median = 100 * tables["hoffmann"]["error"].abs().median()
    assert f"hoffmann {median:.2g} %" in legend_of(axes) and "none: too few sizes" in legend_of(axes)
    exact = tables["gadre"].assign(error=0.0)
    check_legible(law_plots.plot_rolling({"exact": exact}))
    with pytest.raises(DataError, match="nothing to draw"):
        law_plots.plot_rolling({"gadre": tables["none"]})


def test_forecasts_of_runs_held_out(frame: pd.DataFrame) -> None:
    large = 6 * frame["N"] * frame["D"] > 5e19
    seen, held_out = frame[~large], frame[large]
    forecaster = Forecaster().fit(seen[["N", "D"]], seen["loss"])
    axes = law_plots.plot_forecast(seen, held_out.assign(loss=held_out["loss"] * ([1.0] * 6 + [2.0])), forecaster)
    check_legible(axes)
    main, below = axes.figure.axes
    assert main is axes and axes.get_xlabel() == "training compute C (FLOPs)"
    assert {"fitted to", "held out, 6 inside", "held out, 1 outside"} <= set(legend_of(axes))
    ahead = forecaster.predict(held_out[["N", "D"]])["predicted"].to_numpy()
    off = next(line for line in below.lines if line.get_marker() == "o" and len(line.get_xdata()) == 6)
    assert np.allclose(off.get_ydata(), (100 * (held_out["loss"] / ahead - 1))[:6])


def test_a_forecast_in_one_variable_is_drawn_against_it(frame: pd.DataFrame) -> None:
    runs = pd.DataFrame({"N": np.geomspace(1e5, 1e9, 12)}).assign(loss=lambda t: 1.5 + 40 * t["N"] ** -0.3)
    forecaster = Forecaster().fit(runs["N"].head(9), runs["loss"].head(9))
    axes = law_plots.plot_forecast(runs.head(9), runs.tail(3), forecaster, columns=("N", "loss"))
    check_legible(axes)
    assert axes.get_xlabel() == "parameters N"


@pytest.mark.parametrize("own", [False, True])
def test_the_notebook_runs_on_planted_runs_and_on_ones_own(
    own: bool, frame: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    assert len(notebook.cells) < 15
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells)
    monkeypatch.delenv("HARNESS_TABLE", raising=False)
    if own:
        frame.assign(name="a column of no use here").to_csv(tmp_path / "runs.csv")
        monkeypatch.setenv("HARNESS_TABLE", str(tmp_path / "runs.csv"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(NOTEBOOK.parents[1]), os.environ.get("PYTHONPATH", "")]))
    NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": NOTEBOOK.parent}}
    ).execute()
    pictures = [out for cell in notebook.cells for out in cell.get("outputs", []) if "image/png" in out.get("data", {})]
    assert len(pictures) == 6
