"""Thresholds side by side on planted truth: intervals, ratios, p values, orders, and what is said of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau

from harness import compare_thresholds, thresholds
from harness.analysis.emergence.comparison import holm, rank_agreement
from harness.analysis.emergence.smooth_null import logistic
from harness.errors import DataError, SettingError

FIRST = 100.0
SIZES = FIRST * 2.0 ** np.arange(9)


def planted(rng: np.random.Generator, places: list[float], widths: list[float], noise: float = 0.1) -> pd.DataFrame:
    """A task for each place (in steps): six seeds on nine sizes, a logistic rise from 0 to 1 and normal noise."""
    rises = logistic(np.arange(9.0), np.array(places)[:, None], np.array(widths)[:, None])
    values = rises[:, :, None] + noise * rng.standard_normal((len(places), 9, 6))
    task, rung, seed = (axis.ravel() for axis in np.indices(values.shape))
    names = np.array([f"task {i}" for i in range(len(places))])
    columns = {"task": names[task], "params": SIZES[rung], "seed": seed, "metric": "accuracy"}
    return pd.DataFrame(columns | {"value": values.ravel()})


def random_tasks(rng: np.random.Generator, n: int) -> tuple[list[float], list[float]]:
    return rng.uniform(2, 6, n).tolist(), np.exp(rng.uniform(0, np.log(5), n)).tolist()


@pytest.mark.parametrize("noise", [0.05, 0.15])
def test_intervals_hold_together_and_ratios_are_recovered(noise: float) -> None:
    """25 frames of six tasks; measured on 100: all six within in .99 to 1, pairs in .98 to 1 (nominal .95)."""
    rng, together, pairs, all_pairs, errors = np.random.default_rng(0), [], [], [], []
    for _ in range(25):
        places, widths = random_tasks(rng, 6)
        found = compare_thresholds(planted(rng, places, widths, noise), x="params")
        truth = pd.Series({f"task {i}": FIRST * 2**place for i, place in enumerate(places)})
        own = truth[found.table["curve"]].to_numpy()
        together.append(
            found.table["simultaneous_low"].le(own).all() and found.table["simultaneous_high"].ge(own).all()
        )
        ratio = truth[found.pairs["second"]].to_numpy() / truth[found.pairs["first"]].to_numpy()
        pairs += (found.pairs["low"].le(ratio) & found.pairs["high"].ge(ratio)).tolist()
        within = found.pairs["simultaneous_low"].le(ratio) & found.pairs["simultaneous_high"].ge(ratio)
        all_pairs.append(within.all())
        errors += np.abs(np.log2(found.pairs["ratio"] / ratio)).tolist()
    assert np.mean(together) >= 0.9 and np.mean(all_pairs) >= 0.9
    assert np.mean(pairs) > 0.93
    assert np.median(errors) < 2.5 * noise, "octaves, for rises of one to five"


def test_p_values_of_equal_thresholds_are_no_smaller_than_uniform() -> None:
    """Pairs of tasks with the same rise. Measured on 240: 1 % below .05 and 35 % below .5."""
    rng, p_values = np.random.default_rng(1), []
    for _ in range(30):
        places, widths = random_tasks(rng, 4)
        found = compare_thresholds(planted(rng, places * 2, widths * 2, 0.15), x="params").pairs
        twins = [abs(int(a[5:]) - int(b[5:])) == 4 for a, b in zip(found["first"], found["second"], strict=True)]
        p_values += found.loc[twins, "p_value"].tolist()
    for level in (0.05, 0.1, 0.25, 0.5):
        assert np.mean(np.array(p_values) <= level) <= level + 2 * np.sqrt(level * (1 - level) / 120)
    assert np.mean(np.array(p_values) <= 0.5) > 0.15, "not useless either"


def test_table_pairs_and_sentences_say_the_same() -> None:
    found = compare_thresholds(planted(np.random.default_rng(2), [5.0, 2.0, 2.1], [1.5, 1.5, 1.5]), x="params")
    table = found.table
    assert table["threshold"].is_monotonic_increasing and table["rank"].tolist() == [1, 2, 3]
    assert table["curve"].tolist()[2] == "task 0" and len(found.pairs) == 3 and found.absent.empty
    assert (table["simultaneous_low"] <= table["threshold_low"]).all()
    assert (table["simultaneous_high"] >= table["threshold_high"]).all()
    first, second, third = table["sentence"]
    does = ["appears at" if state == "jump" else "has made half of its rise at" for state in table["state"]]
    assert first.startswith(f"{table['curve'][0]} {does[0]} size ")
    assert "their order is open" in second and "open" not in third
    pair = found.pairs.iloc[1]
    assert pair["low"] < 8 < pair["high"] and pair["p_adjusted"] < 0.001
    assert f"task 0 {does[2]} {pair['ratio']:.2g}x (" in third and third.endswith(f"the size of {pair['first']}")
    assert (found.pairs["p_value"] > 0).all() and (found.pairs["p_adjusted"] >= found.pairs["p_value"]).all()


def test_own_intervals_are_those_of_thresholds() -> None:
    frame = planted(np.random.default_rng(3), [3.0, 4.0], [1.0, 2.0])
    own = thresholds(frame, x="params").sort_values("threshold", ignore_index=True)
    columns = ["threshold", "threshold_low", "threshold_high"]
    pd.testing.assert_frame_equal(compare_thresholds(frame, x="params").table[columns], own[columns])
    narrow = compare_thresholds(frame, x="params", level=0.5).table
    assert (narrow["threshold_low"] >= own["threshold_low"] * (1 - 1e-9)).all()
    assert (narrow["threshold_high"] <= own["threshold_high"] * (1 + 1e-9)).all()
    early = compare_thresholds(frame, x="params", fraction=0.2).table
    # The first jumps: its N* is the gap, whatever the level and the share of the rise.
    assert narrow["threshold_high"][0] == pytest.approx(own["threshold_high"][0])
    assert early["threshold"][0] == pytest.approx(own["threshold"][0])
    assert narrow["threshold_high"][1] < own["threshold_high"][1] and early["threshold"][1] < own["threshold"][1]


def test_what_has_no_threshold_is_listed_with_its_reason() -> None:
    rng = np.random.default_rng(4)
    frame = planted(rng, [3.0, 4.0, 30.0], [1.0, 1.0, 1.0])
    flat = planted(rng, [3.0], [1.0]).assign(task="flat", value=0.5)
    short = planted(rng, [1.0], [1.0]).query("params < 800").assign(task="short")
    found = compare_thresholds(pd.concat([frame, flat, short]), x="params")
    assert sorted(found.table["task"]) == ["task 0", "task 1"]
    reasons = found.absent.set_index("curve")["reason"]
    assert set(reasons.index) == {"task 2", "flat", "short"}
    assert reasons["flat"] == "all values are equal" and reasons["short"] == "fewer than 4 sizes"
    none = compare_thresholds(flat, x="params")
    assert none.table.empty and none.pairs.empty and len(none.absent) == 1


def test_an_end_off_the_ladder_is_open_and_its_order_too() -> None:
    """Two tasks that come at the very end, each by chance somewhat on the ladder or beyond."""
    found = compare_thresholds(planted(np.random.default_rng(5), [7.1, 7.2], [4.0, 4.0], 0.2), x="params")
    assert np.isinf(found.table["threshold_high"]).all()
    pair = found.pairs.iloc[0]
    assert pair["low"] == 0 and np.isinf(pair["high"]) and pair["p_value"] > 0.2
    assert ", open above)" in found.table["sentence"][0] and "(open on both sides)" in found.table["sentence"][1]


def test_two_kinds_of_size_agree_as_their_orders_do() -> None:
    rng = np.random.default_rng(6)
    places = [2.0, 2.8, 3.6, 4.4, 5.2, 6.0]
    frame = planted(rng, places, [1.0] * 6, 0.05)
    factor = np.array([1.0, 8.0, 1.0, 1.0, 0.2, 1.0])
    task = frame["task"].str[5:].astype(int).to_numpy()
    frame["flops"] = frame["params"] * 1e6 * factor[task]
    frame["loss"] = 1e3 / frame["params"]
    by = {x: compare_thresholds(frame, x=x) for x in ("params", "flops", "loss")}
    truth = kendalltau(places, places + np.log2(factor)).statistic
    found = by["params"].agreement(by["flops"])
    assert found.tau == pytest.approx(truth) and found.low <= truth <= found.high < 1
    assert "order of appearance by params and by flops, 6 curves: Kendall's tau" in str(found)
    same = rank_agreement(by["params"], by["loss"])
    assert same.tau == 1 and same.low > 0.9, "a loss falls as abilities appear"
    assert by["loss"].table["threshold"].is_monotonic_increasing
    assert by["loss"].table["curve"].tolist() == by["params"].table["curve"].tolist()[::-1]
    np.testing.assert_allclose(1e3 / by["loss"].table["threshold"][::-1], by["params"].table["threshold"], rtol=1e-6)
    few = compare_thresholds(frame[task < 2], x="params")
    with pytest.raises(DataError, match="2 curves have a threshold in both"):
        few.agreement(few)


def test_curves_are_called_by_what_tells_them_apart() -> None:
    frame = planted(np.random.default_rng(7), [3.0], [1.0])
    twice = pd.concat([frame, frame.assign(metric="exact_match")])
    assert sorted(compare_thresholds(twice, x="params").table["curve"]) == ["task 0 (accuracy)", "task 0 (exact match)"]
    studies = pd.concat([frame.assign(study="a"), frame.assign(study="b", subtask="hard"), frame.assign(study="b")])
    studies["subtask"] = studies["subtask"].fillna("all")
    assert sorted(compare_thresholds(studies, x="params").table["curve"]) == ["a", "b", "b: hard"]
    alone = compare_thresholds(twice.drop(columns="task"), x="params").table["curve"]
    assert sorted(alone) == ["accuracy", "exact match"]
    chosen = compare_thresholds(twice, x="params", metrics=["exact_match"])
    assert chosen.table["metric"].tolist() == ["exact_match"] and chosen.table["curve"].tolist() == ["task 0"]


def test_mistakes_are_named() -> None:
    frame = planted(np.random.default_rng(8), [3.0], [1.0])
    with pytest.raises(DataError, match="column 'parms' is missing; did you mean 'params'"):
        compare_thresholds(frame, x="parms")
    with pytest.raises(DataError, match="metric 'acuracy' is not there; did you mean 'accuracy'"):
        compare_thresholds(frame, x="params", metrics=["acuracy"])
    with pytest.raises(DataError, match="no metric is discontinuous; name those to compare, of loss"):
        compare_thresholds(frame.assign(metric="loss"), x="params")
    with pytest.raises(DataError, match=r"column loss, row 3: -1\.0: allowed are finite numbers above 0"):
        compare_thresholds(frame.assign(loss=np.where(frame.index == 3, -1.0, 2.0)), x="loss")
    for setting in ("fraction", "level"):
        with pytest.raises(SettingError, match=f"{setting}=1"):
            compare_thresholds(frame, x="params", **{setting: 1})


def test_holm_steps_down() -> None:
    assert holm(np.array([0.01, 0.04, 0.03])).tolist() == pytest.approx([0.03, 0.06, 0.06])
    assert holm(np.array([0.9, 0.8])).tolist() == [1, 1] and len(holm(np.array([]))) == 0
