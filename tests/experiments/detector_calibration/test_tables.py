"""Tables of rows that are written by hand, whose shares are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pairs import verdict_shares
from tables import (
    as_text,
    by_height,
    false_positives,
    grid_power,
    grid_ranking,
    ranking,
    smooth_curves,
    steps_found,
)

from harness.datasets import JUMP_KINDS

NOTHING = {"n_sizes": 8, "n_seeds": 3, "spread": 0.02, "family": "logistic", "step": 0, "tall": False}
NOTHING |= {"p": 0.5, "state": "smooth", "up": True, "low": np.nan, "high": np.nan, "place": 3.4, "height": 0.0}
NOTHING |= {"share": 0.0, "statistic": -2.0, "breakthroughness": 1.0, "linearity": 1.0, "largest step": 0.1}
NOTHING |= {"change point": -0.5}
FOUND = NOTHING | {"step": 1, "p": 0.001, "state": "jump", "low": 3.0, "high": 4.0, "height": 0.3, "share": 0.5}
FOUND |= {"statistic": 5.0}


def table(*rows: dict[str, object]) -> pd.DataFrame:
    return pd.DataFrame(rows)


def test_of_smooth_curves_what_they_are_called() -> None:
    rows = table(
        NOTHING,
        NOTHING | {"p": 0.03, "state": "jump"},
        NOTHING | {"p": 0.005, "state": "undetermined"},
        NOTHING | {"state": "steep"},
        FOUND,
    )
    found = smooth_curves(rows, ["family"]).iloc[0]
    assert found[["p < .05", "p < .01", "called jump", "called smooth", "inconclusive"]].tolist() == [
        0.5,
        0.25,
        0.25,
        0.25,
        0.5,
    ]


def test_steps_count_as_found_in_their_own_direction_only() -> None:
    rows = table(
        FOUND,
        FOUND | {"low": 2.0, "high": 3.0},
        FOUND | {"up": False, "state": "drop"},
        FOUND | {"p": 0.3, "state": "flat", "low": np.nan},
    )
    found = steps_found(rows, ["family"]).iloc[0]
    assert (found["power"], found["called jump"], found["called smooth"]) == (0.5, 0.5, 0.25)
    # Coverage and width are of the two that were called a jump; one of them covers 3.4.
    assert (found["covered"], found["width"], found["median width"]) == (0.5, 1.0, 1.0)
    downwards = steps_found(rows.assign(step=-1), ["family"], up=False).iloc[0]
    assert (downwards["power"], downwards["called drop"]) == (0.25, 0.25)


def test_nothing_found_has_no_place() -> None:
    found = steps_found(table(FOUND | {"p": 0.3, "state": "undetermined"}), ["family"]).iloc[0]
    assert found["power"] == 0 and np.isnan(found["covered"]) and np.isnan(found["median width"])


def test_open_ends_count_to_the_end_of_the_ladder() -> None:
    found = steps_found(table(FOUND | {"low": -np.inf, "high": np.inf}), ["family"]).iloc[0]
    assert (found["covered"], found["width"]) == (1.0, 7.0)


def test_power_by_height_and_by_share_of_the_rise() -> None:
    low = FOUND | {"height": 0.15, "share": 0.2, "p": 0.2}
    found = by_height(table(FOUND, FOUND | {"up": False}, low, NOTHING), ["n_sizes"]).iloc[0]
    assert found.to_dict() == {
        "n_sizes": 8,
        "height .1 to .2": 0.0,
        "height .2 to .3": 0.5,
        "share 0 to .3": 0.0,
        "share .45 to .6": 0.5,
    }


def test_ranking_is_against_trends_as_high_or_against_the_trend_alone() -> None:
    tall = NOTHING | {"tall": True, "largest step": 0.3}
    rows = table(FOUND | {"largest step": 0.2}, NOTHING, tall)
    against = {high: ranking(rows, ["family"], high).iloc[0] for high in (True, False)}
    assert (against[True]["statistic"], against[True]["largest step"], against[True]["best"]) == (1, 0, "statistic")
    assert against[False]["largest step"] == 1 and against[True]["linearity"] == 0.5


def test_the_worst_cell_is_named() -> None:
    quiet, loud = NOTHING, NOTHING | {"n_sizes": 12, "spread": 0.08, "p": 0.04}
    found = false_positives(table(quiet, quiet, loud, FOUND))
    assert len(found) == 1 and found["p < .05"][0] == 0.5 and found["worst cell"][0] == found["worst ladder"][0] == 1.0
    assert found["which"][0] == "K=12 S=3 spread 0.08" and found["worst at .01"][0] == 0


def test_power_and_ranking_on_the_grid() -> None:
    jumps = [FOUND | {"family": kind, "p": 0.001 if kind == "jump" else 0.2} for kind in JUMP_KINDS]
    rows = table(*jumps, FOUND | {"family": "jump", "height": 0.6, "p": 0.2}, NOTHING)
    found = grid_power(rows, {(8, 3): 0.9}).iloc[0]
    assert (found["jump"], found["bound"], found["jump of .4 or more"], found["break"]) == (0.5, 0.9, 0.0, 0.0)
    assert grid_ranking(rows)["statistic"][0] == 1.0


def test_verdict_shares() -> None:
    about = {"where": "slope", "n_sizes": 8, "tokens": "jump", "spread": 0.0, "state": "jump"}
    rows = table(
        about | {"verdict": "emergent", "continuous_state": "jump"},
        about | {"verdict": "metric artefact", "continuous_state": "smooth"},
    )
    found = verdict_shares(rows).iloc[0]
    assert (found["emergent"], found["metric artefact"], found["drop"]) == (0.5, 0.5, 0.0)
    assert (found["exact match jumps"], found["tokens jump"]) == (1.0, 0.5)


def test_text_is_a_markdown_table() -> None:
    lines = as_text(pd.DataFrame({"name": ["a"], "share": [0.25], "nearly": [0.99999], "none": [np.nan]})).splitlines()
    assert lines[0].split() == ["|", "name", "|", "share", "|", "nearly", "|", "none", "|"]
    assert lines[2].split() == ["|", "a", "|", ".250", "|", "1.00", "|", "–", "|"]
    assert len(set(map(len, lines))) == 1
