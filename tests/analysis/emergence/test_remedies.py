"""Remedies: the power that they promise is the power that they have."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from harness.analysis.curves import label_runs, make_curves
from harness.analysis.emergence.evidence import Finding, examine
from harness.analysis.emergence.remedies import ENOUGH, Remedy, _remedies, what_would_settle
from harness.analysis.emergence.smooth_null import SmoothNull, logistic


def finding_of(
    mean: np.ndarray, seeds: int = 3, sd: float = 0.05, n_eval: float | None = None, seed: int = 0
) -> Finding:
    rng = np.random.default_rng(seed)
    rung, member = (axis.ravel() for axis in np.indices((len(mean), seeds)))
    value = mean[rung] + sd * rng.standard_normal(len(rung))
    table = {"size": 100 * 2.0**rung, "seed": member, "metric": "accuracy", "value": value}
    if n_eval is not None:
        table |= {"n_eval": n_eval, "value": rng.binomial(int(n_eval), np.clip(value, 0, 1)) / n_eval}
    (found,) = examine(list(make_curves(label_runs(pd.DataFrame(table)), "size")))
    assert found is not None
    return found


def test_more_runs_come_first_then_a_size_between_then_items() -> None:
    low = finding_of(0.3 + 0.2 * logistic(np.arange(8.0), 3.5, 0.5), sd=0.0, n_eval=40)
    place, _ = low.jump
    names = [remedy.name for remedy in _remedies(low, place)]
    assert [name.split()[0] for name in names] == ["2", "4", "a", "4"]
    assert names[0].startswith("2 times the runs at sizes") and names[3] == "4 times the items"
    exact = finding_of(0.3 + 0.2 * logistic(np.arange(8.0), 3.5, 0.5))
    assert "items" not in " ".join(remedy.name for remedy in _remedies(exact, 3.5)), "evaluation is not its noise"


def test_remedies_change_the_variance_as_they_say() -> None:
    found = finding_of(0.3 + 0.2 * logistic(np.arange(8.0), 3.5, 0.5))
    twice, four, between = list(_remedies(found, 3.4))
    now = found.noise.variance / found.design.counts
    near = np.isin(np.arange(8), (2, 3, 4, 5))
    np.testing.assert_allclose(twice.variance, np.where(near, now / 2, now))
    np.testing.assert_allclose(four.variance, np.where(near, now / 4, now))
    assert between.null.t.tolist() == [0, 1, 2, 3, 3.5, 4, 5, 6, 7]
    assert between.name == "a size near 1,130"
    assert between.variance[4] == pytest.approx(now[3:5].mean())


def test_power_is_what_the_best_test_has() -> None:
    """20,000 draws of the closest smooth curve and of the jump: a standard error of .003."""
    t, variance = np.arange(8.0), np.full(8, 0.05**2)
    remedy = Remedy("nothing", SmoothNull(t), variance)
    jump = 0.2 * logistic(t, 3.5, 0.5)
    closest = remedy.null.project(jump, variance)
    noise = 0.05 * np.random.default_rng(1).standard_normal((20_000, 8))
    critical = np.quantile((closest + noise) @ (jump - closest), 0.95)
    assert remedy.power(3.5, 0.2, 0.05) == pytest.approx(
        np.mean((jump + noise) @ (jump - closest) > critical), abs=0.02
    )


def test_the_first_remedy_that_is_enough_is_named_with_its_power() -> None:
    found = finding_of(0.3 + 0.12 * logistic(np.arange(8.0), 3.5, 0.5), sd=0.06)
    place, height = found.jump
    remedies = list(_remedies(found, place))
    powers = [remedy.power(place, height, 0.05) for remedy in remedies]
    said = what_would_settle(found, 0.05)
    named = re.fullmatch(r"(.*) would find it with power (\d\.\d\d)", said)
    assert named is not None, said
    chosen = [remedy.name for remedy in remedies].index(named[1])
    assert float(named[2]) == pytest.approx(powers[chosen], abs=0.005)
    if max(powers) >= ENOUGH:
        assert powers[chosen] >= ENOUGH and all(power < ENOUGH for power in powers[:chosen])
    else:
        assert powers[chosen] == max(powers)


def test_where_nothing_rises_the_height_is_named_that_would_be_found() -> None:
    found = finding_of(np.full(8, 0.4), sd=0.05)
    assert found.test.flat
    named = re.fullmatch(
        r"a jump of (\S+) would be found in 80 %, smaller ones more rarely", what_would_settle(found, 0.05)
    )
    assert named is not None
    place, _ = found.jump
    now = Remedy("nothing", found.design.null, found.noise.variance / found.design.counts)
    assert now.power(place, float(named[1]), 0.05) == pytest.approx(ENOUGH, abs=0.03)


def test_a_low_jump_in_much_noise_is_beyond_the_ladder() -> None:
    found = finding_of(0.3 + 0.2 * logistic(np.arange(8.0), 3.5, 10.0), sd=0.3, seeds=1)
    said = what_would_settle(found, 0.05)
    assert not found.test.flat
    assert re.fullmatch(r"a jump as low as \S+ is beyond this ladder: \S+ would be found in 80 %", said), said


def test_at_the_ends_of_a_ladder_no_number_of_runs_helps() -> None:
    """A step in the last gap is the beginning of a slow rise beyond: it was told to need a jump of 2.5e+09."""
    found = finding_of(np.where(np.arange(8) > 6, 0.6, 0.3), sd=0.02)
    said = what_would_settle(found, 0.05)
    assert said.endswith("at the end of the ladder, looks smooth: sizes beyond would tell"), said
