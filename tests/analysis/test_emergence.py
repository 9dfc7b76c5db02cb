"""find_jumps on planted truth and on the shapes that real sweeps gave."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import planted
import pytest
from scipy.special import expit

from harness import find_jumps
from harness.errors import DataError, SettingError


def verdict(frame: pd.DataFrame) -> pd.Series:
    jumps = find_jumps(frame)
    assert len(jumps) == 1
    return jumps.iloc[0]


def curves(
    rng: np.random.Generator, n: int, width: float, seeds: int, spread: float, sizes: np.ndarray | None = None
) -> pd.DataFrame:
    """n curves that rise over `width` steps in the inner gaps of 8 rungs, runs spread by `spread` steps."""
    sizes = np.geomspace(1e3, 12e3, 8) if sizes is None else sizes
    place = rng.uniform(2, 5, (n, 1, 1)) + spread * rng.standard_normal((n, 8, seeds))
    rise = expit(4.394 * (np.arange(8)[:, None] - place) / max(width, 1e-9))
    values = rng.binomial(300, rise) / 300 + 0.02 * rng.standard_normal(rise.shape)
    curve, rung, seed = (axis.ravel() for axis in np.indices(values.shape))
    columns = {"subtask": curve.astype(str), "params_non_embedding": sizes[rung], "seed": seed}
    return pd.DataFrame(columns | {"metric": "accuracy", "value": values.ravel()})


@pytest.mark.parametrize(("seeds", "spread"), [(3, 0.0), (3, 1.0), (8, 0.0), (8, 1.0)])
def test_smooth_rises_are_rarely_flagged(seeds: int, spread: float) -> None:
    """At the edge of the null, two steps wide: at most 5 % by design, so more than 18 of 150 would be 1 in 4,000."""
    jumps = find_jumps(curves(np.random.default_rng(0), 150, 2.0, seeds, spread), n_bootstrap=300)
    assert np.sum(jumps["p_value"] < 0.05) <= 18
    assert not (jumps["verdict"] == "emergent").any()


def test_noise_alone_is_no_rise() -> None:
    rng = np.random.default_rng(1)
    frame = curves(rng, 100, 2.0, 3, 0.0)
    frame["value"] = 0.5 + 0.1 * rng.standard_normal(len(frame))
    jumps = find_jumps(frame, n_bootstrap=300)
    assert np.sum(jumps["p_value"] < 0.05) <= 14  # 1 in 10,000 at 5 %
    assert (jumps["verdict"] == "smooth").mean() > 0.9


@pytest.mark.parametrize(("seeds", "spread"), [(3, 0.0), (3, 1.0), (8, 1.0)])
def test_steps_are_found(seeds: int, spread: float) -> None:
    """Measured power is above .99: of 60 curves fewer than 50 found would be past all chance."""
    jumps = find_jumps(curves(np.random.default_rng(2), 60, 0.0, seeds, spread), n_bootstrap=300)
    assert np.sum(jumps["p_adjusted"] < 0.05) >= 50
    assert np.sum(jumps["state"] == "jump") >= 50


@pytest.mark.parametrize("seeds", [3, 6, 8])
@pytest.mark.parametrize("place", [2.5, 4.0, 5.5])
def test_parity_is_emergent(seeds: int, place: float) -> None:
    found = verdict(planted.parity(np.random.default_rng(3), seeds, place))
    assert found["verdict"] == "emergent"
    # N* lies at `place` on the rungs; its interval is at most the rungs two about it here.
    truth = np.exp(
        np.interp(place - 0.5, np.arange(9), np.log(50 * np.array([8, 11, 16, 23, 32, 45, 64, 91, 128]) + 1))
    )
    assert found["threshold_low"] / 1.6 < truth < found["threshold_high"] * 1.6
    assert found["threshold_low"] <= found["threshold"] <= found["threshold_high"]


def test_induction_is_emergent_with_the_gap_as_interval() -> None:
    found = verdict(planted.induction(np.random.default_rng(4)))
    assert found["verdict"] == "emergent" and found["continuous_p_value"] < 0.01
    assert found["threshold_low"] == pytest.approx(3136, rel=0.05)
    assert found["threshold_high"] == pytest.approx(8192, rel=0.05)


def test_lookup_is_a_metric_artefact() -> None:
    found = verdict(planted.lookup(np.random.default_rng(5)))
    assert found["verdict"] == "metric artefact"
    assert found["continuous_state"] == "smooth"
    assert "exact_match = token_accuracy ^ 8" in found["reason"]


def test_lookup_at_every_other_rung_is_inconclusive() -> None:
    found = verdict(planted.lookup(np.random.default_rng(6), (8, 16, 32, 64)))
    assert found["verdict"] == "inconclusive" and found["p_adjusted"] < 0.05


def test_rungs_between_fill_the_jump_in() -> None:
    found = verdict(planted.lookup(np.random.default_rng(7), tuple(planted.LOOKUP)))
    assert found["verdict"] in ("smooth", "metric artefact")


@pytest.mark.parametrize("study", [planted.text, planted.digits])
def test_controls_are_smooth(study: Callable[[np.random.Generator], pd.DataFrame]) -> None:
    assert verdict(study(np.random.default_rng(8)))["verdict"] == "smooth"


def test_a_leap_in_few_runs_of_the_last_rung_is_inconclusive() -> None:
    frame = planted.parity(np.random.default_rng(0), 8, place=8.3)
    found = verdict(frame)
    assert found["verdict"] != "emergent" and np.isnan(found["threshold"])


def test_too_few_rungs_is_inconclusive() -> None:
    frame = planted.induction(np.random.default_rng(9))
    found = verdict(frame[frame["rung"].isin([0, 5, 6])])
    assert found["verdict"] == "inconclusive" and "too few rungs" in found["reason"]
    assert np.isnan(found["p_value"]) and np.isnan(found["p_adjusted"])


def test_studies_of_one_task_are_kept_apart() -> None:
    rng = np.random.default_rng(10)
    one, two = planted.induction(rng), planted.induction(rng).assign(study="other")
    assert find_jumps(pd.concat([one, two]))["study"].tolist() == ["induction", "other"]


def test_a_table_of_ones_own_needs_few_columns() -> None:
    frame = planted.induction(np.random.default_rng(11))[["metric", "value", "seed", "params_total"]]
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
    frame = planted.induction(np.random.default_rng(12))
    assert len(find_jumps(frame[frame["metric"] == "loss"])) == 0
    assert "verdict" in find_jumps(frame[:0]).columns


def test_without_its_continuous_pair_a_jump_is_inconclusive() -> None:
    frame = planted.induction(np.random.default_rng(13))
    found = verdict(frame[frame["metric"] == "accuracy"])
    assert found["verdict"] == "inconclusive" and "no continuous metric" in found["reason"]


def test_row_order_does_not_matter_and_seeds_repeat() -> None:
    frame = planted.parity(np.random.default_rng(14))
    shuffled = frame.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(find_jumps(frame), find_jumps(frame))
    again = find_jumps(shuffled)
    assert again["p_value"].tolist() == pytest.approx(find_jumps(frame)["p_value"].tolist())


def test_settings_out_of_range_are_named() -> None:
    frame = planted.text(np.random.default_rng(15))
    for setting in ({"alpha": 0}, {"resolution": -1}, {"n_bootstrap": 10}, {"level": 1.5}):
        with pytest.raises(SettingError, match=f"{next(iter(setting))}="):
            find_jumps(frame, **setting)
