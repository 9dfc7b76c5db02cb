"""Curves whose truth is written out: jumps on slopes, drops, courses, gaps, and what must never be said of them.

z is the place of a size in steps. Tables are seeded; margins leave four standard errors or more below what was
measured.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from harness import find_jumps, thresholds
from harness.analysis.emergence.smooth_null import logistic

Z, LONG, TEN = np.arange(8.0), np.arange(12.0), np.arange(10.0)
N_EVAL = 1000
UNIT = 100.0


def table(
    curves: np.ndarray, seeds: int = 3, sd: float = 0.02, seed: int = 0, metric: str = "accuracy", n_eval: int = N_EVAL
) -> pd.DataFrame:
    """Runs of true shares (n, K), each row a study of its own, on `n_eval` items."""
    rng = np.random.default_rng(seed)
    study, rung, member = (axis.ravel() for axis in np.indices((*curves.shape, seeds)))
    share = np.clip(curves[study, rung] + sd * rng.standard_normal(len(study)), 0, 1)
    about = {"study": study.astype(str), "size": UNIT * 2.0**rung, "seed": member, "n_eval": n_eval}
    return pd.DataFrame(about | {"metric": metric, "value": rng.binomial(n_eval, share) / n_eval, "share": share})


def found(curve: np.ndarray, n: int, **about: int | float) -> pd.DataFrame:
    return find_jumps(table(np.tile(curve, (n, 1)), **about), x="size")


def pairs(tokens: np.ndarray, length: int, n: int, seed: int) -> pd.DataFrame:
    """Token accuracy and the exact match of the same outputs."""
    token = table(np.tile(tokens, (n, 1)), seed=seed, metric="token_accuracy")
    rng = np.random.default_rng(seed + 1)
    exact = token.assign(metric="exact_match", value=rng.binomial(N_EVAL, token["share"] ** length) / N_EVAL)
    exact["paired_metric"] = "token_accuracy"
    return find_jumps(pd.concat([token.assign(paired_metric=""), exact], ignore_index=True), x="size")


def in_steps(x: pd.Series) -> np.ndarray:
    return np.log2(x.to_numpy(float) / UNIT)


# ------------------------------------------------------------------------------------------------- jumps on slopes


def test_the_tokens_of_an_answer_that_jump_on_a_slope_make_no_metric_artefact() -> None:
    """`.2 + .05 z + .3 [z > 3.5]`: its fifth power rises steeply without a jump, and is often undecided by itself."""
    rows = pairs(0.2 + 0.05 * Z + 0.3 * (Z > 3.5), 5, n=40, seed=1)
    sure = rows["continuous_p_value"] < 0.001
    assert sure.mean() > 0.8
    assert not (sure & (rows["verdict"] == "metric artefact")).any()
    assert np.mean(rows["verdict"] == "emergent") > 0.8
    np.testing.assert_allclose(rows["link_length"], 5, atol=0.5)


def test_smooth_tokens_on_the_same_slope_are_never_emergent() -> None:
    rows = pairs(0.2 + 0.08 * Z, 5, n=40, seed=3)
    assert not (rows["verdict"] == "emergent").any()
    assert set(rows["verdict"]) <= {"smooth", "metric artefact", "inconclusive"}


def test_a_jump_late_on_a_long_slope_is_a_candidate() -> None:
    """`.02 + .05 z + .2 [z > 5.5]`: of the range of .75 the slope takes .55."""
    rows = found(0.02 + 0.05 * LONG + 0.2 * (LONG > 5.5), n=20, seed=5)
    assert np.sum(rows["verdict"] == "candidate") >= 18
    assert np.mean((in_steps(rows["threshold_low"]) <= 5.5) & (in_steps(rows["threshold_high"]) >= 5.5)) > 0.9


def test_the_interval_of_a_jump_on_a_slope_holds_it_and_is_a_step_wide() -> None:
    """`.05 + .04 z + .3 [z > 3.1]`: the half rise of the mean is another place, 3.1 lies near an end of its gap."""
    rows = found(0.05 + 0.04 * Z + 0.3 * (Z > 3.1), n=40, seed=7, seeds=5)
    low, middle, high = (in_steps(rows[name]) for name in ("threshold_low", "threshold", "threshold_high"))
    assert np.sum((low <= 3.1) & (high >= 3.1)) >= 37
    assert np.all(high - low >= 1 - 1e-6) and np.mean(high - low) < 1.3
    assert np.all((low <= middle) & (middle <= high))
    assert np.mean((rows["height_low"] <= 0.3) & (rows["height_high"] >= 0.3)) > 0.8


def test_a_step_on_a_plateau_after_an_early_rise_is_found() -> None:
    rows = found(0.1 + 0.5 * (1 - np.exp(-0.5 * LONG)) + 0.15 * (LONG > 7.5), n=20, seed=9)
    assert np.sum(rows["verdict"] == "candidate") >= 18
    assert np.mean((in_steps(rows["threshold_low"]) <= 7.5) & (in_steps(rows["threshold_high"]) >= 7.5)) > 0.9
    # The onset is that of the early rise, which is under way at the first size.
    assert np.all((rows["onset_low"] == 0) & (rows["onset_high"] < UNIT * 2**3))


# ----------------------------------------------------------------------------------------------- drops and courses


@pytest.mark.parametrize("slope", [-0.03, 0.0, 0.03])
def test_a_jump_down_is_a_drop(slope: float) -> None:
    rows = found(0.6 + slope * (Z - 3.5) - 0.3 * (Z > 3.5), n=20, seed=11)
    assert np.sum(rows["verdict"] == "drop") >= 18
    dropped = rows[(rows["verdict"] == "drop") & ~rows["tested_by_seed"].astype(bool)]
    assert len(dropped) >= 16
    assert dropped["reason"].str.contains("it is worse").all()
    assert (dropped["height"] < -0.2).all() and (dropped["height_high"] < 0).all()
    assert np.all((in_steps(dropped["threshold_low"]) <= 3.5) & (in_steps(dropped["threshold_high"]) >= 3.5))


@pytest.mark.parametrize(
    ("curve", "course"),
    [
        (0.6 - 0.4 * logistic(TEN, 2.0, 4.0) + 0.3 * logistic(TEN, 7.0, 4.0), "falls, then rises"),
        (0.1 + 0.5 * logistic(TEN, 2.5, 4.0) - 0.4 * logistic(TEN, 7.0, 4.0), "rises, then falls"),
        (0.1 + 0.6 * logistic(TEN, 4.5, 6.0), "rises"),
        (0.8 - 0.6 * logistic(TEN, 4.5, 6.0), "falls"),
    ],
)
def test_the_reason_of_a_smooth_curve_says_its_course(curve: np.ndarray, course: str) -> None:
    rows = found(curve, n=20, seed=13)
    smooth = rows[rows["verdict"] == "smooth"]
    assert len(smooth) >= 14 and rows["verdict"].isin(["candidate", "drop"]).sum() <= 2
    said = Counter(smooth["reason"].str.extract(r"\) (.*) smoothly")[0])
    assert said[course] >= 0.9 * len(smooth), said


def test_a_straight_fall_is_smooth_as_often_as_a_straight_rise() -> None:
    rise, fall = found(0.1 + 0.05 * LONG, n=40, seed=14), found(0.75 - 0.05 * LONG, n=40, seed=14)
    smooth = [np.mean(rows["verdict"] == "smooth") for rows in (rise, fall)]
    assert smooth[1] > smooth[0] - 0.4


# ------------------------------------------------------------------------------------------------------ edge cases


def test_a_last_value_a_little_above_equal_ones_is_no_jump() -> None:
    """Five shares of which four are equal to the digit, their number of items unknown: rounding is no precision."""
    values = [0.2312, 0.2312, 0.2312, 0.2312, 0.25]
    frame = pd.DataFrame({"size": 2.0 ** np.arange(5), "metric": "accuracy", "value": values})
    row = find_jumps(frame, x="size").iloc[0]
    assert row["verdict"] not in ("candidate", "emergent", "drop") and row["p_value"] > 0.05
    inside = find_jumps(frame.assign(value=[0.2312, 0.2312, 0.2312, 0.25, 0.25]), x="size").iloc[0]
    assert inside["verdict"] != "emergent" and "n_eval unknown" in inside["reason"]


@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("gap", [2, 3, 4])
def test_n_star_of_a_leap_from_nothing_to_nearly_all_is_its_gap(gap: int, seeds: int) -> None:
    values = np.where(gap < Z, 0.86 + 0.01 * Z, 0.0002 + 0.0001 * Z)
    row = find_jumps(table(values[None], seeds, sd=0.0, seed=15 + gap, n_eval=10_000), x="size").iloc[0]
    assert row["verdict"] == "candidate"
    ends = [row["threshold_low"], row["threshold_high"]]
    assert ends == pytest.approx([UNIT * 2.0**gap, UNIT * 2.0 ** (gap + 1)])
    assert ends[0] < row["threshold"] < ends[1]


@pytest.mark.parametrize("seed", range(6))
def test_heights_stay_inside_what_a_share_can_be(seed: int) -> None:
    """Noisy shares of few items, near 0 and 1 too: no rise is higher than 1, no fall deeper."""
    rng = np.random.default_rng(seed)
    ends = rng.uniform(0, 1, (8, 2))
    curves = ends[:, :1] + np.diff(ends, axis=1) * logistic(Z, rng.uniform(0, 7, (8, 1)), rng.uniform(0.1, 8, (8, 1)))
    rows = find_jumps(table(curves, seeds=2, sd=0.1, seed=seed, n_eval=20), x="size")
    heights = rows[["height_low", "height", "height_high"]].to_numpy(float)
    heights = heights[~np.isnan(heights)]
    assert len(heights) and np.abs(heights).max() <= 1 + 1e-9
    named = rows["reason"].str.extract(r"(?:a jump of|as low as) ([\d.e+-]+)")[0].dropna().astype(float)
    assert (named <= 1).all()


@pytest.mark.parametrize(
    ("curve", "reasons"),
    [
        (0.1 + 0.6 * logistic(Z, 9.0, 6.0), {"", "not reached on the ladder"}),
        (0.1 + 0.6 * logistic(Z, -2.0, 6.0), {"", "above the threshold at the first size", "no rise above the noise"}),
        (0.8 - 0.6 * logistic(Z, 3.5, 6.0), {"the curve falls"}),
        (np.full(8, 0.4), {"", "no rise above the noise", "the curve falls"}),
    ],
    ids=["late", "early", "falls", "level"],
)
def test_open_ends_are_infinite_and_an_absent_n_star_has_its_reason(curve: np.ndarray, reasons: set[str]) -> None:
    rows = thresholds(table(np.tile(curve, (30, 1)), seed=17), x="size")
    absent = rows["threshold"].isna()
    assert (absent == (rows["reason"] != "")).all()
    assert set(rows["reason"]) <= reasons
    on_ladder = rows[~absent]
    assert ((on_ladder["threshold"] >= UNIT) & (on_ladder["threshold"] <= UNIT * 2**7)).all()
    for name in ("threshold", "onset", "half_rise"):
        low, high = rows[f"{name}_low"], rows[f"{name}_high"]
        assert (low.isna() == high.isna()).all() and (low[low.notna()] <= high[low.notna()]).all()
        assert ((low == 0) | (low >= UNIT * (1 - 1e-9)) | low.isna() | np.isinf(low)).all()
        assert (np.isinf(high) | (high <= UNIT * 2**7 * (1 + 1e-9)) | high.isna()).all()


def test_late_and_early_rises_have_open_ends() -> None:
    late, early = (
        thresholds(table(np.tile(0.1 + 0.8 * logistic(Z, place, 5.0), (20, 1)), seed=19), x="size")
        for place in (8.5, -1.5)
    )
    assert np.mean(np.isinf(late["threshold_high"])) > 0.8 and (late["threshold_low"] > UNIT).all()
    assert np.mean(early["threshold_low"] == 0) > 0.8
