"""How well a score tells jumps from smooth curves."""

from __future__ import annotations

import numpy as np
import pandas as pd
from examination import KNOWN_SCORES
from scipy.stats import rankdata

#: The families of the grid that a parametric null would hold, which rankings are compared on.
IN_FAMILY = ("logistic", "power-law error", "exact match", "flat at chance", "flat at ceiling")
SCORES = ("statistic", *KNOWN_SCORES)


def areas(table: pd.DataFrame) -> dict[str, float]:
    """Area under the curve of each score: five parametric smooth families of the grid against jumps."""
    smooth, jump = table[table["family"].isin(IN_FAMILY)], table[table["family"] == "jump"]
    return {score: area_under_curve(smooth[score], jump[score]) for score in SCORES}


def area_under_curve(smooth: pd.Series, jump: pd.Series) -> float:
    """P(a jump's score exceeds a smooth curve's); scores that are not defined count as lowest."""
    ranks = rankdata(np.concatenate([smooth.fillna(-np.inf), jump.fillna(-np.inf)]))
    n, m = len(smooth), len(jump)
    return float((ranks[n:].sum() - m * (m + 1) / 2) / (n * m))
