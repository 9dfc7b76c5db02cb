"""Where an ability appears, in words, and where nothing does.

`find_jumps` places half of the rise of every curve that has one. A reader takes N* for the size at which an ability
appears, and a curve that is high from the first size on, or that hardly leaves chance, has no such size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import Enum
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis.emergence.verdicts import State, Verdict
from harness.wording import ABSENT, interval

#: What `find_jumps` places on the ladder.
PLACES = ("threshold", "onset", "half_rise")
#: Verdicts that claim a jump, which is a place whatever the curve is like before and after it.
CLAIMS = {str(verdict) for verdict in (Verdict.EMERGENT, Verdict.CANDIDATE, Verdict.ARTEFACT, Verdict.DROP)}
#: A curve that has made this share of its way from chance to its best value at the first size is there from the start.
_FROM_THE_START = 0.5
#: A share that leaves chance by less than this part of what it could gain has not appeared.
_LITTLE = 0.05


class Appearance(Enum):
    """Whether an ability appears along the ladder."""

    APPEARS = "appears"
    FROM_THE_START = "as it is from the first size on"
    NEVER = "never rises above chance"


def appearance(row: Mapping[Any, Any]) -> Appearance:
    """What the curve of a row of `find_jumps` does.

    A jump is always an appearance. Any other curve appears unless it does not change, hardly leaves chance, or has made
    half of its way from chance at the first size; where chance is not known, only the first of these can be told.
    """
    if row["verdict"] in CLAIMS:
        return Appearance.APPEARS
    floor = row["chance"]
    if row["state"] == State.FLAT and math.isnan(floor) and _is_share(row):
        floor = 0.0
    sign = 1 if row["higher_is_better"] else -1
    gained, first = (sign * (row[name] - floor) for name in ("best_mean", "first_mean"))
    if _is_share(row) and gained < _LITTLE * (1 - floor):
        return Appearance.NEVER
    if row["state"] == State.FLAT or 0 < _FROM_THE_START * gained <= first:
        return Appearance.FROM_THE_START
    return Appearance.APPEARS


def place(row: Mapping[Any, Any], name: str) -> str:
    """One of `PLACES` with its interval, as 4,130 (3,300 to 5,210).

    A dash where nothing appears, as of a curve that is high from the start; in place of N* of a share that was tested
    and never rises, below what it stays.
    """
    seen = appearance(row)
    if seen is Appearance.NEVER and name == "threshold" and row["verdict"] != Verdict.TOO_FEW_SIZES:
        return f"stays below {_above(row['best_mean'])}"
    if seen is not Appearance.APPEARS:
        return ABSENT
    return interval(row[name], row[f"{name}_low"], row[f"{name}_high"])


def only_where_something_appears(jumps: pd.DataFrame) -> pd.DataFrame:
    """The rows of `find_jumps` with no place of any kind where nothing appears; for pictures."""
    absent = [appearance(row) is not Appearance.APPEARS for row in jumps.to_dict("records")]
    places = [f"{name}{end}" for name in PLACES for end in ("", "_low", "_high")]
    return jumps.assign(**{name: jumps[name].mask(np.array(absent, dtype=bool)) for name in places})


def _is_share(row: Mapping[Any, Any]) -> bool:
    """Whether the metric is, as far as its means tell, a share of which more is better."""
    return bool(row["higher_is_better"]) and 0 <= row["first_mean"] <= 1 and 0 <= row["best_mean"] <= 1


def _above(share: float) -> str:
    """The next whole percent above a share."""
    return f"{math.floor(100 * share + 1e-9) + 1} %"
