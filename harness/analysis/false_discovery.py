"""P values corrected for how many there are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def adjusted(p_values: Sequence[float | None]) -> list[float]:
    """P values after Benjamini and Hochberg (1995) over those that are neither None nor NaN; NaN for those that are."""
    p = np.array(p_values, dtype=float)  # NaN for None
    order = np.argsort(p)[: np.count_nonzero(~np.isnan(p))]  # NaN comes last
    n = len(order)
    scaled = p[order] * (n / np.arange(1, n + 1))
    p[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return [float(each) for each in p]
