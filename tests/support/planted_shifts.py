"""Runs measured on their own and on a shifted evaluation set, with a line or jumps that are known."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.special import ndtr

SIZES = 100.0 * 2.0 ** np.arange(9)
#: How accuracy leaps from .1 to .9 at a rung, or rises over the whole ladder, or not at all.
COURSES = {
    **{f"jump at {rung}": np.where(np.arange(9) >= rung, 0.9, 0.1) for rung in (3, 4, 6)},
    "smooth": 0.1 + 0.8 * ndtr((np.arange(9) - 4) / 3.0),
    "flat": np.full(9, 0.1),
}


def on_a_line(
    rng: np.random.Generator,
    *,
    slope: float = 0.8,
    intercept: float = -0.4,
    scatter: float = 0.05,
    n_eval: int = 2000,
    off: Mapping[int, float] | None = None,
    low: float = -0.5,
    high: float = 1.6,
) -> pd.DataFrame:
    """24 runs, 3 at each of 8 sizes, whose shifted accuracy is on a probit line; sizes may be `off` it."""
    rows = []
    for rung, middle in enumerate(np.linspace(low, high, 8)):
        for seed in range(3):
            x = middle + 0.1 * rng.standard_normal()
            y = intercept + slope * x + scatter * rng.standard_normal() + (off or {}).get(rung, 0.0)
            about = {"study": "main", "run_id": f"{rung}-{seed}", "seed": seed, "size": float(rung + 1)}
            for split, place in (("eval", x), ("noisy", y)):
                value = rng.binomial(n_eval, ndtr(place)) / n_eval
                rows.append(about | {"split": split, "metric": "accuracy", "value": value, "n_eval": n_eval})
    return pd.DataFrame(rows)


def with_jumps(own: str, seed: int = 0, **shifts: str) -> pd.DataFrame:
    """Accuracy of 4 runs at each of 9 sizes that takes one of `COURSES` on each split, on 500 items."""
    rng, rows = np.random.default_rng(seed), []
    for split, course in {"eval": own, **shifts}.items():
        for i, size in enumerate(SIZES):
            share = np.clip(COURSES[course][i] + 0.02 * rng.standard_normal(4), 0.01, 0.99)
            for run, value in enumerate(rng.binomial(500, share) / 500):
                about = {"study": "main", "run_id": f"{i}-{run}", "seed": run, "params": size, "n_eval": 500}
                rows.append(about | {"split": split, "metric": "accuracy", "value": value, "chance": 0.1})
    return pd.DataFrame(rows)
