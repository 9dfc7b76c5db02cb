"""How often a law's intervals hold planted parameters, over tables that differ by their noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from harness import ScalingLaw

#: Tables, and how many of their 95 % intervals must hold a parameter: by chance fewer do once in 6e5 times.
TABLES, LEAST_HELD = 40, 32


def check_coverage(
    law: str, make: Callable[[np.random.Generator], tuple[pd.DataFrame, np.ndarray]], truth: Mapping[str, float]
) -> None:
    """Assert that all fits converge and that the intervals of each parameter hold the truth often enough."""
    held = dict.fromkeys(truth, 0)
    for seed in range(TABLES):
        x, y = make(np.random.default_rng(seed))
        fit = ScalingLaw(law).fit(x, y)
        assert fit.status_ == "converged", fit.message_
        for name, value in truth.items():
            low, high = fit.intervals_[name]
            held[name] += low <= value <= high
    assert min(held.values()) >= LEAST_HELD, held
