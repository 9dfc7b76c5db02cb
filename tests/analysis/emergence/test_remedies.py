"""Remedies: the power that they promise is the power that they have."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from harness.analysis.axis import Axis
from harness.analysis.curves import label_runs, make_curves
from harness.analysis.emergence.evidence import Finding, examine
from harness.analysis.emergence.remedies import ENOUGH, HOPELESS, Remedy, _likeliest_jump, _remedies, what_would_settle
from harness.analysis.emergence.smooth_null import SmoothNull, logistic

T = np.arange(8.0)
SIZE = Axis.of("size")


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
    low = finding_of(0.3 + 0.2 * logistic(T, 3.5, 0.5), sd=0.0, n_eval=40)
    names = [remedy.name for remedy in _remedies(low, 3.5, SIZE)]
    assert [name.split()[0] for name in names] == ["2", "4", "a", "4"]
    assert names[0].startswith("2 times the runs at sizes") and names[3] == "4 times the items"
    exact = finding_of(0.3 + 0.2 * logistic(T, 3.5, 0.5))
    assert "items" not in " ".join(remedy.name for remedy in _remedies(exact, 3.5, SIZE)), "evaluation is not its noise"


def test_remedies_change_the_variance_as_they_say() -> None:
    found = finding_of(0.3 + 0.2 * logistic(T, 3.5, 0.5))
    twice, four, between = list(_remedies(found, 3.4, SIZE))
    now = found.noise.variance / found.design.counts
    near = np.isin(np.arange(8), (2, 3, 4, 5))
    np.testing.assert_allclose(twice.variance, np.where(near, now / 2, now))
    np.testing.assert_allclose(four.variance, np.where(near, now / 4, now))
    assert between.null.t.tolist() == [0, 1, 2, 3, 3.5, 4, 5, 6, 7]
    assert between.name == "a size near 1,130"
    assert between.variance[4] == pytest.approx(now[3:5].mean())


def test_the_likeliest_jump_is_where_it_was_planted() -> None:
    place, height = _likeliest_jump(finding_of(0.2 + 0.02 * T + 0.4 * (T > 3.5), sd=0.02))
    assert 3 <= place <= 4 and height == pytest.approx(0.4, abs=0.06)
    place, height = _likeliest_jump(finding_of(0.8 - 0.02 * T - 0.4 * (T > 3.5), sd=0.02))
    assert 3 <= place <= 4 and height == pytest.approx(0.4, abs=0.06), "of a drop too"


def test_power_is_what_the_best_test_has() -> None:
    """20,000 draws of the closest smooth curve and of the jump: a standard error of .003."""
    variance = np.full(8, 0.05**2)
    remedy = Remedy("nothing", SmoothNull(T), variance)
    jump = 0.2 * logistic(T, 3.5, 0.5)
    closest = remedy.null.project(jump, variance)
    noise = 0.05 * np.random.default_rng(1).standard_normal((20_000, 8))
    critical = np.quantile((closest + noise) @ (jump - closest), 0.95)
    assert remedy.power(3.5, 0.2, 0.05) == pytest.approx(
        np.mean((jump + noise) @ (jump - closest) > critical), abs=0.02
    )


@pytest.mark.parametrize("sd", [0.05, 0.1])
def test_the_first_remedy_that_is_enough_is_named_with_its_power(sd: float) -> None:
    found = finding_of(0.3 + 0.25 * logistic(T, 3.5, 0.5), sd=sd)
    place, height = _likeliest_jump(found)
    remedies = list(_remedies(found, place, SIZE))
    powers = [remedy.power(place, height, 0.05) for remedy in remedies]
    said = what_would_settle(found, 0.05, SIZE)
    named = re.fullmatch(r"(.*) would find a jump of \S+ with power (\d\.\d\d)", said)
    assert named is not None, said
    chosen = [remedy.name for remedy in remedies].index(named[1])
    assert float(named[2]) == pytest.approx(powers[chosen], abs=0.005)
    if max(powers) >= ENOUGH:
        assert powers[chosen] >= ENOUGH and all(power < ENOUGH for power in powers[:chosen])
    else:
        assert powers[chosen] == max(powers)


def test_where_nothing_rises_the_height_is_named_that_would_be_found() -> None:
    named = 0
    for seed in range(12):
        found = finding_of(np.full(8, 0.4), sd=0.05, seed=seed)
        said = re.fullmatch(
            r"a jump of (\S+) would be found with power 0.8, smaller ones more rarely",
            what_would_settle(found, 0.05, SIZE),
        )
        if found.flat and said is not None:
            now = Remedy("nothing", found.design.null, found.noise.variance / found.design.counts)
            # In the middle of the ladder of eight sizes.
            assert now.power(3.5, float(said[1]), 0.05) == pytest.approx(ENOUGH, abs=0.03)
            named += 1
    assert named >= 5


def test_no_height_is_named_that_the_metric_cannot_reach() -> None:
    """Of runs that scatter by .5 about .4 only a jump of more than 1 would be found: accuracy has none."""
    said = what_would_settle(finding_of(np.full(8, 0.5), sd=0.0, n_eval=1, seed=3), 0.05, SIZE)
    assert said == "the runs scatter too much for any jump of accuracy to be found with power 0.8"


@pytest.mark.parametrize("seed", range(8))
def test_every_height_that_is_named_is_one_the_metric_can_reach(seed: int) -> None:
    rng = np.random.default_rng(seed)
    said = what_would_settle(
        finding_of(rng.uniform(0, 1, 8), seeds=int(rng.integers(1, 4)), sd=0.0, n_eval=int(rng.integers(1, 30))),
        0.05,
        SIZE,
    )
    heights = re.findall(r"jump (?:of|as low as) ([\d.e+-]+)|: ([\d.e+-]+) would be found", said)
    assert all(0 < float(each) <= 1 for pair in heights for each in pair if each), said


def test_a_jump_that_no_remedy_would_find_is_beyond_the_ladder() -> None:
    beyond = 0
    for seed in range(12):
        found = finding_of(0.2 + 0.06 * T, sd=0.03, seeds=2, seed=seed)
        said = re.fullmatch(
            r"a jump as low as (\S+) is beyond this ladder: (\S+) would be found with power 0.8",
            what_would_settle(found, 0.05, SIZE),
        )
        place, height = _likeliest_jump(found)
        powers = [remedy.power(place, height, 0.05) for remedy in _remedies(found, place, SIZE)]
        if said is not None:
            assert max(powers) < HOPELESS and float(said[1]) < float(said[2])
            beyond += 1
        elif not found.flat and not found.may_jump_at_an_end:
            assert max(powers) >= HOPELESS
    assert 2 <= beyond < 12


def test_at_the_ends_of_a_ladder_no_number_of_runs_helps() -> None:
    """A step in the last gap is the beginning of a slow rise beyond: it was told to need a jump of 2.5e+09."""
    found = finding_of(np.where(np.arange(8) > 6, 0.6, 0.3), sd=0.02)
    said = what_would_settle(found, 0.05, SIZE)
    assert (
        said == "a jump in the first or last gap looks like a rise that goes on off the ladder: sizes beyond would tell"
    )
