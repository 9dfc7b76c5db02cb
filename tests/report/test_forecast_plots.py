"""Pictures of forecasts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from legible import check_legible, legend_of

from harness.analysis.fitting.rolling import rolling_extrapolation
from harness.analysis.planning.forecast import Forecaster
from harness.datasets import make_surface
from harness.errors import DataError
from harness.report import forecast_plots


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return make_surface(4, 7, compute=(1e17, 1e20), span=8, random_state=0).frame


def test_rolling_errors_of_every_law(frame: pd.DataFrame) -> None:
    tables = {
        law: rolling_extrapolation(frame[["N", "D"]], frame["loss"], law=law) for law in ("hoffmann", "gadre", "kaplan")
    }
    tables["none"] = tables["gadre"].head(0)
    axes = forecast_plots.plot_rolling(tables)
    check_legible(axes)
    median = 100 * tables["hoffmann"]["error"].abs().median()
    assert f"hoffmann {median:.2g} %" in legend_of(axes) and "none: too few sizes" in legend_of(axes)
    exact = tables["gadre"].assign(error=0.0)
    check_legible(forecast_plots.plot_rolling({"exact": exact}))
    with pytest.raises(DataError, match="nothing to draw"):
        forecast_plots.plot_rolling({"gadre": tables["none"]})


def test_forecasts_of_runs_held_out(frame: pd.DataFrame) -> None:
    large = 6 * frame["N"] * frame["D"] > 5e19
    seen, held_out = frame[~large], frame[large]
    forecaster = Forecaster().fit(seen[["N", "D"]], seen["loss"])
    axes = forecast_plots.plot_forecast(seen, held_out.assign(loss=held_out["loss"] * ([1.0] * 6 + [2.0])), forecaster)
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
    axes = forecast_plots.plot_forecast(runs.head(9), runs.tail(3), forecaster, columns=("N", "loss"))
    check_legible(axes)
    assert axes.get_xlabel() == "parameters N"
