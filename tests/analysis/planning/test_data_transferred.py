"""Effective data transferred on planted truth; experiments/data_transferred measures coverage over many tables."""

from __future__ import annotations

import doctest

import numpy as np
import pandas as pd
import pytest

from harness import data_transferred
from harness.analysis.planning import data_transferred as module
from harness.analysis.planning.data_transferred import DataTransferred
from harness.datasets import TransferTruth, make_transfer
from harness.errors import DataError, SettingError

HURTS = TransferTruth(kept=0.6)


def read(frame: pd.DataFrame, paired: bool = True, n_draws: int = 200) -> DataTransferred:
    label = frame["seed"] if paired else None
    return data_transferred(frame[["N", "D"]], frame["loss"], frame["pretrained"], label, n_draws=n_draws)


def test_examples_in_docstrings_run() -> None:
    found = doctest.testmod(module)
    assert found.attempted >= 5 and found.failed == 0


def test_without_noise_the_truth_comes_back() -> None:
    found = read(make_transfer(2, 7, 1, truth=HURTS, noise=0).frame, paired=False)
    truth = HURTS.effective(found.amounts["N"], found.amounts["D_F"])
    np.testing.assert_allclose(found.amounts["D_E"], truth, rtol=0.02)
    np.testing.assert_allclose(found.amounts["D_T"], truth - found.amounts["D_F"], atol=0.02 * truth.max())
    np.testing.assert_allclose(found.sizes["turning_point"], HURTS.turning_point(found.sizes["N"]), rtol=0.02)
    assert set(found.amounts["effect"]) == {"no interval"} and found.amounts["D_E_low"].isna().all()


def test_intervals_hold_the_truth() -> None:
    held, turned = [], []
    for seed in range(10):
        found = read(make_transfer(4, 7, 3, truth=HURTS, random_state=seed).frame)
        amounts, sizes = found.amounts, found.sizes
        truth = HURTS.effective(amounts["N"], amounts["D_F"])
        held.append((amounts["D_E_low"] <= truth) & (truth <= amounts["D_E_high"]))
        turning = HURTS.turning_point(sizes["N"])
        turned.append((sizes["turning_point_low"] <= turning) & (turning <= sizes["turning_point_high"]))
        assert not ((amounts["effect"] == "hurts") & (truth > amounts["D_F"])).any()
        assert (sizes["helps_to"] < sizes["hurts_from"].fillna(np.inf)).all()
    # 280 and 40 intervals, .94 and .95 of which hold over many tables; readings of one size are correlated.
    assert np.mean(held) > 0.86 and np.mean(turned) > 0.8


def test_what_lies_beyond_the_runs_from_scratch_is_a_bound() -> None:
    frame = make_transfer(2, 6, 3, truth=TransferTruth(k=1e7), random_state=0).frame
    found = read(frame)
    assert set(found.amounts["reading"]) == {"at least"} and set(found.amounts["effect"]) == {"helps"}
    assert (found.amounts["D_E"] == frame["D"].max()).all() and (found.amounts["D_E_high"] == np.inf).all()
    assert (found.amounts["D_E_low"] == frame["D"].max()).all() and (found.sizes["turning_point"] == np.inf).all()
    worse = frame.assign(loss=np.where(frame["pretrained"], 20.0, frame["loss"]))
    found = read(worse)
    assert set(found.amounts["reading"]) == {"at most"} and (found.amounts["D_E_low"] == 0).all()
    assert set(found.amounts["effect"].iloc[1:6]) == {"hurts"} and found.sizes["turning_point"].isna().all()


def test_pretraining_that_is_worth_nothing_is_not_shown_to_help() -> None:
    said = [
        read(make_transfer(2, 6, 3, truth=TransferTruth(k=1e-9), random_state=seed).frame).amounts["effect"]
        for seed in range(10)
    ]
    # 120 intervals of which 5 % err by chance, correlated within a table.
    assert np.mean(pd.concat(said) != "not told apart") < 0.2


def test_what_is_lacking_is_said() -> None:
    frame = make_transfer(2, 6, 2, random_state=0).frame
    with pytest.raises(
        DataError, match=r"no size has runs from scratch at 3 amounts .* 0 runs are from scratch and 24"
    ):
        read(frame.query("pretrained == 1"))
    with pytest.raises(
        DataError, match=r"row 48: a second run of N = 1e\+07, D = 1e\+07, pretrained = False and seed 0"
    ):
        read(pd.concat([frame, frame.iloc[:1]], ignore_index=True))
    with pytest.raises(DataError, match="pretrained: a truth value"):
        read(frame.assign(pretrained=2))
    with pytest.raises(DataError, match="wanted are two columns"):
        data_transferred(frame["N"], frame["loss"], frame["pretrained"])
    with pytest.raises(SettingError, match="n_draws"):
        read(frame, n_draws=10)
    alone = frame.query("pretrained == 0 or N == N.max()")
    assert read(alone).n_alone == 12 and len(read(alone).sizes) == 1
