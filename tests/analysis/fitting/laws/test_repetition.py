"""The law of repeated data: published values, its limits, planted truth with noise, and what it refuses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harness import ScalingLaw
from harness.analysis.fitting.laws import LAWS
from harness.analysis.fitting.laws.repetition import Muennighoff
from harness.errors import DataError

#: As published (Muennighoff et al. 2023, table 1 and the README of huggingface/datablations).
PUBLISHED = np.array(
    [np.exp(0.6254804), np.exp(6.255414), np.exp(7.3049974), 0.3526596, 0.3526596, 15.387756, 5.309743]
)
TRUTH = {"E": 1.8, "A": 500.0, "B": 1500.0, "alpha": 0.35, "beta": 0.36, "R_D": 12.0, "R_N": 5.0}


def losses(parameters: np.ndarray, places: np.ndarray) -> np.ndarray:
    """y at places (n, 3) of public parameters (7,), through theta with centre and unit 1."""
    theta = parameters.copy()
    theta[5:] = np.log(theta[5:])
    return np.exp(Muennighoff().value(np.log(places).T, theta[None])[0])


def planted(noise: float, seed: int) -> pd.DataFrame:
    unique, epochs, size = (
        side.ravel() for side in np.meshgrid([1e8, 4e8, 1.6e9, 6.4e9], [1, 2, 6, 20, 60], [1e7, 6e7, 3e8, 2e9, 1e10])
    )
    places = np.stack([size, unique * epochs, unique], axis=1)
    loss = losses(np.array(list(TRUTH.values())), places)
    loss *= np.exp(noise * np.random.default_rng(seed).standard_normal(len(loss)))
    return pd.DataFrame(places, columns=["N", "D", "U"]).assign(loss=loss)


def test_values_are_the_published_ones() -> None:
    places = np.array([[6.34e9, 242e9, 25e9], [8.67e9, 178e9, 25e9]])
    np.testing.assert_allclose(losses(PUBLISHED, places), [2.2256440889984477, 2.2269634075087867], rtol=1e-9)


def test_without_decay_it_is_the_law_of_unique_data() -> None:
    frame = planted(0.0, 0)
    parameters = np.array([*list(TRUTH.values())[:5], 1e6, 1e6])
    in_full = 1.8 + 500 * frame["N"] ** -0.35 + 1500 * frame["D"] ** -0.36
    np.testing.assert_allclose(losses(parameters, frame[["N", "D", "U"]].to_numpy()), in_full, rtol=1e-4)


def test_repetition_beyond_its_decay_gains_nothing() -> None:
    many, more = losses(np.array(list(TRUTH.values())), np.array([[1e7, 1e9 * 400, 1e9], [1e7, 1e9 * 4000, 1e9]]))
    fresh = losses(np.array(list(TRUTH.values())), np.array([[1e7, 1e9 * 13, 1e9 * 13]]))
    assert many == pytest.approx(more, abs=1e-6)
    # U + U R_D = 13 U effective tokens, and N below the best size for U counts in full.
    assert more == pytest.approx(fresh[0], rel=1e-6)


def test_planted_parameters_lie_in_their_intervals() -> None:
    """One table of 100 runs with noise of .3 %; coverage over many is measured by experiments/repeated_data."""
    frame = planted(0.003, 1)
    law = ScalingLaw("muennighoff").fit(frame[["N", "D", "U"]], frame["loss"])
    assert law.status_.value == "converged"
    for name, truth in TRUTH.items():
        low, high = law.intervals_[name]
        # Each misses one time in 20; ends are widened by half of the interval, which makes it one in 3,000.
        half = (np.log(high / low)) / 2
        assert low * np.exp(-half) < truth < high * np.exp(half), name


def test_runs_of_one_epoch_do_not_tell_how_repetition_decays() -> None:
    frame = planted(0.003, 2).query("D == U and N < 1e9")
    law = ScalingLaw("muennighoff").fit(frame[["N", "D", "U"]], frame["loss"])
    assert law.status_.value != "converged"


def test_more_unique_than_training_tokens_are_refused() -> None:
    frame = planted(0.0, 0)
    frame.loc[7, "U"] = 2 * frame.loc[7, "D"]
    with pytest.raises(DataError, match=r"row 7: U = .* is above D"):
        ScalingLaw("muennighoff").fit(frame[["N", "D", "U"]], frame["loss"])


def test_it_is_among_the_laws() -> None:
    assert LAWS["muennighoff"].variables == ("N", "D", "U")
