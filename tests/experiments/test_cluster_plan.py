"""The published runs that the cluster plan is checked against, and how well it does."""

from __future__ import annotations

import re
import runpy

import numpy as np
import pandas as pd
import pytest
from worked_pages import REPOSITORY

FOLDER = REPOSITORY / "experiments" / "cluster_plan"


@pytest.fixture(scope="module")
def published() -> pd.DataFrame:
    return pd.read_csv(FOLDER / "published.csv")


@pytest.fixture(scope="module")
def table(published: pd.DataFrame) -> pd.DataFrame:
    return runpy.run_path(str(FOLDER / "run.py"))["table_of"](published)


def test_sizes_follow_from_layers_and_widths(table: pd.DataFrame) -> None:
    for row in table.to_dict("records"):
        (billions,) = re.findall(r"([\d.]+)B$", row["run"])
        assert row["params"] == pytest.approx(1e9 * float(billions), rel=0.06), row["run"]
    assert table["params"].min() < 1.1e9 and table["params"].max() > 4e11


def test_every_figure_has_its_source(published: pd.DataFrame) -> None:
    assert published.notna().all(axis=None) and published["run"].is_unique
    assert {*published["gpus_from"], *published["batch_from"]} == {"published", "assumed"}
    assert published["hours_from"].str.contains("arXiv|model card|blog").all()


def test_layouts_that_were_run_fit_their_cards() -> None:
    speeds = runpy.run_path(str(FOLDER / "run.py"))["speeds_of"](pd.read_csv(FOLDER / "throughput.csv"))
    assert speeds["of memory"].between(0.3, 1).all()
    ratio = np.log(speeds["ratio"])
    assert 1.2 < np.exp(ratio.mean()) < 1.8 and ratio.std() < 0.25


def test_published_hours_are_met_within_a_factor_of_two(table: pd.DataFrame) -> None:
    off = np.exp(np.abs(np.log(table["ratio"])))
    assert len(table) >= 20 and off.max() < 2.1
    for _, group in off.groupby(table["chosen on"]):
        assert group.median() < 1.3 and (group < 1.6).mean() > 0.9
    # The constant is what makes the runs that it was chosen on right in the mean.
    assert abs(np.log(table.loc[table["chosen on"], "ratio"]).mean()) < 0.03
