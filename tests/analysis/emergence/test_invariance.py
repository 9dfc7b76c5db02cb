"""What must not matter: the order of rows, names, units of x and of the metric; and that tables have their numbers."""

from __future__ import annotations

from random import Random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from harness import find_jumps, thresholds

#: What holds, holds whatever the draws.
pytestmark = pytest.mark.usefixtures("few_draws")


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    """Two to three tasks on one of a few ladders, values of any kind within [0, 1].

    Few, because a ladder has calibrations, of a second each. So have the tables below.
    """
    n_tasks, (n_sizes, n_seeds) = draw(st.integers(2, 3)), draw(st.sampled_from([(5, 1), (5, 3), (6, 2)]))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    task, size, seed = (axis.ravel() for axis in np.indices((n_tasks, n_sizes, n_seeds)))
    place, width = rng.uniform(0, n_sizes, n_tasks)[task], rng.uniform(0.1, 8, n_tasks)[task]
    value = (
        rng.binomial(200, np.clip(expit((size - place) / width) + 0.05 * rng.standard_normal(len(task)), 0, 1)) / 200
    )
    names = np.array(["copy", "sort", "reverse"])[task]
    return pd.DataFrame(
        {"task": names, "size": 100 * 3.0**size, "seed": seed, "metric": "accuracy", "value": value, "n_eval": 200}
    )


KEY = ["task", "metric"]
NUMBERS = ["p_value", "p_adjusted", "statistic"]


@settings(max_examples=12, deadline=None)
@given(tables(), st.randoms(use_true_random=False))
def test_order_units_and_names_change_nothing(frame: pd.DataFrame, random: Random) -> None:
    found = find_jumps(frame, x="size").set_index("task")
    assert found["p_value"].dropna().between(0, 1).all()
    shuffled = frame.sample(frac=1, random_state=random.randint(0, 1000))
    in_millions = frame.assign(size=frame["size"] * 1e6)
    renamed = frame.assign(task=frame["task"].map({"copy": "z", "sort": "y", "reverse": "x"}))
    for other in (
        find_jumps(shuffled, x="size").set_index("task"),
        find_jumps(in_millions, x="size").set_index("task"),
        find_jumps(renamed, x="size").assign(task=lambda t: t["task"].map({"z": "copy", "y": "sort", "x": "reverse"}))
        .set_index("task"),
    ):  # fmt: skip
        np.testing.assert_allclose(other.loc[found.index, NUMBERS], found[NUMBERS], atol=1e-6)
        assert other.loc[found.index, "verdict"].tolist() == found["verdict"].tolist()


@settings(max_examples=10, deadline=None)
@given(tables(), st.integers(0, 1000))
def test_a_smooth_task_more_makes_no_candidate_elsewhere(frame: pd.DataFrame, seed: int) -> None:
    """In a study of its own it shares no noise, so that p values stay and only their adjustment changes."""
    alone = find_jumps(frame, x="size").set_index("task")
    rng = np.random.default_rng(seed)
    size = np.repeat(100 * 3.0 ** np.arange(6), 2)
    smooth = pd.DataFrame({"task": "smooth", "size": size, "seed": np.tile([0, 1], 6), "metric": "accuracy"})
    value = rng.binomial(200, 0.3 + 0.05 * np.repeat(np.arange(6), 2)) / 200
    both = pd.concat([frame.assign(study="own"), smooth.assign(study="other", value=value, n_eval=200)])
    together = find_jumps(both, x="size").set_index("task")
    np.testing.assert_allclose(together.loc[alone.index, "p_value"], alone["p_value"])
    tested = together["p_value"].dropna()
    np.testing.assert_allclose(together.loc[tested.index, "p_adjusted"], benjamini_hochberg(tested.to_numpy()))
    if together.loc["smooth", "p_value"] >= 0.05:
        new = set(together.index[together["p_adjusted"] < 0.05]) - set(alone.index[alone["p_adjusted"] < 0.05])
        assert not new


def benjamini_hochberg(p: np.ndarray) -> list[float]:
    """Smallest false discovery rate at which each is rejected, by the definition: reject the k smallest for the largest
    k with p_(k) <= k q / n."""
    n = len(p)
    return [min(1.0, min(n * p[j] / np.sum(p <= p[j]) for j in range(n) if p[j] >= p[i])) for i in range(n)]


# ------------------------------------------------------------------------------------------------------- odd tables


#: Sizes and seeds: even, and uneven with sizes close to each other and far apart.
LADDERS = (
    ((1.0, 3.0, 9.0, 27.0, 81.0), 1),
    ((1.0, 3.0, 9.0, 27.0, 81.0), 3),
    ((5.0, 5.3, 90.0, 120.0, 130.0, 2000.0, 9000.0), 2),
    ((5.0, 5.3, 90.0, 120.0, 130.0, 2000.0, 9000.0), 1),
)


@st.composite
def odd_tables(draw: st.DrawFn) -> pd.DataFrame:
    """A curve on one of `LADDERS` that is constant, of two values, huge, tiny, or of any kind."""
    sizes, n_seeds = draw(st.sampled_from(LADDERS))
    n_sizes, rng = len(sizes), np.random.default_rng(draw(st.integers(0, 10_000)))
    rung, seed = (axis.ravel() for axis in np.indices((n_sizes, n_seeds)))
    value = {
        "constant": np.full(len(rung), 0.3),
        "one differs": np.where(np.arange(len(rung)) == rng.integers(len(rung)), 0.4, 0.3),
        "two values": rng.integers(0, 2, len(rung)).astype(float),
        "leap": (rung > n_sizes / 2).astype(float),
        "noise": rng.uniform(0, 1, len(rung)),
        "outlier": np.where(rung == rng.integers(n_sizes), 1.0, 0.01 * rng.uniform(0, 1, len(rung))),
        "straight": rung / n_sizes,
    }[draw(st.sampled_from(["constant", "one differs", "two values", "leap", "noise", "outlier", "straight"]))]
    scale, metric = draw(st.sampled_from([(1.0, "accuracy"), (1e12, "score"), (1e-12, "score"), (-1.0, "score")]))
    n_eval = draw(st.sampled_from([np.nan, 1.0, 200.0])) if metric == "accuracy" else np.nan
    about = {"size": np.array(sizes)[rung], "seed": seed, "metric": metric, "n_eval": n_eval}
    return pd.DataFrame(about | {"value": scale * value, "discontinuous": True, "higher_is_better": True})


@settings(max_examples=60, deadline=None)
@given(odd_tables())
def test_every_table_has_its_numbers(frame: pd.DataFrame) -> None:
    (row,) = find_jumps(frame, x="size").to_dict("records")
    tested = not np.isnan(row["p_value"])
    assert tested == (np.ptp(frame["value"]) > 0)
    assert np.isfinite([row["statistic"], row["p_adjusted"]]).all() == tested
    if tested:
        assert 0 < row["p_value"] <= 1 and 0 < row["p_adjusted"] <= 1
    assert row["verdict"] and row["reason"] and row["state"] != "too few sizes"
    (where,) = thresholds(frame, x="size").to_dict("records")
    assert np.isnan(where["threshold"]) == (where["reason"] != "")
    for name in ("threshold", "onset", "half_rise"):
        ends = [where[f"{name}_low"], where[f"{name}_high"]]
        assert np.isnan(ends).all() or 0 <= ends[0] <= ends[1]


# ------------------------------------------------------------------------------------------------------------ units


def curve_of(values: np.ndarray, metric: str, **about: object) -> pd.DataFrame:
    rung, seed = (axis.ravel() for axis in np.indices(values.shape))
    table = {"size": 50 * 2.0**rung, "seed": seed, "metric": metric, "value": values.ravel()}
    return pd.DataFrame(table | {"discontinuous": True, "higher_is_better": True} | about)


def noisy(seed: int) -> np.ndarray:
    """(8, 3) a slope, with a jump in every other one."""
    rng, t = np.random.default_rng(seed), np.arange(8.0)
    mean = 0.2 + 0.04 * t + 0.25 * (t > rng.uniform(1.2, 5.8)) * (seed % 2)
    return mean[:, None] + 0.03 * rng.standard_normal((8, 3))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("factor", "shift"), [(100.0, 0.0), (1.0, 1000.0), (1e9, -3e9), (0.25, 0.0)])
def test_units_of_a_metric_without_bounds_change_nothing(seed: int, factor: float, shift: float) -> None:
    values = 5 + noisy(seed)  # no share, which would be bounded
    here, there = (find_jumps(curve_of(each, "score"), x="size").iloc[0] for each in (values, shift + factor * values))
    assert there["statistic"] == pytest.approx(here["statistic"], abs=1e-4)
    assert np.log(there["p_value"]) == pytest.approx(np.log(here["p_value"]), abs=1e-3)
    assert there["verdict"] == here["verdict"]
    assert there["height"] == pytest.approx(factor * here["height"], rel=1e-4)
    for name in ("threshold", "threshold_low", "threshold_high"):
        assert there[name] == pytest.approx(here[name], rel=1e-4, nan_ok=True)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("factor", [1e-6, 1000.0, 6.0])
def test_units_of_x_change_nothing_but_the_unit_of_n_star(seed: int, factor: float) -> None:
    frame = curve_of(noisy(seed), "score")
    here, there = (find_jumps(each, x="size").iloc[0] for each in (frame, frame.assign(size=frame["size"] * factor)))
    assert there["statistic"] == pytest.approx(here["statistic"], abs=1e-6)
    assert there["p_value"] == pytest.approx(here["p_value"], rel=1e-6)
    for name in ("threshold", "threshold_low", "threshold_high", "onset"):
        assert there[name] == pytest.approx(factor * here[name], rel=1e-6, nan_ok=True)


def test_squared_sizes_are_the_same_ladder() -> None:
    """A step is the median distance of neighbouring sizes in ln x: FLOPs that grow as N^2 give the same claims."""
    frame = curve_of(noisy(1), "score")
    here, there = (find_jumps(each, x="size").iloc[0] for each in (frame, frame.assign(size=frame["size"] ** 2)))
    assert there["statistic"] == pytest.approx(here["statistic"], abs=1e-6)
    assert there["threshold"] == pytest.approx(here["threshold"] ** 2, rel=1e-6)
    assert there["step_octaves"] == pytest.approx(2 * here["step_octaves"])
