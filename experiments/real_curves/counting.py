"""How many curves have which verdict, and how many p values are small."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from harness.analysis.emergence.verdicts import Verdict


def claims(found: pd.DataFrame) -> pd.Series:
    """(rows,) whether a row of `find_jumps` claims a jump of any kind."""
    return found["verdict"].isin((Verdict.EMERGENT, Verdict.CANDIDATE, Verdict.ARTEFACT, Verdict.DROP))


def summary(found: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """A row a set of curves: how many there are, with p < .05, with adjusted p < .05, and of each verdict."""
    rows = {
        name: {"curves": len(of_one), "p < .05": (of_one["p_value"] < 0.05).sum()}
        | {"adjusted < .05": (of_one["p_adjusted"] < 0.05).sum()}
        | of_one["verdict"].value_counts().to_dict()
        for name, of_one in found.items()
    }
    table = pd.DataFrame(rows).T
    in_order = [name for name in (*table.columns[:3], *map(str, Verdict)) if name in table]
    return table[in_order].fillna(0).astype(int)
