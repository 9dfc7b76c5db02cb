"""A negative control stays without a claim, p values stay honest, and a jump in the same noise would be found."""

from __future__ import annotations

import over_size
import pandas as pd
from counting import claims, summary
from imported import REAL, needs_real_data
from published import AT_CHINCHILLA_7B


@needs_real_data
def test_nothing_is_claimed_of_opt() -> None:
    for name, found in over_size.opt(REAL).items():
        assert len(found) == 127
        assert not claims(found).any(), name
        assert (found["p_value"] < 0.05).mean() <= 0.05, name


@needs_real_data
def test_p_values_of_pythia_over_size_are_at_most_nominal() -> None:
    for name, found in over_size.pythia(REAL).items():
        assert len(found) == 149
        assert (found["p_value"] < 0.05).mean() <= 0.05, name
        assert not claims(found).any(), name


@needs_real_data
def test_a_planted_jump_would_have_been_claimed() -> None:
    planted = over_size.planted_in_opt(REAL, heights=[0.3]).iloc[0]
    assert planted["curves"] == 13
    assert planted["p < .05"] > 0.7 and planted["claimed"] > 0.3
    assert planted["placed"] == 1 and planted["others claimed"] == 0


def test_verdicts_are_counted_in_their_order() -> None:
    found = pd.DataFrame(
        {"p_value": [0.01, 0.2, 0.04], "p_adjusted": [0.03, 0.2, 0.06], "verdict": ["drop", "smooth", "inconclusive"]}
    )
    assert claims(found).tolist() == [True, False, False]
    table = summary({"all": found, "none": found[:0]})
    assert table.columns.tolist() == ["curves", "p < .05", "adjusted < .05", "smooth", "drop", "inconclusive"]
    assert table.loc["all"].tolist() == [3, 2, 1, 1, 1, 1] and not table.loc["none"].any()


@needs_real_data
def test_all_subjects_that_the_literature_places_at_7b_are_there() -> None:
    found = over_size.opt(REAL)["OPT, a study a task"]
    assert sorted(over_size.at_chinchilla_7b(found)["task"]) == sorted(AT_CHINCHILLA_7B)
