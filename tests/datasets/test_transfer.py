"""Runs with a known worth of pretraining."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

from harness.datasets import TransferTruth, make_transfer, transfer
from harness.errors import SettingError


def test_examples_in_docstrings_run() -> None:
    found = doctest.testmod(transfer)
    assert found.attempted >= 5 and found.failed == 0


def test_pretraining_hurts_beyond_its_turning_point() -> None:
    truth = TransferTruth(kept=0.6)
    turning = float(truth.turning_point(1e8))
    assert truth.effective(1e8, turning) == pytest.approx(turning)
    assert truth.loss(1e8, 2 * turning, True) > truth.loss(1e8, 2 * turning, False)
    assert truth.loss(1e8, turning / 2, True) < truth.loss(1e8, turning / 2, False)
    assert np.isinf(TransferTruth().turning_point(1e8))


def test_runs_of_one_seed_share_their_part_of_the_noise() -> None:
    frame = make_transfer(40, 2, 2, noise=0, seed_noise=0.01, random_state=0).frame
    off = np.log(frame["loss"] / TransferTruth().loss(frame["N"], frame["D"], frame["pretrained"]))
    of_one = off.groupby([frame["N"], frame["seed"]])
    assert of_one.std().max() < 1e-12 and 0.007 < of_one.mean().std() < 0.013  # 80 draws: 5 standard errors
    with pytest.raises(SettingError, match="noise"):
        make_transfer(noise=-1)
    with pytest.raises(SettingError, match="amounts"):
        make_transfer(amounts=(1e5, 1e4))
