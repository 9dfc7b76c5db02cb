"""From size to a metric through the loss."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from harness import Chain, ScalingLaw
from harness.datasets import make_surface
from harness.errors import DataError, SettingError


def through(loss: np.ndarray, link: str) -> np.ndarray:
    return 0.25 + 0.7 * expit(-(loss - 2.6) / 0.3) if link == "sigmoid" else 0.8 - 3 * np.exp(-1.2 * loss)


@pytest.mark.parametrize("link", ["sigmoid", "exponential"])
def test_a_metric_through_the_loss(link: str) -> None:
    rng = np.random.default_rng(7)
    runs = make_surface(random_state=rng).frame
    seen = runs["C"] < 3e20
    held = runs[~seen]
    observed = through(held["loss"].to_numpy(), link) + 0.005 * rng.standard_normal(len(held))
    noisy = through(runs["loss"].to_numpy(), link) + 0.005 * rng.standard_normal(len(runs))
    chain = Chain(link).fit(runs[seen][["N", "D"]], runs[seen]["loss"], noisy[seen])
    table = chain.predict(held[["N", "D"]])
    assert list(table.columns) == ["N", "D", "loss", "predicted", "low", "high", "status", "message"]
    assert (table["status"] == "converged").all() and (table["message"] == "").all()
    assert ((table["low"] < table["predicted"]) & (table["predicted"] < table["high"])).all()
    assert np.median(np.abs(table["predicted"] - observed)) < 0.02
    assert np.mean((table["low"] <= observed) & (observed <= table["high"])) >= 0.8
    # Doubt about the loss is carried through: the interval is wider than the link's alone.
    alone = chain.link_.predict(table["loss"], level=0.95)
    assert isinstance(alone, pd.DataFrame)
    assert ((table["high"] - table["low"]) > (alone["run_high"] - alone["run_low"]).to_numpy()).all()


def test_percentiles_that_do_not_hold_the_prediction_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of .95 to .975 instead of .025 to .975."""
    runs = make_surface(random_state=8).frame
    chain = Chain("exponential").fit(runs[["N", "D"]], runs["loss"], through(runs["loss"].to_numpy(), "exponential"))
    quantile = np.quantile
    monkeypatch.setattr(np, "quantile", lambda a, q, **k: quantile(a, [0.95, 0.975] if len(q) == 2 else q, **k))
    table = chain.predict(pd.DataFrame({"N": [1e9, 1e10], "D": [2e10, 2e11]}))
    assert table["status"].tolist() == ["interval failed"] * 2
    assert (table["low"] == table["predicted"]).all() and table["message"].str.contains("the metric").all()


def test_shares_stay_between_0_and_1() -> None:
    runs = make_surface(random_state=9).frame
    share = np.clip(through(runs["loss"].to_numpy(), "sigmoid") + 0.2 * np.sin(np.arange(45)), 0, 1)
    table = Chain("sigmoid").fit(runs[["N", "D"]], runs["loss"], share).predict(runs[["N", "D"]])
    assert (table["low"] >= 0).all() and (table["high"] <= 1).all()


def test_equal_seeds_give_equal_numbers() -> None:
    runs = make_surface(random_state=10).frame
    metric = through(runs["loss"].to_numpy(), "sigmoid") + 0.01 * np.sin(np.arange(45))
    first, again, other = (
        Chain(seed=seed).fit(runs[["N", "D"]], runs["loss"], metric).predict(runs[["N", "D"]].tail(2))
        for seed in (0, 0, 1)
    )
    pd.testing.assert_frame_equal(first, again)
    assert (first["low"] != other["low"]).all() and (first["predicted"] == other["predicted"]).all()


def test_the_link_is_fitted_to_loss_and_metric() -> None:
    runs = make_surface(random_state=11).frame
    metric = through(runs["loss"].to_numpy(), "sigmoid")
    chain = Chain().fit(runs[["N", "D"]], runs["loss"], metric)
    alone = ScalingLaw("sigmoid_of_loss").fit(runs["loss"], metric)
    assert chain.link_.params_ == alone.params_ and chain.link_.params_["loss50"] == pytest.approx(2.6, abs=1e-3)


def test_refuses_what_leads_nowhere() -> None:
    runs = make_surface(random_state=12).frame
    with pytest.raises(SettingError, match="did you mean 'sigmoid'"):
        Chain("sigmod").fit(runs[["N", "D"]], runs["loss"], np.ones(45))
    with pytest.raises(DataError, match="the metric is 1 in all 45 runs"):
        Chain().fit(runs[["N", "D"]], runs["loss"], np.ones(45))
