"""Planted recipes hold the signal, the noise and the agreement that they say."""

from __future__ import annotations

import numpy as np
import pytest

from harness.datasets import make_recipes
from harness.errors import SettingError


def test_signal_and_noise_are_those_stated() -> None:
    """2,000 recipes: the standard error of a standard deviation is 1.6 %, of a share of ordered pairs under 1 %."""
    planted = make_recipes(2000, (1e7, 1e9), snr=2, correlation=0.8, noise=0.01, random_state=0)
    frame = planted.frame
    assert frame.groupby(["params", "recipe"]).size().eq(5).all() and (frame["step"] > 5).all()
    within = frame.groupby(["params", "recipe"])["value"]
    assert np.sqrt(within.var().mean()) == pytest.approx(0.01, rel=0.05)
    last = frame[frame["step"] == 10].pivot(index="recipe", columns="params", values="value")
    assert last[1e9].std() == pytest.approx(0.01 * np.sqrt(5), rel=0.06)
    assert last[1e9].mean() - last[1e7].mean() == pytest.approx(0.05 * np.log(100), abs=0.003)
    small, large = (last[size].to_numpy() for size in (1e7, 1e9))
    same = (small[:, None] > small) == (large[:, None] > large)
    assert same[np.triu_indices(2000, 1)].mean() == pytest.approx(planted.decision_accuracy[1e7], abs=0.03)


def test_means_over_seeds_agree_more_often() -> None:
    one, four = (make_recipes(3, n_seeds=n, snr=1, random_state=0) for n in (1, 4))
    assert four.decision_accuracy[2e7] > one.decision_accuracy[2e7] > 0.5
    assert four.frame.groupby(["params", "recipe"])["seed"].nunique().eq(4).all()
    again = make_recipes(3, n_seeds=4, snr=1, random_state=np.random.default_rng(0))
    assert again.frame.equals(four.frame)
    each = make_recipes(3, (1, 2, 3), correlation=(-1, 0), random_state=0).decision_accuracy
    assert each[1.0] < 0.5 and each[2.0] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_recipes": 0}, "n_recipes=0"),
        ({"n_checkpoints": 0}, "n_checkpoints=0"),
        ({"noise": 0}, "noise above 0"),
        ({"snr": -1}, "snr of at least 0"),
        ({"sizes": (2, 1)}, "rising"),
        ({"correlation": 1.5}, "from -1 to 1"),
    ],
)
def test_arguments_out_of_range_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        make_recipes(**settings)  # type: ignore[arg-type]
