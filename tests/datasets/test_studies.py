"""The study-like tables hold what their docstrings say, and `find_jumps` finds what they say it finds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest

import harness
from harness.datasets import (
    make_digits_study,
    make_induction_study,
    make_lookup_study,
    make_parity_study,
    make_text_study,
)
from harness.datasets.studies import LOOKUP_SCORES, LOOKUP_WIDTHS, parity_sizes
from harness.errors import SettingError

VERDICTS = {
    make_parity_study: "emergent",
    make_induction_study: "emergent",
    make_lookup_study: "metric artefact",
    make_text_study: "smooth",
    make_digits_study: "smooth",
}


@pytest.mark.parametrize(("make", "verdict"), VERDICTS.items())
def test_verdicts_are_those_of_the_docstrings(make: Callable[..., pd.DataFrame], verdict: str) -> None:
    assert verdict in (make.__doc__ or "")
    tables = [make(random_state=seed).assign(study=str(seed)) for seed in range(12)]
    found = harness.find_jumps(pd.concat(tables))
    assert (found["verdict"] == verdict).sum() >= 10
    assert set(found["verdict"]) <= {verdict, "inconclusive"}


@pytest.mark.parametrize("make", VERDICTS)
def test_tables_are_whole_and_repeat(make: Callable[..., pd.DataFrame]) -> None:
    table = make(4, random_state=1)
    assert table["seed"].nunique() == 4
    assert not table.drop(columns="paired_metric").isna().any().any()
    assert table.groupby("metric").size().nunique() == 1, "both metrics of every run"
    assert (table["discontinuous"] == table["paired_metric"].notna()).all()
    assert table.equals(make(4, random_state=np.random.default_rng(1)))
    with pytest.raises(SettingError, match="n_seeds=0"):
        make(0)


def test_half_of_the_runs_have_learnt_parity_at_the_threshold() -> None:
    """2,000 seeds: a standard error of 1.1 %."""
    table = make_parity_study(2000, threshold_rung=5.0, random_state=0)
    learnt = table[(table["metric"] == "accuracy")].groupby("rung")["value"].apply(lambda v: (v > 0.75).mean())
    assert learnt[5] == pytest.approx(0.5, abs=0.06) and learnt[2] < 0.02 and learnt[8] > 0.98
    assert table.groupby("rung")["params_non_embedding"].first().tolist() == parity_sizes().tolist()


def test_lookup_takes_the_widths_that_it_has_scores_of() -> None:
    table = make_lookup_study(widths=tuple(LOOKUP_SCORES), random_state=0)
    assert table["rung"].nunique() == len(LOOKUP_SCORES)
    with pytest.raises(SettingError, match="widths=65: allowed is from 8 to 64"):
        make_lookup_study(widths=(8, 65))


@pytest.mark.parametrize("widths", [LOOKUP_WIDTHS[::2], LOOKUP_WIDTHS[1::2]])
def test_lookup_on_half_as_many_widths_is_inconclusive(widths: Sequence[int]) -> None:
    tables = [make_lookup_study(widths=widths, random_state=seed).assign(study=str(seed)) for seed in range(6)]
    assert set(harness.find_jumps(pd.concat(tables))["verdict"]) == {"inconclusive"}
