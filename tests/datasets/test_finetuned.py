"""Planted thresholds lie where the maker says."""

from __future__ import annotations

import numpy as np
import pytest

from harness.datasets import make_finetuned
from harness.errors import SettingError


def test_scores_cross_half_at_the_planted_thresholds() -> None:
    sizes = tuple(np.geomspace(500, 40_000, 41))
    truth = make_finetuned(sizes, noise=0.0, of_parents=0.0, n_seeds=1, floor=0.1, random_state=0)
    for amount, threshold in truth.thresholds.items():
        own = truth.frame[truth.frame["examples"] == amount]
        crossed = np.interp(0.5, own["value"], np.log(own["params"]))
        assert np.exp(crossed) == pytest.approx(threshold, rel=0.01)
    assert truth.thresholds[0.0] == truth.threshold
    assert truth.thresholds[10_000.0] == pytest.approx(truth.threshold * (0.1 + 0.9 * 101**-0.45))


def test_runs_of_a_seed_that_are_all_or_nothing() -> None:
    truth = make_finetuned(scatter="seeds", chance=0.25, top=0.9, n_seeds=40, random_state=0)
    assert set(truth.frame["value"]) == {0.25, 0.9}


def test_the_family_is_measured_at_sizes_of_its_own() -> None:
    frame = make_finetuned(family_sizes=(8000, 16_000), random_state=0).frame
    assert set(frame.loc[frame["params"] > 6000, "examples"]) == {0.0}


@pytest.mark.parametrize(("name", "value"), [("movement", "fast"), ("scatter", "none"), ("floor", 1.0), ("width", 0)])
def test_a_wrong_argument_is_named(name: str, value: object) -> None:
    with pytest.raises(SettingError, match=name):
        make_finetuned(**{name: value})  # type: ignore[arg-type]
