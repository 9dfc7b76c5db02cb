"""Thresholds of a pretrained family foretold from fine-tuned models, on planted truth.

experiments/foretold_threshold/planted.py measures coverage and error rates on many more tables; margins here follow
from what it found.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness import ThresholdForecaster
from harness.datasets import PlantedFinetuning, make_finetuned
from harness.errors import DataError, SettingError, UserError


def fitted(truth: PlantedFinetuning, **settings: Any) -> ThresholdForecaster:
    frame = truth.frame
    return ThresholdForecaster(**settings).fit(frame[["params", "examples"]], frame["value"], frame["parent"])


def test_planted_thresholds_are_recovered_and_covered() -> None:
    """12 tables: the interval at the true worth holds 11 or more of them in expectation, and 8 or fewer never."""
    held, off = [], []
    for seed in range(12):
        truth = make_finetuned(random_state=[seed, 1])
        found = fitted(truth, at=100)
        assert found.status_ == "forecast"
        held.append(found.low_ <= truth.threshold <= found.high_)
        off.append(abs(np.log2(found.threshold_ / truth.threshold)))
    assert sum(held) > 8
    assert np.median(off) < 0.4  # of a ladder whose steps are half an octave, 1.5 octaves ahead


def test_what_pretraining_is_worth_is_part_of_the_interval_unless_it_is_stated() -> None:
    truth = make_finetuned(random_state=1)
    free, stated = fitted(truth), fitted(truth, at=100)
    assert free.low_ < truth.threshold < free.high_
    assert np.log(free.high_ / free.low_) > 1.5 * np.log(stated.high_ / stated.low_)
    assert free.rests_on_choice_ and "which the runs leave open" in free.message_
    assert (
        stated.rests_on_choice_
        and stated.message_ == "given that pretraining is worth 100 examples, to within a factor of 3"
    )


def test_amounts_below_what_pretraining_is_worth_tell_it() -> None:
    """Thresholds of 30 to 1,000 examples do not differ where pretraining is worth 1,000."""
    sizes, amounts = tuple(np.geomspace(1000, 11_000, 8)), (100, 300, 1000, 3000, 10_000, 30_000)
    truth = make_finetuned(sizes, amounts, worth=1000, threshold=12_500, noise=0.03, random_state=0)
    found = fitted(truth)
    assert found.status_ == "forecast" and not found.rests_on_choice_
    assert found.low_ < truth.threshold < found.high_ < 2 * truth.threshold


def test_seeds_that_are_all_or_nothing() -> None:
    truth = make_finetuned(scatter="seeds", n_seeds=8, random_state=0)
    found = fitted(truth, at=100)
    assert found.low_ < truth.threshold < found.high_
    assert 0.5 < found.dispersion_ < 1.6


def test_no_forecast_where_amounts_do_not_move_the_threshold() -> None:
    """12 tables; at level .05 fewer than one is a false forecast in expectation, and 5 or more never."""
    status = [fitted(make_finetuned(movement="none", random_state=seed)).status_ for seed in range(12)]
    assert status.count("not identifiable") > 7


def test_why_there_is_no_forecast() -> None:
    cases = {
        "not identifiable": make_finetuned(threshold=500_000, random_state=0),
        "already there": make_finetuned(threshold=3000, random_state=0),
        "too few data": make_finetuned((1000, 2000, 4000), random_state=0),
    }
    found = {status: fitted(truth) for status, truth in cases.items()}
    assert {status: str(each.status_) for status, each in found.items()} == {status: status for status in cases}
    assert "no amount brings the threshold down to the sizes used" in found["not identifiable"].message_
    assert "nothing to foretell" in found["already there"].message_
    assert found["too few data"].message_ == "3 sizes fine-tuned: at least 4 are wanted"
    assert all(np.isnan(each.threshold_) for each in found.values())
    two = fitted(make_finetuned(amounts=(300, 3000), random_state=0))
    assert two.message_ == "2 amounts of fine-tuning examples: at least 3 are wanted"
    with pytest.raises(UserError, match="not fitted"):
        two.predict([0.0])


def test_the_law_at_any_amount_and_rolling_forecasts() -> None:
    truth = make_finetuned(tuple(np.geomspace(1000, 11_000, 8)), random_state=0)
    found = fitted(truth, at=100)
    law = found.predict([0, 300, 1000, 3000, 10_000])
    thresholds = pd.Series(truth.thresholds)
    assert (law["low"].to_numpy() < thresholds.to_numpy() * 1.1).all()
    assert (law["high"].to_numpy() > thresholds.to_numpy() / 1.1).all()
    assert law["threshold"].is_monotonic_decreasing
    placed = found.thresholds_.set_index("amount")
    assert placed.loc[0, "threshold"] == np.inf
    assert placed.loc[3000, "low"] < truth.thresholds[3000.0] < placed.loc[3000, "high"]
    assert found.rolling_["amount"].tolist() == [300, 1000]
    assert found.calibration_ >= 1


def test_a_fit_is_the_same_again_and_a_second_one_forgets_the_first() -> None:
    truth = make_finetuned(random_state=3)
    found = fitted(truth, at=100)
    assert found.threshold_ == fitted(truth, at=100).threshold_
    nothing = make_finetuned(threshold=500_000, random_state=0).frame
    found.fit(nothing[["params", "examples"]], nothing["value"])
    assert np.isnan(found.threshold_) and not len(found.rolling_)


@pytest.mark.parametrize(("settings", "named"), [({"at": 0}, "at"), ({"top": 0.3}, "top"), ({"level": 1.0}, "level")])
def test_a_setting_out_of_its_range_is_named(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingError, match=named):
        fitted(make_finetuned(random_state=0), **settings)


def test_a_value_that_cannot_be_used_is_named() -> None:
    frame = make_finetuned(random_state=0).frame
    x, y = frame[["params", "examples"]], frame["value"]
    forecaster = ThresholdForecaster()
    with pytest.raises(DataError, match=r"row 0: 1\.5; allowed are scores of at most 1"):
        forecaster.fit(x, y.where(y.index > 0, 1.5))
    with pytest.raises(DataError, match="examples"):
        forecaster.fit(x.assign(examples=-1.0), y)
    with pytest.raises(DataError, match="two are wanted"):
        forecaster.fit(x[["params"]], y)
    with pytest.raises(DataError, match="parents has 3 rows"):
        forecaster.fit(x, y, ["a", "b", "c"])
    with pytest.raises(SettingError, match="chance"):
        forecaster.fit(x, y, chance=1.0)
