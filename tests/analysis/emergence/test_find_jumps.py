"""find_jumps on planted truth and on the shapes that real sweeps gave."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from harness import find_jumps
from harness.analysis.emergence.rise_shapes import FINE
from harness.datasets import (
    make_digits_study,
    make_induction_study,
    make_lookup_study,
    make_parity_study,
    make_text_study,
)
from harness.datasets.studies import LOOKUP_SCORES, LOOKUP_WIDTHS
from harness.errors import DataError, SettingError


def verdict(frame: pd.DataFrame) -> pd.Series:
    jumps = find_jumps(frame)
    assert len(jumps) == 1
    return jumps.iloc[0]


@pytest.mark.parametrize("seeds", [6, 8])
@pytest.mark.parametrize("place", [2.5, 4.0, 5.5])
def test_parity_is_emergent(seeds: int, place: float) -> None:
    found = verdict(make_parity_study(seeds, threshold_rung=place, random_state=3))
    assert found["verdict"] == "emergent"
    # Half of the runs have learnt it half a rung before `place`, for a run at a rung has learnt what lies below.
    truth = np.exp(
        np.interp(place - 0.5, np.arange(9), np.log(50 * np.array([8, 11, 16, 23, 32, 45, 64, 91, 128]) + 1))
    )
    assert found["threshold_low"] / 1.05 < truth < found["threshold_high"] * 1.05
    assert found["threshold"] < 1.5 * truth and found["threshold_high"] < 2.3 * truth


def test_induction_is_emergent_with_the_gap_as_interval() -> None:
    found = verdict(make_induction_study(random_state=4))
    assert found["verdict"] == "emergent" and found["continuous_p_value"] < 0.01
    # A jump between two sizes lies anywhere in the gap, and so does the half rise of the mean, whose draws have a place
    # every `FINE`-th of a step.
    assert (found["threshold_low"], found["threshold_high"]) == pytest.approx((3136, 8192))
    place = 2 ** (found["step_octaves"] / FINE)
    assert 3136 / place < found["half_rise_low"] < found["half_rise_high"] < 8192 * place


def test_lookup_is_a_metric_artefact() -> None:
    found = verdict(make_lookup_study(widths=LOOKUP_WIDTHS, random_state=5))
    assert found["verdict"] == "metric artefact" and found["continuous_state"] == "smooth"
    assert found["link_length"] == pytest.approx(8, rel=0.05)
    assert "to the power 8" in found["reason"]


def test_lookup_on_a_coarser_ladder_is_never_emergent() -> None:
    """Token accuracy takes 3.7 steps, barely too few to be smooth."""
    tables = [make_lookup_study(widths=tuple(LOOKUP_SCORES), random_state=s).assign(study=str(s)) for s in range(12)]
    found = find_jumps(pd.concat(tables))
    assert set(found["verdict"]) == {"metric artefact", "inconclusive"}
    assert set(found["continuous_state"]) == {"smooth", "undetermined"}


@pytest.mark.parametrize("study", [make_text_study, make_digits_study])
def test_controls_are_smooth(study: Callable[..., pd.DataFrame]) -> None:
    assert verdict(study(random_state=8))["verdict"] == "smooth"


@pytest.mark.parametrize("seed", [2, 4, 6, 8])
def test_a_leap_in_few_runs_of_the_last_rung_is_inconclusive(seed: int) -> None:
    """Three or four of eight runs at the last size are right throughout, all others guess."""
    found = verdict(make_parity_study(8, threshold_rung=8.3, random_state=seed))
    assert found["verdict"] == "inconclusive" and found["state"] == "undetermined"
    assert "sizes beyond would tell" in found["reason"]


def test_too_few_rungs_are_said_to_be_too_few() -> None:
    frame = make_induction_study(random_state=9)
    found = verdict(frame[frame["rung"].isin([0, 5, 6])])
    assert found["verdict"] == found["state"] == "too few sizes" and "five or more are needed" in found["reason"]
    assert np.isnan(found[["p_value", "p_adjusted", "statistic", "threshold"]].astype(float)).all()


def test_along_data_too_few_amounts_of_data_are_said_to_be_too_few() -> None:
    frame = (
        make_induction_study(random_state=9)
        .query("rung in [0, 5, 6]")
        .rename(columns={"params_non_embedding": "unique_examples"})
    )
    found = find_jumps(frame, x="unique_examples").iloc[0]
    assert found["reason"].startswith("too few amounts of data to tell a jump")


def test_studies_of_one_task_are_kept_apart() -> None:
    rng = np.random.default_rng(10)
    one, two = make_induction_study(random_state=rng), make_induction_study(random_state=rng).assign(study="other")
    assert find_jumps(pd.concat([one, two]))["study"].tolist() == ["induction", "other"]


def test_a_table_of_ones_own_needs_few_columns() -> None:
    frame = make_induction_study(random_state=11)[["metric", "paired_metric", "value", "seed", "params_total"]]
    found = find_jumps(frame, x="params_total").iloc[0]
    assert (found["metric"], found["continuous_metric"], found["verdict"]) == ("accuracy", "loss", "emergent")
    with pytest.raises(DataError, match="column 'params_non_embedding' is missing"):
        find_jumps(frame)
    with pytest.raises(DataError, match="column 'value' is missing"):
        find_jumps(frame.drop(columns="value"), x="params_total")
    bad = frame.reset_index(drop=True)
    bad.loc[3, "value"] = np.nan
    with pytest.raises(DataError, match="column value, row 3: nan"):
        find_jumps(bad, x="params_total")


def test_an_empty_table_has_no_jumps() -> None:
    frame = make_induction_study(random_state=12)
    assert len(find_jumps(frame[frame["metric"] == "loss"])) == 0
    assert "verdict" in find_jumps(frame[:0]).columns


def test_without_its_continuous_pair_a_jump_is_a_candidate() -> None:
    frame = make_induction_study(random_state=13)
    found = verdict(frame[frame["metric"] == "accuracy"])
    assert found["verdict"] == "candidate" and "no continuous metric" in found["reason"]
    assert found["continuous_state"] == "" and np.isnan(found["continuous_p_value"])


def test_row_order_does_not_matter_and_results_repeat() -> None:
    frame = make_parity_study(random_state=14)
    shuffled = frame.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(find_jumps(frame), find_jumps(frame))
    again = find_jumps(shuffled)
    assert again["p_value"].tolist() == pytest.approx(find_jumps(frame)["p_value"].tolist())


def test_settings_out_of_range_are_named() -> None:
    frame = make_text_study(random_state=15)
    for setting in ({"alpha": 0}, {"fraction": -1}, {"level": 1.5}, {"onset": 1}):
        with pytest.raises(SettingError, match=f"{next(iter(setting))}="):
            find_jumps(frame, **setting)


def step(
    seeds: int = 3, n_eval: float = 1000, chance: float = 0.0, values: tuple[float, ...] = (0.1,) * 4 + (0.8,) * 4
) -> pd.DataFrame:
    """A clean step over eight sizes, with evaluation noise."""
    rng = np.random.default_rng(16)
    value = rng.binomial(1000, np.repeat(values, seeds)) / 1000
    size = np.repeat(2.0 ** np.arange(len(values)), seeds)
    seed = np.tile(np.arange(seeds), len(values))
    about = {"size": size, "seed": seed, "metric": "accuracy", "n_eval": n_eval, "chance": chance}
    return pd.DataFrame(about | {"value": value})


def test_what_is_unknown_is_said_and_makes_the_result_wider() -> None:
    known = find_jumps(step(), x="size").iloc[0]
    assert known["p_value"] < 0.01 and "unknown" not in known["reason"]
    assert "n_eval unknown" in find_jumps(step().drop(columns="n_eval"), x="size").iloc[0]["reason"]
    one = find_jumps(step(seeds=1), x="size").iloc[0]
    assert "one run a size" in one["reason"]
    assert one["threshold_high"] / one["threshold_low"] >= known["threshold_high"] / known["threshold_low"]


def test_ladders_with_missing_sizes_and_unequal_seeds() -> None:
    frame = step()
    gone = frame[(frame["size"] != 2) & ~((frame["size"] == 64) & (frame["seed"] > 0))]
    found = find_jumps(gone, x="size").iloc[0]
    assert (found["n_rungs"], found["n_runs"]) == (7, 19)
    assert found["p_value"] < 0.05 and 8 <= found["threshold"] <= 16


def test_chance_above_every_value_is_said() -> None:
    found = find_jumps(step(chance=0.9), x="size").iloc[0]
    assert "every value lies below chance (0.9)" in found["reason"]


def test_equal_values_are_no_rise() -> None:
    found = find_jumps(step().assign(value=0.5), x="size").iloc[0]
    assert found["verdict"] == "smooth" and np.isnan(found["p_value"]) and "equal" in found["reason"]


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("value", 1.2, "column value, row 5: 1.2: metric accuracy is a share of n_eval items"),
        ("n_eval", 0, "column n_eval, row 5: 0: allowed are numbers of items from 1 to 1e18"),
        ("n_eval", 1e308, r"column n_eval, row 5: 1e\+308: allowed are numbers of items from 1 to 1e18"),
        ("value", 1e101, r"column value, row 5: 1e\+101: allowed are finite numbers within 1e\+100 of 0"),
        ("stderr", 1e308, r"column stderr, row 5: 1e\+308: allowed are finite numbers of 0 or more, at most 1e\+100"),
        ("stderr", np.inf, "column stderr, row 5: inf: allowed are finite numbers of 0 or more"),
        ("stderr", "a", "column stderr, row 5: 'a': a number is wanted"),
        ("chance", "a", "column chance, row 5: 'a': a number is wanted"),
        ("size", 0.0, "column size, row 5: 0.0: allowed are finite numbers above 0"),
    ],
)
def test_values_that_cannot_be_are_refused_by_row(column: str, value: float, message: str) -> None:
    frame = step()
    frame[column] = (frame[column] if column in frame else pd.Series(0.01, frame.index)).astype(object)
    frame.loc[5, column] = value
    with pytest.raises(DataError, match=message):
        find_jumps(frame, x="size")


@pytest.mark.parametrize("n_sizes", [1, 2, 3, 4])
def test_few_sizes_give_no_p_value(n_sizes: int) -> None:
    found = find_jumps(step(values=(0.1, 0.8, 0.9, 0.9)[:n_sizes]), x="size").iloc[0]
    assert found["verdict"] == "too few sizes" and np.isnan(found["p_value"]) and found["n_rungs"] == n_sizes
    # From four sizes on there is an N*, without a claim that it is of a jump.
    assert np.isnan(found["threshold"]) == (n_sizes < 4)


def test_a_pair_of_too_few_sizes_is_no_pair() -> None:
    tokens = step()[step()["size"] <= 8].assign(metric="token_accuracy", n_eval=np.nan)
    exact = step().assign(metric="exact_match", paired_metric="token_accuracy")
    frame = pd.concat([exact, tokens.assign(paired_metric="")])
    found = find_jumps(frame, x="size").iloc[0]
    assert found["verdict"] == "candidate" and found["continuous_metric"] == "token_accuracy"


def test_lower_is_better_is_the_same_upside_down() -> None:
    up = find_jumps(step().drop(columns="n_eval"), x="size").iloc[0]
    frame = step().drop(columns="n_eval")
    down = find_jumps(frame.assign(value=1 - frame["value"], higher_is_better=False), x="size").iloc[0]
    assert down["p_value"] == pytest.approx(up["p_value"], abs=1e-6)
    assert down["threshold"] == pytest.approx(up["threshold"])


def test_repeated_rows_are_averaged_and_said() -> None:
    frame = step()
    found = find_jumps(pd.concat([frame, frame[:3]]), x="size").iloc[0]
    assert "3 repeated rows" in found["reason"] and found["n_runs"] == 24


def test_many_sizes_are_taken_together() -> None:
    rng = np.random.default_rng(17)
    size = np.geomspace(1, 1e4, 120)
    frame = pd.DataFrame({"size": size, "value": np.where(size > 80, 0.8, 0.2) + 0.02 * rng.standard_normal(120)})
    found = find_jumps(frame.assign(metric="accuracy"), x="size").iloc[0]
    assert "120 sizes taken together to 32" in found["reason"] and found["n_rungs"] == 120
    assert found["p_value"] < 0.01 and 60 < found["threshold"] < 110


def test_an_undecided_curve_is_told_what_would_settle_it() -> None:
    share = np.array((0.3,) * 4 + (0.45,) * 4)
    undecided = 0
    for seed in range(8):
        frame = step(seeds=2, n_eval=20, values=tuple(share))
        frame["value"] = np.random.default_rng(seed).binomial(20, np.repeat(share, 2)) / 20
        found = find_jumps(frame, x="size").iloc[0]
        if found["verdict"] == "inconclusive":
            undecided += 1
            assert re.search("found with|would find a jump|would tell", found["reason"])
    assert undecided >= 2
