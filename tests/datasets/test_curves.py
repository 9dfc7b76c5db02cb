"""The makers of curves: the same draws for the same state, values about their expectation, tables that are taken."""

from __future__ import annotations

import doctest
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import harness
from harness.datasets import (
    JUMP_KINDS,
    SMOOTH_KINDS,
    curves,
    draw_curves,
    make_jumps,
    make_metric_pairs,
    make_smooth_curves,
)
from harness.errors import SettingError


def test_examples_in_docstrings_run() -> None:
    found = doctest.testmod(curves)
    assert found.attempted > 10 and found.failed == 0


def test_datasets_come_with_the_package_and_load_neither_torch_nor_hydra() -> None:
    code = "import sys, harness; harness.datasets.make_jumps(1); print({'torch', 'hydra'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "set()\n"


#: Mean score of 50 curves of each kind, as they were drawn for the tables of LOG.md.
MEANS = {
    "logistic": 0.40810083,
    "power-law error": 0.44831817,
    "exact match": 0.29281700,
    "flat at chance": 0.22182333,
    "flat at ceiling": 0.95772033,
    "below chance": 0.14804033,
    "double logistic": 0.40730633,
    "broken power law": 0.38494300,
    "u-shape": 0.44237950,
    "gompertz": 0.46021450,
    "heavy-tailed seeds": 0.42945600,
    "size-dependent spread": 0.42073150,
    "seeds rise apart": 0.39960817,
    "runs rise apart": 0.41700783,
    "hump": 0.37465817,
    "jump": 0.39396683,
    "own places": 0.40510200,
    "bimodal runs": 0.35906700,
    "bimodal seeds": 0.32547900,
    "break": 0.39707700,
}
#: jump -> mean exact match and token accuracy of 50 pairs.
MEANS_OF_PAIRS = {True: (0.20585033, 0.55971438), False: (0.1042145, 0.59183206)}


def test_draws_are_those_that_calibration_was_measured_on() -> None:
    """The figures of LOG.md rest on these streams: they may change only together."""
    assert MEANS.keys() == (SMOOTH_KINDS | JUMP_KINDS).keys()
    for kind, mean in MEANS.items():
        found = draw_curves(kind, 50, 8, 3, 0.04, np.random.default_rng([0, *kind.encode()]))
        assert found.values.mean() == pytest.approx(mean, abs=1e-8), kind
    for jump, means in MEANS_OF_PAIRS.items():
        pairs = make_metric_pairs(50, jump=jump, noise=0.04, random_state=1)
        found = pairs.exact_match.values.mean(), pairs.token_accuracy.values.mean()
        assert found == pytest.approx(means, abs=1e-8)


@pytest.mark.parametrize("kind", [*SMOOTH_KINDS, *JUMP_KINDS])
def test_one_state_one_draw(kind: str) -> None:
    one, same, other = (draw_curves(kind, 4, 6, 2, 0.02, state) for state in (0, np.random.default_rng(0), 1))
    pd.testing.assert_frame_equal(one.frame, same.frame)
    pd.testing.assert_frame_equal(one.truth, same.truth)
    assert not np.array_equal(one.values, other.values)
    assert one.frame.equals((make_smooth_curves if kind in SMOOTH_KINDS else make_jumps)(
        4, kind=kind, n_sizes=6, n_seeds=2, noise=0.02, random_state=0
    ).frame)  # fmt: skip


def test_values_scatter_about_their_expectation_as_they_should() -> None:
    """Of 30,000 runs in the middle of the range: variance is noise^2 plus that of n_eval items, within 5 %."""
    planted = make_smooth_curves(1000, n_sizes=10, noise=0.05, random_state=0)
    off = planted.values - planted.expected
    inside = (planted.expected > 0.2) & (planted.expected < 0.8)
    items = planted.expected * (1 - planted.expected) / planted.n_eval[:, None, None]
    assert np.mean(off[inside] ** 2) == pytest.approx(np.mean(0.05**2 + items[inside]), rel=0.05)
    assert abs(np.mean(off[inside])) < 0.002
    quiet = make_smooth_curves(1000, n_sizes=10, noise=0.0, random_state=0)
    items = quiet.expected * (1 - quiet.expected) / quiet.n_eval[:, None, None]
    assert np.mean((quiet.values - quiet.expected) ** 2) == pytest.approx(np.mean(items), rel=0.05)


def test_noise_may_be_given_for_each_curve() -> None:
    loud = np.array([0.0, 0.2])
    planted = make_smooth_curves(2, kind="flat at ceiling", n_seeds=50, noise=loud, random_state=1)
    quiet_off, loud_off = np.abs(planted.values - planted.expected).mean(axis=(1, 2))
    assert loud_off > 5 * quiet_off


def test_the_frame_is_what_find_jumps_takes_and_the_truth_is_its_own() -> None:
    planted = make_jumps(6, n_sizes=8, n_seeds=3, noise=0.01, random_state=0)
    frame, truth = planted.frame, planted.truth
    assert len(frame) == 6 * 8 * 3 and frame["params"].unique().tolist() == [2.0**t for t in range(8)]
    task_3 = frame[(frame["task"] == "3") & (frame["seed"] == 1)]
    assert task_3["value"].tolist() == planted.values[3, :, 1].tolist()
    assert set(task_3["chance"]) == {planted.chance[3]} and set(task_3["n_eval"]) == {planted.n_eval[3]}
    found = harness.find_jumps(frame, x="params").set_index("task")
    truth = truth.set_index("task")
    assert (found["p_value"] < 0.05).all() and set(found["verdict"]) == {"candidate"}
    # The true place lies within a step of the estimate, in every one of these six curves.
    assert (np.abs(np.log2(found["threshold"] / truth.loc[found.index, "threshold"])) < 1).all()


@pytest.mark.parametrize("jump", [True, False])
def test_pairs_are_of_the_same_outputs(jump: bool) -> None:
    pairs = make_metric_pairs(300, jump=jump, noise=0.0, random_state=0)
    exact, token = pairs.exact_match, pairs.token_accuracy
    power = pairs.length[:, None, None]
    np.testing.assert_allclose(exact.expected, token.expected**power)
    assert pairs.length.min() >= 2 and pairs.length.max() <= 30
    if jump:
        assert (exact.expected[:, -1] > 0.19).all(), "a smooth rise need not end on the ladder"
    assert np.mean(np.abs(exact.values - exact.expected)) < 0.02
    assert np.mean(np.abs(token.values - token.expected)) < 0.01
    assert (token.n_eval == exact.n_eval * pairs.length).all()
    assert pairs.frame.groupby("metric")["discontinuous"].first().to_dict() == {
        "exact_match": True, "token_accuracy": False,
    }  # fmt: skip
    assert pairs.truth["length"].tolist() == pairs.length.tolist()
    assert (pairs.truth["threshold"] == 2.0**token.midpoint).all()


@pytest.mark.parametrize(
    ("make", "settings", "message"),
    [
        (make_jumps, {"kind": "jmup"}, "kind=jmup: allowed is one of jump, own places.*did you mean 'jump'"),
        (make_smooth_curves, {"kind": "jump"}, "kind=jump: allowed is one of logistic"),
        (make_jumps, {"n_curves": 0}, "n_curves=0: allowed is a whole number of at least 1"),
        (make_jumps, {"n_sizes": 3}, "n_sizes=3: allowed is a whole number of at least 4"),
        (make_smooth_curves, {"n_seeds": 0}, "n_seeds=0: allowed is a whole number of at least 1"),
        (make_smooth_curves, {"noise": -0.1}, "noise=-0.1: allowed is a number of at least 0"),
        (make_smooth_curves, {"noise": float("nan")}, "noise=nan: allowed is a number of at least 0"),
        (make_smooth_curves, {"n_curves": 3, "noise": [0.1, 0.2]}, "one for each of 3 curves"),
        (make_metric_pairs, {"n_pairs": 0}, "n_pairs=0"),
    ],
)
def test_arguments_out_of_range_are_named(make, settings: dict, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(SettingError, match=message):
        make(**settings)
