"""N* stands only where something appears; what stands in its place elsewhere, on planted curves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harness.analysis.emergence.find_jumps import find_jumps
from harness.report.appearance import Appearance, appearance, only_where_something_appears, place

SIZES = 100 * 2.0 ** np.arange(8)


def planted(task: str, means: np.ndarray, spread: float = 0.004, **about: object) -> pd.DataFrame:
    """Four seeds of a share at eight sizes, whose chance is 0.1."""
    rng = np.random.default_rng(len(task))
    value = np.clip(means[:, None] + spread * rng.standard_normal((8, 4)), 0, 1)
    columns = {"params": np.repeat(SIZES, 4), "seed": np.tile(range(4), 8), "value": value.ravel()}
    meaning = {"metric": "accuracy", "chance": 0.1, "higher_is_better": True, "discontinuous": True}
    return pd.DataFrame(columns | {"task": task} | meaning | about)


def logistic(low: float, high: float, width: float, middle: float = 3.5) -> np.ndarray:
    return low + (high - low) / (1 + np.exp(-4.4 * (np.arange(8) - middle) / width))


@pytest.fixture(scope="module")
def rows() -> dict[str, dict]:
    """Row of each planted curve by its task."""
    frame = pd.concat(
        [
            planted("jumps", np.where(SIZES > 1000, 0.9, 0.1)),
            planted("rises", logistic(0.1, 0.9, 5.0)),
            planted("high from the start", logistic(0.85, 0.97, 5.0)),
            planted("always right", np.ones(8), spread=0.0),
            planted("at the top", np.full(8, 0.97)),
            planted("never", np.full(8, 0.012), spread=0.003, chance=0.0),
            planted("at zero", np.zeros(8), spread=0.0, chance=0.0),
            planted("flat in the middle", np.full(8, 0.4), spread=0.02),
            planted("at chance", np.full(8, 0.5), chance=0.5),
            planted("hardly", logistic(0.001, 0.015, 5.0), spread=0.0005, chance=0.0),
            planted("a jump on high ground", np.where(SIZES > 1000, 0.95, 0.7)),
            planted("an error that falls", 1 - logistic(0.1, 0.9, 5.0), chance=0.9, higher_is_better=False),
            planted("an error that is low", 1 - logistic(0.85, 0.97, 5.0), chance=0.9, higher_is_better=False),
            planted("of unknown chance", logistic(0.5, 0.97, 5.0), chance=np.nan),
        ]
    )
    return {row["task"]: row for row in find_jumps(frame, x="params").to_dict("records")}


@pytest.mark.parametrize(
    "task", ["jumps", "rises", "a jump on high ground", "an error that falls", "of unknown chance"]
)
def test_what_appears_has_its_place(rows: dict[str, dict], task: str) -> None:
    assert appearance(rows[task]) is Appearance.APPEARS
    assert np.isfinite(rows[task]["threshold"]) and place(rows[task], "threshold")[0].isdigit()


@pytest.mark.parametrize(
    "task", ["high from the start", "always right", "at the top", "flat in the middle", "an error that is low"]
)
def test_what_is_high_from_the_start_has_a_dash(rows: dict[str, dict], task: str) -> None:
    assert appearance(rows[task]) is Appearance.FROM_THE_START
    assert place(rows[task], "threshold") == place(rows[task], "onset") == "–"


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("never", "stays below 2 %"),
        ("at zero", "stays below 1 %"),
        ("at chance", "stays below 51 %"),
        ("hardly", "stays below 2 %"),
    ],
)
def test_what_never_rises_says_below_what_it_stays(rows: dict[str, dict], task: str, words: str) -> None:
    assert appearance(rows[task]) is Appearance.NEVER
    assert place(rows[task], "threshold") == words and place(rows[task], "onset") == "–"


def test_what_was_not_tested_does_not_stay_below_anything(rows: dict[str, dict]) -> None:
    untested = {"verdict": "too few sizes", "state": "too few sizes", "threshold": np.nan}
    assert place(rows["never"] | untested | {"threshold_low": np.nan}, "threshold") == "–"


def test_a_curve_that_scatters_too_much_to_rise_does_not_stay_below_anything(rows: dict[str, dict]) -> None:
    noisy = rows["at chance"] | {"best_mean": 1.0}
    assert noisy["state"] == "flat" and place(noisy, "threshold") == "–"


def test_an_end_off_the_ladder_is_open_and_never_a_number(rows: dict[str, dict]) -> None:
    row = rows["rises"] | {"threshold": 857.2, "threshold_low": 0.0, "threshold_high": 2726.0}
    assert place(row, "threshold") == "857 (open below, to 2,730)"
    assert place(row | {"threshold_low": 300.0, "threshold_high": np.inf}, "threshold") == "857 (from 300, open above)"


def test_pictures_get_no_place_where_nothing_appears(rows: dict[str, dict]) -> None:
    jumps = pd.DataFrame(list(rows.values()))
    shown = only_where_something_appears(jumps).set_index("task")
    appearing = [task for task, row in rows.items() if appearance(row) is Appearance.APPEARS]
    assert set(shown.index[shown["threshold"].notna()]) == set(appearing)
    absent = shown.drop(index=appearing)
    assert absent.filter(regex="threshold|onset|half_rise").isna().all().all() and len(absent) == 9
    assert shown["verdict"].tolist() == jumps["verdict"].tolist()
