"""The picture of a foretold threshold shows what was found, and no more panels than abilities."""

from __future__ import annotations

import pandas as pd
import pytest

from harness import foretell
from harness.analysis.planning.foretell import KEY
from harness.datasets import make_finetuned
from harness.errors import DataError
from harness.report.foretell_plots import plot_foretold


def test_a_panel_an_ability_with_what_is_known_of_it() -> None:
    sort = make_finetuned(random_state=1).frame.assign(task="sort")
    none = make_finetuned(movement="none", random_state=1).frame.assign(task="none")
    found = foretell(pd.concat([sort, none]), "params", "examples", at=100)
    row = found.table.iloc[:1]
    observed = row[list(KEY)].assign(observed=16_000.0, observed_low=14_000.0, observed_high=18_000.0)
    first, second = plot_foretold(found, observed)
    assert [ax.get_title() for ax in (first, second)] == ["sort", "none: not identifiable"]
    drawn = {line.get_label(): line for line in first.get_lines()}
    assert drawn["foretold, 95 %"].get_ydata()[0] == pytest.approx(row["threshold"].iloc[0])  # type: ignore[index]
    assert drawn["found in the family"].get_ydata()[0] == 16_000  # type: ignore[index]
    assert "foretold, 95 %" not in {line.get_label() for line in second.get_lines()}
    assert first.get_xticklabels()[0].get_text() == "none"


def test_nothing_to_draw_is_said() -> None:
    found = foretell(make_finetuned((1000, 2000, 4000), random_state=0).frame, "params", "examples")
    with pytest.raises(DataError, match="nothing to draw"):
        plot_foretold(found)
