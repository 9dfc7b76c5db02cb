"""Pictures of screenings."""

from __future__ import annotations

import pandas as pd
import pytest
from legible import check_legible, legend_of

from harness import screen
from harness.datasets import make_recipes
from harness.errors import DataError
from harness.report.screening_plots import plot_screening


def planted(n_recipes: int, n_tasks: int, **settings: object) -> pd.DataFrame:
    frame = make_recipes(n_recipes, n_tasks=n_tasks, random_state=0, **settings).frame  # type: ignore[arg-type]
    return frame.rename(columns={"recipe": "study"})


@pytest.mark.parametrize("n_tasks", [1, 4, 9])
def test_accuracy_of_recipes_by_size(n_tasks: int) -> None:
    found = screen(planted(12, n_tasks), "params", step="step")
    axes = plot_screening(found)
    check_legible(axes)
    names = legend_of(axes)
    assert len(names) == min(n_tasks, 6) + (n_tasks > 6)
    if n_tasks > 1:
        assert names[0] == found.tasks["task"][0]
    drawn = next(line for line in axes.lines if line.get_marker() == "o")
    best = found.sizes[found.sizes["task"] == found.tasks["task"][0]].dropna(subset="decision_accuracy")
    assert drawn.get_ydata() == pytest.approx(best["decision_accuracy"].to_numpy())
    assert axes.get_ylim()[1] > 1 and axes.get_ylabel() == "pairs ordered as at the target"


@pytest.mark.parametrize("noise", [0.05, 0.0005])
def test_gain_of_one_recipe_by_size(noise: float) -> None:
    found = screen(planted(1, 8, noise=noise), "params", step="step")
    axes = plot_screening(found)
    check_legible(axes)
    assert "2 others" in legend_of(axes) and axes.get_yscale() == ("symlog" if noise < 0.01 else "linear")


def test_nothing_to_draw() -> None:
    frame = planted(12, 1)
    found = screen(frame[frame["params"] > 5e8], "params", step="step")
    with pytest.raises(DataError, match="no size has a decision accuracy"):
        plot_screening(found)
