"""The table of exponents: every convention, kinds of interval, and studies that learnt nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harness import ScalingLaw, exponents
from harness.analysis.fitting.exponents import fit_exponents
from harness.datasets import make_digits_study, make_text_study
from harness.errors import DataError, SettingError

CONVENTIONS = ("params_total", "params_non_embedding", "flops")


def test_exponents_under_every_convention() -> None:
    rng = np.random.default_rng(9)
    short = make_digits_study(random_state=rng)
    short = short[short["rung"] < 2].assign(study="short")
    table = exponents(pd.concat([make_text_study(random_state=rng), make_digits_study(random_state=rng), short]))
    assert len(table) == 9 and table["x"].nunique() == 3
    by_study = table[table["x"] == "flops"].set_index("study")
    # Slope of ln loss: standard error .0015 with noise of .5 %.
    assert by_study.loc["text", "alpha"] == pytest.approx(0.041, abs=0.01)
    assert by_study.loc["digits", "law"] == "power_floor" and by_study.loc["digits", "delta_aicc"] > 10
    assert by_study.loc["short", "status"] == "too few data" and "got 2" in by_study.loc["short", "message"]
    assert np.isnan(by_study.loc["short", "alpha"])


def test_exponents_name_a_missing_column() -> None:
    frame = make_text_study(random_state=0).rename(columns={"flops": "flop"})
    with pytest.raises(DataError, match="column 'flops' is missing; did you mean 'flop'"):
        exponents(frame)


def test_bootstrap_intervals_move_with_their_seed_and_profiles_do_not() -> None:
    frame = make_text_study(random_state=1)
    ends = ["alpha_low", "alpha_high"]
    profile, again = (exponents(frame, n_bootstrap=n, seed=seed)[ends] for n, seed in ((200, 0), (300, 1)))
    pd.testing.assert_frame_equal(profile, again)
    settings = {"interval": "bootstrap", "n_bootstrap": 200}
    first, same, other = (exponents(frame, seed=seed, **settings)[ends] for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(first, same)
    assert (first != other).all().all() and (first != profile).all().all()


def test_a_setting_out_of_range_is_an_error_and_not_a_status() -> None:
    with pytest.raises(SettingError, match="n_bootstrap=50"):
        exponents(make_text_study(random_state=2), interval="bootstrap", n_bootstrap=50)


# ------------------------------------------------------------------------------------------------- nothing was learnt


def guesses(rng: np.random.Generator, below: float = 0.0, noise: float = 0.0005) -> pd.DataFrame:
    """A study of seven sizes and three seeds at chance, ln 2; the largest size `below` it."""
    width = np.array([8, 11, 16, 23, 32, 45, 64])
    loss = np.log(2) + noise * rng.standard_normal((7, 3))
    loss[-1] -= below
    size, seed = (axis.ravel() for axis in np.indices(loss.shape))
    counts = {"params_non_embedding": 50 * width[size], "params_total": 100 * width[size], "flops": 3e8 * width[size]}
    about = {"study": "guesses", "task": "guesses", "subtask": "all", "metric": "loss", "seed": seed, "rung": size}
    runs = {"run_id": [f"{i}-{j}" for i, j in zip(size, seed, strict=True)], "value": loss.ravel(), "chance": np.log(2)}
    return pd.DataFrame(about | counts | runs)


def test_a_study_that_never_leaves_guessing_has_no_law() -> None:
    found = fit_exponents(guesses(np.random.default_rng(3)), CONVENTIONS)
    assert len(found.table) == 3 and found.fits == {}
    assert (found.table["status"] == "nothing learnt").all() and (found.table["law"] == "").all()
    assert found.table["message"].str.contains("below that of guessing, 0.6931").all()
    assert found.table[["alpha", "alpha_low", "alpha_high", "E", "scatter"]].isna().all().all()
    assert found.table["n_runs"].tolist() == [21] * 3


def test_a_slight_but_real_improvement_has_one() -> None:
    """A third of a per cent of the loss at one size: 4.6 standard deviations of a run."""
    found = exponents(guesses(np.random.default_rng(4), below=0.0023))
    assert (found["law"] != "").all() and found["alpha"].notna().all()


@pytest.mark.parametrize("change", [{"chance": np.nan}, {"higher_is_better": True}])
def test_there_is_no_claim_where_chance_is_unknown_or_more_is_better(change: dict[str, float | bool]) -> None:
    found = exponents(guesses(np.random.default_rng(3)).assign(**change))
    assert (found["status"] != "nothing learnt").all()


def test_there_is_no_claim_without_noise() -> None:
    frame = guesses(np.random.default_rng(3))
    one = frame[frame["seed"] == 0]
    assert (exponents(one)["status"] != "nothing learnt").all()
    assert (exponents(one.assign(stderr=0.0005))["status"] == "nothing learnt").all()
    bad = one.assign(value=one["value"].where(one["rung"] != 2, np.nan), stderr=0.0005)
    assert exponents(bad)["message"].str.startswith("column y, row 2: nan").all()


def test_a_study_that_learns_is_fitted_as_before_beside_one_that_does_not() -> None:
    rng = np.random.default_rng(5)
    text = make_text_study(random_state=rng)
    together = exponents(pd.concat([text, guesses(rng)]))
    pd.testing.assert_frame_equal(together[together["study"] == "text"], exponents(text))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"loss": [1.0]}, "got dict"),
        (None, "got NoneType"),
        (ScalingLaw(), "got ScalingLaw; a fitted law has its own in params_ and intervals_"),
    ],
)
def test_what_is_no_frame_is_refused_in_a_line(given: object, words: str) -> None:
    with pytest.raises(DataError) as raised:
        exponents(given)  # type: ignore[arg-type]
    assert str(raised.value) == f"exponents takes a frame of runs, as harness.load returns it; {words}"
