"""Jumps under shifts whose fate is planted."""

from __future__ import annotations

import pandas as pd
import pytest
from planted_shifts import with_jumps

from harness import find_jumps, jump_survival
from harness.errors import DataError


@pytest.fixture(autouse=True, scope="module")
def quick(few_draws: None) -> None:
    pass


def test_a_jump_survives_moves_or_vanishes_as_planted() -> None:
    frame = with_jumps("jump at 3", same="jump at 3", later="jump at 6", none="flat", slow="smooth")
    found = jump_survival(frame, "params").set_index("split")
    assert found["outcome"].to_dict() == {"same": "survives", "later": "moves", "none": "vanishes", "slow": "vanishes"}
    moved = found.loc["later"]
    assert moved["ratio_low"] < 8 < moved["ratio_high"] and moved["ratio_low"] > 1
    assert found.loc["same", "ratio_low"] < 1 < found.loc["same", "ratio_high"]
    own = find_jumps(frame[frame["split"] == "eval"], "params").iloc[0]
    assert set(found["verdict"]) == {own["verdict"]} and set(found["threshold"].round(9)) == {
        round(own["threshold"], 9)
    }
    assert found.loc["slow", "shifted_verdict"] == "smooth" and found.loc["none", "shifted_reason"]


def test_what_does_not_jump_on_its_own_set() -> None:
    found = jump_survival(with_jumps("smooth", sudden="jump at 4", slow="smooth"), "params").set_index("split")
    assert found["outcome"].to_dict() == {"sudden": "appears", "slow": "no jump"}
    few = with_jumps("jump at 3", same="jump at 3")
    few = few[few["params"] < 1000]
    assert list(jump_survival(few, "params")["outcome"]) == ["not decided"]


def test_a_curve_that_was_not_measured_there_has_no_row() -> None:
    frame = with_jumps("jump at 3", same="jump at 3")
    both = pd.concat([frame.assign(task="one"), frame[frame["split"] == "eval"].assign(task="other")])
    assert jump_survival(both, "params")[["task", "outcome"]].to_numpy().tolist() == [["one", "survives"]]
    with pytest.raises(DataError, match="no split test"):
        jump_survival(frame, "params", own="test")
