"""From size to a metric through the loss."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from harness import Chain, Forecaster, IsoFlop, ScalingLaw
from harness.datasets import make_surface
from harness.errors import DataError, SettingError, UserError

COLUMNS = ["N", "D", "loss", "predicted", "low", "high", "status", "message"]


def through(loss: Any, link: str = "sigmoid") -> Any:
    """A share of right answers, or an error that is exponential in the loss, as Gadre et al. 2024 have it."""
    return 0.25 + 0.7 * expit(-(loss - 2.6) / 0.3) if link == "sigmoid" else 0.8 - 3 * np.exp(-1.2 * loss)


@pytest.mark.parametrize(
    ("link", "truth"), [("best", "sigmoid"), ("sigmoid", "sigmoid"), ("exponential", "exponential")]
)
@pytest.mark.parametrize("error", [False, True])
def test_a_metric_through_the_loss(link: str, truth: str, error: bool) -> None:
    """Accuracies and errors alike; the median error of 15 runs beyond, and how many intervals hold (.8 is 2 sd)."""
    rng = np.random.default_rng(7)
    runs = make_surface(random_state=rng).frame
    seen = runs["C"] < 3e20
    held = runs[~seen]
    share = through(runs["loss"].to_numpy(), truth) + 0.005 * rng.standard_normal(len(runs))
    share = 1 - share if error else share
    chain = Chain(link).fit(runs[seen][["N", "D"]], runs[seen]["loss"], share[seen])
    table = chain.predict(held[["N", "D"]])
    assert list(table.columns) == COLUMNS
    assert (table["status"] == "follows the loss").all() and (table["message"] == "").all()
    assert ((table["low"] < table["predicted"]) & (table["predicted"] < table["high"])).all()
    observed = share[~seen]
    assert np.median(np.abs(table["predicted"] - observed)) < 0.02
    assert np.mean((table["low"] <= observed) & (observed <= table["high"])) >= 0.8
    # Doubt about the loss, and the noise of a run, are carried through: the interval is wider than the curve's.
    curve = chain.curve(table["loss"])
    assert ((table["high"] - table["low"]) > (curve["high"] - curve["low"]).to_numpy()).mean() > 0.8


def test_several_tasks_with_a_loss_each() -> None:
    rng = np.random.default_rng(8)
    runs = make_surface(random_state=rng).frame
    losses = pd.DataFrame({"a": runs["loss"], "b": 0.5 * runs["loss"] + 0.2})
    metrics = pd.DataFrame({"a": through(losses["a"]), "b": through(2 * losses["b"] - 0.4)})
    metrics += 0.005 * rng.standard_normal(metrics.shape)
    metrics.loc[:2, "b"] = np.nan  # three runs were not evaluated on it
    losses.loc[0, "b"] = np.nan
    chain = Chain().fit(runs[["N", "D"]], losses, metrics, chance={"a": 0.25})
    table = chain.predict(runs[["N", "D"]].tail(2))
    assert list(table.columns) == ["task", *COLUMNS] and table["task"].tolist() == ["a", "a", "b", "b"]
    assert chain.table_["n"].tolist() == [45, 42] and chain.losses_["a"] is not chain.losses_["b"]
    np.testing.assert_allclose(table["predicted"], metrics.tail(2).to_numpy().T.ravel(), atol=0.02)
    shared = Chain().fit(runs[["N", "D"]], runs["loss"], metrics)
    assert shared.losses_["a"] is shared.losses_["b"]
    with pytest.raises(DataError, match="loss has no column of task b; there are a, c"):
        Chain().fit(runs[["N", "D"]], losses.rename(columns={"b": "c"}), metrics)


def test_checkpoints_inform_the_link_alone() -> None:
    """The loss is that of the final runs; a metric that is measured only at checkpoints still has a link."""
    rng = np.random.default_rng(9)
    runs = make_surface(random_state=rng).frame
    early = runs.assign(loss=1.15 * runs["loss"])
    both = pd.concat([runs, early], ignore_index=True)
    metric = through(both["loss"].to_numpy()) + 0.004 * rng.standard_normal(len(both))
    final = np.arange(len(both)) < len(runs)
    chain = Chain().fit(
        both[["N", "D"]], both["loss"], metric, of_loss=final, clusters=np.tile(np.arange(len(runs)), 2)
    )
    alone = Chain().fit(runs[["N", "D"]], runs["loss"], metric[final])
    at = pd.DataFrame({"N": [3e9], "D": [6e10]})
    assert chain.predict(at)["loss"][0] == pytest.approx(alone.predict(at)["loss"][0])
    assert chain.table_["n"][0] == 2 * alone.table_["n"][0]
    with pytest.raises(DataError, match="of_loss has 3 rows where loss has 90"):
        Chain().fit(both[["N", "D"]], both["loss"], metric, of_loss=[True, False, True])


def test_nothing_leaves_the_range() -> None:
    runs = make_surface(random_state=9).frame
    share = np.clip(through(runs["loss"].to_numpy()) + 0.2 * np.sin(np.arange(45)), 0, 1)
    far = pd.DataFrame({"N": [1e6, 1e13], "D": [1e7, 1e15]})
    for metric, bounds in ((share, (0.0, 1.0)), (100 - 100 * share, (0.0, 100.0))):
        table = Chain(bounds=bounds).fit(runs[["N", "D"]], runs["loss"], metric).predict(far)
        assert (table["low"] >= bounds[0]).all() and (table["high"] <= bounds[1]).all()


def test_bounds_are_a_change_of_units() -> None:
    runs = make_surface(random_state=10).frame
    share = through(runs["loss"].to_numpy()) + 0.005 * np.sin(np.arange(45))
    first = Chain().fit(runs[["N", "D"]], runs["loss"], share)
    percent = Chain(bounds=(0.0, 100.0)).fit(runs[["N", "D"]], runs["loss"], 100 * share)
    at = runs[["N", "D"]].tail(3)
    for name in ("predicted", "low", "high"):
        np.testing.assert_allclose(100 * first.predict(at)[name], percent.predict(at)[name], rtol=1e-6)
    np.testing.assert_allclose(100 * first.table_["noise"], percent.table_["noise"], rtol=1e-6)


def test_equal_seeds_give_equal_numbers() -> None:
    runs = make_surface(random_state=10).frame
    metric = through(runs["loss"].to_numpy()) + 0.01 * np.sin(np.arange(45))
    first, again, other = (
        Chain(seed=seed).fit(runs[["N", "D"]], runs["loss"], metric).predict(runs[["N", "D"]].tail(2))
        for seed in (0, 0, 1)
    )
    pd.testing.assert_frame_equal(first, again)
    assert (first["low"] != other["low"]).all()
    np.testing.assert_allclose(first["predicted"], other["predicted"], atol=0.005)


def test_no_number_where_the_metric_does_not_follow() -> None:
    runs = make_surface(random_state=12).frame
    rng = np.random.default_rng(1)
    metrics = pd.DataFrame({"constant": np.ones(45), "noise": np.clip(0.5 + 0.15 * rng.standard_normal(45), 0, 1)})
    metrics["follows"] = through(runs["loss"].to_numpy())
    table = Chain().fit(runs[["N", "D"]], runs["loss"], metrics).predict(runs[["N", "D"]].tail(1)).set_index("task")
    assert table["predicted"].isna().tolist() == [True, True, False]
    assert table.loc["constant", "status"] == "is the same in all runs"
    assert table.loc["noise", "status"] == "does not follow the loss"
    assert (
        "the metric" not in table["message"]["constant"] and "constant is 1 in all 45" in table["message"]["constant"]
    )


def test_refuses_what_leads_nowhere() -> None:
    runs = make_surface(random_state=12).frame
    with pytest.raises(SettingError, match="did you mean 'sigmoid'"):
        Chain("sigmod").fit(runs[["N", "D"]], runs["loss"], np.ones(45))
    with pytest.raises(SettingError, match="bounds"):
        Chain(bounds=(1.0, 0.0)).fit(runs[["N", "D"]], runs["loss"], np.ones(45))
    with pytest.raises(SettingError, match="n_draws"):
        Chain(n_draws=10).fit(runs[["N", "D"]], runs["loss"], np.ones(45))
    with pytest.raises(DataError, match="shape"):
        Chain().fit(runs[["N", "D"]], runs["loss"], np.ones((45, 2)))
    with pytest.raises(DataError, match="chance: no task other; there are metric"):
        Chain().fit(runs[["N", "D"]], runs["loss"], np.ones(45), chance={"other": 0.2})
    chain = Chain().fit(runs[["N", "D"]], runs["loss"], np.ones(45))
    with pytest.raises(DataError, match="in all 45 runs"):
        chain.curve([2.0])
    with pytest.raises(DataError, match="no such task"):
        chain.curve([2.0], task="other")


@pytest.mark.parametrize("estimator", [Chain(), Forecaster(), ScalingLaw("hoffmann"), IsoFlop()])
def test_predict_comes_after_fit(estimator: Any) -> None:
    with pytest.raises(UserError, match=f"{type(estimator).__name__} is not fitted yet"):
        estimator.predict([[1e9, 2e10]])
